import JSON
import Testing

@testable import Client
@testable import Terminal

/// A transcript being made: events and chunks in, text out.
private struct Script {
    var renderer = TranscriptRenderer()
    var text = ""
    private var seq = 0

    mutating func event(_ kind: String, _ data: JSONObject, item: String? = nil, turn: String = "t1") {
        seq += 1
        var record: JSONObject = ["seq": JSON(seq), "kind": JSON(kind), "turnId": JSON(turn), "data": .object(data)]
        if let item { record["itemId"] = JSON(item) }
        guard let event = LogEvent(record: .object(record), sessionId: "s") else { return }
        text += renderer.event(event).output(colours: .off)
    }

    mutating func chunk(_ item: String, _ content: String, offset: Int, kind: String = "message") {
        let payload: JSON = [
            "itemId": JSON(item), "content": JSON(content), "offset": JSON(offset), "kind": JSON(kind), "turnId": "t1",
        ]
        text += renderer.chunk(payload).output(colours: .off)
    }
}

struct TranscriptTests {
    @Test("what an agent was told of others' turns, and what not")
    func carriedContext() {
        var script = Script()
        script.event(
            "status",
            ["type": "context_carried", "from": ["claude\u{1b}[2J"], "turns": 2, "shortened": 1, "omitted": 7])
        #expect(
            script.text.contains(
                "it was told 2 turns of claude␛[2J, 1 turn of them shortened; 7 turns left out for want of room"))
    }

    @Test("a whole turn")
    func turn() {
        var script = Script()
        script.event("message", ["role": "user", "content": "make it\nso"])
        script.event("turn_started", [:])
        script.chunk("i1", "Let me ", offset: 0, kind: "thinking")
        script.chunk("i1", "see.", offset: 7, kind: "thinking")
        script.event("thinking", ["content": "Let me see."], item: "i1")
        script.chunk("i2", "I'll look.", offset: 0)
        script.event("message", ["role": "assistant", "content": "I'll look."], item: "i2")
        script.event(
            "tool_call", ["name": "Bash", "title": "ls -l", "toolKind": "execute", "status": "running"], item: "i3")
        script.event(
            "tool_result", ["status": "completed", "content": "one\ntwo\nthree\nfour\nfive\nsix"], item: "i3")
        script.event("tool_call", ["name": "Edit", "title": "a.txt", "toolKind": "edit"], item: "i4")
        script.event("diff", ["path": "a.txt", "oldText": "x\ny\n", "newText": "x\nz\n"], item: "i4")
        script.event("tool_result", ["status": "failed", "content": "no such file", "exitCode": 2], item: "i4")
        script.event(
            "plan",
            [
                "entries": [
                    ["content": "first", "status": "completed"], ["content": "second", "status": "in_progress"],
                    ["content": "third", "status": "pending"],
                ]
            ])
        script.event("message", ["role": "assistant", "content": "Done."], item: "i5")
        script.event(
            "turn_completed",
            [
                "status": "completed", "durationMs": 12340, "usage": ["input": 1234, "output": 56, "cached": 0],
                "costUsd": 0.0123,
            ])
        #expect(
            script.text == """
                › make it
                  so

                ✻ Let me see.

                I'll look.

                ● Bash  ls -l
                  └ one
                    two
                    … 2 more lines
                    five
                    six
                ● Edit  a.txt
                  ± a.txt  +1 -1
                      x
                    - y
                    + z
                  └ failed, exit 2
                    no such file
                Plan  1 of 3
                  ☑ first
                  ▶ second
                  ☐ third

                Done.

                12.3 s · 1,234 in, 56 out tokens · $0.0123

                """)
    }

    @Test("a stream cut in any way shows the text once", arguments: 1...9)
    func pieces(size: Int) {
        let text = "Grüße an 日本 and\nmore 👍 text"
        var script = Script()
        let bytes = Array(text.utf8)
        var shown = 0
        for (index, character) in text.enumerated() where index % size == 0 {
            _ = character
            let piece = String(text.dropFirst(index).prefix(size))
            script.chunk("i", piece, offset: shown)
            shown += piece.utf8.count
        }
        #expect(shown == bytes.count)
        script.event("message", ["role": "assistant", "content": JSON(text)], item: "i")
        #expect(script.text == text + "\n")
    }

    @Test("after a reconnect the open item, and the message that closes it, add only what is new")
    func reconnect() {
        var script = Script()
        script.chunk("i", "one two", offset: 0)
        // `open` of the next core:state: the whole text so far.
        script.chunk("i", "one two three", offset: 0)
        script.chunk("i", " four", offset: 13)
        script.event("message", ["role": "assistant", "content": "one two three four five"], item: "i")
        #expect(script.text == "one two three four five\n")
    }

    @Test("deltas that were left out come with the closing event")
    func missingChunks() {
        var script = Script()
        script.chunk("i", "one", offset: 0)
        script.chunk("i", " three", offset: 7)
        script.event("message", ["role": "assistant", "content": "one two three"], item: "i")
        #expect(script.text == "one two three\n")
    }

    @Test("two items that grow at once are shown one after the other")
    func parallel() {
        var script = Script()
        script.chunk("a", "A1 ", offset: 0)
        script.chunk("b", "B1 ", offset: 0)
        script.chunk("a", "A2", offset: 3)
        script.event("message", ["role": "assistant", "content": "A1 A2"], item: "a")
        script.chunk("b", "B2", offset: 3)
        script.event("message", ["role": "assistant", "content": "B1 B2"], item: "b")
        #expect(script.text == "A1 A2\n\nB1 B2\n")
    }

    @Test("a delta that comes after its item was closed shows nothing again")
    func lateChunk() {
        var script = Script()
        script.event("thinking", ["content": "hm"], item: "i")
        script.event("turn_completed", ["status": "completed"])
        script.chunk("i", "hm", offset: 0, kind: "thinking")
        #expect(script.text == "✻ hm\n\n")
    }

    @Test("where a prompt shows the requests, only their outcome is in the transcript")
    func outcomes() {
        var script = Script()
        script.renderer.options.showsRequests = false
        script.event("permission_requested", ["requestId": "r", "tool": "Bash", "title": "rm x"])
        #expect(script.text == "")
        script.event("permission_resolved", ["requestId": "r", "outcome": "selected", "optionKind": "reject_once"])
        #expect(script.text == "? Bash  rm x\n  ✗ rejected\n")
    }

    @Test("a message while a turn runs is marked as queued")
    func queued() {
        var script = Script()
        script.event("turn_started", [:], turn: "t1")
        script.event("message", ["role": "user", "content": "next"], turn: "t2")
        #expect(script.text == "› next  (queued)\n")
    }

    @Test("requests and who answered them")
    func requests() {
        var script = Script()
        script.event(
            "permission_requested",
            [
                "requestId": "r1", "tool": "Bash", "title": "rm x", "args": ["command": "rm x", "timeout": 5],
                "options": [["optionId": "a", "label": "Allow", "kind": "allow_once"]],
            ])
        script.event(
            "permission_resolved",
            ["requestId": "r1", "outcome": "selected", "optionKind": "allow_once", "by": ["name": "phone"]])
        script.event(
            "question_requested",
            [
                "requestId": "q",
                "questions": [["id": "1", "text": "Which?", "options": [["label": "Red"], ["label": "Blue"]]]],
            ])
        script.event(
            "question_resolved",
            ["requestId": "q", "outcome": "answered", "answers": ["1": "Red"], "by": ["name": "web"]])
        script.event("permission_resolved", ["requestId": "r2", "outcome": "cancelled"])
        #expect(
            script.text == """
                ? Permission needed: Bash  rm x
                    timeout: 5
                    a: Allow
                  ✓ allowed once by phone
                ? Which?
                    1 Red
                    2 Blue
                  ✓ answered by web: Red
                  – permission cancelled

                """)
    }

    @Test("errors, quota and ends of turns")
    func troubles() {
        var script = Script()
        script.event(
            "error",
            [
                "code": "rate_limited", "message": "slow down", "recoverable": true, "retryAfter": 90,
                "actions": [
                    ["id": "retry_later", "label": "Try again later"], ["id": "x", "label": "Switch provider"],
                ],
            ])
        script.event("quota", ["status": "allowed"])
        script.event(
            "quota", ["status": "warning", "utilization": 0.92, "window": "five_hour", "resetsAt": 1_790_000_000])
        script.event("turn_completed", ["status": "interrupted"])
        script.event("turn_completed", ["status": "failed", "durationMs": 20])
        #expect(
            script.text == """
                ✗ slow down  (rate_limited)
                    try again in 1 min 30 s
                    Try again later · Switch provider
                ! the quota is nearly used up (92 %), window five_hour, resets 2026-09-21T14:13Z

                ■ interrupted
                ✗ the turn failed
                20 ms

                """)
    }

    @Test("Markdown is the same, streamed or whole, and what grows is in the preview")
    func markdown() {
        var script = Script()
        script.renderer.options.rendersMarkdown = true
        script.chunk("i", "# Ti", offset: 0)
        #expect(script.renderer.preview(lines: 3).map(\.plain) == ["Ti"])
        script.chunk("i", "tle\n**bo", offset: 4)
        #expect(script.text == "Title\n")
        script.chunk("i", "ld**\n| a | b |\n|---|---|\n| 1 |", offset: 12)
        #expect(script.text == "Title\nbold\n")
        #expect(script.renderer.preview(lines: 3).map(\.plain) == ["a │ b", "──┼──", "1 │ "])
        script.event(
            "message", ["role": "assistant", "content": "# Title\n**bold**\n| a | b |\n|---|---|\n| 1 | 2 |"], item: "i"
        )
        #expect(script.text == "Title\nbold\na │ b\n──┼──\n1 │ 2\n")
        #expect(script.renderer.preview(lines: 3).isEmpty)
    }

    @Test("live output is shown while it grows and folded when it is whole")
    func liveOutput() {
        var script = Script()
        script.renderer.options.isInteractive = true
        script.event("tool_call", ["name": "Bash", "title": "make", "toolKind": "execute"], item: "i")
        let output = (1...30).map { "line \($0)\n" }.joined()
        script.chunk("i", output, offset: 0, kind: "tool_output")
        #expect(script.renderer.preview(lines: 2).map(\.plain) == ["  │ line 29", "  │ line 30"])
        script.event("tool_result", ["status": "completed", "content": JSON(output)], item: "i")
        #expect(script.renderer.preview(lines: 2).isEmpty)
        #expect(script.text.contains("… 26 more lines (Ctrl-O)"))
        let whole = script.renderer.unfold().plain
        #expect(whole.contains("line 17\n"))
        #expect(script.renderer.unfold().isEmpty)
    }

    @Test("what a subagent does stands below its call, also while it grows")
    func subagent() {
        var script = Script()
        script.renderer.options.rendersMarkdown = true
        script.event("tool_call", ["name": "Task", "title": "look", "toolKind": "agent"], item: "t")
        script.chunk("m", "one\ntwo", offset: 0)
        #expect(script.renderer.preview(lines: 3).map(\.plain) == ["  │ one", "  │ two"])
        script.event("message", ["role": "assistant", "content": "one\ntwo", "parentItemId": "t"], item: "m")
        script.event("tool_call", ["name": "Read", "title": "a", "parentItemId": "t"], item: "r")
        script.event("tool_result", ["content": "x", "parentItemId": "t"], item: "r")
        script.event("tool_result", ["content": "done"], item: "t")
        script.event("message", ["role": "assistant", "content": "So."], item: "n")
        #expect(
            script.text == """
                ● Task  look

                  │ one
                  │ two

                  │ ● Read  a
                  │   └ x
                  └ done

                So.

                """)
    }

    @Test("long thoughts and messages are folded where they can be unfolded")
    func folds() {
        var script = Script()
        script.renderer.options.isInteractive = true
        script.renderer.options.thinkingLines = 2
        script.renderer.options.messageLines = 2
        script.event("thinking", ["content": "a\n\nb\nc\nd"], item: "i")
        script.event("message", ["role": "user", "content": "1\n2\n3\n4"])
        #expect(
            script.text
                == "✻ a\n  b\n  … 2 more lines (Ctrl-O)\n\n› 1\n  2\n  … 2 more lines (Ctrl-O)\n")
    }

    @Test("no field of any type stops it", arguments: EventKindNames.all)
    func anyShape(kind: String) {
        let values: [JSON] = [.null, true, -1, 1e300, "x\u{1b}[31m", ["a"], ["a": ["b": [1]]], .int(.min), .int(.max)]
        let keys = [
            "role", "content", "status", "name", "title", "args", "exitCode", "path", "oldText", "newText", "unified",
            "entries", "options", "questions", "requestId", "answers", "by", "retryAfter", "actions", "usage",
            "costUsd",
            "durationMs", "utilization", "resetsAt", "type", "outcome", "itemId", "offset", "kind", "body",
        ]
        for value in values {
            var script = Script()
            var data = JSONObject()
            for key in keys { data[key] = value }
            script.event(kind, data, item: "i")
            script.text += script.renderer.chunk(.object(data)).output(colours: .off)
            _ = RequestPrompt(data, isPermission: true)
            _ = RequestPrompt(data, isPermission: false)
            #expect(!script.text.contains("\u{1b}"))
        }
    }
}

