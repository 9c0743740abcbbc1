import Client
import JSON
import Testing

@testable import EditorDoor

@Suite struct NarratorTests {
    private var narrator = Narrator(workspace: "/w", takesTerminalOutput: false)

    private func event(_ kind: String, item: String? = nil, _ data: JSONObject) throws -> LogEvent {
        var record: JSONObject = ["seq": 7, "kind": JSON(kind), "data": .object(data)]
        record["itemId"] = item.map { JSON($0) }
        return try #require(LogEvent(record: .object(record), sessionId: "s"))
    }

    private func chunk(_ text: String, at offset: Int, kind: String = "message") -> JSON {
        ["itemId": "i", "kind": JSON(kind), "content": JSON(text), "offset": JSON(offset)]
    }

    private func text(_ updates: [JSONObject]) -> String {
        updates.compactMap { $0["content"]?["text"]?.stringValue }.joined()
    }

    @Test("a text that grew is completed by its event, not repeated")
    mutating func completed() throws {
        let first = narrator.chunk(chunk("Grü", at: 0))
        #expect(text(first) == "Grü")
        let second = narrator.chunk(chunk("ße ", at: 4))
        #expect(text(second) == "ße ")
        let whole = try event("message", item: "i", ["role": "assistant", "content": "Grüße an alle"])
        let rest = narrator.updates(for: whole, isReplay: false)
        #expect(text(rest) == "an alle")
        let again = narrator.updates(for: whole, isReplay: false)
        #expect(again.isEmpty)
    }

    @Test("pieces after a gap wait for the whole; pieces that overlap are cut")
    mutating func gaps() throws {
        let late = narrator.chunk(chunk("later", at: 10))
        #expect(late.isEmpty)
        let caughtUp = narrator.catchUp(["itemId": "i", "kind": "message", "content": "0123456789"])
        #expect(text(caughtUp) == "0123456789")
        let overlap = narrator.chunk(chunk("89ab", at: 8))
        #expect(text(overlap) == "ab")
        let old = narrator.chunk(chunk("0123", at: 0))
        #expect(old.isEmpty)
        let whole = try event("message", item: "i", ["role": "assistant", "content": "0123456789abc"])
        let rest = narrator.updates(for: whole, isReplay: false)
        #expect(text(rest) == "c")
    }

    @Test("a long text comes in parts, cut between characters")
    mutating func parts() throws {
        let long = String(repeating: "aü€😀", count: 20_000)
        let updates = narrator.updates(
            for: try event("message", item: "i", ["role": "assistant", "content": JSON(long)]), isReplay: true)
        #expect(updates.count > 5)
        #expect(text(updates) == long)
        #expect(updates.allSatisfy { ($0["content"]?["text"]?.stringValue ?? "").utf8.count <= Narrator.pieceBytes })
    }

    @Test("a tool's changes take the place of its words, whichever comes first", arguments: [false, true])
    mutating func diffs(resultFirst: Bool) throws {
        let call = try event(
            "tool_call", item: "c", ["name": "Edit", "title": "Edit a", "toolKind": "edit", "args": ["file_path": "a"]])
        let result = try event("tool_result", item: "c", ["status": "completed", "content": "The file was updated"])
        let diff = try event("diff", item: "c", ["path": "a", "oldText": "x", "newText": "y"])
        let begun = narrator.updates(for: call, isReplay: false)
        #expect(begun[0]["locations"] == [["path": "/w/a"]])
        let last = (resultFirst ? [result, diff] : [diff, result]).flatMap {
            narrator.updates(for: $0, isReplay: false)
        }.last
        #expect(last?["content"] == [["type": "diff", "path": "/w/a", "oldText": "x", "newText": "y"]])
    }

