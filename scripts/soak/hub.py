"""A client of the daemon that uses nothing but the standard library: HTTP requests, the stream, server-sent events."""

import asyncio
import base64
import json
import os
import struct


class Closed(Exception):
    """The daemon has ended the connection."""


class Hub:
    """The daemon at a port of this machine."""

    def __init__(self, port):
        self.port = port
        self.authority = f"127.0.0.1:{port}"

    async def connect(self):
        return await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.port, limit=64 << 20), 10)

    def head(self, method, path, headers=()):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.authority}", *headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def request(self, method, path, body=None):
        """One request on a connection of its own. Returns its status and its JSON (or text)."""
        reader, writer = await self.connect()
        try:
            content = b"" if body is None else json.dumps(body).encode()
            headers = ["Connection: close", f"Content-Length: {len(content)}", "Content-Type: application/json"]
            writer.write(self.head(method, path, headers if content or method != "GET" else headers[:1]) + content)
            answer = await asyncio.wait_for(reader.read(), 30)
        finally:
            writer.close()
        head, _, rest = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 "):
            raise Closed(f"{method} {path}: no answer")
        try:
            return int(head[9:12]), json.loads(rest) if rest else None
        except ValueError:
            return int(head[9:12]), rest.decode(errors="replace")

    async def call(self, method, path, body=None):
        """As request, for what must succeed."""
        status, answer = await self.request(method, "/api/v1" + path, body)
        if not 200 <= status < 300:
            raise RuntimeError(f"{method} {path}: {status} {answer}")
        return answer


class Stream:
    """The WebSocket (RFC 6455), as far as it is needed: masked text out, whole messages in."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, hub, name, cursors):
        reader, writer = await hub.connect()
        key = base64.b64encode(os.urandom(16)).decode()
        headers = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        writer.write(hub.head("GET", "/api/v1/stream?hello=1", headers))
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        if not answer.startswith(b"HTTP/1.1 101"):
            writer.close()
            raise Closed(answer.split(b"\r\n")[0].decode())
        stream = cls(reader, writer)
        hello = {"name": name, "version": "1", "protocol": 1, "resume": cursors}
        stream.send(1, json.dumps({"type": "client:hello", "payload": hello}).encode())
        return stream

    def send(self, opcode, payload):
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
        else:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
        # A mask of zeros is one, too.
        self.writer.write(head + b"\0\0\0\0" + payload)

    async def frame(self):
        """The next frame's JSON; pings are answered on the way."""
        message = b""
        while True:
            try:
                first, second = await self.reader.readexactly(2)
                length = second & 0x7F
                if length >= 126:
                    more = await self.reader.readexactly(2 if length == 126 else 8)
                    length = int.from_bytes(more, "big")
                payload = await self.reader.readexactly(length)
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise Closed("the stream has ended") from error
            opcode = first & 0x0F
            if opcode == 8:
                raise Closed(f"closed with {int.from_bytes(payload[:2], 'big')} {payload[2:].decode(errors='replace')}")
            if opcode == 9:
                self.send(10, payload)
            elif opcode in (0, 1, 2):
                message += payload
                if first & 0x80:
                    return json.loads(message)

    def close(self):
        self.writer.close()


async def server_sent_events(hub, session, cursor):
    """Yields the events of one session after a cursor, then live ones, as (seq, record)."""
    reader, writer = await hub.connect()
    try:
        path = f"/api/v1/sessions/{session}/events?chunks=false"
        writer.write(hub.head("GET", path, ["Accept: text/event-stream", f"Last-Event-ID: {cursor}"]))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        if not head.startswith(b"HTTP/1.1 200"):
            raise Closed(head.split(b"\r\n")[0].decode())
        pending = b""
        while True:
            size = int((await reader.readuntil(b"\r\n")).strip(), 16)
            pending += (await reader.readexactly(size + 2))[:-2]
            if size == 0:
                raise Closed("the events have ended")
            while b"\n\n" in pending:
                event, _, pending = pending.partition(b"\n\n")
                fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)
                if b"id" in fields and b"data" in fields:
                    yield int(fields[b"id"]), json.loads(fields[b"data"])
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise Closed("the events have ended") from error
    finally:
        writer.close()
