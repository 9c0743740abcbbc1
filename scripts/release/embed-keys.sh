#!/usr/bin/env bash
# Writes the keys of assets/core/release-keys.pub into scripts/install.sh.
#
#   scripts/release/embed-keys.sh [--check]     --check writes nothing and fails when they aren't the same
set -euo pipefail
# shellcheck source=scripts/release/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ $# -eq 0 || ($# -eq 1 && $1 == --check) ]] || { sed -n '2,4s/^# \{0,1\}//p' "$0" && exit 2; }
script=$root/scripts/install.sh
keys=$(awk 'NR % 2 == 0' "$release_keys")
[[ -n $keys ]] || die "$release_keys has no key"
text=$(keys=$keys awk '
    /^# keys$/ { print; printf "trusted_keys=\047\n%s\n\047\n", ENVIRON["keys"]; inside = 1 }
    /^# \/keys$/ { inside = 0 }
    !inside' "$script")
if [[ $text == "$(<"$script")" ]]; then exit; fi
[[ $# -eq 0 ]] || die "scripts/install.sh has other keys than assets/core/release-keys.pub: run scripts/release/embed-keys.sh"
printf '%s\n' "$text" >"$script"
