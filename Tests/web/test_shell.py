"""The frame: the list of sessions and what is done with them, search, keys, connection, access, languages."""

import datetime
import json
import pathlib
import re

import pytest

from browser import ASSETS, axe_violations, until
from hub import eventually
from logs import Log

STORE = "codeaiHub.store"


def row(page, title):
    return page.locator(".row-session", has_text=title)


def titles(page):
    return page.locator(".row-session .row-title").all_inner_texts()


@pytest.fixture
def configuration():
    """Turns that are still running needn't be waited for at the end of a test."""
    return {"lifecycle": {"graceMs": 100}}


@pytest.fixture
def sessions(daemon):
    """Five of them: one that waits, one that runs, one that failed, two at rest."""
    made = {}
    for title, content in [
        ("Order service", "[[text:The orders are in the cellar.]]"), ("Rate limits", "[[text:Nothing to say.]]"),
        ("Broken", "[[error:internal it broke]]"), ("Leak", "[[stall:120]]"),
        ("Cleaning up", "[[permission:once,reject rm -r build]]"),
    ]:
        made[title] = daemon.session(title=title)
        made[title].say(content)
    for title, status in [("Order service", "idle"), ("Rate limits", "idle"), ("Broken", "failed"), ("Leak", "running")]:
        made[title].wait_for(status)
    made["Cleaning up"].wait_for("waiting")
    return made


# The list


def test_sessions_are_grouped_by_state_and_follow_it(web, daemon, sessions):
    page = web.open(daemon)
    row(page, "Cleaning up").wait_for()
    assert titles(page)[:2] == ["Cleaning up", "Leak"]
    assert page.locator(".row-group").all_inner_texts()[:2] == ["Waiting for you\n1", "Running\n1"]
    assert "Waiting for you" in row(page, "Cleaning up").inner_text()
    assert "rm -r build" in row(page, "Cleaning up").inner_text()
    assert "Failed" in row(page, "Broken").inner_text()
    assert page.title().startswith("(1) ")
    session = sessions["Cleaning up"]
    request = session.pending()
    daemon.post(f"{session.path}/permissions/{request}", {"optionId": session_option(session)})
    until(page, "document.querySelectorAll('.group-waiting').length === 0")
    assert not page.title().startswith("(")


def session_option(session):
    event = session.wait_for_event("permission_requested")
    return event["data"]["options"][0]["optionId"]


def test_the_list_is_used_by_keyboard_alone(web, daemon, sessions):
    page = web.open(daemon)
    row(page, "Leak").wait_for()
    page.keyboard.press("/")
    until(page, "document.activeElement.type === 'search'")
    page.keyboard.press("ArrowDown")
    active = "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))?.innerText"
    assert "Cleaning up" in page.evaluate(active)
    page.keyboard.press("ArrowDown")
    assert "Leak" in page.evaluate(active)
    page.keyboard.press("Enter")
    until(page, f"{STORE}.selected.peek() === '{sessions['Leak'].id}'")
    # F2 renames in place.
    page.keyboard.press("F2")
    page.keyboard.type("A leak in the cache")
    page.keyboard.press("Enter")
    assert eventually("renamed", lambda: sessions["Leak"].record["title"] == "A leak in the cache")
    row(page, "A leak in the cache").wait_for()
    # Escape leaves a title as it was.
    page.keyboard.press("F2")
    page.keyboard.type("nothing")
    page.keyboard.press("Escape")
    page.keyboard.press("Alt+k")
    until(page, f"{STORE}.selected.peek() === '{sessions['Cleaning up'].id}'")
    assert sessions["Leak"].record["title"] == "A leak in the cache"


def test_tags_are_edited_and_filter_the_list(web, daemon, sessions):
    page = web.open(daemon)
    row(page, "Rate limits").click(button="right")
    page.get_by_role("menuitem", name="Edit tags").click()
    page.get_by_role("textbox", name="Tags").fill("api, urgent")
    page.keyboard.press("Enter")
    assert eventually("tagged", lambda: sessions["Rate limits"].record["tags"] == ["api", "urgent"])
    page.get_by_role("button", name="Filter the list").click()
    page.get_by_role("menuitemradio", name="#urgent").click()
    until(page, "document.querySelectorAll('.row-session').length === 1")
    assert titles(page) == ["Rate limits"]
    page.get_by_role("button", name="Remove the filter").click()
    until(page, "document.querySelectorAll('.row-session').length === 5")


