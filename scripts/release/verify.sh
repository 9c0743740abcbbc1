#!/usr/bin/env bash
# Checks a file's signature against the keys that releases are signed with, by OpenSSL alone.
#
#   scripts/release/verify.sh FILE [SIGNATURE]     SIGNATURE: FILE.sig unless said
#
# The keys: assets/core/release-keys.pub, or the file RELEASE_KEYS names.
set -euo pipefail
# shellcheck source=scripts/release/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ ($# -eq 1 || $# -eq 2) && $1 != -* ]] || { sed -n '2,6s/^# \{0,1\}//p' "$0" && exit 2; }
file=$1 signature=${2:-$1.sig} keys=${RELEASE_KEYS:-$release_keys}
require_openssl
for needed in "$file" "$signature" "$keys"; do
    [[ -f $needed ]] || die "no such file: $needed"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
payload "$signature" 2 >"$work/payload" || true
[[ $(wc -c <"$work/payload") -eq 74 && $(head -c 2 "$work/payload") == Ed ]] || die "$signature is no signature of signify's format"
number=$(bytes 2 8 <"$work/payload" | as_hex)
bytes 10 64 <"$work/payload" >"$work/signature"

for ((line = 2; line <= $(wc -l <"$keys"); line += 2)); do
    payload "$keys" "$line" >"$work/key"
    [[ $(wc -c <"$work/key") -eq 42 && $(head -c 2 "$work/key") == Ed ]] || die "$keys:$line is no key of signify's format"
    [[ $(bytes 2 8 <"$work/key" | as_hex) == "$number" ]] || continue
    # shellcheck disable=SC2059  # the prefix is made of escapes
    { printf "$ed25519_prefix" && bytes 10 32 <"$work/key"; } >"$work/key.der"
    openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$work/key.der" -in "$file" -sigfile "$work/signature" >/dev/null ||
        die "the signature isn't of this file: $file"
    printf 'signed by release key %s: %s\n' "$number" "$file"
    exit
done
die "$file is signed by key $number, which isn't among those of $keys"
