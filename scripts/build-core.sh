#!/usr/bin/env bash
# Builds the release's program for this machine's platform and packs it.
#
#   scripts/build-core.sh [--version V] [--base-url URL]... [--output DIR] [--check-reproducible] [--no-build]
#                         [--system-libraries]
#
#   --version V            instead of what the file VERSION says; written into the program, nothing is compiled for it
#   --base-url URL         where packages will be fetched from; repeated for mirrors; without: beside the manifest
#   --output DIR           instead of doc/tmp/releases; assets/core/manifest.json is left alone then
#   --check-reproducible   builds once more from a copy at another path, and fails unless it gets the same bytes
#   --no-build             packs what was built last
#   --system-libraries     links OpenSSL and SQLite as the distribution has them, where their sources can't be had
#
# The program is static, needs nothing of the system, and is both codeai-hub and codeai-hub-core: the name it is started by
# decides. Into DIR go codeai-hub-core-<platform>-<version>.tar.bz2, its debug symbols (-debug), what it is linked from
# (-objects), and manifest.json, which keeps other platforms' entries of the same version, for builds on several machines. With
# RELEASE_SIGNING_KEY (a key of scripts/release/new-key.sh) the manifest is signed. Times in the package are
# SOURCE_DATE_EPOCH, or the last commit's.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=$(project_version)
output=
base_urls=()
builds=true
check=false
own_libraries=true
while (($#)); do
    case $1 in
        --version | --base-url | --output)
            [[ -n ${2-} ]] || die "$1 needs a value: see --help"
            case $1 in
                --version) version=$2 ;;
                --base-url) base_urls+=("$1" "$2") ;;
                --output) output=$(mkdir -p "$2" && cd "$2" && pwd) ;;
            esac
            shift
            ;;
        --check-reproducible) check=true ;;
        --no-build) builds=false ;;
        --system-libraries) own_libraries=false ;;
        -h | --help) sed -n '2,19s/^# \{0,1\}//p' "$0" && exit 0 ;;
        *) die "unknown argument: $1 (try --help)" ;;
    esac
    shift
done
check_version "$version"
cd "$root"
require_swift
have python3 || die "python3 is missing: it packs what is built"

# What the issue of sizes was settled at (doc/decisions/0023): bytes of the program, and of the package.
program_target=16000000
package_target=6000000

case $(uname -s) in
    Linux) system=linux ;;
    Darwin) system=darwin ;;
    *) die "there is no release for $(uname -s)" ;;
esac
case $(uname -m) in
    x86_64) platform=$system-x64 ;;
    aarch64 | arm64) platform=$system-arm64 ;;
    *) die "there is no release for $(uname -m)" ;;
esac

if [[ -z ${SOURCE_DATE_EPOCH-} ]]; then
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null) || SOURCE_DATE_EPOCH=0
fi
export SOURCE_DATE_EPOCH

program=codeai-hub-release
# A folder of its own: these objects differ from those of other builds.
scratch=$root/.build/core
built=$scratch/package

# Package.swift: small rather than fast, but for what is hot.
export CODEAI_HUB_RELEASE=1

