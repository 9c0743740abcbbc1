"""What clients may ask for: the same members whether they come as a body or as a frame."""

from .records import DAY, PROVIDER, SEQ, TIME, TURN
from .schema import *

# Seconds that a turn may be parked.
LONGEST_WAIT = 366 * 86_400

NAME = text("Printable ASCII, no spaces", pattern="^[!-,.-~][!-~]{0,127}$")
CHOICE = {"model?": NAME, "mode?": NAME, "effort?": NAME}
# No control characters.
PLAIN = r"^[^\x00-\x1f\x7f-\x9f]*$"
TAGS = array(text(minLength=1, maxLength=64, pattern=PLAIN), maxItems=32)
TITLE = text(minLength=1, maxLength=200, pattern=PLAIN)

CREATE = {
    "providerId": PROVIDER, "providerIds?": array(PROVIDER, "Others that take part", maxItems=16),
    "workspace?": text("The folder that the agent works in: absolute, and there", pattern=r"^/[^\x00]*$", maxLength=4095, examples=["/"]),
    **CHOICE, "title?": TITLE, "tags?": TAGS,
    "settings?": obj({}, "Kept with the session for its clients", is_open=True),
}
MESSAGE = {
    "content?": text("May be left out when there are attachments"),
    "attachments?": array(ref("Attachment"), maxItems=20),
    "clientMessageId?": text("The same one in a session is answered with the first result", minLength=1, maxLength=128),
    "providerId?": note(PROVIDER, "Who is asked; else the session's provider or the one that the message names"),
    "mode?": one_of("queue", "steer", "reject"),
}
RETRY = {
    "later?": yes_no("Park the turn"), "after?": whole("Seconds", maximum=LONGEST_WAIT),
    "at?": text("RFC 3339 in UTC", format="date-time"),
}
QUEUE = {"order": array(TURN, "The first of those that wait", minItems=1, uniqueItems=True)}
SWITCH = {"providerId": PROVIDER, **CHOICE, "retry?": yes_no("Try the turn that failed again, with this one")}
FORK = {"atSeq?": SEQ, "title?": TITLE}
DRAFT = {"text": text("What was written so far; empty when it was sent or given up")}
SEARCH = {
    "q": text("Words that must all be there; those in double quotes stand together; the last may be the beginning of one",
              maxLength=1024),
    "limit?": whole(minimum=1, maximum=100, default=20),
    "after?": text("The next of the page before", pattern="^[0-9]{1,18}$"),
    "sessionId?": text("Look in this session only")}
SETTINGS = mapping({"type": ["object", "null"]}, "By section and name; null for a default (a merge patch, RFC 7396)")
PERMISSION = {"optionId?": text("One of those offered; left out with outcome cancelled"),
              "outcome?": one_of("cancelled"), "message?": text("To the agent, why not")}
QUESTION = {"answers?": ref("Answers"), "outcome?": one_of("declined")}
