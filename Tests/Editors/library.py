"""An editor on the protocol's reference library, which checks every message against the schema, at the door of a real
daemon. One scenario a run:

    CODEAI_HUB_HOME=HOME python library.py SCENARIO DOOR [ARGUMENT...]

DOOR is the program `codeai-hub`. Ends with 0 when everything was as it must be."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import acp
from acp import schema

DOOR = sys.argv[2]
HOME = os.environ["CODEAI_HUB_HOME"]
WORK = os.environ["HOME"] + "/work"
LIMIT = 60


def endpoint():
    with open(HOME + "/core/endpoint.json") as file:
        return json.load(file)


def hub(method, path, body=None, name="another"):
    """A request of another client's."""
    there = endpoint()
    data = None if body is None else json.dumps(body).encode()
    headers = {"User-Agent": name}
    if data is not None:
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(
        f"http://{there['host']}:{there['port']}/api/v1{path}", data=data, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=20) as response:
        text = response.read()
        return json.loads(text) if text else None


def log(session):
    records, after = [], 0
    while True:
        page = hub("GET", f"/sessions/{session}/events?after={after}&limit=500")
        records += page["events"]
        if not page["hasMore"]:
            return records
        after = records[-1]["seq"]


async def eventually(what, is_so, limit=LIMIT):
    end = time.monotonic() + limit
    while True:
        with contextlib.suppress(OSError, urllib.error.URLError):
            value = is_so()
            if value:
                return value
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        await asyncio.sleep(0.02)


class Editor(acp.Client):
    """What an editor shows, and how its person answers."""

    def __init__(self):
        self.updates = []
        self.raw = []
        self.dialogs = []
        self.answer = lambda options: options[0].option_id
        self.held = None

    async def session_update(self, session_id, update, **kwargs):
        self.updates.append((session_id, update.model_dump(mode="json", by_alias=True, exclude_none=True)))

    async def request_permission(self, session_id, tool_call, options, **kwargs):
        self.dialogs.append((tool_call, options))
        if self.held is not None:
            await self.held.wait()
        return schema.RequestPermissionResponse(
            outcome=schema.AllowedOutcome(outcome="selected", option_id=self.answer(options)))

    async def create_elicitation(self, message, mode, **kwargs):
        self.dialogs.append((message, mode))
        return schema.AcceptElicitationResponse(action="accept", content={"answer": "blue"})

    def of(self, kind, session=None):
        return [u for s, u in self.updates if u["sessionUpdate"] == kind and session in (None, s)]

    def text(self, kind="agent_message_chunk", notes=False):
        return "".join(
            u["content"].get("text", "") for u in self.of(kind)
            if notes or not u.get("_meta", {}).get("codeai-hub", {}).get("note"))

    def withdrawn(self):
        return [m for m in self.raw if m.get("method") == "$/cancel_request"]


@contextlib.asynccontextmanager
async def door(*arguments, forms=True, name="Test Editor"):
    """An editor with the door as its agent, introduced."""
    editor = Editor()

    def observe(event):
        if event.direction.value == "incoming":
            editor.raw.append(event.message)

    async with acp.spawn_agent_process(
        editor, DOOR, "acp", *arguments, env=dict(os.environ), use_unstable_protocol=True, observers=[observe],
        # The library counts lines longer than this as a broken connection.
        transport_kwargs={"limit": 64 << 20},
    ) as (agent, process):
        elicitation = schema.ElicitationCapabilities(form=schema.ElicitationFormCapabilities()) if forms else None
        answer = await bounded(agent.initialize(
            protocol_version=1, client_capabilities=schema.ClientCapabilities(elicitation=elicitation),
            client_info=schema.Implementation(name="test", title=name, version="1.0")))
        assert answer.protocol_version == 1 and answer.agent_capabilities.load_session
        editor.process = process
        yield editor, agent


async def bounded(work):
    return await asyncio.wait_for(work, LIMIT)


async def ask(agent, session, text, *more):
    return await bounded(agent.prompt(session_id=session, prompt=[acp.text_block(text), *more]))


async def refused(code, work):
    try:
        await bounded(work)
    except acp.RequestError as error:
        assert error.code == code, f"{error.code} {error} {error.data}"
        return error
    raise AssertionError(f"was not refused with {code}")


