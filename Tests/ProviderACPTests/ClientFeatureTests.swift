import Foundation
import HubProtocol
import JSON
import Processes
import ProviderACP
import Providers
import TestSupport
import Testing

/// Everything that a client serves, asked for by an agent of the reference library, with real files and real commands.
@Suite struct ClientFeatureTests {
    private let home: TemporaryFolder

    init() throws {
        home = try TemporaryFolder("features")
        try home.write("work/sub/b.txt", "b")
        try home.write("secret.txt", "secret")
        try #require(symlink("..", home.path + "/work/link") == 0)
    }

    private func agent(
        _ environment: [String: String] = [:], _ change: (inout ProviderStart) -> Void = { _ in }
    ) throws -> LiveAgent {
        try LiveAgent(
            home: home, executable: PythonPeers.python(), arguments: [PythonPeers.script("client_features")],
            environment: environment,
            start: {
                $0.workspace = home.path + "/work"
                change(&$0)
            })
    }

    private func durable(_ prompt: String) throws -> [String] {
        let agent = try agent()
        let lines = try LiveAgent.durable(agent.prompt(prompt))
        try agent.stop()
        return lines
    }

    @Test func files() throws {
        let path = home.path + "/work/made/x.txt"
        #expect(
            try durable("files") == [
                #"toolCall t1.edit edit edit running "Write" {}"#, #"diff t1.edit \#(path) -> "1\n2\n3\n""#,
                #"toolResult t1.edit completed """#, #"message t1.m1 assistant "'2\\n'""#,
                "turnCompleted completed end_turn",
            ])
        #expect(home.read("work/made/x.txt") == "1\n2\n3\n")
    }

    @Test func nothingOutside() throws {
        #expect(
            try durable("outside").first
                == #"message t1.m1 assistant "[-32602, -32602, -32602, -32602, -32602, -32602, -32002]""#)
        #expect(home.read("secret.txt") == "secret")
    }

    @Test func aTerminalInAToolCall() throws {
        let lines = try durable("terminal")
        #expect(lines.contains { $0.hasPrefix(#"status terminal_started {"terminalId":"terminal-1","command":"sh""#) })
        #expect(lines.contains(#"status terminal_ended {"terminalId":"terminal-1","exitCode":3,"signal":null}"#))
        #expect(
            lines.contains(#"toolResult t1.run failed "\#(home.path)/work/sub\nwörd\n" exit=3"#))
        #expect(lines.contains(#"message t1.m1 assistant "./sub\nwörd\n""#))
    }

    @Test func killing() throws {
        #expect(try durable("kill").contains(#"message t1.m1 assistant "[None, 'SIGTERM']""#))
    }

    @Test func manyTerminalsAndMuchOutput() throws {
        #expect(try durable("many").contains(#"message t1.m1 assistant "[32, [-32603]]""#))
        #expect(try durable("flood").contains(#"message t1.m1 assistant "[100, True]""#))
    }

    @Test(arguments: ["stop", "crash", "interrupt"]) func nothingOfItRunsOn(_ end: String) throws {
        let agent = try agent()
        try agent.ready()
        agent.begin(end == "crash" ? "linger crash" : "linger on")
        try agent.run("the command") { agent.lines.contains { $0.contains("lingers") } }
        let pid = try #require(home.read("work/lingering").flatMap { Int32($0.trimmingCharacters(in: .newlines)) })
        #expect(kill(pid, 0) == 0)
        switch end {
        case "stop": agent.session.stop()
        case "interrupt": agent.session.interrupt()
        default: break
        }
        // SIGTERM is ignored, so it takes the ladder's time.
        try agent.run("the command's end") { kill(pid, 0) != 0 || isZombie(pid) }
        if end == "stop" { try agent.run("stopped") { agent.end != nil } }
        try agent.stop()
    }

    private func isZombie(_ pid: Int32) -> Bool {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        return text.contains(") Z")
    }

    @Test func attachments() throws {
        let agent = try agent()
        agent.session.send(
            Prompt(
                "blocks",
                attachments: [
                    Attachment(name: "a.png", mediaType: "image/png", content: .data(base64: "iVBORw0KGgo=")),
                    Attachment(name: "a.wav", mediaType: "audio/wav", content: .data(base64: "UklGRg==")),
                    Attachment(name: "t.txt", mediaType: "text/plain", content: .text("words")),
                    Attachment(name: "z.zip", mediaType: "application/zip", content: .data(base64: "UEsDBA==")),
                    Attachment(name: "p", mediaType: "text/markdown", content: .link(uri: "file:///p.md")),
                ]), turnId: "t1")
        try agent.run("the turn's end") { agent.isOver(since: 0) }
        #expect(
            agent.lines.contains(
                #"message t1.m1 assistant "['text', 'image', 'audio', 'resource', 'resource', 'resource_link']""#))
        #expect(agent.session.capabilities.images && agent.session.capabilities.resources)
        try agent.stop()
    }

    @Test func newsAndSettings() throws {
        let agent = try agent()
        try agent.ready()
        #expect(agent.lines.first == "ready new model=small models=small,large modes=")
        agent.session.setModel("large")
        agent.session.setEffort("high")
        try agent.run("settings") { agent.lines.contains(#"status effort_changed {"effort":"high"}"#) }
        #expect(agent.lines.contains(#"status model_changed {"model":"large"}"#))
        let lines = try agent.prompt("news")
        #expect(lines.contains("plan t1.plan completed:one, pending:two"))
        #expect(lines.contains("status commands 1"))
        #expect(lines.contains(#"status title {"title":"A title"}"#))
        #expect(lines.contains("usage input=0 output=0 cached=0 contextUsed=10 contextWindow=100"))
        try agent.stop()
    }

    @Test func forksAndResumes() throws {
        let fork = try agent {
            $0.resumeNativeSessionId = "old"
            $0.forksNativeSession = true
        }
        #expect(try fork.prompt("x") == ["turnCompleted completed end_turn"])
        #expect(fork.nativeSessionId == "fork-of-old")
        try fork.stop()
        let resumed = try agent { $0.resumeNativeSessionId = "old" }
        #expect(try resumed.prompt("x") == ["turnCompleted completed end_turn"])
        #expect(resumed.nativeSessionId == "old")
        try resumed.stop()
    }

    @Test func logsInByItself() throws {
        let agent = try agent(["FEATURES_KEY": "k"])
        #expect(try agent.prompt("x") == ["turnCompleted completed end_turn"])
        try agent.stop()
    }

    /// The library's own example.
    @Test func theExampleAgent() throws {
        let example = try #require(
            PythonPeers.example, "the library's example is not installed: run scripts/install-test-tools.sh")
        let agent = try LiveAgent(home: home, executable: PythonPeers.python(), arguments: [example])
        #expect(
            try LiveAgent.durable(agent.prompt("hi")) == [
                #"message t1.m1 assistant "Client sent:hi""#, "turnCompleted completed end_turn",
            ])
        agent.session.interrupt()
        try agent.stop()
        #expect(agent.end == .stopped)
    }
}

/// Agents in Python, by the reference library or plain.
enum PythonPeers {
    static func python() throws -> String {
        let environment = ProcessInfo.processInfo.environment
        let path = environment["CODEAI_HUB_TEST_ACP_PYTHON"] ?? tools + "/acp-0.12.1/bin/python"
        return try #require(
            FileManager.default.isExecutableFile(atPath: path) ? path : nil,
            "the ACP reference library is not installed: run scripts/install-test-tools.sh and test again")
    }

    static func script(_ name: String) -> String {
        Bundle.module.resourceURL!.appending(path: "Fixtures/\(name).py").path(percentEncoded: false)
    }

    /// The library's example agent, which is part of its source distribution only.
    static var example: String? {
        let path =
            ProcessInfo.processInfo.environment["CODEAI_HUB_TEST_ACP_EXAMPLE"]
            ?? tools + "/acp-0.12.1-source/examples/agent.py"
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }

    private static var tools: String {
        let environment = ProcessInfo.processInfo.environment
        return environment["CODEAI_HUB_TEST_TOOLS"] ?? (environment["HOME"] ?? "/") + "/.cache/codeai-hub-test-tools"
    }
}
