"""The watching itself: a test of the client means something only if what may not happen would be noticed."""

import pytest

from browser import Web

BLANK = '<!doctype html><html lang="en"><title>x</title>{}</html>'


@pytest.fixture
def assets(tmp_path):
    (tmp_path / "harmless.js").write_text("document.title = 'ran';")
    return tmp_path


def opened(browser, daemon, assets, body):
    (assets / "index.html").write_text(BLANK.format(body))
    web = Web(browser, assets=assets)
    page = web.open(daemon, wait=False)
    return web, page


def test_a_harmless_page_has_no_problems(browser, daemon, assets):
    web, page = opened(browser, daemon, assets, '<script src="/web/harmless.js"></script>')
    assert page.title() == "ran"
    web.check()
    web.close()


@pytest.mark.parametrize(
    "body, script, problem",
    [
        ("<script>document.title = 'ran'</script>", "", "CSP: script-src-elem"),
        ("<img src=x onerror=\"document.title = 'ran'\">", "", "CSP: script-src-attr"),
        ("<p style='color: red'>", "", "CSP: style-src-attr"),
        ("<img src=http://example.com/a.png>", "", "CSP: img-src"),
        ("", "document.body.innerHTML = '<b>x</b>'", "CSP: require-trusted-types-for"),
        ("", "throw new Error('oops')", "uncaught: Error: oops"),
        ("", "console.error('oops')", "console: oops"),
        ("", "alert('oops')", "dialog: alert oops"),
        ("", "location.href = 'http://example.com/'", "request: GET http://example.com/"),
    ],
)
def test_what_may_not_happen_is_a_problem(browser, daemon, assets, body, script, problem):
    if script:
        (assets / "harmful.js").write_text(script)
        body = '<body><script src="/web/harmful.js"></script>'
    web, page = opened(browser, daemon, assets, body)
    try:
        page.wait_for_load_state("load")
        assert any(problem in found for found in web.problems), web.problems
        assert page.title() != "ran"
        with pytest.raises(AssertionError):
            web.check()
        web.allow(".")
        web.check()
    finally:
        web.close()


def test_the_daemon_does_what_the_echo_agent_is_told(daemon):
    session = daemon.session(title="harness")
    session.say("[[text:hello]]", wait=True)
    assert any(e["kind"] == "message" and e["data"]["content"] == "hello" for e in session.events())
    session.say("[[permission:once,reject rm]]")
    session.permit()
    session.wait_for("idle")
    assert session.record["title"] == "harness"


def test_a_session_outlives_the_death_of_its_daemon(daemon):
    session = daemon.session()
    session.say("[[text:kept]]", wait=True)
    before = session.events()
    port = daemon.port
    daemon.kill()
    daemon.start()
    assert daemon.port == port
    assert session.events()[: len(before)] == before
