"""What is in a session's log, and the records that routes and frames share. Prose: doc/protocol.md."""

from .schema import *

defs = {}

# Words that stand nearly everywhere.
for _name, _schema in {
    "Time": text("RFC 3339 in UTC with milliseconds", examples=["2026-11-21T10:00:00.123Z"],
                 pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"),
    "Day": text("A day in UTC", pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", examples=["2026-11-21"]),
    "SessionId": text(minLength=1, examples=["6f1b4a0e-6a0c-4a3e-9d2b-0f6a5b0f3c11"]),
    "ProviderId": text(minLength=1, examples=["echo"]),
    "TurnId": text("Unique in its session", minLength=1, examples=["t1"]),
    "ItemId": text("One thing within a session: a message, a thought, a tool call", minLength=1),
    "Seq": whole("An event's number in its session: the only cursor", minimum=1),
    "Usd": number("US dollars", minimum=0),
}.items():
    defs[_name] = _schema
TIME, DAY, SESSION, PROVIDER = ref("Time"), ref("Day"), ref("SessionId"), ref("ProviderId")
TURN, ITEM, SEQ, USD = ref("TurnId"), ref("ItemId"), ref("Seq"), ref("Usd")
NAME = text(minLength=1)

defs["Client"] = obj({
    "name": text("What the client calls itself"), "id": text("Given by the daemon"),
    "transport": known("http", "sse", "websocket", "core"),
}, "The client that did it")
BY = ref("Client")

defs["Failure"] = obj({
    "code": text("Stable, lower case with underscores", pattern="^[a-z][a-z0-9_]*$"),
    "message": text("What is wrong and what to do about it"),
    "recoverable": yes_no(),
    "retryAfter?": number("Seconds until another try makes sense", minimum=0),
    "actions": array(obj({"id": known(
        "retry", "retry_later", "switch_provider", "login", "install", "continue_once", "raise_budget"),
        "label": text()}), "What a client can offer to do about it"),
    "details?": obj({}, "What belongs to this code only", is_open=True),
}, "An error as frames and events have it")

defs["Usage"] = obj({
    "input": whole("Tokens that went in, cached ones included"), "output": whole("Tokens that came out"),
    "cached": whole("The part of input that came from a cache"), "costUsd?": USD,
    "contextUsed?": whole(), "contextWindow?": whole(), "model?": text(),
}, "Tokens and money")

_quota = {
    "status": known("allowed", "warning", "rejected"), "resetsAt?": number("Seconds since 1970"),
    "window?": text(examples=["five_hour"]), "utilization?": number("1 is all of it", minimum=0),
}
defs["Quota"] = obj(_quota)

# `data` in base64, `text` as it is, or a link: exactly one of them.
_attachment = {"name?": text(), "mediaType?": text("As in image/png", pattern=r"^[!-+\--.0-~]+/[!-+\--.0-~]+$", maxLength=128)}
defs["Attachment"] = {
    "oneOf": [
        obj({"name?": text(), "mediaType": _attachment["mediaType?"],
             "data": text("Base64", contentEncoding="base64", minLength=4,
                          pattern="^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$")}),
        obj({"name?": text(), "mediaType": _attachment["mediaType?"], "text": text()}),
        obj({**_attachment, "uri": text(maxLength=8192, pattern=":")}),
    ],
    "description": "A file that comes with a message",
}

PERMISSION_KIND = one_of("allow_once", "allow_always", "reject_once", "reject_always")
defs["PermissionOption"] = obj({"optionId": text(), "label": text(), "kind": PERMISSION_KIND})
_permission = {
    "requestId": NAME, "tool": text(), "title": text(), "args": anything("The exact arguments that are asked about"),
    "options": array(ref("PermissionOption")), "reason?": text(),
}
defs["Question"] = obj({
    "id": text("The key under which its answer is given"), "header?": text(), "text": text(),
    "options": array(obj({"label": text(), "description?": text()}), "Empty: free text"),
    "multiple": yes_no(), "other": yes_no("Whether an answer that is not offered is taken"),
})
_question = {
    "requestId": NAME, "purpose": known("question", "plan_approval"), "questions": array(ref("Question")),
    "body?": text("For plan_approval: the plan, in Markdown"),
}
defs["Answers"] = mapping({"oneOf": [text(), array(text())]}, "By question id, a string or several")
_permission_resolved = {
    "requestId": NAME, "outcome": one_of("selected", "cancelled"), "optionId?": text(),
    "optionKind?": PERMISSION_KIND, "by?": BY,
}
_question_resolved = {
    "requestId": NAME, "outcome": one_of("answered", "declined", "cancelled"), "answers?": ref("Answers"), "by?": BY,
}

ROLE = known("user", "assistant", "system")
_message = {
    "role": ROLE, "content": text(), "clientMessageId?": text(), "attachments?": array(ref("Attachment")),
    "to?": note(PROVIDER, "The provider that the message addresses"),
    "steer?": always(True, "Added to the turn that ran"), "parentItemId?": ITEM,
    "partial?": always(True, "Cut off by an interrupt"), "by?": BY,
}
TURN_STATUS = one_of("completed", "interrupted", "failed")
_cost = {"usage?": ref("Usage"), "costUsd?": USD, "costEstimated?": always(True, "Worked out from list prices")}

# The data of each kind of event.
KINDS = {
    "turn_started": {
        "reason?": text("Why a turn began that nobody sent"), "retryOf?": note(TURN, "The turn that is tried again")},
    "turn_completed": {
        "status": TURN_STATUS, "stopReason?": text("The provider's own word"), **_cost,
        "durationMs?": whole("Left out where a turn was closed in a copy")},
    "message": _message,
    "thinking": {"content": text(), "parentItemId?": ITEM},
    "tool_call": {
        "name": text("As the provider calls it"), "title": text("One line for people"),
        "toolKind": known("read", "edit", "delete", "move", "search", "execute", "think", "fetch", "agent", "other"),
        "args": anything(), "status": known("pending", "running", "completed", "failed", "cancelled"),
        "parentItemId?": ITEM},
    "tool_result": {
        "status": one_of("completed", "failed", "cancelled"),
        "content": {"type": ["string", "array"], "items": obj({}, is_open=True),
                    "description": "Text, or blocks where there is more than text"},
        "exitCode?": whole(minimum=-(2**31)), "parentItemId?": ITEM},
    "diff": {"path": text(), "oldText?": text(), "newText?": text(), "unified?": text("A unified diff")},
    "plan": {"entries": array(obj({
        "content": text(), "status": known("pending", "in_progress", "completed"), "priority?": text()}))},
    "permission_requested": _permission,
    "permission_resolved": _permission_resolved,
    "question_requested": _question,
    "question_resolved": _question_resolved,
    "usage": defs["Usage"],
    "quota": defs["Quota"],
    "status": None,
    "error": defs["Failure"],
    "custom": {"providerId?": PROVIDER, "type": text(), "data": anything("As it came")},
}

_choice = {"model?": text(), "mode?": text(), "effort?": text()}
# The types of status that the daemon itself writes, each with its members beside `type`.
STATUSES = {
    "created": {"title?": text(), **_choice, "providerIds?": array(PROVIDER), "tags?": array(text()),
                "settings?": obj({}, is_open=True), "by?": BY},
    "renamed": {"title": text(), "by?": BY},
    "tagged": {"tags": array(text()), "by?": BY},
    "model": {"model": text(), "by?": BY},
    "mode": {"mode": text(), "by?": BY},
    "effort": {"effort": text(), "by?": BY},
    "interrupt_requested": {"by?": BY},
    "stop_requested": {"by?": BY},
    "background_turn_completed": {"status?": TURN_STATUS, **_cost, "origin?": anything()},
    "budget": {"scope": one_of("session", "day"), "level": one_of("warning", "exceeded"), "spentUsd": USD,
               "limitUsd": USD, "share": number("1 is all of it", minimum=0), "day?": DAY},
    "budget_changed": {"budgetUsd": nullable(USD), "by?": BY},
    "process_started": {"pid": whole(minimum=1)},
    "process_exited": {"exitCode?": whole(), "signal?": whole(minimum=1), "requested?": always(True)},
    "queue_held": {"reason": text(), "code?": text()},
    "queue_released": {"by?": BY},
    "withdrawn": {"turnId": TURN, "by?": BY},
    "recovered": {"reason": text()},
    "paused": {"by?": BY},
    "resumed": {"by?": BY},
    "archived": {"by?": BY},
    "unarchived": {"by?": BY},
    "provider_switched": {"from": PROVIDER, "to": PROVIDER, **_choice, "by?": BY},
    "providers": {"providerIds": array(PROVIDER), "by?": BY},
    "context_carried": {"from": array(PROVIDER), "through": whole("The last event that was told"), "turns": whole(),
                        "shortened": whole(), "omitted": whole(), "bytes": whole()},
    "steer_queued": {"turnId": TURN, "messageSeq": SEQ, "content": text(), "clientMessageId?": text(),
                     "attachments?": always(True)},
    "queue_ordered": {"order": array(TURN), "by?": BY},
    "retry": {"turnId": TURN, "retryOf": TURN, "messageSeq": SEQ, "content": text(),
              "reason": one_of("person", "fallback", "parked"), "clientMessageId?": text(), "by?": BY},
    "parked": {"turnId": TURN, "until": TIME, "code": text(), "automatic": yes_no(), "by?": BY},
    "unparked": {"by?": BY},
    "provider_backoff": {"turnId": TURN, "failures": whole(), "until": TIME},
    "fallback": {"from": PROVIDER, "to": PROVIDER, "code": text(), "turnId": TURN},
    "forked": {"from": obj({"sessionId": SESSION, "seq": whole()}), "natively": array(PROVIDER), "by?": BY},
    "imported": {"from": obj({"sessionId?": SESSION, "providerId?": PROVIDER, "nativeSessionId?": text(),
                              "bytes?": whole(), "version?": text()}),
                 "copy?": yes_no(), "skipped?": mapping(whole(), "Lines that were passed over, by their type"),
                 "by?": BY},
}


def camel(name):
    return "".join(part.capitalize() for part in name.replace(":", "_").split("_"))


for _type, _members in STATUSES.items():
    defs[camel(_type) + "Status"] = obj({"type": always(_type), **_members})
# What is told about the provider's own session differs from provider to provider.
defs["NativeSessionStatus"] = obj({
    "type": always("native_session"), "nativeSessionId": text(), "model?": text(), "mode?": text(),
    "models?": array(text()), "modes?": array(text()), "efforts?": array(text())}, is_open=True)
defs["AdapterStatus"] = obj(
    {"type": {"type": "string", "not": {"enum": [*STATUSES, "native_session"]}}},
    "What an adapter says about its session in words of its own", is_open=True)
defs["Status"] = union(*[camel(name) + "Status" for name in STATUSES], "NativeSessionStatus", "AdapterStatus")

_event = {
    "seq": SEQ, "ts": TIME, "id": text("Unique over all sessions", minLength=1), "kind": None, "turnId?": TURN, "itemId?": ITEM,
    "source": one_of("user", "agent", "core"), "providerId?": PROVIDER,
    "nativeId?": text("What the provider itself calls it"),
    "synthetic?": always(True, "Added by the daemon because the provider left it out"),
}
for _kind, _data in KINDS.items():
    if _kind == "status":
        _data = ref("Status")
    elif _kind in ("usage", "quota"):
        _data = ref(camel(_kind))
    elif _kind == "error":
        _data = ref("Failure")
    else:
        _data = obj(_data)
    defs[camel(_kind) + "Event"] = obj({**_event, "kind": always(_kind), "data": _data})
defs["Event"] = note(union(*[camel(kind) + "Event" for kind in KINDS]),
                     "A durable event: a line of the log. Pass over one of a kind that is not among these.")
defs["LogHeader"] = obj({
    "kind": always("header"), "schema": always(1), "sessionId": SESSION, "providerId": PROVIDER, "createdAt": TIME,
    "workspace": text("The folder that the agent works in, an absolute path"),
}, "The first line of a session's log")
defs["LogLine"] = note({"oneOf": [ref("LogHeader"), ref("Event")]}, "A line of a session's log")

# ---- what clients are shown ----

defs["SessionMessage"] = obj({
    "id": text(), "sessionId": SESSION, "role": ROLE, "content": text(), "timestamp": TIME, "seq": SEQ,
    "turnId?": TURN, "itemId?": ITEM, "providerId?": PROVIDER,
    **{name: schema for name, schema in _message.items() if name.endswith("?") and name != "to?"},
}, "A message as it is shown")
_event_place = {"sessionId": SESSION, "seq": SEQ, "id": text(), "timestamp": TIME, "turnId?": TURN, "itemId?": ITEM,
                "providerId?": PROVIDER, "nativeId?": text()}
defs["PermissionRequested"] = obj({**_permission, **_event_place})
defs["PermissionResolved"] = obj({**_permission_resolved, **_event_place})
defs["QuestionRequested"] = obj({**_question, **_event_place})
defs["QuestionResolved"] = obj({**_question_resolved, **_event_place})
_pending_place = {"sessionId": SESSION, "turnId?": TURN, "itemId?": ITEM, "providerId?": PROVIDER, "nativeId?": text()}
defs["PendingRequest"] = note({"oneOf": [
    obj({"type": always("permission"), **_pending_place, **_permission}),
    obj({"type": always("question"), **_pending_place, **_question})]}, "What waits for a person's answer")
defs["OpenItem"] = obj({
    "sessionId": SESSION, "turnId?": TURN, "itemId": ITEM, "kind": known("message", "thinking", "tool_output"),
    "role": ROLE, "content": text()}, "Text that is streaming and not yet in the log")

defs["Sum"] = obj({
    "turns": whole(), "unpricedTurns": whole("Turns whose tokens nobody knows the price of"), "input": whole(),
    "output": whole(), "cached": whole(), "costUsd": USD, "estimatedUsd": note(USD, "A part of costUsd"),
}, "What was used")
defs["Parked"] = obj({
    "turnId": TURN, "until": TIME, "code": text("Of the error that ended it"), "automatic": yes_no()},
    "A turn that waits for a time")
defs["SessionRecord"] = obj({
    "id": SESSION, "providerId": PROVIDER, "providerIds": array(PROVIDER), "title": nullable(text()),
    "status": known("idle", "running", "waiting", "failed", "parked"), "workspace": text(),
    "model": nullable(text()), "mode": nullable(text()), "effort": nullable(text()), "tags": array(text()),
    "createdAt": TIME, "updatedAt": TIME, "lastSeq": whole(), "usage": ref("Usage"),
    "usageByProvider": mapping(ref("Sum")), "costUsd": USD, "costEstimated": yes_no(),
    "budgetUsd": nullable(note(USD, "The session's own limit; null: as the settings say")),
    "queue": array(obj({
        "turnId": TURN, "content": text("The first 256 characters"), "position": whole(minimum=1),
        "providerId?": PROVIDER, "clientMessageId?": text(), "retryOf?": TURN})),
    "turn": nullable(obj({"turnId": TURN, "startedAt": TIME, "providerId": PROVIDER})),
    "held": yes_no("Nothing that waits begins until somebody says so"), "heldBy?": known("budget"),
    "paused": yes_no(), "archived": yes_no("Somebody put it away"), "parked": nullable(ref("Parked")),
    "retryable": nullable(note(TURN, "The turn whose message can be tried again")),
    "backoff": nullable(obj({"providerId": PROVIDER, "turnId": TURN, "failures": whole(), "until": TIME})),
    "placeInLine": nullable(whole("1 is next", minimum=1)),
    "messages?": array(ref("SessionMessage"), "The newest, oldest first; left out in lists"),
    "draft?": nullable(obj({"text": text(), "updatedAt": TIME, "by": BY},
                           "What somebody is writing; only in core:state and where one session is asked for")),
    "importedFrom?": note(SESSION, "In the answer to an import: the id the log came with"),
}, "A session as it is now")

# Beside the sessions that are shown.
SHOWN = {"sessionsTotal": whole("How many there are"), "sessionsOmitted": whole("How many of them are not shown")}
defs["ManifestProblem"] = obj({"path": text(), "key": text(), "reason": text()})
defs["Operation"] = obj({
    "id": text(), "operation": known("install"), "recipe": text(), "version?": text(),
    "phase": known("installing", "verifying", "completed", "failed", "cancelled"), "startedAt": TIME,
    "finishedAt?": TIME, "line?": text("What was printed last"), "percent?": whole(maximum=100),
    "error?": ref("Failure")}, "An installation")
defs["ProviderRecord"] = obj({
    "id": PROVIDER, "name": text(), "description": text(), "status": one_of("active", "inactive"),
    "enabled": yes_no(), "installed": yes_no(), "version": nullable(text()), "authenticated": nullable(yes_no()),
    "capabilities": mapping(yes_no()),
    "limits": obj({"contextWindow?": mapping(whole(), "By model"), "maxPromptBytes?": whole(),
                   "maxConcurrent?": whole()}),
    "models": array(text()), "modes": array(text()),
    "quota": array(obj({**_quota, "notedAt": TIME})),
    "health": obj({"state": one_of("ok", "backoff", "open", "half_open"), "failures": whole(), "until?": TIME}),
    "problem?": text(), "executable?": text(), "minimumVersion?": text(), "testedVersion?": text(),
    "login?": obj({"hint": text(), "interactive": yes_no()}),
    "installRecipes": array(obj({
        "id": text(), "label": text(), "requires": array(text()),
        "missing": array(text(), description="Requirements that are not in PATH"),
        "versions": yes_no("Whether it can install a certain version")})),
    "install?": obj({"recipe": text(), "version?": text(), "installedAt": TIME}),
    "operation?": ref("Operation"), "manifestProblem?": ref("ManifestProblem"),
    "module": obj({
        "version?": text("Of the manifest"), "source": one_of("bundled", "installed", "person"),
        "over?": note(one_of("bundled", "installed"), "What the person's own file changes"),
        "problem?": note(ref("ManifestProblem"), "Why the installed module isn't in force")}, "The manifest in force"),
}, "A provider as it is now")

defs["Core"] = obj({
    "version": text(), "instanceId": text("Changes with each start"), "pid": whole(minimum=1), "host": text(),
    "port": whole(minimum=1, maximum=65535), "startedAt": TIME, "protocol": always(1)}, "The daemon")
defs["UpdateComponent"] = obj({
    "component": text("core, or provider: and a provider's id"), "from": nullable(text("The installed version")),
    "to": text("The version that can be installed"), "download": whole("Bytes"),
    "notes?": text("What is new in it, in Markdown")})
defs["Settings"] = obj({
    "needsRestart": array(text(), "Keys that the file has differently and only a restart brings"),
    "overridden": mapping(text(), "By key, the flag or the variable that sets it, whatever the file says"),
    "changed?": array(text(), "In settings:update: the keys that are different now"),
    "schema?": array(obj({
        "key": text(), "type": text(), "enum?": array(text()), "minimum?": number(), "maximum?": number(),
        "minLength?": whole(), "pattern?": text(), "items?": anything(), "additionalProperties?": anything(),
        "default?": anything(), "live": yes_no(), "effect": known("now", "newConnections", "restart"),
        "privileged": yes_no(), "environment?": text(), "summary": text()}), "Where asked for: every setting")},
    "The settings that clients may see, by section; doc/configuration.md explains each", is_open=True)
