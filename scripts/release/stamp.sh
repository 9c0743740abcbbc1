#!/usr/bin/env bash
# Writes a version over the one that a built program has: scripts/release/stamp.sh PROGRAM... VERSION
#
# The program's record of 64 bytes (Sources/CVersion) is found by the words it begins with, so that this works for every
# format of programs, takes no time, and changes nothing else in them. The file is replaced: other hard links to it keep
# the version they have.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case ${1:-} in
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0" && exit 0 ;;
esac
[[ $# -ge 2 ]] || die "usage: scripts/release/stamp.sh PROGRAM... VERSION"
version=${*: -1}
check_version "$version"
for program in "${@:1:$#-1}"; do
    [[ -f $program ]] || die "there is no program $program"
    places=$(LC_ALL=C grep -obUaF 'codeai-version: ' "$program" | cut -d : -f 1) || true
    [[ $places =~ ^[0-9]+$ ]] || die "$program has no record of its version, or more than one"
    new=$program.stamped-$$
    trap 'rm -f "$new"' EXIT
    cp -p "$program" "$new"
    { printf '%s' "$version" && head -c 48 /dev/zero; } | head -c 48 |
        dd of="$new" bs=1 seek=$((places + 16)) conv=notrunc status=none
    # A signature that Apple's linker made counts for the bytes it was made over.
    if have codesign; then codesign --force --sign - "$new"; fi
    mv -f "$new" "$program"
done
