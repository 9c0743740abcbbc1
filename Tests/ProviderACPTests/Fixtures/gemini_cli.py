"""Behaves on its stdio as Gemini CLI does with --acp, as far as its public source tells: what is peculiar to it.

    gemini_cli.py --version | --acp        the present spelling
    GEMINI_SPELLING=old                    knows --experimental-acp only
    GEMINI_API_KEY                         without it sessions are refused
"""

import json
import os
import sys
import threading

lock = threading.Lock()
answers = {}
replay = [("user_message_chunk", "an old question"), ("agent_message_chunk", "an old answer")]


def say(message):
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def update(session, update_kind, **fields):
    say({"method": "session/update", "params": {"sessionId": session, "update": {"sessionUpdate": update_kind, **fields}}})


def text(session, words, kind="agent_message_chunk"):
    update(session, kind, content={"type": "text", "text": words})


class Turn(threading.Thread):
    """One prompt. A new one aborts the one before."""

    def __init__(self, id, session, words):
        super().__init__(daemon=True)
        self.id, self.session, self.words, self.cancelled = id, session, words, threading.Event()
        self.pending = None

    def answer(self, reason):
        say({"id": self.id, "result": {"stopReason": reason, "_meta": {"quota": {
            "token_count": {"input_tokens": 120, "output_tokens": 30},
            "model_usage": [{"model": "gemini-3-pro", "token_count": {"input_tokens": 120, "output_tokens": 30}}]}}}})

    def run(self):
        if self.words == "limit":
            return say({"id": self.id, "error": {
                "code": 429, "message": "Rate limit exceeded. Try again later.", "data": None}})
        if self.words == "wait":
            text(self.session, "thinking about it", "agent_thought_chunk")
            self.cancelled.wait()
            return self.answer("cancelled")
        if self.words.startswith("run"):
            # Not told of before the permission is there.
            options = [("proceed_always", "Allow for this session", "allow_always"),
                       ("proceed_always_and_save", "Allow for this command in all future sessions", "allow_always"),
                       ("proceed_once", "Allow", "allow_once"), ("cancel", "Reject", "reject_once")]
            self.pending = f"permission-{self.id}"
            done = answers[self.pending] = threading.Event()
            say({"id": self.pending, "method": "session/request_permission", "params": {
                "sessionId": self.session,
                "options": [{"optionId": id, "name": name, "kind": kind} for id, name, kind in options],
                "toolCall": {"toolCallId": "run_shell_command-1", "status": "pending", "title": "touch x",
                             "content": [], "locations": [], "kind": "execute"}}})
            done.wait()
            outcome = done.result["outcome"]
            if outcome["outcome"] == "cancelled" or self.cancelled.is_set():
                return self.answer("cancelled")
            if outcome["optionId"] == "cancel":
                # Nothing more of the tool call.
                text(self.session, "Then not.")
                return self.answer("end_turn")
            update(self.session, "tool_call_update", toolCallId="run_shell_command-1", status="completed",
                   title="touch x", kind="execute", content=[
                       {"type": "content", "content": {"type": "text", "text": outcome["optionId"]}}])
            return self.answer("end_turn")
        text(self.session, "you said ")
        text(self.session, self.words)
        self.answer("end_turn")


def main():
    spelling = "--experimental-acp" if os.environ.get("GEMINI_SPELLING") == "old" else "--acp"
    if sys.argv[1:] == ["--version"]:
        return print("0.56.0")
    if sys.argv[1:] != [spelling]:
        sys.exit("Unknown argument: " + " ".join(sys.argv[1:]))
    has_key, turn, mode = bool(os.environ.get("GEMINI_API_KEY")), None, "default"
    logged_in = False
    modes = lambda: {"currentModeId": mode, "availableModes": [
        {"id": id, "name": id} for id in ["default", "autoEdit", "yolo", "plan"]]}
    models = {"currentModelId": "auto", "availableModels": [
        {"modelId": "auto", "name": "Auto"}, {"modelId": "gemini-3-pro", "name": "Gemini 3 Pro"}]}
    for line in sys.stdin:
        message = json.loads(line)
        method, id, params = message.get("method"), message.get("id"), message.get("params", {})
        answer = lambda result: say({"id": id, "result": result})
        if method is None:
            answers[id].result = message["result"]
            answers[id].set()
        elif method == "initialize":
            answer({"protocolVersion": 1, "agentInfo": {"name": "gemini-cli", "title": "Gemini CLI", "version": "0.56.0"},
                    "authMethods": [{"id": "oauth-personal", "name": "Log in with Google", "description": None},
                                    {"id": "gemini-api-key", "name": "Use Gemini API key", "description": None}],
                    "agentCapabilities": {
                        "loadSession": True,
                        "promptCapabilities": {"image": True, "audio": True, "embeddedContext": True},
                        "mcpCapabilities": {"http": True, "sse": True}}})
        elif method == "authenticate":
            logged_in = has_key and params["methodId"] == "gemini-api-key"
            answer({}) if logged_in else say({"id": id, "error": {"code": -32000, "message": "No key"}})
        elif method == "session/new":
            if not logged_in:
                say({"id": id, "error": {"code": -32000, "message": "Authentication required."}})
            else:
                answer({"sessionId": "g1", "modes": modes(), "models": models})
        elif method == "session/load":
            # The replay is not waited for: its first part comes after the answer.
            answer({"modes": modes(), "models": models})
            for kind, words in replay:
                text(params["sessionId"], words, kind)
        elif method == "session/set_mode":
            mode = params["modeId"]
            answer({})
        elif method == "session/set_model":
            answer({})
        elif method in ("session/prompt", "session/cancel"):
            if turn and turn.is_alive():
                turn.cancelled.set()
            if method == "session/prompt":
                turn = Turn(id, params["sessionId"], params["prompt"][0]["text"])
                turn.start()
        elif id is not None:
            say({"id": id, "error": {"code": -32601, "message": f'"Method not found": {method}'}})


main()
