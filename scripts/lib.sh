# shellcheck shell=bash
# Shared by the scripts in this folder; sourced, never run.
# shellcheck disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
minimum_swift=6.3

# A heading on stderr, so that stdout stays for results.
say() { printf '\n==> %s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Ends with a message that says what to do when Swift is missing or older than Package.swift needs.
require_swift() {
    have swift || die "Swift isn't installed, or isn't in PATH. Install Swift $minimum_swift or newer: https://www.swift.org/install"
    local version
    version=$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+\.[0-9]+(\.[0-9]+)?).*/\1/p' | head -n 1)
    [[ -n $version ]] || die "swift --version prints no version: is the toolchain complete? Try: swift --version"
    if [[ $(printf '%s\n%s\n' "$minimum_swift" "$version" | sort -V | head -n 1) != "$minimum_swift" ]]; then
        die "Swift $version is too old: $minimum_swift or newer is needed. Install it from https://www.swift.org/install"
    fi
}

# Runs a command as root: directly, or through sudo.
as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        die "this must run as root and sudo isn't installed: $*"
    fi
}

# The version that the file VERSION names.
project_version() { head -n 1 "$root/VERSION"; }

# Ends unless the text is a version by semantic versioning, short enough for the program's record of it.
check_version() {
    local part='(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)' number='(0|[1-9][0-9]*)'
    [[ $1 =~ ^$number\.$number\.$number(-$part(\.$part)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$ && ${#1} -le 47 ]] ||
        die "$1 is no version: write it as 1.2.3 or 1.2.3-beta.1, in at most 47 characters"
}
