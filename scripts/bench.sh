#!/usr/bin/env bash
# Builds and runs the benchmarks: scripts/bench.sh [--quick] [--reference PROGRAM] [NAMES...]; see Benchmarks/README.md.
# Everything listens on 127.0.0.1, on free ports, and is stopped at the end. Results: doc/tmp/bench/.
#
# On a machine that others use meanwhile, BENCH_UNDER='chrt -f 1' runs all that is measured at real-time priority.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
require_swift

say "building (release)"
# As it is shipped: with the Swift runtime inside.
flags=(-c release --static-swift-stdlib)
swift build "${flags[@]}" --product codeai-hub-core >&2
swift build "${flags[@]}" --package-path Benchmarks >&2
BENCH_DAEMON="$(swift build "${flags[@]}" --show-bin-path)/codeai-hub-core"
export BENCH_DAEMON

# 10,000 streams and some more; the programs raise what they may themselves.
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
say "measuring"
read -ra under <<<"${BENCH_UNDER-}"
exec "${under[@]}" "$(swift build "${flags[@]}" --package-path Benchmarks --show-bin-path)/bench" "$@"
