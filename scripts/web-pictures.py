#!/usr/bin/env python3
"""Makes the pictures of the web client in doc/: real pages of a real daemon, whose agents play a scene
(scripts/pictures/agent.py).

    eval "$(scripts/install-test-tools.sh)"
    "$CODEAI_HUB_TEST_WEB/python" scripts/web-pictures.py [--out doc/web] [--assets assets/web]
"""

import argparse
import json
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests/web"))

from playwright.sync_api import sync_playwright  # noqa: E402

from browser import Web, chromium  # noqa: E402
from hub import Daemon  # noqa: E402

# (name, width, height, theme, what is shown)
PICTURES = [
    ("wide-dark", 1400, 1120, "dark", "session"),
    ("wide-light", 1400, 1120, "light", "session"),
    ("middle-dark", 800, 1000, "dark", "session"),
    ("middle-light", 800, 1000, "light", "session"),
    ("narrow-dark", 320, 640, "dark", "start"),
    ("narrow-light", 320, 640, "light", "session"),
]


def provide(daemon):
    """Claude Code and Codex, played by the agent of the scene."""
    for id, name in (("claudeCodeCli", "claude"), ("codexCli", "codex")):
        folder = daemon.home / "providers" / id
        folder.mkdir(parents=True)
        for path in (folder.parent, folder):
            path.chmod(0o700)
        shutil.copy(ROOT / "scripts/pictures/agent.py", folder / "agent.py")
        manifest = {
            "adapter": "acp", "command": ["python3"], "arguments": ["${provider}/agent.py", name],
            "environment": {"PYTHONUNBUFFERED": "1"}, "authentication": None, "version": None, "install": [], "options": {},
        }
        (folder / "module.json").write_text(json.dumps(manifest))
        (folder / "module.json").chmod(0o600)


def work(daemon):
    """Sessions in every state; returns the one that is shown."""
    daemon.session("claudeCodeCli", title="Release notes for 2.4", tags=["release"]).say("Write the release notes.", wait=True)
    daemon.session("codexCli", title="Why is the build slow?").say("Have a look at the build.", wait=True)
    failed = daemon.session("echo", title="Translate the error pages")
    failed.say("[[error:quota]]", wait=True)
    daemon.session("echo", title="Name for the new queue").say("[[question:What shall it be called?|intake|lane|spool]]")
    daemon.session("codexCli", title="Dry run of the orders migration", tags=["db"]).say("Do a dry run of the migration.")
    session = daemon.session("claudeCodeCli", title="Mend the flaky login test", tags=["tests"])
    session.say("`test_login_expires` is flaky: it fails one run in twenty. Find out why, and mend it.")
    session.pending()
    session.say("Then have a look whether other tests sleep like that.")
    return session


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "doc/web")
    parser.add_argument("--assets")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    daemon = Daemon()
    daemon.client_name = "web"
    daemon.workspace = daemon.folder / "shop"
    daemon.workspace.mkdir()
    provide(daemon)
    with sync_playwright() as playwright, daemon:
        browser = chromium(playwright)
        session = work(daemon)
        addresses = {"session": session.address, "start": "/"}
        for name, width, height, theme, what in PICTURES:
            web = Web(browser, options.assets)
            page = web.open(daemon, addresses[what], width=width, height=height, theme=theme, reduced_motion="reduce")
            page.wait_for_load_state("networkidle")
            page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 300)))")
            file = options.out / f"{name}.png"
            page.screenshot(path=file)
            print(f"{file}: {file.stat().st_size // 1024} KiB")
            web.check()
            web.close()
        browser.close()


if __name__ == "__main__":
    main()
