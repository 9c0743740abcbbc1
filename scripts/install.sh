#!/bin/sh
# Installs CodeAI Hub on a machine that has nothing of it yet:
#
#   curl -fsSL https://github.com/OleynikAleksandr/CodeAI-Hub/releases/latest/download/install.sh | sh
#
# It needs tar, bzip2, awk, and curl or wget (or a release in a folder); busybox will do. It gets the release's manifest, checks
# its signature, gets the package, checks size and sums, and has the program that is in it do the rest: "codeai-hub install".
# Nothing but functions before the last line, so that a script that was cut on its way does nothing at all.
set -eu

usage() {
    cat <<'END'
Installs CodeAI Hub for the person who runs this, in ~/.codeai-hub (or CODEAI_HUB_HOME).

  install.sh [OPTION...]          or:  curl -fsSL .../install.sh | sh -s -- [OPTION...]

  --version V         this version, not the newest
  --from PLACE        where the release is: an address (https, or http on this machine) or a folder, of the manifest or of
                      the folder it is in; may be given more than once, the first that answers is taken
  --key FILE          a public key to trust, too (signify's format)
  --allow-unsigned    take a release without a signature, from this machine only
  --allow-downgrade   even if a newer version is installed
  --bin-dir DIR       where the command is linked, instead of ~/.local/bin
  --no-link           don't link the command anywhere
  --no-restart        leave a running daemon alone: the new version is for its next start
  --watch SECONDS     how long the restarted daemon is watched before it is trusted
  --json              one JSON object a line on standard output
  --help

Later: "codeai-hub update" keeps it current, "codeai-hub uninstall" takes it away again.
END
}

# Where releases are. The keys are put in by scripts/release/embed-keys.sh.
releases=https://github.com/OleynikAleksandr/CodeAI-Hub/releases
# keys
trusted_keys='
RWSoNs6KD5Ej8uhkQUQ062E3yWc8rZ+mVOVlgUMgXt4PtEJI2YnBwuMB
'
# /keys

json=false
folder='' # what is removed at the end
newline='
'

# What is said goes to standard error; standard output is for --json.
say() { printf '%s\n' "$*" >&2; }

# event NAME [MEMBERS]
event() {
    if $json; then printf '{"event":"%s"%s}\n' "$1" "${2:-}"; fi
}

die() {
    say "error: $*"
    if $json; then
        printf '{"error":{"code":"install_failed","message":"%s"}}\n' \
            "$(printf '%s' "$*" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')"
    fi
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# tool NAME: how a program is called here that busybox may have without a link to it.
tool() {
    if have "$1"; then
        printf '%s' "$1"
    elif have busybox && busybox --list 2>/dev/null | grep -qx "$1"; then
        printf 'busybox %s' "$1"
    else
        return 1
    fi
}

# shellcheck disable=SC2317  # called at the end, whatever way that comes
clean() {
    if [ -n "$folder" ]; then rm -rf "$folder"; fi
    # What was made and stayed empty; the rest keeps what a next run goes on with.
    if [ -n "${made_home:-}" ]; then
        rmdir "$downloads" "$home/core" "$home" 2>/dev/null || true
    fi
}

# --- What is where ---------------------------------------------------------------------------------------------------

find_platform() {
    system=$(uname -s) machine=$(uname -m)
    # A shell that is translated says what it was translated to.
    if [ "$system" = Darwin ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || true)" = 1 ]; then
        machine=arm64
    fi
    case $system in
        Linux) platform=linux ;;
        Darwin) platform=darwin ;;
        *) die "there is no release for $system" ;;
    esac
    case $machine in
        x86_64 | amd64) platform=$platform-x64 ;;
        aarch64 | arm64) platform=$platform-arm64 ;;
        *) die "there is no release for $system on $machine" ;;
    esac
}

# owner PATH: its user's number.
# shellcheck disable=SC2012,SC2016  # find needs not be here, and what is listed is one number
owner() { ls -ldn "$1" | $awk 'NR == 1 { print $3 }'; }

