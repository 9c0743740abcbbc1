#!/usr/bin/env python3
"""Measures what a person sees of a release: how long installing takes, how long clients wait while a daemon goes over to another
version and back, and how fast a package comes.

    scripts/release/measure.py PACKAGE [--switches N] [--installs N]

PACKAGE is a codeai-hub-core-*.tar.bz2 of scripts/build-core.sh; two versions are made of its program, in a temporary folder, and signed
by a key made for it. Prints lines of a table for doc/benchmarks.md. Mirrors are on this machine, and share its processors."""

import argparse
import hashlib
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

here = pathlib.Path(__file__).resolve().parent
VERSIONS = ["91.0.0", "91.0.1"]
# Of the package whose download is measured; its bytes are nothing that could be unpacked.
MEGABYTES = 100


def run(*command, check=True, **environment):
    result = subprocess.run(
        [str(word) for word in command], env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if check and result.returncode != 0:
        sys.exit(f"{command[0]}: {result.stdout}{result.stderr}")
    return result


class Mirror:
    """A folder over http or https, by a process of its own."""

    PROGRAM = """
import functools, http.server, ssl, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
    def copyfile(self, source, target):
        target.flush()
        self.connection.sendfile(source)
folder, certificate = sys.argv[1:3]
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
if certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
"""

    def __init__(self, folder, certificate=None):
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.PROGRAM, str(folder), str(certificate or "")], stdout=subprocess.PIPE, text=True
        )
        self.url = f"{'https' if certificate else 'http'}://localhost:{self.process.stdout.readline().strip()}"

    def close(self):
        self.process.kill()
        self.process.wait()


