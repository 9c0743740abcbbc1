"""The terminal client on a terminal of its own, beside the pages."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading

from hub import CLI, eventually

ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[@-_=>])|[\r\x0e\x0f]")


class Terminal:
    """`codeai-hub ARGUMENTS` in a pseudoterminal of 100 columns and 40 lines."""

    def __init__(self, daemon, *arguments):
        here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.process = subprocess.Popen(
            [str(CLI), *arguments], env={**daemon.environment, "TERM": "xterm-256color"}, cwd=daemon.workspace,
            stdin=there, stdout=there, stderr=there, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(there)
        self.descriptor = here
        self.bytes = b""
        self.ends = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        # It is always read, as a terminal does: a program that can't write would wait.
        while not self.ends.is_set():
            if select.select([self.descriptor], [], [], 0.1)[0]:
                try:
                    self.bytes += os.read(self.descriptor, 65536)
                except OSError:
                    return

    @property
    def text(self):
        """All that was written so far, without escape sequences."""
        return ESCAPES.sub("", self.bytes.decode("utf-8", "replace"))

    def type(self, keys):
        os.write(self.descriptor, keys.encode())

    def wait_for(self, words):
        eventually(lambda: f"{words!r} on the terminal: {self.text[-1500:]}", lambda: words in self.text)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        self.ends.set()
        self.reader.join()
        os.close(self.descriptor)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
