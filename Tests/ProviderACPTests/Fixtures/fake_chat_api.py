"""A fake of the chat completions API on a free port of 127.0.0.1, for agents that call one. Prints its port.

The last message of the user says what the model answers: `say WORDS`, or `call TOOL {"arguments": ...}`, after whose
result it says what the result was. The key must be `good`."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("Authorization") != "Bearer good":
            return self.answer(401, {"message": "Unauthorized"})
        messages = [message for message in body["messages"] if message["role"] != "system"]
        delta = self.delta(messages)
        finish = "tool_calls" if "tool_calls" in delta else "stop"
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
        if not body.get("stream"):
            return self.answer(200, {**base, "object": "chat.completion", "usage": usage, "choices": [
                {"index": 0, "message": {"role": "assistant", **delta}, "finish_reason": finish}]})
        chunks = [{**base, "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}]},
                  {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": usage}]
        text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        self.send(200, "text/event-stream", text.encode())

    def delta(self, messages):
        last = messages[-1]
        if last["role"] == "tool":
            return {"content": "The tool said: " + str(last["content"])[:200]}
        text = last["content"] if isinstance(last["content"], str) else "".join(
            part.get("text", "") for part in last["content"])
        for line in reversed(text.splitlines()):
            word, _, rest = line.strip().partition(" ")
            if word == "say":
                return {"content": rest}
            if word == "call":
                name, _, arguments = rest.partition(" ")
                return {"tool_calls": [{"index": 0, "id": f"call{len(messages):05}", "type": "function",
                                        "function": {"name": name, "arguments": arguments}}]}
        return {"content": "nothing to say"}

    def answer(self, status, body):
        self.send(status, "application/json", json.dumps(body).encode())

    def send(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
