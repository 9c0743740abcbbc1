"""The conversation: its parts as functions, run in the page where they are used, and what one sees of them."""

import json
import random

import pytest

from browser import axe_violations
from hub import ROOT, eventually

# What an agent might say to be more than text.
HOSTILE = [
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "[click](javascript:document.title='owned')",
    "[click](JaVaScRiPt:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[click](vbscript:x) [click](file:///etc/passwd) [click](//example.com/x) [x](/api/v1/core/shutdown)",
    "[a](&#106;avascript:alert(1)) [a](java\\script:alert(1)) [a](\tjavascript:alert(1))",
    "![x](http://example.com/pixel.png) ![x](javascript:alert(1)) ![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "<https://example.com/\"onmouseover=\"alert(1)> <javascript:alert(1)>",
    "https://example.com/<script>alert(1)</script> http://a\"onclick=\"x",
    "```\"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```",
    "| <b>x</b> | [y](javascript:1) |\n|---|---|\n| <svg onload=alert(1)> | `<i>` |",
    "- [ ] <input autofocus onfocus=alert(1)>\n- [x](javascript:1)\n1. <iframe src=//example.com>",
    "# <style>*{display:none}</style>\n> <form action=//example.com><button>x",
    "\u202eevil\u202c \u2066x\u2069 \u200bzero \u0000 \u001b[31mred \U000e0041tag",
    "https://\u0430pple.com [\u202egnp.exe](https://example.com/exe.png)",
    "&lt;script&gt; &#60;img src=x onerror=alert(1)&#62; &amp;lt;",
    "[x]: javascript:alert(1)\n[x] <!-- <script>alert(1)</script> -->",
]

ALLOWED = {
    "A", "B", "BDI", "BLOCKQUOTE", "BR", "BUTTON", "CODE", "DEL", "DIV", "EM", "H3", "H4", "H5", "H6", "HR", "LI", "OL", "P", "PRE",
    "SPAN", "STRONG", "TABLE", "TBODY", "TD", "TH", "THEAD", "TR", "UL", "svg", "path",
}


@pytest.fixture(scope="module")
def shared_daemon():
    from hub import Daemon

    with Daemon() as daemon:
        yield daemon


@pytest.fixture(scope="module")
def lab(request, browser, shared_daemon):
    """A page to call the modules in."""
    from browser import Web

    web = Web(browser, assets=request.config.getoption("--assets"))
    yield web.open(shared_daemon)
    web.check()
    web.close()


def conversation(page, session):
    shown = page.locator(f'.conversation[data-session="{session.id}"]')
    shown.wait_for()
    return shown


def call(page, module, body, argument=None):
    """The value of a function body that has the module as `m` and the argument as `x`."""
    return page.evaluate(
        "async (x) => { const m = await import('/web/conversation/%s.js'); %s }" % (module, body), argument
    )


def markdown(page, text):
    return call(page, "markdown", "return m.parseMarkdown(x);", text)


# Markdown


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a *b* **c** ~~d~~ `e`", [["a ", "em:b", " ", "strong:c", " ", "del:d", " ", "code:e"]]),
        ("***a** b*", [["em:strong:a b"]]),
        ("snake_case_word 2*3*4 a * b", [["snake_case_word 2", "em:3", "4 a * b"]]),
        ("\\*no\\* &amp; &#x41; &unknown;", [["*no* & A &unknown;"]]),
        ("[t](https://e.com/a_(b) \"x\") <https://e.com> www.e.com/x.", [
            ["link:https://e.com/a_(b):t", " ", "link:https://e.com:https://e.com", " ", "link:https://www.e.com/x:www.e.com/x", "."]]),
        ("``a ` b``", [["code:a ` b"]]),
        ("a  \nb\\\nc\nd", [["a", "br", "b", "br", "c\nd"]]),
    ],
)
def test_inline(lab, text, expected):
    def flat(node):
        if isinstance(node, str):
            return node
        if node["t"] == "code":
            return "code:" + node["s"]
        if node["t"] == "br":
            return "br"
        inner = "".join(flat(child) for child in node["c"])
        return f"link:{node['href']}:{inner}" if node["t"] == "link" else f"{node['t']}:{inner}"

    assert [[flat(node) for node in block["c"]] for block in markdown(lab, text)] == expected


def test_blocks(lab):
    text = (
        "# One\n\nText\ngoes on\n===\n\n* a\n\n  more\n* b\n    1. c\n    2. d\n\n> q\nlazy\n\n| a | b |\n|:-|-:|\n| 1 \\| 2 | `x` |\n"
        "\n~~~swift x\nlet a\n~~~\n\n    indented\n\n- [ ] todo\n- [x] done\n\n***\n12. twelve\n<div>html</div>\n"
    )
    blocks = markdown(lab, text)
    assert [block["type"] for block in blocks] == [
        "heading", "heading", "item", "item", "quote", "table", "code", "code", "item", "item", "rule", "item",
    ]
    assert [block["level"] for block in blocks[:2]] == [1, 1]
    first, second = blocks[2:4]
    assert first["list"] == second["list"] and not second["spaced"] and [b["type"] for b in first["blocks"]] == ["paragraph"] * 2
    nested = second["blocks"][1:]
    assert [(b["ordered"], b["number"]) for b in nested] == [(True, 1), (True, 2)]
    assert blocks[4]["blocks"][0]["c"] == ["q\nlazy"]
    assert blocks[5]["align"] == ["left", "right"] and blocks[5]["rows"] == [[["1 | 2"], [{"t": "code", "s": "x"}]]]
    assert blocks[6]["info"] == "swift x" and blocks[6]["lines"] == ["let a"]
    assert blocks[7]["lines"] == ["indented"]
    assert [block["task"] for block in blocks[8:10]] == [False, True]
    assert blocks[11]["number"] == 12 and blocks[11]["blocks"][0]["c"] == ["twelve\n<div>html</div>"]


