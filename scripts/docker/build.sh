#!/usr/bin/env bash
# Builds images of a release's daemon by docker, podman or buildah, whichever is there (or CONTAINER_TOOL).
#
#   scripts/docker/build.sh PACKAGE.tar.bz2 [TAG]          the daemon alone
#   scripts/docker/build.sh --agents [TAG]                 what agents need beside it, on top of the image codeai-hub-core
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

[[ $# -ge 1 && $# -le 2 && $1 != -h && $1 != --help ]] || { sed -n '2,5s/^# \{0,1\}//p' "$0" && exit 2; }
tool=${CONTAINER_TOOL:-}
for candidate in docker podman buildah; do
    if [[ -z $tool ]] && have "$candidate"; then tool=$candidate; fi
done
[[ -n $tool ]] || die "docker, podman or buildah is needed"

# The other two know no health checks in their own format.
format=()
[[ $tool == docker ]] || format=(--format docker)

if [[ $1 == --agents ]]; then
    exec "$tool" build "${format[@]}" --tag "${2:-codeai-hub-agents}" --file "$root/scripts/docker/agents.Dockerfile" "$root/scripts/docker"
fi

package=$1 tag=${2:-codeai-hub-core}
[[ -f $package ]] || die "no such file: $package"
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$package" "$context/package.tar.bz2"
mkdir -p "$context/image/hub" "$context/image/tmp"
chmod 700 "$context/image/hub"
chmod 1777 "$context/image/tmp"
chmod 755 "$context/image"
"$tool" build "${format[@]}" --tag "$tag" --file "$root/scripts/docker/Dockerfile" "$context"