class Asking(threading.Thread):
    """Asks a daemon for its health a thousand times a second, on new connections, and notes the longest time without an answer."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.ends, self.last, self.longest, self.answers, self.failures = port, False, time.monotonic(), 0.0, 0, 0

    def run(self):
        request = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: close\r\n\r\n".encode()
        while not self.ends:
            begin, answer = time.monotonic(), b""
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                    connection.sendall(request)
                    while part := connection.recv(4096):
                        answer += part
            except OSError:
                pass
            now = time.monotonic()
            if answer.startswith(b"HTTP/1.1 200"):
                self.longest, self.last, self.answers = max(self.longest, now - self.last), now, self.answers + 1
            else:
                self.failures += 1
            time.sleep(max(0, begin + 0.001 - now))

    def take(self):
        longest, self.longest = self.longest, 0.0
        return longest


def resident(pid):
    """The most that a process has had in memory, in MiB."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def row(what, how, values, unit, digits=0):
    values = sorted(values)
    print(f"| {what} | {how} | {statistics.median(values):.{digits}f} {unit} | {values[0]:.{digits}f} to {values[-1]:.{digits}f} {unit} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=pathlib.Path)
    parser.add_argument("--switches", type=int, default=24)
    parser.add_argument("--installs", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="codeai-hub-measure-") as folder:
        measure(pathlib.Path(folder), options)


def measure(folder, options):
    key, trusted = folder / "key.pem", folder / "key.pub"
    signing = {"RELEASE_SIGNING_KEY": str(key), "RELEASE_KEYS": str(trusted)}
    run(here / "new-key.sh", key, trusted)
    (folder / "programs").mkdir()
    with tarfile.open(options.package) as archive:
        (folder / "programs/codeai-hub-release").write_bytes(archive.extractfile("codeai-hub").read())
    program = folder / "programs/codeai-hub-release"
    program.chmod(0o755)
    www = folder / "www"
    for version in VERSIONS:
        run(here / "pack.py", "--programs", program.parent, "--version", version, "--output", www / version, **signing)
    person = folder / "person"
    environment = {"HOME": str(person), "CODEAI_HUB_HOME": str(person / "hub"), "CORE_PORT": "0"}
    tool = folder / "codeai-hub"
    tool.symlink_to(program)
    mirror = Mirror(www)

    def hub(command, *words, check=True, **more):
        return run(command, *words, check=check, **environment, **more)

    def trusting(version):
        return "--from", f"{mirror.url}/{version}", "--key", trusted

    print("| what | how | median | least to most |\n|---|---|---:|---:|")
    # Installing, on a machine that has nothing.
    for name, command in {"codeai-hub install": [tool, "install"], "install.sh": ["sh", here.parent / "install.sh"]}.items():
        times = []
        for _ in range(options.installs):
            run("rm", "-rf", person)
            person.mkdir()
            begin = time.monotonic()
            hub(*command, *trusting(VERSIONS[0]))
            times.append(time.monotonic() - begin)
        row("installing", f"`{name}`, {options.installs} times", times, "s", 2)

    # Going over and back, while it is asked.
    installed = next((person / "hub/core").glob("*/current")) / "codeai-hub"
    hub(installed, "start")
    hub(installed, "update", "--yes", "--watch", "0", *trusting(VERSIONS[1]))
    asking = Asking(json.loads((person / "hub/core/endpoint.json").read_text())["port"])
    asking.start()
    gaps = []
    for number in range(options.switches):
        time.sleep(0.2)
        asking.take()
        if number % 2:
            hub(installed, "update", "--yes", "--watch", "1", *trusting(VERSIONS[1]))
        else:
            hub(installed, "rollback", "--watch", "1")
        gaps.append(asking.take() * 1000)
        version = json.loads(hub(installed, "status", "--json").stdout)["core"]["version"]
        assert version == VERSIONS[number % 2], version
    asking.ends = True
    asking.join()
    how = f"{options.switches} updates and rollbacks, {asking.answers} answers, {asking.failures} requests that failed"
    row("longest wait for an answer", how, gaps, "ms")
    print("each of them, in ms:", *map(round, gaps), file=sys.stderr)
    hub(installed, "stop")

    # A package that is worth a measurement.
    package = www / "big" / options.package.name.replace(VERSIONS[0], "big")
    package.parent.mkdir()
    data = os.urandom(MEGABYTES * 1_000_000)
    package.write_bytes(data)
    manifest = json.loads((www / VERSIONS[0] / "manifest.json").read_text())
    manifest["version"] = "92.0.0"
    for entry in manifest["platforms"].values():
        sums = {name: getattr(hashlib, name)(data).hexdigest() for name in ("sha1", "sha256")}
        entry.update(coreVersion="92.0.0", package=package.name, size=len(data), **sums)
    (package.parent / "manifest.json").write_text(json.dumps(manifest))
    run(here / "sign.sh", package.parent / "manifest.json", **signing)
    certificate = folder / "certificate.pem"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost", "-keyout", certificate, "-out", folder / "part.pem")  # fmt: skip
    certificate.write_text(certificate.read_text() + (folder / "part.pem").read_text())
    for server in (mirror, Mirror(www, certificate)):
        rates, memory = [], []
        for _ in range(5):
            run("rm", "-rf", person / "hub/core/downloads")
            child = subprocess.Popen(
                [tool, "install", "--json", "--from", server.url + "/big", "--key", trusted],
                env=os.environ | environment | {"SSL_CERT_FILE": str(certificate)}, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            moments = {}
            for line in child.stdout:
                event = json.loads(line).get("event")
                moments[event] = time.monotonic()
                if event == "verifying":
                    # Not by getrusage: what that says of a child begins with its parent's.
                    memory.append(resident(child.pid))
            child.wait()
            rates.append(MEGABYTES / (moments["verifying"] - moments["plan"]))
        kind = server.url.split(":")[0]
        row(f"a package of {MEGABYTES} MB", f"{kind}, checked and on the disk, 5 times", rates, "MB/s")
        row("memory of the program at it", kind, memory, "MiB", 1)
        server.close()


if __name__ == "__main__":
    main()