async def new(agent, **more):
    return (await bounded(agent.new_session(cwd=WORK, mcp_servers=[], **more))).session_id


def told(updates):
    """What a list of updates shows in the end: texts joined by message, tools as they stand, in order of appearance."""
    order, things = [], {}
    for update in updates:
        kind = update["sessionUpdate"]
        if kind.endswith("_chunk"):
            if update.get("_meta", {}).get("codeai-hub", {}).get("note"):
                continue
            key = (kind, update["messageId"])
            things.setdefault(key, "")
            things[key] += update["content"].get("text", "")
        elif kind in ("tool_call", "tool_call_update"):
            key = ("tool", update["toolCallId"])
            things.setdefault(key, {})
            things[key].update({k: v for k, v in update.items() if k in ("title", "status", "content", "rawInput")})
        elif kind == "plan":
            key = ("plan", len(order))
            things[key] = [(e["content"], e["status"]) for e in update["entries"]]
        else:
            continue
        if key not in order:
            order.append(key)
    return [(key[0], things[key]) for key in order]


def logged(records):
    """The same of the log."""
    order, things = [], {}
    for record in records:
        data, kind, item = record["data"], record["kind"], record.get("itemId")
        if kind == "message":
            role = "user_message_chunk" if data["role"] == "user" else "agent_message_chunk"
            key = (role, item or record["seq"])
            things[key] = data["content"]
        elif kind == "thinking":
            key = ("agent_thought_chunk", item)
            things[key] = data["content"]
        elif kind == "tool_call":
            key = ("tool", item)
            things[key] = {"title": data["title"], "rawInput": data["args"]}
        elif kind == "diff":
            key = ("tool", item)
            block = {"type": "diff", "path": data["path"], "newText": data["newText"]}
            if "oldText" in data:
                block["oldText"] = data["oldText"]
            things[key].setdefault("diffs", []).append(block)
        elif kind == "tool_result":
            key = ("tool", item)
            things[key]["status"] = "completed" if data["status"] == "completed" else "failed"
            things[key]["text"] = data["content"]
        elif kind == "plan":
            key = ("plan", record["seq"])
            things[key] = [(e["content"], e["status"]) for e in data["entries"]]
        else:
            continue
        if key not in order:
            order.append(key)
    return [(key[0], things[key]) for key in order]


def same(shown, records):
    expected = logged(records)
    assert [k for k, _ in shown] == [k for k, _ in expected], f"{shown}\n{expected}"
    for (kind, a), (_, b) in zip(shown, expected):
        if kind != "tool":
            assert a == b, f"{kind}: {a!r} {b!r}"
            continue
        assert a["title"] == b["title"] and a["rawInput"] == b["rawInput"] and a["status"] == b["status"], f"{a} {b}"
        if "diffs" in b:
            assert [c for c in a["content"] if c["type"] == "diff"] == b["diffs"], f"{a} {b}"
        elif isinstance(b["text"], str) and b["text"]:
            assert b["text"] in a["content"][0]["content"]["text"], f"{a} {b}"


# Scenarios