def documents():
    yield from HOSTILE
    for name in ("protocol.md", "echo.md", "cli.md", "configuration.md"):
        yield (ROOT / "doc" / name).read_text()
    yield "\n".join(f"{'  ' * (i % 9)}- item {i}\n\n{'  ' * (i % 9)}  ```\n  code\n  ```" for i in range(200))
    yield "word " * 9000
    yield "```js\n" + "let a = `x`;\n" * 2000 + "```\nafter"
    yield "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 900 + "end"
    yield "> quote\n" * 2000
    yield "x" * 30_000 + "\r\n" + "\U0001f600" * 9000 + "\r\n\r\n\tcode\r\n"


def test_where_a_stream_is_cut_makes_no_difference(lab):
    seed = random.randrange(1 << 30)
    texts = list(documents())
    different = call(lab, "markdown", """
        let state = x.seed;
        const random = (n) => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return state % n; };
        const whole = (text) => { const s = new m.MarkdownStream(); s.append(text); s.end(); return s.closed; };
        const different = [];
        for (const [index, text] of x.texts.entries()) {
            const expected = JSON.stringify(whole(text));
            for (const most of [1, 7, 90, 4000].slice(text.length > 20000 ? 2 : 0)) {
                const stream = new m.MarkdownStream();
                let seen = 0;
                for (let at = 0; at < text.length;) {
                    const next = at + 1 + random(most);
                    stream.append(text.slice(at, next));
                    at = next;
                    // What is closed stays, and what is open is the end of what there would be if the text ended here.
                    if (random(20) === 0) {
                        const now = JSON.stringify([...stream.closed, ...stream.open()].map((s) => ({ ...s, open: false })));
                        if (now !== JSON.stringify(whole(text.slice(0, at)).map((s) => ({ ...s, open: false })))) different.push([index, most, at]);
                        if (stream.closed.length < seen) different.push([index, "lost"]);
                        seen = stream.closed.length;
                        if (text.length > 2000 && random(8) !== 0) at = Math.min(text.length, at), state++;
                    }
                }
                stream.end();
                if (JSON.stringify(stream.closed) !== expected) different.push([index, most]);
            }
        }
        return different;
    """, {"texts": [text for text in texts if len(text) < 4000], "seed": seed})
    assert different == [], f"seed {seed}: {different[:5]}"
    different = call(lab, "markdown", """
        const different = [];
        for (const [index, text] of x.entries()) {
            const whole = new m.MarkdownStream();
            whole.append(text);
            whole.end();
            const parts = new m.MarkdownStream();
            for (let at = 0, step = 1; at < text.length; at += step, step = (step * 7 + 3) % 613 + 1) parts.append(text.slice(at, at + step));
            parts.end();
            if (JSON.stringify(parts.closed) !== JSON.stringify(whole.closed)) different.push(index);
        }
        return different;
    """, [text for text in texts if len(text) >= 4000])
    assert different == []


@pytest.mark.parametrize("unit", ["`", "*a_", "[", "[a](b", "![", "> ", "- ", "_", "|", "&#", "<a", "~~", "**a ", "http://", "[a](", "``` a\n", "\\", "1. ", "( ", "[](", "<br>", " \n"])
def test_hostile_markdown_takes_linear_time(lab, unit):
    """Ten times as much takes about ten times as long; the bound is far above that, and far below a square."""
    small, large = call(lab, "markdown", """
        const time = (text) => {
            let best = Infinity;
            for (let i = 0; i < 3; i++) {
                const start = performance.now();
                m.parseMarkdown(text);
                best = Math.min(best, performance.now() - start);
            }
            return best;
        };
        return [time(x.repeat(Math.ceil(20000 / x.length))), time(x.repeat(Math.ceil(200000 / x.length)))];
    """, unit)
    assert large < max(small, 5) * 60, (small, large)


def test_nesting_is_bounded(lab):
    depth = call(lab, "markdown", """
        const deep = (blocks) => 1 + Math.max(0, ...blocks.map((b) => b.blocks ? deep(b.blocks) : b.c ? inline(b.c) : 0));
        const inline = (nodes) => 1 + Math.max(0, ...nodes.map((n) => n.c ? inline(n.c) : 0));
        return Math.max(...x.map((text) => deep(m.parseMarkdown(text))));
    """, ["> " * 3000 + "x", "- " * 3000 + "x", "*a **b " * 3000 + "** *" * 3000, "[a " * 2000 + "](x)" * 2000,
          "\n".join("  " * i + "- x" for i in range(300))])
    assert depth < 60


def test_hostile_text_stays_text(lab):
    """Elements of a fixed set, addresses of three schemes, every hidden character seen."""
    found = lab.evaluate("""async (texts) => {
        const { TextDocument } = await import('/web/conversation/document.js');
        const { PieceView } = await import('/web/conversation/markdown-view.js');
        const { GrowingText } = await import('/web/conversation/transcript.js');
        const found = { elements: new Set(), attributes: new Set(), addresses: new Set(), hidden: [] };
        for (const text of texts) {
            for (const plain of [false, true]) {
                const grown = new GrowingText();
                grown.add(text);
                const document_ = new TextDocument({ plain });
                document_.follow(grown, true);
                document_.pump(Infinity);
                const view = new PieceView();
                view.update(document_, 0);
                document.body.append(view.element);
                for (const element of view.element.querySelectorAll('*')) {
                    found.elements.add(element.tagName);
                    for (const { name } of element.attributes) found.attributes.add(name);
                    if (element.hasAttribute('href')) found.addresses.add(element.getAttribute('href'));
                    if (element.hasAttribute('src')) found.addresses.add(element.getAttribute('src'));
                }
                if (/[\\u202a-\\u202e\\u2066-\\u2069\\u200b\\u0000\\u001b]|[\\u{e0000}-\\u{e007f}]/u.test(view.element.innerText)) found.hidden.push(text);
                view.element.remove();
            }
        }
        return { elements: [...found.elements], attributes: [...found.attributes], addresses: [...found.addresses], hidden: found.hidden, title: document.title };
    }""", HOSTILE)
    assert set(found["elements"]) <= ALLOWED, set(found["elements"]) - ALLOWED
    assert not [name for name in found["attributes"] if name.startswith("on") or name in ("style", "srcdoc", "action")]
    assert all(address.startswith(("http://", "https://", "mailto:")) for address in found["addresses"]), found["addresses"]
    assert "https://xn--pple-43d.com/" in found["addresses"]  # look-alike letters are seen as what they are
    assert found["hidden"] == [] and found["title"] != "owned"


