#!/usr/bin/env bash
# Sets up, builds, starts the daemon when none runs, and opens a conversation in the terminal: with Claude Code when
# it is installed and logged in, else with the built-in echo agent.
#
#   scripts/run.sh [--debug] [codeai-hub arguments]      without arguments: codeai-hub new
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

configuration=release
case ${1:-} in
    --debug) configuration=debug && shift ;;
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0" && exit 0 ;;
esac

"$root/scripts/setup.sh"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The conversation is opened where the person stands, the build happens in the repository.
build() {
    swift build --package-path "$root" -c "$configuration" --product "$1" >"$log" 2>&1 || {
        cat "$log" >&2
        die "the build of $1 failed; see above"
    }
}
say "Building ($configuration); the first time takes a few minutes"
build codeai-hub-core
build codeai-hub
programs=$root/.build/$configuration

say "A second terminal joins in with: $programs/codeai-hub attach"
[[ $# -gt 0 ]] || set -- new
rm -f "$log"
trap - EXIT
exec "$programs/codeai-hub" "$@"