def test_a_deleted_session_comes_back_by_undo(web, daemon, sessions):
    page = web.open(daemon, sessions["Order service"].address)
    row(page, "Order service").click(button="right")
    page.get_by_role("menuitem", name="Delete").click()
    until(page, "location.hash === '#/'")
    until(page, "document.querySelectorAll('.row-session').length === 4")
    page.get_by_role("button", name="Undo").click()
    row(page, "Order service").wait_for()
    assert sessions["Order service"].record["title"] == "Order service"


def test_one_that_works_is_asked_about_before_it_is_deleted(web, daemon, sessions):
    page = web.open(daemon)
    row(page, "Leak").click(button="right")
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("button", name="Cancel").click()
    assert sessions["Leak"].record["status"] == "running"
    row(page, "Leak").click(button="right")
    page.get_by_role("menuitem", name="Delete").click()
    page.locator("dialog").get_by_role("button", name="Delete").click()
    until(page, "document.querySelectorAll('.row-session').length === 4")


def test_archived_sessions_leave_the_list_and_come_back(web, daemon, sessions):
    page = web.open(daemon)
    row(page, "Rate limits").click(button="right")
    page.get_by_role("menuitem", name="Archive").click()
    until(page, "document.querySelectorAll('.row-session').length === 4")
    assert sessions["Rate limits"].record["archived"] is True
    page.get_by_role("button", name="Filter the list").click()
    page.get_by_role("menuitemradio", name="Archived").click()
    row(page, "Rate limits").click(button="right")
    page.get_by_role("menuitem", name="Unarchive").click()
    assert eventually("unarchived", lambda: sessions["Rate limits"].record["archived"] is False)


def test_a_fork_is_gone_to_and_an_export_is_saved(web, daemon, sessions):
    page = web.open(daemon)
    row(page, "Order service").click(button="right")
    page.get_by_role("menuitem", name="Fork").click()
    until(page, f"{STORE}.sessions.peek().size === 6 && {STORE}.selected.peek() !== null")
    row(page, "Order service").first.click(button="right")
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Export the log").click()
    lines = pathlib.Path(download.value.path()).read_text().splitlines()
    assert json.loads(lines[0])["kind"] == "header"
    assert download.value.suggested_filename.endswith(".jsonl")


def test_an_exported_log_is_imported_from_a_file(web, daemon, tmp_path):
    session = daemon.session(title="From elsewhere")
    session.say("[[text:kept]]", wait=True)
    status, _, log = daemon.raw(f"/api/v1{session.path}/export?format=jsonl")
    assert status == 200
    daemon.delete(session.path)
    file = tmp_path / "log.jsonl"
    file.write_bytes(log)
    page = web.open(daemon)
    page.get_by_role("button", name="Import sessions").first.click()
    page.locator("#import-file").set_input_files(file)
    until(page, f"{STORE}.selected.peek() === '{session.id}'")
    # What is no log is refused, and that is said where it was asked for.
    file.write_text("{}\n")
    page.get_by_role("button", name="Import sessions").first.click()
    web.allow("400")
    page.locator("#import-file").set_input_files(file)
    page.locator(".dialog-error").wait_for()


def test_the_menu_of_a_row_opens_by_keyboard_once(web, daemon, sessions):
    page = web.open(daemon)
    row(page, "Leak").wait_for()
    page.keyboard.press("F6")
    page.keyboard.press("Shift+F10")
    page.get_by_role("menu").wait_for()
    assert page.get_by_role("menu").count() == 1
    page.keyboard.press("c")
    assert page.evaluate("document.activeElement.innerText").startswith("Copy")
    page.keyboard.press("Escape")
    assert page.get_by_role("menu").count() == 0
    assert page.evaluate("document.activeElement.closest('.session-list') !== null")


