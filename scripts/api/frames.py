"""The frames of the stream, in both directions. Prose: doc/protocol.md."""

from .records import *
from .requests import *

# ---- from the daemon ----

_failure = defs["Failure"]
_ack_error = ref("Failure")
# Each type: where its frame has a session, whether it is numbered, and the payload.
FROM_DAEMON = {
    "core:state": ({}, obj({
        "core": ref("Core"), "sessions": array(ref("SessionRecord")), **SHOWN, "providers": array(ref("ProviderRecord")),
        "providerProblems": array(ref("ManifestProblem")), "settings": ref("Settings"),
        "pending": array(ref("PendingRequest")), "open": array(ref("OpenItem"))})),
    "session:created": ({"sessionId": SESSION}, ref("SessionRecord")),
    "session:update": ({"sessionId": SESSION}, ref("SessionRecord")),
    "session:deleted": ({"sessionId": SESSION}, obj({"id": SESSION})),
    "session:draft": ({"sessionId": SESSION}, obj({"sessionId": SESSION, "text": text(), "updatedAt": TIME, "by": BY})),
    "session:message": ({"sessionId": SESSION, "seq": SEQ}, ref("SessionMessage")),
    "permission:requested": ({"sessionId": SESSION, "seq": SEQ}, ref("PermissionRequested")),
    "permission:resolved": ({"sessionId": SESSION, "seq": SEQ}, ref("PermissionResolved")),
    "question:requested": ({"sessionId": SESSION, "seq": SEQ}, ref("QuestionRequested")),
    "question:resolved": ({"sessionId": SESSION, "seq": SEQ}, ref("QuestionResolved")),
    "session:event": ({"sessionId": SESSION, "seq": SEQ}, ref("Event")),
    "stream:chunk": ({"sessionId": SESSION}, obj({
        "turnId": nullable(TURN), "itemId": ITEM, "kind": known("message", "thinking", "tool_output"), "role": ROLE,
        "content": text(), "delta": always(True), "offset": whole("UTF-8 bytes of the item sent before")})),
    "provider:update": ({}, ref("ProviderRecord")),
    "provider:removed": ({}, obj({"id": PROVIDER})),
    "provider:progress": ({}, obj({
        "providerId": PROVIDER, "operation": known("install"), "operationId": text(),
        "phase": defs["Operation"]["properties"]["phase"], "line?": text(), "percent?": whole(maximum=100)})),
    "workflow:event": ({"sessionId?": SESSION}, obj(
        {"type": always("budget"), "sessionId?": SESSION, **STATUSES["budget"]})),
    "settings:update": ({}, ref("Settings")),
    "session:error": ({"sessionId": SESSION}, ref("Failure")),
    "error": ({"requestId?": text()}, ref("Failure")),
    "ack": ({"requestId": text()}, obj({"ok": yes_no(), "result?": anything(), "error?": ref("Failure")})),
    "sync:complete": ({}, obj({"cursors": mapping(whole())})),
    "sync:resync": ({"sessionId": SESSION}, obj({
        "sessionId": SESSION, "reason": text(), "earliestSeq": SEQ, "lastSeq": whole()})),
    "client:slow": ({}, obj({"queued": whole("Bytes"), "limit": whole("Bytes")})),
    "client:evicted": ({}, obj({"reason": text()})),
    "session:import": ({}, obj({
        "importId": text(), "status": one_of("running", "completed", "failed"), "providerId?": PROVIDER,
        "nativeSessionId?": text(), "bytes": whole(), "totalBytes": whole(), "sessionId?": SESSION,
        "error?": ref("Failure")})),
    "core:notification": ({}, obj({
        "level": known("info", "warn", "error"), "message": text(), "type?": known("update_available"),
        "components?": array(ref("UpdateComponent"), "With update_available")})),
    "core:restarting": ({}, obj({"reason": text(), "version": text("Of the program that comes")})),
    "core:shutdown": ({}, obj({"reason": text()})),
}
for _type, (_place, _payload) in FROM_DAEMON.items():
    defs[camel(_type) + "Frame"] = obj({"type": always(_type), **_place, "timestamp": TIME, "payload": _payload})
defs["FrameFromDaemon"] = note(union(*[camel(name) + "Frame" for name in FROM_DAEMON]),
                               "Pass over a frame of a type that is not among these.")

# ---- from clients ----

_session = {"sessionId": SESSION}
FROM_CLIENTS = {
    "client:hello": {
        "name?": text(), "version?": text(), "protocol?": always(1),
        "resume?": mapping(whole(), "By session id, the seq of the last event the client has"),
        "subscribe?": {"oneOf": [always("all"), array(text())]}, "chunks?": yes_no("Whether deltas are wanted")},
    "session:create": CREATE,
    "session:message": {**_session, **MESSAGE},
    "session:interrupt": _session,
    "session:stop": _session,
    "session:resume": _session,
    "session:pause": _session,
    "session:retry": {**_session, **RETRY},
    "session:queue": {**_session, **QUEUE},
    "session:provider": {**_session, **SWITCH},
    "session:delete": _session,
    "session:rename": {**_session, "title": TITLE},
    "session:draft": {**_session, **DRAFT},
    "session:fork": {**_session, **FORK},
    "session:withdraw": {**_session, "turnId": TURN},
    "session:history": {**_session, "beforeSeq?": SEQ, "limit?": whole(minimum=1, maximum=1000)},
    "search": SEARCH,
    "permission:respond": {**_session, "requestId": text("Of the permission"), **PERMISSION},
    "question:respond": {**_session, "requestId": text("Of the question"), **QUESTION},
    "settings:update": {"settings": SETTINGS},
    "provider:update": {"providerId": PROVIDER, "enabled": yes_no()},
}


def _frame(type_name, members):
    """Members may stand in `payload` or beside `type`; one in the payload comes first."""
    required = [name for name in members if not name.endswith("?")]
    loose = optional(members)
    beside = {name: schema for name, schema in loose.items() if name != "requestId?"}
    payload = nullable(obj(loose))
    schema = obj({"type": always(type_name), "requestId?": nullable(text("The answer is an ack that has it", maxLength=128)),
                  "payload?": payload, **beside})
    in_payload = lambda names: {"required": ["payload"], "properties": {"payload": {"type": "object", "required": names}}}
    if required:
        schema["allOf"] = [
            {"anyOf": [in_payload([name]), {"required": [name]}]} for name in required]
    return schema


for _type, _members in FROM_CLIENTS.items():
    defs[camel(_type) + "Request"] = _frame(_type, _members)
defs["FrameFromClient"] = union(*[camel(name) + "Request" for name in FROM_CLIENTS])
