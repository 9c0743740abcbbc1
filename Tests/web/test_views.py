"""Settings, usage and cost, providers: what they show is what the daemon has, and what is done there is done in it."""

import json
import os

import pytest

from browser import until
from hub import eventually


def setting(page, key):
    found = page.locator(f'.setting[data-key="{key}"]')
    found.wait_for()
    return found


class TestSettings:
    def test_several_are_saved_together(self, web, daemon):
        page = web.open(daemon, "/#/settings")
        setting(page, "limits.maxClients").get_by_role("textbox").fill("33")
        setting(page, "sessions.resumeAfterQuota").get_by_role("switch").check()
        setting(page, "log.level").get_by_role("combobox").select_option("error")
        setting(page, "sessions.fallback").get_by_role("textbox").fill("echo\n\n codexCli ")
        page.get_by_text("4 changes are not saved").wait_for()
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("Saved, and in force").wait_for()
        now = daemon.get("/settings")
        assert now["limits"]["maxClients"] == 33 and now["sessions"]["resumeAfterQuota"] is True
        assert now["sessions"]["fallback"] == ["echo", "codexCli"]
        assert page.locator(".save-bar").is_hidden()
        # Back to the default takes it out of the file.
        setting(page, "limits.maxClients").get_by_role("button", name="back to the default").click()
        page.get_by_role("button", name="Save", exact=True).click()
        eventually("the default is back", lambda: daemon.get("/settings")["limits"]["maxClients"] == 64)
        assert "maxClients" not in json.loads((daemon.home / "core/config.json").read_text()).get("limits", {})

    def test_what_is_not_allowed_is_said_at_once_and_not_sent(self, web, daemon):
        page = web.open(daemon, "/#/settings")
        row = setting(page, "server.idleSeconds")
        field = row.get_by_role("textbox")
        for written, words in (("0", "from 0.1 to 86,400"), ("soon", "no number"), ("", "no number")):
            field.fill(written)
            row.get_by_role("alert").filter(has_text=words).wait_for()
            assert field.get_attribute("aria-invalid") == "true"
        whole = setting(page, "limits.maxClients")
        whole.get_by_role("textbox").fill("1.5")
        whole.get_by_role("alert").filter(has_text="whole number").wait_for()
        page.get_by_role("button", name="Save", exact=True).click()
        assert page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"
        assert daemon.get("/settings")["server"]["idleSeconds"] == 75
        page.get_by_role("button", name="Discard").click()
        assert field.input_value() == "75" and page.locator(".save-bar").is_hidden()

    def test_what_others_change_shows_and_what_is_being_written_stays(self, web, daemon):
        page = web.open(daemon, "/#/settings")
        setting(page, "limits.maxClients").get_by_role("textbox").fill("12")
        daemon.patch("/settings", {"stream": {"pingSeconds": 31}, "limits": {"maxClients": 40}})
        eventually("the other value", lambda: setting(page, "stream.pingSeconds").get_by_role("textbox").input_value() == "31")
        assert setting(page, "limits.maxClients").get_by_role("textbox").input_value() == "12"
        page.keyboard.type("3")
        assert setting(page, "limits.maxClients").get_by_role("textbox").input_value() == "123"
        page.get_by_text("1 change is not saved").wait_for()

    def test_each_says_what_keeps_it_from_being_felt(self, web, daemon):
        page = web.open(daemon, "/#/settings")
        locked = setting(page, "server.port")
        assert locked.get_by_role("textbox").count() == 0
        assert "only in the file" in locked.inner_text() and "CORE_PORT" in locked.inner_text()
        # The harness sets it by its variable.
        assert "set by environment CORE_LOG_LEVEL" in setting(page, "log.level").inner_text()
        setting(page, "sessions.durability").get_by_role("combobox").select_option("power")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("1 setting waits for a restart").wait_for()
        assert "waits for a restart" in setting(page, "sessions.durability").inner_text()

    def test_the_search_finds_by_name_and_by_words(self, web, daemon):
        page = web.open(daemon, "/#/settings")
        setting(page, "budget.perDayUsd")
        page.get_by_role("searchbox", name="Search the settings").fill("all sessions together dollars")
        assert page.locator(".setting:visible").evaluate_all("(all) => all.map((each) => each.dataset.key)") == ["budget.perDayUsd"]
        page.get_by_role("searchbox", name="Search the settings").fill("nothing like that")
        page.get_by_text("No setting matches").wait_for()

    def test_appearance_and_language_count_at_once(self, web, daemon):
        page = web.open(daemon, "/#/settings")
        page.get_by_label("Appearance", exact=True).select_option("dark")
        until(page, "document.documentElement.dataset.theme === 'dark'")
        page.get_by_label("Language", exact=True).select_option("ru")
        page.get_by_text("Клиентов одновременно").wait_for()
        setting(page, "limits.maxClients").get_by_role("textbox").fill("0")
        page.get_by_role("alert").filter(has_text="Нужно от 1 до").wait_for()


