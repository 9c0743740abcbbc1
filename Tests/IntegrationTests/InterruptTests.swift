import Foundation
import JSON
import TestSupport
import Testing

/// Interrupting in each state a turn can be in.
@Suite(.timeLimit(.minutes(10))) struct InterruptTests {
    let daemon: TestDaemon

    init() throws { daemon = try TestDaemon.running() }

    struct State: CustomTestStringConvertible {
        var name: String
        var prompt: String
        /// The frame after which the state is reached.
        var reached: @Sendable (JSON) -> Bool
        var testDescription: String { name }
    }

    static let states = [
        State(name: "streaming", prompt: "[[stream:10000x10@50]]") { $0.type == "stream:chunk" },
        State(name: "tool running", prompt: "[[tool-output:10000x10@50]]") { $0.kind == "tool_call" },
        State(name: "permission pending", prompt: "[[permission:once,reject touch x]]") {
            $0.type == "permission:requested"
        },
        State(name: "question pending", prompt: "[[question:Which?|a|b]]") { $0.type == "question:requested" },
        State(name: "silent", prompt: "[[stall:60]]") { $0.kind == "turn_started" },
    ]

    @Test(arguments: states) func endsTheTurn(state: State) throws {
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.say(state.prompt, in: session)
        _ = try client.frame(where: state.reached)
        let answer = try client.request("session:interrupt", ["sessionId": JSON(session)])
        #expect(answer["result"]?["interrupting"] == true)
        try daemon.settle(session)
        let records = try daemon.events(session)
        #expect(records.first("turn_completed")?["data"]?["status"] == "interrupted")
        // Nothing stays open: each call has a result, each request an answer.
        #expect(records.of("tool_call").count == 0 || records.of("tool_result").count >= 1)
        for kind in ["permission", "question"] {
            let asked = records.of(kind + "_requested")
            let resolved = records.of(kind + "_resolved")
            #expect(asked.count == resolved.count)
            #expect(resolved.allSatisfy { $0["data"]?["outcome"] == "cancelled" })
        }
        #expect(try daemon.status(session) == "idle")
        // The session goes on.
        let next = try daemon.turn("[[text:still here]]", in: session)
        #expect(agentText(next) == "still here")
    }

    @Test func whatWasStreamedIsKept() throws {
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.say("[[stream:10000x10@50]]", in: session)
        for _ in 0..<5 { _ = try client.frame(type: "stream:chunk") }
        try daemon.call("POST", "/sessions/\(session)/interrupt")
        try daemon.settle(session)
        let message = try daemon.events(session).of("message").last { $0["source"] == "agent" }
        #expect((message?["data"]?["content"]?.stringValue?.utf8.count ?? 0) >= 50)
        #expect(message?["data"]?["partial"] == true)
    }

    @Test func whileIdleItDoesNothing() throws {
        let session = try daemon.newSession()
        try daemon.turn("[[text:a]]", in: session)
        let before = try daemon.record(session)["lastSeq"]
        let answer = try daemon.call("POST", "/sessions/\(session)/interrupt")
        #expect(answer["interrupting"] == false)
        #expect(try daemon.record(session)["lastSeq"] == before)
    }

    @Test func anAgentThatHangsIsEnded() throws {
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.say("[[text:going]][[hang:hard]]", in: session)
        _ = try client.frame {
            $0.kind == "message" && $0["payload"]?["role"] == "assistant" || $0.type == "stream:chunk"
        }
        let children = daemon.children
        #expect(!children.isEmpty)
        try daemon.call("POST", "/sessions/\(session)/interrupt")
        try daemon.settle(session, within: .seconds(60))
        #expect(try daemon.events(session).last { $0["kind"] == "turn_completed" }?["data"]?["status"] == "interrupted")
        let next = try daemon.turn("[[text:a new one]]", in: session, within: .seconds(30))
        #expect(agentText(next).contains("a new one"))
        try eventually("the hanging one is gone", within: .seconds(20)) {
            !children.contains { ProcessTable.isRunning($0) }
        }
    }

    @Test func stopEndsTheProcessToo() throws {
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.say("[[stream:10000x10@50]]", in: session)
        _ = try client.frame(type: "stream:chunk")
        let children = daemon.children
        #expect(!children.isEmpty)
        #expect(try client.request("session:stop", ["sessionId": JSON(session)])["ok"] == true)
        try daemon.settle(session)
        try eventually("the agent is gone", within: .seconds(15)) { !children.contains { ProcessTable.isRunning($0) } }
        #expect(agentText(try daemon.turn("[[text:back]]", in: session)).contains("back"))
    }
}
