"""How codeai-hub's installing looks to a person on a terminal, and to a pipe: the real programs, a mirror that stops."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import threading
import time

import pytest

from release import PROGRAMS, Mirror

PROGRAM = PROGRAMS / "codeai-hub"
WITHOUT_COLUMNS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|\^C")


def hub(installer, *arguments):
    """Without a terminal."""
    return subprocess.run(
        [PROGRAM, *map(str, arguments), "--key", installer.key.public],
        env=installer.environment(TERM="xterm-256color"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def installed(installer, packed):
    """A person with the older one of two releases."""
    result = hub(installer, "install", "--from", packed[0], "--no-link")
    assert result.returncode == 0, result.stderr
    return installer


class Terminal:
    """A command that believes to be on a terminal; what it wrote."""

    def __init__(self, installer, *arguments, columns=80):
        here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.child = subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            env=installer.environment(TERM="xterm-256color", CORE_PORT="0"),
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(there)
        self.descriptor, self.text = here, ""

    def read_until(self, condition, within=30):
        """Returns when the condition is true of what was written; with None, when the program has ended."""
        until = time.monotonic() + within
        while condition is None or not condition(self.text):
            assert time.monotonic() < until, self.text
            if not select.select([self.descriptor], [], [], 0.1)[0]:
                continue
            try:
                self.text += os.read(self.descriptor, 65536).decode()
            except OSError:
                # The other end is closed.
                assert condition is None, self.text
                return

    def end(self):
        self.read_until(None)
        os.close(self.descriptor)
        return self.child.wait(10)

    def type(self, keys):
        os.write(self.descriptor, keys)

    @property
    def longest(self):
        """Columns of the longest of the lines that are written over each other: all but the last, which is an error."""
        return max(len(WITHOUT_COLUMNS.sub("", line)) for line in self.text.split("\r\x1b[K")[1:-1])


def update(installer, source, **options):
    return Terminal(installer, "update", "--from", source, "--key", installer.key.public, **options)


@pytest.mark.parametrize(
    "keys,words,status",
    [
        (b"\x03", "codeai-hub: cancelled; nothing was changed", 130),
        (b"\x04", "Nothing was changed", 0),
        (b"No\n", "Nothing was changed", 0),
    ],
)
def test_the_question_can_be_refused(installed, packed, keys, words, status):
    terminal = update(installed, packed[1])
    terminal.read_until(lambda text: "[Y/n] " in text)
    assert "core 91.0.0 -> 91.0.1" in terminal.text
    terminal.type(keys)
    assert terminal.end() == status
    # On a line of its own.
    assert f"\n{words}" in terminal.text
    assert not (installed.home / "core/downloads").exists()


@pytest.mark.parametrize("columns", [24, 120])
def test_progress_fits_and_control_c_keeps_what_came(installed, packed, columns):
    with Mirror(packed[1], cut=[1_000_000], stall=threading.Event()) as mirror:
        terminal = update(installed, mirror.url, columns=columns)
        terminal.read_until(lambda text: "[Y/n] " in text)
        terminal.type(b"\n")
        terminal.read_until(lambda text: "\x1b[K" in text)
        terminal.type(b"\x03")
        assert terminal.end() == 130
    assert terminal.longest < columns
    assert "the download was cancelled; what came is kept" in terminal.text
    # The progress is gone before anything else is said.
    assert "\r\x1b[Kcodeai-hub: " in terminal.text.replace("^C", "")
    [part] = (installed.home / "core/downloads").iterdir()
    assert part.name.endswith(".part") and part.stat().st_size > 0


def test_a_pipe_gets_words_and_no_escape_codes(installed, packed):
    result = hub(installed, "update", "--from", packed[1], "--yes")
    said = result.stdout + result.stderr
    assert "\x1b" not in said and "\r" not in said
    assert "core 91.0.0 -> 91.0.1" in result.stderr and "codeai-hub 91.0.1 is installed, 91.0.0 before" in result.stdout
    # Back is refused, with a way that there is.
    result = hub(installed, "update", "--from", packed[0], "--yes")
    assert result.returncode == 1 and "codeai-hub install --allow-downgrade" in result.stderr