def test_a_text_that_is_followed_is_the_text(lab):
    """Whenever one looks at it, and whenever the whole comes in the place of what was streamed."""
    seed = random.randrange(1 << 30)
    wrong = lab.evaluate("""async ({ text, seed }) => {
        const { TextDocument } = await import('/web/conversation/document.js');
        const { GrowingText } = await import('/web/conversation/transcript.js');
        let state = seed;
        const random = (n) => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return (state >>> 8) % n; };
        const grown = (whole) => { const one = new GrowingText(); one.add(whole); return one; };
        const shown = (one) => JSON.stringify(one.pieces.flatMap((_, index) => one.segmentsOf(index)).map((segment) => ({ ...segment, open: false })));
        const finish = (one) => { while (one.isBehind) one.pump(0); };
        const wrong = [];
        for (let round = 0; round < 60; round++) {
            const mine = text.slice(0, random(text.length));
            const source = new GrowingText();
            const followed = new TextDocument();
            for (let at = 0; at < mine.length;) {
                const next = Math.min(mine.length, at + 1 + random(round % 2 ? 40 : 3000));
                source.add(mine.slice(at, next));
                at = next;
                if (random(3) === 0) followed.follow(source, false);
                if (random(3) === 0) followed.pump(0);
                if (random(40) === 0) break; // the rest comes with the whole
            }
            if (random(4) === 0) { followed.follow(source, true); finish(followed); }
            const whole = random(5) === 0 ? '# other\\n\\n' + mine : mine;
            followed.follow(grown(whole), true);
            finish(followed);
            const other = new TextDocument();
            other.follow(grown(whole), true);
            finish(other);
            if (shown(followed) !== shown(other)) wrong.push([round, mine.length]);
        }
        return wrong;
    }""", {"text": (ROOT / "doc/protocol.md").read_text(), "seed": seed})
    assert wrong == [], f"seed {seed}: {wrong}"


# Code, output, differences


def test_tokens_are_the_text(lab):
    """Whatever the language and the line: the tokens put together are the line."""
    corpus = [path.read_text(errors="replace") for path in (
        ROOT / "assets/web/conversation/inline.js", ROOT / "scripts/embed-web.py", ROOT / "scripts/lint.sh", ROOT / "Package.swift",
        ROOT / "assets/web/index.html", ROOT / "assets/web/css/conversation.css", ROOT / "doc/echo.md", ROOT / "config.sample.json",
    )] + HOSTILE + ["'" * 50, '"""\nx\n"""', "/* /* x */ */", "`${a}`", "r#\"x\"#", "<!-- a\n-->b<a b='c' d>", "\\", "@@ -1 +1 @@\n-a\n+b"]
    names = "js py swift go rs c java kt cs php rb sh sql lua json yaml toml css html diff md docker make none".split()
    assert call(lab, "highlight", """
        const wrong = [];
        for (const name of x.names) {
            const language = m.languageOf(name);
            for (const text of x.corpus) {
                let state = null;
                for (const line of text.split('\\n')) {
                    const result = m.tokenizeLine(language, line, state);
                    state = result.state;
                    if (result.tokens.map(([, part]) => part).join('') !== line) wrong.push([name, line]);
                }
            }
        }
        return wrong.slice(0, 5);
    """, {"names": names, "corpus": corpus}) == []


@pytest.mark.parametrize(
    "language, line, expected",
    [
        ("ts", "const a: string = `x`; // y", {"k": "const", "t": "string", "s": "`x`", "c": "// y"}),
        ("py", "@cached\n", {"m": "@cached"}),
        ("py", "def f(x): return 1.5", {"k": "def", "f": "f", "n": "1.5"}),
        ("swift", "func f() throws { \"a\\(b)\" }", {"k": "func", "f": "f"}),
        ("rust", "fn f<'a>(x: &'a str) -> Option<u8> {", {"k": "fn", "v": "'a", "t": "str"}),
        ("go", "func main() { fmt.Println(nil) }", {"k": "func", "t": "nil"}),
        ("c", "#include <stdio.h>", {"m": "#include"}),
        ("sh", "echo \"$HOME\" --all # c", {"t": "echo", "p": "--all", "c": "# c"}),
        ("json", '{"a": [1, true, "b"]}', {"p": '"a"', "n": "1", "t": "true", "s": '"b"'}),
        ("yaml", "key: value # c", {"p": "key", "c": "# c"}),
        ("html", "<a href=\"x\">", {"k": "a", "p": "href", "s": '"x"'}),
        ("css", ".a { color: #fff; }", {"f": ".a", "n": "#fff"}),
        ("sql", "SELECT * FROM t WHERE a = 'x' -- c", {"k": "SELECT", "s": "'x'", "c": "-- c"}),
        ("diff", "+added", {"i": "+added"}),
    ],
)
def test_highlighting(lab, language, line, expected):
    tokens = call(lab, "highlight", "return m.tokenizeLine(m.languageOf(x[0]), x[1]).tokens;", [language, line])
    for kind, text in expected.items():
        assert [kind, text] in tokens, (kind, text, tokens)


