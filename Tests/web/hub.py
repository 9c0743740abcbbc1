"""The daemon as a process with a home of its own, and what tests ask of it by HTTP: the second client beside the page."""

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORE = pathlib.Path(os.environ.get("CODEAI_HUB_CORE", ROOT / ".build/debug/codeai-hub-core"))
CLI = pathlib.Path(os.environ.get("CODEAI_HUB_CLI", CORE.parent / "codeai-hub"))

# Long enough for a loaded machine; nothing that works comes near it.
PATIENCE = 30.0


def eventually(what, condition, within=PATIENCE, every=0.02):
    """Asks until the condition is true (its value is returned) or the time is over.

    - what: said when it never became true; may be callable, for words that depend on the end.
    """
    end = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {within:g} s: {what() if callable(what) else what}")
        time.sleep(every)


class HubError(Exception):
    """The daemon's own refusal: the HTTP status and the error of the protocol."""

    def __init__(self, status, body):
        self.status = status
        self.error = (body.get("error") or {}) if isinstance(body, dict) else {}
        super().__init__(f"{status} {self.error.get('code')}: {self.error.get('message', body)}")


def _die_with_parent():
    """Runs in the child: a test run that is killed leaves no daemon behind (prctl(PR_SET_PDEATHSIG))."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Daemon:
    """One daemon. Its port stays over restarts, so that pages find it again."""

    def __init__(self, configuration=None, environment=None, program=None):
        if not CORE.exists():
            raise AssertionError(f"there is no {CORE}: swift build, or name a program in CODEAI_HUB_CORE")
        self.program = str(program or CORE)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="codeai-hub-web-"))
        self.home = self.folder / "hub"
        self.workspace = self.folder / "workspace"
        self.workspace.mkdir()
        (self.home / "core").mkdir(parents=True)
        for path in (self.home, self.home / "core"):
            path.chmod(0o700)
        self.configure(configuration or {})
        # No program of any vendor is found there: what is installed on this machine makes no difference.
        self.environment = {
            "HOME": str(self.folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "CODEAI_HUB_HOME": str(self.home),
            "CORE_PORT": "0", "CORE_LOG_LEVEL": "warn", **(environment or {}),
        }
        self.log = self.folder / "daemon.log"
        self.process = None
        self.port = None
        # What the log calls whoever says something by HTTP.
        self.client_name = "test"

    # The process

    def configure(self, configuration):
        path = self.home / "core/config.json"
        path.write_text(json.dumps({"schemaVersion": 1, **configuration}))
        path.chmod(0o600)

    def start(self):
        endpoint = self.home / "core/endpoint.json"
        endpoint.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.program], env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=_die_with_parent,
            )

        def answers():
            if self.process.poll() is not None:
                raise AssertionError(f"the daemon ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
            with contextlib.suppress(OSError, ValueError):
                self.port = json.loads(endpoint.read_text())["port"]
                return self.request("GET", "/health")["status"] == "ok"

        eventually("the daemon answers", answers)
        self.environment["CORE_PORT"] = str(self.port)
        return self

    def stop(self, with_signal=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(with_signal)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(15)

    def kill(self):
        self.stop(signal.SIGKILL)

    def restart(self):
        """The planned one: the same process with a new program. Returns when the new one answers."""
        before = self.post("/core/restart", {})["instanceId"]

        def is_new():
            with contextlib.suppress(OSError, HubError):
                return self.get("/health")["instanceId"] != before

        eventually("the restarted daemon answers", is_new)

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # HTTP

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.port}"

    def request(self, method, path, body=None, headers=None):
        """JSON in, JSON out (or None); raises HubError."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {} if body is None or isinstance(body, bytes) else {"Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{self.origin}/api/v1{path}", method=method, data=data, headers={"User-Agent": self.client_name, **kind, **(headers or {})}
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            text = error.read()
            with contextlib.suppress(ValueError):
                text = json.loads(text)
            raise HubError(error.code, text) from None
        return json.loads(text) if text else None

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body=None):
        return self.request("POST", path, {} if body is None else body)

    def put(self, path, body):
        return self.request("PUT", path, body)

    def patch(self, path, body):
        return self.request("PATCH", path, body)

    def delete(self, path):
        return self.request("DELETE", path)

    def raw(self, path, headers=None):
        """(status, headers, bytes) of anything below the origin."""
        request = urllib.request.Request(self.origin + path, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    # Sessions

    def session(self, providerId="echo", **fields):
        """A new session of the echo agent, in the workspace."""
        fields.setdefault("workspace", str(self.workspace))
        return Session(self, self.post("/sessions", {"providerId": providerId, **fields})["id"])

    def import_log(self, lines):
        """A session from the lines of a log (dicts or text): the way for contents that no agent would bring."""
        text = "".join((line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)) + "\n" for line in lines)
        record = self.request("POST", "/sessions/import", text.encode(), {"Content-Type": "application/x-ndjson"})
        return Session(self, record["id"])

    def cli(self, *arguments, input=None, check=True, timeout=PATIENCE):
        """Runs the person's tool on this home; returns what it printed."""
        run = subprocess.run(
            [str(CLI), *arguments], env={**self.environment, "TERM": "dumb"}, cwd=self.workspace, input=input,
            capture_output=True, text=True, timeout=timeout,
        )
        if check and run.returncode != 0:
            raise AssertionError(f"codeai-hub {' '.join(arguments)}: {run.returncode}\n{run.stdout}{run.stderr}")
        return run.stdout


