#!/usr/bin/env bash
# Tests the web client in Debian's Chromium against a real daemon (Tests/web).
#
#   scripts/web-test.sh [--assets DIR] [ARGUMENTS]   what pytest understands: -k drafts, -x, --headed
#
# Needs a build, or a program named by CODEAI_HUB_CORE, and the environment of scripts/install-test-tools.sh
# (CODEAI_HUB_TEST_WEB). With --assets the client's files come from that folder, else from inside the program. The
# report is .build/test-results/web.xml; pictures of pages of failed tests are in the folder web beside it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [[ -z ${CODEAI_HUB_TEST_WEB:-} ]]; then
    exports=$("$root/scripts/install-test-tools.sh") && eval "$exports"
fi
# Each test has a daemon and pages of its own; half the time of one is waiting. A browser that is watched is one.
beside=(-n 2 --dist worksteal)
[[ " $* " != *" --headed "* ]] || beside=()
# Where a test's name was given it is below the caller's folder.
exec "$CODEAI_HUB_TEST_WEB/python" -B -m pytest -p no:cacheprovider --rootdir "$root/Tests/web" -c "$root/Tests/web/pytest.ini" \
    --junitxml "$root/.build/test-results/web.xml" --durations 10 --durations-min 3 "${beside[@]}" "$@" \
    "$root/Tests/web"