def test_colours_of_output(lab):
    lines = call(lab, "ansi", "return m.parseAnsi(x);", "a\x1b[1;31mred\x1b[0m \x1b[38;5;208mo\x1b[m\n50%\r100%\n\x1b]0;title\x07x\x1b[2Jy\x1b[")
    assert lines[0] == [{"text": "a"}, {"text": "red", "bold": True, "fg": "1"}, {"text": " "}, {"text": "o", "fg": "#ff8700"}]
    assert lines[1] == [{"text": "100%"}]
    assert [span["text"] for span in lines[2]] == ["x", "y"]


def test_differences_lead_from_one_text_to_the_other(lab):
    seed = random.randrange(1 << 30)
    assert call(lab, "diff", """
        let state = x;
        const random = (n) => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return (state >>> 8) % n; };
        const wrong = [];
        for (let round = 0; round < 300; round++) {
            const before = Array.from({ length: random(40) }, () => 'l' + random(6));
            const after = before.flatMap((line) => random(4) === 0 ? [] : random(5) === 0 ? ['n' + random(9), line] : [line]);
            const lines = m.editScript(before, after, round % 3 === 0 ? 4 : 1000);
            const old = lines.filter((l) => l.op !== '+').map((l) => l.text), next = lines.filter((l) => l.op !== '-').map((l) => l.text);
            if (old.join() !== before.join() || next.join() !== after.join()) wrong.push([before, after]);
            // With context, hunks have the numbers of the lines that they show.
            for (const hunk of m.diffTexts(before.join('\\n'), after.join('\\n'))) {
                for (const line of hunk.lines) {
                    if (line.old && before[line.old - 1] !== line.text) wrong.push(['old', line]);
                    if (line.new && after[line.new - 1] !== line.text) wrong.push(['new', line]);
                }
            }
        }
        return wrong.slice(0, 3);
    """, seed) == [], seed


def test_unified_differences(lab):
    text = (
        "diff --git a/x.js b/y.js\nindex 1..2 100644\n--- a/x.js\n+++ b/y.js\n@@ -2,3 +2,3 @@ function f\n a\n--- b\n++++ c\n d\n"
        "\\ No newline at end of file\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\n"
    )
    first, second = call(lab, "diff", "return m.parseUnified(x);", text)
    assert (first["oldPath"], first["newPath"]) == ("x.js", "y.js")
    assert [(line["op"], line["text"]) for line in first["hunks"][0]["lines"]] == [(" ", "a"), ("-", "-- b"), ("+", "+++ c"), (" ", "d")]
    assert first["hunks"][0]["lines"][3]["noEnd"] and first["hunks"][0]["lines"][3]["old"] == 4
    assert second["oldPath"] is None and second["hunks"][0]["lines"][0]["new"] == 1
    bare = call(lab, "diff", "return m.parseUnified(x);", "+only\n-these\n")
    assert [line["op"] for line in bare[0]["hunks"][0]["lines"]] == ["+", "-"]
    marked = call(lab, "diff", "const [h] = m.diffTexts('let count = 1;\\n', 'let total = 1;\\n'); m.markWithin(h.lines); return h.lines;")
    assert [line["marks"] for line in marked] == [[[4, 9]], [[4, 9]]]
    huge = call(lab, "diff", """
        const start = performance.now();
        const text = (n) => Array.from({ length: 20000 }, (_, i) => 'line ' + (i * n) % 19997).join('\\n');
        m.diffTexts(text(7), text(11));
        return performance.now() - start;
    """)
    assert huge < 3000


# The fold


def log_of(*events):
    log = []
    for kind, data, *rest in events:
        fields = rest[0] if rest else {}
        log.append({"seq": len(log) + 1, "ts": f"2026-11-21T10:00:{len(log) % 60:02}.000Z", "id": f"e{len(log) + 1}", "kind": kind,
                    "source": "agent", "providerId": "echo", "turnId": "t1", "data": data, **fields})
    return log


WHOLE = log_of(
    ("status", {"type": "created"}, {"turnId": None}),
    ("message", {"role": "user", "content": "one"}),
    ("turn_started", {}),
    ("thinking", {"content": "hm"}, {"itemId": "i1"}),
    ("tool_call", {"name": "Bash", "title": "ls", "toolKind": "execute", "args": {"command": "ls"}, "status": "running"}, {"itemId": "c1"}),
    ("message", {"role": "user", "content": "two"}, {"turnId": "t2"}),
    ("permission_requested", {"requestId": "p1", "tool": "Bash", "title": "ls", "args": {}, "options": [{"optionId": "y", "label": "Yes", "kind": "allow_once"}]}),
    ("permission_resolved", {"requestId": "p1", "outcome": "selected", "optionId": "y", "optionKind": "allow_once"}),
    ("diff", {"path": "/a", "oldText": "x", "newText": "y"}, {"itemId": "c1"}),
    ("tool_result", {"status": "completed", "content": "done"}, {"itemId": "c1"}),
    ("tool_call", {"name": "Task", "title": "look", "toolKind": "agent", "args": {}, "status": "running"}, {"itemId": "c2"}),
    ("message", {"role": "assistant", "content": "sub", "parentItemId": "c2"}, {"itemId": "i2"}),
    ("tool_call", {"name": "Read", "title": "a", "toolKind": "read", "args": {}, "status": "running", "parentItemId": "c2"}, {"itemId": "c3"}),
    ("tool_result", {"status": "failed", "content": "no", "parentItemId": "c2"}, {"itemId": "c3"}),
    ("tool_result", {"status": "completed", "content": "found"}, {"itemId": "c2"}),
    ("plan", {"entries": [{"content": "a", "status": "pending"}]}),
    ("message", {"role": "assistant", "content": "one is done"}, {"itemId": "i3"}),
    ("plan", {"entries": [{"content": "a", "status": "completed"}]}),
    ("usage", {"input": 1}), ("custom", {"type": "x"}), ("status", {"type": "unheard_of"}), ("kind_of_tomorrow", {}),
    ("turn_completed", {"status": "completed", "durationMs": 5}),
    ("turn_started", {}, {"turnId": "t2"}),
    ("error", {"code": "overloaded", "message": "m", "recoverable": True, "actions": []}, {"turnId": "t2"}),
    ("turn_completed", {"status": "failed"}, {"turnId": "t2"}),
    ("message", {"role": "user", "content": "three"}, {"turnId": "t3"}),
    ("message", {"role": "user", "content": "four"}, {"turnId": "t4"}),
    ("status", {"type": "queue_ordered", "order": ["t4", "t3"]}),
    ("status", {"type": "withdrawn", "turnId": "t3"}),
)