async def conversation():
    """Everything an agent says, live; and the same again when the session is loaded."""
    async with door("--provider", "echo") as (editor, agent):
        opened = await bounded(agent.new_session(cwd=WORK, mcp_servers=[
            schema.McpServerStdio(name="clock", command="/bin/false", args=[], env=[])]))
        session = opened.session_id
        assert any(o.id == "agent" and o.current_value == "echo" for o in opened.config_options)
        first = await ask(agent, session, '[[think:hm]] [[text:hi there]] [[tool:Bash {"command":"ls"}]] '
                                          '[[tool-fail:Read no such file]] [[diff:/tmp/a|old|new]] [[plan:+a|*b|c]] '
                                          '[[usage:100,5,0.01]] [[text:done]]')
        assert first.stop_reason == "end_turn" and first.usage.input_tokens == 100
        assert "clock" in editor.text(notes=True), "what isn't passed on is said"
        assert not editor.of("user_message_chunk"), "the editor shows its own prompts itself"
        for kind in ("agent_thought_chunk", "tool_call", "tool_call_update", "plan", "usage_update",
                     "session_info_update", "config_option_update"):
            assert editor.of(kind), f"no {kind} in {editor.updates}"
        # Growing text comes in pieces, and the event that has the whole repeats none of it.
        await ask(agent, session, "[[stream:40x200@200]]")
        streamed = [r for r in log(session) if r["kind"] == "message"][-1]["data"]["content"]
        assert editor.text().endswith(streamed) and editor.text().count(streamed) == 1
        assert len([u for u in editor.of("agent_message_chunk") if u["content"]["text"] in streamed]) > 2
        # A large text comes in parts that every editor can take.
        await ask(agent, session, "[[large:2000000]]")
        assert max(len(u["content"].get("text", "")) for u in editor.of("agent_message_chunk")) <= 32 << 10
        same([t for t in told([u for _, u in editor.updates])],
             [r for r in log(session) if not (r["kind"] == "message" and r["data"]["role"] == "user")])
        # What is attached arrives, and is shown when the session is loaded.
        pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
        await ask(
            agent, session, "[[text:seen]] look at", acp.image_block(pixel, "image/png"),
            acp.resource_link_block("a.txt", "file:///tmp/a.txt"),
            acp.resource_block(acp.embedded_text_resource("file:///tmp/b%20c.txt", "inside", mime_type="text/plain")))
        attached = [r for r in log(session) if r["kind"] == "message" and r["data"]["role"] == "user"][-1]["data"]
        assert attached["content"].startswith("[[text:seen]] look at @a.txt @b c.txt"), attached
        assert [a.get("mediaType") for a in attached["attachments"]][0] == "image/png"
        assert attached["attachments"][2]["name"] == "/tmp/b c.txt" and attached["attachments"][2]["text"] == "inside"

        # Another person's message, live.
        before = len(editor.updates)
        hub("POST", f"/sessions/{session}/messages", {"content": "[[text:from elsewhere]]"}, name="Phone")
        await eventually("it is shown", lambda: "from elsewhere" in "".join(
            u["content"]["text"] for _, u in editor.updates[before:] if u["sessionUpdate"] == "agent_message_chunk"))
        others = [u for _, u in editor.updates[before:] if u["sessionUpdate"] == "user_message_chunk"]
        assert others[0]["content"]["text"] == "[[text:from elsewhere]]"
        assert others[0]["_meta"]["codeai-hub"]["by"] == "Phone"

        editor.updates.clear()
        loaded = await bounded(agent.load_session(cwd=WORK, session_id=session, mcp_servers=[]))
        assert loaded.modes.current_mode_id == "default"
        shown = [u for _, u in editor.updates]
        blocks = [u["content"] for u in shown if u["sessionUpdate"] == "user_message_chunk"]
        assert {"image", "resource_link", "resource"} <= {b["type"] for b in blocks}
        same(told(shown), log(session))
    # Another editor, later.
    async with door() as (editor, agent):
        await bounded(agent.load_session(cwd=WORK, session_id=session, mcp_servers=[]))
        same(told([u for _, u in editor.updates]), log(session))


