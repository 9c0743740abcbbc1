"""Every route of the HTTP API. Prose: doc/protocol.md.

A test compares method, path and query parameters with the router; scripts/schemathesis.sh holds the rest to the
running daemon."""

from .records import *
from .requests import *

# The HTTP status of each error code.
CODES = {
    400: ["invalid_json", "invalid_request", "missing_field", "unknown_type", "invalid_log", "bad_request_line",
          "bad_version", "bad_target", "bad_header", "bad_host", "bad_framing", "bad_chunk", "bad_trailer"],
    401: ["token_required", "token_invalid"],
    403: ["origin_not_allowed", "cross_site", "forbidden", "setting_privileged"],
    404: ["not_found", "session_not_found", "request_not_found", "provider_not_found", "native_session_not_found",
          "workspace_not_found"],
    405: ["method_not_allowed"],
    406: ["not_acceptable"],
    409: ["already_resolved", "busy", "already_started", "turn_not_queued", "nothing_to_retry",
          "provider_not_installed", "provider_disabled", "provider_too_old", "unknown_adapter", "not_installed",
          "not_installing", "no_login", "no_install_recipe", "install_requirement_missing", "budget_exceeded",
          "not_importable", "configuration_broken", "restart_refused"],
    413: ["payload_too_large", "body_too_large"],
    415: ["unsupported_media_type"],
    421: ["wrong_host"],
    426: ["upgrade_required"],
    429: ["too_many_requests", "too_many_failures"],
    500: ["internal_error"],
    503: ["log_unavailable", "search_unavailable", "outcome_pending", "shutting_down", "too_many_clients",
          "too_many_connections"],
    507: ["no_room"],
}
STATUS_OF = {code: status for status, codes in CODES.items() for code in codes}
# Any request may be answered with these: the guard's refusals, a request that is no HTTP, one connection too many.
ALWAYS = [400, 401, 403, 421, 429, 500, 503]

defs["Error"] = obj({"error": obj({
    "code": known(*STATUS_OF, description="Stable, lower case with underscores"),
    "message": text("What is wrong and what to do about it"),
    "details?": obj({}, "What belongs to this code only; `field` names what was wrong with the input", is_open=True)})},
    "What every answer of 400 and above has as its body")
defs["Accepted"] = obj({
    "turnId": TURN, "seq": SEQ, "queued": yes_no("It waits behind a running turn or a held queue"),
    "position?": whole("1 for the first that waits", minimum=1),
    "duplicate?": always(True, "The same clientMessageId was accepted before; this is the first result")},
    "A message that is in the log")
defs["Page"] = obj({
    "events": array(ref("Event")), "lastSeq": whole("Of the session"), "hasMore": yes_no(),
    "next?": whole("With before: where the page before this one ends")}, "Events, oldest first")
defs["Importable"] = obj({
    "providerId": PROVIDER, "nativeSessionId": text(), "title": nullable(text()), "firstPrompt": nullable(text()),
    "workspace": text(), "createdAt": TIME, "updatedAt": TIME, "bytes": whole(), "version?": text(),
    "problem?": text("Why it can be listed only"),
    "sessionId": nullable(note(SESSION, "The session here that goes on with it"))}, "A session made outside")
_key = {"day?": DAY, "providerId?": PROVIDER, "sessionId?": nullable(SESSION), "model?": nullable(text()),
        "title?": nullable(text()), "deleted?": always(True)}
defs["UsageReport"] = obj({
    "from": DAY, "to": DAY, "by": one_of("day", "provider", "session", "model"),
    "rows": array(obj({**_key, **defs["Sum"]["properties"]})),
    "total": ref("Sum"), "leftOut?": whole("Rows that are not shown", minimum=1),
    "today": obj({"day": DAY, "spentUsd": USD, "perDayUsd": nullable(USD), "perSessionUsd": nullable(USD)}),
    "prices": array(obj({"asOf": DAY, "source": text()})), "pricesProblem?": text()}, "What was used and what it cost")

defs["SearchAnswer"] = obj({
    "results": array(obj({
        "sessionId": SESSION, "title": nullable(text()), "seq": note(SEQ, "Of the event, which has the whole"),
        "kind": known("message", "title", "tool_call", "error"), "role?": ROLE, "ts": TIME,
        "snippet": array(obj({"text": text(), "match?": always(True, "It is what was looked for")}),
                         "One line, in parts")})),
    "next?": text("`after` of the next page"), "timedOut?": always(True, "The time was up: there may be more"),
    "indexing?": obj({"done": whole(), "total": whole()}, "Sessions that have been read, while that is under way")},
    "What was found")