def test_of_many_sessions_only_those_in_sight_are_drawn(web, daemon):
    """More than the state shows: they come page by page as one scrolls, and none twice."""
    daemon.stop()
    folder = daemon.home / "sessions"
    folder.mkdir(mode=0o700, exist_ok=True)
    count = 700
    newest = datetime.datetime(2026, 11, 20, tzinfo=datetime.timezone.utc)
    for index in range(count):
        log = Log(start=newest - datetime.timedelta(hours=index))
        log.created(title=f"Number {index}")
        log.begin("hello")
        log.end()
        file = folder / f"{log.id}.jsonl"
        file.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in log.lines))
        file.chmod(0o600)
    daemon.start()
    page = web.open(daemon)
    row(page, "Number 0").wait_for()
    assert page.evaluate(f"{STORE}.sessions.peek().size") < count
    scroll = "(() => { const v = document.querySelector('.session-viewport'); v.scrollTop = v.scrollHeight; })()"
    until(page, f"{scroll}, {STORE}.sessions.peek().size === {count} && document.body.innerText.includes('Number {count - 1}')")
    assert page.locator(".row").count() < 60
    order = page.evaluate(f"{STORE}.order.peek().map((id) => {STORE}.sessions.peek().get(id).title)")
    assert order == [f"Number {index}" for index in range(count)]
    # The daemon finds by their titles those that were not loaded.
    other = web.open(daemon)
    other.get_by_role("searchbox").first.fill(f"Number {count - 5}")
    row(other, f"Number {count - 5}").wait_for()


# Search


def test_search_finds_what_was_said_and_goes_there(web, daemon, sessions):
    eventually("it is in the index", lambda: daemon.get("/search?q=cellar")["results"])
    page = web.open(daemon)
    row(page, "Leak").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("cellar")
    hit = page.locator(".row-hit", has_text="The orders are in the").first
    hit.wait_for()
    assert hit.locator("mark").inner_text() == "cellar"
    hit.click()
    until(page, f"/^#\\/s\\/{sessions['Order service'].id}\\/\\d+$/.test(location.hash)")
    page.locator("input[type=search]").first.fill("rate lim")
    until(page, "document.querySelectorAll('.row-session').length === 1")
    assert titles(page) == ["Rate limits"]
    page.locator("input[type=search]").first.fill("zzzz")
    page.get_by_text("Nothing found for “zzzz”.").wait_for()


def test_an_address_with_a_place_is_gone_to_once(web, daemon):
    """What happens in the session afterwards must not take the person back there."""
    session = daemon.session(title="Places")
    session.say("[[text:first]]", wait=True)
    page = web.open(daemon, f"{session.address}/2")
    until(page, f"{STORE}.transcript('{session.id}').lastSeq > 0")
    page.evaluate(f"globalThis.jumps = 0; {STORE}.loadUntil = async () => {{ jumps += 1; return true; }}; true")
    session.say("[[text:second]]", wait=True)
    until(page, "document.querySelector('.conversation').innerText.includes('second')")
    assert page.evaluate("jumps") == 0
    page.evaluate("location.hash += '0'; true")
    until(page, "jumps === 1")


def test_the_palette_finds_commands_and_sessions(web, daemon, sessions):
    page = web.open(daemon)
    row(page, "Leak").wait_for()
    page.keyboard.press("Control+k")
    page.keyboard.type("brok")
    page.keyboard.press("Enter")
    until(page, f"{STORE}.selected.peek() === '{sessions['Broken'].id}'")
    page.keyboard.press("Control+k")
    page.keyboard.type("dark")
    page.keyboard.press("Enter")
    until(page, "document.documentElement.dataset.theme === 'dark'")
    page.keyboard.press("Alt+w")
    until(page, f"{STORE}.selected.peek() === '{sessions['Cleaning up'].id}'")


# A new session