SHAPE = """
    const shape = (rows) => rows.map((row) => [row.key, row.kind, row.seq, row.text?.text ?? '', row.status ?? '', row.children ? shape(row.children) : [],
        row.diffs?.length ?? 0, row.entries ?? null, Boolean(row.resolved), Boolean(row.waiting), Boolean(row.withdrawn), row.result?.content ?? null]);
"""


def test_events_become_rows(lab):
    rows = call(lab, "transcript", SHAPE + "const t = new m.Transcript('s'); t.reset(x, false); return shape(t.rows);", WHOLE)
    kinds = [(row[1], row[3]) for row in rows]
    assert kinds == [
        ("message", "one"), ("thinking", "hm"), ("tool", ""), ("permission", ""), ("tool", ""), ("plan", ""), ("message", "one is done"),
        ("turn", ""), ("message", "two"), ("error", ""), ("turn", ""), ("message", "three"), ("message", "four"),
    ]
    bash, task, plan = rows[2], rows[4], rows[5]
    assert bash[6] == 1 and bash[11] == "done" and bash[4] == "completed"
    assert [(child[1], child[3], child[4]) for child in task[5]] == [("message", "sub", ""), ("tool", "", "failed")]
    assert plan[7] == [{"content": "a", "status": "completed"}]
    assert rows[3][8] is True
    assert rows[-2][10] is True and rows[-1][9] is True  # taken back; waits
    assert len({row[0] for row in rows}) == len(rows)


def test_however_a_log_comes_the_rows_are_the_same(lab):
    wrong = call(lab, "transcript", SHAPE + """
        const whole = new m.Transcript('s');
        whole.reset(x, false);
        const expected = JSON.stringify(shape(whole.rows));
        const wrong = [];
        for (let a = 0; a <= x.length; a++) {
            const live = new m.Transcript('s');
            live.reset(x.slice(0, a), false);
            for (const event of x.slice(a)) { live.apply(event); live.apply(event); }
            if (JSON.stringify(shape(live.rows)) !== expected) wrong.push(['live', a]);
            const paged = new m.Transcript('s');
            paged.reset(x.slice(a), true);
            paged.prepend(x.slice(Math.floor(a / 2), a), true);
            paged.prepend(x.slice(0, Math.floor(a / 2)), false);
            if (JSON.stringify(shape(paged.rows)) !== expected || paged.lastSeq !== x.length || paged.firstSeq !== 1) wrong.push(['paged', a]);
        }
        return wrong;
    """, WHOLE)
    assert wrong == []


def test_deltas_are_taken_by_offset(lab):
    result = call(lab, "transcript", """
        const t = new m.Transcript('s');
        t.reset(x, false);
        const chunk = (itemId, content, offset, kind = 'message') => t.chunk({ turnId: 't9', itemId, kind, role: 'assistant', content, offset, delta: true });
        const seen = [];
        const look = () => seen.push(t.rows.at(-1).text?.text);
        chunk('m', 'h\\u00e9', 0); look();
        chunk('m', '\\u00e9llo', 1); look();          // two bytes are there already
        chunk('m', 'lost', 99); look();               // something is missing before it
        chunk('m', 'h\\u00e9llo \\u{1f600}', 0); look();   // all of it anew, as after a reconnect
        chunk('m', '!', 11); look();
        const key = t.rows.at(-1).key;
        t.prepend([], false);
        look();
        t.apply({ seq: x.length + 1, ts: '', id: 'z', kind: 'message', turnId: 't9', itemId: 'm', data: { role: 'assistant', content: 'h\\u00e9llo \\u{1f600}!' } });
        look();
        chunk('m', 'late', 0);
        return { seen, same: t.rows.at(-1).key === key, count: t.rows.filter((row) => row.itemId === 'm').length, streaming: Boolean(t.rows.at(-1).streaming) };
    """, WHOLE[:3])
    assert result == {
        "seen": ["hé", "héllo", "héllo", "héllo \U0001f600", "héllo \U0001f600!", "héllo \U0001f600!", "héllo \U0001f600!"],
        "same": True, "count": 1, "streaming": False,
    }


def test_live_output_belongs_to_its_tool(lab):
    result = call(lab, "transcript", """
        const t = new m.Transcript('s');
        t.reset(x.slice(0, 5), false);
        t.chunk({ turnId: 't1', itemId: 'c1', kind: 'tool_output', content: 'live ', offset: 0 });
        t.chunk({ turnId: 't1', itemId: 'c1', kind: 'tool_output', content: 'out', offset: 5 });
        const live = m.outputOf(t.rows.at(-1));
        for (const event of x.slice(5, 10)) t.apply(event);
        const tool = t.rows.find((row) => row.itemId === 'c1');
        for (let i = 0; i < 3000; i++) t.chunk({ turnId: 't1', itemId: 'c9', kind: 'tool_output', content: 'x'.repeat(1000), offset: i * 1000 });
        return [live, m.outputOf(tool)];
    """, WHOLE)
    assert result == ["live out", "done"]


