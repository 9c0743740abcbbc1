#!/usr/bin/env bash
# Makes a key that releases are signed with (Ed25519).
#
#   scripts/release/new-key.sh OUT.pem OUT.pub
#
# OUT.pem is the private key, readable to its owner alone: it belongs on a medium of its own, never into the repository.
# OUT.pub is the public one in signify's format; put its two lines into assets/core/release-keys.pub to have it trusted
# (doc/releasing.md). Neither file may exist.
set -euo pipefail
# shellcheck source=scripts/release/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ $# -eq 2 && $1 != -* ]] || { sed -n '2,8s/^# \{0,1\}//p' "$0" && exit 2; }
private=$1 public=$2
require_openssl
for file in "$private" "$public"; do
    [[ ! -e $file ]] || die "$file exists already: a key is never overwritten"
done

umask 077
openssl genpkey -algorithm ed25519 -out "$private"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl pkey -in "$private" -pubout -outform DER | bytes 12 32 >"$work/key"
# The number only tells which key to look for, so it can as well be the beginning of the key's own sum.
openssl dgst -sha256 -binary "$work/key" | bytes 0 8 >"$work/number"
umask 022
{
    printf 'untrusted comment: codeai-hub release key %s\n' "$(as_hex <"$work/number")"
    { printf Ed && cat "$work/number" "$work/key"; } | openssl base64 -A
    printf '\n'
} >"$public"
printf 'private key (keep it safe): %s\npublic key: %s\n' "$private" "$public"
