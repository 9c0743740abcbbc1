import HubProtocol
import JSON
import ProviderCodex
import Providers
import Testing

struct CodexDecoderTests {
    private var decoder: CodexDecoder { CodexDecoder(threadId: "t", epoch: "e", settings: ["model": "m"]) }

    /// Notifications of a turn of ours, `u` of thread `t`, unless they say otherwise.
    private func play(_ messages: [(String, JSONObject)], _ decoder: inout CodexDecoder) -> [NormalizedEvent] {
        messages.flatMap { method, params in
            let all = (["threadId": "t", "turnId": "u"] as JSONObject).merging(params)
            return decoder.decode(.notification(method: method, params: .object(all))).events
        }
    }

    private func play(_ messages: [(String, JSONObject)]) -> [NormalizedEvent] {
        var decoder = decoder
        decoder.beginTurn()
        decoder.turnAccepted(id: "u")
        return play(messages, &decoder)
    }

    private func item(_ method: String, _ type: String, _ more: JSONObject, id: String = "i") -> (String, JSONObject) {
        (method, ["item": .object((["type": JSON(type), "id": JSON(id)] as JSONObject).merging(more))])
    }

    private func end(_ status: String, _ more: JSONObject = [:]) -> (String, JSONObject) {
        ("turn/completed", ["turn": .object((["id": "u", "status": JSON(status)] as JSONObject).merging(more))])
    }

    // MARK: Lines