class TestUsage:
    def test_the_figures_are_the_daemons(self, web, daemon):
        for title, cost in (("Cheap", 0.01), ("Dear", 0.5)):
            daemon.session(title=title).say(f"[[usage:12000,500,{cost}]]", wait=True)
        daemon.patch("/settings", {"budget": {"perDayUsd": 0.6}})
        page = web.open(daemon, "/#/usage")
        until(page, "document.querySelector('.tile dd')?.innerText.includes('$0.51')")
        page.get_by_text("of $0.60").wait_for()
        assert page.get_by_role("meter", name="Today").get_attribute("aria-valuetext") == "85%"
        page.get_by_role("tab", name="Session").click()
        page.get_by_role("row", name="Dear").wait_for()
        rows = page.get_by_role("tabpanel").get_by_role("row").all_inner_texts()
        assert [row.split("\t")[0].strip() for row in rows[1:]] == ["Dear", "Cheap", "Total"]
        page.get_by_role("link", name="Dear").click()
        until(page, "location.hash.startsWith('#/s/')")

    def test_the_chart_is_read_by_keyboard(self, web, daemon):
        daemon.session().say("[[usage:12000,500,0.12]]", wait=True)
        page = web.open(daemon, "/#/usage")
        page.locator(".chart-bar").first.wait_for()
        page.locator(".chart").focus()
        page.keyboard.press("End")
        reading = page.locator(".chart-reading")
        assert "$0.12" in reading.inner_text() and "1 turn" in reading.inner_text()
        page.keyboard.press("ArrowLeft")
        assert "$0.00" in reading.inner_text()

    def test_it_follows_what_is_spent(self, web, daemon):
        session = daemon.session()
        page = web.open(daemon, "/#/usage")
        page.get_by_text("Nothing was used in this time").wait_for()
        session.say("[[usage:1000,50,0.25]]", wait=True)
        until(page, "document.querySelector('.tile dd')?.innerText.includes('$0.25')")

    def test_ranges_and_days(self, web, daemon):
        page = web.open(daemon, "/#/usage")
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.get_by_role("button", name="7 days").click()
        eventually("seven days are asked for", lambda: any("from=" in url for url in asked))
        page.get_by_label("From", exact=True).fill("2026-01-01")
        page.get_by_label("To", exact=True).fill("2026-01-31")
        eventually("those days are asked for", lambda: any("from=2026-01-01&to=2026-01-31" in url for url in asked))
        until(page, "document.querySelectorAll('.chart-column').length === 31")

    def test_the_table_can_be_saved_and_is_no_formula(self, web, daemon, tmp_path):
        daemon.session(title="=1+1").say("[[usage:1000,50,0.25]]", wait=True)
        page = web.open(daemon, "/#/usage")
        page.get_by_role("tab", name="Session").click()
        page.get_by_role("row", name="=1+1").wait_for()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as CSV").click()
        text = download.value.path().read_text()
        assert "\"'=1+1\"" in text and text.startswith("sessionId,title,turns")