async def sessions():
    """Listed, resumed, forked, closed, deleted; modes and options; errors with their codes."""
    async with door("--provider", "echo") as (editor, agent):
        a, b = await new(agent), await new(agent)
        await ask(agent, a, "[[text:one]]")
        await asyncio.gather(ask(agent, a, "[[text:two]]"), ask(agent, b, "[[text:three]]"))
        assert "two" in str(editor.of("agent_message_chunk", a)) and "three" in str(editor.of("agent_message_chunk", b))
        assert "three" not in str(editor.of("agent_message_chunk", a))
        listed = await bounded(agent.list_sessions())
        assert {a, b} <= {s.session_id for s in listed.sessions}
        assert (await bounded(agent.list_sessions(cwd="/nowhere"))).sessions == []

        await bounded(agent.set_session_mode(session_id=a, mode_id="plan"))
        assert editor.of("current_mode_update", a)[-1]["currentModeId"] == "plan"
        options = await bounded(agent.set_config_option(session_id=a, config_id="model", value="large"))
        assert [o.current_value for o in options.config_options if o.id == "model"] == ["large"]
        record = hub("GET", f"/sessions/{a}")
        assert record["mode"] == "plan" and record["model"] == "large"
        hub("PATCH", f"/sessions/{a}", {"mode": "auto", "title": "Renamed"})
        await eventually("another's choice is shown", lambda: editor.of("current_mode_update", a)[-1]["currentModeId"] == "auto")
        await eventually("the new title is shown", lambda: any(u.get("title") == "Renamed" for u in editor.of("session_info_update", a)))

        editor.updates.clear()
        await bounded(agent.resume_session(session_id=a, cwd=WORK))
        assert not editor.of("agent_message_chunk"), "nothing is told again"
        await ask(agent, a, "[[text:four]]")
        assert editor.text() == "four"
        forked = await bounded(agent.fork_session(session_id=a, cwd=WORK))
        assert forked.session_id not in (a, b) and forked.modes.current_mode_id == "auto"
        await ask(agent, forked.session_id, "[[text:five]]")
        await bounded(agent.close_session(session_id=forked.session_id))
        await refused(-32002, agent.prompt(session_id=forked.session_id, prompt=[acp.text_block("x")]))

        await refused(-32002, agent.load_session(cwd=WORK, session_id="no-such-session", mcp_servers=[]))
        await refused(-32602, agent.load_session(cwd=WORK, session_id="../core/token", mcp_servers=[]))
        await refused(-32602, agent.new_session(cwd="relative", mcp_servers=[]))
        await refused(-32602, agent.set_session_mode(session_id=a, mode_id="no-such-mode"))
        await refused(-32602, agent.prompt(session_id=a, prompt=[]))
        await refused(-32601, agent.ext_method("nothing/like/this", {}))
        error = await refused(-32000, agent.prompt(session_id=a, prompt=[acp.text_block("[[error:auth no]]")]))
        assert error.data["code"] == "authentication_failed"
        error = await refused(-32603, agent.prompt(session_id=a, prompt=[acp.text_block("[[error:quota@5]]")]))
        assert error.data["code"] == "quota_exhausted" and error.data["retryAfter"] > 0
        error = await refused(-32603, agent.prompt(session_id=a, prompt=[acp.text_block("[[crash:3]]")]))
        assert error.data["code"] == "provider_crashed"

        waiting = asyncio.create_task(agent.prompt(session_id=b, prompt=[acp.text_block("[[stall:60]]")]))
        await eventually("it runs", lambda: hub("GET", f"/sessions/{b}")["status"] == "running")
        hub("DELETE", f"/sessions/{b}")
        await refused(-32002, waiting)


async def permissions():
    """Asked in the editor and everywhere else; the first answer counts."""
    async with door("--provider", "echo") as (editor, agent):
        session = await new(agent)
        editor.answer = lambda options: [o.option_id for o in options if o.kind == "reject_once"][0]
        await ask(agent, session, "[[permission:once,reject rm x]]")
        call, options = editor.dialogs[0]
        assert call.title == "rm x" and [o.kind for o in options] == ["allow_once", "reject_once"]
        assert "reject_once" in editor.text()
        resolved = [r for r in log(session) if r["kind"] == "permission_resolved"][-1]["data"]
        assert resolved["by"]["name"].startswith("Test Editor"), resolved

        # Another client is faster; the editor's late answer changes nothing.
        editor.held, editor.answer = asyncio.Event(), lambda options: "reject"
        turn = asyncio.create_task(ask(agent, session, "[[permission:once,reject rm y]]"))
        await eventually("the editor asks", lambda: len(editor.dialogs) == 2)
        request = [r for r in log(session) if r["kind"] == "permission_requested"][-1]["data"]["requestId"]
        hub("POST", f"/sessions/{session}/permissions/{request}", {"optionId": "once"})
        await turn
        assert len(editor.withdrawn()) == 1
        asked = [m for m in editor.raw if m.get("method") == "session/request_permission"][-1]
        assert editor.withdrawn()[0]["params"]["requestId"] == asked["id"]
        editor.held.set()
        editor.held = None
        await ask(agent, session, "[[text:on]]")
        assert "rm y: allow_once" in editor.text() and editor.text().endswith("on")

        # A question, as a form.
        await ask(agent, session, "[[question:Which colour?|red|blue]]")
        assert editor.dialogs[-1][0] == "Which colour?" and "You answered: blue" in editor.text()

        # The editor goes while somebody has to answer: the session waits for anybody else.
        editor.held = asyncio.Event()
        turn = asyncio.create_task(ask(agent, session, "[[permission:once,reject rm z]] [[text:after]]"))
        await eventually("it waits", lambda: hub("GET", f"/sessions/{session}")["status"] == "waiting")
        editor.process.terminate()
        await editor.process.wait()
        turn.cancel()
    # Without forms a question with a few answers is asked like a permission; loading shows what waits.
    async with door("--provider", "echo", forms=False) as (editor, agent):
        await bounded(agent.load_session(cwd=WORK, session_id=session, mcp_servers=[]))
        await eventually("the editor asks", lambda: editor.dialogs)
        await eventually("its turn goes on", lambda: editor.text().endswith("after"))
        editor.answer = lambda options: [o.option_id for o in options if o.name == "red"][0]
        await ask(agent, session, "[[question:Which colour?|red|blue]]")
        assert "You answered: red" in editor.text()
        turn = asyncio.create_task(ask(agent, session, "[[question:What is your name?]]"))
        await eventually("it is said where to answer", lambda: f"codeai-hub answer {session}" in editor.text(notes=True))
        request = [r for r in log(session) if r["kind"] == "question_requested"][-1]["data"]["requestId"]
        hub("POST", f"/sessions/{session}/questions/{request}", {"answers": {"answer": "Ada"}})
        await turn
        assert "You answered: Ada" in editor.text()


