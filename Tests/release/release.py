"""A release as a mirror has it, with a program that only says how it was called; and a mirror that fails on order."""

import hashlib
import http.server
import io
import json
import os
import pathlib
import platform
import re
import ssl
import subprocess
import tarfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SCRIPTS = ROOT / "scripts/release"
PROGRAMS = pathlib.Path(os.environ.get("CODEAI_HUB_PROGRAMS", ROOT / ".build/debug"))
PLATFORM = "linux-" + {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]

# Nothing but what a shell has inside: it runs with whatever little a test leaves in PATH.
PROGRAM = """#!/bin/sh
printf '%s\\n' "$@" >"$CODEAI_HUB_HOME/called"
[ -f "$3/manifest.json" ] && [ -f "$3/manifest.json.sig" -o -n "$UNSIGNED" ] || exit 7
printf '{"event":"done"}\\n'
exit ${FAKE_STATUS:-0}
"""


class Key:
    """A pair of keys, made by the project's own script."""

    def __init__(self, folder, name="key"):
        self.private, self.public = folder / f"{name}.pem", folder / f"{name}.pub"
        run([SCRIPTS / "new-key.sh", self.private, self.public])

    def sign(self, file):
        run([SCRIPTS / "sign.sh", file], RELEASE_SIGNING_KEY=self.private, RELEASE_KEYS=self.public)


def run(command, check=True, **environment):
    result = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
        env=os.environ | {name: str(value) for name, value in environment.items()},
    )
    assert not check or result.returncode == 0, result.stderr
    return result


def member(name, data=b"", kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname, info.mode = len(data), kind, link, 0o755
    return info, io.BytesIO(data)


def program(padding=0):
    """The program's two names, with so many bytes that don't become fewer by packing."""
    return [
        member("codeai-hub", PROGRAM.encode() + b"exit\n" + os.urandom(padding)),
        member("codeai-hub-core", kind=tarfile.LNKTYPE, link="codeai-hub"),
    ]


class Authority:
    """Certifies this machine's name, for whoever trusts its file."""

    def __init__(self, folder):
        self.file, self.key = folder / "authority.pem", folder / "authority.key"
        run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost", "-keyout", self.key, "-out", self.file]
        )  # fmt: skip


class Release:
    def __init__(self, folder, key, version="9.8.7", members=None):
        self.folder, self.key, self.version = folder, key, version
        folder.mkdir()
        self.package = folder / f"codeai-hub-core-{PLATFORM}-{version}.tar.bz2"
        # Names that no other writer would let through: the archive's writer asks no questions.
        with tarfile.open(self.package, "w:bz2") as archive:
            for info, data in members if members is not None else program():
                archive.addfile(info, data)
        data = self.package.read_bytes()
        self.entry = {
            "coreVersion": version,
            "package": self.package.name,
            "size": len(data),
            "sha1": hashlib.sha1(data).hexdigest(),
            "sha256": hashlib.sha256(data).hexdigest(),
            "unpackedSize": 1 << 24,
        }
        self.manifest = {
            "schema": 1,
            "version": version,
            "notes": 'What "changed": \\ {[,]} \n\t\u00e4',
            "platforms": {"other-x64": {}, PLATFORM: self.entry},
        }
        self.write()

    def write(self, text=None):
        """The manifest as it is now, or another text, signed."""
        file = self.folder / "manifest.json"
        file.write_text(text if text is not None else json.dumps(self.manifest, indent=2))
        self.key.sign(file)
        return self


class Mirror(http.server.ThreadingHTTPServer):
    """Serves a folder on loopback. `cut` has how many bytes of which answers' bodies it sends before it hangs up (the first is
    for the first request of a package, and so on); `ranges` says whether it can begin in the middle; with an `authority` it
    speaks https."""

    def __init__(self, folder, cut=(), ranges=True, stall=None, authority=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.cut, self.ranges, self.stall = folder, list(cut), ranges, stall
        self.requests, self.sent = [], 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        if authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(authority.file, authority.key)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self.url = f"https://localhost:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        if self.stall:
            self.stall.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        file = server.folder / self.path.lstrip("/")
        if not file.is_file():
            self.send_error(404)
            return
        body, begin = file.read_bytes(), 0
        is_package = file.name.endswith(".bz2")
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if is_package:
            server.requests.append(wanted and int(wanted[1]))
        if wanted and server.ranges:
            begin = int(wanted[1])
            self.send_response(206 if begin < len(body) else 416)
            self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        rest = body[begin:]
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("Connection", "close")
        self.end_headers()
        if is_package and server.cut:
            rest = rest[: server.cut.pop(0)]
        self.wfile.write(rest)
        if is_package:
            server.sent += len(rest)
            if server.stall:
                self.wfile.flush()
                server.stall.wait(30)

    def log_message(self, *_):
        pass