class Session:
    def __init__(self, daemon, id):
        self.daemon = daemon
        self.id = id
        self.path = f"/sessions/{id}"

    @property
    def record(self):
        return self.daemon.get(self.path)

    @property
    def address(self):
        """Of the page that shows it."""
        return f"/#/s/{self.id}"

    def say(self, content, wait=False, **fields):
        """Sends a message (doc/echo.md lists the directives); with wait, returns when its turn has ended."""
        answer = self.daemon.post(f"{self.path}/messages", {"content": content, **fields})
        if wait:
            self.wait_for_turn(answer["turnId"])
        return answer

    def wait_for_turn(self, turn):
        self.wait_for_event(lambda e: e["kind"] == "turn_completed" and e.get("turnId") == turn, f"{turn} ends")

    def wait_for(self, status):
        """Until the record has this status."""
        return eventually(
            lambda: f"{status}; it is {self.record['status']}", lambda: self.record["status"] == status and self.record
        )

    def wait_for_event(self, matches, what="an event"):
        """The first event of the log that matches: a predicate, or a kind."""
        if isinstance(matches, str):
            kind, what = matches, matches
            matches = lambda event: event["kind"] == kind  # noqa: E731
        return eventually(what, lambda: next((event for event in self.events() if matches(event)), None))

    def events(self, after=0):
        """All events after a cursor, in order, as the log has them."""
        events = []
        while True:
            page = self.daemon.get(f"{self.path}/events?after={after}&limit=1000")
            events += page["events"]
            if not page["hasMore"]:
                return events
            after = events[-1]["seq"]

    def pending(self, kind="permission"):
        """The id of a request that waits for an answer."""

        def find():
            events = self.events()
            closed = {e["data"]["requestId"] for e in events if e["kind"] == f"{kind}_resolved"}
            waiting = [e["data"]["requestId"] for e in events if e["kind"] == f"{kind}_requested"]
            return next((id for id in waiting if id not in closed), None)

        return eventually(f"a {kind} is asked for", find)

    def permit(self, option_kind="allow_once"):
        """Answers the permission that waits."""
        id = self.pending("permission")
        asked = next(e for e in self.events() if e["kind"] == "permission_requested" and e["data"]["requestId"] == id)
        option = next(o["optionId"] for o in asked["data"]["options"] if o["kind"] == option_kind)
        return self.daemon.post(f"{self.path}/permissions/{id}", {"optionId": option})
