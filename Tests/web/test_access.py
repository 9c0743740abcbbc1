"""WCAG 2.2 AA as far as a program can judge it, by axe-core, on every view, in both themes, narrow and wide."""

import pytest

from browser import axe_violations
from client import conversation, wait_for_text

WORK = (
    "[[think:hm]] [[text:# Title\n\nSome *text* with `code` and [a link](https://example.com/).\n\n"
    "```python\nprint(1)\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done\n- [ ] open]] "
    '[[tool:Bash {"command":"ls"}]] [[tool-fail:Bash no such file]] [[diff:/tmp/a|old\nline|new\nline]] '
    "[[plan:+read|*write|test]] [[subagent:from below]] [[usage:1000,50,0.01]]"
)


@pytest.fixture
def work(daemon):
    session = daemon.session(title="Everything that there is")
    session.say(WORK, wait=True)
    failed = daemon.session(title="One that failed")
    failed.say("[[error:quota]]", wait=True)
    session.say("[[permission:once,always,reject rm -r build]]")
    session.pending()
    session.say("queued")
    asked = daemon.session(title="A question")
    asked.say("[[question:Which?|one|two]]")
    asked.pending("question")
    return {"session": session, "failed": failed, "asked": asked}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1400])
def test_every_view(web, daemon, work, theme, width):
    found = []
    page = web.open(daemon, width=width, height=1200, theme=theme, reduced_motion="reduce")
    addresses = {name: session.address for name, session in work.items()}
    for view in ("", "settings", "usage", "providers"):
        addresses[view or "start"] = f"/#/{view}"
    for name, address in addresses.items():
        page.goto(daemon.origin + address)
        if name in work:
            conversation(page, work[name])
        page.wait_for_load_state("networkidle")
        found += [f"{name}: {violation}" for violation in axe_violations(page)]
        # Nothing is cut off, and nobody has to scroll sideways (1.4.10).
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            found.append(f"{name}: {wide} px too wide")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1400])
def test_what_opens_over_a_view(web, daemon, work, theme, width):
    found = []
    page = web.open(daemon, work["session"].address, width=width, height=900, theme=theme, reduced_motion="reduce")
    wait_for_text(page, "from below")
    for keys in ("Control+k", "?"):
        page.locator("body").press(keys) if keys == "?" else page.keyboard.press(keys)
        page.get_by_role("dialog").first.wait_for()
        found += [f"{keys}: {violation}" for violation in axe_violations(page)]
        page.keyboard.press("Escape")
        page.get_by_role("dialog").first.wait_for(state="hidden")
    page.evaluate("document.activeElement.blur()")
    assert not found, "\n".join(found)


def test_high_contrast_and_forced_colours(web, daemon, work):
    found = []
    for options in ({"contrast": "more"}, {"forced_colors": "active"}):
        page = web.open(daemon, work["session"].address, height=1200, **options)
        wait_for_text(page, "from below")
        found += [f"{options}: {violation}" for violation in axe_violations(page)]
    assert not found, "\n".join(found)


def test_reduced_motion_moves_nothing(web, daemon, work):
    page = web.open(daemon, work["session"].address, reduced_motion="reduce")
    wait_for_text(page, "from below")
    moving = page.evaluate("""document.getAnimations({subtree: true}).filter((animation) =>
        animation.effect.getComputedTiming().duration > 1).map((animation) => animation.animationName ?? animation.transitionProperty)""")
    assert moving == []
