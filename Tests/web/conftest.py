"""Fixtures: a daemon, the web client's page in Chromium, a look at both when a test has failed.

    scripts/web-test.sh                      what is inside the program
    scripts/web-test.sh --assets assets/web  the files of the folder: no build is needed to try a change
"""

import pathlib
import sys

import pytest
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from browser import Web, chromium  # noqa: E402
from hub import ROOT, Daemon  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--assets", help="folder that answers / and /web/** in the place of the daemon")
    parser.addoption("--headed", action="store_true", help="show the browser")


@pytest.fixture(scope="session")
def browser(request):
    with sync_playwright() as playwright:
        browser = chromium(playwright, headless=not request.config.getoption("--headed"))
        yield browser
        browser.close()


@pytest.fixture
def configuration():
    """The daemon's configuration file; a test module or class that wants another overrides it."""
    return {}


@pytest.fixture
def daemon(configuration):
    with Daemon(configuration) as daemon:
        yield daemon


@pytest.fixture
def web(request, browser):
    """Opens pages: web.open(daemon, "/#/settings", width=320). What goes wrong in any of them fails the test."""
    # First the pages end, then the daemon: one that goes before them is a problem to them.
    if "daemon" in request.fixturenames:
        request.getfixturevalue("daemon")
    web = Web(browser, assets=request.config.getoption("--assets"))
    yield web
    try:
        if getattr(request.node, "failed", False):
            _keep_pictures(request.node.name, web)
        else:
            web.check()
    finally:
        web.close()


@pytest.fixture
def page(web, daemon):
    """One page, connected."""
    return web.open(daemon)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if call.when == "call":
        item.failed = report.failed


def _keep_pictures(name, web):
    """Of each page of a failed test, beside the results."""
    folder = ROOT / ".build/test-results/web"
    folder.mkdir(parents=True, exist_ok=True)
    for index, page in enumerate(web.pages):
        if not page.is_closed():
            file = folder / f"{name.replace('/', '_')}-{index}.png"
            page.screenshot(path=file)
            print(f"the page looked like this: {file}")
    for problem in web.unexpected():
        print(f"the page had a problem: {problem}")