def test_a_session_is_started_with_its_first_message(web, daemon):
    page = web.open(daemon)
    page.get_by_role("heading", name="Welcome to CodeAI Hub").wait_for()
    page.keyboard.press("Alt+n")
    page.get_by_label("Folder", exact=True).fill(str(daemon.workspace))
    page.get_by_label("First message").fill("[[text:here I am]]")
    page.keyboard.press("Control+Enter")
    until(page, f"{STORE}.selected.peek() !== null")
    record = eventually("a session", lambda: daemon.get("/sessions")["sessions"])[0]
    assert (record["providerId"], record["workspace"]) == ("echo", str(daemon.workspace))
    id = page.evaluate(f"{STORE}.selected.peek()")
    assert eventually(
        "said", lambda: any(e["data"].get("content") == "here I am" for e in daemon.get(f"/sessions/{id}/events")["events"])
    )


def test_an_agent_that_is_missing_says_how_to_get_it(web, daemon):
    page = web.open(daemon)
    page.keyboard.press("Alt+n")
    page.locator(".provider-card", has_text="Claude Code").click()
    page.get_by_text("Claude Code is not installed.").wait_for()
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator(".dialog-error").wait_for()
    assert daemon.get("/sessions")["sessions"] == []


# The connection


def test_the_page_says_that_the_daemon_is_away_and_finds_it_again(web, daemon, sessions):
    page = web.open(daemon)
    web.allow("ERR_CONNECTION_REFUSED|WebSocket connection")
    row(page, "Rate limits").wait_for()
    daemon.kill()
    page.get_by_text("The daemon can’t be reached.").wait_for()
    daemon.start()
    web.wait_until_connected(page)
    until(page, "document.querySelector('.banner').hidden")
    assert "Rate limits" in titles(page)


def test_a_planned_restart_is_over_before_anybody_worries(web, daemon):
    page = web.open(daemon)
    page.evaluate("globalThis.phases = []; codeaiHub.connection.on('core:restarting', () => phases.push('announced')); true")
    instance = page.evaluate(f"{STORE}.core.peek().instanceId")
    daemon.restart()
    until(page, f"codeaiHub.connection.isOpen && {STORE}.core.peek().instanceId !== '{instance}'")
    assert page.evaluate("phases") == ["announced"]
    until(page, "document.querySelector('.banner').hidden")


SOCKETS = """
    globalThis.sockets = [];
    globalThis.WebSocket = class extends WebSocket { constructor(...args) { super(...args); sockets.push(this); } };
"""

def test_connections_lost_in_the_middle_of_a_stream_leave_nothing_out_and_double_nothing(web, daemon):
    session = daemon.session(title="Lost and found")
    page = web.open(daemon, session.address, scripts=[SOCKETS])
    parts = "".join(f"[[think:thought {i}]][[tool-output:6x30@30]][[stream:12x20@40]]" for i in range(6))
    answer = session.say(parts)
    for _ in range(5):
        page.wait_for_timeout(350)
        page.evaluate("sockets.at(-1).close()")
    session.wait_for_turn(answer["turnId"])
    last = session.record["lastSeq"]
    until(page, f"{STORE}.transcript('{session.id}').lastSeq === {last}")
    assert page.evaluate("sockets.length") >= 4
    fresh = web.open(daemon, session.address)
    until(fresh, f"{STORE}.transcript('{session.id}').lastSeq === {last}")

    def shown(page):
        # What was read out to those who listen differs: one page saw it happen.
        text = page.evaluate("""[...document.querySelector('.conversation').querySelectorAll('[data-key], .row, article, section')]
            .map((row) => row.innerText).join('\\n')""")
        return [line.strip() for line in text.splitlines() if line.strip()]

    until(page, "!document.querySelector('.conversation').innerText.includes('Working')")
    eventually(lambda: f"both show the same, not {shown(page)} and {shown(fresh)}", lambda: shown(page) == shown(fresh))


