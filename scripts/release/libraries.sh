#!/usr/bin/env bash
# Builds OpenSSL and SQLite for a release's program: from the distribution's own source packages, with what the program uses.
# Those of libssl-dev and libsqlite3-dev are made for everybody, and 3 MB more (doc/decisions/0023).
#
#   scripts/release/libraries.sh
#
# They come into .build/libraries: include, lib with files for pkg-config, versions ("openssl 3.0.20-1", one a line) and
# copyright. Nothing is done when they are there already, made by this script as it is now with the same compiler, on a machine
# that had the same versions of the -dev packages; remove the folder to have newer sources looked for. Takes some 75 seconds of two
# cores, and 30 MB to fetch. What apt is told is said in a temporary folder: the machine's own lists stay as they are.
set -euo pipefail
# shellcheck source=scripts/release/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ $# -eq 0 ]] || { sed -n '2,11s/^# \{0,1\}//p' "$0" && exit 2; }
[[ $(uname -s) == Linux ]] || die "these libraries are for Linux only"
{ have apt-get && have dpkg-query; } || die "sources are taken from Debian's or Ubuntu's packages: there is no apt-get here"
libraries=$root/.build/libraries
# The toolchain's own compiler and archiver: the same everywhere.
toolchain=$(dirname "$(readlink -f "$(command -v swift)")")
export PATH=$toolchain:$PATH LC_ALL=C
export CC=clang AR=llvm-ar RANLIB=llvm-ranlib SOURCE_DATE_EPOCH=0

# Each function a section of its own, for the linker to leave out. What unwinds the stack goes into the debug symbols instead of
# the program, where nothing throws through these. No paths of this machine anywhere.
compile=(-Oz -g1 -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -ffile-compilation-dir=.)

# A client of TLS 1.2 and 1.3 with X.509, by all that servers choose from: RSA, ECDSA, Ed25519, ECDHE, AES, ChaCha20. Browsers
# have done without DHE for years, so that no public server needs it. Errors keep their texts. Assembler stays: without it
# sums and ciphers are several times slower. A configuration file on the machine isn't read: it could have modules loaded,
# which are made for another C library.
openssl_without=(
    # protocols
    dtls ssl-trace tls1 tls1-method tls1_1 tls1_1-method nextprotoneg psk srp srtp comp
    # algorithms
    aria bf blake2 camellia cast cmac des dh dsa ec2m gost idea md4 mdc2 ocb rc2 rc4 rmd160 scrypt seed siphash siv sm2 sm3 sm4
    whirlpool multiblock
    # formats and services
    cmp cms ct ocsp rfc3779 ts
    # ways to load and to run
    afalgeng async autoload-config capieng dgram dso dynamic-engine engine ktls legacy loadereng module padlockeng pinshared
    posix-io secure-memory shared sock static-engine ui-console
    # paths in messages; what only its developers need
    filenames makedepend tests
)

# What Debian sets and the index of searches lives by; no loading of modules, no full text search but FTS5.
sqlite_options=(
    -DSQLITE_THREADSAFE=1 -DSQLITE_SECURE_DELETE -DSQLITE_ENABLE_FTS5 -DSQLITE_LIKE_DOESNT_MATCH_BLOBS
    -DSQLITE_OMIT_LOOKASIDE=1 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_DEPRECATED -DSQLITE_OMIT_SHARED_CACHE
    -DSQLITE_OMIT_JSON -DSQLITE_DQS=0
)

# shellcheck disable=SC2016  # dpkg-query's own variables
key=$(
    dpkg-query -W -f '${Package} ${Version}\n' libssl-dev libsqlite3-dev
    clang --version | head -n 1
    cksum <"${BASH_SOURCE[0]}"
)
[[ ! -e $libraries/key || $(cat "$libraries/key") != "$key" ]] || exit 0

for program in dpkg-source make perl tclsh; do
    have "$program" || die "$program is missing: scripts/setup.sh --release installs it"
done

work=$(mktemp -d "${TMPDIR:-/tmp}/libraries-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/new"/{include,lib/pkgconfig,copyright}
apt_options=(
    -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$work/lists"
    -o Acquire::Retries=2 -o Acquire::http::Timeout=30
)
[[ $(id -u) -ne 0 ]] || apt_options+=(-o APT::Sandbox::User=root)

# The distribution's sources, where the machine has its packages from.
list_sources() {
    local origin address release component keyring
    # shellcheck disable=SC2016  # apt-get's own variables
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u |
        while read -r origin address release component; do
            case $origin in
                Debian | Ubuntu) keyring=/usr/share/keyrings/${origin,,}-archive-keyring.gpg ;;
                *) continue ;;
            esac
            printf 'deb-src %s%s %s %s\n' "$([[ ! -e $keyring ]] || printf '[signed-by=%s] ' "$keyring")" \
                "$address" "$release" "$component"
        done
}

