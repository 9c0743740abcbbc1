"""What a person comes for, from the first look to the last, also without a mouse, and what follows them from page to page."""

from client import check_transcript, composer, conversation, say, show, wait_for_text, write
from hub import Session, eventually


def test_by_keyboard_alone(web, daemon):
    page = web.open(daemon, height=2000)
    keys = page.keyboard
    # A session is opened from the palette.
    keys.press("Control+k")
    page.get_by_role("dialog").get_by_role("combobox").or_(page.get_by_role("dialog").get_by_role("searchbox")).first.wait_for()
    keys.type("new session")
    keys.press("Enter")
    dialog = page.get_by_role("dialog", name="New session")
    dialog.wait_for()
    reach(page, "echo agent", dialog)
    keys.press("Space")
    reach(page, "Folder", dialog)
    keys.press("Control+a")
    keys.type(str(daemon.workspace))
    keys.press("Enter")
    eventually("a session is made", lambda: daemon.get("/sessions")["sessions"])
    eventually("its composer has the focus", lambda: focused(page)["tag"] == "textarea")
    keys.type("[[think:hm]] [[permission:once,reject make]] [[text:made]]")
    keys.press("Enter")
    wait_for_text(page, "make")
    eventually("a permission is shown", lambda: page.evaluate("codeaiHub.store.pending.peek().size"))
    keys.press("Alt+a")
    eventually("y is taken", lambda: keys.press("y") or not page.evaluate("codeaiHub.store.pending.peek().size"), every=0.1)
    session = Session(daemon, daemon.get("/sessions")["sessions"][0]["id"])
    session.wait_for("idle")
    assert session.wait_for_event("permission_resolved")["data"]["optionKind"] == "allow_once"
    # And a second message, with the focus where it was.
    eventually("the composer has the focus again", lambda: focused(page)["tag"] == "textarea")
    keys.type("[[text:goodbye]]")
    keys.press("Enter")
    wait_for_text(page, "goodbye")


def focused(page):
    return page.evaluate("""() => { const e = document.activeElement; return {
        tag: e.localName, name: e.ariaLabel ?? e.labels?.[0]?.innerText ?? e.innerText ?? "", text: e.innerText ?? "" }; }""")


def reach(page, name, inside, most=40):
    """Tab until what is named so has the focus: where Tab doesn't come, a keyboard doesn't."""
    seen = []
    for _ in range(most):
        page.keyboard.press("Tab")
        now = focused(page)
        seen.append(now["name"])
        if name.lower() in now["name"].lower():
            return
    raise AssertionError(f"Tab doesn't come to {name!r}: {seen}")


def test_a_draft_follows_the_person(web, daemon):
    session = daemon.session(title="Drafts")
    first = web.open(daemon, session.address)
    second = web.open(daemon, session.address, width=400)
    conversation(first, session)
    conversation(second, session)
    write(first, "half a thought")
    eventually("the draft is on the other page", lambda: composer(second).input_value() == "half a thought")
    composer(second).press("End")
    composer(second).type(", then the rest")
    eventually("and back", lambda: composer(first).input_value() == "half a thought, then the rest")
    # It outlives the page and is gone everywhere when it was sent.
    first.reload()
    web.wait_until_connected(first)
    eventually("after a reload", lambda: composer(first).input_value() == "half a thought, then the rest")
    composer(first).press("Enter")
    wait_for_text(second, "half a thought, then the rest")
    eventually("the field is empty", lambda: composer(first).input_value() == "" and composer(second).input_value() == "")
    assert not session.record.get("draft")


def test_a_deleted_session_comes_back(web, daemon):
    session = daemon.session(title="To be deleted")
    session.say("[[text:precious]]", wait=True)
    page = web.open(daemon, session.address, height=2000)
    wait_for_text(page, "precious")
    page.get_by_role("option", name="To be deleted").click(button="right")
    page.get_by_role("menuitem", name="Delete").click()
    eventually("it is gone", lambda: not daemon.get("/sessions")["sessions"])
    page.get_by_role("button", name="Undo").first.click()
    eventually("it is back", lambda: any(s["id"] == session.id for s in daemon.get("/sessions")["sessions"]))
    show(page, session)
    wait_for_text(page, "precious")
    check_transcript(page, session)


def test_a_queue_is_reordered_and_withdrawn_from(web, daemon):
    session = daemon.session()
    page = web.open(daemon, session.address)
    conversation(page, session)
    session.say("[[stall:60]]")
    session.wait_for("running")
    say(page, "first in the queue")
    say(page, "second in the queue")
    eventually("two wait", lambda: len(session.record["queue"]) == 2)
    item = page.get_by_role("listitem").filter(has_text="second in the queue")
    item.get_by_role("button", name="up").first.click()
    eventually("the order has changed", lambda: session.record["queue"][0]["content"] == "second in the queue")
    item.get_by_role("button", name="Take back").or_(item.get_by_role("button", name="Withdraw")).first.click()
    eventually("one waits", lambda: [q["content"] for q in session.record["queue"]] == ["first in the queue"])
    page.get_by_role("button", name="Interrupt").or_(page.get_by_role("button", name="Stop")).first.click()
    eventually("the turn is interrupted", lambda: any(
        e["kind"] == "turn_completed" and e["data"]["status"] == "interrupted" for e in session.events()))
