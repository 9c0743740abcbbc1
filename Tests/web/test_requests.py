"""What an agent asks: exactly what it asks, every answer, by key and by button, and never by mistake."""

import json

import pytest

from browser import until
from hub import eventually


@pytest.fixture
def session(daemon):
    return daemon.session(title="Asked")


def panel(page):
    found = page.locator("section.requests.is-open")
    found.wait_for()
    # Keys count a moment after it has appeared.
    page.wait_for_timeout(600)
    return found


def answers(session):
    return [e["data"] for e in session.events() if e["kind"] in ("permission_resolved", "question_resolved")]


def asked(session, text):
    session.say(text)
    return session.wait_for_event(lambda e: e["kind"] in ("permission_requested", "question_requested"))


@pytest.mark.parametrize("key, kind", [("1", "allow_once"), ("2", "allow_always"), ("3", "reject_once"), ("y", "allow_once"), ("n", "reject_once")])
def test_keys_answer_a_permission(web, daemon, session, key, kind):
    asked(session, "[[permission:once,always,reject make all]]")
    page = web.open(daemon, session.address)
    assert panel(page).get_by_text("make all").first.is_visible()
    page.keyboard.press(key)
    eventually("it is answered", lambda: answers(session))
    assert [a["optionKind"] for a in answers(session)] == [kind]
    page.locator("section.requests.is-open").wait_for(state="detached")


def test_who_writes_goes_on_writing(web, daemon, session):
    page = web.open(daemon, session.address)
    box = page.locator(".composer-field")
    box.click()
    asked(session, "[[permission:once,reject make]]")
    panel(page)
    assert page.evaluate("document.activeElement.className") == "composer-field"
    # Every key that would be an answer is a letter here.
    page.keyboard.type("yes no 123")
    assert box.input_value() == "yes no 123" and answers(session) == []
    # It is announced, and a key leads to it.
    assert "asks for permission" in page.locator("section.requests [aria-live]").text_content()
    page.keyboard.press("Alt+a")
    assert page.evaluate("document.activeElement.closest('.requests') !== null")
    # Enter and Space, pressed in the middle of a sentence, are no answer.
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    assert answers(session) == []
    page.keyboard.press("n")
    eventually("it is rejected", lambda: [a["optionKind"] for a in answers(session)] == ["reject_once"])


def test_a_key_that_is_held_down_answers_one_request_only(web, daemon):
    session = daemon.session()
    asked(session, "[[permission:once,reject first]] [[permission:once,reject second]]")
    page = web.open(daemon, session.address)
    panel(page)
    for _ in range(5):
        page.keyboard.down("y")
    eventually("the second is asked", lambda: len([e for e in session.events() if e["kind"] == "permission_requested"]) == 2)
    page.keyboard.down("y")
    page.keyboard.up("y")
    assert len(answers(session)) == 1
    panel(page)
    page.keyboard.press("n")
    eventually("the second is rejected", lambda: [a["optionKind"] for a in answers(session)] == ["allow_once", "reject_once"])


def test_a_rejection_can_say_why(web, daemon, session):
    asked(session, "[[permission:once,reject rm -r build]]")
    page = web.open(daemon, session.address)
    words = panel(page).get_by_label("When rejecting")
    words.fill("keep the build folder")
    page.evaluate("(() => { const send = codeaiHub.connection.send.bind(codeaiHub.connection); codeaiHub.sent = []; codeaiHub.connection.send = (type, payload) => { codeaiHub.sent.push([type, payload]); return send(type, payload); }; })()")
    words.press("Enter")
    eventually("it is rejected", lambda: [a["optionKind"] for a in answers(session)] == ["reject_once"])
    sent = [payload for kind, payload in page.evaluate("codeaiHub.sent") if kind == "permission:respond"]
    assert [payload["message"] for payload in sent] == ["keep the build folder"]


def test_an_answer_elsewhere_closes_it_and_says_whose(web, daemon, session):
    asked(session, "[[permission:once,reject make]]")
    pages = [web.open(daemon, session.address) for _ in range(2)]
    for page in pages:
        panel(page)
    session.permit()
    for page in pages:
        page.locator("section.requests.is-open").wait_for(state="detached")
        page.locator(".request-outcome").filter(has_text="answered").wait_for()


def test_two_that_answer_at_once_don_t_quarrel(web, daemon, session):
    asked(session, "[[permission:once,reject make]]")
    pages = [web.open(daemon, session.address) for _ in range(2)]
    for page in pages:
        panel(page)
    # As good as at once: neither waits for the other.
    for page in pages:
        page.evaluate("document.querySelector('.requests .option')?.click()")
    eventually("answered", lambda: len(answers(session)) == 1)
    for page in pages:
        page.locator("section.requests.is-open").wait_for(state="detached")


