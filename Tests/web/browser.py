"""Debian's Chromium with eyes on what may not happen: errors in the console, uncaught ones, violations of the Content
Security Policy, dialogs of the page's own, crashes, and requests to anybody but the daemon. Each is a problem, and a
test that ends with one has failed."""

import importlib.util
import mimetypes
import pathlib
import re
import shutil
import urllib.parse

from playwright.sync_api import Error

from hub import PATIENCE, ROOT, eventually

ASSETS = ROOT / "assets/web"

# How the files of the folder become those inside the program.
_spec = importlib.util.spec_from_file_location("embed_web", ROOT / "scripts/embed-web.py")
embedding = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(embedding)

# What the daemon says with every page (doc/security.md), for the mode in which the files come from a folder.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self' ws://{host}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self' vscode-webview: vscode-file:; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)

# Before any script of the page. A violation goes to the console, where the listener below finds it.
WATCHING = """
document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`CSP: ${event.effectiveDirective} refused ${event.blockedURI} ${event.sample}`);
});
"""

# The client shows its state to whoever looks with the browser's tools.
CONNECTED = "globalThis.codeaiHub?.connection.isOpen === true"

# axe's rules that are said to hold; "best-practice" is an opinion, WCAG 2.2 AA the promise.
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]

# Nothing moves but what moves for ever.
STILL = (
    "document.getAnimations().every((motion) => "
    "motion.playState !== 'running' || motion.effect.getComputedTiming().endTime === Infinity)"
)


def chromium(playwright, headless=True):
    path = shutil.which("chromium")
    assert path, "there is no chromium: scripts/setup.sh --test"
    return playwright.chromium.launch(
        executable_path=path,
        headless=headless,
        # Tests run as root in containers, where the sandbox can't be set up and /dev/shm is small.
        args=["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb", "--disable-lcd-text"],
        # Nobody listens on the discard port: what isn't the daemon's fails, and is counted as a problem besides.
        proxy={"server": "http://127.0.0.1:9", "bypass": "127.0.0.1,localhost"},
    )


def serve_from_folder(context, origin, folder):
    """Answers `/` and `/web/**` from a folder as the daemon does from its own program; all else goes to the daemon."""
    folder = pathlib.Path(folder).resolve()
    policy = POLICY.format(host=urllib.parse.urlsplit(origin).netloc)

    def answer(route):
        path = urllib.parse.unquote(urllib.parse.urlsplit(route.request.url).path)
        name = "index.html" if path == "/" else path.removeprefix("/web/")
        files = [(folder / part).resolve() for part in (embedding.STYLES if name == embedding.STYLE else [name])]
        if not all(file.is_relative_to(folder) and file.is_file() for file in files):
            route.fulfill(status=404, body="no such file")
            return
        kind = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0]
        headers = {
            "Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
            "Content-Type": f"{kind or 'application/octet-stream'}; charset=utf-8", "Cache-Control": "no-store",
        }
        route.fulfill(status=200, headers=headers, body=b"".join(file.read_bytes() for file in files))

    # To Chromium a page that was answered here comes from anywhere: it may still talk to this machine.
    context.grant_permissions(["local-network-access"], origin=origin)
    context.route(re.compile(re.escape(origin) + r"/(web/.*)?([?#].*)?$"), answer)