    @Test("a unified diff becomes old and new text")
    mutating func unified() throws {
        let diff = try event("diff", item: "d", ["path": "/a", "unified": "@@ -1 +1 @@\n-x\n+y\n"])
        let update = narrator.updates(for: diff, isReplay: false)[0]
        #expect(update["sessionUpdate"] == "tool_call")
        #expect(update["content"] == [["type": "diff", "path": "/a", "newText": "y\n", "oldText": "x\n"]])
    }

    @Test("a running tool's output is shown now and then, its end only")
    mutating func output() throws {
        _ = narrator.updates(
            for: try event("tool_call", item: "i", ["name": "Bash", "title": "ls", "toolKind": "execute"]),
            isReplay: false)
        let held = narrator.chunk(chunk("one\n", at: 0, kind: "tool_output"))
        #expect(held.isEmpty)
        #expect(narrator.hasOutputToShow)
        #expect(
            narrator.takeOutput()[0]["content"] == [
                ["type": "content", "content": ["type": "text", "text": "```\none\n```"]]
            ])
        for index in 0..<100 {
            _ = narrator.chunk(chunk(String(repeating: "x", count: 1000), at: 4 + index * 1000, kind: "tool_output"))
        }
        let shown = narrator.takeOutput()[0]["content"]?[0]?["content"]?["text"]?.stringValue ?? ""
        #expect(shown.utf8.count < 40 << 10)
        #expect(!narrator.hasOutputToShow)
    }

    @Test("an editor that shows terminals gets each piece once, and the end")
    func terminal() throws {
        var narrator = Narrator(workspace: "/w", takesTerminalOutput: true)
        let call = try event("tool_call", item: "i", ["name": "Bash", "title": "ls", "toolKind": "execute"])
        let started = narrator.updates(for: call, isReplay: false)[0]
        #expect(started["content"] == [["type": "terminal", "terminalId": "i"]])
        #expect(started["_meta"]?["terminal_info"]?["terminal_id"] == "i")
        let piece = narrator.chunk(chunk("one\n", at: 0, kind: "tool_output"))[0]
        #expect(piece["_meta"]?["terminal_output"]?["data"] == "one\n")
        let result = try event("tool_result", item: "i", ["status": "completed", "content": "one\n", "exitCode": 0])
        let ended = narrator.updates(for: result, isReplay: false)[0]
        #expect(ended["_meta"]?["terminal_output"] == nil)
        #expect(ended["_meta"]?["terminal_exit"]?["exit_code"] == 0)
        #expect(ended["content"] == nil)
    }

    @Test("a fence is longer than any in the text", arguments: [("a", 3), ("```", 4), ("x ````` y", 6)])
    func fences(text: String, ticks: Int) {
        let fence = String(repeating: "`", count: ticks)
        #expect(Narrator.fenced(text) == "\(fence)\n\(text)\n\(fence)")
    }
}

@Suite struct EditorPromptTests {
    @Test("what isn't text is attached, and named at its place")
    func blocks() throws {
        let (text, attachments) = try EditorPrompt.read([
            ["type": "text", "text": "see"],
            ["type": "resource_link", "name": "a.txt", "uri": "file:///w/a.txt", "mimeType": "text/plain"],
            ["type": "text", "text": "and"],
            ["type": "resource", "resource": ["uri": "file:///w/b%20c.txt", "text": "inside"]],
            ["type": "image", "mimeType": "image/png", "data": "AAAA"],
        ])
        #expect(text == "see @a.txt and @b c.txt ")
        #expect(
            attachments == [
                ["name": "a.txt", "uri": "file:///w/a.txt", "mediaType": "text/plain"],
                ["name": "/w/b c.txt", "mediaType": "text/plain", "text": "inside"],
                ["mediaType": "image/png", "data": "AAAA"],
            ])
        #expect(EditorPrompt.block(attachments[1])?["resource"]?["uri"] == "file:///w/b%20c.txt")
        #expect(EditorPrompt.block(attachments[2]) == ["type": "image", "mimeType": "image/png", "data": "AAAA"])
    }

    @Test("a link at the beginning doesn't address a provider")
    func beginning() throws {
        let (text, _) = try EditorPrompt.read([["type": "resource_link", "name": "codex", "uri": "file:///codex"]])
        #expect(!text.hasPrefix("@"))
    }

    @Test(
        "what is no prompt is refused",
        arguments: [
            nil, [], "text", [["type": "hologram"]], [["type": "image"]],
            [["type": "resource", "resource": ["uri": "x"]]],
        ]
            as [JSON?])
    func refused(prompt: JSON?) {
        #expect(throws: (any Error).self) { try EditorPrompt.read(prompt) }
    }
}

