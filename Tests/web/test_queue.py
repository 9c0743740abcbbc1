"""What waits, and why; and the head of a session."""

import json
import os

import pytest

from browser import until
from hub import eventually


@pytest.fixture
def session(daemon):
    return daemon.session(title="Queue")


@pytest.fixture
def busy(session):
    session.say("[[stall:60]]")
    session.wait_for("running")
    for text in ("one", "two", "three"):
        session.say(text)
    return session


def queue(session):
    return [item["content"] for item in session.record["queue"]]


def items(page):
    return page.locator(".queue-item")


def test_the_order_is_changed_by_keyboard_and_by_dragging(web, daemon, busy):
    page = web.open(daemon, busy.address)
    items(page).nth(2).wait_for()
    items(page).first.focus()
    page.keyboard.press("Alt+ArrowDown")
    eventually("one is behind two", lambda: queue(busy) == ["two", "one", "three"])
    eventually("the page shows it", lambda: items(page).locator(".queue-text").all_inner_texts() == ["two", "one", "three"])
    # The item keeps the focus on its way.
    assert "one" in page.evaluate("document.activeElement.innerText")
    items(page).nth(2).drag_to(items(page).nth(0), target_position={"x": 20, "y": 3})
    eventually("three is first", lambda: queue(busy) == ["three", "two", "one"])
    assert items(page).first.get_by_role("button", name="Move up").is_disabled()


def test_a_message_taken_back_is_whole_again(web, daemon, busy):
    long = "A long message. " * 60
    busy.say(long, attachments=[{"name": "a.txt", "mediaType": "text/plain", "text": "attached"}])
    page = web.open(daemon, busy.address)
    field = page.locator(".composer-field")
    field.fill("begun here")
    items(page).nth(3).get_by_role("button", name="Take back").click()
    eventually("it waits no more", lambda: queue(busy) == ["one", "two", "three"])
    # The record has 256 characters of it only; nothing is lost, and nothing that was written is overwritten.
    eventually("all of it is in the field", lambda: field.input_value() == f"{long}\n\nbegun here")
    page.get_by_role("button", name="Remove a.txt").wait_for()


def test_a_pause_is_shown_and_ended(web, daemon, session):
    page = web.open(daemon, session.address)
    page.get_by_role("button", name="Pause").click()
    eventually("it is paused", lambda: session.record["paused"])
    page.get_by_text("no turn begins until you resume").wait_for()
    session.say("[[text:waited]]")
    page.get_by_text("1 message waits").wait_for()
    page.locator(".queue-state").get_by_role("button", name="Resume").click()
    session.wait_for_event("turn_completed")
    eventually("the panel is gone", lambda: page.locator("section.queue").is_hidden())


def test_what_failed_is_tried_again(web, daemon, session):
    session.say("[[once:error:overloaded]] [[text:better]]", wait=True)
    page = web.open(daemon, session.address)
    state = page.locator(".queue-state")
    state.get_by_text("The last turn failed").wait_for()
    state.get_by_role("button", name="Retry", exact=True).click()
    session.wait_for_event(lambda e: e["kind"] == "turn_completed" and e["data"]["status"] == "completed")
    eventually("the panel is gone", lambda: page.locator("section.queue").is_hidden())


def test_what_is_parked_counts_down_and_is_given_up(web, daemon, session):
    session.say("[[error:quota]]", wait=True)
    page = web.open(daemon, session.address)
    page.locator(".queue-state").get_by_role("button", name="Retry later").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Minutes").fill("30")
    dialog.get_by_role("button", name="Retry then").click()
    eventually("it is parked", lambda: session.record["parked"])
    page.get_by_text("Tried again by itself").wait_for()
    page.get_by_role("button", name="Don't retry").click()
    eventually("it is parked no more", lambda: not session.record["parked"])


def test_a_held_queue_is_released(web, daemon, session):
    session.say("[[stall:2]] [[error:internal]]")
    session.say("[[text:after]]")
    eventually("the queue is held", lambda: session.record["held"])
    page = web.open(daemon, session.address)
    page.get_by_role("button", name="Let it go on").click()
    session.wait_for_event(lambda e: e["kind"] == "turn_completed" and e["data"]["status"] == "completed")


