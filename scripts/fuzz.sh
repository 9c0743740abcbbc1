#!/usr/bin/env bash
# Builds and runs the fuzz targets: scripts/fuzz.sh [--seconds N] [TARGET...]
#
# Without targets, all in Fuzz/Sources. Each runs N seconds (default 60) on one core, from the seeds in
# Fuzz/Corpus/<target>; what it learns stays in Fuzz/.build/corpus/<target>. A finding ends with status 1 and is kept in
# Fuzz/.build/findings/<target>: fix it, and keep it as a unit test.
set -euo pipefail
cd "$(dirname "$0")/../Fuzz"

seconds=60
targets=()
while [ $# -gt 0 ]; do
    case "$1" in
        --seconds) seconds="${2:?--seconds needs a number}"; shift 2 ;;
        --help|-h) sed -n '2,6s/^# \{0,1\}//p' "../scripts/fuzz.sh"; exit 0 ;;
        -*) echo "unknown option $1, see --help" >&2; exit 2 ;;
        *) targets+=("$1"); shift ;;
    esac
done
if [ ${#targets[@]} -eq 0 ]; then
    for folder in Sources/*/; do targets+=("$(basename "$folder")"); done
fi

failed=0
for target in "${targets[@]}"; do
    [ -d "Sources/$target" ] || { echo "no fuzz target $target in Fuzz/Sources" >&2; exit 2; }
    swift build -c release --product "$target" -Xswiftc -sanitize=fuzzer,address
    bin="$(swift build -c release --show-bin-path)"
    swiftc -sanitize=fuzzer,address -use-ld=lld "$bin/lib$target.a" -lz -lcrypto -o "$bin/$target"
    learnt=".build/corpus/$target"
    findings=".build/findings/$target"
    mkdir -p "$learnt" "$findings" "Corpus/$target"
    echo "== $target, $seconds s"
    # Value profiles find what is behind comparisons; leaks are looked for at the end.
    if ! "$bin/$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -use_value_profile=1 \
        -print_final_stats=1 -artifact_prefix="$findings/" "$learnt" "Corpus/$target" 2>".build/$target.log"; then
        failed=1
        echo "$target found something:" >&2
        tail -n 60 ".build/$target.log" >&2
    else
        grep -E '^stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)|cov: [0-9]+' ".build/$target.log" |
            tail -n 4
    fi
done
exit $failed