async def cancelling():
    """What runs is interrupted, what waits is withdrawn."""
    async with door("--provider", "echo") as (editor, agent):
        session = await new(agent)
        running = asyncio.create_task(ask(agent, session, "[[stream:1000x20@50]]"))
        await eventually("it streams", lambda: len(editor.of("agent_message_chunk")) > 3)
        waiting = asyncio.create_task(ask(agent, session, "[[text:never]]"))
        await eventually("one waits", lambda: hub("GET", f"/sessions/{session}")["queue"])
        await agent.cancel(session_id=session)
        assert [(await t).stop_reason for t in (running, waiting)] == ["cancelled", "cancelled"]
        assert "never" not in editor.text()
        assert (await ask(agent, session, "[[text:alive]]")).stop_reason == "end_turn"
        # By somebody else.
        running = asyncio.create_task(ask(agent, session, "[[stall:60]]"))
        await eventually("it runs", lambda: hub("GET", f"/sessions/{session}")["status"] == "running")
        hub("POST", f"/sessions/{session}/interrupt", {})
        assert (await running).stop_reason == "cancelled"
        # With a dialog open.
        editor.held = asyncio.Event()
        running = asyncio.create_task(ask(agent, session, "[[permission:once,reject rm]]"))
        await eventually("the editor asks", lambda: editor.dialogs)
        await agent.cancel(session_id=session)
        assert (await running).stop_reason == "cancelled"
        assert len(editor.withdrawn()) == 1


async def two_doors():
    """Two editors on one session see the same, and either answers."""
    async with door("--provider", "echo", name="Left") as (left, a), door(name="Right") as (right, b):
        session = await new(a)
        await ask(a, session, "[[text:before]]")
        await bounded(b.load_session(cwd=WORK, session_id=session, mcp_servers=[]))
        assert right.text() == "before"
        right.held = asyncio.Event()
        left.held = asyncio.Event()
        turn = asyncio.create_task(ask(a, session, "[[stream:30x100@100]] [[permission:once,reject rm]] [[text:end]]"))
        await eventually("both ask", lambda: left.dialogs and right.dialogs)
        right.held.set()
        assert (await turn).stop_reason == "end_turn"
        await eventually("the other saw all of it", lambda: right.text().endswith("end"))
        assert left.text() == right.text()
        assert len(left.withdrawn()) == 1 and not right.withdrawn()
        assert right.text("user_message_chunk").startswith("[[text:before]][[stream")
        resolved = [r for r in log(session) if r["kind"] == "permission_resolved"][-1]["data"]
        assert resolved["by"]["name"].startswith("Right")
        # Both at once: one after the other, and each is answered.
        await asyncio.gather(ask(a, session, "[[text:L]]"), ask(b, session, "[[text:R]]"))
        await eventually("both have both", lambda: all(set("LR") <= set(e.text()[-2:]) for e in (left, right)))


