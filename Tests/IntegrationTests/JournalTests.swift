import Foundation
import JSON
import TestSupport
import Testing

/// What the daemon writes for its operator: its log, the audit, reports of crashes.
@Suite(.timeLimit(.minutes(10))) struct JournalTests {
    private func lines(_ name: String, _ daemon: TestDaemon) throws -> [JSON] {
        try (daemon.folder.read("hub/logs/" + name) ?? "").split(separator: "\n").map { try JSON.parse(String($0)) }
    }

    private func messages(_ daemon: TestDaemon) throws -> [(level: String, text: String, line: JSON)] {
        try lines("core.log", daemon).map {
            ($0["level"]?.stringValue ?? "", $0["message"]?.stringValue ?? "", $0)
        }
    }

    @Test func theLogTellsWhatHappensAndNotWhatIsSaid() throws {
        let daemon = try TestDaemon.running()
        let client = try daemon.client("somebody")
        let session = try daemon.newSession()
        try daemon.turn("[[text:unmistakable-words]]", in: session)
        try daemon.turn("[[crash:3]]", in: session)
        client.close()
        try eventually("the client is gone") { try daemon.call("GET", "/health")["clients"] == 0 }
        try daemon.stop()
        let log = try messages(daemon)
        func line(_ text: String, _ level: String) -> JSON? { log.first { $0.text == text && $0.level == level }?.line }
        let ready = line("ready", "info")
        #expect(ready?["version"] != nil && ready?["configuration"]?.stringValue?.hasSuffix("core/config.json") == true)
        let started = line("a turn started", "info")
        #expect(started?["sessionId"]?.stringValue == session && started?["turnId"] == "t1")
        let ended = line("a turn ended", "info")
        #expect(ended?["status"] == "completed" && ended?["durationMs"] != nil)
        let failed = log.last { $0.text == "a turn ended" }?.line
        #expect(failed?["status"] == "failed" && failed?["code"] == "provider_crashed", "\(log)")
        #expect(line("a provider's process started", "info")?["pid"] != nil)
        #expect(line("a provider's process ended", "info")?["exitCode"] == 3)
        #expect(line("a client came", "debug")?["transport"] == "websocket")
        #expect(line("a client left", "debug")?["name"] == "somebody")
        #expect(line("stopped", "info")?["logsComplete"] == true)
        #expect(!(daemon.folder.read("hub/logs/core.log") ?? "").contains("unmistakable-words"))
        // An end in order leaves no marker.
        #expect(daemon.folder.read("hub/core/running") == nil)
    }

    @Test func aCrashIsReportedAtTheNextStart() throws {
        let daemon = try TestDaemon.running(configuration: ["log": ["keep": 2]])
        let first = daemon.pid
        for _ in 0..<3 { try daemon.restart() }
        let reports = try FileManager.default.contentsOfDirectory(atPath: daemon.home + "/logs")
            .filter { $0.hasPrefix("crash-") }.sorted()
        #expect(reports.count == 2)
        let report = try JSON.parse(try #require(daemon.folder.read("hub/logs/" + (reports.last ?? ""))))
        #expect(report["pid"]?.intValue != nil && report["pid"]?.intValue != Int(first))
        #expect(report["signal"] == nil || report["signal"]?.isNull == true)
        #expect(report["reason"]?.stringValue?.contains("killed from outside") == true)
        #expect(report["version"] != nil && report["uptimeSeconds"] != nil)
        #expect(report["lastLogLines"]?.arrayValue?.contains { $0["message"] == "ready" } == true)
        #expect(try daemon.http("GET", "/metrics").text.contains("codeai_follows_crash 1\n"))
        // One that is ended in order is not reported, and the one after it knows of no crash.
        try daemon.stop()
        try daemon.start()
        #expect(try daemon.http("GET", "/metrics").text.contains("codeai_follows_crash 0\n"))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: daemon.home + "/logs").filter { $0.hasPrefix("crash-") }
                .sorted() == reports)
    }

    @Test(arguments: [SIGSEGV, SIGILL]) func aFatalSignalLeavesItsNumber(signal: Int32) throws {
        // Swift's own backtrace of a debug build takes longer than anybody waits.
        let daemon = try TestDaemon.running(environment: ["SWIFT_BACKTRACE": "enable=no"])
        let exit = try daemon.stop(signal)
        #expect(exit.code == -signal)
        try daemon.start()
        let died = try messages(daemon).first { $0.text.contains("died without") }
        #expect(died?.level == "error" && died?.line["signal"]?.intValue == Int(signal))
    }

    @Test func everyActIsAudited() throws {
        let daemon = try TestDaemon()
        try daemon.folder.write(
            "hub/providers/tool/module.json",
            #"{"adapter":"acp","name":"Tool","command":["/bin/sh"],"login":{"command":["true"],"hint":"Log in."},"install":[{"id":"slow","command":["sleep","60"]}]}"#
        )
        try daemon.start()
        let client = try daemon.client("auditee")
        let session = try daemon.newSession()
        func call(_ method: String, _ path: String, _ body: JSON? = nil) throws { try daemon.call(method, path, body) }

        // Decisions: one taken, one cancelled by an interrupt; a question answered, and one left alone.
        try daemon.say("[[permission:once,reject remove everything]]", in: session)
        let asked = try client.frame { $0.type == "permission:requested" }["payload"]
        let request = try #require(asked?["data"]?["requestId"] ?? asked?["requestId"])
        let options = (asked?["data"]?["options"] ?? asked?["options"])?.arrayValue ?? []
        _ = try client.request(
            "permission:respond",
            ["sessionId": JSON(session), "requestId": request, "optionId": options.first?["optionId"] ?? .null])
        try daemon.settle(session)
        try daemon.say("[[permission:once,reject again]]", in: session)
        try eventually("it waits") { try daemon.status(session) == "waiting" }
        try call("POST", "/sessions/\(session)/interrupt")
        try daemon.settle(session)

        try call(
            "PATCH", "/sessions/\(session)", ["title": "Audited", "tags": ["a"], "model": "small", "mode": "auto"])
        try call("PATCH", "/sessions/\(session)", ["budgetUsd": 5])
        let copy = try daemon.call("POST", "/sessions/\(session)/fork", [:])["id"]?.stringValue ?? ""
        #expect(try daemon.http("GET", "/api/v1/sessions/\(copy)/export").status == 200)
        let exported = try daemon.http("GET", "/api/v1/sessions/\(copy)/export")
        let imported = try daemon.http(
            "POST", "/api/v1/sessions/import", bytes: Array(exported.body),
            headers: [("Content-Type", "application/x-ndjson")])
        #expect((200...201).contains(imported.status), "\(imported.text)")
        try call("POST", "/sessions/\(copy)/stop")
        _ = try daemon.http("DELETE", "/api/v1/sessions/\(copy)")
        try daemon.say("[[question:Which?|red|blue]]", in: session)
        let question = try client.frame(type: "question:requested")["payload"]
        let id = try #require(question?["questions"]?[0]?["id"]?.stringValue)
        _ = try client.request(
            "question:respond",
            [
                "sessionId": JSON(session), "requestId": question?["requestId"] ?? .null,
                "answers": .object(JSONObject(members: [(id, "blue")])),
            ])
        try daemon.settle(session)
        try call("PATCH", "/sessions/\(session)", ["providerIds": ["echo", "tool"]])
        try call("POST", "/sessions/\(session)/provider", ["providerId": "tool"])
        try call("PATCH", "/settings", ["log": ["level": "info"]])
        #expect(try daemon.http("GET", "/api/v1/diagnostics", within: .seconds(60)).status == 200)
        try call("POST", "/providers/tool/install", ["recipe": "slow"])
        try call("DELETE", "/providers/tool/install")
        try eventually("it is cancelled") {
            try daemon.call("GET", "/providers/tool")["operation"]?["phase"] == "cancelled"
        }
        try call("PATCH", "/providers/echo", ["enabled": false])
        try call("PATCH", "/providers/echo", ["enabled": true])
        try call("POST", "/providers/tool/login")
        let ticket = try daemon.call("POST", "/auth/ticket")["ticket"] ?? .null
        _ = try daemon.http("POST", "/api/v1/auth/session", ["ticket": ticket])
        _ = try daemon.http("POST", "/api/v1/auth/session", ["ticket": ticket])
        for _ in 0..<100 { _ = try daemon.http("GET", "/health", headers: [("Host", "evil.example")]) }
        try call("POST", "/core/shutdown")
        _ = try daemon.waitForExit()

        let lines = try lines("audit.log", daemon)
        let actions = Set(lines.compactMap { $0["action"]?.stringValue })
        let expected: Set = [
            "session_created", "permission", "session_renamed", "session_tagged", "model", "mode", "budget",
            "session_forked", "session_exported", "session_imported", "session_stopped", "session_deleted",
            "provider_disabled", "provider_enabled", "provider_login", "ticket_issued", "ticket_redeemed",
            "ticket_refused", "access_refused", "core_shutdown", "question", "providers_invited", "provider_switched",
            "settings_changed", "diagnostics", "provider_install", "provider_install_cancelled",
        ]
        #expect(expected.subtracting(actions).isEmpty, "\(expected.subtracting(actions).sorted()) of \(lines)")
        // All of them are in the table of the documentation.
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../doc/operations.md")
        let documentation = try String(contentsOf: root, encoding: .utf8)
        for action in actions { #expect(documentation.contains("`\(action)`"), "\(action) is not documented") }

        let permissions = lines.filter { $0["action"] == "permission" }
        let taken = permissions.first
        #expect(taken?["client"]?["name"] == "auditee" && taken?["client"]?["transport"] == "websocket")
        #expect(taken?["argsSha256"]?.stringValue?.count == 64)
        #expect(taken?["outcome"] == "selected" && taken?["optionKind"] != nil && taken?["tool"] != nil)
        #expect(permissions.last?["outcome"] == "cancelled")
        #expect(permissions.last?["client"] == nil)
        #expect(!lines.description.contains("remove everything"))
        let answered = lines.first { $0["action"] == "question" }
        #expect(answered?["outcome"] == "answered" && answered?["answersSha256"]?.stringValue?.count == 64)
        let refused = lines.filter { $0["action"] == "access_refused" }
        #expect(refused.count <= 122 && refused.first?["reason"] == "wrong_host" && refused.first?["path"] == "/health")
    }

    @Test func guessingIsRecordedAndLimited() throws {
        let daemon = try TestDaemon.running(configuration: [:])
        // From now on everybody needs the token. A few looks only: refusals are counted beyond 60 in a minute.
        try daemon.folder.write("hub/core/config.json", #"{"schemaVersion":1,"security":{"loopback":"token"}}"#)
        kill(daemon.pid, SIGHUP)
        try eventually("the token is asked for") {
            Thread.sleep(forTimeInterval: 0.3)
            return try daemon.http("GET", "/health").status == 401
        }
        var guesses: [RawConnection] = []
        for _ in 0..<50 {
            let guess = try RawConnection(port: daemon.port)
            try guess.send("GET /health HTTP/1.1\r\nHost: \(daemon.authority)\r\nAuthorization: Bearer wrong\r\n\r\n")
            guesses.append(guess)
        }
        try eventually("guesses are recorded") {
            let actions = try lines("audit.log", daemon)
            let isGuess = actions.contains { $0["action"] == "access_refused" && $0["reason"] == "token_invalid" }
            let isLimited = actions.contains { $0["action"] == "rate_limited" && $0["reason"] == "too_many_failures" }
            return isGuess && isLimited
        }
        #expect(!(daemon.folder.read("hub/logs/audit.log") ?? "").contains("Bearer"))
    }

    @Test func aLogsFolderThatCannotBeWrittenHurtsNobody() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        let logs = daemon.home + "/logs"
        try FileManager.default.moveItem(atPath: logs, toPath: logs + ".away")
        try daemon.folder.write("hub/logs", "in the way")
        // After the next look at the file, lines are lost.
        Thread.sleep(forTimeInterval: 1.1)
        #expect(agentText(try daemon.turn("[[text:works]]", in: session)) == "works")
        let lost = try daemon.http("GET", "/metrics").text.split(separator: "\n")
            .first { $0.hasPrefix("codeai_log_lines_lost_total ") }.flatMap { Int($0.split(separator: " ")[1]) }
        #expect((lost ?? 0) > 0)
        try FileManager.default.removeItem(atPath: logs)
        try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: false)
        Thread.sleep(forTimeInterval: 1.1)
        try daemon.turn("[[text:again]]", in: session)
        let told = try messages(daemon).first { $0.text == "lines of this log could not be written" }
        #expect((told?.line["lines"]?.intValue ?? 0) > 0)
    }
}
