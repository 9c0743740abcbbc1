"""One session, looked at and worked with from two pages and a terminal."""

import pytest

from client import check_transcript, conversation, say, wait_for_text
from hub import eventually
from terminal import Terminal


@pytest.fixture
def three(web, daemon):
    """(session, page, other page, terminal), all of them with the session before them."""
    session = daemon.session(title="Together")
    first = web.open(daemon, session.address, height=4000)
    second = web.open(daemon, session.address, height=4000, width=800, theme="dark")
    conversation(first, session)
    conversation(second, session)
    with Terminal(daemon, "attach", session.id) as terminal:
        terminal.wait_for("Together")
        yield session, first, second, terminal


def test_what_one_says_all_see(three):
    session, first, second, terminal = three
    say(first, "[[text:from the first page]]")
    say(second, "[[text:from the second page]]")
    for page in (first, second):
        wait_for_text(page, "from the second page")
    terminal.wait_for("from the second page")
    terminal.type("[[text:from the terminal]]\r")
    for page in (first, second):
        wait_for_text(page, "from the terminal")
    session.wait_for("idle")
    check_transcript(first, session)
    check_transcript(second, session)


def panel(page):
    return page.locator("section.requests.is-open")


@pytest.mark.parametrize("who", ["a click on the first page", "a key on the second page", "the terminal", "a command"])
def test_a_permission_answered_by_one_is_answered_for_all(three, who):
    session, first, second, terminal = three
    session.say("[[permission:once,always,reject rm -r build]]")
    for page in (first, second):
        panel(page).wait_for()
        # The exact arguments, before anybody says yes.
        assert "rm -r build" in panel(page).inner_text()
    terminal.wait_for("press a key")
    if who == "a click on the first page":
        panel(first).get_by_role("button", name="Allow").first.click()
    elif who == "a key on the second page":
        second.keyboard.press("Alt+a")
        # A key that comes as soon as the request does might be meant for something else: it takes none for half a second.
        eventually("y is taken", lambda: second.keyboard.press("y") or panel(second).is_hidden(), every=0.1)
    elif who == "the terminal":
        # There, too, a key that comes at once, or another one shortly after, makes it a letter; Ctrl-U takes that away again.
        eventually("y is taken", lambda: session.record["status"] != "waiting" or terminal.type("\x15y"), every=1)
    else:
        session.daemon.cli("approve", session.id)
    eventually(lambda: f"it is answered; the terminal: {terminal.text[-600:]}", lambda: session.record["status"] != "waiting")
    for page in (first, second):
        panel(page).wait_for(state="hidden")
    session.wait_for("idle")
    resolved = session.wait_for_event("permission_resolved")
    assert resolved["data"]["optionKind"].startswith("allow")
    assert sum(e["kind"] == "permission_resolved" for e in session.events()) == 1
    check_transcript(first, session)


def test_a_question_answered_on_one_page_closes_on_the_other(three):
    session, first, second, _ = three
    session.say("[[question:Which colour?|red|blue]]")
    for page in (first, second):
        wait_for_text(page, "Which colour?")
    first.get_by_label("blue").first.click()
    first.locator("section.requests").get_by_role("button", name="Answer", exact=True).click()
    session.wait_for("idle")
    for page in (first, second):
        page.locator("section.requests").get_by_role("button", name="Answer", exact=True).wait_for(state="hidden")
    assert "blue" in str(session.wait_for_event("question_resolved")["data"]["answers"])


def test_a_title_and_a_deletion_reach_the_others(web, three):
    # Whoever was there asks once more for what is gone.
    web.allow("status of 404")
    session, first, second, _ = three
    session.daemon.patch(session.path, {"title": "Renamed elsewhere"})
    for page in (first, second):
        page.get_by_text("Renamed elsewhere").first.wait_for()
    session.daemon.delete(session.path)
    for page in (first, second):
        page.get_by_text("Renamed elsewhere").first.wait_for(state="hidden")
