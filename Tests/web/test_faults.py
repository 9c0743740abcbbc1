"""The connection breaks in the middle of everything: nothing is lost and nothing is there twice."""

import pytest

from browser import until
from client import check_transcript, composer, conversation, rows, say, wait_for_text
from hub import eventually

# A stream of two seconds, long enough to break in the middle of it on any machine.
STREAM = "[[text:begin]] [[stream:80x20@40]] [[text:the end of it]]"
# What the browser itself says about a daemon that is away.
GONE = r"WebSocket connection|ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_SOCKET|Failed to load resource"


def midway(page, session):
    """Returns when a part of the stream is on the page."""
    session.wait_for("running")
    wait_for_text(page, "begin")
    eventually("a part of the stream is shown", lambda: page.evaluate("document.querySelector('main').innerText.length") > 300)
    assert session.record["status"] == "running", "the stream was over too soon: nothing is tested"


@pytest.fixture
def shown(web, daemon):
    session = daemon.session(title="Faults")
    session.say("[[text:said before]]", wait=True)
    page = web.open(daemon, session.address, height=4000)
    wait_for_text(page, "said before")
    return session, page


def test_a_reload_in_the_middle_of_a_stream(web, shown):
    session, page = shown
    session.say(STREAM)
    midway(page, session)
    page.reload()
    web.wait_until_connected(page)
    session.wait_for("idle")
    wait_for_text(page, "the end of it")
    check_transcript(page, session)


def test_a_planned_restart_in_the_middle_of_a_stream(web, daemon, shown):
    session, page = shown
    web.allow(GONE)
    session.say(STREAM)
    session.say("[[text:what was queued]]")
    midway(page, session)
    daemon.restart()
    web.wait_until_connected(page)
    wait_for_text(page, "what was queued")
    session.wait_for("idle")
    check_transcript(page, session)


def test_the_daemon_is_killed_in_the_middle_of_a_stream(web, daemon, shown):
    session, page = shown
    web.allow(GONE)
    session.say(STREAM)
    midway(page, session)
    daemon.kill()
    page.locator(".banner").wait_for()
    # Whoever reads goes on reading.
    assert any("said before" in row["text"] for row in rows(page))
    daemon.start()
    web.wait_until_connected(page)
    session.wait_for("failed") if session.record["status"] == "failed" else session.wait_for("idle")
    say(page, "[[text:after it]]")
    wait_for_text(page, "after it")
    session.wait_for("idle")
    check_transcript(page, session)


def test_what_is_sent_while_the_daemon_is_away_arrives_once(web, daemon, shown):
    session, page = shown
    web.allow(GONE)
    daemon.stop()
    until(page, "!codeaiHub.connection.isOpen")
    say(page, "[[text:first of the two]]")
    say(page, "[[text:second of the two]]")
    # They are shown as on their way, and the field is free again.
    wait_for_text(page, "first of the two")
    assert composer(page).input_value() == ""
    daemon.start()
    web.wait_until_connected(page)
    session.wait_for_event(lambda e: e["kind"] == "message" and e["data"]["content"] == "second of the two")
    session.wait_for("idle")
    said = [e["data"]["content"] for e in session.events() if e["kind"] == "message" and e["data"]["role"] == "user"]
    assert said == ["[[text:said before]]", "[[text:first of the two]]", "[[text:second of the two]]"]
    check_transcript(page, session)


def test_many_breaks_while_something_is_said(web, daemon):
    session = daemon.session(title="Faults")
    remember = "window.sockets = []; window.WebSocket = class extends WebSocket { constructor(...p) { super(...p); sockets.push(this); } };"
    page = web.open(daemon, session.address, height=4000, scripts=[remember])
    conversation(page, session)
    session.say("[[text:begin]] [[stream:150x20@75]] [[text:the end of it]]")
    midway(page, session)
    for _ in range(5):
        broken = page.evaluate("sockets.length")
        page.evaluate("sockets.at(-1).close()")
        until(page, "(before) => sockets.length > before", broken)
        web.wait_until_connected(page)
    session.wait_for("idle")
    wait_for_text(page, "the end of it")
    check_transcript(page, session)


def test_another_page_catches_up_with_a_stream_that_runs(web, daemon, shown):
    session, _ = shown
    session.say(STREAM)
    session.wait_for("running")
    late = web.open(daemon, session.address, height=4000)
    conversation(late, session)
    wait_for_text(late, "the end of it")
    session.wait_for("idle")
    check_transcript(late, session)


def test_a_text_is_whole_when_its_event_overtakes_its_last_chunk(page):
    shown = page.evaluate("""async () => {
        const { TextDocument } = await import("/web/conversation/document.js");
        const { GrowingText } = await import("/web/conversation/transcript.js");
        const document = new TextDocument({});
        const streamed = new GrowingText();
        streamed.add("one ");
        document.follow(streamed, false);
        document.pump(performance.now() + 100);
        // Both come before the next frame: nobody has looked at the chunk.
        streamed.add("two");
        const whole = new GrowingText();
        whole.add("one two");
        document.follow(whole, true);
        document.pump(performance.now() + 100);
        return JSON.stringify(document.segmentsOf(0).map((segment) => segment.lines));
    }""")
    assert shown == '[["one two"]]'