private enum EventKindNames {
    static let all = [
        "turn_started", "turn_completed", "message", "thinking", "tool_call", "tool_result", "diff", "plan",
        "permission_requested", "permission_resolved", "question_requested", "question_resolved", "usage", "quota",
        "status", "error", "custom", "of_tomorrow",
    ]
}

struct RequestPromptTests {
    private func permission() throws -> RequestPrompt {
        try #require(
            RequestPrompt(
                [
                    "requestId": "r", "tool": "Bash", "title": "rm x",
                    "options": [
                        ["optionId": "o1", "label": "Yes", "kind": "allow_once"],
                        ["optionId": "o2", "label": "Always", "kind": "allow_always"],
                        ["optionId": "o3", "label": "No", "kind": "reject_once"],
                    ],
                ], isPermission: true))
    }

    @Test(
        "keys choose what was offered",
        arguments: [("y", "o1"), ("a", "o2"), ("n", "o3"), ("N", "o3"), ("1", "o1"), ("3", "o3")])
    func keys(key: Character, option: String) throws {
        var prompt = try permission()
        #expect(prompt.handle(.character(key)).answer == .permission(optionId: option))
    }

    @Test("other keys go to the input line", arguments: ["x", "0", "4", " "] as [Character])
    func otherKeys(key: Character) throws {
        var prompt = try permission()
        let result = prompt.handle(.character(key))
        #expect(!result.isTaken && result.answer == nil)
    }

    @Test("a number with nothing to choose from is no key")
    func noOptions() throws {
        var prompt = try #require(RequestPrompt(["requestId": "r"], isPermission: true))
        #expect(!prompt.handle(.character("1")).isTaken)
        #expect(!prompt.handle(.character("y")).isTaken)
    }

    @Test("a rejection can say why")
    func message() throws {
        var prompt = try permission()
        #expect(prompt.handle(.character("m")).isTaken)
        #expect(prompt.takesMessage)
        #expect(prompt.handle(.character("y")).isTaken == false, "it is a letter now")
        #expect(prompt.handle(text: "y").answer == .permission(optionId: "o3", message: "y"))
        _ = prompt.handle(.escape)
        #expect(!prompt.takesMessage)
        #expect(prompt.handle(.character("y")).answer == .permission(optionId: "o1"))
    }

    @Test("a change that is asked for is shown as one, and nothing of it is hidden")
    func change() throws {
        let data: JSONObject = [
            "requestId": "r", "tool": "Edit", "title": "a.swift",
            "args": ["file_path": "/a.swift", "old_string": "x\ny", "new_string": "x\nz", "replace_all": true],
            "options": [["optionId": "o1", "label": "Yes", "kind": "allow_once"]],
        ]
        let prompt = try #require(RequestPrompt(data, isPermission: true))
        let rows = prompt.rows(columns: 40, limit: 20).map(\.plain)
        #expect(rows.contains("      - y") && rows.contains("      + z") && rows.contains("  replace_all: true"))
        let short = prompt.rows(columns: 40, limit: 6).map(\.plain)
        #expect(short.contains("  … there is more: Ctrl-O shows it all"))
    }

    @Test("several questions are asked one after the other")
    func questions() throws {
        var prompt = try #require(
            RequestPrompt(
                [
                    "requestId": "r",
                    "questions": [
                        ["id": "a", "text": "One?", "options": [["label": "x"], ["label": "y"]]],
                        ["id": "b", "text": "Two?", "options": [["label": "p"], ["label": "q"]], "multiple": true],
                        ["id": "c", "text": "Three?", "options": [["label": "m"]], "other": true],
                    ],
                ], isPermission: false))
        #expect(prompt.handle(.character("2")).answer == nil)
        _ = prompt.handle(.character("1"))
        _ = prompt.handle(.character("2"))
        _ = prompt.handle(.character("1"))
        #expect(prompt.rows(columns: 40, limit: 10).map(\.plain)[1...2] == ["  1 [ ] p", "  2 [x] q"])
        #expect(prompt.handle(.enter).answer == nil)
        #expect(prompt.handle(text: "my own").answer == .question(answers: ["a": "y", "b": ["q"], "c": "my own"]))
    }
}
