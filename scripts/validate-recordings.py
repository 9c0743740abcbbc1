#!/usr/bin/env python3
"""Holds what the tests heard and said against the JSON Schemas and doc/openapi.json.

    scripts/validate-recordings.py FOLDER [--partial]

FOLDER is what CODEAI_HUB_TEST_RECORDINGS named while the tests ran (Tests/Support/Recording.swift): frames, HTTP
answers, the logs that sessions left, and what adapters made of recorded agents. Here the schemas are taken more strictly than readers must take them: a
member, a code or a value that they don't name is a mistake, of the daemon or of the description. Fails, too, when a
kind of event, a frame or an operation never occurred; --partial is for runs of some tests only.

Needs jsonschema-rs (scripts/install-test-tools.sh)."""

import collections
import json
import pathlib
import re
import sys

import jsonschema_rs

root = pathlib.Path(__file__).resolve().parent.parent

# What need not occur, with the reason.
MAY_BE_MISSING = {
    "frame client:slow": "how much the kernel takes before a client's queue fills is the machine's business",
    "frame core:restarting": "sent right before the socket closes; the clients of that test may be elsewhere then",
    "frame session:error": "only a log that can't be read or written brings it, and then answers say so as well",
}


def strict(schema):
    """As the published schemas say what there is today: nothing else."""
    if isinstance(schema, list):
        return [strict(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: strict(value) for key, value in schema.items()}
    if "properties" in result and result.get("type") in ("object", ["object", "null"]):
        result.setdefault("additionalProperties", False)
    if "x-extensible-enum" in result:
        result["enum"] = result.pop("x-extensible-enum") + ([None] if "null" in result["type"] else [])
    return result


class Checks:
    def __init__(self):
        definitions = json.loads((root / "assets/schema/definitions.schema.json").read_text())["$defs"]
        self.published = definitions
        self.definitions = strict(definitions)
        self.api = json.loads((root / "doc/openapi.json").read_text())
        self.compiled = {}
        self.counts = collections.Counter()
        self.problems = collections.Counter()
        self.examples = {}
        self.damaged_lines = 0
        self.paths = [(re.compile("^" + re.sub(r"\\{[^}]*\\}|\{[^}]*\}", "[^/]+", path) + "$"), path, item)
                      for path, item in sorted(self.api["paths"].items(), key=lambda entry: "{" in entry[0])]

    def validator(self, schema, key):
        if key not in self.compiled:
            schema = json.loads(json.dumps(schema).replace("#/components/schemas/", "#/$defs/"))
            self.compiled[key] = jsonschema_rs.validator_for({
                "$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "$defs": self.definitions})
        return self.compiled[key]

    def named(self, name):
        return self.validator({"$ref": f"#/$defs/{name}"}, name)

    def check(self, what, validator, value, where):
        self.counts[what] += 1
        for error in list(validator.iter_errors(value))[:3]:
            place = "/".join("*" if isinstance(part, int) else str(part) for part in error.instance_path)
            self.problem(what, f"/{place}: {error.message[:300]}", where, value)

    def problem(self, what, text, where, value):
        # Alike but for what they quote.
        key = (what, re.sub(r'"[^"]{0,80}"|[0-9]+', "…", text)[:160])
        self.problems[key] += 1
        self.examples.setdefault(key, (text, where, json.dumps(value)[:600]))

    # ---- records ----

    def event(self, value, where):
        kind = value.get("kind")
        name = "".join(part.capitalize() for part in str(kind).split("_")) + "Event"
        if name not in self.definitions:
            return self.problem(f"kind {kind}", "is not described", where, value)
        if kind != "status":
            return self.check(f"kind {kind}", self.named(name), value, where)
        # Of a union a validator only says that none fits.
        self.check("kind status", self.named(name), {**value, "data": {"type": "any"}}, where)
        self.status(value.get("data"), where)

    def status(self, data, where):
        kind = data.get("type") if isinstance(data, dict) else None
        name = "".join(part.capitalize() for part in str(kind).split("_")) + "Status"
        if name in self.definitions:
            return self.check(f"status {kind}", self.named(name), data, where)
        self.check("status of an adapter", self.named("AdapterStatus"), data, where)

    def frame(self, value, where):
        kind = value.get("type")
        name = "".join(part.capitalize() for part in re.split("[:_]", str(kind))) + "Frame"
        if name not in self.definitions:
            return self.problem(f"frame {kind}", "is not described", where, value)
        if kind == "session:event":
            self.event(value.get("payload", {}), where)
            stand_in = {"seq": 1, "ts": "2026-11-21T10:00:00.000Z", "id": "x", "kind": "usage", "source": "agent",
                        "data": {"input": 0, "output": 0, "cached": 0}}
            value = {**value, "payload": stand_in}
        self.check(f"frame {kind}", self.named(name), value, where)

    def request(self, value, where):
        kind = value.get("type")
        name = "".join(part.capitalize() for part in re.split("[:_]", str(kind))) + "Request"
        if name not in self.definitions:
            return self.problem(f"request {kind}", "was carried out, but is not described", where, value)
        # Clients may send more than the daemon knows.
        self.check(f"request {kind}", self.validator_open(name), value, where)

    def validator_open(self, name):
        if ("open", name) not in self.compiled:
            self.compiled["open", name] = jsonschema_rs.validator_for({
                "$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": f"#/$defs/{name}",
                "$defs": self.published})
        return self.compiled["open", name]

    # ---- HTTP ----

    def answer(self, record, where):
        method, path, status = record["method"], record["path"].split("?")[0], record["status"]
        path = path.removeprefix("/api/v1")
        operation, name = None, None
        for pattern, template, item in self.paths:
            if pattern.match(path):
                operation, name = item.get("get" if method == "HEAD" else method.lower()), template
                if operation:
                    break
        media = (record.get("contentType") or "").split(";")[0]
        if operation is None or status in (404, 405, 406) or method == "OPTIONS":
            if status >= 400 and method != "HEAD":
                self.check("error of no operation", self.named("Error"), record.get("body"), where)
            return
        what = f"operation {method} {name}"
        self.counts[what] += status < 400
        answers = operation["responses"]
        if str(status) not in answers:
            return self.problem(what, f"answers {status}, which is not described", where, record)
        if method == "HEAD" or status in (101, 204, 304):
            return
        answer = answers[str(status)]
        if "$ref" in answer:
            answer = self.api["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
        content = answer.get("content", {})
        if media not in content:
            return self.problem(what, f"answers {status} with {media}, which is not described", where, record)
        if media == "application/json" and "body" in record:
            self.body(record["body"], content[media]["schema"], f"answer {status} of {method} {name}", where)
        if 200 <= status < 300 and "request" in record and "requestBody" in operation:
            schema = operation["requestBody"]["content"].get("application/json", {}).get("schema")
            if schema and record.get("requestType", "application/json").startswith("application/json"):
                key = f"body of {method} {name}"
                if key not in self.compiled:
                    text = json.dumps(schema).replace("#/components/schemas/", "#/$defs/")
                    self.compiled[key] = jsonschema_rs.validator_for({**json.loads(text), "$defs": self.published})
                self.check(key, self.compiled[key], record["request"], where)

    def body(self, body, schema, what, where):
        if schema.get("$ref", "").endswith("/Page"):
            for event in body.get("events", []):
                self.event(event, where)
            body = {**body, "events": []}
        self.check(what, self.validator(strict(schema), what), body, where)

    # ---- files ----

    def recording(self, path):
        for line in path.open():
            record = json.loads(line)
            what = record.pop("what")
            {"received": lambda: self.frame(record["frame"], path.name),
             "accepted": lambda: self.request(record["frame"], path.name),
             "event": lambda: self.event(record["event"], path.name),
             "answer": lambda: self.answer(record, path.name)}[what]()

    def log(self, path):
        for number, line in enumerate(path.open("rb")):
            if not line.endswith(b"\n"):
                break  # torn: its daemon was killed, or is being copied while it writes
            try:
                value = json.loads(line)
            except ValueError:
                self.damaged_lines += 1
                continue
            if number == 0 and value.get("kind") == "index":
                break  # the list of sessions, which is the daemon's own
            if number == 0:
                self.check("log header", self.named("LogHeader"), value, path.name)
            elif isinstance(value, dict):
                self.counts["log lines"] += 1
                self.event(value, path.name)

    def missing(self):
        wanted = {f"kind {d['properties']['kind']['const']}" for n, d in self.published.items()
                  if n.endswith("Event") and "properties" in d}
        wanted |= {f"status {d['properties']['type']['const']}" for n, d in self.published.items()
                   if n.endswith("Status") and "const" in d.get("properties", {}).get("type", {})}
        wanted |= {f"frame {d['properties']['type']['const']}" for n, d in self.published.items()
                   if n.endswith("Frame") and "properties" in d}
        wanted |= {f"request {d['properties']['type']['const']}" for n, d in self.published.items()
                   if n.endswith("Request") and "properties" in d and "type" in d["properties"]}
        wanted |= {f"operation {method.upper()} {path}" for path, item in self.api["paths"].items()
                   for method in item if path != "/stream"}
        seen = {what for what, count in self.counts.items() if count}
        return sorted(wanted - seen - MAY_BE_MISSING.keys()), sorted(MAY_BE_MISSING.keys() - wanted)


def main():
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    if len(arguments) != 1:
        sys.exit(__doc__)
    folder = pathlib.Path(arguments[0])
    checks = Checks()
    for path in sorted(folder.glob("*.recording.jsonl")):
        checks.recording(path)
    for path in sorted(folder.glob("*.log.jsonl")):
        checks.log(path)

    def total(prefix):
        members = [count for what, count in checks.counts.items() if what.startswith(prefix)]
        return f"{sum(members)} of {len([count for count in members if count])} kinds"

    print(f"events: {total('kind ')} ({checks.counts['log lines']} lines of logs, {checks.damaged_lines} damaged ones "
          f"passed over), statuses: {total('status ')}, frames: {total('frame ')}, requests: {total('request ')}, "
          f"HTTP answers: {total('answer ')}")
    for (what, _), count in checks.problems.most_common(60):
        text, where, value = checks.examples[what, _]
        print(f"\n{what} ({count} times, first in {where}): {text}\n    {value}")
    failed = bool(checks.problems)
    if "--partial" not in sys.argv:
        missing, stale = checks.missing()
        for what in missing:
            print(f"never occurred: {what}")
        for what in stale:
            print(f"MAY_BE_MISSING names what is not described: {what}")
        failed = failed or bool(missing or stale)
    if not checks.counts:
        print("nothing was recorded")
        failed = True
    sys.exit(1 if failed else 0)


main()
