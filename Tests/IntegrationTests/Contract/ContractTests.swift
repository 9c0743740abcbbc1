import Foundation
import JSON
import TestSupport
import Testing

/// What every provider does alike: the same deeds, the same events, whichever program is behind them.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ContractTests {
    /// A daemon with a session of the agent, and a client that watches.
    private struct Stage {
        let agent: any Agent
        let daemon: TestDaemon
        let client: RawWebSocket
        let session: String
        var workspace: String { daemon.folder.path + "/work" }

        init(_ kind: AgentKind, prepare: (any Agent, TestDaemon) throws -> Void = { _, _ in }) throws {
            agent = try kind.make()
            daemon = try agent.makeDaemon()
            let workspace = daemon.folder.path + "/work"
            try FileManager.default.createDirectory(atPath: workspace, withIntermediateDirectories: true)
            try prepare(agent, daemon)
            try daemon.start()
            client = try daemon.client("contract")
            var more: JSONObject = ["workspace": JSON(workspace)]
            more["mode"] = agent.mode.map { JSON($0) }
            session = try daemon.newSession(agent.providerId, more)
        }

        func prompt(_ deed: Deed) throws -> String { try #require(agent.prompt(deed)) }

        /// Does it, and returns what the turn put into the log.
        func turn(_ deed: Deed) throws -> [JSON] {
            try daemon.turn(try prompt(deed), in: session, within: .seconds(90))
        }

        func begin(_ deed: Deed) throws { try daemon.say(try prompt(deed), in: session) }

        func permission() throws -> JSON {
            try #require(try client.frame(type: "permission:requested", within: .seconds(60))["payload"])
        }

        func answer(_ request: JSON, _ kind: String) throws {
            let option = try #require(
                request["options"]?.arrayValue?.first { $0["kind"]?.stringValue == kind }?["optionId"])
            let answer = try client.request(
                "permission:respond",
                ["sessionId": JSON(session), "requestId": request["requestId"] ?? .null, "optionId": option])
            #expect(answer["ok"] == true)
        }

        /// The end of the turn that runs.
        func end() throws -> JSON? {
            try client.collectTurn(of: session, within: .seconds(90)).last?["payload"]?["data"]
        }

        func interrupt() throws { try daemon.call("POST", "/sessions/\(session)/interrupt") }
    }

    /// What holds for every log, whatever happened.
    private func checkShape(_ stage: Stage) throws {
        let records = try stage.daemon.events(stage.session)
        #expect(records.areNumbered(from: 1))
        for kind in ["permission", "question"] {
            let asked = records.of(kind + "_requested").compactMap { $0["data"]?["requestId"]?.stringValue }
            let resolved = records.of(kind + "_resolved").compactMap { $0["data"]?["requestId"]?.stringValue }
            #expect(asked.sorted() == resolved.sorted())
        }
        // A call may be told again as it goes on; its result comes once.
        let calls = Set(records.of("tool_call").compactMap { $0["itemId"]?.stringValue })
        let results = records.of("tool_result").compactMap { $0["itemId"]?.stringValue }
        #expect(calls.sorted() == results.sorted(), "\(records.of("tool_call")) \(records.of("tool_result"))")
        #expect(records.of("turn_started").count == records.of("turn_completed").count)
        let own = records.filter { $0["source"] == "agent" }
        #expect(own.allSatisfy { $0["providerId"]?.stringValue == stage.agent.providerId })
        #expect(!records.of("custom").contains { $0["data"]?["type"] == "unparsed_output" }, "\(records.of("custom"))")
    }

    @Test(arguments: AgentKind.allCases) func text(kind: AgentKind) throws {
        let stage = try Stage(kind)
        try stage.begin(.say("hello there"))
        let frames = try stage.client.collectTurn(of: stage.session, within: .seconds(60))
        let chunks = frames.filter { $0.type == "stream:chunk" && $0["payload"]?["kind"] == "message" }
        // What has come together with its event is not told in pieces any more.
        #expect("hello there".hasPrefix(chunks.compactMap { $0["payload"]?["content"]?.stringValue }.joined()))
        let records = try stage.daemon.events(stage.session)
        let said = records.of("message").filter { $0["source"] == "agent" }
        #expect(said.map { $0["data"]?["content"] } == ["hello there"])
        #expect(said.map { $0["data"]?["role"] } == ["assistant"])
        // The pieces and the whole are one item.
        let pieces = Set(chunks.compactMap { $0["payload"]?["itemId"]?.stringValue })
        #expect(pieces.isSubset(of: said.compactMap { $0["itemId"]?.stringValue }))
        let end = try #require(records.first("turn_completed")?["data"])
        #expect(end["status"] == "completed")
        #expect((end["durationMs"]?.intValue ?? -1) >= 0)
        if stage.agent.isReal { #expect((end["usage"]?["input"]?.intValue ?? 0) > 0) }
        #expect(
            records.last { $0["data"]?["type"] == "native_session" }?["data"]?["nativeSessionId"]?.stringValue != nil)
        try checkShape(stage)
    }

    @Test(arguments: AgentKind.allCases) func thinking(kind: AgentKind) throws {
        let stage = try Stage(kind)
        let records = try stage.turn(.think("let me see"))
        #expect(records.of("thinking").map { $0["data"]?["content"] } == ["let me see"])
        #expect(agentText(records) == "thought")
        try checkShape(stage)
    }

    @Test(arguments: AgentKind.allCases) func tools(kind: AgentKind) throws {
        let stage = try Stage(kind)
        if let mode = stage.agent.openMode {
            try stage.daemon.call("PATCH", "/sessions/\(stage.session)", ["mode": JSON(mode)])
        }
        let good = try stage.turn(.look)
        let call = try #require(good.first("tool_call")?["data"])
        #expect(call["name"]?.stringValue?.isEmpty == false)
        #expect("\(call["args"] ?? .null)".contains("echo looked"))
        let result = try #require(good.first("tool_result"))
        #expect(result["data"]?["status"] == "completed")
        #expect(result["itemId"] == good.first("tool_call")?["itemId"])
        let isShown = "\(result["data"]?["content"] ?? .null)".contains("looked")
        #expect(isShown || !stage.agent.isReal)
        let bad = try stage.turn(.fail)
        #expect(bad.first("tool_result")?["data"]?["status"] == "failed")
        #expect(bad.first("turn_completed")?["data"]?["status"] == "completed")
        try checkShape(stage)
    }

    @Test(arguments: AgentKind.allCases) func permissions(kind: AgentKind) throws {
        let stage = try Stage(kind)
        let path = stage.workspace + "/made"
        func isMade() -> Bool { FileManager.default.fileExists(atPath: path) }

        try stage.begin(.touch(path))
        let first = try stage.permission()
        #expect("\(first)".contains("touch"))
        #expect(try stage.daemon.status(stage.session) == "waiting")
        #expect(!isMade())
        let kinds = first["options"]?.arrayValue?.compactMap { $0["kind"]?.stringValue } ?? []
        #expect(kinds.contains("allow_once") && kinds.contains("reject_once"))
        try stage.answer(first, "reject_once")
        _ = try stage.end()
        #expect(!isMade())

        try stage.begin(.touch(path))
        try stage.answer(try stage.permission(), "allow_once")
        #expect(try stage.end()?["status"] == "completed")
        if stage.agent.isReal { #expect(isMade()) }

        // Allowed for good: the next one isn't asked about.
        try stage.begin(.touch(path))
        try stage.answer(try stage.permission(), "allow_always")
        #expect(try stage.end()?["status"] == "completed")
        let unasked = try stage.turn(.touch(path))
        #expect(unasked.of("permission_requested").isEmpty)

        let results = try stage.daemon.events(stage.session).of("tool_result")
        let states = results.compactMap { $0["data"]?["status"]?.stringValue }
        #expect(states.filter { $0 == "completed" }.count == 3, "\(results)")
        #expect(["failed", "cancelled"].contains(states.first))
        try checkShape(stage)
    }

    @Test(arguments: AgentKind.allCases) func cancelledPermission(kind: AgentKind) throws {
        let stage = try Stage(kind)
        try stage.begin(.touch(stage.workspace + "/made"))
        let request = try stage.permission()
        let answer = try stage.client.request(
            "permission:respond",
            ["sessionId": JSON(stage.session), "requestId": request["requestId"] ?? .null, "outcome": "cancelled"])
        #expect(answer["ok"] == true)
        _ = try stage.end()
        #expect(!FileManager.default.fileExists(atPath: stage.workspace + "/made"))
        try checkShape(stage)
    }

    @Test(arguments: AgentKind.allCases.filter { $0 != .codex }) func questions(kind: AgentKind) throws {
        let stage = try Stage(kind)
        try stage.begin(.ask)
        let request = try #require(try stage.client.frame(type: "question:requested", within: .seconds(60))["payload"])
        let question = try #require(request["questions"]?[0])
        #expect(question["options"]?.arrayValue?.compactMap { $0["label"]?.stringValue } == ["red", "blue"])
        let answers = JSONObject(members: [(try #require(question["id"]?.stringValue), "blue")])
        let answer = try stage.client.request(
            "question:respond",
            [
                "sessionId": JSON(stage.session), "requestId": request["requestId"] ?? .null,
                "answers": .object(answers),
            ])
        #expect(answer["ok"] == true)
        #expect(try stage.end()?["status"] == "completed")
        try checkShape(stage)
    }

    @Test(arguments: AgentKind.allCases) func interrupts(kind: AgentKind) throws {
        let stage = try Stage(kind)
        // Streaming.
        try stage.begin(.stream)
        _ = try stage.client.frame(type: "stream:chunk", within: .seconds(60))
        try stage.interrupt()
        #expect(try stage.end()?["status"] == "interrupted")
        let partial = try stage.daemon.events(stage.session).of("message").last { $0["source"] == "agent" }
        #expect(partial?["data"]?["partial"] == true)
        // A permission pending.
        try stage.begin(.touch(stage.workspace + "/made"))
        _ = try stage.permission()
        try stage.interrupt()
        #expect(try stage.end()?["status"] == "interrupted")
        #expect(!FileManager.default.fileExists(atPath: stage.workspace + "/made"))
        // A tool running.
        try stage.begin(.last)
        try stage.answer(try stage.permission(), "allow_once")
        Thread.sleep(forTimeInterval: 1)
        try stage.interrupt()
        #expect(try stage.end()?["status"] == "interrupted")
        // Before it said anything.
        try stage.begin(.hang)
        try stage.interrupt()
        #expect(try stage.end()?["status"] == "interrupted")
        // Idle: nothing happens, and the session goes on.
        #expect(try stage.daemon.call("POST", "/sessions/\(stage.session)/interrupt")["interrupting"] == false)
        #expect(agentText(try stage.turn(.say("still here"))) == "still here")
        try checkShape(stage)
    }

    @Test(arguments: AgentKind.allCases) func resumes(kind: AgentKind) throws {
        let stage = try Stage(kind)
        _ = try stage.turn(.say("remember this"))
        let native = try stage.daemon.events(stage.session).last { $0["data"]?["type"] == "native_session" }
        try stage.daemon.kill()
        try stage.daemon.start()
        let next = try stage.turn(.say("went on"))
        #expect(agentText(next) == "went on")
        let again = next.last { $0["data"]?["type"] == "native_session" }
        #expect(again?["data"]?["nativeSessionId"] == native?["data"]?["nativeSessionId"])
        #expect(next.of("error").isEmpty)
        // The program's own resume: the model is told the first turn again.
        let told = stage.agent.lastModelRequest
        #expect(told?.contains("remember this") ?? true)
        try checkShape(stage)
    }

    @Test(arguments: AgentKind.allCases) func crashes(kind: AgentKind) throws {
        let stage = try Stage(kind)
        try stage.begin(.stream)
        _ = try stage.client.frame(type: "stream:chunk", within: .seconds(60))
        let children = try #require(try stage.daemon.call("GET", "/status")["core"]?["children"]?.arrayValue)
        for child in children { kill(Int32(child["pid"]?.intValue ?? 0), SIGKILL) }
        #expect(try stage.end()?["status"] == "failed")
        let error = try #require(try stage.daemon.events(stage.session).first("error")?["data"])
        #expect(error["code"] == "provider_crashed")
        #expect(error["actions"]?.arrayValue?.contains { $0["id"] == "retry" } == true)
        #expect(error["details"]?["signal"] == 9)
        let next = try stage.turn(.say("back again"))
        #expect(agentText(next) == "back again", "\(next)")
        try checkShape(stage)
    }

    @Test(arguments: AgentKind.allCases) func hangs(kind: AgentKind) throws {
        let stage = try Stage(kind)
        try stage.begin(.stream)
        _ = try stage.client.frame(type: "stream:chunk", within: .seconds(60))
        let children = try #require(try stage.daemon.call("GET", "/status")["core"]?["children"]?.arrayValue)
        for child in children { kill(Int32(child["pid"]?.intValue ?? 0), SIGSTOP) }
        try stage.interrupt()
        // The one that doesn't heed the interrupt is ended.
        #expect(try stage.end()?["status"] == "interrupted")
        let next = try stage.turn(.say("back again"))
        #expect(agentText(next) == "back again", "\(next)")
        try checkShape(stage)
    }

    @Test(arguments: AgentKind.allCases) func authentication(kind: AgentKind) throws {
        let stage = try Stage(kind)
        let records = try stage.turn(.authenticationError)
        let error = try #require(records.of("error").last?["data"])
        #expect(error["code"] == "authentication_failed", "\(records.of("error"))")
        #expect(error["actions"]?.arrayValue?.contains { $0["id"] == "login" } == true)
        #expect(records.first("turn_completed")?["data"]?["status"] == "failed")
        #expect(try stage.daemon.status(stage.session) == "failed")
        #expect(agentText(try stage.turn(.say("logged in"))) == "logged in")
        try checkShape(stage)
    }

    @Test(arguments: AgentKind.allCases) func quota(kind: AgentKind) throws {
        let stage = try Stage(kind) { agent, daemon in
            guard agent is ClaudeAgent else { return }
            // Quotas are of subscriptions.
            daemon.environment["ANTHROPIC_API_KEY"] = nil
            daemon.environment["CLAUDE_CODE_OAUTH_TOKEN"] = "sk-ant-oat01-fake"
        }
        let records = try stage.turn(.quotaError)
        let error = try #require(records.of("error").last?["data"])
        #expect(error["code"] == "quota_exhausted", "\(records.of("error"))")
        let actions = error["actions"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
        #expect(actions.contains("switch_provider") && actions.contains("retry_later"))
        #expect(records.first("turn_completed")?["data"]?["status"] == "failed")
        try checkShape(stage)
    }

    @Test(arguments: AgentKind.allCases) func garbage(kind: AgentKind) throws {
        let stage = try Stage(kind) { agent, daemon in
            let program =
                switch agent {
                case let claude as ClaudeAgent: claude.program
                case let codex as CodexAgent: codex.program
                case is LibraryAgent: daemon.folder.path + "/peer"
                default: TestDaemon.executable
                }
            let wrapper = try garbling(program, in: daemon)
            let path = daemon.home + "/core/config.json"
            var configuration =
                (try? String(contentsOfFile: path, encoding: .utf8)).flatMap { try? JSON.parse($0).objectValue }
                ?? ["schemaVersion": 1]
            var provider = configuration["providers"]?[agent.providerId]?.objectValue ?? [:]
            provider["command"] = JSON(wrapper)
            configuration["providers"] = .object(JSONObject(members: [(agent.providerId, .object(provider))]))
            try FileManager.default.createDirectory(
                atPath: daemon.home + "/core", withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            try JSON.object(configuration).description.write(toFile: path, atomically: true, encoding: .utf8)
        }
        #expect(agentText(try stage.turn(.say("unharmed"))) == "unharmed")
        // Nothing that it said is dropped.
        let custom = try stage.daemon.events(stage.session).of("custom")
        #expect(custom.contains { "\($0)".contains("this is no message") }, "\(custom)")
        #expect(custom.contains { "\($0)".contains("heard") }, "\(custom)")
    }
}
