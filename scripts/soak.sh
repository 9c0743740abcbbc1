#!/usr/bin/env bash
# Keeps a daemon busy and watches what it takes: scripts/soak.sh [--hours H] [--minutes M] [--seed N] [--out FOLDER].
# Default: 20 minutes, results in doc/tmp/soak/. SOAK_DAEMON names a program that is built already.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
have python3 || die "python3 is missing: scripts/setup.sh --test"

if [[ -z ${SOAK_DAEMON-} ]]; then
    require_swift
    say "building (release)"
    # As it is shipped: with the Swift runtime inside.
    flags=(-c release --static-swift-stdlib)
    swift build "${flags[@]}" --product codeai-hub-core >&2
    SOAK_DAEMON="$(swift build "${flags[@]}" --show-bin-path)/codeai-hub-core"
fi
say "soaking"
exec python3 scripts/soak/soak.py --daemon "$SOAK_DAEMON" "$@"
