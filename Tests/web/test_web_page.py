"""What the daemon serves at `/`."""

import re


def test_the_page_comes_with_its_policy(daemon):
    status, headers, body = daemon.raw("/")
    assert status == 200
    assert headers["Content-Type"].lower() == "text/html; charset=utf-8"
    policy = dict((rule.split(None, 1) + [""])[:2] for rule in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'self' vscode-webview: vscode-file:"
    assert policy["base-uri"] == policy["form-action"] == policy["trusted-types"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert f"ws://127.0.0.1:{daemon.port}" in policy["connect-src"].split()
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    text = body.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|https?://", text), "inline or from outside"


def test_all_that_the_page_needs_is_the_daemons(web, daemon):
    asked = []
    page = web.open(daemon, wait=False)
    page.on("response", lambda response: asked.append((response.status, response.url)))
    page.reload()
    web.wait_until_connected(page)
    assert asked and all(status < 400 for status, _ in asked), asked


def test_files_outside_are_not_served(daemon):
    for path in ("/web/../core/token", "/web/%2e%2e/core/token", "/web//etc/passwd", "/web/", "/web/none.js", "/web/css"):
        status, _, body = daemon.raw(path)
        assert status in (400, 404), (path, status, body[:200])