NOTHING = obj({}, "Nothing to say")


def _segment(description):
    """What may stand between two slashes of a path, however it is encoded."""
    return text(description, pattern=r"^(?!\.{1,2}$)[^\x00-\x1f\x7f-\x9f/\\]+$")


PARAMETERS = {
    "id": _segment("The session's id"), "providerId": _segment("claude, codex and gemini are accepted too"),
    "turnId": _segment("The turn's id"), "requestId": _segment("Of the permission or question"),
}
LIMIT = whole(minimum=1, maximum=1000, default=100)
SINCE = whole("A seq")
FILE = {"type": "string"}

ROUTES = []


def route(method, path, name, summary, answers, *, query=None, headers=None, body=None, errors="", tag, description=None,
          links=None, example=None):
    """
    query: by name; one that ends with ! must be there.
    answers: by status, (what it means, schema or {media type: schema} or None).
    body: schema or {media type: schema}; optional unless a member is required.
    errors: codes beside those that every route has.
    """
    ROUTES.append(dict(method=method, path=path, name=name, summary=summary, answers=answers, query=query or {},
                       headers=headers or {}, body=body, errors=errors.split(), tag=tag, description=description,
                       links=links or {}, example=example))


# ---- the daemon ----

route("GET", "/health", "getHealth", "Whether the daemon is well", {200: ("It is", obj({
    "status": always("ok"), "version": text(), "instanceId": text("Another one after each start"), "uptime": number("Seconds", minimum=0), "clients": whole(),
    "activeSessions": whole("Sessions with a running turn")}))}, tag="core",
    description="Also at `/health`, outside `/api/v1`.")
route("GET", "/status", "getStatus", "Everything about the daemon", {200: ("The daemon, its sessions and providers", obj({
    "core": obj({**defs["Core"]["properties"],
                 "uptime": number("Seconds", minimum=0), "clients": whole(),
                 "memory": obj({"rss": whole("Bytes")}),
                 "update?": obj({
                     "checkedAt": TIME, "components": array(ref("UpdateComponent"), "What can be installed; empty: nothing"),
                     "error?": obj({"code": text(), "message": text()}, "Why the last look failed")},
                     "What is known of new versions; only an installed release looks for them, once a day"),
                 "children": array(obj({
                     "pid": whole(minimum=1), "providerId": PROVIDER, "sessionIds": array(SESSION),
                     "rss": whole("Bytes, descendants included"), "processes": whole(minimum=1)}),
                     "The providers' processes")}),
    "sessions": array(ref("SessionRecord"), "The newest, and those that are not at rest"), **SHOWN,
    "providers": array(ref("ProviderRecord")), "providerProblems": array(ref("ManifestProblem")),
    "recoveries": array(obj({
        "sessionId": text(), "finding": known("torn_tail", "damaged_line", "sequence", "gap", "unreadable",
                                              "untrusted_file", "index", "cut_short", "removed", "added"),
        "offset": whole(), "bytes": whole(), "detail": text(), "foundAt": TIME, "keptIn?": text()}),
        "Damages found in logs"),
    "configuration": obj({
        "path": text(), "problems": array(obj({"source": text(), "line?": whole(), "key?": text(), "reason": text()})),
        "needsRestart": array(text()), "overridden": mapping(text())}, "How the file is")}))}, tag="core", description="Also at `/status`, outside `/api/v1`.")
route("GET", "/metrics", "getMetrics", "Metrics for Prometheus",
      {200: ("The text format, version 0.0.4", {"text/plain": FILE})}, tag="core",
      description="Also at `/metrics`, outside `/api/v1`.")
route("GET", "/diagnostics", "getDiagnostics", "Everything that helps to find out what is wrong, in one archive",
      {200: ("A tar.bz2, without secrets and without anything that was said", {"application/x-bzip2": FILE})}, tag="core")
route("GET", "/openapi.json", "getDescription", "This description",
      {200: ("An OpenAPI 3.1 document", obj({"openapi": text()}, is_open=True)),
       304: ("The client has it: If-None-Match named its ETag", None)},
      headers={"If-None-Match": text()}, tag="core")
route("GET", "/settings", "getSettings", "The settings that clients may see",
      {200: ("By section", ref("Settings"))}, tag="core",
      query={"schema": {"type": "string", "enum": ["1"], "description": "Also the table they come from"}})
route("PATCH", "/settings", "changeSettings", "Change settings, all or none", {200: ("As they are now", ref("Settings"))},
      body=SETTINGS, errors="setting_privileged configuration_broken busy", tag="core",
      example={"log": {"level": "info"}})