@Suite struct QuestionFormTests {
    private let colour: JSONObject = [
        "questions": [
            [
                "id": "c", "text": "Which?", "options": [["label": "red", "description": "warm"], ["label": "blue"]],
                "multiple": false, "other": true,
            ]
        ]
    ]

    @Test("a form has a field for each question, and one for what isn't offered")
    func form() throws {
        let form = try #require(QuestionForm(colour))
        #expect(form.schema["properties"]?["c"]?["oneOf"]?[0]?["description"] == "warm")
        #expect(form.schema["properties"]?["c-other"]?["type"] == "string")
        #expect(form.schema["required"] == [])
        #expect(form.answers(["c": "red"]) == ["c": "red"])
        #expect(form.answers(["c": "red", "c-other": "green"]) == ["c": "green"])
    }

    @Test("one question with options can be asked like a permission")
    func options() throws {
        let form = try #require(QuestionForm(colour))
        #expect(form.options?.count == 3)
        #expect(form.answers(chosen: "answer-1") == ["c": "blue"])
        #expect(form.answers(chosen: "decline") == nil)
        #expect(form.answers(chosen: "answer-9") == nil)
    }

    @Test("several of them, or one that takes several answers, can't be")
    func severalAnswers() throws {
        var question = colour["questions"]?[0]?.objectValue ?? [:]
        question["multiple"] = true
        let form = try #require(QuestionForm(["questions": [.object(question)]]))
        #expect(form.options == nil)
        #expect(form.schema["properties"]?["c"]?["items"]?["anyOf"]?[1]?["const"] == "blue")
        #expect(QuestionForm(["questions": []]) == nil)
    }
}

@Suite struct SessionChoicesTests {
    private let providers: [JSON] = [
        [
            "id": "a", "name": "Agent A", "enabled": true, "installed": true, "modes": ["default", "acceptEdits"],
            "models": [],
        ],
        ["id": "b", "name": "Agent B", "enabled": true, "installed": false],
    ]

    @Test("what nobody has chosen is shown as such, and can't be lost by choosing it")
    func unset() {
        let choices = SessionChoices(record: ["providerId": "a", "mode": nil], providers: providers)
        #expect(choices.state["modes"]?["currentModeId"] == "unset")
        #expect(choices.state["modes"]?["availableModes"]?.arrayValue?.count == 3)
        #expect(choices.state["models"] == nil)
        #expect(choices.offers("acceptEdits", for: .mode))
        #expect(!choices.offers("b", for: .agent))
    }

    @Test("an agent's own word replaces its manifest's")
    func native() {
        var choices = SessionChoices(record: ["providerId": "a", "mode": "plan"], providers: providers)
        let isNew = choices.take(nativeSession: ["modes": ["plan", "auto"], "models": ["m"]])
        #expect(isNew)
        let isNewAgain = choices.take(nativeSession: ["modes": ["plan", "auto"]])
        #expect(!isNewAgain)
        #expect(choices.state["modes"]?["availableModes"]?.arrayValue?.count == 2)
    }

    @Test(arguments: [
        ("acceptEdits", "Accept Edits"), ("full-access", "Full Access"), ("plan", "Plan"), ("gpt_5", "Gpt 5"),
    ])
    func names(id: String, name: String) {
        #expect(SessionChoices.name(id) == name)
    }
}
