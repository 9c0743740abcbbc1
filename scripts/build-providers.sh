#!/usr/bin/env bash
# Packs the modules of providers, each a manifest of assets/providers with a version of its own:
#
#   scripts/build-providers.sh [--output DIR] [--base-url URL]... [--check]
#
# DIR (default doc/tmp/releases) gets codeai-hub-provider-<id>-<version>.tar.bz2 of each, the same bytes for the same
# module wherever and whenever it is packed, and providers-manifest.json with their sums, signed when RELEASE_SIGNING_KEY
# names a key. The list is kept in assets/providers/manifest.json: a module that differs from what it says, under the same
# version or an older one, is refused. --check does no more than to compare.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

output=$root/doc/tmp/releases
list=$root/assets/providers/manifest.json
bases=()
is_check=
while [[ $# -gt 0 ]]; do
    case $1 in
        --output) output=${2:?"--output needs a folder"} && shift 2 ;;
        --base-url) bases+=(--base-url "${2:?"--base-url needs an address"}") && shift 2 ;;
        --check) is_check=1 && shift ;;
        -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 0 ;;
        *) die "$1 is not understood. Try --help" ;;
    esac
done
have python3 || die "python3 is missing (scripts/setup.sh installs it)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The core has echo inside; its module is the core.
for file in "$root"/assets/providers/*.json; do
    case ${file##*/} in manifest.json | echo.json) continue ;; esac
    mapfile -t facts < <(python3 - "$file" <<'END'
import json, sys
module = json.load(open(sys.argv[1]))
for member in ("id", "moduleVersion", "minimumCore"):
    print(module.get(member, ""))
END
    )
    [[ ${facts[0]} == "$(basename "$file" .json)" ]] || die "$file: its id is ${facts[0]}"
    [[ ${facts[1]} && ${facts[2]} ]] || die "$file: moduleVersion and minimumCore must be there"
    # Whenever it is packed: what has not changed must stay the same bytes.
    SOURCE_DATE_EPOCH=0 RELEASE_SIGNING_KEY='' "$root/scripts/release/pack.py" --provider "${facts[0]}" \
        --version "${facts[1]}" --minimum-core "${facts[2]}" "${bases[@]}" --output "$work" "module.json=$file" >/dev/null
done

python3 - "$list" "$work/providers-manifest.json" <<'END' || exit 1
import json, os, sys
old = json.load(open(sys.argv[1]))["providers"] if os.path.exists(sys.argv[1]) else {}
new = json.load(open(sys.argv[2]))["providers"]

def order(version):
    """Precedence by section 11 of semantic versioning."""
    main, _, pre = version.partition("+")[0].partition("-")
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".")] if pre else []
    return [int(number) for number in main.split(".")], not pre, parts

refused = False
for name, entry in new.items():
    before = old.get(name)
    if before is None:
        word = "new"
    elif before["sha256"] == entry["sha256"] and before["version"] == entry["version"]:
        word = "unchanged"
    elif order(entry["version"]) > order(before["version"]):
        word = f"was {before['version']}"
    else:
        word = f"changed since {before['version']}: raise its moduleVersion (assets/providers/{name}.json)"
        refused = True
    print(f"{name} {entry['version']}: {entry['size']} bytes, {word}", file=sys.stderr if refused else sys.stdout)
sys.exit(refused)
END
[[ -z $is_check ]] || exit 0

mkdir -p "$output"
rm -f "$output/providers-manifest.json.sig"
cp "$work"/codeai-hub-provider-*.tar.bz2 "$work/providers-manifest.json" "$output/"
if [[ ${RELEASE_SIGNING_KEY:-} ]]; then "$root/scripts/release/sign.sh" "$output/providers-manifest.json"; fi
cmp -s "$work/providers-manifest.json" "$list" || cp "$work/providers-manifest.json" "$list"