def test_what_is_asked_about_is_shown_exactly(web, daemon):
    """An edit as a diff, with nothing of it hidden; arguments without a form of their own as JSON."""
    hostile = "x = 1\u202e;drop()<img src=x onerror=alert(1)>"
    edit = {"file_path": "/tmp/a.py", "old_string": "x = 1\ny = 2", "new_string": f"{hostile}\ny = 2"}
    plain = {"depth": 3, "names": ["<b>bold</b>", "two"]}
    session = daemon.session()
    asked(session, "[[permission:once,reject edit]]")
    page = web.open(daemon, session.address)
    panel(page)
    for request in (edit, plain):
        page.evaluate("""([sessionId, args]) => {
            const pending = codeaiHub.store.pending;
            const [[key, request]] = [...pending.peek()];
            pending.value = new Map([[key, { ...request, requestId: JSON.stringify(args).slice(0, 20), args }]]);
        }""", [session.id, request])
        shown = page.locator(".request-args")
        if request is edit:
            assert shown.locator("del").inner_text() == "x = 1"
            assert shown.locator("ins").inner_text().replace("⟨U+202E⟩", "\u202e") == hostile
            assert "/tmp/a.py" in shown.locator("figcaption").inner_text()
            shown.get_by_text("All arguments").click()
        text = shown.locator("pre code").inner_text().replace("⟨U+202E⟩", "\u202e").strip()
        assert json.loads(text) == request
        assert shown.locator("img, b").count() == 0


def test_questions_are_answered_with_what_is_offered(web, daemon, session):
    asked(session, "[[question:Which colour?|red|blue]]")
    page = web.open(daemon, session.address)
    shown = panel(page)
    shown.get_by_role("button", name="Answer", exact=True).click()
    shown.get_by_text("has no answer yet").wait_for()
    page.locator("body").evaluate("document.activeElement.blur()")
    page.keyboard.press("2")
    assert shown.get_by_label("blue").is_checked()
    page.keyboard.press("Enter")
    eventually("it is answered", lambda: [list(a["answers"].values()) for a in answers(session)] == [["blue"]])


def test_a_question_with_words_and_one_that_is_declined(web, daemon, session):
    asked(session, "[[question:What is its name?]] [[question:And its colour?|red]]")
    page = web.open(daemon, session.address)
    shown = panel(page)
    shown.get_by_label("Your answer").fill("Anna")
    shown.get_by_label("Your answer").press("Enter")
    eventually("the second is asked", lambda: len(answers(session)) == 1)
    page.get_by_text("And its colour?").first.wait_for()
    page.locator("section.requests").get_by_role("button", name="Decline to answer").click()
    eventually("both are over", lambda: [a["outcome"] for a in answers(session)] == ["answered", "declined"])
    assert list(answers(session)[0]["answers"].values()) == ["Anna"]


def test_a_plan_is_approved_or_sent_back(web, daemon, session):
    """The echo agent has no plans to approve: the question is made one in the page, as Claude Code asks it."""
    asked(session, "[[question:Approve this plan?|Approve|Keep planning]]")
    page = web.open(daemon, session.address)
    panel(page)
    page.evaluate("""() => {
        const pending = codeaiHub.store.pending;
        const [[key, request]] = [...pending.peek()];
        const questions = request.questions.map((question) => ({ ...question, other: true }));
        pending.value = new Map([[key, { ...request, requestId: request.requestId, purpose: "plan_approval", body: "# Steps\\n\\n1. **Read** it\\n2. `write` it", questions }]]);
    }""")
    page.evaluate("location.hash = '#/'")
    page.evaluate(f"location.hash = '{session.address.removeprefix('/')}'")
    shown = panel(page)
    assert shown.locator(".request-title").inner_text() == "Echo has a plan"
    assert shown.locator(".request-plan strong").inner_text() == "Read"
    shown.get_by_role("button", name="Approve").click()
    eventually("it is approved", lambda: [list(a["answers"].values()) for a in answers(session)] == [["Approve"]])


def test_what_waits_elsewhere_is_in_reach(web, daemon, session):
    other = daemon.session(title="Somewhere else")
    asked(other, "[[permission:once,reject elsewhere]]")
    page = web.open(daemon, session.address)
    page.get_by_role("button", name="1 other session waits for you").click()
    page.get_by_role("menuitem", name="Somewhere else").click()
    until(page, "(id) => location.hash.includes(id)", other.id)
    panel(page)


def test_without_a_connection_nothing_can_be_answered(web, daemon, session):
    web.allow(r"WebSocket|Failed to load resource|ERR_CONNECTION")
    asked(session, "[[permission:once,reject make]]")
    page = web.open(daemon, session.address)
    shown = panel(page)
    daemon.kill()
    until(page, "codeaiHub.connection.isOpen === false")
    button = shown.get_by_role("button", name="Allow once")
    assert button.get_attribute("aria-disabled") == "true" and button.get_attribute("title") == "There is no connection"
    page.keyboard.press("y")
    daemon.start()
    until(page, "codeaiHub.connection.isOpen")
    assert not [a for a in answers(session) if a["outcome"] == "selected"]