route("POST", "/core/shutdown", "shutDown", "Stop the daemon", {202: ("It stops", obj({"stopping": always(True)}))},
      body=obj(given({"graceMs?": whole("What running turns get to finish; else lifecycle.graceMs", maximum=600_000)})),
      tag="core")

route("POST", "/core/restart", "restart", "Have the installed version take the daemon's place", {202: ("It restarts", obj({
    "restarting": always(True), "version": text("Of the program that comes"), "program": text("Its path"),
    "instanceId": text("Of the daemon that ends")}))},
      body=obj(given({"graceMs?": whole("What running turns get to finish; else lifecycle.graceMs", maximum=600_000)})),
      errors="restart_refused shutting_down", tag="core",
      description="The program is tried first. Nothing is refused meanwhile; see Restarts in doc/protocol.md.")

# ---- who may talk ----

route("POST", "/auth/ticket", "createTicket", "A ticket for a browser",
      {201: ("One use", obj({"ticket": text(), "expiresIn": whole("Seconds")}))}, tag="auth",
      description="Browsers can't send the token with a WebSocket: a ticket becomes a cookie. See doc/security.md.")
route("POST", "/auth/session", "redeemTicket", "Exchange a ticket for a cookie",
      {200: ("Set-Cookie has it", NOTHING)}, body=obj({"ticket": text()}), tag="auth")

# ---- providers ----

_provider = {200: ("The provider as it is now", ref("ProviderRecord"))}
route("GET", "/providers", "listProviders", "All providers", {200: ("In a fixed order", obj({
    "providers": array(ref("ProviderRecord")),
    "problems": array(ref("ManifestProblem"), "What is wrong with manifests")}))}, tag="providers")
route("GET", "/providers/{providerId}", "getProvider", "One provider", _provider, errors="provider_not_found", tag="providers")
route("PATCH", "/providers/{providerId}", "changeProvider", "Enable or disable it", _provider,
      body=obj({"enabled": yes_no()}), errors="provider_not_found", tag="providers")
route("POST", "/providers/{providerId}/check", "checkProvider", "Look anew whether it is installed and logged in",
      _provider, errors="provider_not_found", tag="providers")
route("POST", "/providers/{providerId}/install", "installProvider", "Install its program",
      {202: ("Begun; frames provider:progress and provider:update say how it goes on", obj({"operation": ref("Operation")}))},
      body=obj(given({"recipe?": text("One of installRecipes"), "version?": text(pattern=r"^[0-9][A-Za-z0-9._-]*$")})),
      errors="provider_not_found busy no_install_recipe install_requirement_missing", tag="providers")
route("DELETE", "/providers/{providerId}/install", "cancelInstall", "Cancel the installation",
      {202: ("It is being ended", obj({"cancelling": always(True)}))}, errors="provider_not_found not_installing",
      tag="providers")
route("POST", "/providers/{providerId}/uninstall", "uninstallProvider", "Remove what was installed by the hub",
      _provider, errors="provider_not_found not_installed busy", tag="providers")
route("POST", "/providers/{providerId}/login", "loginProvider", "How to log in",
      {200: ("What the person runs in a terminal", obj({"command": array(text()), "hint": text()}))},
      errors="provider_not_found provider_not_installed no_login", tag="providers")

# ---- sessions ----

_record = ("The session as it is now", ref("SessionRecord"))
_start = "provider_not_found provider_not_installed provider_disabled provider_too_old unknown_adapter"
_gone = "session_not_found log_unavailable"
# Of what is answered only when the log has kept it.
_kept = _gone + " outcome_pending"
_of_session = [
    "getSession", "changeSession", "sendMessage", "interruptSession", "stopSession", "pauseSession", "resumeSession",
    "retryTurn", "switchProvider", "orderQueue", "getEvents", "exportSession", "forkSession", "saveDraft", "deleteSession",
    "undeleteSession"]
_links = {name: {"operationId": name, "parameters": {"id": "$response.body#/id"}} for name in _of_session}
_turn_links = {"withdrawMessage": {"operationId": "withdrawMessage", "parameters": {
    "id": "$request.path.id", "turnId": "$response.body#/turnId"}}}
route("GET", "/sessions", "listSessions", "Sessions, newest first",
      {200: ("A page", obj({"sessions": array(ref("SessionRecord")), "next?": note(SESSION, "`after` of the next page")}))},
      query={"limit": LIMIT, "after": note(SESSION, "The last session of the page before"),
             "status": one_of("idle", "running", "waiting", "failed", "parked"),
             "archived": {"type": "string", "enum": ["true", "false"],
                          "description": "Only those that are archived, or only the others"},
             "q": text("What the title must contain, upper and lower case alike")},
      errors="session_not_found", tag="sessions")
