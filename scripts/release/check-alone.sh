#!/usr/bin/env bash
# Runs a package's programs where there is nothing but them and /proc: no libraries, no shell, no /etc. Needs root.
#
#   scripts/release/check-alone.sh PACKAGE.tar.bz2
#
# The daemon is started by the tool and serves; a session of the echo agent is held; names are looked up in /etc/hosts,
# whatever services the system has for it; TLS, which needs the system's certificates, says that they are missing, and with
# some the program installs itself from a server, and takes itself away. The package's manifest has to be beside it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

[[ $# -eq 1 && $1 != -* ]] || { sed -n '2,8s/^# \{0,1\}//p' "$0" && exit 2; }
[[ $(id -u) -eq 0 ]] || die "this needs root, for chroot"
package=$(readlink -f "$1")

# In namespaces of its own: what is mounted and what is started ends with this, however it ends.
if [[ ${CODEAI_ALONE-} != yes ]]; then
    CODEAI_ALONE=yes exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$package"
fi

place=$(mktemp -d)
mirror=$(mktemp -d)
trap 'umount "$place/proc"; rm -rf --one-file-system "$place" "$mirror"' EXIT
mkdir "$place/proc" "$place/work"
tar -C "$place" -xjf "$package" codeai-hub codeai-hub-core
mount -t proc proc "$place/proc"
[[ $place/codeai-hub -ef $place/codeai-hub-core ]] || die "the programs aren't one file"

# Found now: the programs get no PATH.
chroot=$(command -v chroot) || die "chroot isn't in PATH"
variables=(CORE_PORT=0 CODEAI_HUB_HOME=/hub)
alone() { timeout 60 env -i ${variables[@]+"${variables[@]}"} "$chroot" "$place" "$@"; }

failures=0
# expect NAME CODE PATTERN COMMAND...: runs a command alone and looks at its exit code and at what it says.
expect() {
    local name=$1 code=$2 pattern=$3 status=0 text
    shift 3
    text=$(alone "$@" 2>&1 </dev/null) || status=$?
    if [[ $status == "$code" && $text =~ $pattern ]]; then
        printf 'ok: %s\n' "$name"
    else
        printf 'FAILED: %s: exit code %s instead of %s, or no "%s" in:\n%s\n' "$name" "$status" "$code" "$pattern" "$text"
        failures=$((failures + 1))
    fi
}

version=$(alone /codeai-hub --version | cut -d ' ' -f 2)
expect "the daemon says its version" 0 "^codeai-hub-core $version\$" /codeai-hub-core --version
expect "an installed package has the version of its name" 0 "^codeai-hub $version\$" /codeai-hub --version
[[ $package == *-"$version".tar.bz2 ]] || die "the program of $package is of version $version"
expect "its configuration is good" 0 'valid' /codeai-hub-core --check-config
expect "no daemon runs" 3 '' /codeai-hub status
expect "the daemon starts" 0 'running|started' /codeai-hub start
expect "a conversation" 0 'hello from nowhere' /codeai-hub new echo 'hello from nowhere'
expect "it is in the list" 0 'hello from nowhere' /codeai-hub sessions
expect "the doctor has nothing to say against it" 0 '' /codeai-hub doctor
expect "the daemon restarts" 0 '' /codeai-hub restart
expect "the conversation is still there" 0 'hello from nowhere' /codeai-hub sessions
# The index follows the logs when there is time.
for _ in {1..100}; do
    [[ $(alone /codeai-hub search nowhere) != *user* ]] || break
    sleep 0.2
done
expect "what was said is found" 0 'user, .*nowhere' /codeai-hub search nowhere
# What it does without, and what it takes of the system: names, users, certificates.
source=https://mirror.test:1/manifest.json
expect "a name that nobody knows" 1 "address of mirror.test can't be found" /codeai-hub install --from "$source"
mkdir -p "$place/etc" "$place/work/.codeai-hub/core"
printf '127.0.0.1 mirror.test\n' >"$place/etc/hosts"
# Were these asked, modules of the system's C library would be loaded.
printf 'hosts: nosuch files\npasswd: nosuch\n' >"$place/etc/nsswitch.conf"
expect "a name of /etc/hosts" 1 'refused' /codeai-hub install --from "$source"
# Somebody has to be there before certificates are asked for: the daemon.
port=$(sed -nE 's/.*"port": ?([0-9]+).*/\1/p' "$place/hub/core/endpoint.json")
expect "without certificates TLS says so" 1 'no certificates of authorities' \
    /codeai-hub install --from "https://mirror.test:$port/manifest.json"
expect "the daemon ends" 0 '' /codeai-hub stop

# The release on a server with a certificate of an authority of this test's own. What is installed is tried with nothing on its
# standard input: that is the one device it needs.
mkdir "$place/dev"
mknod -m 666 "$place/dev/null" c 1 3
cp "$package" "$(dirname "$package")/manifest.json" "$mirror"
"$root/scripts/release/new-key.sh" "$mirror/key.pem" "$place/key.pub" >/dev/null 2>&1
RELEASE_SIGNING_KEY=$mirror/key.pem RELEASE_KEYS=$place/key.pub "$root/scripts/release/sign.sh" "$mirror/manifest.json" >/dev/null
for name in authority others; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mirror.test -addext subjectAltName=DNS:mirror.test \
        -keyout "$mirror/$name.key" -out "$place/$name.pem" 2>/dev/null
done
python3 - "$mirror" "$place/authority.pem" >"$mirror/port" 2>/dev/null <<'END' &
import functools, http.server, ssl, sys

folder, certificate = sys.argv[1:]
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, f"{folder}/authority.key")
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
END
for _ in {1..100}; do
    [[ ! -s $mirror/port ]] || break
    sleep 0.1
done
options=(--from "https://mirror.test:$(cat "$mirror/port")/" --key /key.pub)
variables+=(SSL_CERT_FILE=/others.pem)
expect "a server that nobody here trusts" 1 'trusts' /codeai-hub install "${options[@]}"
variables+=(SSL_CERT_FILE=/authority.pem)
expect "it is installed over https" 0 "$version is installed" /codeai-hub install "${options[@]}" --no-link
installed=$(echo "$place"/hub/core/*/current/codeai-hub)
installed=${installed#"$place"}
expect "what was installed works" 0 'hello again' "$installed" new echo 'hello again'
expect "it is up to date" 0 "$version is installed and up to date" "$installed" update "${options[@]}" --yes
expect "it is removed" 0 'Removed' "$installed" uninstall --yes
expect "nothing of it is left" 1 'there is no /hub' /codeai-hub uninstall --yes

printf 'me:x:%d:0::/work:/bin/sh\n' "$(id -u)" >"$place/etc/passwd"
printf 'broken' >"$place/work/.codeai-hub/core/config.json"
chmod -R go= "$place/work"
variables=()
expect "a home of /etc/passwd" 5 '/work/.codeai-hub/core/config.json' /codeai-hub-core --check-config
((failures == 0)) || die "$failures of the checks failed"
