#!/usr/bin/env python3
"""Keeps a daemon busy for hours and watches what it takes: called by scripts/soak.sh.

Ten sessions work all the time, five clients follow them (three steadily, one that keeps coming and going, one by
server-sent events), sessions are made and deleted, monitors ask, agents are killed. Memory, descriptors, processes and
latencies are sampled into a table and drawn. It fails when the daemon dies, an event is lost or comes twice, or a
process is left over; how memory and descriptors rise is reported for a person to judge.
"""

import argparse
import asyncio
import csv
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime

import chart
import machine
from hub import Closed, Hub, Stream, server_sent_events

SESSIONS = 10
PROMPTS = [
    "[[stream:40x24@40]]",
    '[[think:hm]][[tool:Bash {"command":"ls"}]][[text:there are files]]',
    "[[stream:200x16]][[usage:1200,80,0.01]]",
    "[[plan:+read|*write|test]][[diff:/tmp/a|old|new]][[text:changed]]",
    "[[tool-output:20x60@40]][[text:it ran]]",
    "[[large:60000]]",
    "[[subagent:looked around]][[text:done]]",
    "[[child:2]][[text:started one]]",
    "[[error:overloaded later]]",
    "[[garbage]][[text:after]]",
]


class Latencies:
    """What was measured since the last sample, in milliseconds, and a bounded selection of all of it."""

    def __init__(self):
        self.recent, self.all, self.count = [], [], 0

    def add(self, milliseconds):
        self.recent.append(milliseconds)
        self.count += 1
        if len(self.all) < 100_000:
            self.all.append(milliseconds)
        elif (place := random.randrange(self.count)) < len(self.all):
            self.all[place] = milliseconds

    def take(self):
        recent, self.recent = self.recent, []
        return recent


def rank(values, share):
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Ledger:
    """What one client has been given of each of the ten sessions: a digest of the events' ids in their order."""

    def __init__(self, name, sessions):
        self.name = name
        self.last = {session: 0 for session in sessions}
        self.digests = {session: hashlib.sha256() for session in sessions}
        self.lost = self.doubled = self.connections = self.deliveries = 0

    def take(self, session, seq, event):
        last = self.last.get(session)
        if last is None:
            return
        if seq <= last:
            self.doubled += 1
            return
        self.lost += seq - last - 1
        self.last[session] = seq
        self.digests[session].update(event.encode())
        self.deliveries += 1


