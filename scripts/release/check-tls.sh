#!/usr/bin/env bash
# Has a package's program fetch from https servers of all kinds that there are in public: what its OpenSSL was built without
# (scripts/release/libraries.sh) must be missed nowhere.
#
#   scripts/release/check-tls.sh PACKAGE.tar.bz2
#
# Servers are OpenSSL's own, on 127.0.0.1, with certificates of an authority that is made for this.
set -euo pipefail
# shellcheck source=scripts/release/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ $# -eq 1 && $1 != -* ]] || { sed -n '2,7s/^# \{0,1\}//p' "$0" && exit 2; }
require_openssl
package=$(readlink -f "$1")
place=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server"; rm -rf "$place"' EXIT
cd "$place"
tar -xjf "$package" codeai-hub
export CODEAI_HUB_HOME=$place/home

# certificate NAME DAYS KEY...: a key, and a certificate for localhost that the authority signs.
certificate() {
    local name=$1 days=$2
    shift 2
    openssl genpkey "$@" -out "$name.key" 2>/dev/null
    openssl req -new -key "$name.key" -subj /CN=localhost -out request.pem
    printf 'subjectAltName=DNS:localhost' >extensions
    openssl x509 -req -in request.pem -CA "${authority:-rsa}-ca.pem" -CAkey "${authority:-rsa}-ca.key" -CAcreateserial \
        -extfile extensions -days "$days" -out "$name.pem" 2>/dev/null
}

p256=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)
p384=(-algorithm EC -pkeyopt ec_paramgen_curve:P-384)
openssl req -x509 -newkey rsa:2048 -nodes -subj '/CN=An authority' -days 30 -keyout rsa-ca.key -out rsa-ca.pem 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -subj '/CN=Another authority' -days 30 -sha384 \
    -keyout ec-ca.key -out ec-ca.pem 2>/dev/null
cat rsa-ca.pem ec-ca.pem >authorities.pem
certificate rsa 30 -algorithm RSA -pkeyopt rsa_keygen_bits:2048
certificate rsa4096 30 -algorithm RSA -pkeyopt rsa_keygen_bits:4096
certificate rsa-pss 30 -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048
certificate p256 30 "${p256[@]}"
authority=ec certificate p384 30 "${p384[@]}"
certificate ed25519 30 -algorithm ED25519

# What is asked for: a manifest that is for no platform, so that the program says so once it has it and believes it.
printf '{"schema":1,"version":"1.0.0","platforms":{}}' >manifest.json
"$root/scripts/release/new-key.sh" own.pem own.pub >/dev/null
RELEASE_KEYS=own.pub RELEASE_SIGNING_KEY=own.pem "$root/scripts/release/sign.sh" manifest.json >/dev/null

failures=0
# expect NAME PATTERN CERTIFICATE OPTIONS...: what the program says of a server with this certificate and these options.
expect() {
    local name=$1 pattern=$2 certificate=$3 port='' text
    shift 3
    : >server.log
    openssl s_server -accept 127.0.0.1:0 -WWW -cert "$certificate.pem" -key "$certificate.key" "$@" >server.log 2>&1 &
    server=$!
    for _ in {1..100}; do
        port=$(sed -nE 's/^ACCEPT .*:([0-9]+)$/\1/p' server.log | head -n 1)
        [[ -z $port ]] || break
        sleep 0.1
    done
    text=$(SSL_CERT_FILE=$place/authorities.pem timeout 60 ./codeai-hub install --no-link --key own.pub \
        --from "https://localhost:$port/manifest.json" 2>&1 </dev/null) || true
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
    if [[ $text =~ $pattern ]]; then
        printf 'ok: %s\n' "$name"
    else
        printf 'FAILED: %s: no "%s" in:\n%s\n' "$name" "$pattern" "$text"
        tail -n 5 server.log
        failures=$((failures + 1))
    fi
}

got='there is no release for'
for kind in rsa rsa4096 rsa-pss p256 p384 ed25519; do
    expect "TLS 1.3, certificate $kind" "$got" "$kind" -tls1_3
    expect "TLS 1.2, certificate $kind" "$got" "$kind" -tls1_2
done
for cipher in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256; do
    expect "TLS 1.3, $cipher" "$got" rsa -tls1_3 -ciphersuites "$cipher"
done
for cipher in AES128-GCM-SHA256 AES256-GCM-SHA384 CHACHA20-POLY1305 AES128-SHA256 AES256-SHA384 AES128-SHA AES256-SHA; do
    expect "TLS 1.2, ECDHE-RSA-$cipher" "$got" rsa -tls1_2 -cipher "ECDHE-RSA-$cipher"
done
expect "TLS 1.2, ECDHE-ECDSA-AES256-GCM-SHA384" "$got" p256 -tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384
expect "TLS 1.2, AES256-GCM-SHA384 (no forward secrecy)" "$got" rsa -tls1_2 -cipher AES256-GCM-SHA384
for group in X25519 P-256 P-384 P-521 X448; do
    expect "TLS 1.3, group $group" "$got" rsa -tls1_3 -groups "$group"
done
# And what must not pass.
expect "TLS 1.1 is refused" 'speaks no TLS 1\.2 or later' rsa -tls1_1 -cipher 'ALL:@SECLEVEL=0'
cp rsa.key stranger.key
openssl req -x509 -key rsa.key -subj /CN=localhost -addext subjectAltName=DNS:localhost -days 30 -out stranger.pem
expect "a certificate of its own is refused" 'comes from nobody this machine trusts' stranger
certificate old -1 "${p256[@]}"
expect "a certificate of the past is refused" 'has expired' old
((failures == 0)) || die "$failures of the checks failed"