class TestToken:
    @pytest.fixture
    def configuration(self):
        return {"security": {"loopback": "token"}}

    @pytest.fixture
    def token(self, daemon):
        return (daemon.home / "core/token").read_text().strip()

    @pytest.fixture
    def daemon(self, configuration):
        """Its health can't be asked for without the token: it is up when its page is served."""
        from hub import Daemon

        class Guarded(Daemon):
            def request(self, method, path, body=None, headers=None):
                file = self.home / "core/token"
                token = {"Authorization": f"Bearer {file.read_text().strip()}"} if file.exists() else {}
                return super().request(method, path, body, {**token, **(headers or {})})

        with Guarded(configuration) as daemon:
            yield daemon

    def test_who_has_no_ticket_is_told_how_to_get_one(self, web, daemon):
        web.allow("401|WebSocket connection")
        page = web.open(daemon, wait=False)
        page.get_by_role("heading", name="Who are you?").wait_for()
        page.get_by_text("codeai-hub open").wait_for()

    def test_a_ticket_in_the_address_lets_in_and_is_gone_from_it(self, web, daemon):
        ticket = daemon.post("/auth/ticket")["ticket"]
        page = web.open(daemon, f"/#ticket={ticket}")
        assert ticket not in page.url
        page.get_by_role("heading", name="Welcome to CodeAI Hub").wait_for()
        # A used one lets nobody in; who was let in stays in.
        page.goto(daemon.origin + "/")
        web.wait_until_connected(page)
        web.allow("401|WebSocket connection")
        other = web.open(daemon, f"/#ticket={ticket}", wait=False)
        other.get_by_text("was used before or is too old").wait_for()


# Being told


NOTIFICATIONS = """
    globalThis.told = [];
    globalThis.Notification = class {
        static permission = "granted";
        static requestPermission = async () => "granted";
        constructor(title, options) { told.push(`${title}: ${options.body}`); }
        close() {}
    };
"""


def test_a_hidden_page_tells_when_a_session_waits_or_ends(web, daemon):
    session = daemon.session(title="Chores")
    page = web.open(daemon, session.address, scripts=[NOTIFICATIONS])
    # Nobody is told anything that was not asked for.
    hide = "Object.defineProperty(document, 'visibilityState', { value: %s, configurable: true })"
    page.evaluate(hide % "'hidden'")
    session.say("[[text:silently]]", wait=True)
    until(page, f"{STORE}.session('{session.id}').peek().status === 'idle'")
    assert page.evaluate("told") == []
    page.evaluate(hide % "'visible'")
    page.get_by_role("button", name="Appearance and notifications").click()
    page.get_by_role("menuitem", name="Turn notifications on").click()
    page.get_by_text("You are told when a session waits").wait_for()
    page.evaluate(hide % "'hidden'")
    session.say("[[permission:once,reject rm -r build]]")
    until(page, "told.length === 1")
    assert page.evaluate("told[0]") == "Chores: permission needed: rm -r build"
    assert page.title().startswith("(1) ")
    daemon.post(f"{session.path}/permissions/{session.pending()}", {"optionId": session_option(session)})
    until(page, "told.length === 2")
    assert page.evaluate("told[1]") == "Chores: The agent is done."


# Looks and words


def test_theme_and_language_are_kept_by_the_browser(web, daemon):
    page = web.open(daemon)
    page.get_by_role("button", name="Appearance and notifications").click()
    page.get_by_role("menuitemradio", name="Русский").click()
    page.get_by_role("heading", name="Добро пожаловать в CodeAI Hub").wait_for()
    assert page.evaluate("document.documentElement.lang") == "ru"
    page.get_by_role("button", name="Оформление и уведомления").click()
    page.get_by_role("menuitemradio", name="Тёмная").click()
    page.reload()
    web.wait_until_connected(page)
    page.get_by_role("heading", name="Добро пожаловать в CodeAI Hub").wait_for()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_the_browser_s_language_is_the_first_one(web, daemon):
    page = web.open(daemon, locale="ru-RU")
    page.get_by_role("heading", name="Добро пожаловать в CodeAI Hub").wait_for()