def test_events_of_any_form_are_no_end(web, daemon):
    """A log may come from anywhere. Whatever its events are like, the page shows the others."""
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    odd = [None, 0, -1, 1e300, "", "x", "\u202e<b>", [], ["x", None], {}, {"text": 1}, {"__proto__": 1}, True, "constructor"]
    kinds = {kind for kind in (e["kind"] for e in WHOLE)} | {"question_requested", "question_resolved", "quota", "status"}
    fields = ("role content status title name toolKind args parentItemId path oldText newText unified entries requestId options tool questions "
              "body answers outcome optionId type model until actions code message retryAfter usage costUsd durationMs stopReason attachments by to "
              "delayMs order turnId messageSeq exitCode resetsAt utilization").split()
    events = []
    for _ in range(600):
        data = {name: rng.choice(odd) for name in rng.sample(fields, rng.randrange(12))}
        if rng.random() < 0.5:
            data["type"] = rng.choice(["retrying", "model", "queue_ordered", "steer_queued", "withdrawn", "forked", "process_exited"])
        more = {"turnId": rng.choice(["t1", "t2", "t3"])}
        if rng.random() < 0.7:
            more["itemId"] = rng.choice(["i1", "i2", "i3", "i4", "constructor"])
        events.append((rng.choice(sorted(kinds)), data, more))
    events.append(("message", {"role": "assistant", "content": "the last of all"}, {"turnId": "t9", "itemId": "i9"}))
    session = daemon.import_log([long_log(0)[0], *log_of(*events)])
    page = web.open(daemon, session.address)
    try:
        conversation(page, session).get_by_text("the last of all").wait_for()
        page.evaluate(SCROLL)
        assert page.locator(".feed > article").count() > 3
    except BaseException:
        print(f"seed {seed}")
        raise


# What one sees


RICH = (
    "[[think:First I **look**.]][[text:# Title\n\nSome *prose*, `code`, https://example.com and [words](https://example.com/x).\n\n- a\n- b\n  1. c\n\n"
    "```js\nconst a = 1; // x\n```\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n- [x] done\n- [ ] not\n\n> quote]]"
    "[[tool:Read {\"path\":\"/tmp/a\"}]][[tool-output:40x30]][[tool-fail:Bash no such file]][[diff:/tmp/a.js|const a = 1;\nlet b;\n|const a = 2;\nlet b;\n]]"
    "[[plan:+read|*write|test]][[subagent:I looked]][[text:Done.]][[usage:1000,50,0.01]]"
)


@pytest.fixture
def rich(daemon):
    session = daemon.session(title="Rich")
    session.say(RICH, wait=True)
    return session


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_rich_conversation_is_accessible(web, daemon, rich, theme):
    rich.say("[[error:quota]]", wait=True)
    rich.say("[[permission:once,reject rm x]]")
    rich.wait_for("waiting")
    page = web.open(daemon, rich.address, height=3000, theme=theme)
    page.locator(".asked.open").wait_for()
    for head in page.locator(".tool-head, .thinking-head").all():
        head.click()
    page.locator(".nested").first.wait_for()
    violations = [each for each in axe_violations(page) if ".conversation" in each or ".feed" in each or "item" in each]
    assert violations == []


def test_cards_fold_and_unfold_by_keyboard(web, daemon, rich):
    page = web.open(daemon, rich.address, height=2500)
    shown = conversation(page, rich)
    head = shown.locator(".tool-head", has_text="Read")
    assert head.get_attribute("aria-expanded") == "false"
    head.focus()
    page.keyboard.press("Enter")
    shown.locator(".tool", has=page.locator(".tool-head[aria-expanded=true]")).locator(".tool-args").wait_for()
    output = shown.locator(".output", has_text="Show all 40 lines")
    assert output.locator("code > span").count() == 8
    output.get_by_role("button", name="Show all 40 lines").click()
    eventually("all lines", lambda: page.evaluate("document.querySelector('.output-block')?.childElementCount === 40"))
    thinking = shown.locator(".thinking-head")
    thinking.click()
    assert shown.locator(".thinking-body strong").inner_text() == "look"


def test_two_columns_where_there_is_room(web, daemon, rich):
    page = web.open(daemon, rich.address, height=2500)
    shown = conversation(page, rich)
    shown.locator(".diff").first.wait_for()
    shown.get_by_role("button", name="One column or two").click()
    shown.locator(".diff.split .diff-side").first.wait_for()
    page.set_viewport_size({"width": 700, "height": 2500})
    eventually("one column where it is narrow", lambda: shown.locator(".diff.split").count() == 0)


def test_unchanged_lines_are_shown_on_demand(web, daemon):
    session = daemon.session()
    old = "".join(f"line {i}\n" for i in range(1, 41))
    session.say(f"[[diff:/tmp/a.txt|{old}|{old.replace('line 20', 'line twenty')}]]", wait=True)
    page = web.open(daemon, session.address, height=1600)
    shown = conversation(page, session)
    gap = shown.get_by_role("button", name="16 unchanged lines")
    assert shown.locator(".diff-text", has_text="line 3").count() == 0
    gap.click()
    assert shown.locator(".diff-text", has_text="line 3").count() == 1
    assert [shown.locator(".diff-text", has_text=text).inner_text().strip() for text in ("line 20", "line twenty")] == ["line 20", "line twenty"]


