"""Sessions made up line by line, as the log has them (assets/schema): for contents and sizes that no agent would bring
in the time of a test. They come in by POST /sessions/import."""

import datetime
import random

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(random=random.SystemRandom()):
    return "01" + "".join(random.choice(ALPHABET) for _ in range(24))


class Log:
    def __init__(self, provider="echo", workspace="/tmp", start=None):
        self.id = ulid()
        self.provider = provider
        self.time = start or datetime.datetime(2026, 11, 20, 9, 0, tzinfo=datetime.timezone.utc)
        self.lines = [
            {"kind": "header", "schema": 1, "sessionId": self.id, "providerId": provider, "createdAt": self._now(),
             "workspace": workspace}
        ]
        self.turns = 0
        self.items = 0

    def _now(self):
        self.time += datetime.timedelta(milliseconds=250)
        return self.time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.time.microsecond // 1000:03d}Z"

    def event(self, kind, data, source="agent", turn=True, **fields):
        line = {"seq": len(self.lines), "ts": self._now(), "id": ulid(), "kind": kind, "source": source, "data": data}
        if turn and self.turns:
            line["turnId"] = f"t{self.turns}"
        if source == "agent":
            line["providerId"] = self.provider
        line.update(fields)
        self.lines.append(line)
        return line

    def created(self, **data):
        return self.event("status", {"type": "created", **data}, source="core", turn=False)

    def item(self):
        self.items += 1
        return f"i{self.items}"

    def begin(self, content, **data):
        """A person's message and the begin of its turn."""
        self.turns += 1
        self.event("message", {"role": "user", "content": content, **data}, source="user", itemId=self.item())
        return self.event("turn_started", {}, source="core")

    def say(self, content, **data):
        return self.event("message", {"role": "assistant", "content": content, **data}, itemId=self.item())

    def think(self, content):
        return self.event("thinking", {"content": content}, itemId=self.item())

    def tool(self, name, args, content="", title=None, kind="execute", status="completed", diff=None, **result):
        item = self.item()
        call = {"name": name, "title": title or name, "toolKind": kind, "args": args, "status": "in_progress"}
        self.event("tool_call", call, itemId=item)
        if diff:
            self.event("diff", diff, itemId=item)
        return self.event("tool_result", {"status": status, "content": content, **result}, itemId=item)

    def end(self, status="completed", **data):
        return self.event("turn_completed", {"status": status, **data}, source="core")


def long_log(events, workspace="/tmp"):
    """So many events: turns with thoughts, tools, diffs and Markdown, as a long day's work has."""
    log = Log(workspace=workspace)
    log.created(title=f"{events} events")
    number = 0
    while len(log.lines) - 1 < events - 14:
        number += 1
        log.begin(f"Step {number}: look at the parser and mend what fails.")
        log.think(f"The failure of step {number} is in the tokenizer; its state is kept between calls.")
        for index in range(3):
            log.tool("Read", {"path": f"src/parser{index}.py"}, "\n".join(f"{n}: def parse{n}(text):" for n in range(12)),
                     title=f"Read src/parser{index}.py", kind="read")
        log.tool("Edit", {"path": "src/parser.py"}, title="Edit src/parser.py", kind="edit",
                 diff={"path": "src/parser.py", "oldText": "a = 1\nb = 2\nc = 3\n", "newText": "a = 1\nb = 3\nc = 3\n"})
        log.say(f"## Step {number} is done\n\nThe **tokenizer** keeps no state now:\n\n```python\ndef tokens(text):\n"
                "    for match in PATTERN.finditer(text):\n        yield match.group()\n```\n\n- one\n- two\n- `three`\n")
        log.end(usage={"input": 1000, "output": 200, "cached": 500}, costUsd=0.01, durationMs=900)
    while len(log.lines) - 1 < events:
        log.say(f"Remark {len(log.lines)}.")
    return log
