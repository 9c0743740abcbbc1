import Foundation
import HubProtocol
import JSON
import Processes
import ProviderACP
import Providers
import TestSupport
import Testing

/// Files and terminals that are served for an agent, and agents that ask for more.
@Suite struct AgentRequestTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder("requests")
        try folder.write("work/a.txt", "one\ntwo\n")
        try folder.write("secret.txt", "secret")
    }

    private var root: String { folder.path + "/work" }

    private func opened(_ adjust: (inout ACPConfiguration) -> Void = { _ in }) -> Conversation {
        let talk = Conversation({ $0.workspace = folder.path + "/work" }, adjust)
        talk.open()
        talk.session.send("go", turnId: "t1")
        _ = talk.lines()
        return talk
    }

    private func ask(_ talk: Conversation, _ method: String, _ params: JSONObject) -> JSON? {
        let id = JSON(Int.random(in: 1000...1_000_000_000))
        talk.agent.ask(
            id, method, .object((["sessionId": "s1"] as JSONObject).merging(params)))
        return talk.agent.answer(to: id)
    }

    private func terminal(_ talk: Conversation, _ params: JSONObject = [:]) -> JSON {
        let answer = ask(talk, "terminal/create", (["command": "make"] as JSONObject).merging(params))
        return answer?["result"]?["terminalId"] ?? .null
    }

    // MARK: Files

    @Test func filesAreReadAndWritten() {
        let talk = opened()
        #expect(
            ask(talk, "fs/read_text_file", ["path": JSON(root + "/a.txt"), "line": 2])?["result"] == [
                "content": "two\n"
            ])
        #expect(talk.lines() == [])
        #expect(
            ask(talk, "fs/write_text_file", ["path": JSON(root + "/a.txt"), "content": "new"])?["result"] == [:])
        #expect(talk.lines() == [#"diff t1.f1 \#(root)/a.txt "one\ntwo\n" -> "new""#])
        #expect(folder.read("work/a.txt") == "new")
    }

    @Test func aWrittenFileIsItsToolCallsDiffOnce() {
        let talk = opened()
        talk.agent.update([
            "sessionUpdate": "tool_call", "toolCallId": "c0", "title": "Other", "kind": "read", "status": "in_progress",
        ])
        talk.agent.update([
            "sessionUpdate": "tool_call", "toolCallId": "c1", "title": "Edit", "kind": "edit", "status": "in_progress",
            "locations": [["path": JSON(root + "/a.txt")]],
        ])
        _ = talk.lines()
        _ = ask(talk, "fs/write_text_file", ["path": JSON(root + "/a.txt"), "content": "new"])
        #expect(talk.lines() == [#"diff t1.c1 \#(root)/a.txt "one\ntwo\n" -> "new""#])
        talk.agent.update([
            "sessionUpdate": "tool_call_update", "toolCallId": "c1", "status": "completed",
            "content": [
                ["type": "diff", "path": JSON(root + "/a.txt"), "oldText": "one\ntwo\n", "newText": "new"],
                ["type": "diff", "path": JSON(root + "/b.txt"), "newText": "b"],
            ],
        ])
        #expect(talk.lines() == [#"diff t1.c1 \#(root)/b.txt -> "b""#, #"toolResult t1.c1 completed """#])
    }

    @Test(arguments: WorkspaceTests.escapes) func nothingOutsideIsServed(_ path: String) throws {
        try #require(symlink("..", root + "/out") == 0)
        try #require(symlink("../secret.txt", root + "/relative") == 0)
        try #require(symlink(folder.path + "/secret.txt", root + "/absolute") == 0)
        try #require(symlink("loop", root + "/loop") == 0)
        try #require(symlink("../secret.txt", root + "/chain") == 0)
        let talk = opened()
        for path in [root + path, path] {
            let read = ask(talk, "fs/read_text_file", ["path": JSON(path)])
            let write = ask(talk, "fs/write_text_file", ["path": JSON(path), "content": "x"])
            let create = ask(talk, "terminal/create", ["command": "ls", "cwd": JSON(path)])
            #expect(read?["error"]?["code"] != nil)
            #expect(write?["error"]?["code"] != nil)
            #expect(create?["error"]?["code"] != nil)
        }
        #expect(folder.read("secret.txt") == "secret")
        #expect(talk.commands.all.isEmpty)
        #expect(talk.lines() == [])
    }

    @Test(
        arguments: [
            ("fs/read_text_file", ["path": 5]), ("fs/read_text_file", [:]),
            ("fs/read_text_file", ["path": "/x", "line": -1]), ("fs/read_text_file", ["path": "/x", "limit": "all"]),
            ("fs/read_text_file", ["path": "/x", "line": 1.5]), ("fs/write_text_file", ["path": "/x"]),
            ("fs/write_text_file", ["path": "/x", "content": ["a"]]), ("terminal/create", [:]),
            ("terminal/create", ["command": ""]), ("terminal/create", ["command": "a", "args": "b"]),
            ("terminal/create", ["command": "a", "args": [1]]), ("terminal/create", ["command": "a", "env": ["A=1"]]),
            ("terminal/create", ["command": "a", "env": 1]),
            ("terminal/create", ["command": "a", "env": [["name": "A=B", "value": "1"]]]),
            ("terminal/create", ["command": "a", "outputByteLimit": -5]),
            ("terminal/create", ["command": "a", "cwd": 7]),
            ("terminal/output", [:]), ("terminal/output", ["terminalId": "terminal-1"]),
            ("terminal/kill", ["terminalId": -1]), ("terminal/release", ["terminalId": "../x"]),
            ("terminal/wait_for_exit", ["terminalId": .null]),
        ] as [(String, JSONObject)]) func oddParametersAreRefused(_ method: String, _ params: JSONObject)
    {
        let talk = opened()
        #expect(ask(talk, method, params)?["error"]?["code"] == -32602)
        #expect(talk.commands.all.isEmpty)
    }

    @Test func requestsOfOtherSessionsAreRefused() {
        let talk = opened()
        let id = terminal(talk)
        _ = talk.lines()
        for method in ["fs/read_text_file", "terminal/output", "session/request_permission", "elicitation/create"] {
            talk.agent.ask("x", method, ["sessionId": "s2", "path": JSON(root + "/a.txt"), "terminalId": id])
            #expect(talk.agent.answer(to: "x")?["error"]?["code"] == -32602)
        }
        #expect(talk.lines().allSatisfy { $0.hasPrefix("custom foreign_session_request") })
        // And one that names none at all.
        talk.agent.ask("y", "fs/read_text_file", ["path": JSON(root + "/a.txt")])
        #expect(talk.agent.answer(to: "y")?["error"]?["code"] == -32602)
    }

    @Test func nothingIsServedBeforeThereIsASession() {
        let talk = Conversation { $0.workspace = folder.path + "/work" }
        talk.session.start()
        talk.agent.ask(1, "fs/read_text_file", ["sessionId": "s1", "path": JSON(root + "/a.txt")])
        talk.agent.ask(2, "terminal/create", ["sessionId": "s1", "command": "ls"])
        #expect(talk.agent.answer(to: 1)?["error"]?["code"] == -32602)
        #expect(talk.agent.answer(to: 2)?["error"]?["code"] == -32602)
        #expect(talk.commands.all.isEmpty)
    }

    // MARK: Terminals

    @Test func aCommandRunsAndIsToldOf() throws {
        let talk = opened()
        let id = terminal(
            talk,
            [
                "args": ["-j", "2"], "cwd": JSON(root),
                "env": [["name": "A", "value": "1"], ["name": "CODEAI_HUB_OWNER", "value": "nobody"]],
            ])
        let command = try #require(talk.commands.all.first)
        #expect(command.specification.executable == "make")
        #expect(command.specification.arguments == ["-j", "2"])
        #expect(command.specification.environment["A"] == "1")
        #expect(command.specification.environment["CODEAI_HUB_OWNER"] != "nobody")
        #expect(command.specification.workingDirectory?.hasPrefix("/proc/self/fd/") == true)
        #expect(
            talk.lines() == [
                #"status terminal_started {"terminalId":"terminal-1","command":"make","cwd":"\#(root)","args":["-j","2"]}"#
            ])
        // Characters that come in two pieces, on either side.
        command.sayBytes([0x61, 0xc3], false)
        command.sayBytes([0xe2, 0x82], true)
        command.sayBytes([0xbc], false)
        command.sayBytes([0xac], true)
        #expect(
            ask(talk, "terminal/output", ["terminalId": id])?["result"] == ["output": "aü€", "truncated": false])
        talk.agent.ask("w1", "terminal/wait_for_exit", ["sessionId": "s1", "terminalId": id])
        talk.agent.ask("w2", "terminal/wait_for_exit", ["sessionId": "s1", "terminalId": id])
        #expect(talk.agent.answer(to: "w1") == nil)
        command.exit(.exited(3))
        #expect(talk.agent.answer(to: "w1")?["result"] == ["exitCode": 3, "signal": .null])
        #expect(talk.agent.answer(to: "w2")?["result"] == ["exitCode": 3, "signal": .null])
        #expect(
            ask(talk, "terminal/wait_for_exit", ["terminalId": id])?["result"] == ["exitCode": 3, "signal": .null])
        #expect(
            ask(talk, "terminal/output", ["terminalId": id])?["result"]?["exitStatus"] == [
                "exitCode": 3, "signal": .null,
            ])
        #expect(ask(talk, "terminal/release", ["terminalId": id])?["result"] == [:])
        #expect(ask(talk, "terminal/output", ["terminalId": id])?["error"]?["code"] == -32602)
        // Nobody else has told what it said.
        #expect(
            talk.lines() == [
                #"status terminal_ended {"terminalId":"terminal-1","exitCode":3,"signal":null}"#,
                #"status terminal_output {"terminalId":"terminal-1","output":"aü€","truncated":false}"#,
            ])
    }

    @Test func aTerminalInAToolCallIsItsOutput() throws {
        let talk = opened()
        let id = terminal(talk)
        let command = try #require(talk.commands.all.first)
        command.say("early ")
        talk.agent.update([
            "sessionUpdate": "tool_call", "toolCallId": "c1", "title": "make", "kind": "execute",
            "status": "in_progress", "content": [["type": "terminal", "terminalId": id]],
        ])
        _ = talk.lines()
        command.say("late")
        #expect(talk.lines() == [#"chunk t1.c1 tool_output "late""#])
        command.exit(.exited(2))
        _ = ask(talk, "terminal/release", ["terminalId": id])
        _ = talk.lines()
        talk.agent.update(["sessionUpdate": "tool_call_update", "toolCallId": "c1", "status": "failed"])
        #expect(talk.lines() == [#"toolResult t1.c1 failed "early late" exit=2"#])
    }

    @Test func outputIsCutFromItsBeginning() throws {
        let talk = opened()
        let id = terminal(talk, ["outputByteLimit": 5])
        let command = try #require(talk.commands.all.first)
        command.say("üüüü")
        let answer = ask(talk, "terminal/output", ["terminalId": id])?["result"]
        #expect(answer == ["output": "üü", "truncated": true])
        let none = terminal(talk, ["outputByteLimit": 0])
        talk.commands.all[1].say("x")
        #expect(ask(talk, "terminal/output", ["terminalId": none])?["result"] == ["output": "", "truncated": true])
    }

    @Test func hugeOutputIsBoundedWhateverTheAgentAsksFor() throws {
        let talk = opened { $0.maximumTerminalOutputBytes = 1000 }
        let id = terminal(talk, ["outputByteLimit": 9_000_000_000])
        let command = try #require(talk.commands.all.first)
        for number in 0..<2000 { command.say("line \(number)\n") }
        let answer = try #require(ask(talk, "terminal/output", ["terminalId": id])?["result"])
        #expect(answer["truncated"] == true)
        #expect(answer["output"]?.stringValue?.utf8.count ?? 0 <= 1000)
        #expect(answer["output"]?.stringValue?.hasSuffix("line 1999\n") == true)
    }

    @Test func thereIsALimitToTerminalsAndIdentifiersAreNotUsedTwice() throws {
        let talk = opened { $0.maximumTerminals = 3 }
        let ids = (0..<3).map { _ in terminal(talk) }
        #expect(Set(ids.map(\.description)).count == 3)
        for _ in 0..<2000 {
            #expect(ask(talk, "terminal/create", ["command": "make"])?["error"]?["code"] == -32603)
        }
        #expect(talk.commands.all.count == 3)
        // Released but still running ones count.
        _ = ask(talk, "terminal/release", ["terminalId": ids[0]])
        #expect(talk.commands.all[0].terminations == 1)
        #expect(terminal(talk) == .null)
        talk.commands.all[0].exit(.signaled(15))
        let next = terminal(talk)
        #expect(next != .null)
        #expect(!ids.contains(next))
    }

    @Test func killingEndsTheCommandOnceAndKeepsTheTerminal() throws {
        let talk = opened()
        let id = terminal(talk)
        let command = try #require(talk.commands.all.first)
        for _ in 0..<3 { #expect(ask(talk, "terminal/kill", ["terminalId": id])?["result"] == [:]) }
        #expect(command.terminations == 1)
        command.exit(.signaled(9))
        #expect(
            ask(talk, "terminal/wait_for_exit", ["terminalId": id])?["result"] == [
                "exitCode": .null, "signal": "SIGKILL",
            ])
    }

    @Test func aReleasedTerminalStillAnswersThoseWhoWait() throws {
        let talk = opened()
        let id = terminal(talk)
        talk.agent.ask("w", "terminal/wait_for_exit", ["sessionId": "s1", "terminalId": id])
        _ = ask(talk, "terminal/release", ["terminalId": id])
        talk.commands.all[0].exit(.signaled(15))
        #expect(talk.agent.answer(to: "w")?["result"] == ["exitCode": .null, "signal": "SIGTERM"])
    }

    @Test func waitingCanBeTakenBackAndIsBounded() throws {
        let talk = opened()
        let id = terminal(talk)
        talk.agent.ask("w", "terminal/wait_for_exit", ["sessionId": "s1", "terminalId": id])
        talk.agent.say(["jsonrpc": "2.0", "method": "$/cancel_request", "params": ["requestId": "w"]])
        #expect(talk.agent.answer(to: "w")?["error"]?["code"] == -32800)
        for _ in 0..<64 { #expect(ask(talk, "terminal/wait_for_exit", ["terminalId": id]) == nil) }
        #expect(ask(talk, "terminal/wait_for_exit", ["terminalId": id])?["error"]?["code"] == -32603)
    }

    @Test func anInterruptedTurnEndsItsCommandsAndNoOthers() {
        let talk = opened()
        _ = terminal(talk)
        talk.agent.answer("session/prompt", ["stopReason": "end_turn"])
        // A server that was left running is meant to.
        #expect(talk.commands.all[0].terminations == 0)
        talk.session.send("more", turnId: "t2")
        _ = terminal(talk)
        talk.session.interrupt()
        talk.agent.answer("session/prompt", ["stopReason": "cancelled"])
        #expect(talk.commands.all.map(\.terminations) == [0, 1])
    }

    @Test func stoppingWaitsForTheCommands() {
        let talk = opened()
        _ = terminal(talk)
        talk.session.stop()
        #expect(talk.commands.all[0].terminations == 1)
        talk.agent.exit(.exited(0))
        #expect(talk.ends.isEmpty)
        talk.commands.all[0].exit(.signaled(15))
        #expect(talk.ends == [.stopped])
    }

    @Test func aCrashOfTheAgentEndsItsCommands() {
        let talk = opened()
        _ = terminal(talk)
        talk.commands.all[0].say("so far")
        talk.agent.exit(.signaled(11))
        #expect(
            talk.lines().last
                == #"status terminal_output {"terminalId":"terminal-1","output":"so far","truncated":false}"#)
        #expect(talk.ends == [.exited(.signaled(11), errorTail: "tail")])
        #expect(talk.commands.all[0].terminations == 1)
        // Nothing is said any more by somebody who is gone.
        talk.commands.all[0].say("more")
        talk.commands.all[0].exit(.signaled(15))
        #expect(talk.ends.count == 1)
        #expect(talk.lines() == [])
    }

    @Test(arguments: [("make all && ls", true), ("make", false), ("FOO=$X make", true)]) func commandLines(
        _ command: String, _ byShell: Bool
    ) throws {
        let talk = opened()
        _ = terminal(talk, ["command": JSON(command)])
        let specification = try #require(talk.commands.all.first).specification
        #expect(specification.arguments == (byShell ? ["-c", command] : []))
    }

    @Test func whatIsDoneOutsideOfATurnMakesOne() {
        let talk = opened()
        talk.agent.answer("session/prompt", ["stopReason": "end_turn"])
        _ = talk.lines()
        _ = ask(talk, "fs/write_text_file", ["path": JSON(root + "/n.txt"), "content": "n"])
        #expect(talk.lines() == ["turnStarted background", #"diff e-1.f1 \#(root)/n.txt -> "n""#])
    }
}
