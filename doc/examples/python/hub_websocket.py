"""The same client over the WebSocket, where one connection is enough for everything and for all sessions. Needs the package
`websockets` (pip install websockets).

    python3 hub_websocket.py PROVIDER TEXT..."""

import itertools
import json
import os
import sys
import time
import uuid

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

home = os.environ.get("CODEAI_HUB_HOME") or os.path.expanduser("~/.codeai-hub")


def main(provider, text):
    cursors, session, turn, printed, pause = {}, None, None, {}, 0.1
    create = {"providerId": provider, "workspace": os.getcwd()}
    message = {"content": text, "clientMessageId": str(uuid.uuid4())}
    while True:
        try:
            with open(home + "/core/endpoint.json") as file:
                there = json.load(file)
            # hello=1 announces the hello, so that nothing live comes before the daemon knows the cursors.
            with connect(f"ws://{there['host']}:{there['port']}/api/v1/stream?hello=1", max_size=64 << 20) as socket:
                ids = itertools.count()

                def send(type, **payload):
                    socket.send(json.dumps({"type": type, "requestId": f"{type} {next(ids)}", "payload": payload}))

                send("client:hello", name="python-websocket-example", version="1", protocol=1, resume=cursors)
                if session is None:
                    send("session:create", **create)
                elif turn is None:
                    send("session:message", sessionId=session, **message)
                for line in socket:
                    frame = json.loads(line)
                    type, payload = frame["type"], frame.get("payload") or {}
                    pause = 0.1
                    if type == "ack":
                        what, error = frame["requestId"].split()[0], payload.get("error")
                        if error and error["code"] not in ("already_resolved", "request_not_found"):
                            sys.exit(error["message"])
                        if what == "session:create":
                            session = payload["result"]["id"]
                            # What came before this answer is in the record.
                            cursors[session] = payload["result"]["lastSeq"]
                            print("session", session, file=sys.stderr)
                            send("session:message", sessionId=session, **message)
                        elif what == "session:message":
                            turn = payload["result"]["turnId"]
                    if frame.get("sessionId", payload.get("sessionId")) != session or session is None:
                        continue
                    if "seq" in frame:
                        if frame["seq"] <= cursors[session]:
                            continue
                        cursors[session] = frame["seq"]
                    kind = payload.get("kind") if type == "session:event" else type
                    if "seq" in frame:
                        print(frame["seq"], kind, file=sys.stderr)
                    if kind == "stream:chunk" or kind == "session:message" and payload["role"] == "assistant":
                        if payload.get("kind", "message") != "message":
                            continue
                        item, offset = payload["itemId"], payload.get("offset", 0)
                        done = printed.get(item, 0)
                        if offset <= done:
                            new = payload["content"].encode()[done - offset:]
                            printed[item] = done + len(new)
                            print(new.decode(errors="replace"), end="", flush=True)
                    elif type == "permission:requested":
                        allow = next(o for o in payload["options"] if o["kind"] == "allow_once")
                        send("permission:respond", sessionId=session, requestId=payload["requestId"],
                             optionId=allow["optionId"])
                    elif kind == "turn_completed" and payload["turnId"] == turn:
                        print()
                        return 0 if payload["data"]["status"] == "completed" else 1
        except (OSError, WebSocketException):
            pass
        # Close code 1012 says that the daemon restarts, and could be answered at once; waiting a moment harms nobody.
        time.sleep(pause)
        pause = min(pause * 2, 5)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python3 hub_websocket.py PROVIDER TEXT...")
    sys.exit(main(sys.argv[1], " ".join(sys.argv[2:])))
