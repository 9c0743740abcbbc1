import Foundation
import Glibc
import JSON
import TestSupport
import Testing

/// The interactive client as a person has it: on a terminal, by keys, by what is on the screen.
@Suite(.timeLimit(.minutes(5))) struct TerminalClientTests {
    private func kinds(_ daemon: TestDaemon, _ session: String, _ kind: String) throws -> [JSON] {
        try daemon.events(session).filter { $0["kind"]?.stringValue == kind }.compactMap { $0["data"] }
    }

    @Test func aConversation() throws {
        let daemon = try TestDaemon()
        try daemon.start()
        let session = try daemon.newSession()
        let terminal = try daemon.terminal("attach \(session)")
        try terminal.waits(for: "ready · echo")

        // Markdown, a tool with live output, a plan, a change.
        try terminal.enter(
            "[[text:# Title **bold**]] [[tool-output:12x30@8]] [[plan:+one|*two|three]] [[diff:/a|old|new]]")
        try terminal.waits(for: "Esc interrupts")
        try terminal.waits(for: "  │ 4 abc")
        try terminal.waits(for: "ready · echo")
        let screen = terminal.screen
        for text in [
            "\nTitle bold", "  └ 0 abc", "… 8 more lines (Ctrl-O)", "☑ one", "▶ two", "☐ three", "± /a  +1 -1",
            "    - old",
            "    + new",
        ] {
            #expect(screen.contains(text), "\(text) on\n\(screen)")
        }
        #expect(!screen.contains("│ 4 abc"), "live output is gone when the result is there")
        #expect(!terminal.screen.contains("5 abc"))
        try terminal.press("C-o")
        try terminal.waits(for: "5 abc")

        // Permissions: a message with the refusal reaches the log.
        try terminal.enter("[[permission:once,reject rm -r x]]")
        try terminal.waits(for: "m rejects with a message")
        usleep(500_000)
        try terminal.press("m")
        try terminal.waits(for: "because>")
        try terminal.enter("use the trash")
        try terminal.waits(for: "✗ rejected")
        try terminal.waits(for: "ready · echo")
        let resolved = try kinds(daemon, session, "permission_resolved")
        #expect(resolved.last?["optionKind"] == "reject_once")
        #expect(resolved.last?["by"]?["name"] == "terminal")

        // Another client answers: the prompt goes by itself. Until then, a message that begins with a letter that
        // would answer is a message.
        try terminal.enter("[[permission:once,always,reject rm -r y]]")
        try terminal.waits(for: "waiting for you")
        usleep(500_000)
        try terminal.enter("and then")
        try terminal.waits(for: "1 queued")
        #expect(try daemon.tool(["approve"]).code == 0)
        try terminal.waits(for: "✓ allowed once by")
        try terminal.waits(for: "You said: and then")
        try terminal.waits(for: "ready · echo")

        // A subagent stands below the call that started it.
        try terminal.enter("[[subagent:from below]]")
        try terminal.waits(for: "  │ from below")

        // Ctrl-D leaves the session, and the shell has its terminal back.
        try terminal.press("C-d")
        try terminal.waits(for: "codeai-hub attach \(session.prefix(8))")
        try eventually("the client ends") { terminal.hasEnded }
        #expect(try daemon.record(session)["status"] == "idle")
    }

    @Test func writing() throws {
        let daemon = try TestDaemon()
        try daemon.start()
        let session = try daemon.newSession()
        var terminal = try daemon.terminal("attach \(session)")
        try terminal.waits(for: "ready · echo")
        let pasted = (1...120).map { "pasted line \($0)" }.joined(separator: "\n")
        try terminal.type("see ")
        try terminal.paste(pasted, in: daemon.folder)
        try terminal.waits(for: "> see [pasted 120 lines]")
        try terminal.press("Enter")
        // By then it has scrolled away.
        try eventually("the message is folded: \(terminal.screen)") {
            terminal.history.contains("… 100 more lines (Ctrl-O)")
        }
        try terminal.waits(for: "ready · echo")
        #expect(try kinds(daemon, session, "message").first?["content"]?.stringValue == "see " + pasted)

        // Several lines, word moves, cut, put back, undo.
        try terminal.type("one two\\")
        try terminal.press("Enter")
        try terminal.type("three")
        try terminal.press("M-b", "C-k", "C-y", "C-w", "C-_")
        try terminal.waits(for: "> one two\n  three")
        try terminal.press("Enter")
        try terminal.waits(for: "You said: one two\nthree")

        // Commands: Tab, lists, and what they do.
        try terminal.type("/ren")
        try terminal.waits(for: "give the session another title")
        try terminal.press("Tab")
        try terminal.enter("A title")
        try terminal.waits(for: "· A title")
        try terminal.enter("/model")
        try terminal.waits(for: "  large")
        try terminal.type("/model la")
        try terminal.press("Tab", "Enter")
        try terminal.waits(for: "model: large")
        try terminal.enter("/tags red blue")
        try eventually("tags") { try daemon.record(session)["tags"] == ["red", "blue"] }
        try terminal.enter("/export \(daemon.folder.path)/log.md")
        try terminal.waits(for: "log.md")
        try eventually("the export") { daemon.folder.read("log.md")?.contains("pasted line 120") ?? false }
        try terminal.enter("/nonsense")
        try terminal.waits(for: "there is no /nonsense")

        // Over to a copy, to a new session, and back.
        try terminal.enter("/fork")
        try terminal.waits(for: "a copy of session")
        try terminal.enter("/new echo")
        try terminal.waits(for: "ready · echo\n")
        try terminal.enter("/attach \(session.prefix(10))")
        try terminal.waits(for: "ready · echo · large · default · A title")
        try terminal.press("C-d")
        try eventually("the client ends") { terminal.hasEnded }

        // The history is there in the next run: Up, and Ctrl-R.
        terminal = try daemon.terminal("attach \(session)")
        try terminal.waits(for: "ready · echo")
        try terminal.press("Up", "Up")
        try terminal.waits(for: "> /new echo")
        try terminal.press("C-c", "C-r")
        try terminal.type("two")
        try terminal.waits(for: "(look for two) one two")
        try terminal.press("Escape")
        try terminal.waits(untilGone: "(look for")
        let mode = try FileManager.default.attributesOfItem(atPath: daemon.home + "/terminal/history.jsonl")[
            .posixPermissions]
        #expect(mode as? Int == 0o600)
    }

    @Test func interruptingAndLeaving() throws {
        let daemon = try TestDaemon()
        try daemon.start()
        let session = try daemon.newSession()
        let terminal = try Tmux(
            "bash --norc --noprofile", environment: daemon.environment.merging(["PS1": "shell> "]) { $1 }, width: 80,
            height: 24, in: daemon.folder.path)
        try terminal.waits(for: "shell>")
        try terminal.enter("'\(TestDaemon.terminalProgram)' attach \(session)")
        try terminal.waits(for: "ready · echo")

        // Suspended, and back.
        try terminal.type("half a li")
        try terminal.press("C-z")
        try terminal.waits(for: "Stopped")
        try terminal.enter("stty -a | grep -o ' echo '; fg")
        try terminal.waits(for: "echo")
        try terminal.waits(for: "> half a li")
        try terminal.press("C-c")
        try terminal.waits(untilGone: "> half a li")

        try terminal.enter("[[stall:60]]")
        try terminal.waits(for: "Esc interrupts")
        try terminal.enter("later")
        try terminal.waits(for: "1 queued")
        try terminal.enter("/withdraw")
        try terminal.waits(for: "> later")
        try terminal.press("C-c", "Escape")
        try terminal.waits(for: "■ interrupted")
        try terminal.enter("[[stall:60]]")
        try terminal.waits(for: "running · echo")
        usleep(1_100_000)
        try terminal.press("C-c")
        try eventually("two are interrupted") {
            terminal.history.components(separatedBy: "■ interrupted").count == 3
        }
        usleep(1_100_000)
        try terminal.press("C-c")
        try terminal.waits(for: "Ctrl-C again leaves")
        try terminal.press("C-c")
        try terminal.waits(for: "Left the session")
        // The terminal is as it was: what is typed is seen, and lines end.
        try terminal.enter("echo $((40 + 2))")
        try terminal.waits(for: "\n42\n")
    }

    @Test func anotherSizeLeavesNoGarbage() throws {
        let daemon = try TestDaemon()
        try daemon.start()
        let session = try daemon.newSession()
        let terminal = try daemon.terminal("attach \(session)", width: 100, height: 30)
        try terminal.waits(for: "ready · echo")
        try terminal.enter("[[stream:30x60@0]] [[stream:200x30@40]]")
        try terminal.waits(for: "running · echo")
        for (width, height) in [(60, 20), (40, 12), (90, 40), (30, 10), (100, 30)] {
            usleep(300_000)
            try terminal.resize(width: width, height: height)
        }
        try terminal.type("still here")
        try terminal.waits(for: "> still here")
        try terminal.waits(for: "ready · echo")
        let screen = terminal.screen
        #expect(screen.components(separatedBy: "> still here").count == 2, "\(screen)")
        #expect(!screen.contains("running"), "\(screen)")
        // Its place is the end, with the state below.
        let lines = screen.split(separator: "\n").map(String.init)
        let input = try #require(lines.firstIndex { $0.hasPrefix("> still here") })
        #expect(lines[(input + 1)...].count == 1 && lines[input + 1].hasPrefix("ready · echo"), "\(screen)")
    }

    @Test(
        arguments: [
            ("tmux-256color", [String: String](), "38;5;133m"), ("screen", [:], "35m"),
            ("tmux-256color", ["NO_COLOR": "1"], ""),
        ])
    func coloursThatThereAre(terminal name: String, environment: [String: String], keyword: String) throws {
        let daemon = try TestDaemon()
        try daemon.start()
        let session = try daemon.newSession()
        try daemon.turn("**bold**\n\n```swift\nlet x = 1\n```", in: session)
        let terminal = try daemon.terminal("attach \(session)", environment: environment, terminal: name)
        try terminal.waits(for: "ready · echo")
        try terminal.waits(for: "  let x = 1")
        let looks = terminal.looks
        let line = try #require(looks.split(separator: "\n").last { $0.contains("let") && !$0.contains("```") })
        if keyword.isEmpty {
            // tmux says "the default colour", 39 and 49, by itself.
            #expect(!line.contains("38;5"), "\(line.debugDescription)")
            #expect(looks.firstMatch(of: /[\[;][34][0-7][;m]/) == nil, "\(looks.debugDescription)")
        } else {
            #expect(line.contains(keyword), "\(line.debugDescription)")
        }
        #expect(looks.contains("\u{1b}[1m"), "what is bold stays so")
    }

    @Test func aTerminalThatObeysNothing() throws {
        let daemon = try TestDaemon()
        try daemon.start()
        let session = try daemon.newSession()
        let terminal = try daemon.terminal("attach \(session)", environment: [:], terminal: "dumb")
        try terminal.waits(for: "Session \(session)")
        try terminal.enter("hello")
        try terminal.waits(for: "You said: hello")
        try terminal.enter("[[permission:once,reject rm z]]")
        try terminal.waits(for: "Permission needed")
        usleep(500_000)
        try terminal.enter("y")
        try terminal.waits(for: "✓ allowed once")
        try terminal.press("C-d")
        try eventually("the client ends") { terminal.hasEnded }
    }
}
