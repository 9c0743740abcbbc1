"""Inside another page: a webview of an editor, whose origin is not the daemon's."""

import http.server
import json
import socket
import threading

import pytest

from browser import CONNECTED
from hub import Daemon


@pytest.fixture
def host():
    """A page elsewhere with a frame in it: stands in for the editor's."""

    class Handler(http.server.BaseHTTPRequestHandler):
        target = ""

        def do_GET(self):
            body = f'<!doctype html><title>editor</title><iframe src="{Handler.target}" width=400 height=600></iframe>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.handler = Handler
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_site_can_not_frame_it(web, daemon, host):
    host.handler.target = daemon.origin + "/"
    web.allow(r"frame-ancestors|Framing|request: GET http://127.0.0.1:\d+/(favicon.ico)?$|Failed to load resource")
    page = web.browser.new_page()
    page.goto(f"http://127.0.0.1:{host.server_port}/")
    page.wait_for_load_state("networkidle")
    assert not any(frame.url.startswith(daemon.origin) and frame.evaluate(CONNECTED) for frame in page.frames[1:])
    page.close()


def test_a_webview_can_frame_it(daemon):
    _, headers, _ = daemon.raw("/")
    policy = headers["Content-Security-Policy"]
    assert "frame-ancestors 'self' vscode-webview:" in policy
    assert "X-Frame-Options" not in headers


def test_a_page_of_an_editor_is_a_client(web):
    """What an extension does that brings its own page: the API and the stream from a webview's origin."""
    with Daemon() as daemon:
        origin = "vscode-webview://0abc"
        status, headers, _ = daemon.raw("/api/v1/health", {"Origin": origin})
        assert status == 200 and headers["Access-Control-Allow-Origin"] == origin
        connection = socket.create_connection(("127.0.0.1", daemon.port), timeout=10)
        connection.sendall((
            f"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 101")
        connection.close()
        assert json.loads(daemon.raw("/health")[2])["status"] == "ok"