route("POST", "/sessions", "createSession", "Begin a session", {201: _record}, body=obj(given(CREATE)),
      errors=_start + " workspace_not_found shutting_down log_unavailable outcome_pending", links=_links, tag="sessions",
      example={"providerId": "echo", "workspace": "/", "title": "First steps"},
      description="The provider's process starts with the first message.")
route("GET", "/sessions/{id}", "getSession", "One session with its newest messages", {200: _record}, errors=_gone, tag="sessions")
route("PATCH", "/sessions/{id}", "changeSession", "Rename, tag, or set it to something else", {200: _record},
      body={**obj(given({"title?": TITLE, "tags?": TAGS, **CHOICE, "providerIds?": array(PROVIDER, minItems=1, maxItems=16),
                        "budgetUsd?": number("0 for no limit; null for what the settings say", minimum=0, maximum=1_000_000),
                        "archived?": yes_no("Put it away, or take it out again")})),
            "minProperties": 1},
      errors=_kept + " provider_not_found provider_not_installed provider_disabled provider_too_old", tag="sessions",
      example={"title": "Second steps"})
route("DELETE", "/sessions/{id}", "deleteSession", "Delete a session", {204: ("Its log is among the backups", None)},
      errors=_gone, tag="sessions")
route("POST", "/sessions/{id}/undelete", "undeleteSession", "Bring a deleted session back",
      {200: ("It is as it was; or it was there all along", ref("SessionRecord"))}, errors=_kept + " shutting_down", tag="sessions",
      description="As long as its log is among the backups: of deleted sessions backups.keep are kept.")
route("PUT", "/sessions/{id}/draft", "saveDraft", "Keep what is being written, for all clients",
      {200: ("It is kept; the other clients get session:draft", obj({"updatedAt": TIME}))}, body=obj(DRAFT),
      errors="session_not_found payload_too_large", tag="sessions", example={"text": "What I am about to"})
route("POST", "/sessions/{id}/messages", "sendMessage", "Say something", {202: ("It is in the log", ref("Accepted"))},
      body={**obj(given(MESSAGE)), "anyOf": [
          {"required": ["content"], "properties": {"content": {"type": "string", "minLength": 1}}},
          {"required": ["attachments"], "properties": {"attachments": {"type": "array", "minItems": 1}}}]},
      errors=_kept + " busy budget_exceeded shutting_down payload_too_large provider_not_found provider_not_installed "
      "provider_disabled provider_too_old", tag="sessions", links=_turn_links, example={"content": "hello", "clientMessageId": "1"})
route("DELETE", "/sessions/{id}/messages/{turnId}", "withdrawMessage", "Take back a message that waits",
      {204: ("It will not be sent", None)}, errors=_kept + " turn_not_queued", tag="sessions")
route("POST", "/sessions/{id}/interrupt", "interruptSession", "Interrupt the running turn",
      {202: ("False when nothing runs", obj({"interrupting": yes_no()}))}, errors=_kept, tag="sessions")
route("POST", "/sessions/{id}/stop", "stopSession", "Interrupt, give up a parked turn, end the provider's process",
      {202: ("It ends", NOTHING)}, errors=_kept, tag="sessions")
route("POST", "/sessions/{id}/pause", "pauseSession", "No turn begins until it is resumed", {202: ("Paused", NOTHING)},
      errors=_kept, tag="sessions")
route("POST", "/sessions/{id}/resume", "resumeSession", "End a pause, release a held queue, give up a parked turn",
      {202: ("It goes on", NOTHING)}, errors=_kept, tag="sessions")
route("PATCH", "/sessions/{id}/queue", "orderQueue", "Have what waits come in another order", {200: _record},
      body=obj(QUEUE), errors=_kept + " turn_not_queued", tag="sessions")
route("POST", "/sessions/{id}/retry", "retryTurn", "Try the message of the turn again that failed or was interrupted",
      {202: ("Now, or parked", {"application/json": {"oneOf": [ref("Accepted"), obj({"parked": ref("Parked")})]}})},
      body=obj(given(RETRY)), errors=_kept + " nothing_to_retry shutting_down", tag="sessions",
      description="`after` and `at` exclude each other, and both mean `later`.")
