#!/usr/bin/env bash
# Runs a package's programs where there is nothing but them and /proc: no libraries, no shell, no /etc. Needs root.
#
#   scripts/release/check-alone.sh PACKAGE.tar.bz2
#
# The daemon is started by the tool and serves; a session of the echo agent is held; names are looked up in /etc/hosts,
# whatever services the system has for it; TLS, which needs the system's certificates, says that they are missing.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

[[ $# -eq 1 && $1 != -* ]] || { sed -n '2,7s/^# \{0,1\}//p' "$0" && exit 2; }
[[ $(id -u) -eq 0 ]] || die "this needs root, for chroot"
package=$(readlink -f "$1")

# In namespaces of its own: what is mounted and what is started ends with this, however it ends.
if [[ ${CODEAI_ALONE-} != yes ]]; then
    CODEAI_ALONE=yes exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$package"
fi

place=$(mktemp -d)
trap 'umount "$place/proc"; rm -rf --one-file-system "$place"' EXIT
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
printf 'me:x:%d:0::/work:/bin/sh\n' "$(id -u)" >"$place/etc/passwd"
printf 'broken' >"$place/work/.codeai-hub/core/config.json"
chmod -R go= "$place/work"
variables=()
expect "a home of /etc/passwd" 5 '/work/.codeai-hub/core/config.json' /codeai-hub-core --check-config
((failures == 0)) || die "$failures of the checks failed"
