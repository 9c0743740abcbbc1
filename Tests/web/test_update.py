"""A page while the daemon finds a new version and goes over to it: real releases, a mirror in a folder."""

import concurrent.futures
import os
import subprocess

import pytest

from browser import until
from client import check_transcript, wait_for_text
from hub import CLI, CORE, ROOT, Daemon, eventually
from test_faults import GONE, STREAM, midway

SCRIPTS = ROOT / "scripts/release"
TOASTS = "[...document.querySelectorAll('.toast')].map((toast) => toast.innerText)"


def run(*command, **environment):
    result = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def mirrors(tmp_path_factory):
    """The folders of two releases, and the file with the key that signed them."""
    folder = tmp_path_factory.mktemp("releases")
    run(SCRIPTS / "new-key.sh", folder / "key.pem", folder / "key.pub")

    def pack(version):
        run(
            SCRIPTS / "pack.py", "--programs", CORE.parent, "--strip", "--version", version, "--output", folder / version,
            RELEASE_SIGNING_KEY=str(folder / "key.pem"), RELEASE_KEYS=str(folder / "key.pub"),
        )

    # Packing takes most of the time here.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(pack, ["91.0.0", "91.0.1"]))
    return folder / "91.0.0", folder / "91.0.1", folder / "key.pub"


@pytest.fixture
def daemon(mirrors):
    """One of the older version, that looks for the newer when it starts."""
    old, new, key = mirrors
    updates = {"manifests": [new.as_uri()], "keys": [str(key)], "firstCheckSeconds": 0}
    daemon = Daemon({"updates": updates})
    try:
        run(CLI, "install", "--from", old, "--no-link", **daemon.environment)
        [current] = (daemon.home / "core").glob("*/current")
        daemon.installed = current / "codeai-hub"
        daemon.program = str(current.parent / "91.0.0/codeai-hub-core")
        yield daemon.start()
    finally:
        daemon.close()


def test_an_update_is_announced_and_lived_through(web, daemon):
    session = daemon.session(title="Update")
    page = web.open(daemon, session.address, height=4000)
    eventually("it is said", lambda: [text for text in page.evaluate(TOASTS) if "Version 91.0.1 is out" in text])
    notice, composer = page.locator(".toast").bounding_box(), page.locator(".composer").bounding_box()
    assert notice["y"] + notice["height"] <= composer["y"]
    assert [entry["to"] for entry in daemon.get("/status")["core"]["update"]["components"]] == ["91.0.1"]

    web.allow(GONE)
    session.say(STREAM)
    session.say("[[text:what was queued]]")
    midway(page, session)
    run(daemon.installed, "update", "--yes", "--watch", "1", **daemon.environment)
    web.wait_until_connected(page)
    wait_for_text(page, "what was queued")
    session.wait_for("idle")
    check_transcript(page, session)
    assert daemon.get("/health")["version"] == "91.0.1"
    assert daemon.get("/status")["core"]["update"]["components"] == []

    # What was said of the new version is no news any more; that the page is of the old one is, and it is said once.
    until(page, f"{TOASTS}.some((text) => text.includes('now version 91.0.1'))")
    daemon.restart()
    web.wait_until_connected(page)
    assert len(page.evaluate(TOASTS)) == 1, page.evaluate(TOASTS)
    page.get_by_role("button", name="Reload").click()
    web.wait_until_connected(page)
    assert page.evaluate(TOASTS) == []

    # And back.
    run(daemon.installed, "rollback", "--watch", "0", **daemon.environment)
    until(page, f"{TOASTS}.some((text) => text.includes('now version 91.0.0'))")
    check_transcript(page, session)
