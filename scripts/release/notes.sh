#!/usr/bin/env bash
# Prints what CHANGELOG.md says of a version, in Markdown: a release's notes. Fails when it says nothing.
#
#   scripts/release/notes.sh VERSION
set -euo pipefail
# shellcheck source=scripts/release/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ $# -eq 1 && $1 != -* ]] || { sed -n '2,4s/^# \{0,1\}//p' "$0" && exit 2; }
# From the version's heading to the next one; links' targets and blank lines at both ends are no part of it.
notes=$(awk -v heading="## [$1]" '
    /^## / { inside = index($0, heading) == 1; next }
    /^\[[^]]*\]: / { next }
    inside' "$root/CHANGELOG.md" | sed -e '/./,$!d')
[[ -n $notes ]] || die "CHANGELOG.md has no section [$1], or nothing in it"
printf '%s\n' "$notes"
