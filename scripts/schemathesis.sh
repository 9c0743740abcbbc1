#!/usr/bin/env bash
# Holds doc/openapi.json and the daemon against each other with schemathesis: requests made from the description, right
# and wrong ones, sequences of them, and each answer checked. Always the same requests; ends with what was found.
#
#   scripts/schemathesis.sh [EXAMPLES]      of each operation, by chance, beside the systematic ones; 12
#
# Needs the debug build and the environment of scripts/install-test-tools.sh (CODEAI_HUB_TEST_SCHEMATHESIS).
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

examples=${1:-12}
schemathesis=${CODEAI_HUB_TEST_SCHEMATHESIS:?run install-test-tools.sh first}
daemon=${CODEAI_HUB_TEST_DAEMON:-$root/.build/debug/codeai-hub-core}
[[ -x $daemon ]] || die "there is no $daemon: swift build"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# against NAME CONFIGURATION ARGUMENTS...: starts a daemon with a home of its own, asks it, and ends it. In a subshell of
# its own, so that several go on at once.
against() (
    name=$1 home=$work/$1 log=$work/$1.log
    mkdir -p "$home/hub/core"
    chmod 700 "$home/hub" "$home/hub/core"
    printf '%s' "$2" >"$home/hub/core/config.json"
    chmod 600 "$home/hub/core/config.json"
    shift 2
    # No program of any vendor is found there: nothing but the built-in agent can be started or installed.
    env -i HOME="$home" PATH=/usr/bin:/bin LANG=C.UTF-8 CODEAI_HUB_HOME="$home/hub" CORE_PORT=0 CORE_LOG_LEVEL=warn \
        "$daemon" 2>"$log" &
    pid=$!
    trap 'kill -KILL $pid 2>/dev/null || true' EXIT
    for _ in $(seq 300); do
        [[ -s $home/hub/core/endpoint.json ]] && break
        kill -0 "$pid" 2>/dev/null || { cat "$log" >&2 && die "the daemon ended"; }
        sleep 0.1
    done
    url=http://127.0.0.1:$(sed -nE 's/.*"port":([0-9]+).*/\1/p' "$home/hub/core/endpoint.json")/api/v1
    # Sent where it isn't asked for, too: it has to be right in any case.
    (cd "$home" && "$schemathesis" --config-file "$root/scripts/schemathesis.toml" run "$url/openapi.json" \
        --header "Authorization: Bearer $(cat "$home/hub/core/token")" --seed 1 --generation-deterministic --no-color \
        "$@")
    kill -TERM "$pid"
    trap - EXIT
    wait "$pid" || { tail -n 20 "$log" >&2 && die "$name: the daemon ended with $?"; }
)

# Who asks is known by the kernel here, so there is nothing that could be left out: the other run looks at that.
against same-user '{"schemaVersion":1}' --exclude-checks ignored_auth --max-examples "$examples" >"$work/same-user.out" 2>&1 &
first=$!
against token '{"schemaVersion":1,"security":{"loopback":"token"}}' --phases examples,coverage >"$work/token.out" 2>&1 &
second=$!
failed=0
wait "$first" || failed=1
wait "$second" || failed=1
say "as a process of the daemon's own user"
cat "$work/same-user.out"
say "with the token, which is asked of everybody"
cat "$work/token.out"
[[ $failed -eq 0 ]] || die "schemathesis found something, see above"