@pytest.fixture
def recipe(daemon):
    """A provider of one's own with a recipe that says how far it is and waits for a word."""
    folder = daemon.home / "providers/slow"
    folder.mkdir(parents=True)
    script = (
        "echo 'downloading 10%'; while [ ! -e \"$0.go\" ]; do sleep 0.05; done; mkdir -p ${target}/bin; "
        "printf '#!/bin/sh\\necho 1.2.3\\n' > ${target}/bin/slow; chmod +x ${target}/bin/slow; echo 100%"
    )
    go = daemon.home / "providers/slow/wait.go"
    (folder / "module.json").write_text(json.dumps({
        "id": "slow", "name": "Slow", "description": "Takes its time", "adapter": "acp", "command": ["${install}/bin/slow"],
        "version": {"arguments": ["--version"]},
        "install": [{"id": "script", "label": "A script", "requires": ["sh"], "command": ["sh", "-c", script, str(go)[:-3]]}],
    }))
    os.chmod(folder / "module.json", 0o600)
    eventually("it is there", lambda: any(p["id"] == "slow" for p in daemon.get("/providers")["providers"]))
    return go


class TestProviders:
    def card(self, page, id):
        found = page.locator(f'[data-provider="{id}"]')
        found.wait_for()
        return found

    def test_one_is_installed_with_its_progress_shown(self, web, daemon, recipe):
        page = web.open(daemon, "/#/providers")
        card = self.card(page, "slow")
        assert "Not installed" in card.inner_text()
        card.get_by_role("button", name="Install").click()
        page.get_by_role("dialog").get_by_role("button", name="Install").click()
        card.get_by_text("downloading 10%").wait_for()
        card.get_by_role("progressbar").wait_for()
        recipe.write_text("")
        card.get_by_text("Installed", exact=True).wait_for()
        card.get_by_text("Ready").wait_for()
        card.get_by_role("button", name="Uninstall").click()
        page.get_by_role("dialog").get_by_role("button", name="Uninstall").click()
        card.get_by_text("Not installed").wait_for()

    def test_an_installation_is_cancelled(self, web, daemon, recipe):
        page = web.open(daemon, "/#/providers")
        card = self.card(page, "slow")
        card.get_by_role("button", name="Install").click()
        page.get_by_role("dialog").get_by_role("button", name="Install").click()
        card.get_by_role("button", name="Cancel").click()
        card.get_by_role("status").filter(has_text="The installation was cancelled").wait_for()
        assert card.get_by_role("button", name="Install").is_enabled()

    def test_one_is_disabled_everywhere(self, web, daemon):
        session = daemon.session()
        page = web.open(daemon, "/#/providers")
        other = web.open(daemon, session.address)
        self.card(page, "echo").get_by_role("switch").uncheck()
        eventually("it is disabled", lambda: not daemon.get("/providers/echo")["enabled"])
        self.card(page, "echo").get_by_text("Disabled").wait_for()
        # Who is about to write hears of it, and what to do.
        other.get_by_text("Echo is disabled: messages are refused").wait_for()
        daemon.patch("/providers/echo", {"enabled": True})
        eventually("the switch follows", lambda: self.card(page, "echo").get_by_role("switch").is_checked())

    def test_quota_and_details(self, web, daemon):
        session = daemon.session()
        session.say("[[error:quota]]", wait=True)
        page = web.open(daemon, "/#/providers")
        card = self.card(page, "echo")
        card.get_by_text("Details").click()
        assert "codeai-hub-core" in card.locator(".facts").inner_text() or "core" in card.locator(".facts").inner_text()
        # The echo agent tells no quota: one is put into the record as the daemon sends it.
        page.evaluate("""() => {
            const providers = codeaiHub.store.providers;
            const echo = providers.peek().get("echo");
            const quota = [{ status: "warning", window: "five_hour", utilization: 0.9, resetsAt: Date.now() / 1000 + 3600, notedAt: new Date().toISOString() },
                { status: "rejected", window: "seven_day", notedAt: new Date().toISOString() }];
            providers.value = new Map(providers.peek()).set("echo", { ...echo, quota });
        }""")
        meter = card.get_by_role("meter", name="5 hours")
        meter.wait_for()
        assert meter.get_attribute("aria-valuenow") == "90" and "90% used" in card.inner_text() and "used up" in card.inner_text()