async def daemon_dies():
    """kill -9 in the middle of a prompt: the editor hears of the turn, and of nothing else."""
    async with door("--provider", "echo") as (editor, agent):
        session = await new(agent)
        await ask(agent, session, "[[text:before]]")
        running = asyncio.create_task(ask(agent, session, "[[text:first]] [[stream:5000x20@100]]"))
        await eventually("it streams", lambda: len(editor.of("agent_message_chunk")) > 10)
        first = endpoint()
        os.kill(first["pid"], signal.SIGKILL)
        error = await refused(-32603, running)
        assert error.data["code"] == "interrupted", error.data
        assert endpoint()["pid"] != first["pid"], "the door has started it again"
        assert (await ask(agent, session, "[[text:after]]")).stop_reason == "end_turn"
        assert editor.text().endswith("after")
        editor.updates.clear()
        await bounded(agent.load_session(cwd=WORK, session_id=session, mcp_servers=[]))
        same(told([u for _, u in editor.updates]), log(session))

        # A planned restart: a queued prompt goes through it.
        editor.updates.clear()
        hub("POST", "/core/restart", {"graceMs": 3000})
        assert (await ask(agent, session, "[[text:restarted]]")).stop_reason == "end_turn"
        assert editor.text() == "restarted"

        # Stopped by a person: not started again until the editor wants something.
        pid = endpoint()["pid"]
        hub("POST", "/core/shutdown", {})
        await eventually("it has gone", lambda: not os.path.exists(HOME + "/core/endpoint.json"))
        await asyncio.sleep(1.5)
        assert not os.path.exists(HOME + "/core/endpoint.json")
        assert (await ask(agent, session, "[[text:woken]]")).stop_reason == "end_turn"
        assert editor.text().endswith("woken") and endpoint()["pid"] != pid
    os.kill(endpoint()["pid"], signal.SIGTERM)