def test_every_text_is_there_in_every_language(web, daemon):
    page = web.open(daemon)
    names = [path.name for path in (ASSETS / "strings").glob("*.js")]
    found = page.evaluate(
        """async (names) => Object.fromEntries(await Promise.all(names.map(async (name) =>
            [name, (await import(`/web/strings/${name}`)).default])))""",
        names,
    )
    holes = lambda text: sorted(set(re.findall(r"\{\w+\}", text)))  # noqa: E731
    for name, strings in found.items():
        assert strings["en"].keys() == strings["ru"].keys(), name
        for key, english in strings["en"].items():
            russian = strings["ru"][key]
            assert key.split(".")[0] == name.removesuffix(".js"), key
            assert isinstance(english, dict) == isinstance(russian, dict), key
            if isinstance(english, dict):
                assert {"one", "other"} <= english.keys() and {"one", "few", "many", "other"} <= russian.keys(), key
                english, russian = english["other"], russian["other"]
            assert english.strip() and russian.strip(), key
            assert holes(english) == holes(russian), key


def test_every_key_that_is_asked_for_has_a_text(web, daemon):
    """Keys in the sources that are written out; those put together at run time are not looked at."""
    page = web.open(daemon)
    keys = {
        key for path in ASSETS.rglob("*.js") if path.parent.name != "strings"
        for key in re.findall(r'\bt\(\s*"((?:shell|conversation|interaction|views)\.[\w.]+)"', path.read_text())
    }
    assert len(keys) > 50
    missing = page.evaluate("async (keys) => { const { has } = await import('/web/core/i18n.js'); return keys.filter((key) => !has(key)); }", sorted(keys))
    assert missing == []


def test_the_page_loads_its_modules_at_once(daemon):
    """Each is named in the page: a browser that finds them one behind the other asks a dozen times in a row."""
    page = (ASSETS / "index.html").read_text()
    named = set(re.findall(r'rel="modulepreload" href="/web/([^"]+)"', page))
    modules = {
        str(path.relative_to(ASSETS)) for path in ASSETS.rglob("*.js") if path.name not in ("theme.js", "main.js")
    }
    assert named == modules


@pytest.mark.parametrize("theme", ["light", "dark", "contrast"])
def test_axe_finds_nothing_in_the_frame(web, daemon, sessions, theme):
    page = web.open(daemon)
    page.evaluate(f"{STORE}.setPreference('theme', '{theme}')")
    row(page, "Leak").wait_for()
    assert axe_violations(page) == []
    for keys, selector in [("Alt+n", ".provider-card"), ("Control+k", ".palette-item"), ("?", ".help-keys")]:
        page.keyboard.press(keys)
        page.locator(selector).first.wait_for()
        assert axe_violations(page) == [], keys
        page.keyboard.press("Escape")
    row(page, "Leak").click(button="right")
    assert axe_violations(page) == [], "menu"
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 320, "height": 640})
    page.get_by_role("button", name="Show or hide the sidebar").click()
    until(page, "document.querySelector('.main').inert")
    assert axe_violations(page) == [], "drawer"
    assert page.evaluate("document.documentElement.scrollWidth") == 320


# Hostile names


EVIL = ['<img src=x onerror="document.title=1">', "a\u202egnp.exe", "<script>document.title=1</script>", "x" * 200, "\u200b\u2066hidden", "{{constructor}}", "javascript:alert(1)"]


def test_titles_tags_and_folders_are_text_and_hide_nothing(web, daemon):
    folder = daemon.workspace / "<b>bold \u202eexe.txt"
    folder.mkdir(parents=True)
    for title in EVIL:
        daemon.session(title=title, tags=[title[:30].replace(",", "")], workspace=str(folder)).say("[[text:x]]", wait=True)
    page = web.open(daemon)
    until(page, f"document.querySelectorAll('.row-session').length === {len(EVIL)}")
    shown = " ".join(titles(page))
    assert '<img src=x onerror="document.title=1">' in shown
    assert "⟨U+202E⟩" in shown and "⟨U+200B⟩⟨U+2066⟩hidden" in shown
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b]", page.locator("body").inner_text())
    assert page.locator(".session-list :is(img, script, b)").count() == 0
    # Wherever else titles are shown.
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    row(page, "<script>").click(button="right")
    page.get_by_role("menuitem", name="Archive").click()
    page.locator(".toast").wait_for()
    assert page.locator(":is(.toast, .home) :is(img, script, b)").count() == 0