# fetch SOURCE PACKAGE: the newest source of the series (3.0 of 3.0.19) that the machine's PACKAGE is of, unpacked as $work/SOURCE.
fetch() {
    local source=$1 package=$2 installed series version
    # shellcheck disable=SC2016  # dpkg-query's own variable
    installed=$(dpkg-query -W -f '${source:Version}' "$package")
    series=$(sed -nE 's/^([0-9]+:)?([0-9]+\.[0-9]+)\..*/\2/p' <<<"$installed")
    mkdir -p "$work/packages"
    while read -r version; do
        # A mirror may have a list before it has all that is in it.
        if (cd "$work/packages" && timeout 300 apt-get -qq "${apt_options[@]}" source --download-only "$source=$version") >&2; then
            [[ $(dpkg --compare-versions "$version" lt "$installed" && echo older) != older ]] ||
                warn "$source $version is older than the $installed of $package on this machine"
            dpkg-source --no-check -x "$work/packages/${source}_${version#*:}.dsc" "$work/$source" >"$work/log" 2>&1 ||
                { tail -n 20 "$work/log" >&2 && die "$source $version can't be unpacked"; }
            printf '%s %s\n' "$source" "$version" >>"$work/new/versions"
            cp "$work/$source/debian/copyright" "$work/new/copyright/$source"
            return
        fi
        warn "$source $version is offered, but can't be fetched"
    done < <(apt-cache "${apt_options[@]}" showsrc --only-source "$source" 2>/dev/null |
        sed -nE "s/^Version: (([0-9]+:)?${series/./\\.}\..*)/\1/p" | sort -rVu)
    die "no source package of $source $series can be had from this machine's distribution. With a network it should be; without," \
        "scripts/build-core.sh --system-libraries links the libraries of libssl-dev and libsqlite3-dev, 3 MB more"
}

# run WHAT COMMAND...: what a command says is only shown when it fails.
run() {
    local what=$1
    shift
    timeout 1800 "$@" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2 && die "$what failed"; }
}

build_openssl() {
    local target
    case $(uname -m) in
        x86_64) target=linux-x86_64 ;;
        aarch64) target=linux-aarch64 ;;
        *) die "how is OpenSSL built for $(uname -m)?" ;;
    esac
    cd "$work/openssl"
    # Folders that the program doesn't use: it looks for certificates itself (Sources/Downloads/TrustStore.swift).
    run "OpenSSL's Configure" ./Configure "$target" --release --prefix=/usr --openssldir=/etc/ssl "${openssl_without[@]/#/no-}" \
        "${compile[@]}"
    run "building OpenSSL" make -j"$(nproc)" build_generated libcrypto.a libssl.a
    cp libcrypto.a libssl.a "$work/new/lib/"
    mkdir "$work/new/include/openssl"
    cp include/openssl/*.h "$work/new/include/openssl/"
}

build_sqlite() {
    cd "$work/sqlite3"
    run "SQLite's configure" ./configure --disable-shared --disable-tcl CC=clang BUILD_CC=clang
    run "building SQLite" make sqlite3.c
    run "building SQLite" clang "${compile[@]}" "${sqlite_options[@]}" -c sqlite3.c -o sqlite3.o
    llvm-ar crsD "$work/new/lib/libsqlite3.a" sqlite3.o
    cp sqlite3.h "$work/new/include/"
}

# describe NAME VERSION LIBRARIES: for the package manager, which asks pkg-config's files where a library is.
describe() {
    cat >"$work/new/lib/pkgconfig/$1.pc" <<END
Name: $1
Description: what a release is linked with
Version: $2
Cflags: -I\${pcfiledir}/../../include
Libs: -L\${pcfiledir}/.. $3
END
}

say "building OpenSSL and SQLite from the distribution's sources (some minutes, only once)"
[[ -n $(list_sources) ]] || as_root apt-get -qq update >&2
list_sources >"$work/sources.list"
timeout 300 apt-get -qq "${apt_options[@]}" update >&2 || warn "not all lists of sources could be fetched"
fetch openssl libssl-dev
fetch sqlite3 libsqlite3-dev
build_openssl
build_sqlite
describe openssl "$(sed -nE 's/^openssl ([0-9.]+).*/\1/p' "$work/new/versions")" "-lssl -lcrypto"
describe sqlite3 "$(sed -nE 's/^sqlite3 ([0-9.]+).*/\1/p' "$work/new/versions")" -lsqlite3
printf '%s\n' "$key" >"$work/new/key"
rm -rf "$libraries"
mkdir -p "$root/.build"
mv "$work/new" "$libraries"
