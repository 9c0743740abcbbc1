#!/usr/bin/env bash
# Tests what makes a release and what brings it to a machine: signing, scripts/install.sh (Tests/release).
#
#   scripts/release-test.sh [ARGUMENTS]     what pytest understands: -k resume, -x
#
# Needs the environment of scripts/install-test-tools.sh (CODEAI_HUB_TEST_WEB, which has pytest) and, for what runs the real programs,
# a build or a folder with them in CODEAI_HUB_PROGRAMS. The report is
# .build/test-results/release.xml.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [[ -z ${CODEAI_HUB_TEST_WEB:-} ]]; then
    exports=$("$root/scripts/install-test-tools.sh") && eval "$exports"
fi
exec "$CODEAI_HUB_TEST_WEB/python" -B -m pytest -p no:cacheprovider --rootdir "$root/Tests/release" -c "$root/Tests/release/pytest.ini" \
    --junitxml "$root/.build/test-results/release.xml" --durations 5 --durations-min 2 -n 2 --dist worksteal "$@" \
    "$root/Tests/release"
