"""The client's words: the same in each language, and all of them shown."""

import re

from browser import until
from client import say, wait_for_text

WORDS = """async () => {
    const result = {};
    for (const name of ["shell", "conversation", "interaction", "views"])
        result[name] = (await import(`/web/strings/${name}.js`)).default;
    return result;
}"""


def test_every_word_is_there_in_every_language(page):
    plurals = {"en": {"one", "other"}, "ru": {"one", "few", "many", "other"}}
    for module, languages in page.evaluate(WORDS).items():
        assert set(languages) == {"en", "ru"}, module
        english, russian = languages["en"], languages["ru"]
        assert english.keys() == russian.keys(), f"{module}: {english.keys() ^ russian.keys()}"
        for key in english:
            assert key.startswith(module + "."), key
            names = []
            for tag, value in (("en", english[key]), ("ru", russian[key])):
                forms = value if isinstance(value, dict) else {"other": value}
                if isinstance(value, dict):
                    assert set(value) <= plurals[tag] and "other" in value, (key, tag, value)
                    if tag == "ru":
                        assert set(value) == plurals["ru"], (key, value)
                assert all(isinstance(form, str) and form.strip() for form in forms.values()), (key, tag)
                names.append(set().union(*(re.findall(r"\{(\w+)\}", form) for form in forms.values())))
            # A form may leave out the number, as in "one session".
            assert names[0] ^ names[1] <= {"count"}, f"{key}: {names}"


def test_no_key_is_shown_in_the_place_of_a_word(web, daemon):
    session = daemon.session(title="Words")
    session.say("[[think:a]] [[tool:Bash {}]] [[diff:/tmp/a|b|c]] [[plan:*d]] [[permission:once,reject e]]")
    session.pending()
    for locale in ("en-US", "ru-RU"):
        for address in (session.address, "/", "/#/settings", "/#/usage", "/#/providers"):
            page = web.open(daemon, address, locale=locale, height=2000)
            page.wait_for_load_state("networkidle")
            text = page.evaluate("""() => document.body.innerText + " " + [...document.querySelectorAll("*")].flatMap((e) =>
                ["title", "aria-label", "placeholder", "alt"].map((name) => e.getAttribute(name) ?? "")).join(" ")""")
            assert not re.findall(r"\b(?:shell|conversation|interaction|views)\.[a-z][A-Za-z.]+", text), (locale, address)
            assert not re.findall(r"\bundefined\b|\bNaN\b|\[object |Invalid Date|\{\w+\}", text.replace("Bash {}", "")), (locale, address, text)


def test_russian(web, daemon):
    session = daemon.session(title="Проверка")
    page = web.open(daemon, session.address, locale="ru-RU")
    assert page.evaluate("document.documentElement.lang") == "ru"
    say(page, "[[text:привет]] [[permission:once,reject rm]]")
    wait_for_text(page, "привет")
    page.get_by_text("просит разрешения").first.wait_for()
    # A generic answer is in the person's language; what an agent calls its own options is its own.
    page.get_by_role("button", name="Разрешить один раз").click()
    session.wait_for("idle")
    # It can be chosen, too, whatever the browser speaks, and stays chosen.
    english = web.open(daemon, "/#/settings")
    english.get_by_label("Language").select_option("ru")
    until(english, "document.documentElement.lang === 'ru'")
    english.reload()
    until(english, "document.documentElement.lang === 'ru'")

