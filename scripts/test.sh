#!/usr/bin/env bash
# The whole check: lint, build with warnings as errors (the programs as shipped and the benchmarks, too), every test, a short run of each fuzz
# target, and the unit tests once more under AddressSanitizer. Ends with one line: N passed, N failed.
#
#   scripts/test.sh [--quick]      --quick leaves out fuzzing and AddressSanitizer
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

quick=false
case ${1:-} in
    --quick) quick=true ;;
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0" && exit 0 ;;
    '') ;;
    *) die "unknown argument: $1 (try --help)" ;;
esac

results=$root/.build/test-results
release=$results/release
# A line for each step, of those that run side by side, too: how many checks passed, how many failed, its name.
counts=$results/counts

# What a step prints is kept beside its result, so that the end of the run can tell what went wrong in it.
output() { printf '%s/%s.log' "$results" "${1// /-}"; }

# The same for what is built beside the tests.
beside() { output "beside $1" | sed 's/\.log$//'; }

count() { printf '%d %d %s\n' "$2" "$3" "$1" >>"$counts"; }

# step NAME COMMAND...: a step that isn't made of counted tests; it counts as one check.
step() {
    local name=$1 start=$SECONDS
    shift
    say "$name"
    if "$@" > >(tee "$(output "$name")") 2>&1; then
        count "$name" 1 0
        printf '%s: ok (%d s)\n' "$name" $((SECONDS - start))
    else
        count "$name" 0 1
        printf '%s: FAILED (%d s)\n' "$name" $((SECONDS - start))
    fi
}

# tally NAME START STATUS RAN BAD: adds what a report counts.
tally() {
    local name=$1 start=$2 status=$3 ran=$4 bad=$5
    # A crash leaves no report, and a run without tests is a mistake in the filter: neither may look like success.
    if [[ $status -ne 0 && $bad -eq 0 ]] || [[ $ran -eq 0 ]]; then
        bad=$((bad + 1))
        ran=$((ran + 1))
    fi
    count "$name" $((ran - bad)) "$bad"
    printf '%s: %d passed, %d failed (%d s)\n' "$name" $((ran - bad)) "$bad" $((SECONDS - start))
}

