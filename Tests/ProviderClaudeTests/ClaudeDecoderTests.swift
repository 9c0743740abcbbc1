import Base
import HubProtocol
import JSON
import ProviderClaude
import Providers
import Testing

struct ClaudeDecoderTests {
    private func decode(_ lines: [JSON], turn uuid: String? = "u") -> [NormalizedEvent] {
        var decoder = ClaudeDecoder()
        if let uuid { decoder.beginTurn(uuid: uuid) }
        return lines.flatMap { decoder.decode($0.serialize()).events }
    }

    private func toolUse(_ name: String, _ input: JSON, id: String = "toolu_1") -> JSON {
        [
            "type": "assistant", "parent_tool_use_id": nil,
            "message": [
                "id": "m1", "model": "x",
                "content": [["type": "tool_use", "id": JSON(id), "name": JSON(name), "input": input]],
            ],
        ]
    }

    private func toolResult(_ content: JSON, details: JSON = .null, isError: Bool = false, id: String = "toolu_1")
        -> JSON
    {
        [
            "type": "user", "parent_tool_use_id": nil, "tool_use_result": details,
            "message": [
                "role": "user",
                "content": [
                    ["type": "tool_result", "tool_use_id": JSON(id), "content": content, "is_error": JSON(isError)]
                ],
            ],
        ]
    }

