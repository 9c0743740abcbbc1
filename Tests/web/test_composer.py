"""Writing to the agents: keys, commands, files, drafts, and what happens without a connection."""

import pytest

from browser import until
from hub import eventually


def field(page):
    found = page.locator(".composer-field")
    found.wait_for()
    return found


def contents(session):
    return [e["data"]["content"] for e in session.events() if e["kind"] == "message" and e["data"]["role"] == "user"]


@pytest.fixture
def session(daemon):
    return daemon.session(title="Composer")


@pytest.fixture
def shown(web, daemon, session):
    page = web.open(daemon, session.address)
    field(page)
    return page


def test_enter_sends_and_shift_enter_does_not(shown, session):
    box = field(shown)
    low = box.bounding_box()["height"]
    box.press_sequentially("[[text:one")
    box.press("Shift+Enter")
    box.press_sequentially("two]]")
    eventually("the field has grown", lambda: box.bounding_box()["height"] > low)
    assert contents(session) == []
    box.press("Enter")
    eventually("it is sent", lambda: contents(session) == ["[[text:one\ntwo]]"])
    assert box.input_value() == ""
    eventually("the field is low again", lambda: box.bounding_box()["height"] == low)


def test_enter_can_be_a_new_line(shown, session):
    shown.evaluate("codeaiHub.store.setPreference('sendKey', 'mod-enter')")
    box = field(shown)
    box.press_sequentially("a")
    box.press("Enter")
    box.press_sequentially("b")
    assert contents(session) == []
    box.press("Control+Enter")
    eventually("it is sent", lambda: contents(session) == ["a\nb"])


def test_enter_of_an_input_method_does_not_send(shown, session):
    box = field(shown)
    box.fill("にほん")
    for init in ({"key": "Enter", "isComposing": True}, {"key": "Enter", "keyCode": 229}):
        box.dispatch_event("keydown", {**init, "bubbles": True, "cancelable": True})
    shown.wait_for_timeout(200)
    assert contents(session) == [] and box.input_value() == "にほん"
    box.press("Enter")
    eventually("it is sent", lambda: contents(session) == ["にほん"])


def test_what_was_sent_comes_back_by_arrow_up(web, daemon, session):
    for text in ("first", "second\nline"):
        session.say(text, wait=True)
    page = web.open(daemon, session.address)
    page.get_by_text("second").first.wait_for()
    box = field(page)
    box.press("ArrowUp")
    assert box.input_value() == "second\nline"
    box.press("ArrowUp")
    assert box.input_value() == "first"
    box.press("ArrowDown")
    box.press("ArrowDown")
    assert box.input_value() == ""
    # In a text of one's own the arrow only moves.
    box.fill("mine")
    box.press("ArrowUp")
    assert box.input_value() == "mine"


def test_commands_complete_and_do_what_they_say(shown, session):
    box = field(shown)
    box.press_sequentially("/ren")
    option = shown.get_by_role("option", name="/rename")
    option.wait_for()
    assert box.get_attribute("aria-activedescendant")
    box.press("Tab")
    assert box.input_value() == "/rename "
    box.press_sequentially("Another name")
    box.press("Enter")
    eventually("it is renamed", lambda: session.record["title"] == "Another name")
    assert contents(session) == [] and box.input_value() == ""
    # One that lacks its argument says so and keeps what was written.
    box.press_sequentially("/rename ")
    box.press("Enter")
    shown.get_by_text("A title is missing").wait_for()
    assert box.input_value() == "/rename "
    # What is no command of the client's is the agent's.
    box.fill("/compact now")
    box.press("Enter")
    eventually("it is sent", lambda: contents(session) == ["/compact now"])


def test_a_command_offers_the_values_that_the_agent_named(web, daemon, session):
    session.say("hello", wait=True)
    page = web.open(daemon, session.address)
    box = field(page)
    page.get_by_role("button", name="Permission mode: default").wait_for()
    box.press_sequentially("/mode pl")
    page.get_by_role("option", name="plan").wait_for()
    box.press("Enter")
    assert box.input_value() == "/mode plan"
    box.press("Enter")
    eventually("the mode has changed", lambda: session.record["mode"] == "plan")
    page.get_by_role("button", name="Permission mode: plan").wait_for()


