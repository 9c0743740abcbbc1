#!/usr/bin/env bash
# Installs what building needs; with --release also what a release's build needs, with --test what the tests need, too. Does
# nothing when everything is there.
#
#   scripts/setup.sh [--release | --test]
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

for_tests=false
for_release=false
for argument in "$@"; do
    case $argument in
        --release) for_release=true ;;
        --test) for_tests=true for_release=true ;;
        -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0" && exit 0 ;;
        *) die "unknown argument: $argument (try --help)" ;;
    esac
done

require_swift

# The toolchain's own clang answers whether a header is there, on any distribution.
has_header() { printf '#include <%s>\n' "$1" | clang -fsyntax-only -x c - 2>/dev/null; }

# What the web client's pictures are made with.
have_font() { [[ -n $(fc-list "$1" family) ]]; }

missing=()
# need PACKAGE CHECK...: notes the Debian package when the check fails.
need() {
    local package=$1
    shift
    "$@" || missing+=("$package")
}

find_missing() {
    missing=()
    need libssl-dev has_header openssl/evp.h
    need zlib1g-dev has_header zlib.h
    need libbz2-dev has_header bzlib.h
    need libsqlite3-dev has_header sqlite3.h
    need pkg-config have pkg-config
    if $for_release; then
        # scripts/release/libraries.sh: dpkg-dev has dpkg-source, and depends on make, perl, patch and xz.
        need dpkg-dev have dpkg-source
        need make have make
        need tcl have tclsh
        need binutils have strip
    fi
    if $for_tests; then
        need git have git
        need curl have curl
        need python3 have python3
        need python3-venv python3 -c 'import venv, ensurepip'
        need python3-pip python3 -m pip --version
        need util-linux have setpriv
        need util-linux have unshare
        need binutils have strip
        # Kills an installer at a call of its choice.
        need strace have strace
        need procps have ps
        # A service manager to try the units with, in a view of the system of its own.
        need systemd have systemd-socket-activate
        need shellcheck have shellcheck
        # Other programs' opinion of signatures and TLS.
        need signify-openbsd have signify-openbsd
        need openssl have openssl
        need chromium have chromium
        need neovim have nvim
        need nodejs have node
        need tmux have tmux
        need fontconfig have fc-list
        need fonts-inter have_font Inter
        need fonts-jetbrains-mono have_font 'JetBrains Mono'
        need fonts-noto-color-emoji have_font 'Noto Color Emoji'
        # What releases are signed and got with, on machines that have little.
        need signify-openbsd have signify-openbsd
        need dash have dash
        need busybox have busybox
        need wget have wget
        need bzip2 have bzip2
        need openssl have openssl
        # Shells and readers of manual pages, to test the terminal client with.
        need zsh have zsh
        need fish have fish
        need mandoc have mandoc
        need groff-base have groff
    fi >/dev/null 2>&1
}

find_missing
if [[ ${#missing[@]} -gt 0 ]]; then
    have apt-get || die "missing: ${missing[*]} (Debian's names). There is no apt-get here: install them with this system's package manager and run this again."
    say "Installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=180 -qq update >&2 ||
        warn "apt-get update failed; trying with the lists that are there"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=180 -qq -y --no-install-recommends install "${missing[@]}" >&2 ||
        die "apt-get couldn't install: ${missing[*]}"
    hash -r
    find_missing
    [[ ${#missing[@]} -eq 0 ]] || die "installed, but still not found: ${missing[*]}"
fi
