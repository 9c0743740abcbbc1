#!/usr/bin/env python3
"""Shows the web client without building it: a daemon with a home of its own, the files from a folder, a session of the
echo agent that says what is asked for, and pictures at three widths in both themes.

    python Tests/web/look.py --out /tmp/pictures [--assets assets/web] [--say '[[text:hello]]']...
                             [--address '/#/settings']... [--widths 320,800,1400] [--themes light,dark] [--locale ru]
                             [--run script.js] [--headed]

Without --assets: what is inside the program. With --headed the browser stays open until Enter is pressed. An address may
have {id}, the session's id, as the default '/#/s/{id}'. --run is JavaScript, evaluated in the page before its picture.
"""

import argparse
import pathlib
import re

from playwright.sync_api import sync_playwright

from browser import CONNECTED, Web, chromium, until
from hub import Daemon


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--assets")
    parser.add_argument("--say", action="append", default=[])
    parser.add_argument("--address", action="append", default=[])
    parser.add_argument("--widths", default="320,800,1400")
    parser.add_argument("--themes", default="light,dark")
    parser.add_argument("--locale", default="en-US")
    parser.add_argument("--run", type=pathlib.Path)
    parser.add_argument("--headed", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, Daemon() as daemon:
        browser = chromium(playwright, headless=not options.headed)
        session = daemon.session(title="A look around")
        for text in options.say:
            session.say(text)
            session.wait_for_event(lambda e: e["kind"] in ("turn_completed", "permission_requested", "question_requested"))
        for address in options.address or ["/#/s/{id}"]:
            for width in map(int, options.widths.split(",")):
                for theme in options.themes.split(","):
                    web = Web(browser, options.assets)
                    page = web.open(
                        daemon, address.format(id=session.id), width=width, height=max(640, width * 2 // 3), theme=theme,
                        locale=options.locale, wait=False,
                    )
                    try:
                        until(page, CONNECTED, within=5)
                    except AssertionError:  # a client that isn't finished is looked at, too
                        print("not connected after 5 s")
                    if options.run:
                        page.evaluate(options.run.read_text())
                    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
                    name = re.sub(r"\W+", "-", address.format(id="session")).strip("-") or "start"
                    file = options.out / f"{name}-{width}-{theme}.png"
                    page.screenshot(path=file)
                    print(file)
                    for problem in web.problems:
                        print(f"  problem: {problem}")
                    if options.headed:
                        input("Enter ends it. ")
                    web.close()
        browser.close()


if __name__ == "__main__":
    main()
