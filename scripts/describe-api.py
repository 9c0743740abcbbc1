#!/usr/bin/env python3
"""Writes what describes the API for machines, from the parts in scripts/api/:

    assets/schema/definitions.schema.json   every record, frame and request, by name
    assets/schema/log-record.schema.json    a line of a session's log
    assets/schema/frames.schema.json        a frame, from the daemon or from a client
    doc/openapi.json                        the HTTP API, with all definitions inside (OpenAPI 3.1)

    scripts/describe-api.py [--check]       --check writes nothing and fails when a file isn't what would be written
"""

import json
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(root / "scripts"))
from api import frames, routes  # noqa: E402
from api.records import defs  # noqa: E402
from api.schema import SCHEMA  # noqa: E402

ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


def moved(value):
    """References from $defs to where OpenAPI has its schemas."""
    if isinstance(value, dict):
        return {key: inner.replace("#/$defs/", "#/components/schemas/") if key == "$ref" else moved(inner)
                for key, inner in value.items()}
    return [moved(inner) for inner in value] if isinstance(value, list) else value


def content(schema):
    """A schema stands for JSON; a table of media types for itself."""
    if any("/" in key for key in schema):
        return {media: {"schema": moved(inner)} for media, inner in schema.items()}
    return {"application/json": {"schema": moved(schema)}}


def parameters(route):
    found = []
    for part in route["path"].split("/"):
        if part.startswith("{"):
            found.append({"name": part[1:-1], "in": "path", "required": True,
                          "schema": moved(routes.PARAMETERS[part[1:-1]])})
    for place, members in (("query", route["query"]), ("header", route["headers"])):
        for name, schema in members.items():
            needed = {"required": True} if name.endswith("!") else {}
            found.append({"name": name.rstrip("!"), "in": place, **needed, "schema": moved(schema)})
    return found


def responses(route):
    found = {}
    for status, (description, schema) in route["answers"].items():
        answer = {"description": description}
        if schema is not None:
            answer["content"] = content(schema)
        if route["links"]:
            answer["links"] = route["links"]
        if status == 201 and route["path"].startswith("/sessions"):
            answer["headers"] = {"Location": {"description": "Of the session", "schema": {"type": "string"}}}
        found[str(status)] = answer
    by_status = {status: [] for status in routes.ALWAYS}
    for code in route["errors"]:
        by_status.setdefault(routes.STATUS_OF[code], []).append(code)
    if "{" in route["path"]:
        by_status.setdefault(404, [])
    if route["body"]:
        by_status.setdefault(413, [])
        by_status.setdefault(415, [])
    if any(schema for _, schema in route["answers"].values()):
        by_status.setdefault(406, [])
    for status, codes in sorted(by_status.items()):
        found[str(status)] = refusal(codes) if codes else {"$ref": f"#/components/responses/Refused{status}"}
    return found


def refusal(codes):
    return {"description": "Refused: " + ", ".join(f"`{code}`" for code in codes), "content": ERROR}


def operation(route):
    found = {"operationId": route["name"], "tags": [route["tag"]], "summary": route["summary"]}
    if route["description"]:
        found["description"] = route["description"]
    if (listed := parameters(route)):
        found["parameters"] = listed
    if (body := route["body"]):
        bodies = content(body)
        if route["example"]:
            bodies["application/json"]["example"] = route["example"]
        # An empty body counts as {}.
        needed = any(media["schema"].get("required") or "anyOf" in media["schema"] or "minProperties" in media["schema"]
                     for media in bodies.values())
        found["requestBody"] = {"required": needed, "content": bodies}
    found["responses"] = responses(route)
    return found


def description():
    paths = {}
    for route in routes.ROUTES:
        paths.setdefault(route["path"], {})[route["method"].lower()] = operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CodeAI Hub Core", "version": "1",
            "summary": "One local daemon that owns every AI coding session on a machine",
            "description": "doc/protocol.md explains it in prose. HEAD works wherever GET does, and OPTIONS everywhere. "
            "A query parameter that is not named here is refused; members of a body that are not named here are passed "
            "over, and so should clients do with members of answers."},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}, {"cookie": []}],
        "tags": [{"name": name} for name in dict.fromkeys(route["tag"] for route in routes.ROUTES)],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description":
                          "The content of core/token in the daemon's home. Not needed by processes of the daemon's own "
                          "user on loopback, unless security.loopback is \"token\"."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "codeai-hub-8080",
                           "description": "From POST /auth/session; its name ends with the daemon's port."}},
            "responses": {f"Refused{status}": refusal(codes) for status, codes in routes.CODES.items()},
            "schemas": {name: moved(schema) for name, schema in defs.items()}},
    }


def files():
    definitions = "definitions.schema.json#/$defs/"
    yield "assets/schema/definitions.schema.json", {
        "$schema": SCHEMA, "title": "Records, frames and requests of CodeAI Hub Core", "$defs": defs}
    yield "assets/schema/log-record.schema.json", {
        "$schema": SCHEMA, "title": "A line of a session's log", "$ref": definitions + "LogLine"}
    yield "assets/schema/frames.schema.json", {
        "$schema": SCHEMA, "title": "A frame of the stream",
        "anyOf": [{"$ref": definitions + "FrameFromDaemon"}, {"$ref": definitions + "FrameFromClient"}]}
    yield "doc/openapi.json", description()


def pretty(value, indent="", room=120):
    """JSON with what fits in a line in one."""
    short = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(short) < room or not isinstance(value, (dict, list)) or not value:
        return short
    deeper = indent + " "
    if isinstance(value, dict):
        rows = [f"{deeper}{json.dumps(key)}: {pretty(inner, deeper)}" for key, inner in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    return "[\n" + ",\n".join(deeper + pretty(inner, deeper) for inner in value) + f"\n{indent}]"


def main():
    stale = []
    for name, value in files():
        path = root / name
        text = pretty(value) + "\n"
        if path.is_file() and path.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if stale and "--check" in sys.argv:
        print(f"not what scripts/api/ says: {', '.join(stale)}; run scripts/describe-api.py", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
