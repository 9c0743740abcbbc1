#!/usr/bin/env bash
# Publishes a folder of scripts/build-core.sh as a release on GitHub, by gh: everything is checked and uploaded before anybody
# sees it.
#
#   scripts/release/publish.sh FOLDER      the tag vX.Y.Z of the version that the manifest says must exist
set -euo pipefail
# shellcheck source=scripts/release/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ $# -eq 1 && $1 != -* ]] || { sed -n '2,5s/^# \{0,1\}//p' "$0" && exit 2; }
folder=$1
have gh || die "gh isn't installed: https://cli.github.com"
[[ -f $folder/manifest.json ]] || die "$folder has no manifest.json: scripts/build-core.sh makes it"

# What people get is what the manifest says, signed by a key that they trust.
"$root/scripts/release/verify.sh" "$folder/manifest.json"
"$root/scripts/release/check-release.py" "$folder"
version=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["version"])' "$folder/manifest.json")

files=("$folder"/manifest.json "$folder"/manifest.json.sig "$root/scripts/install.sh")
for file in "$folder"/codeai-hub-core-*-"$version"*.tar.*; do files+=("$file"); done
if [[ -f $folder/providers-manifest.json ]]; then
    "$root/scripts/release/verify.sh" "$folder/providers-manifest.json"
    files+=("$folder"/providers-manifest.json "$folder"/providers-manifest.json.sig "$folder"/codeai-hub-provider-*.tar.bz2)
fi
notes=$(mktemp)
trap 'rm -f "$notes"' EXIT
"$root/scripts/release/notes.sh" "$version" >"$notes"

prerelease=()
[[ $version != *-* ]] || prerelease=(--prerelease)
gh release create "v$version" --draft --verify-tag --title "$version" --notes-file "$notes" "${prerelease[@]}" "${files[@]}"
# Only now: "latest" never names a release that is still being uploaded.
gh release edit "v$version" --draft=false
printf 'published: %s\n' "$version"