class Soak:
    def __init__(self, arguments, home):
        self.arguments, self.home = arguments, home
        self.random = random.Random(arguments.seed)
        self.running, self.target = True, None
        self.turns = self.failed = self.kills = self.churned = 0
        self.health, self.delivery = Latencies(), Latencies()
        self.rows, self.trouble, self.everybody = [], [], set()

    # The daemon

    def start(self):
        environment = {
            "PATH": os.environ.get("PATH", ""), "HOME": self.home, "CODEAI_HUB_HOME": self.home + "/hub",
            "CORE_PORT": "0", "CORE_SHUTDOWN_GRACE_MS": "0", "LANG": "C.UTF-8",
        }
        os.mkdir(self.home + "/hub", 0o700)
        self.log = open(self.home + "/daemon.log", "wb")
        self.daemon = subprocess.Popen(
            [self.arguments.daemon], env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.daemon.poll() is None:
            try:
                with open(self.home + "/hub/core/endpoint.json", encoding="utf-8") as file:
                    self.hub = Hub(json.load(file)["port"])
                    return
            except (OSError, ValueError):
                time.sleep(0.01)
        raise SystemExit("the daemon does not start: " + self.tail())

    def tail(self):
        return machine.read(self.home + "/daemon.log")[-2000:].decode(errors="replace")

    # The clients

    def done(self, ledger):
        if self.target is None:
            return False
        return all(ledger.last[session] >= seq for session, seq in self.target.items() if session in ledger.last)

    def seen(self, record):
        """The time from an event's stamp to here: both are this machine's clock, in milliseconds."""
        if stamp := record.get("ts"):
            self.delivery.add(max(0.0, time.time() - datetime.fromisoformat(stamp).timestamp()) * 1000)

    async def follow(self, ledger, restless):
        while not self.done(ledger):
            stream = coming = None
            try:
                stream = await Stream.open(self.hub, ledger.name, ledger.last)
                ledger.connections += 1
                leaves = time.monotonic() + self.random.uniform(2, 15) if restless and self.running else None
                while not self.done(ledger):
                    coming = coming or asyncio.create_task(stream.frame())
                    # A frame that is half read stays so: the stream would be out of step.
                    if not (await asyncio.wait([coming], timeout=0.5))[0]:
                        if leaves and time.monotonic() > leaves:
                            break
                        continue
                    frame, coming = coming.result(), None
                    if "seq" in frame:
                        ledger.take(frame["sessionId"], frame["seq"], frame["payload"]["id"])
                        if frame["type"] == "session:event":
                            self.seen(frame["payload"])
                    elif frame["type"] in ("sync:resync", "client:evicted"):
                        self.trouble.append(f"{ledger.name}: {frame}")
                    if leaves and time.monotonic() > leaves:
                        break
            except (Closed, OSError, TimeoutError) as error:
                if self.running:
                    self.trouble.append(f"{ledger.name}: {error!r}")
                await asyncio.sleep(0.2)
            finally:
                if coming:
                    coming.cancel()
                if stream:
                    stream.close()

    async def follow_events(self, ledger, session):
        while not self.done(ledger):
            try:
                ledger.connections += 1
                async with asyncio.timeout(self.random.uniform(5, 30)):
                    async for seq, record in server_sent_events(self.hub, session, ledger.last[session]):
                        ledger.take(session, seq, record.get("payload", record)["id"])
                        if self.done(ledger):
                            break
            except TimeoutError:
                pass
            except (Closed, OSError) as error:
                if self.running:
                    self.trouble.append(f"{ledger.name}: {error!r}")
                await asyncio.sleep(0.2)

    # The load

    async def settle(self, session, limit=60):
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            record = await self.hub.call("GET", f"/sessions/{session}")
            if record.get("turn") is None and (not record.get("queue") or record.get("held")):
                return record
            await asyncio.sleep(0.05)
        raise RuntimeError(f"{session} does not come to rest: {record}")

    async def drive(self, session):
        while self.running:
            content = self.random.choice(PROMPTS)
            if self.random.random() < 0.02:
                content = "[[text:last words]][[crash:3]]"
            await self.hub.call("POST", f"/sessions/{session}/messages", {"content": content})
            if self.random.random() < 0.2:
                await self.hub.call("POST", f"/sessions/{session}/messages", {"content": "[[text:queued]]"})
            record = await self.settle(session)
            if record.get("held"):
                await self.hub.call("POST", f"/sessions/{session}/resume")
            self.turns += 1
            self.failed += record["status"] == "failed"
            await asyncio.sleep(self.random.uniform(0.1, 1.5))

    async def churn(self):
        while self.running:
            session = (await self.hub.call("POST", "/sessions", {"providerId": "echo", "workspace": self.home}))["id"]
            await self.hub.call("POST", f"/sessions/{session}/messages", {"content": "[[stream:20x20]]"})
            await self.settle(session)
            await self.hub.call("PATCH", f"/sessions/{session}", {"title": "to be deleted"})
            await self.hub.call("DELETE", f"/sessions/{session}")
            self.churned += 1
            await asyncio.sleep(self.random.uniform(0.5, 2))

    async def kill_agents(self):
        while self.running:
            await asyncio.sleep(self.random.uniform(3, 9))
            status = await self.hub.call("GET", "/status")
            children = status["core"]["children"]
            if not children or not self.running:
                continue
            try:
                os.kill(self.random.choice(children)["pid"], self.random.choice([signal.SIGKILL, signal.SIGTERM]))
                self.kills += 1
            except ProcessLookupError:
                pass

    async def monitor(self):
        number = 0
        while self.running:
            begin = time.monotonic()
            status, answer = await self.hub.request("GET", "/health")
            self.health.add((time.monotonic() - begin) * 1000)
            if status != 200 or answer["status"] != "ok":
                self.trouble.append(f"/health: {status} {answer}")
            number += 1
            if number % 20 == 0:
                for path in ("/metrics", "/status", "/api/v1/sessions?limit=20", "/api/v1/usage"):
                    await self.hub.request("GET", path)
            await asyncio.sleep(0.1)

    # The watch

    def sample(self, begin):
        found = machine.descendants(self.daemon.pid)
        self.everybody.update(found)
        health, delivery = self.health.take(), self.delivery.take()
        times = machine.stat(self.daemon.pid)
        self.rows.append({
            "seconds": round(time.monotonic() - begin, 1),
            "rss_bytes": machine.resident_bytes(self.daemon.pid), "descriptors": machine.descriptors(self.daemon.pid),
            "threads": machine.threads(self.daemon.pid), "processes": len(found),
            "cpu_seconds": times[1] if times else None,
            "health_p50_ms": rank(health, 0.5), "health_p99_ms": rank(health, 0.99), "health_max_ms": rank(health, 1),
            "delivery_p50_ms": rank(delivery, 0.5), "delivery_p99_ms": rank(delivery, 0.99),
            "delivery_max_ms": rank(delivery, 1), "events": len(delivery), "turns": self.turns,
        })

    async def watch(self, begin, seconds):
        interval = max(1.0, min(10.0, seconds / 240))
        due = begin
        while time.monotonic() < begin + seconds and self.daemon.poll() is None:
            self.sample(begin)
            due += interval
            await asyncio.sleep(max(0, due - time.monotonic()))

    async def run(self):
        sessions = [
            (await self.hub.call("POST", "/sessions", {"providerId": "echo", "workspace": self.home}))["id"]
            for _ in range(SESSIONS)]
        ledgers = [Ledger(f"client {index}", sessions) for index in range(4)] + [Ledger("client 4", sessions[:1])]
        clients = [asyncio.create_task(self.follow(ledger, ledger is ledgers[3])) for ledger in ledgers[:4]]
        clients.append(asyncio.create_task(self.follow_events(ledgers[4], sessions[0])))
        load = [asyncio.create_task(job) for job in [
            *[self.drive(session) for session in sessions], self.churn(), self.kill_agents(), self.monitor()]]
        begin = time.monotonic()
        watch = asyncio.create_task(self.watch(begin, self.arguments.seconds))
        done, _ = await asyncio.wait([watch, *load], return_when=asyncio.FIRST_COMPLETED)
        self.running = False
        for task in done - {watch}:
            self.trouble.append(f"a part of the load ended: {task.exception()!r}")
        watch.cancel()
        for result in await asyncio.gather(*load, return_exceptions=True):
            if isinstance(result, Exception):
                self.trouble.append(f"the load: {result!r}")
        self.elapsed = time.monotonic() - begin
        if self.daemon.poll() is not None:
            for client in clients:
                client.cancel()
            return ledgers, {}
        for session in sessions:
            await self.settle(session)
        logs = {session: self.read_log(session) for session in sessions}
        self.target = {session: len(ids) for session, ids in logs.items()}
        _, late = await asyncio.wait(clients, timeout=60)
        for client in late:
            client.cancel()
            self.trouble.append("a client never got to the end of the logs")
        return ledgers, logs

    def read_log(self, session):
        with open(f"{self.home}/hub/sessions/{session}.jsonl", encoding="utf-8") as file:
            records = [json.loads(line) for line in file][1:]
        if [record["seq"] for record in records] != list(range(1, len(records) + 1)):
            self.trouble.append(f"the log of {session} is not numbered from 1 without a gap")
        return [record["id"] for record in records]

    def end(self):
        """Stops the daemon; returns its exit code and the processes that are left."""
        if self.daemon.poll() is None:
            self.everybody.update(machine.descendants(self.daemon.pid))
            self.daemon.send_signal(signal.SIGTERM)
        try:
            code = self.daemon.wait(30)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            code = self.daemon.wait()
        deadline = time.monotonic() + 3
        while (left := self.left_over()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return code, left

    def left_over(self):
        alive = {pid for pid, born in self.everybody if (found := machine.stat(pid)) and found[3] == born and found[2] != b"Z"}
        return sorted(alive | set(machine.owned_by(self.home + "/hub")))


def slope(minutes, values):
    """Least squares: value at 0, change a minute, and the standard error of that change."""
    count = len(minutes)
    middle, level = sum(minutes) / count, sum(values) / count
    spread = sum((minute - middle) ** 2 for minute in minutes)
    if count < 3 or spread == 0:
        return level, 0.0, 0.0
    change = sum((minute - middle) * (value - level) for minute, value in zip(minutes, values)) / spread
    start = level - change * middle
    rest = sum((value - start - change * minute) ** 2 for minute, value in zip(minutes, values))
    return start, change, (rest / (count - 2) / spread) ** 0.5


def report(soak, ledgers, logs, code, left):
    rows, out = soak.rows, soak.arguments.out
    with open(out + "/soak.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    # Caches fill and agents start in the beginning: that is no trend.
    warm = [row for row in rows if row["seconds"] >= min(300, soak.arguments.seconds / 4)] or rows
    minutes = [row["seconds"] / 60 for row in warm]
    memory = slope(minutes, [row["rss_bytes"] / 2**20 for row in warm])
    files = slope(minutes, [row["descriptors"] for row in warm])

    digests = {session: hashlib.sha256("".join(ids).encode()).digest() for session, ids in logs.items()}
    lost, doubled = sum(ledger.lost for ledger in ledgers), sum(ledger.doubled for ledger in ledgers)
    differing = sum(
        ledger.digests[session].digest() != digests.get(session) for ledger in ledgers for session in ledger.digests)
    expected = 2 * SESSIONS + 40
    most = max(row["processes"] for row in rows)
    failures = [text for is_so, text in [
        (code != 0, f"the daemon ended with {code}: {soak.tail()}"), (lost, f"{lost} events were lost"),
        (doubled, f"{doubled} events came twice"), (differing, f"{differing} times a client has another history than the log"),
        (left, f"processes are left over: {left}"), (most > expected, f"{most} processes at once, {expected} at most are expected"),
        (soak.trouble, f"{len(soak.trouble)} troubles, as {soak.trouble[:5]}")] if is_so]
    summary = {
        "minutes": round(soak.elapsed / 60, 1), "seed": soak.arguments.seed, "turns": soak.turns, "failedTurns": soak.failed,
        "agentsKilled": soak.kills, "sessionsMadeAndDeleted": soak.churned,
        "events": sum(len(ids) for ids in logs.values()), "deliveries": sum(ledger.deliveries for ledger in ledgers),
        "connections": sum(ledger.connections for ledger in ledgers), "lost": lost, "doubled": doubled, "leftOver": len(left),
        "rssMiB": {"first": round(rows[0]["rss_bytes"] / 2**20, 1), "last": round(rows[-1]["rss_bytes"] / 2**20, 1),
                   "most": round(max(row["rss_bytes"] for row in rows) / 2**20, 1),
                   "slopePerHour": round(memory[1] * 60, 2), "standardError": round(memory[2] * 60, 2)},
        "descriptors": {"first": rows[0]["descriptors"], "last": rows[-1]["descriptors"],
                        "most": max(row["descriptors"] for row in rows),
                        "slopePerHour": round(files[1] * 60, 2), "standardError": round(files[2] * 60, 2)},
        "processesMost": most,
        "cpuSecondsPerMinute": round((rows[-1]["cpu_seconds"] or 0) / (soak.elapsed / 60), 2),
        "healthMs": {name: round(rank(soak.health.all, share) or 0, 2) for name, share in [("p50", 0.5), ("p99", 0.99), ("worst", 1)]},
        "deliveryMs": {name: round(rank(soak.delivery.all, share) or 0, 2) for name, share in [("p50", 0.5), ("p99", 0.99), ("worst", 1)]},
        "failures": failures,
    }
    with open(out + "/soak.json", "w", encoding="utf-8") as file:
        json.dump(summary, file, indent=2)
    sentence = (
        f"{SESSIONS} sessions, {len(ledgers)} clients, {soak.turns} turns, {summary['deliveries']} deliveries; memory "
        f"{memory[1] * 60:+.1f} ± {memory[2] * 60:.1f} MiB/h, descriptors {files[1] * 60:+.1f} ± {files[2] * 60:.1f} /h")
    all_minutes = [row["seconds"] / 60 for row in rows]

    def column(name, factor=1.0):
        return [None if row[name] is None else row[name] * factor for row in rows]

    picture = chart.draw(f"Soak: {summary['minutes']:g} minutes under mixed load", sentence, all_minutes, [
        ("Resident memory, MiB", [("daemon", column("rss_bytes", 2**-20))], (minutes[0], *memory[:2])),
        ("Open", [("descriptors", column("descriptors")), ("processes", column("processes"))], None),
        ("GET /health, ms", [("p50", column("health_p50_ms")), ("p99", column("health_p99_ms"))], None),
        ("From an event's stamp to a client, ms", [("p50", column("delivery_p50_ms")), ("p99", column("delivery_p99_ms"))], None),
    ])
    with open(out + "/soak.svg", "w", encoding="utf-8") as file:
        file.write(picture)
    print(json.dumps(summary, indent=2))
    print(f"\n{sentence}\n{out}/soak.csv, soak.svg, soak.json")
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(prog="scripts/soak.sh")
    parser.add_argument("--hours", type=float)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 40))
    parser.add_argument("--out", default="doc/tmp/soak", help="folder for soak.csv, soak.svg and soak.json")
    parser.add_argument("--daemon", required=True, help="the program; soak.sh builds and names it")
    arguments = parser.parse_args()
    arguments.seconds = (arguments.hours or 0) * 3600 + (arguments.minutes or 0) * 60 or 1200
    os.makedirs(arguments.out, exist_ok=True)
    print(f"soak: {arguments.seconds / 60:g} minutes, seed {arguments.seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="codeai-soak-", ignore_cleanup_errors=True) as home:
        soak = Soak(arguments, home)
        soak.start()
        try:
            ledgers, logs = asyncio.run(soak.run())
        finally:
            code, left = soak.end()
        return report(soak, ledgers, logs, code, left)


if __name__ == "__main__":
    sys.exit(main())
