"""The project's own programs, packed, brought to a machine by scripts/install.sh, and brought up to date by it while they run. Needs
a build, or CODEAI_HUB_PROGRAMS, a folder with the two programs."""

import fcntl
import json
import shutil
import subprocess
import time

import pytest


def test_installed_used_updated_and_removed(installer, packed):
    old, new = packed
    command = installer.person / ".local/bin/codeai-hub"

    def hub(*arguments):
        result = subprocess.run(
            [command, *arguments], env=installer.environment(CORE_PORT="0"), capture_output=True, text=True, timeout=60
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    result = installer.run("--from", old, tools="busybox")
    assert result.returncode == 0, result.stderr
    try:
        assert "You said: hello" in hub("new", "echo", "hello")
        result = installer.run("--from", new, "--watch", "1", "--json", CORE_PORT="0")
        assert result.returncode == 0, result.stdout + result.stderr
        events = [json.loads(line) for line in result.stdout.splitlines()]
        assert events[-1]["event"] == "done" and events[-1]["restarted"] is True
        assert "Daemon 91.0.1 " in hub("status")
        # The record names the mirror, not the script's own folder.
        [record] = installer.home.glob("core/*/91.0.1/install.json")
        assert json.loads(record.read_text())["source"] == f"file://{new}/manifest.json"
        # What the script brought beside is gone, what was said is there.
        assert installer.left and not [name for name in installer.left if "bootstrap" in name or "downloads" in name]
        assert len(json.loads(hub("sessions", "--json"))["sessions"]) == 1
        # And it doesn't go back unless it is told to.
        result = installer.run("--from", old)
        assert result.returncode != 0 and "--allow-downgrade" in result.stderr
    finally:
        hub("stop")
    hub("uninstall", "--yes")
    assert not installer.home.exists() and not command.is_symlink()


def test_uninstalling_waits_for_a_daemon_on_its_way(installer, packed):
    """One that holds the home and doesn't answer starts, or ends: neither is a reason to fail."""
    assert installer.run("--from", packed[0], "--no-link").returncode == 0
    [program] = installer.home.glob("core/*/current/codeai-hub")
    with open(installer.home / "core/core.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        child = subprocess.Popen([program, "uninstall", "--yes"], env=installer.environment(), stdout=subprocess.DEVNULL)
        time.sleep(1)
        assert child.poll() is None and program.exists()
    assert child.wait(30) == 0
    assert not installer.home.exists()


@pytest.mark.parametrize("options", [["--yes"], ["--yes", "--keep-data"]])
def test_uninstalling_killed_anywhere(installer, packed, options):
    """Run again, it ends the same: by the person's command, or by another copy of the program."""
    assert installer.run("--from", packed[0]).returncode == 0
    command, aside, other = installer.person / ".local/bin/codeai-hub", installer.person / "aside", installer.person / "other"
    (installer.home / "sessions/said.jsonl").write_text("said")
    shutil.copy(command, other)
    installer.home.rename(aside)
    link = command.readlink()
    outcomes = set()
    for attempt in range(12):
        shutil.copytree(aside, installer.home, symlinks=True)
        command.unlink(missing_ok=True)
        command.symlink_to(link)
        child = subprocess.Popen([command, "uninstall", *options], env=installer.environment(), stdout=subprocess.DEVNULL)
        time.sleep(0.006 * attempt)
        child.kill()
        outcomes.add(child.wait())
        if installer.home.exists():
            program = command if command.exists() else other
            result = subprocess.run([program, "uninstall", *options], env=installer.environment(), capture_output=True, text=True)
            assert result.returncode == 0, result.stderr
        assert not command.is_symlink()
        left = {str(path.relative_to(installer.home)) for path in installer.home.rglob("*") if path.is_file()}
        if "--keep-data" in options:
            assert "sessions/said.jsonl" in left and "core/config.json" in left
            assert left <= {"sessions/said.jsonl", "core/config.json", "core/install.lock", "core/installs.json"}
            shutil.rmtree(installer.home)
        else:
            assert left == set() and not installer.home.exists()
    assert -9 in outcomes, outcomes