class Web:
    """Opens pages in one browser, each in a context of its own (other storage, as another machine), and watches them."""

    def __init__(self, browser, assets=None):
        self.browser = browser
        self.assets = assets
        self.contexts = []
        self.pages = []
        self.problems = []
        self.allowed = []

    def open(
        self, daemon, address="/", *, width=1400, height=900, theme="light", locale="en-US", same_as=None, wait=True,
        scripts=(), **options,
    ):
        """Shows the client.

        - address: from the origin, as `/#/settings`.
        - same_as: another page, to share its storage: a second tab of the same browser.
        - wait: until the page is connected and shows something.
        - scripts: run in the page before its own.
        - options: further ones of Playwright's new_context (reduced_motion, forced_colors, contrast, has_touch ...).
        """
        if same_as:
            context = same_as.context
        else:
            context = self.browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=theme, locale=locale, **options
            )
            context.set_default_timeout(PATIENCE * 1000)
            for script in (WATCHING, *scripts):
                context.add_init_script(script)
            self.contexts.append(context)
            if self.assets:
                serve_from_folder(context, daemon.origin, self.assets)
        page = context.new_page()
        self._watch(page, daemon)
        self.pages.append(page)
        page.goto(daemon.origin + address)
        if wait:
            self.wait_until_connected(page)
        return page

    def wait_until_connected(self, page):
        until(page, CONNECTED)

    def allow(self, pattern):
        """From now on, and for what has happened, problems that match are none: what a test brings about itself, such
        as a refused connection while the daemon is away."""
        self.allowed.append(re.compile(pattern))

    def unexpected(self):
        return [problem for problem in self.problems if not any(allowed.search(problem) for allowed in self.allowed)]

    def check(self):
        for page in self.pages:
            if not page.is_closed():
                # What the page has said already comes through here before the answer does.
                page.evaluate("0")
        assert not self.unexpected(), "the page had problems:\n" + "\n".join(self.unexpected())

    def close(self):
        for context in self.contexts:
            context.close()

    def _watch(self, page, daemon):
        def problem(text):
            self.problems.append(text)

        def console(message):
            if message.type == "error":
                where = message.location
                problem(f"console: {message.text} ({where.get('url')}:{where.get('lineNumber')})")

        def request(request):
            url = request.url
            if not url.startswith((daemon.origin + "/", "data:", "blob:" + daemon.origin)):
                problem(f"request: {request.method} {url}")

        def socket(socket):
            if not socket.url.startswith(daemon.origin.replace("http", "ws", 1) + "/"):
                problem(f"request: WebSocket {socket.url}")

        def dialog(dialog):
            # Leaving a page with something unsent may ask; nothing else may.
            if dialog.type != "beforeunload":
                problem(f"dialog: {dialog.type} {dialog.message}")
            dialog.accept()

        page.on("console", console)
        page.on("pageerror", lambda error: problem(f"uncaught: {error.stack or error.message}"))
        page.on("request", request)
        page.on("websocket", socket)
        page.on("dialog", dialog)
        page.on("crash", lambda _: problem("the page crashed"))


def until(page, expression, argument=None, within=PATIENCE):
    """Waits until JavaScript in the page is true, and returns its value. Playwright's own wait_for_function compiles in the
    page, which its policy forbids."""

    def value():
        # A page that is being left has nothing to evaluate in.
        try:
            return page.evaluate(expression, argument)
        except Error as error:
            if "navigat" in str(error) or "context was destroyed" in str(error):
                return None
            raise

    return eventually(expression, value, within)


def evaluate_apart(page, expression):
    """The value of an expression in a world of its own beside the page's scripts: its policy doesn't count there."""
    session = page.context.new_cdp_session(page)
    try:
        tree = session.send("Page.getFrameTree")
        world = session.send("Page.createIsolatedWorld", {"frameId": tree["frameTree"]["frame"]["id"]})
        result = session.send(
            "Runtime.evaluate",
            {"expression": expression, "contextId": world["executionContextId"], "awaitPromise": True,
             "returnByValue": True},
        )
    finally:
        session.detach()
    assert "exceptionDetails" not in result, result["exceptionDetails"]
    return result["result"].get("value")


def axe_violations(page):
    """What axe-core finds against WCAG 2.2 AA in what is shown, in words, once no colour is on its way to another."""
    import axe_playwright_python

    source = next(pathlib.Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")).read_text()
    until(page, STILL)
    run = f"{source};axe.run(document, {{runOnly: {AXE_TAGS}, resultTypes: ['violations']}})"
    found = evaluate_apart(page, run)["violations"]
    return [
        f"{rule['id']} ({rule['help']}): {node['target']} {node['html'][:200]} {node.get('failureSummary', '')}"
        for rule in found for node in rule["nodes"]
    ]


def settled(page, selector):
    """The text of an element once it has stopped changing for two frames in a row."""
    last = []

    def same():
        now = page.inner_text(selector)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        last.append(now)
        return len(last) > 1 and last[-1] == last[-2] and now

    return eventually(f"{selector} settles", same)
