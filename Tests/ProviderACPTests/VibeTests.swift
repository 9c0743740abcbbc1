import Foundation
import HubProtocol
import JSON
import ProviderACP
import Providers
import TestSupport
import Testing

private let vibe = ProcessInfo.processInfo.environment["CODEAI_HUB_TEST_VIBE"]

/// The real mistral-vibe against a fake of its API. It needs Python 3.12 and 400 MB: `scripts/check-vibe.sh` installs it
/// and runs these.
@Suite(.enabled(if: vibe != nil, "scripts/check-vibe.sh installs mistral-vibe and runs this")) final class VibeTests {
    private let home: TemporaryFolder
    private let api = Process()

    init() throws {
        home = try TemporaryFolder("vibe")
        let output = Pipe()
        api.executableURL = URL(filePath: try PythonPeers.python())
        api.arguments = [PythonPeers.script("fake_chat_api")]
        api.standardOutput = output
        try api.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let port = try #require(Int(line.trimmingCharacters(in: .newlines)))
        try home.write(
            ".vibe/config.toml",
            """
            active_model = "fake"
            enable_telemetry = false
            enable_update_checks = false

            [[providers]]
            name = "fake"
            api_base = "http://127.0.0.1:\(port)/v1"
            api_key_env_var = "FAKE_KEY"

            [[models]]
            name = "fake"
            provider = "fake"
            alias = "fake"
            supports_images = true

            """)
        try key("good")
        try home.write("work/a.txt", "a")
    }

    deinit {
        // Not politely: it may have inherited a mask with SIGTERM in it.
        kill(api.processIdentifier, SIGKILL)
    }

    private func key(_ key: String) throws { try home.write(".vibe/.env", "FAKE_KEY=\(key)\n") }

    private func agent(_ change: (inout ProviderStart) -> Void = { _ in }) throws -> LiveAgent {
        try LiveAgent(
            home: home, executable: try #require(vibe), arguments: [],
            environment: ["VIBE_HOME": home.path + "/.vibe"],
            start: {
                $0.workspace = home.path + "/work"
                change(&$0)
            })
    }

    private func durable(_ agent: LiveAgent, _ prompt: String) throws -> [String] {
        try LiveAgent.durable(agent.prompt(prompt)).filter { !$0.hasPrefix("status ") && !$0.hasPrefix("usage ") }
    }

    @Test func talksAndCounts() throws {
        let agent = try agent()
        #expect(try durable(agent, "say hello").first == #"message t1.m1 assistant "hello""#)
        // Its totals are made into the turn's own.
        let second = try durable(agent, "say again")
        #expect(second.first == #"message t2.m1 assistant "again""#)
        #expect(second.last?.hasPrefix("turnCompleted completed end_turn input=100 output=10") == true)
        #expect(agent.session.capabilities.effort && agent.session.capabilities.fork)
        agent.session.setEffort("high")
        agent.session.setMode("ask")
        try agent.run("settings") {
            agent.lines.contains(#"status effort_changed {"effort":"high"}"#)
                && agent.lines.contains(#"status mode_changed {"mode":"ask"}"#)
        }
        try agent.stop()
    }

    @Test(arguments: [true, false]) func asksBeforeItRunsACommand(_ isAllowed: Bool) throws {
        let agent = try agent { $0.mode = "ask" }
        agent.onPermission = { request in
            let kind = isAllowed ? PermissionOptionKind.allowOnce : .rejectOnce
            return request.options.first { $0.kind == kind }.map { .option($0.optionId) } ?? .cancelled
        }
        let lines = try durable(agent, #"call bash {"command":"touch made.txt"}"#)
        #expect(lines.contains { $0.hasPrefix("permission t1.") })
        #expect(lines.last?.hasPrefix("turnCompleted") == true)
        #expect(FileManager.default.fileExists(atPath: home.path + "/work/made.txt") == isAllowed)
        try agent.stop()
    }

    @Test func writesAFile() throws {
        let agent = try agent { $0.mode = "auto-approve" }
        let path = home.path + "/work/new.txt"
        let lines = try durable(agent, #"call write_file {"path":"\#(path)","content":"words\n"}"#)
        #expect(home.read("work/new.txt") == "words\n", "\(lines)")
        // Told once, by whichever of the two ways.
        #expect(lines.filter { $0.hasPrefix("diff ") }.count == 1)
        try agent.stop()
    }

    @Test func aRefusedKeyIsOverWhenItIsCorrected() throws {
        try key("bad")
        let agent = try agent()
        let refused = try durable(agent, "say no")
        #expect(refused.first?.hasPrefix("error authentication_failed") == true)
        try key("good")
        // A new process: the first one would refuse for ever.
        #expect(try durable(agent, "say yes").contains(#"message t2.m1 assistant "yes""#))
        try agent.stop()
    }

    @Test func resumesAndForks() throws {
        let first = try agent()
        _ = try durable(first, "say first")
        let id = try #require(first.nativeSessionId)
        try first.stop()
        let resumed = try agent { $0.resumeNativeSessionId = id }
        let lines = try durable(resumed, "say second")
        #expect(lines.first == #"message t1.m1 assistant "second""#)
        #expect(resumed.lines.filter { $0.contains("first") && $0.hasPrefix("message") }.isEmpty)
        try resumed.stop()
        let fork = try agent {
            $0.resumeNativeSessionId = id
            $0.forksNativeSession = true
        }
        let third = try durable(fork, "say third")
        #expect(third.first == #"message t1.m1 assistant "third""#, "\(third)")
        #expect(fork.nativeSessionId != id)
        try fork.stop()
    }
}
