#!/usr/bin/env bash
# Prints what others wrote of a release's program, which is linked statically: names, versions, where the sources are, and the
# terms. Everything is taken from the machine that builds (Debian or Ubuntu), so that it is true of what is built.
#
#   scripts/release/third-party.sh [LIBRARIES] >THIRD-PARTY-LICENSES
#
# LIBRARIES is the folder of those that were built for the release (scripts/release/libraries.sh).
set -euo pipefail
# shellcheck source=scripts/release/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

built=${1-}
have dpkg-query || die "only Debian's packages say what they hold: run this where dpkg-query is"
require_swift
swift_license=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")/share/swift/LICENSE.txt
lgpl=/usr/share/common-licenses/LGPL-2.1
for file in "$swift_license" "$lgpl"; do
    [[ -f $file ]] || die "the text of a license is missing: $file"
done

# The compiler's own libraries come in a package that is named after its version.
libstdcxx=$(dpkg-query -S '*/libstdc++.a' | sed -n '1s/:.*//p')
[[ -n $libstdcxx ]] || die "libstdc++.a belongs to no package"

swift_version=$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9.]+).*/\1/p' | head -n 1)

# row NAME PACKAGE TERMS: PACKAGE is the one that holds the static library.
row() {
    # shellcheck disable=SC2016  # dpkg-query's own variables
    dpkg-query -W -f "$1"'\t${Version}\t'"$3"'\t${source:Package} ${source:Version}\n' "$2"
}

# built_row NAME PACKAGE TERMS SOURCE: the same of a library that may have been built from its source package.
built_row() {
    local version
    [[ -n $built ]] || { row "$1" "$2" "$3" && return; }
    version=$(sed -n "s/^$4 //p" "$built/versions")
    [[ -n $version ]] || die "$built doesn't say which version of $4 it has"
    printf '%s\t%s\t%s\t%s %s\n' "$1" "$version" "$3" "$4" "$version"
}

text() { printf '\n\n%s\n%s\n\n' "$1" "${1//?/=}"; }

copyright() { cat "/usr/share/doc/$1/copyright"; }

cat <<END
What others wrote of CodeAI Hub Core
====================================

The program is linked statically: parts of the libraries below are inside it. Their terms follow, and nothing in LICENSE
takes away what they grant.

END
{
    printf 'Name\tVersion\tTerms\tSource package (Debian, Ubuntu)\n'
    printf 'Swift\t%s\tApache-2.0 with Runtime Library Exception\t-\n' "$swift_version"
    row 'GNU C Library' libc6-dev LGPL-2.1-or-later
    row 'libstdc++, libgcc' "$libstdcxx" 'GPL-3.0-or-later with GCC Runtime Library Exception'
    built_row OpenSSL libssl-dev Apache-2.0 openssl
    built_row SQLite libsqlite3-dev 'public domain' sqlite3
    row zlib zlib1g-dev Zlib
    row bzip2 libbz2-dev bzip2-1.0.6
    printf 'Unicode data in Swift\t%s\tUnicode-3.0\t-\n' "$swift_version"
} | awk -F '\t' '{ printf "%-22s %-20s %-52s %s\n", $1, $2, $3, $4 }'
cat <<'END'

Sources: Swift from https://github.com/swiftlang (the tag swift-VERSION-RELEASE); the others, exactly these
versions, from https://snapshot.debian.org or https://launchpad.net/ubuntu/+source, under the name of the source package.

To use another version of the GNU C Library (LGPL-2.1, section 6): each release has, beside the package, the archive
"codeai-hub-core-PLATFORM-VERSION-objects.tar.bz2" with the program's object files and the script relink.sh, which links
them to the libraries of the machine it is run on.
END

text 'Swift; the Apache License is that of OpenSSL, too'
cat "$swift_license"
text 'GNU C Library'
copyright libc6-dev
text 'GNU Lesser General Public License 2.1'
cat "$lgpl"
text 'libstdc++, libgcc'
cat <<'END'
Parts of the GNU Compiler Collection, Copyright (C) Free Software Foundation, Inc. They are free software under the GNU
General Public License, version 3 or later, with this exception:

END
sed -n '/^GCC RUNTIME LIBRARY EXCEPTION$/,/requirements of the license of GCC\.$/p' "/usr/share/doc/$libstdcxx/copyright" | grep . ||
    die "the copyright file of $libstdcxx has no Runtime Library Exception"
for source in openssl sqlite3; do
    text "$source"
    if [[ -n $built ]]; then cat "$built/copyright/$source"; else copyright "lib${source/openssl/ssl}-dev"; fi
done
for package in zlib1g-dev libbz2-dev; do
    text "${package%-dev}"
    copyright "$package"
done
text 'Unicode data'
cat "$root/scripts/release/unicode-license.txt"
