"""Fixtures: a key, a release signed by it, and scripts/install.sh in shells and with tools of a test's choice."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from release import PROGRAMS, ROOT, SCRIPTS, Authority, Key, Release, run  # noqa: E402

SCRIPT = ROOT / "scripts/install.sh"
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}
# What any system has; and what the script says it needs besides.
COMMON = "cat chmod cp grep id ln ls mkdir mv rm rmdir sed sh sleep tail tr uname wc sha1sum sha256sum".split()
UNPACKING = ["tar", "bzip2", "awk"]
TOOLS = {
    "curl": [*COMMON, *UNPACKING, "curl", "openssl"],
    "wget": [*COMMON, *UNPACKING, "wget", "openssl"],
    "signify": [*COMMON, *UNPACKING, "curl", "signify-openbsd"],
    "neither": [*COMMON, *UNPACKING, "openssl"],
    "unverifying": [*COMMON, *UNPACKING, "curl"],
}


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def packed(tmp_path_factory, key):
    """The folders of two releases of the real programs, 91.0.0 and 91.0.1. Nobody changes them."""
    folders = [tmp_path_factory.mktemp("packed") / version for version in ("91.0.0", "91.0.1")]
    for folder in folders:
        run(
            [SCRIPTS / "pack.py", "--programs", PROGRAMS, "--strip", "--version", folder.name, "--output", folder],
            RELEASE_SIGNING_KEY=key.private,
            RELEASE_KEYS=key.public,
        )
    return folders


@pytest.fixture
def release(tmp_path, key):
    return Release(tmp_path / "release", key)


@pytest.fixture(scope="session")
def paths(tmp_path_factory):
    """Folders for PATH that have nothing but some tools, by name."""
    folder = tmp_path_factory.mktemp("paths")
    for name, tools in TOOLS.items():
        (folder / name).mkdir()
        for tool in tools:
            (folder / name / tool).symlink_to(shutil.which(tool))
    # A machine where everything is busybox: wget, tar, bzip2, the sums.
    (folder / "busybox").mkdir()
    subprocess.run(["busybox", "--install", "-s", folder / "busybox"], check=True)
    # One where the sums and the packing are in busybox, and nothing is linked to it.
    (folder / "unlinked").mkdir()
    for tool in [*COMMON[:-2], "busybox", "openssl"]:
        (folder / "unlinked" / tool).symlink_to(shutil.which(tool))
    return folder


class Installer:
    """Runs the script for a person with a home of their own."""

    def __init__(self, folder, key, paths):
        self.person, self.key, self.paths = folder / "person", key, paths
        self.person.mkdir()
        self.home = self.person / ".codeai-hub"

    def command(self, *arguments, shell="dash", script=SCRIPT):
        if isinstance(shell, str):
            shell = SHELLS[shell]
        return [shutil.which(shell[0]), *shell[1:], str(script), *map(str, arguments)]

    def environment(self, tools=None, **environment):
        path = os.environ["PATH"] if tools is None else str(self.paths / tools)
        return {"HOME": str(self.person), "PATH": path, "LC_ALL": "C"} | environment

    def run(self, *arguments, shell="dash", tools=None, key=True, stdin=subprocess.DEVNULL, script=SCRIPT, **environment):
        if key:
            arguments = (*arguments, "--key", self.key.public)
        return subprocess.run(
            self.command(*arguments, shell=shell, script=script),
            env=self.environment(tools, **environment),
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.person,
        )

    @property
    def called(self):
        """What the release's program was called with, None when it wasn't."""
        file = self.home / "called"
        return file.read_text().splitlines() if file.exists() else None

    @property
    def left(self):
        """What the script has left, beside what the program made."""
        return sorted(
            str(path.relative_to(self.home)) for path in self.home.rglob("*") if path.is_file() and path.name != "called"
        )


@pytest.fixture
def installer(tmp_path, key, paths):
    return Installer(tmp_path, key, paths)
