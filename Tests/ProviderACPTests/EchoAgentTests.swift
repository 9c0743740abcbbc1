import EventLoop
import Foundation
import HubProtocol
import JSON
import Processes
import ProviderACP
import Providers
import TestSupport
import Testing

/// The adapter and the echo agent, a real process: each directive, and what goes wrong on purpose.
@Suite struct EchoAgentTests {
    private func with(
        cancelTimeout: Duration = .seconds(10), quietPeriod: Duration = .seconds(2), maximumLineBytes: Int = 1 << 26,
        _ body: (LiveAgent) throws -> Void
    ) throws {
        let change = { (configuration: inout ACPConfiguration) in
            configuration.cancelTimeout = cancelTimeout
            configuration.quietPeriod = quietPeriod
            configuration.maximumLineBytes = maximumLineBytes
        }
        let agent = try LiveAgent(home: TemporaryFolder("echo"), change)
        try body(agent)
        try agent.stop()
    }

    @Test func saysBackAndHelps() throws {
        try with { agent in
            let first = try agent.prompt("hello there")
            #expect(first.last == "turnCompleted completed end_turn")
            #expect(
                first.dropLast().last?.hasPrefix(#"message t1.m1 assistant "You said: hello there\n\nI am"#) == true)
            try #expect(LiveAgent.durable(agent.prompt("again"))[0] == #"message t2.m1 assistant "You said: again""#)
            try #expect(agent.prompt("help").contains { $0.contains("[[stream:50x20@10]]") })
        }
    }

    @Test(arguments: [
        ("[[text:one]][[text:two]]", [#"message t1.m1 assistant "one""#, #"message t1.m2 assistant "two""#]),
        ("[[think:hm]]", [#"thinking t1.k1 "hm""#]),
        (
            #"[[tool:Bash {"command":"ls"}]]"#,
            [
                #"toolCall t1.call_2 Bash execute running "Bash" {"command":"ls"}"#,
                #"toolResult t1.call_2 completed "Bash ran""#,
            ]
        ),
        (
            "[[tool-fail:Read no such file]]",
            [#"toolCall t1.call_2 Read read running "Read" {}"#, #"toolResult t1.call_2 failed "no such file""#]
        ),
        ("[[plan:+a|*b|c]]", ["plan t1.plan completed:a, in_progress:b, pending:c"]),
        (
            "[[diff:/a|x|y]]",
            [
                #"toolCall t1.call_2 Edit edit running "Edit /a" {"path":"/a"}"#, #"diff t1.call_2 /a "x" -> "y""#,
                #"toolResult t1.call_2 completed """#,
            ]
        ),
        ("[[mode:plan]]", [#"status mode_changed {"mode":"plan"}"#]),
        ("[[stream:3x4@200]]", [#"message t1.m1 assistant "0 ab1 ab2 ab""#]),
        ("[[stall:0.05]]", []),
        (
            "[[subagent:psst]]",
            [
                #"toolCall t1.call_2 Agent agent running "Subagent" {"prompt":"psst"}"#,
                #"message t1.m1 assistant "psst" parent=t1.call_2"#, #"toolResult t1.call_2 completed "psst""#,
            ]
        ),
        (
            "[[tool-output:2x4]]",
            [
                #"toolCall t1.call_2 Bash execute running "Bash" {"command":"output"}"#,
                #"toolResult t1.call_2 completed "0 ab\n1 ab\n" exit=0"#,
            ]
        ),
        ("[[nope:1]]", [#"message t1.m1 assistant "I don't know [[nope:1]]. Say `help` for what I know.""#]),
    ]) func directives(_ prompt: String, _ expected: [String]) throws {
        try with { agent in
            try #expect(LiveAgent.durable(agent.prompt(prompt)) == expected + ["turnCompleted completed end_turn"])
        }
    }

    @Test func usageIsTheTurnsOwn() throws {
        try with { agent in
            try agent.prompt("[[usage:1000,50,0.25]]")
            let second = try agent.prompt("[[usage:10,5,0.5]]")
            #expect(
                second.last
                    == #"turnCompleted completed end_turn input=10 output=5 cached=0 costUsd=0.5 contextUsed=15 contextWindow=200000 model="small""#
            )
        }
    }

    @Test func toolOutputIsLive() throws {
        try with { agent in
            let lines = try agent.prompt("[[tool-output:3x4@50]]")
            #expect(
                lines.filter { $0.hasPrefix("chunk t1.call_2 tool_output") }.joined()
                    .components(separatedBy: "\\n").count == 4)
        }
    }

    // MARK: Requests

    @Test(arguments: [
        ("once", "allow_once", "completed"), ("always", "allow_always", "completed"),
        ("reject", "reject_once", "failed"), ("reject-always", "reject_always", "failed"),
    ]) func permissions(_ option: String, _ kind: String, _ status: String) throws {
        try with { agent in
            var offered: [PermissionOption] = []
            agent.onPermission = { request in
                offered = request.options
                return .option(option)
            }
            let lines = try agent.prompt("[[permission:once,always,reject,reject-always rm x]]")
            #expect(offered.map(\.kind) == [.allowOnce, .allowAlways, .rejectOnce, .rejectAlways])
            #expect(lines.contains { $0.hasPrefix("toolResult t1.call_2 \(status)") })
            #expect(lines.filter { $0.hasPrefix("message") }.contains { $0.contains("Permission for rm x: \(kind)") })
            // An answer for always stands.
            offered = []
            try agent.prompt("[[permission:once,always,reject,reject-always rm x]]")
            #expect(offered.isEmpty == kind.hasSuffix("always"))
        }
    }

    @Test func aPermissionCanBeCancelled() throws {
        try with { agent in
            agent.onPermission = { _ in .cancelled }
            try #expect(agent.prompt("[[permission:once rm x]]").contains { $0.contains("rm x: cancelled") })
        }
    }

    @Test func modeAutoAsksNothing() throws {
        try with { agent in
            agent.session.setMode("auto")
            try #expect(agent.prompt("[[permission:once,reject x]]").contains { $0.contains("granted by mode auto") })
            #expect(agent.lines.contains(#"status mode_changed {"mode":"auto"}"#))
            agent.session.setModel("large")
            try agent.run("model") { agent.lines.contains(#"status model_changed {"model":"large"}"#) }
            agent.session.setModel("huge")
            try agent.run("no such model") { agent.lines.last?.hasPrefix("error invalid_request") == true }
        }
    }

    @Test func questions() throws {
        try with { agent in
            agent.onQuestion = { request in .some(["answer": JSON(request.questions[0].options[1].label)]) }
            try #expect(agent.prompt("[[question:Which?|red|blue]]").contains { $0.contains(#""You answered: blue""#) })
            agent.onQuestion = { _ in .some(nil) }
            try #expect(agent.prompt("[[question:Why?]]").contains { $0.contains("You declined to answer") })
        }
    }

    // MARK: Interrupting

    @Test(arguments: [
        "[[stream:1000000x64]]", "[[stream:1000x10@20]]", "[[stall:60]]", "[[permission:once,reject x]]",
        "[[question:Which?|a|b]]", "[[tool-output:1000x20@20]]",
    ]) func interrupts(_ prompt: String) throws {
        try with { agent in
            try agent.ready()
            let start = agent.events.count
            agent.begin(prompt)
            agent.loop.turn(waitingAtMost: .milliseconds(100))
            if !prompt.contains("stall") { try agent.run("something") { agent.events.count > start } }
            agent.session.interrupt()
            try agent.run("the turn's end") { agent.isOver(since: start) }
            let lines = Array(agent.lines[start...])
            #expect(lines.last == "turnCompleted interrupted cancelled")
            // Everything that was begun is closed, everything that was asked taken back.
            func count(_ prefixes: String...) -> Int {
                lines.filter { line in prefixes.contains { line.hasPrefix($0) } }.count
            }
            let (begun, ended) = (count("toolCall "), count("toolResult "))
            let (asked, withdrawn) = (count("permission ", "question "), count("withdrawn "))
            #expect(begun == ended)
            #expect(asked == withdrawn)
            // And the session goes on.
            try #expect(agent.prompt("[[text:still here]]").contains { $0.contains("still here") })
        }
    }

    @Test(arguments: ["[[hang]]", "[[hang:hard]]"]) func aHangingAgentIsEnded(_ prompt: String) throws {
        try with(cancelTimeout: .milliseconds(100)) { agent in
            try agent.ready()
            agent.begin("[[text:before]]" + prompt)
            try agent.run("text") { agent.lines.contains { $0.contains("before") } }
            agent.session.interrupt()
            try agent.run("the process's end") { agent.end != nil }
            #expect(agent.end == .exited(.signaled(prompt.contains("hard") ? 9 : 15), errorTail: ""))
        }
    }

    // MARK: Failing

    @Test(arguments: [
        ("rate_limited", "rate_limited"), ("quota", "quota_exhausted"), ("auth", "authentication_failed"),
        ("overloaded", "overloaded"), ("internal", "provider_error"),
    ]) func errors(_ kind: String, _ code: String) throws {
        try with { agent in
            let lines = try agent.prompt("[[text:a]][[error:\(kind) because]]")
            #expect(lines.last == "turnCompleted failed error")
            #expect(lines.filter { $0.hasPrefix("error \(code) ") }.contains { $0.contains("because") })
            try #expect(agent.prompt("[[text:b]]").last == "turnCompleted completed end_turn")
        }
    }

    @Test(arguments: [("[[crash:3]]", Processes.ExitStatus.exited(3)), ("[[signal:9]]", .signaled(9))])
    func crashes(_ prompt: String, _ status: Processes.ExitStatus) throws {
        try with { agent in
            let lines = try agent.prompt("[[stderr:last words]][[text:half]]" + prompt)
            // What was said is kept; the turn is not the adapter's to close.
            #expect(lines.last == #"message t1.m1 assistant "half" partial"#)
            guard case .exited(status, let tail) = agent.end else {
                Issue.record("\(String(describing: agent.end))")
                return
            }
            #expect(tail.hasPrefix("last words\n"))
        }
    }

    @Test func garbageChangesNothing() throws {
        try with(maximumLineBytes: 100_000) { agent in
            let lines = try agent.prompt("[[text:a]][[garbage:200000]][[text:b]]")
            #expect(lines.filter { $0.hasPrefix("custom unparsed_output") }.count == 7)
            #expect(lines.contains { $0.contains("\"length\":200000") })
            #expect(
                lines.filter { line in ["message", "turn"].contains { line.hasPrefix($0) } } == [
                    #"message t1.m1 assistant "a""#, #"message t1.m2 assistant "b""#,
                    "turnCompleted completed end_turn",
                ])
        }
    }

    @Test func largeAndMany() throws {
        try with { agent in
            func text(_ event: NormalizedEvent) -> String? {
                if case .message(let message) = event { message.text } else { nil }
            }
            try agent.prompt("[[large:3000000]]")
            #expect(agent.events.compactMap(text).map(\.utf8.count) == [3_000_000])
            try agent.prompt("[[stream:20000x100]]")
            #expect(agent.events.compactMap(text).map(\.utf8.count) == [3_000_000, 2_000_000])
            // The pieces are the whole.
            let pieces = agent.events.compactMap { event -> String? in
                if case .chunk("t2.m1", .message, let text) = event { text } else { nil }
            }
            #expect(pieces.joined() == agent.events.compactMap(text).last)
        }
    }

    // MARK: Between turns

    @Test func speaksUpAfterTheTurn() throws {
        try with(quietPeriod: .milliseconds(100)) { agent in
            try #expect(agent.prompt("[[background:0.2 it is done]]") == ["turnCompleted completed end_turn"])
            let start = agent.events.count
            try agent.run("a turn that nobody sent") { agent.isOver(since: start) }
            let lines = LiveAgent.durable(Array(agent.lines[start...]))
            #expect(lines.first == "turnStarted background")
            #expect(lines.dropFirst().first?.hasSuffix(#"-1.m1 assistant "it is done""#) == true)
            #expect(lines.last == "turnCompleted completed")
        }
    }

    /// A child that left its process group is found by the daemon, which every orphan below it comes to; a test process
    /// is no such reaper, so only the plain child is looked at here.
    @Test func childrenDoNotOutliveTheSession() throws {
        try with { agent in
            func child(_ directive: String) throws -> Int32 {
                let said = try agent.prompt(directive).first { $0.hasPrefix("message") } ?? ""
                return try #require(Int32(said.split(separator: " ").last?.dropLast() ?? ""))
            }
            let plain = try child("[[child:300]]")
            let detached = try child("[[child:300 detached]]")
            defer { kill(detached, SIGKILL) }
            #expect(getpgid(plain) == agent.session.processId)
            #expect(getpgid(detached) == detached)
            try agent.stop()
            try agent.run("the child is gone") { kill(plain, 0) != 0 }
        }
    }

    // MARK: Resuming

    @Test(arguments: [false, true]) func resumes(_ replaysLate: Bool) throws {
        let home = try TemporaryFolder("echo")
        let first = try LiveAgent(home: home)
        try first.prompt("[[text:remember]][[tool:Bash]][[usage:100,10,1.5]]")
        // As after a crash.
        kill(try #require(first.session.processId), SIGKILL)
        try first.run("the end") { first.end != nil }
        let second = try LiveAgent(
            home: home, environment: replaysLate ? ["CODEAI_HUB_ECHO_LATE_REPLAY": "1"] : [:],
            resuming: first.nativeSessionId)
        let lines = try second.prompt("[[text:more]][[usage:5,1,0.5]]")
        #expect(second.nativeSessionId == first.nativeSessionId)
        #expect(!second.lines.contains { $0.contains("remember") })
        #expect(LiveAgent.durable(lines).filter { $0.hasPrefix("message") } == [#"message t1.m1 assistant "more""#])
        #expect(lines.last?.contains("input=5 output=1 cached=0 costUsd=0.5") == true)
        try second.stop()
    }

    @Test func anUnknownSessionIsBegunAnewAndTheTurnGoesOn() throws {
        let agent = try LiveAgent(home: TemporaryFolder("echo"), resuming: "../../etc/passwd")
        let lines = try agent.prompt("[[text:hi]]")
        #expect(lines.first?.hasPrefix("error resume_failed") == true)
        #expect(lines.last == "turnCompleted completed end_turn")
        #expect(agent.nativeSessionId?.hasPrefix("echo-") == true)
        try agent.stop()
    }

    @Test func anAbsentProgramIsSaidSo() throws {
        let agent = try LiveAgent(home: TemporaryFolder("echo"), executable: "/nonexistent/agent")
        guard case .failedToStart(let failure) = agent.end else {
            Issue.record("\(String(describing: agent.end))")
            return
        }
        #expect(failure.code == "provider_start_failed")
    }
}