def test_what_is_selected_can_be_copied(web, daemon, rich):
    """Over several messages, and after scrolling away from the beginning."""
    for i in range(12):
        rich.say(f"[[text:answer {i} {'more ' * 150}]]", wait=True)
    page = web.open(daemon, rich.address, height=700)
    shown = conversation(page, rich)
    shown.get_by_text("answer 11", exact=False).last.wait_for()
    page.evaluate("""() => {
        const paragraphs = [...document.querySelectorAll('.role-assistant .md p')];
        getSelection().setBaseAndExtent(paragraphs.at(-3).firstChild, 0, paragraphs.at(-1).firstChild, 9);
    }""")
    before = page.evaluate("getSelection().toString()")
    assert before.startswith("answer 9 more") and before.rstrip().endswith("answer 11")
    shown.locator(".conversation-scroll").hover()
    for _ in range(12):
        page.mouse.wheel(0, -600)
        page.wait_for_timeout(40)
    assert page.evaluate("document.querySelector('.conversation-scroll').scrollTop") < 2000
    assert page.evaluate("getSelection().toString()") == before


def test_words_are_found_and_shown(web, daemon, rich):
    for i in range(30):
        rich.say(f"[[text:needle {i}\n\n{'hay ' * 200}]]", wait=True)
    page = web.open(daemon, rich.address)
    shown = conversation(page, rich)
    shown.get_by_text("needle 29").last.wait_for()
    page.keyboard.press("Control+f")
    page.keyboard.type("needle 3")
    eventually("a match", lambda: shown.locator(".find-count").inner_text() == "2 of 2")
    page.keyboard.press("Enter")
    eventually("another one", lambda: shown.locator(".find-count").inner_text() == "1 of 2")
    in_view = """() => {
        const [range] = CSS.highlights.get('find-now') ?? [];
        const place = range?.getBoundingClientRect(), view = document.querySelector('.conversation-scroll').getBoundingClientRect();
        return range?.toString() === 'needle 3' && place.top >= view.top && place.bottom <= view.bottom;
    }"""
    eventually("it is in view", lambda: page.evaluate(in_view))
    assert page.evaluate("CSS.highlights.get('find').size") > 0
    page.keyboard.press("Escape")
    assert page.evaluate("CSS.highlights.has('find')") is False


TOP = """() => {
    const scroller = document.querySelector('.conversation-scroll');
    const top = scroller.getBoundingClientRect().top;
    const first = [...document.querySelectorAll('.feed > article')].find((each) => each.getBoundingClientRect().bottom > top + 1);
    return { key: first.dataset.key, top: first.getBoundingClientRect().top - top, scroll: scroller.scrollTop };
}"""


def long_log(turns):
    events = [("status", {"type": "created"})]
    for turn in range(turns):
        fields = {"turnId": f"t{turn}"}
        events += [
            ("message", {"role": "user", "content": f"question {turn}"}, fields), ("turn_started", {}, fields),
            ("message", {"role": "assistant", "content": f"answer {turn}\n\n" + "words and `code` " * (turn * 7 % 90) + "\n\n- a\n- b"}, {**fields, "itemId": f"i{turn}"}),
            ("tool_call", {"name": "Bash", "title": f"ls {turn}", "toolKind": "execute", "args": {"command": "ls"}, "status": "running"}, {**fields, "itemId": f"c{turn}"}),
            ("tool_result", {"status": "completed", "content": "line\n" * (turn % 12)}, {**fields, "itemId": f"c{turn}"}),
            ("turn_completed", {"status": "completed", "durationMs": 10}, fields),
        ]
    log = log_of(*events)
    log[0]["turnId"] = None
    header = {"kind": "header", "schema": 1, "sessionId": "00000000-0000-4000-8000-000000000001", "providerId": "echo",
              "createdAt": "2026-11-21T10:00:00.000Z", "workspace": "/tmp"}
    return [header, *({k: v for k, v in event.items() if v is not None} for event in log)]


def test_older_pages_come_without_a_jump(web, daemon):
    session = daemon.import_log(long_log(300))
    page = web.open(daemon, session.address)
    shown = conversation(page, session)
    shown.get_by_text("question 299").wait_for()
    eventually("at the end", lambda: page.evaluate("(() => { const s = document.querySelector('.conversation-scroll'); return s.scrollHeight - s.scrollTop - s.clientHeight < 3 })()"))
    before = page.evaluate("codeaiHub.store.transcript(%s).count" % json.dumps(session.id))
    jumps = page.evaluate("""async () => {
        const scroller = document.querySelector('.conversation-scroll');
        const at = () => {
            const top = scroller.getBoundingClientRect().top;
            const first = [...document.querySelectorAll('.feed > article')].find((each) => each.getBoundingClientRect().bottom > top + 1);
            return { key: first?.dataset.key, top: first ? first.getBoundingClientRect().top - top : 0 };
        };
        const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
        const jumps = [];
        for (let i = 0; i < 250; i++) {
            await frame();
            const was = at();
            scroller.scrollTop -= 170;
            await frame();
            await frame();
            const element = document.querySelector(`.feed > article[data-key="${CSS.escape(was.key)}"]`);
            if (!element) { jumps.push('gone ' + was.key); continue; }
            const moved = element.getBoundingClientRect().top - scroller.getBoundingClientRect().top - was.top;
            if (scroller.scrollTop > 1 && Math.abs(moved - 170) > 2) jumps.push([i, was.key, moved]);
        }
        return jumps;
    }""")
    assert page.evaluate("codeaiHub.store.transcript(%s).count" % json.dumps(session.id)) > before
    assert jumps == []
    assert page.locator(".feed > article").count() < 120, "only what is near is in the page"


