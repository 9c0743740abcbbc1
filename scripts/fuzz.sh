#!/usr/bin/env bash
# Builds and runs the fuzz targets in Fuzz/: scripts/fuzz.sh [--seconds N] [--seed N] [TARGET...]
#
# Without targets: all of them. Each runs N seconds (default 60) on one core, from the seeds in Fuzz/Corpus/<target>;
# what it learns stays in Fuzz/.build/corpus/<target>. A finding ends with status 1 and is kept in
# Fuzz/.build/findings/<target>: fix it, and keep it as a unit test.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

seconds=60
# 0: a new one each time.
seed=0
targets=()
while (($#)); do
    case $1 in
        --seconds)
            [[ ${2-} =~ ^[0-9]+$ ]] || die "--seconds needs a number"
            seconds=$2
            shift
            ;;
        --seed)
            [[ ${2-} =~ ^[0-9]+$ ]] || die "--seed needs a number"
            seed=$2
            shift
            ;;
        -h | --help)
            sed -n '2,6s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        -*) die "unknown option $1: see --help" ;;
        *) targets+=("$1") ;;
    esac
    shift
done

require_swift
# Swift's own crash reporter would hold the output open after a finding; libFuzzer reports it anyway.
export SWIFT_BACKTRACE=enable=no
cd "$root/Fuzz"
if ((${#targets[@]} == 0)); then
    for folder in Sources/*/; do targets+=("$(basename "$folder")"); done
fi

failed=0
for target in "${targets[@]}"; do
    [[ -d Sources/$target ]] || die "there is no fuzz target $target in Fuzz/Sources"
    swift build -c release --product "$target" -Xswiftc -sanitize=fuzzer,address >&2
    bin=$(swift build -c release --show-bin-path)
    swiftc -sanitize=fuzzer,address -use-ld=lld "$bin/lib$target.a" -lz -lcrypto -o "$bin/$target"
    learnt=.build/corpus/$target
    findings=.build/findings/$target
    mkdir -p "$learnt" "$findings" "Corpus/$target"
    say "$target, $seconds s"
    # Value profiles find what is behind comparisons; leaks are looked for at the end.
    if "$bin/$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -use_value_profile=1 \
        -print_final_stats=1 -seed="$seed" -artifact_prefix="$findings/" "$learnt" "Corpus/$target" 2>".build/$target.log"; then
        printf '%s: ' "$target"
        sed -n 's/^stat::number_of_executed_units: *//p' ".build/$target.log" | tr -d '\n'
        printf ' runs, nothing found\n'
    else
        failed=1
        tail -n 60 ".build/$target.log" >&2
        warn "$target found something: see Fuzz/$findings"
    fi
done
exit "$failed"
