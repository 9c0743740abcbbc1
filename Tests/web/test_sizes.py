"""A lot of everything."""

import pytest

from browser import until
from client import conversation, rows, show, wait_for_text
from hub import eventually
from logs import Log, long_log


def test_fifty_sessions(web, daemon):
    sessions = [daemon.session(title=f"Session number {number}") for number in range(50)]
    page = web.open(daemon)
    wait_for_text(page, "Session number 49", where="body")
    # The list has in the document what is in view, and by keyboard all of it.
    page.locator("#sessions").press("End")
    wait_for_text(page, "Session number 0", where="#sessions")
    # What works is seen to work, without being looked at.
    for session in sessions[:5]:
        session.say("[[permission:once,reject work]]")
    for session in sessions[:5]:
        session.pending()
    until(page, "codeaiHub.store.pending.peek().size === 5")
    # The title says how many wait, for whoever looks at another tab.
    until(page, "document.title.includes('5')")
    for session in sessions[:5]:
        session.permit()
    until(page, "!/[0-9]/.test(document.title)")
    # Each is shown at once.
    for session in sessions[::10]:
        show(page, session)


def test_ten_thousand_events(web, daemon):
    session = daemon.import_log(long_log(10_000).lines)
    page = web.open(daemon, session.address)
    conversation(page, session)
    last = session.record["lastSeq"]
    # It opens at its end, with a part of the log and a part of that in the document.
    eventually(lambda: f"the end is shown: {rows(page)[-3:]}", lambda: rows(page) and rows(page)[-1]["seq"] > last - 20)
    assert page.evaluate("document.querySelectorAll('*').length") < 6000
    # To its first event, which is far away, and back.
    page.goto(f"{daemon.origin}/#/s/{session.id}/2")
    wait_for_text(page, "Step 1: look")
    assert page.evaluate("document.querySelectorAll('*').length") < 6000
    session.say("[[text:and at the end]]", wait=True)
    show(page, session)
    page.locator(".conversation").first.press("End")
    wait_for_text(page, "and at the end")


def test_every_row_of_a_long_log_is_met_once_when_it_is_scrolled_through(web, daemon):
    session = daemon.import_log(long_log(1_500).lines)
    page = web.open(daemon, session.address)
    conversation(page, session)
    eventually("rows", lambda: rows(page))
    box = page.locator(".conversation").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    met = {row["seq"]: row["text"] for row in rows(page)}
    # Upwards in steps of less than a screen, as long as there is anything above.
    for _ in range(1000):
        top = min(row["seq"] for row in rows(page))
        if top <= 2:
            break
        page.mouse.wheel(0, -500)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        for row in rows(page):
            met[row["seq"]] = row["text"]
    said = [e for e in session.events() if e["kind"] == "message"]
    missing = [e["seq"] for e in said if e["seq"] not in met]
    assert not missing, f"never shown: {missing[:20]}"
    wrong = [e["seq"] for e in said if e["data"]["role"] == "user" and e["data"]["content"] not in met[e["seq"]]]
    assert not wrong, f"not as it was said: {wrong[:20]}"


def test_two_megabytes_in_one_message(web, daemon):
    log = Log()
    log.created(title="Large")
    log.begin("say much")
    line = "word " * 19 + "\n"
    log.say("the very begin\n\n" + line * (2_000_000 // len(line)) + "\nthe very end")
    log.tool("Bash", {"command": "cat large"}, "x" * 2_000_000)
    log.tool("Edit", {"path": "large"}, diff={"path": "large", "oldText": line * 5000, "newText": line * 5001})
    log.end()
    session = daemon.import_log(log.lines)
    page = web.open(daemon)
    show(page, session)
    eventually("rows", lambda: rows(page))
    # It is answered to at once, whatever is shown.
    page.evaluate("new Promise((done) => setTimeout(done))")
    page.goto(daemon.origin + "/#/settings")
    page.get_by_role("heading", name="Settings").first.wait_for()
    show(page, session)
    eventually("rows", lambda: rows(page))
    session.say("[[text:still there]]", wait=True)
    wait_for_text(page, "still there")


@pytest.mark.parametrize("flood", [
    pytest.param("[[stream:2000x1000]]", id="large"),
    pytest.param("[[stream:5000x8@2500]] [[tool-output:2000x40@1000]]", id="small chunks"),
])
def test_what_follows_a_flood_is_shown(web, daemon, flood):
    session = daemon.session()
    page = web.open(daemon, session.address)
    conversation(page, session)
    session.say(flood + " [[text:after it]]")
    session.wait_for("idle")
    wait_for_text(page, "after it")
