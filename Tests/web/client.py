"""What a person does on the page, and what they see there."""

import json
import os

from hub import eventually


def show(page, session):
    """Goes to a session by its address and waits until its conversation is there."""
    page.goto(session.daemon.origin + session.address)
    return conversation(page, session)


def conversation(page, session):
    shown = page.locator(f'.conversation[data-session="{session.id}"]')
    shown.wait_for()
    return shown


def composer(page):
    return page.locator(".composer-field")


def write(page, text):
    composer(page).fill(text)


def say(page, text):
    write(page, text)
    composer(page).press("Enter")


def wait_for_text(page, text, where="main"):
    page.locator(where).get_by_text(text).first.wait_for()


# What the transcript shows, row by row, in the order of the page. A long message is several pieces, the first of which
# has its seq.
ROWS = """() => {
    const rows = [];
    for (const piece of document.querySelectorAll(".conversation [data-key]")) {
        const seq = piece.dataset.seq;
        if (seq !== undefined || !rows.length) rows.push({ seq: Number(seq ?? 0), text: "", role: piece.className.match(/role-(\\w+)/)?.[1] });
        rows.at(-1).text += piece.innerText + "\\n";
    }
    return rows;
}"""


def rows(page):
    """The rows that are rendered. A page that is high enough renders all of a short session."""
    return page.evaluate(ROWS)


def said(session):
    """The messages of the log in the order in which they are read: one that waited stands where its turn begins."""
    events = session.events()
    begins = {e["turnId"]: e["seq"] for e in events if e["kind"] == "turn_started"}
    messages = [e for e in events if e["kind"] == "message" and not e["data"].get("parentItemId")]
    place = lambda e: max(e["seq"], begins.get(e.get("turnId"), 0) if e["data"]["role"] == "user" else 0)  # noqa: E731
    return sorted(messages, key=place)


def check_transcript(page, session):
    """The page has what the log has: every message once, whole and in order; nothing lost, nothing doubled. The page has
    to be high enough to show all of it."""

    def difference():
        shown = [row for row in rows(page) if row["role"]]
        wanted = said(session)
        seqs = [e["seq"] for e in wanted]
        if [row["seq"] for row in shown] != seqs:
            return f"messages {[row['seq'] for row in shown]} are shown, {seqs} are in the log"
        for event, row in zip(wanted, shown):
            here, there = squeezed(row["text"]), squeezed(event["data"]["content"])
            if there not in here:
                same = len(os.path.commonprefix([here, there]))
                return f"of message {event['seq']} ...{here[same:][:80]!r} is shown, ...{there[same:][:80]!r} in the log, from {same} on"
        streaming = page.locator(".conversation [data-streaming]").count()
        return f"{streaming} rows stream still" if streaming else None

    eventually(lambda: f"the page shows the log: {difference()}", lambda: not difference(), within=15)
    # As often as it is in the log, and no more: a text that came by chunks and by its event is there once.
    whole = squeezed("\n".join(row["text"] for row in rows(page)))
    log = squeezed("\n".join(json.dumps(e["data"], ensure_ascii=False) for e in session.events()))
    for event in said(session):
        text = squeezed(event["data"]["content"])
        assert whole.count(text) <= max(1, log.count(squeezed(json.dumps(text, ensure_ascii=False)[1:-1]))), f"too often: {text[:200]}"


def squeezed(text):
    """Without what the layout decides: white space and the signs of Markdown."""
    return "".join(c for c in text if not c.isspace() and c not in "*_`#")
