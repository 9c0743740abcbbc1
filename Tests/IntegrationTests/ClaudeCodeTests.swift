import Foundation
import JSON
import TestSupport
import Testing

/// The whole way: the real Claude Code, run by the real daemon, against a fake Messages API on loopback.
/// One at a time: each takes 250 MB.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ClaudeCodeTests {
    let api: FakeMessagesAPI
    let daemon: TestDaemon

    init() throws {
        let program = try #require(RealClaude.program, Comment(rawValue: RealClaude.missing))
        api = FakeMessagesAPI()
        daemon = try TestDaemon()
        var environment = RealClaude.environment(home: daemon.folder.path, api: api)
        let folder = (program as NSString).deletingLastPathComponent
        environment["PATH"] = folder + ":" + (daemon.environment["PATH"] ?? "")
        try FileManager.default.createDirectory(atPath: daemon.folder.path + "/tmp", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: daemon.folder.path + "/work", withIntermediateDirectories: true)
        daemon.environment.merge(environment) { $1 }
        try daemon.start()
    }

    private var workspace: String { daemon.folder.path + "/work" }
    private func isThere(_ name: String) -> Bool { FileManager.default.fileExists(atPath: workspace + "/" + name) }

    private func newSession(_ more: JSONObject = [:]) throws -> String {
        // The alias that older clients know.
        try daemon.newSession("claude", more.merging(["workspace": JSON(workspace)]))
    }

    private func touch(_ name: String) -> String {
        "[[tool:Bash {\"command\":\"touch \(workspace)/\(name)\",\"description\":\"t\"}]]"
    }

    private func option(_ kind: String, of request: JSON?) throws -> JSON {
        try #require(request?["options"]?.arrayValue?.first { $0["kind"]?.stringValue == kind }?["optionId"])
    }

    private func answer(_ client: RawWebSocket, _ session: String, _ request: JSON?, _ kind: String) throws -> JSON {
        try client.request(
            "permission:respond",
            [
                "sessionId": JSON(session), "requestId": request?["requestId"] ?? .null,
                "optionId": try option(kind, of: request),
            ])
    }

    @Test func twoTurnsWithTextAndThinking() throws {
        let record = try daemon.call("GET", "/providers/claudeCodeCli")
        #expect(record["installed"] == true)
        let first = try daemon.client("first")
        let session = try newSession()
        #expect(try daemon.record(session)["providerId"] == "claudeCodeCli")
        try daemon.say("[[think:let me see]] [[text:hello there]]", in: session)
        let frames = try first.collectTurn(of: session, within: .seconds(60))
        let chunks = frames.filter { $0.type == "stream:chunk" && $0["payload"]?["kind"] == "message" }
        // What has come together with its event is not told in pieces any more.
        let streamed = chunks.compactMap { $0["payload"]?["content"]?.stringValue }.joined()
        #expect("hello there".hasPrefix(streamed))
        let records = try daemon.events(session)
        #expect(agentText(records) == "hello there")
        #expect(records.first("thinking")?["data"]?["content"] == "let me see")
        let end = try #require(records.first("turn_completed")?["data"])
        #expect(end["status"] == "completed")
        #expect((end["costUsd"]?.doubleValue ?? 0) > 0)
        #expect((end["usage"]?["input"]?.intValue ?? 0) > 0)
        let children = daemon.children.map(\.pid)

        let second = try daemon.turn("[[text:and again]]", in: session, within: .seconds(60))
        #expect(agentText(second) == "and again")
        // The same process, and a cost of its own.
        #expect(!second.contains { $0["data"]?["type"] == "process_started" })
        #expect(daemon.children.map(\.pid).contains { children.contains($0) })
        let costs = try daemon.events(session).of("turn_completed").compactMap { $0["data"]?["costUsd"]?.doubleValue }
        #expect(costs.count == 2)
        let total = try daemon.record(session)["costUsd"]?.doubleValue ?? 0
        #expect(abs(total - costs.reduce(0, +)) < 0.000_001)
        // It asked the fake and nobody else.
        #expect(api.scripted.count >= 2)
    }

    @Test func aPermissionIsAnsweredByTheSecondClient() throws {
        let first = try daemon.client("first")
        let second = try daemon.client("second")
        let session = try newSession()
        try daemon.say(touch("allowed") + "[[text:done]]", in: session)
        let asked = try second.frame(type: "permission:requested", within: .seconds(60))["payload"]
        #expect(asked?["tool"] == "Bash")
        #expect(try daemon.status(session) == "waiting")
        #expect(!isThere("allowed"))
        #expect(try answer(second, session, asked, "allow_once")["ok"] == true)
        let resolved = try first.frame(type: "permission:resolved")["payload"]
        #expect(resolved?["by"]?["name"] == "second")
        #expect(try answer(first, session, asked, "reject_once")["error"]?["code"] == "already_resolved")
        _ = try first.collectTurn(of: session, within: .seconds(60))
        #expect(isThere("allowed"))

        try daemon.say(touch("denied") + "[[text:I will not]]", in: session)
        let again = try first.frame(type: "permission:requested", within: .seconds(60))["payload"]
        #expect(try answer(first, session, again, "reject_once")["ok"] == true)
        try daemon.settle(session, within: .seconds(60))
        #expect(!isThere("denied"))

        let script = touch("always") + "[[text:done]]"
        try daemon.say(script, in: session)
        let third = try first.frame(type: "permission:requested", within: .seconds(60))["payload"]
        #expect(try answer(first, session, third, "allow_always")["ok"] == true)
        try daemon.settle(session, within: .seconds(60))
        try FileManager.default.removeItem(atPath: workspace + "/always")
        let unasked = try daemon.turn("again " + script, in: session, within: .seconds(60))
        #expect(unasked.of("permission_requested").isEmpty)
        #expect(isThere("always"))
        let results = try daemon.events(session).of("tool_result").compactMap { $0["data"]?["status"]?.stringValue }
        #expect(results == ["completed", "failed", "completed", "completed"])
    }

    @Test func aQuestionIsAnswered() throws {
        let client = try daemon.client("client")
        let session = try newSession()
        let questions =
            #"[{"question":"Which color?","header":"Color","multiSelect":false,"options":[{"label":"Red","description":"r"},{"label":"Blue","description":"b"}]}]"#
        try daemon.say("[[tool:AskUserQuestion {\"questions\":\(questions)}]] [[text:thanks]]", in: session)
        let asked = try client.frame(type: "question:requested", within: .seconds(60))["payload"]
        let question = try #require(asked?["questions"]?[0])
        #expect(question["text"] == "Which color?")
        let id = try #require(question["id"]?.stringValue)
        let answered = try client.request(
            "question:respond",
            [
                "sessionId": JSON(session), "requestId": asked?["requestId"] ?? .null,
                "answers": .object(JSONObject(members: [(id, "Blue")])),
            ])
        #expect(answered["ok"] == true)
        try daemon.settle(session, within: .seconds(60))
        let records = try daemon.events(session)
        #expect("\(records.first("tool_result") ?? .null)".contains("Blue"))
        #expect(records.first("question_resolved")?["data"]?["by"]?["name"] == "client")
        #expect(agentText(records) == "thanks")
    }

    @Test func interruptedInEachState() throws {
        let client = try daemon.client("client")
        let session = try newSession()
        // Streaming.
        try daemon.say("[[slow:0.05x400]]", in: session)
        _ = try client.frame(type: "stream:chunk", within: .seconds(60))
        #expect(try daemon.call("POST", "/sessions/\(session)/interrupt")["interrupting"] == true)
        var end = try client.collectTurn(of: session, within: .seconds(60)).last
        #expect(end?["payload"]?["data"]?["status"] == "interrupted")
        // A permission pending.
        try daemon.say(touch("pending"), in: session)
        _ = try client.frame(type: "permission:requested", within: .seconds(60))
        try daemon.call("POST", "/sessions/\(session)/interrupt")
        #expect(try client.frame(type: "permission:resolved")["payload"]?["outcome"] == "cancelled")
        end = try client.collectTurn(of: session, within: .seconds(60)).last
        #expect(end?["payload"]?["data"]?["status"] == "interrupted")
        // A tool running.
        let command = "touch \(workspace)/started && python3 -c 'import time; time.sleep(60)'"
        try daemon.say("[[tool:Bash {\"command\":\"\(command)\",\"description\":\"t\"}]]", in: session)
        let asked = try client.frame(type: "permission:requested", within: .seconds(60))["payload"]
        #expect(try answer(client, session, asked, "allow_once")["ok"] == true)
        try eventually("the tool runs", within: .seconds(30)) { isThere("started") }
        try daemon.call("POST", "/sessions/\(session)/interrupt")
        end = try client.collectTurn(of: session, within: .seconds(60)).last
        #expect(end?["payload"]?["data"]?["status"] == "interrupted")
        // Idle.
        #expect(try daemon.call("POST", "/sessions/\(session)/interrupt")["interrupting"] == false)
        #expect(agentText(try daemon.turn("[[text:still alive]]", in: session, within: .seconds(60))) == "still alive")
        let records = try daemon.events(session)
        #expect(records.of("tool_call").count == records.of("tool_result").count)
        #expect(!isThere("pending"))
    }

    @Test func resumesAfterTheDaemonWasKilled() throws {
        let client = try daemon.client("client")
        let session = try newSession()
        try daemon.turn("[[text:remember this]]", in: session, within: .seconds(60))
        try daemon.say("[[slow:0.05x400]]", in: session)
        for _ in 0..<3 { _ = try client.frame(type: "stream:chunk", within: .seconds(60)) }
        let before = try daemon.events(session)
        try daemon.kill()
        try eventually("Claude is gone: \(daemon.survivors)", within: .seconds(15)) { daemon.survivors.isEmpty }
        try daemon.start()
        let recovered = try daemon.events(session)
        #expect(Array(recovered.prefix(before.count)) == before)
        #expect(recovered.last { $0["kind"] == "turn_completed" }?["data"]?["status"] == "interrupted")
        let next = try daemon.turn("[[text:went on]]", in: session, within: .seconds(60))
        #expect(agentText(next) == "went on")
        // Claude's own resume: the model is sent the first turn again.
        let request = try #require(api.scripted.last { $0.script?.contains("went on") == true })
        #expect("\(request.body)".contains("remember this"))
        #expect(next.first("turn_completed")?["data"]?["status"] == "completed")
        // The cumulative figures of the resumed process aren't counted twice.
        let costs = try daemon.events(session).of("turn_completed").compactMap { $0["data"]?["costUsd"]?.doubleValue }
        let cost = try #require(next.first("turn_completed")?["data"]?["costUsd"]?.doubleValue)
        #expect(cost < 2 * (costs.first ?? 0), "\(costs)")
    }

    @Test(arguments: [
        ("[[status:401]]", "authentication_failed"), ("[[status:429]]", "rate_limited"),
        ("[[status:529]]", "overloaded"),
    ])
    func failuresHaveTheirCode(script: String, code: String) throws {
        let session = try newSession()
        let records = try daemon.turn(script, in: session, within: .seconds(90))
        #expect(records.first("error")?["data"]?["code"]?.stringValue == code, "\(records.of("error"))")
        #expect(records.first("turn_completed")?["data"]?["status"] == "failed")
        #expect(try daemon.status(session) == "failed")
    }

    @Test func stoppingTheDaemonEndsClaude() throws {
        let session = try newSession()
        try daemon.turn("[[text:here]]", in: session, within: .seconds(60))
        #expect(!daemon.children.isEmpty)
        #expect(try daemon.stop().code == 0)
        #expect(daemon.survivors.isEmpty)
    }
}