def test_files_go_with_a_message(shown, session):
    shown.set_input_files(".composer input[type=file]", [
        {"name": "notes.md", "mimeType": "text/markdown", "buffer": "# Notes – ü".encode()},
        {"name": "dot.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n"},
    ])
    shown.get_by_role("button", name="Remove notes.md").wait_for()
    # The echo agent doesn't look at images, and that is said before it is sent.
    shown.get_by_text("can't look at images").wait_for()
    shown.get_by_role("button", name="Remove dot.png").click()
    field(shown).fill("read this")
    field(shown).press("Enter")
    message = session.wait_for_event(lambda e: e["kind"] == "message" and e["data"]["role"] == "user")
    assert message["data"]["attachments"] == [{"name": "notes.md", "mediaType": "text/markdown", "text": "# Notes – ü"}]
    assert shown.locator(".attachment-chips").is_hidden()


def test_pictures_are_pasted_and_files_dropped(shown, session):
    shown.evaluate("""() => {
        const make = (name, type) => { const data = new DataTransfer(); data.items.add(new File(["abc"], name, { type })); return data; };
        const field = document.querySelector(".composer-field");
        field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: make("shot.png", "image/png"), bubbles: true, cancelable: true }));
        field.dispatchEvent(new DragEvent("drop", { dataTransfer: make("code.swift", ""), bubbles: true, cancelable: true }));
    }""")
    shown.get_by_role("button", name="Remove shot.png").wait_for()
    shown.get_by_role("button", name="Remove code.swift").wait_for()
    field(shown).press("Enter")
    message = session.wait_for_event(lambda e: e["kind"] == "message" and e["data"]["role"] == "user")
    assert {a["name"]: a.get("data") or a.get("text") for a in message["data"]["attachments"]} == {"shot.png": "YWJj", "code.swift": "abc"}


def test_a_file_that_is_too_large_is_refused_with_the_limit(daemon, shown):
    daemon.patch("/settings", {"sessions": {"maxAttachmentBytes": 2048}})
    until(shown, "codeaiHub.store.settings.peek().sessions.maxAttachmentBytes === 2048")
    shown.set_input_files(".composer input[type=file]", [{"name": "big.txt", "mimeType": "text/plain", "buffer": b"x" * 4000}])
    shown.get_by_role("alert").filter(has_text="big.txt").filter(has_text="2").wait_for()
    assert shown.locator(".attachment-chip").count() == 0


def test_escape_twice_interrupts(shown, session):
    session.say("[[stall:60]]")
    session.wait_for("running")
    box = field(shown)
    shown.get_by_role("button", name="Queue").wait_for()
    box.press("Escape")
    shown.get_by_text("Esc again interrupts").wait_for()
    assert session.record["status"] == "running"
    box.press("Escape")
    session.wait_for_event(lambda e: e["kind"] == "turn_completed" and e["data"]["status"] == "interrupted")


def test_while_a_turn_runs_it_is_said_what_can_be_done(shown, session):
    session.say("[[stall:60]]")
    session.wait_for("running")
    box = field(shown)
    box.fill("later")
    steer = shown.get_by_role("button", name="Steer")
    steer.wait_for()
    # The echo agent can't be told more: the button says so rather than doing something else.
    assert steer.get_attribute("aria-disabled") == "true" and "can't be told more" in steer.get_attribute("title")
    shown.get_by_role("button", name="Queue").click()
    eventually("it waits", lambda: [q["content"] for q in session.record["queue"]] == ["later"])


def test_what_can_be_told_more_is_told_by_control_enter(shown, session):
    session.say("[[stall:60]]")
    session.wait_for("running")
    # As if the echo agent could; what is sent is looked at, since the daemon knows better and has it wait.
    shown.evaluate("""() => {
        const { store, connection } = codeaiHub;
        const echo = store.providers.peek().get("echo");
        store.providers.value = new Map(store.providers.peek()).set("echo", { ...echo, capabilities: { ...echo.capabilities, steer: true } });
        const send = connection.send.bind(connection);
        codeaiHub.modes = [];
        connection.send = (type, payload) => { if (type === "session:message") codeaiHub.modes.push(payload.mode); return send(type, payload); };
    }""")
    for keys in ("Enter", "Control+Enter"):
        field(shown).fill(keys)
        field(shown).press(keys)
    eventually("both are sent", lambda: len(contents(session)) == 3)
    assert shown.evaluate("codeaiHub.modes") == ["queue", "steer"]


