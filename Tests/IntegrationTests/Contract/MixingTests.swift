import Foundation
import JSON
import TestSupport
import Testing

/// The real Claude Code and the real Codex in one session.
@Suite(.serialized, .timeLimit(.minutes(5))) struct MixingTests {
    private let claude: ClaudeAgent
    private let codex: CodexAgent
    private let daemon: TestDaemon
    private let workspace: String

    init() throws {
        claude = try ClaudeAgent()
        codex = try CodexAgent()
        daemon = try TestDaemon(configuration: [
            "providers": [
                "claudeCodeCli": ["command": JSON(claude.program)],
                "codexCli": ["command": JSON(codex.program), "environment": ["FAKE_OPENAI_KEY": "sk-fake"]],
            ]
        ])
        var environment = RealClaude.environment(home: daemon.folder.path, api: claude.api)
        environment.merge(RealCodex.environment(home: daemon.folder.path)) { $1 }
        environment["PATH"] = daemon.environment["PATH"]
        daemon.environment.merge(environment) { $1 }
        workspace = daemon.folder.path + "/work"
        try RealCodex.prepare(home: daemon.folder.path, api: codex.api)
        try daemon.start()
    }

    private func answer(_ text: String, in session: String) throws -> [JSON] {
        try daemon.turn(text, in: session, within: .seconds(60))
    }

    private func contexts(_ records: [JSON]) -> [JSON] {
        records.filter { $0["data"]?["type"] == "context_carried" }.compactMap { $0["data"] }
    }

    @Test func eachIsToldWhatItMissed() throws {
        let session = try daemon.newSession("claude", ["workspace": JSON(workspace)])
        _ = try answer("[[text:the kiwi is green]]", in: session)
        let record = try daemon.call("POST", "/sessions/\(session)/provider", ["providerId": "codex"])
        #expect(record["providerId"] == "codexCli")
        #expect(record["providerIds"] == ["claudeCodeCli", "codexCli"])

        let second = try answer("[[text:the plum is blue]]", in: session)
        #expect(agentText(second) == "the plum is blue")
        #expect(contexts(second).first?["turns"] == 1)
        let told = try #require(codex.lastModelRequest)
        #expect(told.contains("the kiwi is green"))

        // Back again: its own session, and what was said without it.
        try daemon.call("POST", "/sessions/\(session)/provider", ["providerId": "claude"])
        let third = try answer("[[text:so both are fruit]]", in: session)
        #expect(agentText(third) == "so both are fruit")
        let resumed = try #require(claude.lastModelRequest)
        #expect(resumed.contains("the kiwi is green") && resumed.contains("the plum is blue"))
        let natives = try daemon.events(session).filter { $0["data"]?["type"] == "native_session" }
        let own = natives.filter { $0["providerId"] == "claudeCodeCli" }.compactMap { $0["data"]?["nativeSessionId"] }
        #expect(own.count >= 2)
        #expect(own.allSatisfy { $0 == own[0] })
        #expect(contexts(third).first?["from"] == ["codexCli"])
    }

    @Test func bothAreAddressedByName() throws {
        let session = try daemon.newSession(
            "claude", ["workspace": JSON(workspace), "providerIds": ["claude", "codex"]])
        _ = try answer("[[text:first]]", in: session)
        let codexTurn = try answer("@codex [[text:second]]", in: session)
        #expect(agentText(codexTurn) == "second")
        #expect(codexTurn.first("turn_started")?["providerId"] == "codexCli")
        let claudeTurn = try answer("[[text:third]]", in: session)
        #expect(claudeTurn.first("turn_started")?["providerId"] == "claudeCodeCli")
        // Neither was started anew for it.
        #expect(!claudeTurn.contains { $0["data"]?["type"] == "process_started" })
        let usage = try daemon.record(session)["usageByProvider"]
        #expect("\(usage ?? .null)".contains("codexCli") && "\(usage ?? .null)".contains("claudeCodeCli"))
    }

    @Test(arguments: ["claude", "codex"]) func aForkKnowsWhatWasSaid(_ provider: String) throws {
        let session = try daemon.newSession(provider, ["workspace": JSON(workspace)])
        let first = try answer("[[text:remember the kiwi]]", in: session)
        let middle = try #require(first.last?.seq)
        _ = try answer("[[text:and the plum]]", in: session)
        let agent: any Agent = provider == "claude" ? claude : codex
        let whole = try #require(try daemon.call("POST", "/sessions/\(session)/fork", [:])["id"]?.stringValue)
        #expect(agentText(try answer("[[text:in the fork]]", in: whole)) == "in the fork")
        let native = try #require(agent.lastModelRequest)
        #expect(native.contains("remember the kiwi") && native.contains("and the plum"))
        let part = try #require(
            try daemon.call("POST", "/sessions/\(session)/fork", ["atSeq": JSON(middle)])["id"]?.stringValue)
        #expect(agentText(try answer("[[text:otherwise]]", in: part)) == "otherwise")
        let told = try #require(agent.lastModelRequest)
        #expect(told.contains("remember the kiwi") && !told.contains("and the plum"))
        // The origin is as it was.
        #expect(agentText(try answer("[[text:as before]]", in: session)) == "as before")
        #expect(!(try #require(agent.lastModelRequest)).contains("in the fork"))
    }
}
