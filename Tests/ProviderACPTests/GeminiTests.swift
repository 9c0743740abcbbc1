import HubProtocol
import JSON
import ProviderACP
import Providers
import TestSupport
import Testing

/// A peer that behaves as Gemini CLI does, run by the manifest that is bundled for it.
@Suite struct GeminiTests {
    private func agent(
        _ environment: [String: String] = ["GEMINI_API_KEY": "k"], _ change: (inout ProviderStart) -> Void = { _ in }
    ) throws -> LiveAgent {
        let home = try TemporaryFolder("gemini")
        let options = try #require(GeminiTests.manifest["options"]?.objectValue)
        let arguments = GeminiTests.manifest["arguments"]?.arrayValue?.compactMap { $0.stringValue } ?? []
        let script = PythonPeers.script("gemini_cli")
        return try LiveAgent(
            home: home, executable: try PythonPeers.python(), arguments: [script] + arguments,
            environment: environment, start: change
        ) { configuration in
            let known = ACPConfiguration(
                ProviderLaunch(providerId: "geminiCli", name: "Gemini CLI", executable: "x", options: options),
                clientVersion: "1")
            configuration.name = known.name
            configuration.authentication = known.authentication
            configuration.tokensAreCumulative = known.tokensAreCumulative
            configuration.olderArguments = known.olderArguments.map { [script] + $0 }
            configuration.problem = known.problem
        }
    }

    private static let manifest = bundledManifest("geminiCli")

    @Test(arguments: ["new", "old"]) func talks(_ spelling: String) throws {
        let agent = try agent(["GEMINI_API_KEY": "k", "GEMINI_SPELLING": spelling])
        #expect(
            try LiveAgent.durable(agent.prompt("hello")) == [
                #"message t1.m1 assistant "you said hello""#,
                #"turnCompleted completed end_turn input=120 output=30 cached=0 model="gemini-3-pro""#,
            ])
        // The turn's own figures, not totals.
        #expect(
            try agent.prompt("hello").last
                == #"turnCompleted completed end_turn input=120 output=30 cached=0 model="gemini-3-pro""#)
        #expect(
            agent.lines.first
                == "ready g1 model=auto mode=default models=auto,gemini-3-pro modes=default,autoEdit,yolo,plan")
        agent.session.setMode("yolo")
        agent.session.setModel("gemini-3-pro")
        try agent.run("settings") { agent.lines.contains(#"status model_changed {"model":"gemini-3-pro"}"#) }
        #expect(agent.lines.contains(#"status mode_changed {"mode":"yolo"}"#))
        try agent.stop()
    }

    @Test func withoutAKeyThePersonLogsIn() throws {
        let agent = try agent([:])
        try agent.run("the end") { agent.end != nil }
        guard case .failedToStart(let failure)? = agent.end else {
            Issue.record("\(String(describing: agent.end))")
            return
        }
        #expect(failure.code == "authentication_failed")
        #expect(failure.actions.contains(.login))
        #expect(failure.details["authMethods"]?[0]?["id"] == "oauth-personal")
    }

    @Test(arguments: [
        ("proceed_once", "allow_once", "completed"), ("proceed_always", "allow_always", "completed"),
        ("proceed_always_and_save", "allow_always", "completed"), ("cancel", "reject_once", "cancelled"),
    ]) func permissions(_ option: String, _ kind: String, _ status: String) throws {
        let agent = try agent()
        agent.onPermission = { request in
            request.options.contains { $0.optionId == option && $0.kind.rawValue == kind } ? .option(option) : nil
        }
        let lines = try LiveAgent.durable(agent.prompt("run"))
        let content = option == "cancel" ? #""""# : #""\#(option)""#
        #expect(lines.first == #"toolCall t1.run_shell_command-1 execute execute pending "touch x" {}"#)
        #expect(lines.contains("toolResult t1.run_shell_command-1 \(status) \(content)"))
        #expect(lines.last?.hasPrefix("turnCompleted completed end_turn") == true)
        try agent.stop()
    }

    @Test(arguments: ["wait", "run"]) func isInterrupted(_ prompt: String) throws {
        let agent = try agent()
        try agent.ready()
        let start = agent.events.count
        agent.begin(prompt)
        try agent.run("something") { agent.events.count > start }
        agent.session.interrupt()
        try agent.run("the turn's end") { agent.isOver(since: start) }
        #expect(agent.lines.last?.hasPrefix("turnCompleted interrupted cancelled") == true)
        // What was asked for is over as well.
        if prompt == "run" {
            #expect(agent.lines.contains(#"toolResult t1.run_shell_command-1 cancelled """#))
        }
        try agent.stop()
    }

    @Test func tooManyRequests() throws {
        let agent = try agent()
        let lines = try agent.prompt("limit")
        #expect(lines.first?.hasPrefix("error rate_limited") == true)
        #expect(try agent.prompt("hello").last?.hasPrefix("turnCompleted completed") == true)
        try agent.stop()
    }

    /// Its answer comes before what it replays.
    @Test func resumesWithoutTheOldBeingToldAgain() throws {
        let agent = try agent(["GEMINI_API_KEY": "k"]) { $0.resumeNativeSessionId = "g7" }
        let lines = try agent.prompt("hello")
        #expect(lines.filter { $0.contains("an old") }.isEmpty)
        #expect(LiveAgent.durable(lines).first == #"message t1.m1 assistant "you said hello""#)
        #expect(agent.nativeSessionId == "g7")
        try agent.stop()
    }
}