route("POST", "/sessions/{id}/provider", "switchProvider", "Go on with another provider", {200: _record},
      body=obj(given(SWITCH)), errors=_kept + " " + _start, tag="sessions", example={"providerId": "echo"})
route("POST", "/sessions/{id}/fork", "forkSession", "Go on from one of its events in a copy",
      {201: ("The copy", ref("SessionRecord"))}, body=obj(given(FORK)), errors=_gone + " busy shutting_down no_room", tag="sessions")
route("GET", "/sessions/{id}/events", "getEvents", "The log",
      {200: ("A page, at most about 4 MiB; or as text/event-stream a stream: replay, then live", {
          "application/json": ref("Page"), "text/event-stream": FILE})},
      query={"after": note(SINCE, "Events after this one; 0, the default, for all"),
             "before": whole("Events before this one, instead", minimum=1), "limit": LIMIT,
             "chunks": {"type": "string", "enum": ["true", "false"], "default": "true",
                        "description": "Whether a stream has deltas"}},
      headers={"Last-Event-ID": note(SINCE, "In a stream, instead of after")}, errors=_gone + " too_many_clients",
      tag="sessions", description="`after` and `before` exclude each other.")
route("GET", "/sessions/{id}/export", "exportSession", "The log as a file",
      {200: ("As far as it was when the answer began", {"application/x-ndjson": FILE, "text/markdown": FILE})},
      query={"format": one_of("jsonl", "markdown")}, errors=_gone, tag="sessions")
route("POST", "/sessions/{id}/permissions/{requestId}", "answerPermission", "Answer a permission request",
      {200: ("The first valid answer counts", obj({
          "requestId": text(), "outcome": one_of("selected", "cancelled"), "optionId?": text(),
          "optionKind?": PERMISSION_KIND}))},
      body={**obj(given(PERMISSION)), "anyOf": [
          {"required": ["optionId"], "properties": {"optionId": {"type": "string"}}},
          {"required": ["outcome"], "properties": {"outcome": {"type": "string"}}}]},
      errors=_kept + " request_not_found already_resolved", tag="sessions", example={"optionId": "allow"})
route("POST", "/sessions/{id}/questions/{requestId}", "answerQuestion", "Answer a question",
      {200: ("The first valid answer counts", obj({
          "requestId": text(), "outcome": one_of("answered", "declined"), "answers?": ref("Answers")}))},
      body={**obj(given(QUESTION)), "anyOf": [
          {"required": ["answers"], "properties": {"answers": {"type": "object"}}},
          {"required": ["outcome"], "properties": {"outcome": {"type": "string"}}}]},
      errors=_kept + " request_not_found already_resolved", tag="sessions", example={"answers": {"q1": "yes"}})
route("GET", "/sessions/importable", "listImportable", "Sessions that the providers' own programs keep",
      {200: ("Newest first", obj({"sessions": array(ref("Importable"))}))},
      query={"provider": PROVIDER, "limit": LIMIT}, errors="provider_not_found busy", tag="sessions")
route("POST", "/sessions/import", "importSession", "Bring a session in",
      {201: ("The session", ref("SessionRecord")), 200: ("It was imported before", ref("SessionRecord"))},
      body={"application/json": obj({"source": obj({"provider": PROVIDER, "nativeSessionId": text()})}),
            "application/x-ndjson": note(FILE, "A log, as an export gives it")},
      errors="invalid_log provider_not_found native_session_not_found not_importable busy payload_too_large shutting_down "
      "log_unavailable no_room", tag="sessions")
route("GET", "/search", "search", "What was said in sessions, newest first",
      {200: ("A page", ref("SearchAnswer"))},
      query={"q!": SEARCH["q"], "limit": SEARCH["limit?"], "after": SEARCH["after?"],
             "sessionId": note(SESSION, "Look in this session only")},
      errors="session_not_found search_unavailable", tag="sessions",
      description="Titles, messages, tool calls and errors. Case and accents don't count; there are no operators.")
route("GET", "/usage", "getUsage", "What was used and what it cost", {200: ("The sums", ref("UsageReport"))},
      query={"from": note(DAY, "The first day; else 29 days before `to`"), "to": note(DAY, "The last day; else today"),
             "by": one_of("day", "provider", "session", "model")}, tag="usage")

# ---- the stream ----

route("GET", "/stream", "openStream", "The WebSocket",
      {101: ("Frames follow: FrameFromDaemon and FrameFromClient among the schemas", None)},
      query={"hello": {"type": "string", "enum": ["1"],
                       "description": "The client's first frame is a client:hello; nothing live comes before"}},
      errors="upgrade_required too_many_clients", tag="stream")
