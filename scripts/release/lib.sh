# shellcheck shell=bash
# Shared by the scripts in this folder; sourced, never run.
# shellcheck disable=SC2034
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

release_keys=$root/assets/core/release-keys.pub

# In front of the 32 bytes of a public Ed25519 key this makes them a SubjectPublicKeyInfo (RFC 8410), which OpenSSL reads.
ed25519_prefix='\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'

# Older ones can't sign or verify a file by Ed25519 (pkeyutl -rawin), nor can LibreSSL, which is "openssl" on macOS.
require_openssl() {
    have openssl || die "openssl isn't installed: version 3 or newer is needed"
    [[ $(openssl version) =~ ^OpenSSL\ ([3-9]|[1-9][0-9]) ]] || die "$(openssl version) is too old: OpenSSL 3 or newer is needed"
}

# The bytes of standard input FROM..., COUNT of them.
bytes() { tail -c "+$(($1 + 1))" | head -c "$2"; }

as_hex() { od -An -v -tx1 | tr -d ' \n'; }

# payload FILE LINE: what line LINE of a file in signify's format says: "Ed", a key's number, a key or a signature.
payload() { sed -n "${2}p" "$1" | openssl base64 -d -A; }
