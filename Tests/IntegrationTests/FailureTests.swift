import Foundation
import JSON
import TestSupport
import Testing

/// What becomes of a message whose turn fails, in the real daemon with real processes.
@Suite(.timeLimit(.minutes(10))) struct FailureTests {
    private func statuses(_ type: String, _ records: [JSON]) -> [JSON] {
        records.of("status").compactMap { $0["data"] }.filter { $0["type"]?.stringValue == type }
    }

    private func health(_ daemon: TestDaemon) throws -> JSON? { try daemon.call("GET", "/providers/echo")["health"] }

    /// Waits until a turn that refers to another has ended.
    private func settleRetry(_ session: String, _ daemon: TestDaemon) throws -> [JSON] {
        try eventually("a retry ends: \((try? daemon.events(session)) ?? [])") {
            let records = try daemon.events(session)
            guard let turn = records.of("turn_started").last(where: { $0["data"]?["retryOf"] != nil })?["turnId"] else {
                return false
            }
            return records.of("turn_completed").contains { $0["turnId"] == turn }
        }
        return try daemon.events(session)
    }

    @Test func crashInALoopThenBackoffThenCircuitThenTrial() throws {
        let daemon = try TestDaemon.running(configuration: [
            "sessions": ["backoffFirst": 1, "circuitFailures": 3, "circuitSeconds": 1.5]
        ])
        let client = try daemon.client("client")
        let (session, other) = (try daemon.newSession(), try daemon.newSession())
        #expect(try health(daemon)?["state"] == "ok")
        for _ in 0..<3 {
            let records = try daemon.turn("[[crash:3]]", in: session)
            #expect(records.of("error").last?["data"]?["code"] == "provider_crashed")
        }
        let opened = try client.frame { $0.type == "provider:update" && $0["payload"]?["health"]?["state"] == "open" }
        #expect(opened["payload"]?["id"] == "echo" && opened["payload"]?["health"]?["failures"] == 3)
        let backoffs = statuses("provider_backoff", try daemon.events(session))
        // A wait that is over before the next message comes is none.
        #expect(backoffs.last?["failures"] == 2 && backoffs.last?["turnId"] == "t3")

        // Nobody else starts it, and is told when to try again.
        let refused = try daemon.turn("hello", in: other).of("error").last?["data"]
        #expect(refused?["code"] == "provider_unavailable")
        #expect((refused?["retryAfter"]?.doubleValue ?? 0) > 0)
        #expect(try daemon.record(other)["retryable"] == "t1")

        _ = try client.frame { $0.type == "provider:update" && $0["payload"]?["health"]?["state"] == "half_open" }
        let again = try client.request("session:retry", ["sessionId": JSON(other)])
        #expect(again["ok"] == true && again["result"]?["turnId"] == "t2")
        let records = try settleRetry(other, daemon)
        #expect(agentText(records).contains("You said: "))
        #expect(records.of("message").filter { $0["source"] == "user" }.count == 1)
        #expect(records.of("turn_started").last?["data"]?["retryOf"] == "t1")
        #expect(try health(daemon)?["state"] == "ok")
        #expect(try agentText(daemon.turn("[[text:works]]", in: session)) == "works")
    }

    @Test(arguments: [false, true]) func aUsedUpQuotaIsWaitedFor(restarts: Bool) throws {
        let daemon = try TestDaemon.running(configuration: ["sessions": ["resumeAfterQuota": true]])
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.turn("[[once:error:quota@2]][[text:at last]]", in: session)
        let parked = try client.frame {
            $0.type == "session:update" && $0["payload"]?["id"]?.stringValue == session
                && $0["payload"]?["status"] == "parked"
        }["payload"]?["parked"]
        #expect(parked?["code"] == "quota_exhausted" && parked?["automatic"] == true)
        if restarts { try daemon.restart() }
        let records = try settleRetry(session, daemon)
        #expect(agentText(records) == "at last")
        #expect(statuses("parked", records).count == 1)
        #expect(statuses("retry", records).compactMap { $0["reason"]?.stringValue } == ["parked"])
        #expect(try daemon.status(session) == "idle")
    }

    @Test func usedUpAgainItStaysForThePerson() throws {
        let daemon = try TestDaemon.running(configuration: ["sessions": ["resumeAfterQuota": true]])
        let session = try daemon.newSession()
        try daemon.turn("[[error:quota@1]]", in: session)
        let records = try settleRetry(session, daemon)
        try eventually("it is parked again") { try daemon.status(session) == "parked" }
        #expect(try daemon.record(session)["parked"]?["automatic"] == false)
        #expect(statuses("retry", records).count == 1)
        try daemon.call("POST", "/sessions/\(session)/resume")
        #expect(try daemon.status(session) == "failed")
    }

    @Test func anIdleDaemonStaysForAParkedTurn() throws {
        let daemon = try TestDaemon.running(configuration: ["lifecycle": ["idleShutdown": 0.3]])
        let session = try daemon.newSession()
        try daemon.turn("[[once:error:overloaded]][[text:at last]]", in: session)
        let parked = try daemon.call("POST", "/sessions/\(session)/retry", ["after": 3])
        #expect(parked["parked"]?["automatic"] == true)
        try eventually("it is tried again") {
            try daemon.sessionLog(session).contains { $0["data"]?["retryOf"] != nil && $0["kind"] == "turn_started" }
        }
        // Then nothing keeps it.
        #expect(try daemon.waitForExit().code == 0)
        #expect(agentText(Array(try daemon.sessionLog(session).dropFirst())) == "at last")
    }

    /// A second agent of the same kind; nothing but a manifest.
    private func addSecondEcho(_ daemon: TestDaemon) throws {
        try daemon.folder.write(
            "hub/providers/second/module.json",
            #"{"id":"second","name":"Second","adapter":"acp","command":["${self}"],"arguments":["echo-agent"]}"#)
    }

    @Test(arguments: ["/bin/false", "/nonexistent/agent"])
    func anotherProviderTriesWhatOneCannotEvenStart(command: String) throws {
        let daemon = try TestDaemon()
        try addSecondEcho(daemon)
        try daemon.start()
        let session = try daemon.newSession()
        try daemon.turn("[[text:first]]", in: session)
        // From now on the first one can't be started any more.
        try daemon.stop()
        try daemon.folder.write(
            "hub/core/config.json",
            #"{"schemaVersion":1,"sessions":{"fallback":["echo","second"]},"providers":{"echo":{"command":"\#(command)"}}}"#
        )
        try daemon.start()
        try daemon.say("hello", in: session)
        let records = try settleRetry(session, daemon)
        let fallback = try #require(statuses("fallback", records).first)
        #expect(fallback["from"] == "echo" && fallback["to"] == "second")
        #expect(["provider_start_failed", "provider_not_installed"].contains(fallback["code"]?.stringValue ?? ""))
        #expect(records.of("message").last?["providerId"] == "second")
        #expect(records.of("turn_completed").last?["data"]?["status"] == "completed")
        #expect(statuses("context_carried", records).count == 1)
        #expect(try daemon.record(session)["providerId"] == "second")
    }

    @Test func whatWaitsIsPutInOrder() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.say("[[stall:60]]", in: session)
        for text in ["[[text:two]]", "[[text:three]]", "[[text:four]]"] { try daemon.say(text, in: session) }
        let record = try daemon.call("PATCH", "/sessions/\(session)/queue", ["order": ["t4", "t3"]])
        #expect(record["queue"]?.arrayValue?.compactMap { $0["turnId"]?.stringValue } == ["t4", "t3", "t2"])
        let gone = try daemon.http("PATCH", "/api/v1/sessions/\(session)/queue", ["order": ["t1"]])
        #expect(gone.status == 409 && gone.errorCode == "turn_not_queued")
        let nothing = try daemon.http("POST", "/api/v1/sessions/\(session)/retry", [:])
        #expect(nothing.status == 409 && nothing.errorCode == "nothing_to_retry")
        for wrong in [["after": -1], ["at": "soon"], ["after": 1, "at": "2026-11-21T10:00:00Z"]] as [JSON] {
            #expect(try daemon.http("POST", "/api/v1/sessions/\(session)/retry", wrong).status == 400)
        }
        // At whatever point of its start the agent is.
        try daemon.call("POST", "/sessions/\(session)/interrupt")
        try daemon.settle(session)
        #expect(try agentText(daemon.events(session)) == "four\nthree\ntwo")
    }

    /// How soon a crash is on every client; the figure is printed, the bound is generous.
    @Test func aCrashIsOnEveryClientAtOnce() throws {
        let daemon = try TestDaemon.running(configuration: [
            "sessions": ["backoffFirst": 0, "circuitFailures": 1_000_000]
        ])
        let clients = try (0..<5).map { try daemon.client("client \($0)") }
        let session = try daemon.newSession()
        var waits: [Double] = []
        for _ in 0..<20 {
            try daemon.say("[[stall:60]]", in: session)
            var pid: Int32?
            try eventually("the agent runs") {
                pid = daemon.children.first?.pid
                return try pid != nil && daemon.record(session)["turn"]?.isNull == false
            }
            // The prompt has reached the agent by then, or it is still being started: both count.
            usleep(20_000)
            let start = ContinuousClock.now
            kill(try #require(pid), SIGKILL)
            for client in clients {
                _ = try client.frame {
                    $0.kind == "error" && $0["payload"]?["data"]?["code"] == "provider_crashed"
                        || $0.kind == "error" && $0["payload"]?["data"]?["code"] == "provider_start_failed"
                }
                waits.append((ContinuousClock.now - start) / .milliseconds(1))
            }
            try daemon.settle(session)
        }
        waits.sort()
        func percentile(_ share: Double) -> String {
            String(format: "%.2f", waits[min(waits.count - 1, Int(Double(waits.count) * share))])
        }
        print("crash to frame, 20 crashes, 5 clients: p50 \(percentile(0.5)) ms, p99 \(percentile(0.99)) ms")
        #expect(waits[waits.count / 2] < 1000)
    }
}
