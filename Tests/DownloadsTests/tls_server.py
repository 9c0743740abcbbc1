"""Servers for TLSTests: tls_server.py FOLDER, with their description in servers.json there. Prints their ports as JSON.

Certificates and keys are files of the folder. Ends with the program that started it, and takes the folder with it.
"""

import json
import os
import shutil
import signal
import socket
import ssl
import sys
import threading
import time

signal.alarm(600)
parent = os.getppid()
os.chdir(sys.argv[1])
with open("servers.json", encoding="utf-8") as file:
    servers = json.load(file)
with open("content", "rb") as file:
    content = file.read()
ports = {}


def read_head(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(4096)
        if not piece:
            return None
        head += piece
    return head.decode("latin-1")


def answer(connection, names):
    head = read_head(connection)
    if head is None:
        return
    path = head.split(" ")[1]
    fields = {line.split(":")[0].lower(): line.split(":", 1)[1].strip() for line in head.split("\r\n")[1:] if ":" in line}
    body = content
    if path == "/about":
        about = [names.get("sni"), connection.selected_alpn_protocol(), connection.version(), fields["host"]]
        body = json.dumps(about).encode()
    status, extra = "200 OK", ""
    if "range" in fields:
        start = int(fields["range"][6:-1])
        extra = f"content-range: bytes {start}-{len(body) - 1}/{len(body)}\r\n"
        status, body = "206 Partial Content", body[start:]
    if path == "/down":
        status, extra = "302 Found", f"location: http://127.0.0.1:{ports['plain']}/file\r\n"
    length = "" if path.startswith("/close") else f"content-length: {len(body)}\r\n"
    connection.sendall(f"HTTP/1.1 {status}\r\n{length}{extra}connection: close\r\n\r\n".encode())
    is_cut = path.endswith("cut") and "range" not in fields
    connection.sendall(body[: len(body) // 2] if is_cut else body)
    if is_cut:
        # Without the alert that says that this is all.
        connection.shutdown(socket.SHUT_RDWR)
    else:
        try:
            connection.unwrap()
        except OSError:
            pass


def serve_tls(connection, server):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server["certificate"], "leaf.key")
    context.set_alpn_protocols(["h2", "http/1.1"])
    if server.get("version"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion[server["version"]]
        context.set_ciphers("ALL:@SECLEVEL=0")
    names = {}
    context.sni_callback = lambda _, name, __: names.update(sni=name)
    with context.wrap_socket(connection, server_side=True) as secure:
        answer(secure, names)


def pump(source, target):
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve_proxy(connection, server):
    head = read_head(connection)
    with open("proxy.log", "a", encoding="utf-8") as log:
        log.write(head)
    if server.get("login") and f"proxy-authorization: {server['login']}" not in head:
        connection.sendall(b"HTTP/1.1 407 Login\r\nproxy-authenticate: Basic realm=x\r\ncontent-length: 0\r\n\r\n")
        return
    connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
    with socket.create_connection(("127.0.0.1", ports[server["target"]])) as upstream:
        back = threading.Thread(target=pump, args=(upstream, connection), daemon=True)
        back.start()
        pump(connection, upstream)
        back.join()


def serve(connection, server):
    try:
        with connection:
            match server["kind"]:
                case "tls":
                    serve_tls(connection, server)
                case "proxy":
                    serve_proxy(connection, server)
                case "plain":
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                case "closing":
                    connection.recv(100)
    except (OSError, ssl.SSLError):
        pass


def accept(listener, server):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, server), daemon=True).start()


for server in servers:
    listener = socket.create_server(("127.0.0.1", 0))
    ports[server["name"]] = listener.getsockname()[1]
    threading.Thread(target=accept, args=(listener, server), daemon=True).start()
print(json.dumps(ports), flush=True)
while os.getppid() == parent:
    time.sleep(0.5)
if "KEEP_TEST_HOMES" not in os.environ:
    shutil.rmtree(sys.argv[1], ignore_errors=True)