# others_write FOLDER
# shellcheck disable=SC2012,SC2016
others_write() { ls -ldn "$1" | $awk 'NR == 1 { exit !(substr($1, 6, 1) == "w" || substr($1, 9, 1) == "w") }'; }

find_home() {
    me=$(id -u)
    home=${CODEAI_HUB_HOME:-}
    if [ -z "$home" ]; then
        [ -n "${HOME:-}" ] || die "HOME isn't set, and CODEAI_HUB_HOME neither"
        [ -d "$HOME" ] || die "HOME is no folder: $HOME"
        home=$HOME/.codeai-hub
        # Under sudo, files of root in a person's home would lock the person out.
        [ "$(owner "$HOME")" = "$me" ] ||
            die "$HOME belongs to somebody else: run this as its owner, without sudo; nothing of it needs root"
    fi
    case $home in
        /*) ;;
        *) die "CODEAI_HUB_HOME must be an absolute path: $home" ;;
    esac
    if [ -e "$home" ] && [ "$(owner "$home/.")" != "$me" ]; then
        die "$home belongs to somebody else: run this as its owner, without sudo"
    fi
    # The program that is fetched runs from there: nobody else may put another in its place.
    for place in "$home" "$home/core"; do
        if [ -d "$place" ] && others_write "$place/."; then die "others may write to $place: chmod go-w '$place'"; fi
    done
    downloads=$home/core/downloads
}

make_folder() {
    [ -d "$home" ] || made_home=yes
    alone=true
    mkdir -p "$downloads" || die "$downloads can't be made"
    # What a killed run left. The program itself must be able to run there, which in /tmp it isn't everywhere.
    for old in "$home/core"/.bootstrap-*; do
        if [ ! -d "$old" ]; then continue; fi
        if [ "${old##*-}" != $$ ] && kill -0 "${old##*-}" 2>/dev/null; then alone=false; else rm -rf "$old"; fi
    done
    rm -rf "$home/core/.bootstrap-$$"
    mkdir "$home/core/.bootstrap-$$" || die "$home/core can't be written"
    folder=$home/core/.bootstrap-$$
    mkdir "$folder/release"
}

find_tools() {
    tar=$(tool tar) || die "tar is missing"
    awk=$(tool awk) || die "awk is missing"
    bzip2=$(tool bzip2) || bzip2=$(tool bunzip2) || die "bzip2 is missing (the package of that name has it)"
    if sha1=$(tool sha1sum) && sha256=$(tool sha256sum); then
        :
    elif have shasum; then
        sha1='shasum -a 1' sha256='shasum -a 256'
    elif have openssl; then
        sha1='openssl dgst -r -sha1' sha256='openssl dgst -r -sha256'
    else
        die "nothing here can compute SHA-256: sha256sum, shasum or openssl is needed"
    fi
    # Its TLS checks no certificates: what it brings is only as good as the signature.
    fetcher=none authentic=false
    if have curl; then
        fetcher=curl authentic=true
    elif wget=$(tool wget); then
        fetcher=busybox
        if $wget --version 2>/dev/null | grep -q 'GNU Wget'; then fetcher=wget authentic=true; fi
    fi
}

# --- Places ----------------------------------------------------------------------------------------------------------

# check_place PLACE: an address that may be used, or a path; without what JSON would mind.
check_place() {
    rest=$1
    case $1 in
        https://?* | http://127.0.0.1[:/]* | http://localhost[:/]*) ;;
        'http://[::1]'[:/]*) rest=${1#'http://[::1]'} ;;
        *://*) return 1 ;;
        /*)
            case $1 in
                *[[:cntrl:]\"\\]*) return 1 ;;
            esac
            return
            ;;
        *) return 1 ;;
    esac
    # No @ above all: what stands before it makes an address look like another one.
    case $rest in
        *[!A-Za-z0-9._~:/?=,%+\&-]*) return 1 ;;
    esac
}

# Whether it is of this machine: of places that may be used, those that aren't https.
is_here() {
    case $1 in
        https://*) return 1 ;;
    esac
}

# as_place WORD: what a person wrote, as an address or an absolute path, into $place.
as_place() {
    case $1 in
        file://localhost/*) place=${1#file://localhost} ;;
        file:///*) place=${1#file://} ;;
        *://* | /*) place=$1 ;;
        *) place=$PWD/$1 ;;
    esac
    place=${place%/}
    check_place "$place" || die "$1: not a place a release can be got from (https, http on this machine, or a folder)"
    case $place in
        *.json) ;;
        *) place=$place/manifest.json ;;
    esac
}

# --- Getting files ---------------------------------------------------------------------------------------------------

# length FILE: its bytes, 0 when it isn't there.
length() { if [ -f "$1" ]; then wc -c <"$1" | tr -d ' '; else printf 0; fi; }

# get PLACE FILE LIMIT [progress]: appends to FILE what of PLACE it hasn't yet; LIMIT is the most bytes it may come to.
get() (
    if [ "${1#/}" != "$1" ]; then
        [ -f "$1" ] || return 1
        [ "$(length "$1")" -le "$3" ] && cp "$1" "$2"
        return
    fi
    # Whatever a server sends, no more of it is written (in units of 512 bytes; some shells take 1024).
    ulimit -f $(($3 / 512 + 1)) 2>/dev/null || true
    shown=false
    if [ "${4:-}" = progress ] && [ -t 2 ] && ! $json; then shown=true; fi
    case $fetcher in
        curl)
            protocol=https
            set -- "$1" "$2"
            if is_here "$1"; then
                protocol=http
                set -- "$@" --noproxy '*'
            else
                set -- "$@" --location --max-redirs 10 --tlsv1.2
            fi
            if $shown; then set -- "$@" --progress-bar; else set -- "$@" --silent --show-error; fi
            address=$1 file=$2
            shift 2
            curl "$@" --globoff --fail --proto "=$protocol" --proto-redir '=https' --connect-timeout 15 --speed-limit 500 --speed-time 30 \
                --continue-at - --output "$file" "$address"
            ;;
        wget)
            if $shown; then set -- "$1" "$2" -q --show-progress; else set -- "$1" "$2" -nv; fi
            address=$1 file=$2
            shift 2
            if is_here "$address"; then set -- "$@" --no-proxy --max-redirect=0; fi
            $wget "$@" --timeout=30 --tries=1 -c -O "$file" "$address"
            ;;
        busybox)
            address=$1 file=$2
            set --
            if is_here "$address"; then set -- -Y off; fi
            if ! $shown; then set -- "$@" -q; fi
            # Not every busybox knows it, and Debian's dies of what it doesn't know.
            if $wget --help 2>&1 | grep -q -e '-T SEC'; then set -- "$@" -T 30; fi
            $wget "$@" -c -O "$file" "$address"
            ;;
        *)
            say "neither curl nor wget is here to get $1"
            return 1
            ;;
    esac
)

# Getting small files whole.
get_new() {
    rm -f "$2"
    get "$@"
}

# --- Signatures ------------------------------------------------------------------------------------------------------

# Ed25519 verified by a program that may or may not be able to: it has to show it on what is known (RFC 8032, 7.1, test 2).
known_key=RWQAAAAAAAAAAD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM
known_signature=RWQAAAAAAAAAAJKgCanw1Mq4cg6CC19kJUCisntUFlA/j7N2IiPr22naCFrB5D4VmW5FjzYT0PEdjDh7Lq60MCrusA0pFhK7DAA=

# verify_by TOOL KEY SIGNATURE FILE: KEY and SIGNATURE as the second lines of signify's files.
verify_by() {
    case $1 in
        openssl)
            {
                printf '\060\052\060\005\006\003\053\145\160\003\041\000'
                printf '%s\n' "$2" | openssl base64 -d -A | tail -c +11
            } >"$folder/key.der"
            printf '%s\n' "$3" | openssl base64 -d -A | tail -c +11 >"$folder/signature"
            [ "$(wc -c <"$folder/key.der")" -eq 44 ] && [ "$(wc -c <"$folder/signature")" -eq 64 ] &&
                openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$folder/key.der" -in "$4" \
                    -sigfile "$folder/signature"
            ;;
        *)
            printf 'untrusted comment: key\n%s\n' "$2" >"$folder/key.pub"
            printf 'untrusted comment: verify with key.pub\n%s\n' "$3" >"$folder/signature"
            "$1" -V -q -p "$folder/key.pub" -x "$folder/signature" -m "$4"
            ;;
    esac >/dev/null 2>&1 </dev/null
}

find_verifier() {
    printf r >"$folder/right"
    printf s >"$folder/wrong"
    for verifier in openssl signify-openbsd signify; do
        have "$verifier" && verify_by "$verifier" "$known_key" "$known_signature" "$folder/right" &&
            ! verify_by "$verifier" "$known_key" "$known_signature" "$folder/wrong" && return
    done
    verifier=none
}

# check_signature PLACE: of the manifest that came from there. A reason in $reason when it isn't to be used.
check_signature() {
    if [ ! -s "$folder/release/manifest.json.sig" ]; then
        reason='it has no signature'
        $allow_unsigned && is_here "$1" || return 1
        say "$1 has no signature: taken, as --allow-unsigned says"
        return
    fi
    if [ "$verifier" = none ]; then
        reason="nothing here can check its signature (OpenSSL 3 or signify can), and $fetcher doesn't check who sends it"
        is_here "$1" || $authentic || return 1
        reported=${reported:-no}
        if [ "$reported" = no ]; then
            say "Note: nothing here can check the release's signature (OpenSSL 3 or signify can)."
            say "What is installed is what $1 sends: checked are its certificate, if it is a server elsewhere, and the sums."
            reported=yes
        fi
        return
    fi
    signature=$(sed -n 2p "$folder/release/manifest.json.sig")
    for key in $trusted_keys; do
        if verify_by "$verifier" "$key" "$signature" "$folder/release/manifest.json"; then return; fi
    done
    reason='its signature is wrong, or by a key that is not trusted here'
    return 1
}

# --- The manifest ----------------------------------------------------------------------------------------------------

# flatten FILE: a JSON document as lines "path TAB type TAB value", for what isn't an object or an array. Strings stay as they
# are written; a name has ? for what isn't a letter, a digit, - or _. Fails when it isn't JSON.
flatten() {
    # shellcheck disable=SC2016  # awk's own variables
    $awk '
        function bad() { failed = 1; exit 1 }
        function path(   i, p) {
            p = ""
            for (i = 1; i <= depth; i++) p = p (i > 1 ? "." : "") name[i]
            return p
        }
        function after() { want = depth ? "," : "end" }
        { text = text $0 "\n" }
        END {
            want = "value"; depth = 0
            while (!failed) {
                sub(/^[ \t\r\n]+/, "", text)
                if (text == "") break
                c = substr(text, 1, 1); size = 1
                if (c == "\"") {
                    if (!match(text, /^"([^"\\]|\\["\\\/bfnrtu])*"/)) bad()
                    size = RLENGTH; value = substr(text, 2, size - 2); c = "s"
                    if (value ~ /[\001-\037]/) bad()
                } else if (match(text, /^(-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?|true|false|null)/)) {
                    size = RLENGTH; value = substr(text, 1, size); c = "n"
                }
                text = substr(text, size + 1)
                if (c == "s" && (want == "name" || want == "name}")) {
                    gsub(/[^A-Za-z0-9_-]/, "?", value)
                    name[depth] = value; want = ":"
                } else if (c == ":" && want == ":") {
                    want = "value"
                } else if ((c == "s" || c == "n") && (want == "value" || want == "value]")) {
                    print path() "\t" c "\t" value
                    after()
                } else if ((c == "{" || c == "[") && (want == "value" || want == "value]")) {
                    if (++depth > 16) bad()
                    kind[depth] = c; name[depth] = 0; want = c == "{" ? "name}" : "value]"
                } else if (c == "," && want == ",") {
                    if (kind[depth] == "[") { name[depth]++; want = "value" } else want = "name"
                } else if (c == "}" && kind[depth] == "{" && (want == "," || want == "name}")) {
                    depth--; after()
                } else if (c == "]" && kind[depth] == "[" && (want == "," || want == "value]")) {
                    depth--; after()
                } else bad()
            }
            if (failed || want != "end") exit 1
        }' "$1"
}

# member PATH TYPE: its value; nothing when it isn't there. Fails when it is there twice or of another type.
member() {
    # shellcheck disable=SC2016
    $awk -F '\t' -v path="$1" -v type="$2" '
        $1 == path { if (n++ || $2 != type) { n = 2; exit } value = $3 }
        END { if (n > 1) exit 1; print value }' "$folder/members"
}

# is_plain TEXT LEAST MOST SET: only characters of SET (a bracket expression), and as many.
is_plain() {
    [ "${#1}" -ge "$2" ] && [ "${#1}" -le "$3" ] || return 1
    case $1 in
        *[!$4]*) return 1 ;;
    esac
}

# is_number TEXT: bytes of a file; a leading 0 would make them octal.
is_number() { is_plain "$1" 1 10 0-9 && [ "${1#0}" = "$1" ]; }

# read_manifest: sets $version $package $size $sum1 $sum256 $unpacked. A reason in $reason when it can't be used.
read_manifest() {
    reason='it is not JSON'
    flatten "$folder/release/manifest.json" >"$folder/members" || return 1
    reason='it says something twice, or of another kind than it should be'
    entry=platforms.$platform
    schema=$(member schema n) && version=$(member "$entry.coreVersion" s) && package=$(member "$entry.package" s) &&
        size=$(member "$entry.size" n) && sum1=$(member "$entry.sha1" s) && sum256=$(member "$entry.sha256" s) &&
        unpacked=$(member "$entry.unpackedSize" n) || return 1
    reason="its schema is ${schema:-missing}, and this script knows 1: get a newer script"
    [ "$schema" = 1 ] || return 1
    reason="it has no release for $platform"
    [ -n "$version$package" ] || return 1
    reason="what it says of $platform can't be right: version $version, package $package, size $size, sums $sum1 $sum256"
    is_plain "$version" 1 64 '0-9A-Za-z.+-' && is_plain "$package" 1 200 '0-9A-Za-z.+_-' || return 1
    is_number "$size" && is_plain "$sum1" 40 40 0-9a-fA-F && is_plain "$sum256" 64 64 0-9a-fA-F || return 1
    case $package in
        .* | -*) return 1 ;;
        *.tar.bz2) ;;
        *) return 1 ;;
    esac
    unpacked=${unpacked:-536870912}
    is_number "$unpacked" || return 1
    if [ -n "$wanted" ] && [ "$wanted" != "$version" ]; then
        reason="it is version $version, not $wanted"
        return 1
    fi
}

# find_release: the first of $places with a manifest that is to be trusted; it is in $folder/release then.
find_release() {
    reasons=''
    while IFS= read -r place; do
        say "Looking at $place"
        event resolving ",\"manifest\":\"$place\""
        reason="it can't be got"
        if get_new "$place" "$folder/release/manifest.json" 1048576 </dev/null; then
            get_new "$place.sig" "$folder/release/manifest.json.sig" 4096 2>/dev/null </dev/null ||
                rm -f "$folder/release/manifest.json.sig"
            if check_signature "$place" && read_manifest; then
                manifest=$place
                return
            fi
        fi
        say "$place: $reason"
        reasons="$reasons $place: $reason."
    done <"$folder/places"
    die "no release can be had.$reasons"
}

# --- The package -----------------------------------------------------------------------------------------------------

# list_mirrors: where the package may be, a line each.
list_mirrors() {
    beside=${manifest%/*}
    # What a person named comes first, and so does what is here anyway.
    if $named || is_here "$manifest"; then printf '%s\n' "$beside/$package"; fi
    # shellcheck disable=SC2016
    $awk -F '\t' '$2 == "s" && $1 ~ /^baseUrl(\.[0-9]+)?$/ { print $3 }' "$folder/members" | while IFS= read -r base; do
        case $base in
            file:///*) base=${base#file://} ;;
            *://* | /*) ;;
            *) base=$beside/$base ;;
        esac
        base=${base%/}
        # A server elsewhere has nothing to say about files of this machine.
        if ! is_here "$manifest" && is_here "$base"; then continue; fi
        if check_place "$base"; then printf '%s\n' "$base/$package"; fi
    done
    printf '%s\n' "$beside/$package"
}

# sum COMMAND FILE
sum() { $1 <"$2" | sed 's/[^0-9a-fA-F].*//' | tr A-F a-f; }

is_package() {
    [ "$(length "$1")" -eq "$size" ] || return 1
    got1=$(sum "$sha1" "$1") got256=$(sum "$sha256" "$1")
    [ "$got1" = "$(printf %s "$sum1" | tr A-F a-f)" ] && [ "$got256" = "$(printf %s "$sum256" | tr A-F a-f)" ]
}

# copy FROM TO: without writing it a second time, where that is possible.
copy() { ln "$1" "$2" 2>/dev/null || cp "$1" "$2"; }

# check_room: for what is to come of the package, and for the program, which is packed to about two fifths.
check_room() {
    # shellcheck disable=SC2016
    free=$(df -Pk "$home" 2>/dev/null | $awk 'NR == 2 { print $4 }') || return 0
    is_plain "$free" 1 15 0-9 || return 0
    wanted_room=$(((4 * size - $(length "$part")) / 1024))
    [ "$free" -ge "$wanted_room" ] ||
        die "$((free / 1024)) MiB are free for $home, and $((wanted_room / 1024 + 1)) MiB are needed: make room and try again"
}

# get_package: from the first mirror that has it, and has it right; $part keeps what came when the line breaks. It isn't
# the program's own part, which that locks as no shell can; and only one of several runs at a time goes on with it.
get_package() {
    file=$folder/release/$package part=$downloads/$package.install.part
    if ! $alone; then part=$folder/$package.part; fi
    if [ -f "$downloads/$package" ] && is_package "$downloads/$package"; then
        copy "$downloads/$package" "$file"
        return
    fi
    check_room
    # shellcheck disable=SC2016
    list_mirrors | $awk '!seen[$0]++' >"$folder/mirrors"
    while IFS= read -r mirror; do
        say "Getting $package ($(((size + 1023) / 1024)) KiB) from ${mirror%/*}"
        event downloading ",\"mirror\":\"$mirror\",\"received\":$(length "$part"),\"total\":$size"
        again=5
        while [ "$again" -gt 0 ]; do
            again=$((again - 1))
            before=$(length "$part")
            if [ "$before" -gt "$size" ]; then
                rm -f "$part"
                before=0
            fi
            status=0
            if [ "$before" -lt "$size" ]; then get "$mirror" "$part" "$size" progress </dev/null || status=$?; fi
            if [ "$(length "$part")" -ge "$size" ]; then
                if is_package "$part"; then
                    # The program looks for it there, too.
                    if $alone; then copy "$part" "$downloads/$package"; fi
                    mv "$part" "$file"
                    return
                fi
                say "$mirror: size or sums are wrong"
                rm -f "$part"
                # Of what was there before, the beginning may have been wrong: once more, whole.
                if [ "$before" -gt 0 ]; then continue; fi
                break
            fi
            # A server that can't go on in the middle: curl says so and stops there, wget begins anew by itself.
            if [ "$fetcher$status" = curl33 ]; then
                rm -f "$part"
                continue
            fi
            # Nothing came, or all that it has: no use in asking again.
            if [ "$(length "$part")" -eq "$before" ] || [ "$status" -eq 0 ]; then break; fi
            sleep 1
        done
    done <"$folder/mirrors"
    die "the package can't be got whole from any mirror; run this again to go on with what has come"
}

# take_program: the program out of the package, which is written by nothing but this shell: no name in the archive matters.
take_program() {
    for name in codeai-hub codeai-hub-core; do
        if (
            ulimit -f $((unpacked / 512 + 1)) 2>/dev/null || true
            $bzip2 -dc <"$folder/release/$package" | $tar -xOf - "$name" >"$folder/codeai-hub"
        ) 2>/dev/null && [ -s "$folder/codeai-hub" ]; then
            chmod 700 "$folder/codeai-hub"
            return
        fi
    done
    rm -f "$downloads/$package"
    die "$package has no program in it"
}

main() {
    mask=$(umask)
    umask 077
    wanted='' places='' named=false allow_unsigned=false
    for option; do
        # Before anything can fail.
        if [ "$option" = --json ]; then json=true; fi
    done
    # The options that "codeai-hub install" gets are what "$@" is in the end.
    count=$#
    while [ "$count" -gt 0 ]; do
        option=$1
        shift
        count=$((count - 1))
        case $option in
            --version | --from | --key | --bin-dir | --watch)
                [ "$count" -gt 0 ] || die "$option needs a value (--help says more)"
                value=$1
                shift
                count=$((count - 1))
                ;;
        esac
        case $option in
            --version)
                is_plain "$value" 1 64 '0-9A-Za-z.+-' || die "$value isn't a version"
                wanted=$value
                set -- "$@" --version "$value"
                ;;
            --from)
                as_place "$value"
                places=$places$place$newline
                named=true
                ;;
            --key)
                [ -f "$value" ] || die "no such file: $value"
                case $value in
                    /*) ;;
                    *) value=$PWD/$value ;;
                esac
                trusted_keys="$trusted_keys $(grep -v '^untrusted comment:' "$value" | tr -cd 'A-Za-z0-9+/=\n')"
                set -- "$@" --key "$value"
                ;;
            --bin-dir | --watch) set -- "$@" "$option" "$value" ;;
            --allow-unsigned)
                allow_unsigned=true
                set -- "$@" "$option"
                ;;
            --allow-downgrade | --no-link | --no-restart | --json) set -- "$@" "$option" ;;
            --help | -h)
                usage
                exit 0
                ;;
            *) die "unknown argument: $option (--help says more)" ;;
        esac
    done
    if [ -z "$places" ]; then
        places=$releases/latest/download/manifest.json$newline
        if [ -n "$wanted" ]; then places=$releases/download/v$wanted/manifest.json$newline; fi
    fi

    find_tools
    find_platform
    find_home
    trap clean EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    make_folder
    printf '%s' "$places" | while IFS= read -r place; do
        printf '%s\n' "$place"
        # Older releases are in folders beside the newest.
        if $named && [ -n "$wanted" ]; then printf '%s\n' "${place%/*}/v$wanted/manifest.json"; fi
    done >"$folder/places"
    find_verifier
    find_release
    get_package
    take_program
    status=0
    # A daemon that it starts has agents write as the person would.
    umask "$mask"
    CODEAI_HUB_HOME=$home "$folder/codeai-hub" install --from "$folder/release" --source "$manifest" "$@" || status=$?
    # Otherwise it has said itself what was wrong.
    [ "$status" -le 125 ] || die "the program doesn't run here (status $status): may programs be run from $home?"
    [ "$status" -eq 0 ] || exit "$status"
    if $alone; then rm -f "$downloads/$package"; fi
}

{ main "$@" </dev/null; exit; }
