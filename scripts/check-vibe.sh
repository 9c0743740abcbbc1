#!/bin/bash
# Tries the ACP adapter with the real mistral-vibe, against a fake API on 127.0.0.1. Not part of the tests that always
# run: it needs Python 3.12 or later and installs about 400 MB into the folder of the test tools.
#   scripts/check-vibe.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

vibe=3.0.2
tools=${CODEAI_HUB_TEST_TOOLS:-$HOME/.cache/codeai-hub-test-tools}
folder=$tools/vibe-$vibe

# The first Python that is new enough: CODEAI_HUB_TEST_PYTHON312, PATH, or one of pyenv's.
find_python() {
    local python
    for python in "${CODEAI_HUB_TEST_PYTHON312:-}" python3.12 python3.13 python3.14 python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python; do
        if [ -n "$python" ] && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    echo "error: mistral-vibe needs Python 3.12; set CODEAI_HUB_TEST_PYTHON312 to one" >&2
    return 1
}

if [ ! -x "$folder/bin/vibe-acp" ]; then
    python=$(find_python)
    echo "installing mistral-vibe==$vibe with $python into $folder" >&2
    rm -rf "$folder"
    mkdir -p "$tools"
    "$python" -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "mistral-vibe==$vibe" >&2
fi
exports=$(scripts/install-test-tools.sh)
eval "$exports"
export CODEAI_HUB_TEST_VIBE=$folder/bin/vibe-acp
swift test --filter VibeTests