# tests NAME ARGUMENTS...: runs swift test and adds what its report counts.
tests() {
    local name=$1 start=$SECONDS report status=0 ran bad
    shift
    say "$name"
    report=$results/${name// /-}
    rm -f "$report"*
    swift test "$@" --xunit-output "$report.xml" > >(tee "$(output "$name")") 2>&1 || status=$?
    # Swift Testing writes its report beside the one of XCTest.
    ran=$(sed -nE 's/.*<testsuite [^>]*tests="([0-9]+)".*/\1/p' "$report-swift-testing.xml" 2>/dev/null | head -n 1)
    bad=$(sed -nE 's/.*<testsuite [^>]*failures="([0-9]+)".*/\1/p' "$report-swift-testing.xml" 2>/dev/null | head -n 1)
    tally "$name" "$start" "$status" "${ran:-0}" "${bad:-0}"
}

# script_tests NAME SCRIPT REPORT: those that a script runs by pytest; counts what its report says.
script_tests() {
    local name=$1 script=$2 report=$results/$3 start=$SECONDS status=0 ran bad
    say "$name"
    rm -f "$report"
    "$script" > >(tee "$(output "$name")") 2>&1 || status=$?
    # A line for each test. One that was skipped hasn't passed.
    [[ -e $report ]] && sed -i 's/<testcase /\n&/g' "$report"
    ran=$(grep -c '<testcase ' "$report" 2>/dev/null || true)
    bad=$(grep -cE '<(failure|error|skipped)[ >]' "$report" 2>/dev/null || true)
    tally "$name" "$start" "$status" "${ran:-0}" "${bad:-0}"
}

finish() {
    local name broken passed failed
    mapfile -t broken < <(awk '$2 > 0' "$counts" | cut -d ' ' -f 3-)
    read -r passed failed < <(awk '{ passed += $1; failed += $2 } END { print passed + 0, failed + 0 }' "$counts")
    if [[ ${#broken[@]} -gt 0 ]]; then
        for name in "${broken[@]}"; do
            printf '\n==> what failed in %s\n' "$name"
            # Failed tests are marked; elsewhere the end says it.
            grep -A 5 -E '✘|^E  ' "$(output "$name")" | cut -c 1-500 | head -n 60 | grep . || tail -n 60 "$(output "$name")"
        done
        printf '\nfailed: %s\n' "$(IFS=, && echo "${broken[*]}")"
    fi
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    [[ $failed -eq 0 ]]
    exit
}

# The integration tests in two lanes, since they mostly wait, and after each what waits as well. Within a lane one at a time: they
# start daemons, kill them and watch the clock. What a lane prints is shown once the other is through.
agents='IntegrationTests\.(Contract|ProcessHygiene|ClaudeCode|Codex|Editor|Failure|Interrupt|ManifestAgent|Mixing|Provider|Usage|Import|MainJob)'

# integration NAME ARGUMENTS...: two runs may share one build, since neither writes to it.
integration() { tests "$1" --skip-build --no-parallel --ignore-lock "${@:2}"; }

lane_of_agents() {
    integration "tests with agents" --filter "$agents"
    export -n CODEAI_HUB_TEST_RECORDINGS
    script_tests "web tests" scripts/web-test.sh web.xml
}

lane_of_sessions() {
    integration "integration tests" --filter IntegrationTests --skip "$agents"
    export -n CODEAI_HUB_TEST_RECORDINGS
    step "the daemon does what is described" scripts/schemathesis.sh
    script_tests "release tests" scripts/release-test.sh release.xml
}

# What is only built, or built to be run later: one after the other, each with its output and its status in files.
builds() {
    # As the program is shipped: with optimisation the compiler sees other modules' members, and so other mistakes.
    build "release build" scripts/build-core.sh --output "$release"
    # A package of its own, which nothing else here would build: only so does it keep up with what it measures.
    build "benchmarks build" swift build --package-path Benchmarks
    # As others use the client library: nothing but its public interface.
    build "client example build" swift build --package-path doc/examples/swift --scratch-path .build/client-example
    $quick && return
    build "fuzzing build" scripts/fuzz.sh --build
    build "reproducible build" scripts/build-core.sh --output "$release" --no-build --check-reproducible
    # Its objects differ from the plain build's: a folder of its own keeps both warm.
    build "build with AddressSanitizer" swift build --build-tests --sanitize address --scratch-path .build/asan
}

build() {
    local name=$1 status=0
    shift
    "$@" >"$(beside "$name").log" 2>&1 || status=$?
    printf '%d\n' "$status" >"$(beside "$name").status"
}

# built NAME: waits until it is, and shows what went wrong.
# shellcheck disable=SC2317  # called by step
built() {
    local file
    file=$(beside "$1")
    while [[ ! -s $file.status ]] && kill -0 "$builder" 2>/dev/null; do sleep 1; done
    tail -n 60 "$file.log"
    [[ $(cat "$file.status") == 0 ]]
}

# It prints what to export; an assignment, unlike a plain $(...), passes its failure on.
# shellcheck disable=SC2317  # called by step
install_tools() {
    local exports
    exports=$(scripts/install-test-tools.sh) && eval "$exports"
}

scripts/setup.sh --test
mkdir -p "$results"
rm -rf "$results"/beside-* "$results"/*.log "$release"
: >"$counts"
step "test tools" install_tools
step "lint" scripts/lint.sh
step "build" swift build --build-tests --explicit-target-dependency-import-check error
# Without a build the rest would only repeat its errors.
grep -qx '0 1 build' "$counts" && finish

# What tests hear and say is kept, and checked after them.
export CODEAI_HUB_TEST_RECORDINGS=$results/recordings
rm -rf "$CODEAI_HUB_TEST_RECORDINGS"
tests "unit tests" --skip-build --parallel --skip IntegrationTests

# The tests that follow mostly wait, for daemons and clocks: what else must be built is built beside them, at the lowest
# priority. All in process groups of their own, which end with this run.
set -m
(
    set +e
    # Not by nice: the build system gives each compiler the usual priority again.
    chrt --idle --pid 0 "$BASHPID"
    builds
) &
builder=$!
(lane_of_agents) >"$results/lane.log" 2>&1 &
lane=$!
set +m
trap 'kill -- "-$builder" "-$lane" 2>/dev/null || true' EXIT
(lane_of_sessions)
wait "$lane" || true
cat "$results/lane.log"
step "what the tests saw is as described" "$CODEAI_HUB_TEST_PYTHON" scripts/validate-recordings.py "$CODEAI_HUB_TEST_RECORDINGS"
rm -rf "$CODEAI_HUB_TEST_RECORDINGS"
unset CODEAI_HUB_TEST_RECORDINGS
step "release build" built "release build"
step "the release where nothing else is" scripts/release/check-alone.sh "$release"/codeai-hub-core-*-"$(project_version)".tar.bz2
step "the release's TLS" scripts/release/check-tls.sh "$release"/codeai-hub-core-*-"$(project_version)".tar.bz2
step "benchmarks build" built "benchmarks build"
step "client example build" built "client example build"
if ! $quick; then
    # Always the same inputs: a change is judged by what it changed. New ones are looked for by scripts/fuzz.sh itself.
    step "fuzzing build" built "fuzzing build"
    step "reproducible build" built "reproducible build"
    step "fuzzing" scripts/fuzz.sh --runs "${FUZZ_RUNS:-8000}" --seed 1
    step "build with AddressSanitizer" built "build with AddressSanitizer"
    # Leaks are counted by the integration tests on the real daemon; LeakSanitizer would report the Swift runtime's own
    # caches.
    # Foundation itself reads past a buffer while it looks for open descriptors, when a test starts a Process.
    printf 'interceptor_via_lib:libFoundation.so\n' >"$results/asan-suppressions"
    export ASAN_OPTIONS=detect_leaks=0:suppressions=$results/asan-suppressions
    # Swift's own backtracer trips AddressSanitizer when a program that a test starts crashes on purpose, and hangs.
    export SWIFT_BACKTRACE=enable=no
    # Without the runs of the agents' own programs, which take most of the time and reach no code that the recorded
    # conversations don't.
    tests "unit tests with AddressSanitizer" --skip-build --parallel --sanitize address --scratch-path .build/asan \
        --skip 'IntegrationTests|RealClaude|RealCodex'
fi
finish
