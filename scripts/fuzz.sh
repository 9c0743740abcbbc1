#!/usr/bin/env bash
# Builds and runs the fuzz targets in Fuzz/: scripts/fuzz.sh [--seconds N] [--runs N] [--seed N] [--build] [TARGET...]
#
# Without targets: all of them. Each runs N seconds (default 60) on one core, from the seeds in Fuzz/Corpus/<target>;
# what it learns stays in Fuzz/.build/corpus/<target>. With --runs it tries so many inputs instead, however long that
# takes, and learns from the seeds alone: with a --seed, always the same ones. A finding ends with status 1 and is kept
# in Fuzz/.build/findings/<target>: fix it, and keep it as a unit test. With --build they are built and not run.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

seconds=60
runs=
build_only=false
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
        --runs)
            [[ ${2-} =~ ^[0-9]+$ ]] || die "--runs needs a number"
            runs=$2
            shift
            ;;
        --seed)
            [[ ${2-} =~ ^[0-9]+$ ]] || die "--seed needs a number"
            seed=$2
            shift
            ;;
        --build) build_only=true ;;
        -h | --help)
            sed -n '2,7s/^# \{0,1\}//p' "$0"
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
# The order in a dictionary decides which branch is met first.
export SWIFT_DETERMINISTIC_HASHING=1
cd "$root/Fuzz"
if ((${#targets[@]} == 0)); then
    for folder in Sources/*/; do targets+=("$(basename "$folder")"); done
fi

failed=0
for target in "${targets[@]}"; do
    [[ -d Sources/$target ]] || die "there is no fuzz target $target in Fuzz/Sources"
    swift build -c release --product "$target" -Xswiftc -sanitize=fuzzer,address >&2
    bin=$(swift build -c release --show-bin-path)
    swiftc -sanitize=fuzzer,address -use-ld=lld "$bin/lib$target.a" -lz -lbz2 -lssl -lcrypto -o "$bin/$target"
    ! $build_only || continue
    if [[ -n $runs ]]; then
        learnt=$(mktemp -d)
        bound=(-runs="$runs")
        say "$target, $runs inputs"
    else
        learnt=.build/corpus/$target
        bound=(-max_total_time="$seconds")
        say "$target, $seconds s"
    fi
    findings=.build/findings/$target
    mkdir -p "$learnt" "$findings" "Corpus/$target"
    # Value profiles find what is behind comparisons; leaks are looked for at the end.
    if "$bin/$target" "${bound[@]}" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -use_value_profile=1 \
        -print_final_stats=1 -seed="$seed" -artifact_prefix="$findings/" "$learnt" "Corpus/$target" 2>".build/$target.log"; then
        printf '%s: ' "$target"
        sed -n 's/^stat::number_of_executed_units: *//p' ".build/$target.log" | tr -d '\n'
        printf ' runs, nothing found\n'
    else
        failed=1
        tail -n 60 ".build/$target.log" >&2
        warn "$target found something: see Fuzz/$findings"
        for finding in "$findings"/*; do
            [[ -s $finding ]] && printf '%s: %s\n' "$finding" "$(base64 --wrap=0 "$finding")" >&2
        done
    fi
    [[ -z $runs ]] || rm -rf "$learnt"
done
exit "$failed"
