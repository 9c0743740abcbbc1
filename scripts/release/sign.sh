#!/usr/bin/env bash
# Signs a file by the key that RELEASE_SIGNING_KEY names (a PEM file of new-key.sh) and writes FILE.sig in signify's
# format. Fails when the key isn't among those that assets/core/release-keys.pub trusts, or RELEASE_KEYS, if it is set.
#
#   RELEASE_SIGNING_KEY=KEY.pem scripts/release/sign.sh FILE
set -euo pipefail
# shellcheck source=scripts/release/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ $# -eq 1 && $1 != -* ]] || { sed -n '2,5s/^# \{0,1\}//p' "$0" && exit 2; }
file=$1 key=${RELEASE_SIGNING_KEY:?"names no key: RELEASE_SIGNING_KEY=KEY.pem"}
require_openssl
[[ -f $file ]] || die "no such file: $file"
[[ -f $key ]] || die "no such key: $key"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl pkey -in "$key" -pubout -outform DER | bytes 12 32 >"$work/key"
openssl dgst -sha256 -binary "$work/key" | bytes 0 8 >"$work/number"
openssl pkeyutl -sign -rawin -inkey "$key" -in "$file" -out "$work/signature"
[[ $(wc -c <"$work/signature") -eq 64 ]] || die "$key isn't an Ed25519 key"
{
    printf 'untrusted comment: verify with codeai-hub release key %s\n' "$(as_hex <"$work/number")"
    { printf Ed && cat "$work/number" "$work/signature"; } | openssl base64 -A
    printf '\n'
} >"$work/file.sig"
# A signature that nobody would accept must not leave this machine.
"$root/scripts/release/verify.sh" "$file" "$work/file.sig" >/dev/null
cat "$work/file.sig" >"$file.sig"
printf 'signed: %s.sig\n' "$file"
