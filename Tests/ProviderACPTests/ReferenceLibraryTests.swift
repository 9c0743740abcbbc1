import Foundation
import HubProtocol
import JSON
import ProviderACP
import Providers
import TestSupport
import Testing

/// Against the protocol's own reference library, which checks every message of ours against the schema.
@Suite struct ReferenceLibraryTests {
    private func python() throws -> String { try PythonPeers.python() }

    private var script: String { PythonPeers.script("reference_agent") }

    private func agent(resuming session: String? = nil) throws -> LiveAgent {
        try LiveAgent(
            home: TemporaryFolder("acp"), executable: python(), arguments: [script, "agent"], resuming: session)
    }

    @Test func talks() throws {
        let agent = try agent()
        #expect(
            try LiveAgent.durable(agent.prompt("hi")) == [
                #"thinking t1.k1 "hm""#, #"message t1.m2 assistant "you said hi""#,
                "turnCompleted completed end_turn",
            ])
        agent.session.setMode("auto")
        try agent.run("mode") { agent.lines.contains(#"status mode_changed {"mode":"auto"}"#) }
        #expect(try agent.prompt("fail").first?.hasPrefix("error rate_limited") == true)
        try agent.stop()
    }

    @Test(arguments: [("y", "completed"), ("n", "failed")]) func asksForPermission(
        _ option: String, _ status: String
    ) throws {
        let agent = try agent()
        agent.onPermission = { _ in .option(option) }
        let lines = try agent.prompt("permission")
        #expect(lines.contains(#"toolResult t1.c1 \#(status) "chose \#(option)""#))
        try agent.stop()
    }

    @Test func asksQuestions() throws {
        let agent = try agent()
        agent.onQuestion = { _ in .some(["colour": "blue"]) }
        #expect(try agent.prompt("question").contains(#"message t1.m2 assistant "accept {'colour': 'blue'}""#))
        agent.onQuestion = { _ in .some(nil) }
        #expect(try agent.prompt("question").contains(#"message t2.m2 assistant "decline None""#))
        try agent.stop()
    }

    @Test(arguments: ["wait", "permission"]) func isInterrupted(_ prompt: String) throws {
        let agent = try agent()
        try agent.ready()
        let start = agent.events.count
        agent.begin(prompt)
        try agent.run("something") { agent.events.count > start }
        agent.session.interrupt()
        try agent.run("the turn's end") { agent.isOver(since: start) }
        #expect(agent.lines.last == "turnCompleted interrupted cancelled")
        try agent.stop()
    }

    @Test(arguments: ["known", "unknown"]) func resumes(_ session: String) throws {
        let agent = try agent(resuming: session)
        let lines = try agent.prompt("hi")
        #expect(lines.last == "turnCompleted completed end_turn")
        #expect(lines.filter { $0.contains("from before") }.isEmpty)
        #expect((agent.nativeSessionId == session) == (session == "known"))
        try agent.stop()
    }

    /// The other end: the library's client finds nothing wrong with the echo agent.
    @Test func theEchoAgentFollowsTheSchema() throws {
        let home = try TemporaryFolder("acp")
        let client = try run(
            python(), [script, "client", TestDaemon.executable, "echo-agent"],
            environment: ["CODEAI_HUB_ECHO_HOME": home.path, "HOME": home.path, "PATH": "/usr/bin:/bin"])
        #expect(client.code == 0, "\(client.text)")
        #expect(
            client.text == """
                agent_message_chunk agent_thought_chunk config_option_update current_mode_update plan tool_call \
                tool_call_update usage_update user_message_chunk

                """)
    }
}