# A section of its own for each function, so that the linker can leave out what nobody calls; paths as if this folder were
# called /codeai-hub-core, wherever it is.
flags=(
    -c release --scratch-path "$scratch" --product "$program"
    -Xswiftc -file-prefix-map -Xswiftc "$root=/codeai-hub-core"
    -Xcc "-ffile-prefix-map=$root=/codeai-hub-core" -Xcc -ffunction-sections -Xcc -fdata-sections
)
if [[ $system == linux ]]; then
    # What is public in a module may be left out of the program, too, and in Swift's own libraries, copies of which are linked.
    # The index of the tables for unwinding isn't needed: a static program hands them over when it starts. Names of Unicode
    # characters, half a megabyte that would come along, are asked for by nobody: split_symbols makes sure.
    swift_libraries=(libswiftCore.a libswift_Concurrency.a libswiftGlibc.a)
    flags+=(
        --static-swift-stdlib -Xswiftc -static-executable
        -Xswiftc -Xfrontend -Xswiftc -function-sections -Xswiftc -Xfrontend -Xswiftc -internalize-at-link
        -Xswiftc -use-ld=lld -Xlinker --gc-sections -Xlinker -O2 -Xlinker --icf=safe -Xlinker --no-eh-frame-hdr
        -Xlinker --wrap=_swift_stdlib_getScalarName -Xlinker --defsym=__wrap__swift_stdlib_getScalarName=abort
        -Xlinker --build-id=sha1
    )
    for library in "${swift_libraries[@]}"; do flags+=(-Xlinker "--remap-inputs=*/$library=$scratch/swift/$library"); done
    if $own_libraries; then
        # Where the package manager asks first what to link.
        export PKG_CONFIG_PATH=$root/.build/libraries/lib/pkgconfig
    fi
fi
# Where the compiler keeps modules of C libraries, and a sum over its input, would go into the objects: both hang on the path.
for flag in -no-clang-module-breadcrumbs -disable-incremental-llvm-codegen; do
    flags+=(-Xswiftc -Xfrontend -Xswiftc "$flag")
done

megabytes() { awk -v bytes="$1" 'BEGIN { printf "%.2f MB", bytes / 1e6 }'; }

# judge WHAT BYTES TARGET
judge() {
    if (($2 <= $3)); then
        printf '%s: %s (target %s)\n' "$1" "$(megabytes "$2")" "$(megabytes "$3")"
    else
        printf '%s: %s, %s over the target of %s\n' "$1" "$(megabytes "$2")" "$(megabytes "$(($2 - $3))")" "$(megabytes "$3")"
    fi
}

bytes_of() { wc -c <"$1" | tr -d ' '; }

toolchain=$(dirname "$(readlink -f "$(command -v swift)")")

# The toolchain's own programs come before those of the system: the same everywhere.
tool() {
    local beside=$toolchain/llvm-$1
    if [[ -x $beside ]]; then printf '%s' "$beside"; else command -v "$1" || die "$1 is missing (package binutils)"; fi
}

build() {
    if [[ $system == linux ]]; then
        "$root/scripts/setup.sh" --release
        if $own_libraries; then "$root/scripts/release/libraries.sh"; fi
        "$root/scripts/release/unretain.py" "${swift_libraries[@]/#/$toolchain/../lib/swift_static/linux/}" "$scratch/swift"
    else
        "$root/scripts/setup.sh"
    fi
    say "building $platform (a few minutes the first time)"
    mkdir -p "$scratch"
    swift build "${flags[@]}" >"$scratch/build.log" 2>&1 || {
        grep -E 'error: |warning: ' "$scratch/build.log" | sort -u | head -n 40 >&2
        tail -n 20 "$scratch/build.log" >&2
        die "the build failed; all of its output is in $scratch/build.log"
    }
}

