#!/usr/bin/env python3
"""Measures how the web client feels, in Debian's Chromium without a window: first paint, how long a chunk takes to the
screen, the longest task while 10,000 events are scrolled. Prints a table, and JSON with --json.

    eval "$(scripts/install-test-tools.sh)"
    "$CODEAI_HUB_TEST_WEB/python" scripts/web-figures.py [--rounds 5] [--events 10000] [--json FILE] [ASSETS]

CODEAI_HUB_CORE names the program that is measured, which should be a release build. Figures are medians of the rounds,
each with a fresh browser context; what else the machine does is in them: the load is printed beside them.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Tests/web"))

from playwright.sync_api import sync_playwright  # noqa: E402

from browser import Web, chromium, until  # noqa: E402
from hub import Daemon  # noqa: E402
from logs import long_log  # noqa: E402

# Notes when a frame with text came to the page, before the client hears of it.
LISTENING = """
{
    const Native = WebSocket;
    window.chunks = [];
    window.WebSocket = class extends Native {
        constructor(...parameters) {
            super(...parameters);
            this.addEventListener("message", (event) => {
                const came = performance.timeOrigin + performance.now();
                if (!event.data.includes('"stream:chunk"')) return;
                const { payload, timestamp } = JSON.parse(event.data);
                if (payload.kind !== "message") return;
                const mark = payload.content.match(/[0-9]+(?=;[^0-9]*$)/)?.[0];
                if (mark) window.chunks.push({ mark: `${mark};`, sent: Date.parse(timestamp), came, seen: null });
            });
        }
    };
}
"""

# After each frame: what of the text is there now has been painted.
SEEING = """() => {
    const channel = new MessageChannel();
    let text = "";
    channel.port1.onmessage = () => {
        const now = performance.timeOrigin + performance.now();
        for (const chunk of window.chunks) if (chunk.seen === null && text.includes(chunk.mark)) chunk.seen = now;
    };
    const frame = () => {
        text = document.querySelector("main").textContent;
        channel.port2.postMessage(0);
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}"""


def share(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, round(part * (len(values) - 1)))]


def paints(browser, daemon, assets, rounds):
    """Milliseconds from the navigation to the first paint, to the first text, to a page that is connected."""
    found = {"first paint": [], "first text": [], "connected": []}
    for _ in range(rounds * 3):
        web = Web(browser, assets)
        page = web.open(daemon)
        until(page, "performance.getEntriesByName('first-contentful-paint').length > 0")
        times = page.evaluate("""() => ({
            "first paint": performance.getEntriesByName("first-paint")[0].startTime,
            "first text": performance.getEntriesByName("first-contentful-paint")[0].startTime,
            "connected": performance.getEntriesByName("hub-connected")[0]?.startTime ?? performance.now(),
        })""")
        for name, value in times.items():
            found[name].append(value)
        web.close()
    return found


def chunks(browser, daemon, assets, rounds):
    """Milliseconds from a chunk's frame, and from its arrival in the page, until the frame with it was painted."""
    found = {"since the daemon sent it": [], "since it came to the page": []}
    for _ in range(rounds):
        session = daemon.session()
        web = Web(browser, assets)
        page = web.open(daemon, session.address, scripts=[LISTENING])
        page.evaluate(SEEING)
        words = " ".join(f"[[stall:0.05]] [[text:piece {number}; ]]" for number in range(100))
        session.say(words, wait=True)
        until(page, "window.chunks.length >= 50 && window.chunks.every((chunk) => chunk.seen !== null)")
        for chunk in page.evaluate("window.chunks"):
            found["since the daemon sent it"].append(chunk["seen"] - chunk["sent"])
            found["since it came to the page"].append(chunk["seen"] - chunk["came"])
        web.close()
    return found


def main_thread_tasks(trace):
    """What the tasks of the page's main thread took of the processor, in milliseconds, the longest first: what other programs
    take meanwhile isn't counted."""
    events = json.loads(trace)["traceEvents"]
    threads = {(e["pid"], e["tid"]) for e in events
               if e["name"] == "thread_name" and e["args"]["name"] == "CrRendererMain"}
    tasks = [e.get("tdur", e["dur"]) / 1000 for e in events
             if e["name"] == "RunTask" and (e["pid"], e["tid"]) in threads and "dur" in e]
    return sorted(tasks, reverse=True)


def scrolling(browser, daemon, assets, rounds, events):
    session = daemon.import_log(long_log(events).lines)
    found = {"longest task": [], "99.9 % of tasks": [], "shown after": []}
    for _ in range(rounds):
        web = Web(browser, assets)
        page = web.open(daemon, session.address)
        page.wait_for_selector("[data-seq]")
        found["shown after"].append(page.evaluate("performance.now()"))
        box = page.locator(".conversation").first.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"])
        for step in (-1200, 1200):
            position, same = None, 0
            # To the very beginning and back: until the wheel moves nothing any more and no older page comes.
            for _ in range(4000):
                page.mouse.wheel(0, step)
                now = page.evaluate("""new Promise((done) => requestAnimationFrame(() => done(
                    document.querySelector("[data-seq]")?.dataset.seq + " " + [...document.querySelectorAll("[data-seq]")].at(-1)?.dataset.seq)))""")
                same = same + 1 if now == position else 0
                position = now
                if same > 30:
                    break
        tasks = main_thread_tasks(browser.stop_tracing())
        found["longest task"].append(tasks[0])
        found["99.9 % of tasks"].append(tasks[len(tasks) // 1000])
        web.close()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assets", nargs="?", help="a folder in the place of what is inside the program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    results = {}
    with sync_playwright() as playwright, Daemon() as daemon:
        browser = chromium(playwright)
        for number in range(50):
            daemon.session(title=f"Session {number}")
        parts = {
            "first paint, 50 sessions": lambda: paints(browser, daemon, options.assets, options.rounds),
            "a chunk on screen": lambda: chunks(browser, daemon, options.assets, options.rounds),
            f"scrolling {options.events:,} events": lambda: scrolling(
                browser, daemon, options.assets, options.rounds, options.events),
        }
        for name, measure in parts.items():
            results[name] = {
                key: {"median": statistics.median(values), "p95": share(values, 0.95), "longest": max(values), "n": len(values)}
                for key, values in measure().items()
            }
            results[name]["load"] = os.getloadavg()[0]
        browser.close()
    for name, rows in results.items():
        print(f"{name} (load {rows['load']:.1f})")
        for key, row in rows.items():
            if key != "load":
                print(f"  {key:28} median {row['median']:8.1f} ms   p95 {row['p95']:8.1f}   longest {row['longest']:8.1f}   n {row['n']}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
