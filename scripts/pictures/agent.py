"""An agent that speaks ACP and plays one scene, for pictures of the web client: what is shown came the way it always does."""

import itertools
import json
import sys
import time

numbers = itertools.count(1)
arguments = sys.argv[1:]
NAME = arguments[0] if arguments else "agent"

MODELS = {
    "claude": [("opus", "Opus"), ("sonnet", "Sonnet"), ("haiku", "Haiku")],
    "codex": [("gpt-codex", "GPT Codex"), ("gpt", "GPT")],
}.get(NAME, [("default", "Default")])
MODES = [("default", "Ask"), ("acceptEdits", "Accept edits"), ("plan", "Plan")]

OLD = """def test_login_expires(client, clock):
    client.login("ada")
    time.sleep(1.0)
    assert client.get("/me").status_code == 401
"""
NEW = """def test_login_expires(client, clock):
    client.login("ada")
    clock.advance(seconds=SESSION_LIFETIME + 1)
    assert client.get("/me").status_code == 401
"""


def send(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


class Session:
    def __init__(self, id):
        self.id = id

    def update(self, what, **more):
        send(method="session/update", params={"sessionId": self.id, "update": {"sessionUpdate": what, **more}})

    def say(self, text):
        for start in range(0, len(text), 60):
            self.update("agent_message_chunk", content={"type": "text", "text": text[start:start + 60]})

    def think(self, text):
        self.update("agent_thought_chunk", content={"type": "text", "text": text})

    def plan(self, *entries):
        self.update("plan", entries=[
            {"content": content, "status": status, "priority": "medium"} for content, status in entries])

    def begin(self, title, kind, **arguments):
        call = f"call{next(numbers)}"
        self.update("tool_call", toolCallId=call, title=title, kind=kind, status="in_progress", rawInput=arguments)
        return call

    def end(self, call, text="", diff=None):
        content = [{"type": "content", "content": {"type": "text", "text": text}}] if text else []
        if diff:
            path, old, new = diff
            content.append({"type": "diff", "path": path, "oldText": old, "newText": new})
        self.update("tool_call_update", toolCallId=call, status="completed", content=content)

    def tool(self, title, kind, text="", diff=None, **arguments):
        self.end(self.begin(title, kind, **arguments), text, diff)

    def ask(self, call, title, **arguments):
        send(id=f"ask{next(numbers)}", method="session/request_permission", params={
            "sessionId": self.id, "toolCall": {"toolCallId": call, "title": title, "rawInput": arguments},
            "options": [
                {"optionId": "once", "name": "Allow once", "kind": "allow_once"},
                {"optionId": "always", "name": "Always allow pytest", "kind": "allow_always"},
                {"optionId": "no", "name": "Reject", "kind": "reject_once"},
            ]})

    def usage(self, used, cost):
        self.update("usage_update", used=used, size=200_000, cost={"amount": cost, "currency": "USD"})


def login(session):
    """Ends with a permission that nobody has given yet."""
    session.think("One failure in twenty sounds like the clock. I look at how the test waits before I touch anything.")
    session.tool("Read tests/test_login.py", "read", OLD, path="tests/test_login.py")
    session.tool("grep -rn SESSION_LIFETIME src", "search", "src/sessions.py:14:SESSION_LIFETIME = 1.0\n", pattern="SESSION_LIFETIME")
    session.plan(("Find what makes it flaky", "completed"), ("Take the real clock out of the test", "in_progress"),
                 ("Run it two hundred times", "pending"))
    session.say(
        "The test **sleeps exactly as long as a session lives**. When the machine is busy the request gets there early "
        "enough to find the session still alive:\n\n"
        "| sleeps | lives | left over |\n|---|---|---|\n| 1.0 s | 1.0 s | nothing |\n\n"
        "There is a `clock` fixture already. With it nothing has to wait:\n")
    session.tool("Edit tests/test_login.py", "edit", diff=("tests/test_login.py", OLD, NEW), path="tests/test_login.py")
    session.say("Now I run it often enough to believe it.")
    session.usage(48_200, 0.37)
    call = session.begin("pytest tests/test_login.py --count 200", "execute", command="pytest tests/test_login.py --count 200 -q")
    session.ask(call, "pytest tests/test_login.py --count 200", command="pytest tests/test_login.py --count 200 -q",
                cwd="/home/ada/shop")
    return False


def migration(session):
    session.think("Postgres 17 is the target.")
    session.tool("Read migrations/0042_orders.sql", "read", "CREATE INDEX CONCURRENTLY ...", path="migrations/0042_orders.sql")
    call = session.begin("make migrate-dry-run", "execute", command="make migrate-dry-run")
    for number in range(1, 400):
        line = f"[{number:03}/400] orders_{number:03}: ok\n"
        session.update("tool_call_update", toolCallId=call, content=[{"type": "content", "content": {"type": "text", "text": line}}])
        time.sleep(1)
    return True


def short(session):
    session.tool("git log --oneline -20", "execute", "a1b2c3d Release 2.4\n", command="git log --oneline -20")
    session.say("Done: the notes are in `CHANGELOG.md`, three entries, newest first.")
    session.usage(12_000, 0.06)
    return True


def scene(words):
    if "flaky" in words:
        return login
    return migration if "migration" in words else short


def main():
    sessions, prompt = {}, None
    for line in sys.stdin:
        message = json.loads(line)
        method, params = message.get("method"), message.get("params") or {}
        if method == "initialize":
            send(id=message["id"], result={"protocolVersion": 1, "agentCapabilities": {"promptCapabilities": {"image": True}}})
        elif method == "session/new":
            session = Session(f"{NAME}-{next(numbers)}")
            sessions[session.id] = session
            send(id=message["id"], result={
                "sessionId": session.id,
                "models": {"currentModelId": MODELS[0][0],
                           "availableModels": [{"modelId": id, "name": name} for id, name in MODELS]},
                "modes": {"currentModeId": "default", "availableModes": [{"id": id, "name": name} for id, name in MODES]}})
        elif method == "session/prompt":
            prompt = message["id"]
            if scene(params["prompt"][-1]["text"])(sessions[params["sessionId"]]):
                send(id=prompt, result={"stopReason": "end_turn"})
        elif "id" in message and method is None:
            send(id=prompt, result={"stopReason": "end_turn"})
        elif "id" in message:
            send(id=message["id"], result={})


main()