def test_a_budget_is_said_and_raised(web, daemon, session):
    daemon.patch(session.path, {"budgetUsd": 0.05})
    session.say("[[usage:1000,10,0.06]]", wait=True)
    session.say("[[text:waits for money]]")
    page = web.open(daemon, session.address)
    page.get_by_text("The budget is used up: 1 message waits").wait_for()
    assert "$0.06" in page.locator(".used-cost").inner_text() and "$0.05" in page.locator(".used-cost").inner_text()
    page.locator(".queue-state").get_by_role("button", name="Raise the budget").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Limit in US dollars").fill("1")
    dialog.get_by_role("button", name="Set", exact=True).click()
    page.get_by_text("waits for money").last.wait_for()
    eventually("it goes on", lambda: session.record["queue"] == [] and session.record["budgetUsd"] == 1)


def test_the_session_is_renamed_in_its_head(web, daemon, session):
    page = web.open(daemon, session.address)
    page.get_by_role("button", name="Queue: rename").click()
    page.get_by_role("textbox", name="Rename").fill("Another name")
    page.keyboard.press("Enter")
    eventually("it is renamed", lambda: session.record["title"] == "Another name")
    page.get_by_role("button", name="Another name: rename").wait_for()
    # Escape leaves it as it was.
    page.get_by_role("button", name="Another name: rename").click()
    page.get_by_role("textbox", name="Rename").fill("Not meant")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Another name: rename").wait_for()
    assert session.record["title"] == "Another name"


def test_model_and_mode_are_chosen_from_what_the_agent_offers(web, daemon, session):
    session.say("hello", wait=True)
    page = web.open(daemon, session.address)
    page.get_by_role("button", name="Model: small").click()
    page.get_by_role("menuitemradio", name="large").click()
    page.get_by_role("button", name="Model: large").wait_for()
    page.get_by_role("button", name="Permission mode: default").click()
    page.keyboard.press("p")
    page.keyboard.press("Enter")
    eventually("both are set", lambda: (session.record["model"], session.record["mode"]) == ("large", "plan"))


def test_the_state_and_what_was_used_follow_the_session(web, daemon, session):
    page = web.open(daemon, session.address)
    status = page.locator(".session-status")
    until(page, "document.querySelector('.session-status').dataset.status === 'idle'")
    session.say("[[usage:12000,500,0.12]] [[permission:once,reject x]]")
    until(page, "document.querySelector('.session-status').dataset.status === 'waiting'")
    assert "Waits for you" in status.inner_text()
    session.permit()
    until(page, "document.querySelector('.session-status').dataset.status === 'idle'")
    until(page, "document.querySelector('.used').innerText.includes('$0.12')")
    page.locator(".used").click()
    dialog = page.get_by_role("dialog", name="Usage of this session")
    assert dialog.get_by_role("row", name="Echo").get_by_role("cell").all_inner_texts() == ["1", "12,000", "0", "500", "$0.12"]


@pytest.fixture
def second_agent(daemon):
    """Another provider that is the echo agent, too."""
    folder = daemon.home / "providers/second"
    folder.mkdir(parents=True)
    (folder / "module.json").write_text(json.dumps({
        "id": "second", "name": "Second", "description": "Says it back, too", "adapter": "acp", "command": ["${self}"],
        "arguments": ["echo-agent"], "capabilities": {"models": True, "modes": True},
    }))
    os.chmod(folder / "module.json", 0o600)
    eventually("it is active", lambda: any(
        p["id"] == "second" and p["status"] == "active" for p in daemon.get("/providers")["providers"]))


def test_another_agent_goes_on_and_says_what_it_is_told(web, daemon, session, second_agent):
    session.say("[[error:overloaded]]", wait=True)
    page = web.open(daemon, session.address)
    page.get_by_role("button", name="Agent: Echo").click()
    page.get_by_role("menuitemradio", name="Second").click()
    dialog = page.get_by_role("dialog", name="Go on with Second?")
    assert "told what was said so far" in dialog.inner_text()
    # What failed is tried with it unless one says otherwise.
    assert dialog.get_by_role("checkbox").is_checked()
    dialog.get_by_role("button", name="Switch").click()
    page.get_by_role("button", name="Agent: Second").wait_for()
    eventually("it has tried", lambda: [
        e["providerId"] for e in session.events() if e["kind"] == "turn_completed"] == ["echo", "second"])


def test_who_is_addressed_joins_the_session(web, daemon, session, second_agent):
    page = web.open(daemon, session.address)
    field = page.locator(".composer-field")
    field.press_sequentially("@sec")
    page.get_by_role("option", name="joins the session").wait_for()
    field.press("Enter")
    assert field.input_value() == "@second "
    field.press_sequentially("[[text:here I am]]")
    field.press("Enter")
    answer = session.wait_for_event(lambda e: e["kind"] == "message" and e["data"]["role"] == "assistant")
    assert answer["providerId"] == "second" and session.record["providerId"] == "echo"
    page.get_by_role("button", name="Agent: Echo +1").wait_for()