# Symbols go into a file of their own, which debuggers find by its name or by the program's build id.
split_symbols() {
    local from
    from=$(swift build "${flags[@]}" --show-bin-path)/$program
    rm -rf "$built"
    mkdir -p "$built"
    if [[ $system == darwin ]]; then
        cp "$from" "$built/$program"
        dsymutil "$from" -o "$built/codeai-hub.dSYM"
        strip -x "$built/$program"
        tar -C "$built" -cf "$built/codeai-hub.debug" codeai-hub.dSYM
        return
    fi
    local objcopy
    objcopy=$(tool objcopy)
    # The search for text in text that comes with regular expressions is a megabyte of program.
    if "$(tool nm)" "$from" | grep -q '17_StringProcessing'; then
        "$(tool nm)" -u "$scratch"/*/release/*.build/*.o 2>/dev/null | grep -B 100 17_StringProcessing | grep ':$' >&2 || true
        die "something uses the library of regular expressions: Base has firstRange(ofText:), contains(text:), replacing(text:with:)"
    fi
    if "$(tool nm)" -u "$scratch"/*/release/*.build/*.o 2>/dev/null | grep 'ScalarV10PropertiesV4name' >&2; then
        die "something asks for the name of a Unicode character: linked without them, the program would end there"
    fi
    # Which the small one hasn't.
    if [[ $system == linux ]] && $own_libraries && "$(tool nm)" "$from" | grep -qi 'camellia'; then
        die "the program was linked with the system's OpenSSL instead of the one in .build/libraries"
    fi
    "$objcopy" --only-keep-debug "$from" "$built/codeai-hub.debug"
    "$objcopy" --strip-all --remove-section=.comment "$from" "$built/$program"
    (cd "$built" && "$objcopy" --add-gnu-debuglink=codeai-hub.debug "$program")
    if ! readelf -lW "$built/$program" >"$built/headers" || grep -qE 'INTERP|DYNAMIC' "$built/headers"; then
        die "the program isn't static: see $built/headers"
    fi
}

pack() {
    local more=()
    if [[ $system == linux ]]; then
        local from=()
        if $own_libraries; then from+=("$root/.build/libraries"); fi
        "$root/scripts/release/third-party.sh" "${from[@]}" >"$built/THIRD-PARTY-LICENSES"
        more+=("THIRD-PARTY-LICENSES=$built/THIRD-PARTY-LICENSES")
    fi
    # A version that isn't in the changelog yet is packed without notes.
    if "$root/scripts/release/notes.sh" "$version" >"$built/notes" 2>/dev/null; then more+=(--notes "$built/notes"); fi
    if [[ -z $output ]]; then
        output=$root/doc/tmp/releases
        more+=(--manifest "$root/assets/core/manifest.json")
    fi
    say "packing version $version"
    "$root/scripts/release/pack.py" --programs "$built" --version "$version" --platform "$platform" --output "$output" \
        --debug "$built/codeai-hub.debug" ${base_urls[@]+"${base_urls[@]}"} ${more[@]+"${more[@]}"}
    if [[ $system == linux ]]; then
        "$root/scripts/release/objects.py" --build "$scratch" --product "$program" \
            --output "$output/codeai-hub-core-$platform-$version-objects.tar.bz2"
    fi
}

if $builds; then build; fi
[[ -x $(swift build "${flags[@]}" --show-bin-path)/$program ]] || die "there is nothing built yet: leave out --no-build"
split_symbols
pack
package=$output/codeai-hub-core-$platform-$version.tar.bz2
judge "program" "$(bytes_of "$built/$program")" "$program_target"
judge "package" "$(bytes_of "$package")" "$package_target"

if $check; then
    copy=$(mktemp -d "${TMPDIR:-/tmp}/a-copy-at-another-path-XXXXXX")
    trap 'rm -rf "$copy"' EXIT
    # As it is now, with what isn't committed, and without what is deleted; Git's own folder stays behind.
    git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - 2>/dev/null |
        tar -C "$copy" -xf - || true
    options=()
    # Like the libraries of the system they are what is built with.
    if [[ -d $root/.build/libraries ]]; then mkdir -p "$copy/.build" && cp -R "$root/.build/libraries" "$copy/.build/"; fi
    if ! $own_libraries; then options+=(--system-libraries); fi
    "$copy/scripts/build-core.sh" --version "$version" --output "$copy/out" ${base_urls[@]+"${base_urls[@]}"} \
        ${options[@]+"${options[@]}"}
    for kind in '' -debug -objects; do
        file=${package%.tar.bz2}$kind.tar.bz2
        [[ -e $file ]] || continue
        cmp "$file" "$copy/out/$(basename "$file")" ||
            die "not reproducible: $(basename "$file") differs when it is built at another path"
    done
    say "reproducible: a build at another path gives the same bytes"
fi