def test_the_end_is_followed_until_one_leaves_it(web, daemon, rich):
    page = web.open(daemon, rich.address)
    shown = conversation(page, rich)
    shown.get_by_text("Done.", exact=True).wait_for()
    is_at_end = "(() => { const s = document.querySelector('.conversation-scroll'); return s.scrollHeight - s.scrollTop - s.clientHeight < 3 })()"
    rich.say("[[stream:150x40@60]][[text:the end]]")
    for _ in range(10):
        page.wait_for_timeout(60)
        eventually("at the end", lambda: page.evaluate(is_at_end))
    shown.locator(".conversation-scroll").hover()
    page.mouse.wheel(0, -500)
    eventually("the way back is offered", lambda: shown.locator(".to-end").is_visible())
    before = page.evaluate(TOP)
    rich.wait_for("idle")
    page.wait_for_timeout(200)
    after = page.evaluate(TOP)
    assert after["key"] == before["key"] and abs(after["top"] - before["top"]) < 3, "what one reads stays where it is"
    shown.locator(".to-end").click()
    eventually("at the end", lambda: page.evaluate(is_at_end))
    assert shown.locator(".to-end").is_hidden()


def test_a_link_leads_to_an_event(web, daemon):
    session = daemon.import_log(long_log(200))
    event = next(e for e in session.events() if e["data"].get("content", "").startswith("answer 20\n"))
    page = web.open(daemon, f"{session.address}/{event['seq']}")
    found = conversation(page, session).locator(f'article[data-seq="{event["seq"]}"]')
    found.wait_for()
    box = page.locator(".conversation-scroll").bounding_box()
    eventually("in view", lambda: (b := found.bounding_box()) and box["y"] - 1 <= b["y"] < box["y"] + box["height"] / 2)


def test_a_failed_turn_can_be_retried(web, daemon):
    session = daemon.session()
    session.say("[[once:error:internal]][[text:now it works]]", wait=True)
    page = web.open(daemon, session.address)
    shown = conversation(page, session)
    error = shown.locator(".error.conv-card")
    error.get_by_role("button", name="Try again", exact=True).click()
    shown.get_by_text("now it works", exact=True).wait_for()
    eventually("its actions are over", lambda: error.get_by_role("button").count() == 0)


def test_a_fork_from_before_a_message(web, daemon):
    session = daemon.session(title="Origin")
    session.say("[[text:first answer]]", wait=True)
    session.say("[[text:second answer]]", wait=True)
    page = web.open(daemon, session.address)
    message = conversation(page, session).locator(".role-user").last
    message.hover()
    message.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Fork from before").click()
    page.wait_for_url(lambda url: "#/s/" in url and session.id not in url)
    fork = page.url.split("#/s/")[1]
    contents = [e["data"]["content"] for e in daemon.get(f"/sessions/{fork}/events")["events"] if e["kind"] == "message"]
    assert contents == ["[[text:first answer]]", "first answer"]


def test_strings_are_the_same_in_all_languages(lab):
    """Every key in both languages, and every key that the sources name."""
    import re

    strings = lab.evaluate("async () => (await import('/web/strings/conversation.js')).default")
    assert strings["en"].keys() == strings["ru"].keys()
    named = set()
    for path in (ROOT / "assets/web/conversation").glob("*.js"):
        named |= set(re.findall(r'"(conversation\.[a-zA-Z_.]+[a-zA-Z_])"', path.read_text()))
    assert named - strings["en"].keys() == set()


def test_messages_in_the_queue_follow_what_runs(web, daemon):
    session = daemon.session()
    session.say("[[permission:once,reject x]][[text:first is done]]")
    session.wait_for("waiting")
    session.say("[[text:second is done]]")
    page = web.open(daemon, session.address)
    shown = conversation(page, session)
    shown.locator(".message.waiting", has_text="second is done").wait_for()
    session.permit()
    shown.locator(".role-assistant", has_text="second is done").wait_for()
    order = [text.strip() for text in shown.locator(".item-message .md").all_inner_texts()]
    first, second = order.index("first is done"), order.index("[[text:second is done]]")
    assert first < second
    assert shown.locator(".message.waiting").count() == 0


def busiest(page, browser, action):
    """Milliseconds of processor time that the longest task of the page's main thread took. A task's own time: what else
    the machine does makes no difference."""
    browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"])
    try:
        action()
    finally:
        events = json.loads(browser.stop_tracing())["traceEvents"]
    ours = {(e["pid"], e["tid"]) for e in events if e["name"] == "FunctionCall" and "/web/" in json.dumps(e.get("args", {}))}
    assert ours
    return max(e["tdur"] / 1000 for e in events if (e["pid"], e["tid"]) in ours and e["name"].endswith("RunTask") and "tdur" in e)


SCROLL = """async () => {
    const scroller = document.querySelector('.conversation-scroll');
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    scroller.scrollTop = 0;
    for (let i = 0; i < 60; i++) {
        await frame();
        scroller.scrollTop += 300 + i * 40;
    }
    await frame();
    return document.querySelectorAll('.feed > article').length;
}"""


def test_ten_thousand_events_scroll_without_a_long_task(web, daemon, browser):
    session = daemon.import_log(long_log(1700))
    page = web.open(daemon, session.address)
    conversation(page, session).get_by_text("question 1699").wait_for()
    page.evaluate("(id) => codeaiHub.store.loadUntil(id, 1)", session.id)
    assert page.evaluate("(id) => codeaiHub.store.transcript(id).count", session.id) > 10_000
    page.wait_for_timeout(500)
    assert busiest(page, browser, lambda: page.evaluate(SCROLL)) < 50
    assert page.evaluate(SCROLL) < 200


def test_a_message_of_megabytes_is_shown_without_a_long_task(web, daemon, browser):
    """While it streams, and when one scrolls through it."""
    session = daemon.session()
    page = web.open(daemon, session.address)
    conversation(page, session)
    assert busiest(page, browser, lambda: (session.say("[[stream:2000x1000@1000]]", wait=True), page.wait_for_timeout(500))) < 50
    assert busiest(page, browser, lambda: page.evaluate(SCROLL)) < 50
    assert page.locator(".feed > article").count() < 60
