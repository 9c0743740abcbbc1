"""The project's own programs, packed, brought to a machine by scripts/install.sh, and brought up to date by it while they run. Needs
a build, or CODEAI_HUB_PROGRAMS, a folder with the two programs."""

import json
import subprocess


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