    @Test(
        "What is no JSON object is kept as it came",
        arguments: ["hello", "{", "[1]", "{\"a\":1}", "null", "\u{1b}[31mred"])
    func unparsed(_ text: String) {
        var decoder = ClaudeDecoder()
        let events = decoder.decode(Array(text.utf8)).events
        #expect(
            events == [.custom(type: "unparsed_output", data: ["text": JSON(text), "bytes": JSON(text.utf8.count)])])
    }

    @Test func invalidUTF8IsKeptReadable() {
        var decoder = ClaudeDecoder()
        guard case .custom("unparsed_output", let data)? = decoder.decode([0xff, 0x41]).events.first else {
            Issue.record("no event")
            return
        }
        #expect(data["text"] == "\u{FFFD}A")
    }

    @Test func emptyLinesAreNothing() {
        var decoder = ClaudeDecoder()
        #expect(decoder.decode([]).events.isEmpty)
        #expect(decoder.decode(Array("  \t".utf8)).events.isEmpty)
    }

    @Test func aLineThatIsTooLongIsReported() {
        var decoder = ClaudeDecoder()
        let events = decoder.decode(.tooLong(start: Array("{\"type\"".utf8), length: 99)).events
        #expect(events == [.custom(type: "oversized_output", data: ["bytes": 99, "start": "{\"type\""])])
    }

    @Test(
        "Unknown types and subtypes are kept",
        arguments: [("wonder", nil), ("system", "wonder")] as [(String, String?)])
    func unknown(_ type: String, _ subtype: String?) {
        var line: JSONObject = ["type": JSON(type), "x": 1]
        line["subtype"] = subtype.map { JSON($0) }
        let name = subtype.map { "\(type):\($0)" } ?? type
        #expect(decode([.object(line)]) == [.custom(type: name, data: .object(line))])
    }

    @Test(
        "A known type with members missing or of a wrong type never traps",
        arguments: [
            "stream_event", "assistant", "user", "system", "result", "rate_limit_event", "control_request",
            "control_cancel_request", "control_response", "command_lifecycle", "tool_progress",
        ])
    func hollow(_ type: String) {
        let values: [JSON] = [.null, 1, "x", [], [:], [1, "a", nil], ["type": 3], ["content": [[:], 1]]]
        let keys = [
            "event", "message", "request", "response", "subtype", "rate_limit_info", "tool_use_result", "errors",
        ]
        for value in values {
            for key in keys { _ = decode([.object(JSONObject(members: [("type", JSON(type)), (key, value)]))]) }
        }
        _ = decode([["type": JSON(type)]])
    }

    @Test func hugeNumbersDoNotOverflow() {
        let models: JSON = [
            "m": [
                "inputTokens": .int(.max), "cacheReadInputTokens": .int(.max), "outputTokens": .int(.max),
                "costUSD": 1e308,
            ]
        ]
        _ = decode([
            [
                "type": "stream_event",
                "event": [
                    "type": "message_start",
                    "message": ["id": "m", "usage": ["input_tokens": .int(.max), "output_tokens": .int(.max)]],
                ],
            ],
            [
                "type": "stream_event",
                "event": [
                    "type": "content_block_start", "index": .int(.max), "content_block": ["type": "text", "text": "x"],
                ],
            ],
            ["type": "assistant", "message": ["id": "m", "content": [["type": "text", "text": "x"]]]],
            ["type": "assistant", "message": ["id": "m", "content": [["type": "text", "text": "y"]]]],
            ["type": "result", "subtype": "success", "model_usage_since_last_result": models],
        ])
    }

    // MARK: Tools

    @Test func aFailedCommandTellsItsExitCode() {
        let events = decode([
            toolUse("Bash", ["command": "exit 3"]),
            toolResult("Exit code 3\nout\nerr", details: "Error", isError: true),
        ])
        #expect(
            events.last
                == .toolResult(
                    ToolResult(
                        itemId: "toolu_1", nativeId: "toolu_1", status: .failed, content: "Exit code 3\nout\nerr",
                        exitCode: 3)))
    }

    @Test func imagesStayContentBlocks() {
        let image: JSON = [["type": "image", "source": ["type": "base64", "data": "AA==", "media_type": "image/png"]]]
        let events = decode([toolUse("Read", ["file_path": "/p.png"]), toolResult(image)])
        guard case .toolResult(let result)? = events.last else {
            Issue.record("no result")
            return
        }
        #expect(result.content == image)
        #expect(result.exitCode == nil)
    }

    @Test func anOverwrittenFileIsADiffOfBothTexts() {
        let details: JSON = [
            "type": "update", "filePath": "/w/a", "content": "one\nthree\n", "originalFile": "one\n2\n",
            "structuredPatch": [
                ["oldStart": 1, "oldLines": 2, "newStart": 1, "newLines": 2, "lines": [" one", "-2", "+three"]]
            ],
        ]
        let events = decode([
            toolUse("Write", ["file_path": "/w/a", "content": "one\nthree\n"]), toolResult("ok", details: details),
        ])
        #expect(
            events.last
                == .diff(
                    FileDiff(
                        itemId: "toolu_1", path: "/w/a", oldText: "one\n2\n", newText: "one\nthree\n",
                        unified: "--- a/w/a\n+++ b/w/a\n@@ -1,2 +1,2 @@\n one\n-2\n+three\n")))
    }

    @Test func aFailedEditIsNoDiff() {
        let events = decode([
            toolUse("Edit", ["file_path": "/a", "old_string": "x", "new_string": "y"]),
            toolResult("not found", isError: true),
        ])
        #expect(!events.contains { if case .diff = $0 { true } else { false } })
    }

    @Test func withoutDetailsTheArgumentsMakeTheDiff() {
        let edit = decode([
            toolUse("Edit", ["file_path": "/a", "old_string": "x", "new_string": "y"]), toolResult("ok"),
        ])
        #expect(edit.last == .diff(FileDiff(itemId: "toolu_1", path: "/a", oldText: "x", newText: "y")))
        let edits: JSON = [["old_string": "a", "new_string": "b"], ["old_string": "c", "new_string": "d"]]
        let multi = decode([toolUse("MultiEdit", ["file_path": "/a", "edits": edits]), toolResult("ok")])
        #expect(
            multi.suffix(2) == [
                .diff(FileDiff(itemId: "toolu_1", path: "/a", oldText: "a", newText: "b")),
                .diff(FileDiff(itemId: "toolu_1", path: "/a", oldText: "c", newText: "d")),
            ])
        let notebook = decode([
            toolUse("NotebookEdit", ["notebook_path": "/n.ipynb", "new_source": "1"]), toolResult("ok"),
        ])
        #expect(notebook.last == .diff(FileDiff(itemId: "toolu_1", path: "/n.ipynb", newText: "1")))
    }

    @Test func todoListsArePlans() {
        let todos: JSON = [
            ["content": "A", "status": "in_progress", "activeForm": "Doing A"], ["content": "B", "status": "odd"],
        ]
        let events = decode([toolUse("TodoWrite", ["todos": todos]), toolResult("ok", details: ["newTodos": todos])])
        #expect(
            events.last
                == .plan(
                    itemId: "toolu_1",
                    entries: [
                        PlanEntry(content: "A", status: "in_progress"), PlanEntry(content: "B", status: "pending"),
                    ]))
    }

    @Test func taskToolsBuildThePlanStepByStep() {
        let events = decode([
            toolUse("TaskCreate", ["subject": "A"], id: "1"),
            toolResult("ok", details: ["task": ["id": "1", "subject": "A"]], id: "1"),
            toolUse("TaskCreate", ["subject": "B"], id: "2"),
            toolResult("ok", details: ["task": ["id": "2", "subject": "B"]], id: "2"),
            toolUse("TaskUpdate", ["taskId": "1", "status": "completed"], id: "3"),
            toolResult(
                "ok",
                details: ["success": true, "taskId": "1", "statusChange": ["from": "pending", "to": "completed"]],
                id: "3"),
            toolUse("TaskUpdate", ["taskId": "2", "status": "deleted"], id: "4"),
            toolResult("ok", details: ["success": true, "taskId": "2"], id: "4"),
        ])
        let plans = events.compactMap { event -> [String]? in
            if case .plan(_, let entries) = event { entries.map { "\($0.content) \($0.status)" } } else { nil }
        }
        #expect(plans == [["A pending"], ["A pending", "B pending"], ["A completed", "B pending"], ["A completed"]])
    }

    // MARK: Turns

    @Test func whatAStoppedStreamLeftIsPartial() {
        var decoder = ClaudeDecoder()
        decoder.beginTurn(uuid: "u")
        _ = decoder.decode(
            Array(#"{"type":"stream_event","event":{"type":"message_start","message":{"id":"m"}}}"#.utf8))
        _ = decoder.decode(
            Array(
                #"{"type":"stream_event","event":{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}}"#
                    .utf8))
        _ = decoder.decode(
            Array(
                #"{"type":"stream_event","event":{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"half"}}}"#
                    .utf8))
        #expect(decoder.end() == [.message(Message(itemId: "m:0", nativeId: "m", text: "half", isPartial: true))])
        #expect(decoder.end().isEmpty)
    }

    @Test func aBackgroundTurnDoesNotEndOurs() {
        let background: JSON = [
            "type": "result", "subtype": "success", "origin": ["kind": "task-notification"], "is_error": false,
            "model_usage_since_last_result": ["m": ["inputTokens": 5, "outputTokens": 1, "costUSD": 0.5]],
        ]
        var decoder = ClaudeDecoder()
        decoder.beginTurn(uuid: "u")
        let events = decoder.decode(background.serialize()).events
        #expect(decoder.turn == .sent(uuid: "u"))
        #expect(events.contains(.usage(Usage(input: 5, output: 1, costUsd: 0.5, model: "m"))))
        let ours: JSON = [
            "type": "result", "subtype": "success", "user_message_uuids": ["u"], "stop_reason": "end_turn",
        ]
        guard case .turnCompleted(let outcome)? = decoder.decode(ours.serialize()).events.last else {
            Issue.record("no end")
            return
        }
        #expect(outcome.status == .completed)
        #expect(decoder.turn == .none)
    }

    @Test func anUnknownConversationIsAnEffectAndNoTurn() {
        var decoder = ClaudeDecoder()
        let line: JSON = [
            "type": "result", "subtype": "error_during_execution", "is_error": true,
            "errors": ["No conversation found with session ID: x"],
        ]
        let output = decoder.decode(line.serialize())
        #expect(output.events.isEmpty)
        #expect(output.effects == [.resumeFailed("No conversation found with session ID: x")])
    }

    @Test(
        "Failures have the shared codes",
        arguments: [
            (401, "authentication_error", "x", "authentication_failed"),
            (403, "permission_error", "x", "authentication_failed"),
            (429, "rate_limit_error", "x", "rate_limited"), (529, "overloaded_error", "x", "overloaded"),
            (500, "api_error", "x", "provider_error"), (400, "invalid_request_error", "x", "invalid_request"),
            (400, "invalid_request_error", "prompt is too long: 1 > 0", "context_exhausted"),
            (404, "not_found_error", "x", "invalid_request"),
        ])
    func failureCodes(_ status: Int, _ type: String, _ text: String, _ code: String) {
        let events = decode([
            [
                "type": "assistant", "is_api_error_message": true, "api_error_status": JSON(status),
                "api_error_type": JSON(type),
                "message": ["id": "e", "model": "<synthetic>", "content": [["type": "text", "text": JSON(text)]]],
            ],
            [
                "type": "result", "subtype": "success", "is_error": true, "api_error_status": JSON(status),
                "api_error_type": JSON(type), "result": JSON(text), "terminal_reason": "api_error",
            ],
        ])
        let codes = events.compactMap { if case .error(let failure) = $0 { failure.code } else { nil } }
        #expect(codes == [code])
        guard case .turnCompleted(let outcome)? = events.last else {
            Issue.record("no end")
            return
        }
        #expect(outcome.status == .failed)
    }

    @Test(
        "Without differences, cost comes from the totals",
        arguments: [(0.0, 0.25), (0.2, 0.05), (nil, nil)] as [(Double?, Double?)])
    func costFromTotals(_ known: Double?, _ expected: Double?) {
        var decoder = ClaudeDecoder(knownCostUsd: known)
        func cost(_ total: Double) -> Double? {
            decoder.beginTurn(uuid: "u")
            let line: JSON = [
                "type": "result", "subtype": "success", "total_cost_usd": JSON(total), "usage": ["input_tokens": 1],
            ]
            guard case .turnCompleted(let outcome)? = decoder.decode(line.serialize()).events.last else { return nil }
            return outcome.usage?.costUsd
        }
        let first = cost(0.25)
        #expect(first.map { ($0 * 1e6).rounded() } == expected.map { ($0 * 1e6).rounded() })
        // Once a total is known, the next difference is.
        #expect(abs((cost(0.75) ?? -1) - 0.5) < 1e-9)
    }

    // MARK: Requests

    private func permission(_ suggestions: JSON) -> ClaudeDecoder.Output {
        var decoder = ClaudeDecoder()
        decoder.beginTurn(uuid: "u")
        let line: JSON = [
            "type": "control_request", "request_id": "r",
            "request": [
                "subtype": "can_use_tool", "tool_name": "Bash", "input": ["command": "touch a"],
                "tool_use_id": "toolu_1",
                "permission_suggestions": suggestions,
            ],
        ]
        return decoder.decode(line.serialize())
    }

    @Test func withoutSuggestionsThereIsNoAlways() {
        guard case .permissionRequested(let request)? = permission(nil).events.first else {
            Issue.record("none")
            return
        }
        #expect(request.options.map(\.kind) == [.allowOnce, .rejectOnce])
        #expect(request.itemId == "toolu_1")
    }

    @Test func anAlwaysSaysItsRuleAndEchoesOnlyThat() throws {
        let rule: JSON = [
            "type": "addRules", "rules": [["toolName": "Bash", "ruleContent": "touch a"]], "behavior": "allow",
            "destination": "localSettings",
        ]
        let mode: JSON = ["type": "setMode", "mode": "acceptEdits", "destination": "session"]
        let output = permission([rule, mode, ["type": "mystery"]])
        guard case .permissionRequested(let request)? = output.events.first,
            case .requested(let pending)? = output.effects.first
        else {
            Issue.record("none")
            return
        }
        #expect(
            request.options.map(\.label) == [
                "Allow once", "Always allow Bash(touch a) in this project, for you",
                "Allow all file edits in this session", "Reject",
            ])
        #expect(request.options.map(\.optionId) == ["allow_once", "allow_always", "allow_always_2", "reject_once"])
        let input: JSON = ["command": "touch a"]
        #expect(pending.reply(.option("allow_once"), message: nil) == ["behavior": "allow", "updatedInput": input])
        #expect(
            pending.reply(.option("allow_always"), message: nil) == [
                "behavior": "allow", "updatedInput": input, "updatedPermissions": [rule],
            ])
        #expect(pending.reply(.option("reject_once"), message: "no") == ["behavior": "deny", "message": "no"])
        #expect(pending.reply(.option("invented"), message: nil)["behavior"] == "deny")
        #expect(pending.reply(.cancelled, message: nil)["behavior"] == "deny")
    }

    @Test func answersAreKeyedByTheQuestion() {
        let request = ClaudeRequest(requestId: "r", kind: .question, input: ["questions": []])
        #expect(
            request.reply(answers: ["Which?": ["A", "B"], "Name": "x"])["updatedInput"]?["answers"] == [
                "Which?": "A, B", "Name": "x",
            ])
        #expect(request.reply(answers: nil)["behavior"] == "deny")
    }

    @Test(
        "A plan is approved, kept, or sent back with words",
        arguments: [
            ("Approve", "allow", nil), ("approve", "allow", nil),
            ("Keep planning", "deny", "The user wants you to keep planning."),
            ("use tabs", "deny", "use tabs"),
        ] as [(String, String, String?)])
    func plan(_ answer: String, _ behavior: String, _ message: String?) {
        let request = ClaudeRequest(requestId: "r", kind: .planApproval, input: [:])
        let reply = request.reply(answers: ["decision": JSON(answer)])
        #expect(reply["behavior"]?.stringValue == behavior)
        #expect(reply["message"]?.stringValue == message)
    }

    @Test func aRequestThatNobodyCanAnswerIsRefused() {
        var decoder = ClaudeDecoder()
        let output = decoder.decode(
            Array(#"{"type":"control_request","request_id":"h","request":{"subtype":"hook_callback"}}"#.utf8))
        #expect(output.effects == [.unsupportedRequest(requestId: "h", subtype: "hook_callback")])
    }
}