def test_what_is_too_large_for_a_frame_goes_by_a_request(daemon, shown, session):
    daemon.patch("/settings", {"stream": {"maxMessageBytes": 8192}})
    until(shown, "codeaiHub.store.settings.peek().stream.maxMessageBytes === 8192")
    asked = []
    shown.on("request", lambda request: asked.append((request.method, request.url.rsplit("/", 1)[1])))
    long = "é" + "x" * 9000
    shown.set_input_files(".composer input[type=file]", [{"name": "long.txt", "mimeType": "text/plain", "buffer": long.encode()}])
    shown.get_by_role("button", name="Remove long.txt").wait_for()
    field(shown).fill("look")
    field(shown).press("Enter")
    message = session.wait_for_event(lambda e: e["kind"] == "message" and e["data"]["role"] == "user")
    assert message["data"]["attachments"][0]["text"] == long
    assert ("POST", "messages") in asked


def test_what_is_sent_without_a_connection_is_held_and_sent_once(web, daemon, shown, session):
    web.allow(r"WebSocket|Failed to load resource|ERR_CONNECTION")
    daemon.kill()
    until(shown, "codeaiHub.connection.isOpen === false")
    for text in ("[[text:held one]]", "[[text:held two]]"):
        field(shown).fill(text)
        field(shown).press("Enter")
    shown.get_by_text("is sent when the connection is back").first.wait_for()
    # The page may be loaded anew meanwhile, by whatever means: here from the browser's storage in a second tab.
    kept = shown.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('hub.outbox/')).length")
    assert kept == 2
    daemon.start()
    eventually("both are sent, in their order", lambda: contents(session) == ["[[text:held one]]", "[[text:held two]]"])
    eventually("nothing is held", lambda: shown.locator(".outbox-item").count() == 0)
    other = web.open(daemon, session.address, same_as=shown)
    field(other)
    shown.wait_for_timeout(300)
    assert contents(session) == ["[[text:held one]]", "[[text:held two]]"]


def test_an_unsent_message_outlives_the_page(web, daemon, shown, session):
    """What a page left behind, here by its storage, is sent by the next; twice sent it is there once."""
    item = '{"content":"[[text:left behind]]","attachments":[],"mode":"queue","since":1}'
    shown.evaluate("([id, item]) => localStorage.setItem(`hub.outbox/${id}/abc123`, item)", [session.id, item])
    first = web.open(daemon, session.address, same_as=shown)
    eventually("it is sent", lambda: contents(session) == ["[[text:left behind]]"])
    eventually("it is forgotten", lambda: first.evaluate("Object.keys(localStorage).every((key) => !key.startsWith('hub.outbox/'))"))
    first.evaluate("([id, item]) => localStorage.setItem(`hub.outbox/${id}/abc123`, item)", [session.id, item])
    first.reload()
    eventually("it is forgotten again", lambda: first.evaluate("Object.keys(localStorage).every((key) => !key.startsWith('hub.outbox/'))"))
    assert contents(session) == ["[[text:left behind]]"]


def test_a_draft_too_large_for_a_frame_doesn_t_end_the_connection(web, daemon, session):
    daemon.patch("/settings", {"stream": {"maxMessageBytes": 8192}})
    page = web.open(daemon, session.address)
    field(page).fill("x" * 9000)
    eventually("it is kept", lambda: (session.record.get("draft") or {}).get("text") == "x" * 9000)
    assert page.evaluate("codeaiHub.connection.isOpen") and field(page).input_value() == "x" * 9000


def test_two_drafts_at_once_lose_nothing(web, daemon, session):
    one = web.open(daemon, session.address)
    other = web.open(daemon, session.address)
    field(one)
    field(other)
    # Both write before either has heard of the other.
    one.evaluate("void (codeaiHub.connection.send = ((send) => (type, ...rest) => type === 'session:draft' ? new Promise(() => {}) : send.call(codeaiHub.connection, type, ...rest))(codeaiHub.connection.send))")
    field(one).fill("written here")
    field(other).fill("written there")
    one.get_by_text("has written another draft").wait_for()
    assert field(one).input_value() == "written here"
    one.get_by_role("button", name="Both").click()
    assert field(one).input_value() == "written there\n\nwritten here"
    assert one.get_by_text("has written another draft").count() == 0