    @Test("What is no message is kept as it came", arguments: ["hello", "{", "[1]", "{\"a\":1}", "null"])
    func unparsed(_ text: String) {
        var decoder = decoder
        let events = CodexMessage.read(Array(text.utf8)).map { decoder.decode($0).events }
        #expect(
            events == [.custom(type: "unparsed_output", data: ["text": JSON(text), "bytes": JSON(text.utf8.count)])])
    }

    @Test func blankLinesAreNothing() {
        #expect(CodexMessage.read([]) == nil && CodexMessage.read([0x20, 0x09]) == nil)
    }

    @Test func theServersIdentifiersAreItsOwn() {
        #expect(
            CodexMessage.read(Array(#"{"id":0,"method":"a/b","params":{}}"#.utf8))
                == .request(id: 0, method: "a/b", params: [:]))
        #expect(CodexMessage.read(Array(#"{"id":0,"result":{}}"#.utf8)) == .result(id: 0, [:]))
    }

    // MARK: Items

    @Test func aToolOfAnMCPServer() {
        let call: JSONObject = ["server": "files", "tool": "find", "arguments": ["name": "x"]]
        let events = play([
            item("item/started", "mcpToolCall", call.merging(["status": "inProgress"])),
            ("item/mcpToolCall/progress", ["itemId": "i", "message": "looking"]),
            item(
                "item/completed", "mcpToolCall",
                call.merging(["status": "completed", "result": ["content": [["type": "text", "text": "found"]]]])),
            item(
                "item/completed", "mcpToolCall",
                call.merging(["status": "failed", "error": ["message": "gone"]]), id: "j"),
        ])
        #expect(
            events == [
                .toolCall(
                    ToolCall(
                        itemId: "i", nativeId: "i", name: "files.find", title: "files.find", arguments: ["name": "x"])),
                .chunk(itemId: "i", kind: .toolOutput, text: "looking\n"),
                .toolResult(ToolResult(itemId: "i", nativeId: "i", status: .completed, content: "found")),
                .toolCall(
                    ToolCall(
                        itemId: "j", nativeId: "j", name: "files.find", title: "files.find", arguments: ["name": "x"])),
                .toolResult(ToolResult(itemId: "j", nativeId: "j", status: .failed, content: "gone")),
            ])
    }

    @Test func aSearchIsNamedWhenItIsKnownWhatFor() {
        let events = play([
            item("item/started", "webSearch", ["query": ""]),
            item("item/completed", "webSearch", ["query": "swift", "action": ["type": "search", "query": "swift"]]),
        ])
        guard case .toolCall(let call)? = events.first else {
            Issue.record("no call")
            return
        }
        #expect(events.count == 2 && call.title == "Search swift" && call.toolKind == "fetch")
    }

    @Test func whatAnAgentSaysBelongsToTheCallThatStartedIt() {
        var decoder = decoder
        decoder.beginTurn()
        decoder.turnAccepted(id: "u")
        let spawn: JSONObject = [
            "tool": "spawnAgent", "senderThreadId": "t", "receiverThreadIds": ["a"], "agentsStates": [:],
            "status": "inProgress", "prompt": "look around",
        ]
        let started: JSONObject = ["threadId": "t", "turnId": "u"]
        let params = started.merging(item("", "collabAgentToolCall", spawn).1)
        let output = decoder.decode(.notification(method: "item/started", params: .object(params)))
        #expect(output.effects == [.adopted(threadId: "a")])
        let events = play(
            [
                ("item/agentMessage/delta", ["threadId": "a", "itemId": "m", "delta": "hi"]),
                ("item/completed", ["threadId": "a", "item": ["type": "agentMessage", "id": "m", "text": "hi"]]),
                ("thread/tokenUsage/updated", ["threadId": "a", "tokenUsage": usage(total: 500, last: 500)]),
                ("turn/completed", ["threadId": "a", "turn": ["id": "v", "status": "completed"]]),
                (
                    "item/completed",
                    ["threadId": "stranger", "item": ["type": "agentMessage", "id": "x", "text": "no"]]
                ),
                end("completed"),
            ], &decoder)
        #expect(events.contains(.message(Message(itemId: "m", nativeId: "m", text: "hi", parentItemId: "i"))))
        let strangers = events.contains { if case .custom("item/completed", _) = $0 { true } else { false } }
        #expect(strangers)
        guard case .turnCompleted(let outcome)? = events.last else {
            Issue.record("the turn goes on")
            return
        }
        #expect(outcome.usage?.input == 500)
    }

    @Test func aCommandMayOutliveItsTurn() {
        let events = play([
            item("item/started", "commandExecution", ["command": "serve", "cwd": "/", "commandActions": []]),
            ("item/commandExecution/outputDelta", ["itemId": "i", "delta": "listening"]),
            end("completed"),
            ("item/commandExecution/outputDelta", ["itemId": "i", "delta": "more"]),
            item("item/completed", "commandExecution", ["status": "failed", "exitCode": 1, "aggregatedOutput": "all"]),
        ])
        #expect(
            events.contains(
                .toolResult(ToolResult(itemId: "i", nativeId: "i", status: .completed, content: "listening"))))
        #expect(
            events.last
                == .status(
                    type: "background_command_completed",
                    data: ["itemId": "i", "status": "failed", "exitCode": 1, "output": "all"]))
    }

    @Test func reasoningHasParagraphs() {
        let events = play([
            ("item/reasoning/summaryTextDelta", ["itemId": "i", "delta": "one", "summaryIndex": 0]),
            ("item/reasoning/summaryPartAdded", ["itemId": "i", "summaryIndex": 1]),
            ("item/reasoning/summaryTextDelta", ["itemId": "i", "delta": "two", "summaryIndex": 1]),
            item("item/completed", "reasoning", ["summary": ["one", "two"], "content": []]),
        ])
        let streamed = events.compactMap { if case .chunk(_, _, let text) = $0 { text } else { nil } }.joined()
        #expect(streamed == "one\n\ntwo")
        #expect(events.last == .thinking(itemId: "i", nativeId: nil, text: "one\n\ntwo", parentItemId: nil))
    }

    @Test func whatSomebodyElsePutInIsShown() {
        let content: JSON = [["type": "text", "text": "words"]]
        let events = play([
            item("item/completed", "userMessage", ["content": content], id: "ours"),
            item("item/completed", "userMessage", ["content": content], id: "theirs"),
        ])
        #expect(events == [.message(Message(itemId: "theirs", nativeId: "theirs", role: "user", text: "words"))])
    }

    @Test func theLatestPlanAndDiffAreTold() {
        let events = play([
            (
                "turn/plan/updated",
                [
                    "explanation": "why",
                    "plan": [["step": "a", "status": "inProgress"], ["step": "b", "status": "?"]],
                ]
            ),
            ("turn/diff/updated", ["diff": "first"]), ("turn/diff/updated", ["diff": "second"]), end("completed"),
        ])
        #expect(
            events.first
                == .plan(
                    itemId: nil,
                    entries: [
                        PlanEntry(content: "a", status: "in_progress"), PlanEntry(content: "b", status: "pending"),
                    ]))
        let diffs = events.filter { if case .status("turn_diff", _) = $0 { true } else { false } }
        #expect(diffs == [.status(type: "turn_diff", data: ["unified": "second"])])
    }

    @Test func aTurnThatNobodySentIsOne() {
        var decoder = decoder
        let events = play([("turn/started", ["turn": ["id": "u"]]), end("completed")], &decoder)
        #expect(events.first == .turnStarted(reason: "provider"))
        #expect(decoder.turn == .none)
    }

    // MARK: Usage and quota

    private func usage(total: Int, last: Int) -> JSON {
        func tokens(_ count: Int) -> JSON {
            ["inputTokens": JSON(count), "outputTokens": 1, "cachedInputTokens": 2, "totalTokens": JSON(count)]
        }
        return ["total": tokens(total), "last": tokens(last), "modelContextWindow": 1000]
    }

    private func spent(_ reports: [(total: Int, last: Int, turn: String)]) -> Int? {
        let events = play(
            reports.map {
                (
                    "thread/tokenUsage/updated",
                    ["turnId": JSON($0.turn), "tokenUsage": usage(total: $0.total, last: $0.last)]
                )
            } + [end("completed")])
        guard case .turnCompleted(let outcome)? = events.last else { return nil }
        return outcome.usage?.input
    }

    @Test func tokensAreTheTurnsOwn() {
        #expect(spent([(100, 100, "u"), (250, 150, "u")]) == 250)
        // A resumed thread begins with its past; a forked one doesn't tell it.
        #expect(spent([(400, 100, "before"), (500, 100, "u")]) == 100)
        #expect(spent([(500, 100, "u"), (700, 200, "u")]) == 300)
        // A report that only repeats what was known is no cost.
        #expect(spent([(400, 100, "before"), (400, 100, "u")]) == 0)
        #expect(spent([]) == nil)
    }

    private func limits(_ members: JSONObject) -> (String, JSONObject) {
        ("account/rateLimits/updated", ["rateLimits": .object((["limitId": "codex"] as JSONObject).merging(members))])
    }

    @Test func windowsAreToldWhenTheyChange() {
        func window(_ percent: Int, _ minutes: Int) -> JSON {
            ["usedPercent": JSON(percent), "windowDurationMins": JSON(minutes), "resetsAt": 5]
        }
        let events = play([
            limits(["primary": window(79, 300), "secondary": window(80, 10_080)]),
            // What is left out stays as it was.
            limits(["primary": nil, "secondary": nil]), limits(["primary": window(79, 300)]),
            limits(["primary": window(100, 300)]), limits(["primary": window(1, 43_200), "limitId": "other"]),
            limits(["credits": ["hasCredits": false, "unlimited": false]]),
        ])
        #expect(
            events == [
                .quota(Quota(status: "allowed", resetsAt: 5, window: "five_hour", utilization: 0.79)),
                .quota(Quota(status: "warning", resetsAt: 5, window: "seven_day", utilization: 0.8)),
                .quota(Quota(status: "rejected", resetsAt: 5, window: "five_hour", utilization: 1)),
                .quota(Quota(status: "allowed", resetsAt: 5, window: "other/30_day", utilization: 0.01)),
                .status(type: "account_limits", data: ["credits": ["hasCredits": false, "unlimited": false]]),
            ])
    }

    // MARK: Failures

    @Test(
        "Every kind of error has its code",
        arguments: [
            ("contextWindowExceeded", "context_exhausted"), ("sessionBudgetExceeded", "quota_exhausted"),
            ("usageLimitExceeded", "quota_exhausted"), ("rateLimitExceeded", "rate_limited"),
            ("flexUnavailable", "overloaded"), ("serverOverloaded", "overloaded"), ("cyberPolicy", "invalid_request"),
            ("misalignmentPolicyViolation", "invalid_request"), ("tooManyDenials", "invalid_request"),
            ("internalServerError", "provider_error"), ("unauthorized", "authentication_failed"),
            ("badRequest", "invalid_request"), ("threadRollbackFailed", "provider_error"),
            ("sandboxError", "provider_error"), ("other", "provider_error"), ("somethingNew", "provider_error"),
        ])
    func words(_ word: String, _ code: String) {
        let failure = CodexFailures.failure(
            ["message": "m", "codexErrorInfo": JSON(word), "additionalDetails": "d"], quotaReset: nil)
        #expect(failure.code == code)
        #expect(failure.details["codexErrorInfo"] == JSON(word) && failure.details["additionalDetails"] == "d")
        #expect(failure.recoverable == !["invalid_request", "context_exhausted"].contains(code))
    }

    @Test(arguments: [
        (401, "authentication_failed"), (403, "authentication_failed"), (429, "rate_limited"), (503, "overloaded"),
        (529, "overloaded"), (400, "invalid_request"), (500, "provider_error"), (0, "provider_error"),
    ])
    func statuses(_ status: Int, _ code: String) {
        for carrier in CodexFailures.carriers where carrier != "activeTurnNotSteerable" {
            let info: JSONObject = [carrier: ["httpStatusCode": status == 0 ? nil : JSON(status)]]
            let failure = CodexFailures.failure(["message": "m", "codexErrorInfo": .object(info)], quotaReset: nil)
            #expect(failure.code == code, "\(carrier)")
        }
    }

    @Test(
        arguments: [
            ("Please try again in 1.5s.", 1.5), ("try again in 20 seconds", 20), ("try again in 2m30s", 150),
            ("try again in 500ms or so", 0.5), ("try again in 1 hour 5 minutes.", 3900), ("try again at 2:32 AM", nil),
            ("try again in a while", nil), ("", nil), ("try again in 5", nil),
        ] as [(String, Double?)])
    func waits(_ words: String, _ seconds: Double?) {
        #expect(CodexFailures.retryAfter(words) == seconds)
    }

    @Test func anErrorAndTheTurnsEndTellTheSameOnce() {
        let error: JSON = ["message": "m", "codexErrorInfo": "serverOverloaded"]
        let events = play([("error", ["error": error, "willRetry": false]), end("failed", ["error": error])])
        let said = events.count { if case .error = $0 { true } else { false } }
        #expect(said == 1)
    }

    // MARK: Forms

    @Test func aFormsAnswersHaveItsTypes() {
        var decoder = decoder
        let schema: JSON = [
            "type": "object", "required": ["name"],
            "properties": [
                "name": ["type": "string", "title": "Name"], "age": ["type": "integer"], "ok": ["type": "boolean"],
                "color": [
                    "type": "string", "oneOf": [["const": "r", "title": "Red"], ["const": "b", "title": "Blue"]],
                ],
                "tags": ["type": "array", "items": ["type": "string", "enum": ["x", "y"]]],
                "left": ["type": "string"],
            ],
        ]
        let params: JSON = [
            "threadId": "t", "serverName": "s", "mode": "form", "message": "About you", "requestedSchema": schema,
        ]
        let output = decoder.decode(.request(id: 7, method: "mcpServer/elicitation/request", params: params))
        guard case .questionRequested(let asked)? = output.events.first,
            case .requested(let request)? = output.effects.first
        else {
            Issue.record("no question")
            return
        }
        #expect(asked.questions.map(\.id) == ["name", "age", "ok", "color", "tags", "left"])
        #expect(asked.questions[3].options.map(\.label) == ["Red", "Blue"] && asked.questions[4].allowsMultiple)
        let reply = request.reply(answers: [
            "name": "Ann", "age": "7", "ok": "No", "color": "Blue", "tags": ["x", "y"], "left": "",
        ])
        #expect(
            reply == [
                "action": "accept",
                "content": ["name": "Ann", "age": 7, "ok": false, "color": "b", "tags": ["x", "y"]],
            ])
        #expect(request.reply(answers: nil)["action"] == "decline")
    }
}