def raw():
    return subprocess.Popen(
        [DOOR, "acp", "--provider", "echo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def line(method, id=None, **params):
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    if id is not None:
        message["id"] = id
    return json.dumps(message).encode() + b"\n"


def answer(process, id):
    for text in process.stdout:
        message = json.loads(text)
        if message.get("id") == id and "method" not in message:
            return message
    raise AssertionError("the door has gone")


def resident(pid):
    with open(f"/proc/{pid}/status") as file:
        return [int(l.split()[1]) for l in file if l.startswith("VmHWM")][0] // 1024


async def hostile():
    """Garbage, giant lines, a flood that is never read, an editor that vanishes."""
    process = raw()
    process.stdin.write(b'\xff\xfe\x00garbage\n{"jsonrpc":"2.0"}\n[]\n\n[1,2]\n{"id":7,"method":5}\n')
    process.stdin.write(line("initialize", 1, protocolVersion=1))
    process.stdin.flush()
    assert answer(process, 1)["result"]["protocolVersion"] == 1

    # A line of 48 MiB is passed over, not kept.
    writer = threading.Thread(target=lambda: (
        process.stdin.write(b'{"jsonrpc":"2.0","id":2,"method":"' + b"x" * (48 << 20) + b'"}\n'
                            + line("session/list", 3)), process.stdin.flush()))
    writer.start()
    message = json.loads(process.stdout.readline())
    assert message["error"]["code"] == -32700, message
    assert "sessions" in answer(process, 3)["result"]
    writer.join()

    # Requests without end, of which no answer is read: the door stops reading.
    sent = 0
    os.set_blocking(process.stdin.fileno(), False)
    flood = line("session/list", 4) * 200
    end = time.monotonic() + 20
    stuck = 0
    while stuck < 10 and time.monotonic() < end:
        try:
            sent += os.write(process.stdin.fileno(), flood)
            stuck = 0
        except BlockingIOError:
            stuck += 1
            time.sleep(0.1)
    assert stuck == 10, f"{sent} bytes were taken, and no end"
    peak = resident(process.pid)
    assert peak < 200, f"{peak} MiB"
    print(f"flood: {sent} bytes taken before the door stopped reading, {peak} MiB at most")
    process.kill()
    process.wait()

    # An editor that vanishes in the middle of a turn: the turn goes on.
    process = raw()
    process.stdin.write(line("initialize", 1, protocolVersion=1) + line("session/new", 2, cwd=WORK, mcpServers=[]))
    process.stdin.flush()
    session = answer(process, 2)["result"]["sessionId"]
    process.stdin.write(line(
        "session/prompt", 3, sessionId=session, prompt=[{"type": "text", "text": "[[stall:1]] [[text:alone]]"}]))
    process.stdin.flush()
    await eventually("it runs", lambda: hub("GET", f"/sessions/{session}")["status"] == "running")
    process.stdin.close()
    assert process.wait(timeout=20) == 0
    assert all(json.loads(text)["jsonrpc"] == "2.0" for text in process.stdout), "only the protocol is on stdout"
    await eventually("the turn ends", lambda: log(session)[-1]["kind"] == "turn_completed")
    assert [r["data"]["content"] for r in log(session) if r["kind"] == "message"][-1] == "alone"
    # On a terminal or with nothing to talk to it ends at once.
    assert subprocess.run([DOOR, "acp"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20).returncode == 0


async def claude():
    """The real Claude Code."""
    path = WORK + "/made.txt"
    async with door("--provider", "claude") as (editor, agent):
        opened = await bounded(agent.new_session(cwd=WORK, mcp_servers=[]))
        session = opened.session_id
        assert "plan" in [m.id for m in opened.modes.available_modes]
        editor.answer = lambda options: [o.option_id for o in options if o.kind == "allow_once"][0]
        write = json.dumps({"file_path": path, "content": "made\n"})
        done = await ask(agent, session, f"[[think:let me]] [[text:I write]] [[tool:Write {write}]] [[text:done]]")
        assert done.stop_reason == "end_turn" and done.usage.input_tokens > 0
        assert open(path).read() == "made\n"
        assert len(editor.dialogs) == 1 and editor.dialogs[0][0].raw_input["file_path"] == path
        call = editor.of("tool_call")[0]
        assert call["kind"] == "edit" and call["locations"] == [{"path": path}], call
        diffs = [c for u in editor.of("tool_call_update") for c in u.get("content", []) if c["type"] == "diff"]
        assert diffs[-1]["path"] == path and diffs[-1]["newText"] == "made\n", diffs
        assert editor.text().endswith("done") and "let me" in editor.text("agent_thought_chunk")
        assert editor.of("available_commands_update")[-1]["availableCommands"]
        # Answered elsewhere.
        editor.held = asyncio.Event()
        touch = json.dumps({"command": f"touch {WORK}/touched", "description": "t"})
        turn = asyncio.create_task(ask(agent, session, f"[[tool:Bash {touch}]] [[text:touched]]"))
        await eventually("the editor asks", lambda: len(editor.dialogs) == 2)
        request = [r for r in log(session) if r["kind"] == "permission_requested"][-1]["data"]
        option = [o["optionId"] for o in request["options"] if o["kind"] == "allow_once"][0]
        hub("POST", f"/sessions/{session}/permissions/{request['requestId']}", {"optionId": option})
        await turn
        assert os.path.exists(WORK + "/touched") and len(editor.withdrawn()) == 1
        editor.updates.clear()
        await bounded(agent.load_session(cwd=WORK, session_id=session, mcp_servers=[]))
        assert [u["content"]["text"] for u in editor.of("agent_message_chunk") if u["content"]["text"] == "touched"]
        error = await refused(-32000, agent.prompt(session_id=session, prompt=[acp.text_block("[[status:401]]")]))
        assert error.data["code"] == "authentication_failed"


scenarios = {f.__name__: f for f in (
    conversation, sessions, permissions, cancelling, two_doors, daemon_dies, hostile, claude)}
os.makedirs(WORK, exist_ok=True)
began = time.monotonic()
asyncio.run(scenarios[sys.argv[1]]())
print(f"{sys.argv[1]}: {time.monotonic() - began:.1f} s")
