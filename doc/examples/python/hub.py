"""A client of the CodeAI Hub with nothing but Python's standard library: HTTP and server-sent events.

    python3 hub.py PROVIDER TEXT...

opens a session, says the text, prints the answer while it grows, allows what the agent asks leave for, and ends with the turn.
What comes from the log goes to standard error as `SEQ KIND`: each number once, whatever happens to the connection."""

import http.client
import json
import os
import sys
import time
import uuid


class Refused(Exception):
    """The daemon's answer was an error; `code` is stable."""

    def __init__(self, status, error):
        super().__init__(error.get("message", f"status {status}"))
        self.status, self.code = status, error.get("code")


class Hub:
    def __init__(self, name="python-example", home=None, token=None):
        self.home = home or os.environ.get("CODEAI_HUB_HOME") or os.path.expanduser("~/.codeai-hub")
        # Others see the name beside what this client did. The token is only needed with security.loopback "token".
        self.headers = {"User-Agent": name} | ({"Authorization": "Bearer " + token} if token else {})

    def connect(self, timeout):
        # Read anew each time: a daemon that was started again may be at another port.
        with open(self.home + "/core/endpoint.json") as file:
            there = json.load(file)
        return http.client.HTTPConnection(there["host"], there["port"], timeout=timeout)

    def call(self, method, path, body=None):
        """A request below /api/v1; returns the answer's JSON."""
        connection = self.connect(timeout=30)
        try:
            headers = self.headers | ({"Content-Type": "application/json"} if body is not None else {})
            connection.request(method, "/api/v1" + path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
            answer = json.loads(text) if text else None
            if response.status >= 400:
                raise Refused(response.status, answer["error"])
            return answer
        finally:
            connection.close()

    def send(self, session, text):
        """Says something in a session. Sent again when nobody knows what became of it: the same clientMessageId is answered
        with the first result."""
        body = {"content": text, "clientMessageId": str(uuid.uuid4())}
        while True:
            try:
                return self.call("POST", f"/sessions/{session}/messages", body)
            except (OSError, http.client.HTTPException):
                time.sleep(0.2)

    def frames(self, session, after=0):
        """What happened in a session after an event, then what happens, until the session is deleted. A frame with `seq`
        is an event of the log and comes once and in order; one without is text that grows."""
        pause = 0.1
        while True:
            connection = None
            try:
                # The daemon says something every 20 s, if only that it lives.
                connection = self.connect(timeout=60)
                connection.request("GET", f"/api/v1/sessions/{session}/events?after={after}", headers=self.headers | {
                    "Accept": "text/event-stream"})
                response = connection.getresponse()
                if response.status == 404:
                    return
                if response.status != 200:
                    raise http.client.HTTPException(response.status)
                pause = 0.1
                for line in response:
                    # The daemon writes each frame in one data line.
                    if not line.startswith(b"data:"):
                        continue
                    frame = json.loads(line[5:])
                    after = frame.get("seq", after)
                    yield frame
            except (OSError, http.client.HTTPException):
                pass
            finally:
                if connection:
                    connection.close()
            # Gone, or going to be back: the next connection begins after the last event.
            time.sleep(pause)
            pause = min(pause * 2, 5)


def main(provider, text):
    hub = Hub()
    session = hub.call("POST", "/sessions", {"providerId": provider, "workspace": os.getcwd()})["id"]
    print("session", session, file=sys.stderr)
    turn = hub.send(session, text)["turnId"]
    printed = {}  # bytes of each growing text that are on the screen
    for frame in hub.frames(session):
        payload = frame["payload"]
        kind = payload.get("kind") if frame["type"] == "session:event" else frame["type"]
        if "seq" in frame:
            print(frame["seq"], kind, file=sys.stderr)
        if kind == "stream:chunk" or kind == "session:message" and payload["role"] == "assistant":
            if payload.get("kind", "message") != "message":
                continue  # thoughts and output of tools
            item, offset = payload["itemId"], payload.get("offset", 0)
            done = printed.get(item, 0)
            # A piece may be missing, or come again after a reconnect; the message at the end has the whole.
            if offset <= done:
                new = payload["content"].encode()[done - offset:]
                printed[item] = done + len(new)
                print(new.decode(errors="replace"), end="", flush=True)
        elif frame["type"] == "permission:requested":
            allow = next(o for o in payload["options"] if o["kind"] == "allow_once")
            try:
                hub.call("POST", f"/sessions/{session}/permissions/{payload['requestId']}", {"optionId": allow["optionId"]})
            except Refused as refused:
                # Another client was faster, or it was asked before we were away.
                if refused.code not in ("already_resolved", "request_not_found"):
                    raise
        elif kind == "turn_completed" and payload["turnId"] == turn:
            print()
            return 0 if payload["data"]["status"] == "completed" else 1


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python3 hub.py PROVIDER TEXT...")
    sys.exit(main(sys.argv[1], " ".join(sys.argv[2:])))
