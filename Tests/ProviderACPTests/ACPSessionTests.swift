import ACPMessages
import HubProtocol
import JSON
import Processes
import ProviderACP
import Providers
import Testing

@Suite struct ACPSessionTests {
    private let ended: JSON = ["stopReason": "end_turn"]
    private let permission: JSON = [
        "sessionId": "s1", "toolCall": ["toolCallId": "c1", "title": "rm x", "kind": "execute"],
        "options": [
            ["optionId": "y", "name": "Yes", "kind": "allow_once"],
            ["optionId": "n", "name": "No", "kind": "reject_once"],
            ["optionId": "y", "name": "Twice", "kind": "allow_always"],
            ["optionId": "z", "name": "Odd", "kind": "huh"],
        ],
    ]

    // MARK: Opening

    @Test func announcesWhatItServes() throws {
        let talk = Conversation()
        talk.session.start()
        let params = try #require(talk.agent.last("initialize")?["params"])
        #expect(params["protocolVersion"] == 1)
        #expect(params["clientCapabilities"]?["fs"] == ["readTextFile": true, "writeTextFile": true])
        #expect(params["clientCapabilities"]?["terminal"] == true)
        #expect(params["clientCapabilities"]?["elicitation"]?["form"] == [:])
    }

    @Test func holdsPromptUntilReadyAndEarlyUpdatesUntilTheSessionIsKnown() {
        let talk = Conversation()
        talk.session.start()
        talk.session.send("hi", turnId: "t1")
        talk.agent.answer("initialize", ["protocolVersion": 1])
        talk.agent.update(["sessionUpdate": "usage_update", "used": 1, "size": 2])
        #expect(talk.agent.last("session/prompt") == nil)
        #expect(talk.lines() == [])
        talk.agent.answer("session/new", ["sessionId": "s1"])
        #expect(
            talk.lines() == [
                "ready s1 models= modes=", "usage input=0 output=0 cached=0 contextUsed=1 contextWindow=2",
            ])
        #expect(talk.agent.last("session/prompt")?["params"]?["prompt"] == [["type": "text", "text": "hi"]])
        talk.agent.message("yo")
        talk.agent.answer("session/prompt", ended)
        #expect(
            talk.lines() == [
                #"chunk t1.m1 message "yo""#, #"message t1.m1 assistant "yo""#, "turnCompleted completed end_turn",
            ])
    }

    @Test func refusesAnotherProtocolVersion() {
        let talk = Conversation()
        talk.session.start()
        talk.agent.answer("initialize", ["protocolVersion": 2])
        #expect(talk.agent.isTerminated)
        talk.agent.exit(.exited(0))
        #expect(talk.startFailure == "provider_start_failed")
    }

    @Test func authenticationIsAskedForAtSessionNew() {
        let talk = Conversation()
        talk.session.start()
        talk.agent.answer("initialize", ["protocolVersion": 1])
        talk.agent.refuse("session/new", code: -32000, "Authentication required")
        talk.agent.exit(.exited(0))
        #expect(talk.startFailure == "authentication_failed")
    }

    @Test func startThatFailsOrTakesTooLongOrDies() {
        let absent = Conversation()
        absent.agent.startError = Failure(code: "provider_start_failed", message: "no such program")
        absent.session.start()
        #expect(absent.startFailure == "provider_start_failed")

        let slow = Conversation()
        slow.session.start()
        slow.agent.advance(.seconds(59))
        #expect(!slow.agent.isTerminated)
        slow.agent.advance(.seconds(1))
        #expect(slow.agent.isTerminated)
        slow.agent.exit(.signaled(15))
        #expect(slow.startFailure == "provider_start_failed")

        let dead = Conversation()
        dead.session.start()
        dead.agent.exit(.exited(3))
        #expect(dead.startFailure == "provider_start_failed")
    }

    @Test func stopAtAnyTime() {
        let idle = Conversation()
        idle.session.stop()
        #expect(idle.ends == [.stopped])
        let running = Conversation()
        running.open()
        running.session.stop()
        #expect(running.agent.isTerminated)
        #expect(running.ends.isEmpty)
        running.agent.exit(.signaled(9))
        #expect(running.ends == [.stopped])
    }

    // MARK: Resuming

    private func user(_ text: String) -> JSON {
        ["sessionUpdate": "user_message_chunk", "content": ["type": "text", "text": JSON(text)]]
    }

    private func resuming(_ capabilities: JSON) -> Conversation {
        let talk = Conversation { $0.resumeNativeSessionId = "s1" }
        talk.session.start()
        talk.session.send("more", turnId: "t9")
        talk.agent.answer("initialize", ["protocolVersion": 1, "agentCapabilities": capabilities])
        return talk
    }

    @Test func historyBeforeTheAnswerIsNotTold() {
        let talk = resuming(["loadSession": true])
        talk.agent.update(user("old"))
        talk.agent.message("older answer")
        talk.agent.update([
            "sessionUpdate": "usage_update", "used": 5, "size": 9, "cost": ["amount": 1.5, "currency": "USD"],
        ])
        talk.agent.answer("session/load", [:])
        #expect(talk.lines() == ["ready s1 models= modes="])
        // It came in order: the prompt needn't wait.
        #expect(talk.agent.last("session/prompt") != nil)
        talk.agent.update([
            "sessionUpdate": "usage_update", "used": 6, "size": 9, "cost": ["amount": 1.75, "currency": "USD"],
        ])
        talk.agent.answer("session/prompt", ended)
        #expect(
            talk.lines().last
                == "turnCompleted completed end_turn input=0 output=0 cached=0 costUsd=0.25 contextUsed=6 contextWindow=9"
        )
    }

    @Test func historyAfterTheAnswerIsNotToldEither() {
        let talk = resuming(["loadSession": true])
        talk.agent.answer("session/load", [:])
        #expect(talk.lines() == ["ready s1 models= modes="])
        talk.agent.advance(.milliseconds(200))
        talk.agent.update(user("old"))
        talk.agent.advance(.milliseconds(200))
        talk.agent.message("older answer")
        #expect(talk.agent.last("session/prompt") == nil)
        talk.agent.advance(.milliseconds(250))
        #expect(talk.agent.last("session/prompt") != nil)
        // Even later: somebody else's words in the user's name, until our own prompt is said back.
        talk.agent.update(user("old too"))
        talk.agent.message("old answer too")
        talk.agent.update(user("more"))
        talk.agent.message("new")
        talk.agent.answer("session/prompt", ended)
        #expect(
            talk.lines() == [
                #"chunk t9.m1 message "new""#, #"message t9.m1 assistant "new""#, "turnCompleted completed end_turn",
            ])
    }

    @Test func anEndlessReplayHoldsNothingUpForLong() {
        let talk = resuming(["loadSession": true])
        talk.agent.answer("session/load", [:])
        for _ in 0..<60 {
            talk.agent.advance(.milliseconds(200))
            talk.agent.message("x")
        }
        #expect(talk.agent.last("session/prompt") != nil)
    }

    @Test func resumeWithoutHistoryIsPreferred() {
        let talk = resuming(["loadSession": true, "sessionCapabilities": ["resume": [:]]])
        #expect(talk.agent.last("session/load") == nil)
        talk.agent.answer("session/resume", [:])
        #expect(talk.agent.last("session/prompt")?["params"]?["sessionId"] == "s1")
    }

    @Test(arguments: [true, false]) func anUnknownSessionIsBegunAnew(_ canLoad: Bool) {
        let talk = resuming(["loadSession": JSON(canLoad)])
        if canLoad { talk.agent.refuse("session/load", code: -32602, "Session not found") }
        talk.agent.answer("session/new", ["sessionId": "s2"])
        let lines = talk.lines()
        #expect(lines.first?.hasPrefix("error resume_failed") == true)
        #expect(lines.last == "ready s2 models= modes=")
        #expect(talk.agent.last("session/prompt")?["params"]?["sessionId"] == "s2")
    }

    // MARK: Interrupting

    @Test func interruptBeforeThePromptIsSent() {
        let talk = Conversation()
        talk.session.start()
        talk.session.send("hi", turnId: "t1")
        talk.session.interrupt()
        #expect(talk.lines() == ["turnCompleted interrupted cancelled"])
        talk.agent.answer("initialize", ["protocolVersion": 1])
        talk.agent.answer("session/new", ["sessionId": "s1"])
        #expect(talk.agent.last("session/prompt") == nil)
    }

    @Test func interruptWhileIdleDoesNothing() {
        let talk = Conversation()
        talk.open()
        _ = talk.lines()
        talk.session.interrupt()
        #expect(talk.lines() == [])
        #expect(talk.agent.last("session/cancel") == nil)
    }

    @Test func interruptCancelsWhatIsAskedAndClosesWhatIsOpen() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        talk.agent.message("so ")
        talk.agent.ask("req-1", "session/request_permission", permission)
        _ = talk.lines()
        talk.session.interrupt()
        #expect(talk.agent.last("session/cancel")?["params"]?["sessionId"] == "s1")
        #expect(talk.agent.answer(to: "req-1")?["result"] == ["outcome": ["outcome": "cancelled"]])
        #expect(talk.lines() == ["withdrawn t1.p2"])
        // Asked after the cancellation: nobody is bothered with it.
        talk.agent.ask(7, "session/request_permission", permission)
        #expect(talk.agent.answer(to: 7)?["result"] == ["outcome": ["outcome": "cancelled"]])
        talk.agent.answer("session/prompt", ["stopReason": "cancelled"])
        #expect(
            talk.lines() == [#"toolResult t1.c1 cancelled """#, "turnCompleted interrupted cancelled"])
        talk.agent.advance(.seconds(60))
        #expect(!talk.agent.isTerminated)
    }

    @Test func anErrorAfterACancellationIsTheCancellation() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        talk.session.interrupt()
        _ = talk.lines()
        talk.agent.refuse("session/prompt", code: -32603, "AbortError")
        #expect(talk.lines() == ["turnCompleted interrupted cancelled"])
    }

    @Test func anAgentThatDoesNotReactIsEnded() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        talk.agent.message("half")
        talk.session.interrupt()
        talk.agent.advance(.seconds(9))
        #expect(!talk.agent.isTerminated)
        talk.agent.advance(.seconds(1))
        #expect(talk.agent.isTerminated)
        _ = talk.lines()
        talk.agent.exit(.signaled(15))
        #expect(talk.lines() == [#"message t1.m1 assistant "half" partial"#])
        #expect(talk.ends == [.exited(.signaled(15), errorTail: "tail")])
    }

    // MARK: Permissions and questions

    @Test func permissionOffersExactlyWhatWasOffered() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        _ = talk.lines()
        talk.agent.ask("abc", "session/request_permission", permission)
        #expect(
            talk.lines() == [
                #"toolCall t1.c1 execute execute pending "rm x" {}"#,
                #"permission t1.p1 item=t1.c1 execute "rm x" {} y/allow_once/Yes, n/reject_once/No, z/reject_once/Odd"#,
            ])
        talk.session.answerPermission("t1.p1", .option("y"), message: nil)
        talk.session.answerPermission("t1.p1", .option("n"), message: nil)
        #expect(
            talk.agent.sent.filter { $0["id"] == "abc" }.map { $0["result"] } == [
                ["outcome": ["outcome": "selected", "optionId": "y"]]
            ])
    }

    @Test func anOptionThatWasNotOfferedCancels() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        talk.agent.ask(0, "session/request_permission", permission)
        talk.session.answerPermission("t1.p1", .option("other"), message: nil)
        #expect(talk.agent.answer(to: 0)?["result"] == ["outcome": ["outcome": "cancelled"]])
    }

    @Test func aRejectedToolThatIsNeverMentionedAgainIsClosed() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        talk.agent.ask(0, "session/request_permission", permission)
        talk.session.answerPermission("t1.p1", .option("n"), message: nil)
        _ = talk.lines()
        talk.agent.answer("session/prompt", ended)
        #expect(talk.lines() == [#"toolResult t1.c1 cancelled """#, "turnCompleted completed end_turn"])
    }

    @Test func theAgentTakesARequestBack() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        talk.agent.ask(5, "session/request_permission", permission)
        _ = talk.lines()
        talk.agent.say(["jsonrpc": "2.0", "method": "$/cancel_request", "params": ["requestId": 5]])
        #expect(talk.lines() == ["withdrawn t1.p1"])
        #expect(talk.agent.answer(to: 5)?["error"]?["code"] == -32800)
    }

    @Test func questionsAreFormsWithTypedAnswers() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        _ = talk.lines()
        talk.agent.ask(
            1, "elicitation/create",
            [
                "sessionId": "s1", "mode": "form", "message": "Some facts",
                "requestedSchema": [
                    "type": "object",
                    "properties": [
                        "colour": [
                            "type": "string", "title": "Colour",
                            "oneOf": [["const": "r", "title": "Red"], ["const": "b", "title": "Blue"]],
                        ],
                        "count": ["type": "integer"], "sure": ["type": "boolean", "title": "Sure?"],
                        "tags": ["type": "array", "items": ["type": "string", "enum": ["x", "y"]]],
                        "note": ["type": "string"],
                    ],
                ],
            ])
        #expect(
            talk.lines() == [
                #"question t1.q1 colour:"Colour"[Red|Blue], count:"count"[]+, sure:"Sure?"[Yes|No], tags:"tags"[x|y]*, note:"note"[]+"#
            ])
        talk.session.answerQuestion(
            "t1.q1", answers: ["colour": "Blue", "count": "3", "sure": "Yes", "tags": ["x"], "other": 1])
        #expect(
            talk.agent.answer(to: 1)?["result"] == [
                "action": "accept", "content": ["colour": "b", "count": 3, "sure": true, "tags": ["x"]],
            ])
    }

    @Test func aQuestionCanBeDeclined() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        talk.agent.ask(
            1, "elicitation/create",
            ["sessionId": "s1", "mode": "form", "message": "Go on?", "requestedSchema": ["type": "object"]])
        talk.session.answerQuestion("t1.q1", answers: nil)
        #expect(talk.agent.answer(to: 1)?["result"] == ["action": "decline"])
    }

    @Test(arguments: ["fs/read_text_file", "terminal/create", "x/y"]) func whatIsNotServedIsSaidSo(_ method: String) {
        let talk = Conversation(configuration: {
            $0.servesFiles = false
            $0.servesTerminals = false
        })
        talk.open()
        #expect(
            talk.agent.last("initialize")?["params"]?["clientCapabilities"]?["fs"] == [
                "readTextFile": false, "writeTextFile": false,
            ])
        #expect(talk.agent.last("initialize")?["params"]?["clientCapabilities"]?["terminal"] == false)
        _ = talk.lines()
        talk.agent.ask("q", method, [:])
        #expect(talk.agent.answer(to: "q")?["error"]?["code"] == -32601)
        #expect(talk.lines() == ["custom \(method) {}"])
    }

    @Test(arguments: ["session/request_permission", "elicitation/create"]) func brokenRequestsAreRefused(
        _ method: String
    ) {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        talk.agent.ask(3, method, ["sessionId": "s1", "mode": "url"])
        #expect(talk.agent.answer(to: 3)?["error"]?["code"] == -32602)
        #expect(talk.lines().last?.hasPrefix("custom \(method)") == true)
    }

    @Test func aFloodOfRequestsIsBounded() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        for id in 0..<100 { talk.agent.ask(JSON(id), "session/request_permission", permission) }
        #expect(talk.events.filter { if case .permissionRequested = $0 { true } else { false } }.count == 64)
        #expect(talk.agent.answer(to: 99)?["error"] != nil)
    }

    // MARK: Ends of turns

    @Test(arguments: [
        ("end_turn", "completed"), ("max_tokens", "completed"), ("max_turn_requests", "completed"),
        ("refusal", "failed"), ("cancelled", "interrupted"), ("something_new", "completed"),
    ]) func stopReasons(_ reason: String, _ status: String) {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        talk.agent.answer("session/prompt", ["stopReason": JSON(reason)])
        #expect(talk.lines().last == "turnCompleted \(status) \(reason)")
    }

    @Test(arguments: [
        (-32000, "Authentication required", "authentication_failed"), (-31002, "Invalid key", "authentication_failed"),
        (429, "slow down", "rate_limited"), (429, "Quota exceeded for today", "quota_exhausted"),
        (529, "Overloaded", "overloaded"), (503, "later", "overloaded"), (-32603, "Internal error", "provider_error"),
        (-32602, "Invalid params", "invalid_request"), (-32603, "prompt is too long", "context_exhausted"),
        (-32603, "Rate limit reached", "rate_limited"), (0, "", "provider_error"),
    ]) func errors(_ code: Int, _ message: String, _ expected: String) {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        _ = talk.lines()
        talk.agent.refuse("session/prompt", code: code, message)
        let lines = talk.lines()
        #expect(lines.first?.hasPrefix("error \(expected) ") == true)
        #expect(lines.last == "turnCompleted failed error")
    }

    @Test func anOverlongPromptIsRefused() {
        let talk = Conversation()
        talk.open()
        _ = talk.lines()
        talk.session.send(Prompt(String(repeating: "x", count: 16 * 1024 * 1024 + 1)), turnId: "t1")
        let lines = talk.lines()
        #expect(lines.first?.hasPrefix("error invalid_request") == true)
        #expect(lines.last == "turnCompleted failed error")
        #expect(talk.agent.last("session/prompt") == nil)
    }

    /// Found by fuzzing: it came back from being a date with dust on it.
    @Test func aQuotasWaitIsAsTheAgentSaidIt() {
        let quota = failure(of: ACPError(code: 429, message: "quota", data: ["retryAfter": 3]), provider: "A")
        #expect(quota.code == "quota_exhausted")
        #expect(quota.retryAfter == 3)
    }

    @Test func retryAfterIsRead() {
        #expect(
            failure(of: ACPError(code: 429, message: "x", data: ["retryAfter": 30]), provider: "A").retryAfter == 30)
        #expect(
            failure(of: ACPError(code: 429, message: "x", data: ["retryDelayMs": 1500]), provider: "A").retryAfter
                == 1.5)
        #expect(
            failure(of: ACPError(code: 429, message: "x", data: ["retryAfter": -1]), provider: "A").retryAfter == nil)
    }

    // MARK: Turns that nobody sent

    @Test func updatesBetweenTurnsAreATurnOfTheirOwn() {
        let talk = Conversation()
        talk.open()
        _ = talk.lines()
        talk.agent.message("by the way")
        #expect(talk.lines() == ["turnStarted background", #"chunk e-1.m1 message "by the way""#])
        talk.agent.advance(.milliseconds(1900))
        talk.agent.message("!")
        talk.agent.advance(.milliseconds(1900))
        #expect(talk.lines() == [#"chunk e-1.m1 message "!""#])
        talk.agent.advance(.milliseconds(100))
        #expect(talk.lines() == [#"message e-1.m1 assistant "by the way!""#, "turnCompleted completed"])
        // News about the session is no turn.
        talk.agent.update(["sessionUpdate": "session_info_update", "title": "T"])
        #expect(talk.lines() == [#"status title {"title":"T"}"#])
    }

    @Test func aNewPromptEndsATurnThatNobodySent() {
        let talk = Conversation()
        talk.open()
        _ = talk.lines()
        talk.agent.message("aside")
        talk.session.send("go", turnId: "t2")
        talk.agent.message("answer")
        talk.agent.answer("session/prompt", ended)
        #expect(
            talk.lines() == [
                "turnStarted background", #"chunk e-1.m1 message "aside""#, #"message e-1.m1 assistant "aside""#,
                // The turn that runs is the prompt's by now, so this one's end is no end of a turn.
                #"status background_turn_completed {"status":"completed"}"#, #"chunk t2.m1 message "answer""#,
                #"message t2.m1 assistant "answer""#,
                "turnCompleted completed end_turn",
            ])
    }

    @Test func aTurnThatNobodySentStaysOpenWhileItAsksAndCanBeInterrupted() {
        let talk = Conversation()
        talk.open()
        _ = talk.lines()
        talk.agent.ask(1, "session/request_permission", permission)
        talk.agent.advance(.seconds(30))
        #expect(talk.lines().last?.hasPrefix("permission e-1.p1") == true)
        talk.session.interrupt()
        #expect(
            talk.lines() == [
                "withdrawn e-1.p1", #"toolResult e-1.c1 cancelled """#, "turnCompleted interrupted cancelled",
            ])
    }

    // MARK: Modes and models

    private let offers: JSON = [
        "sessionId": "s1",
        "modes": ["currentModeId": "ask", "availableModes": [["id": "ask"], ["id": "auto"]]],
        "configOptions": [
            [
                "id": "llm", "category": "model", "type": "select", "currentValue": "small",
                "options": [["group": "g", "name": "G", "options": [["value": "small"], ["value": "large"]]]],
            ]
        ],
    ]

    @Test func modesAndModelsAreSetTheWayTheAgentOffers() {
        let talk = Conversation()
        talk.open(result: offers)
        #expect(talk.lines() == ["ready s1 model=small mode=ask models=small,large modes=ask,auto"])
        talk.session.setMode("auto")
        talk.session.setModel("large")
        #expect(talk.agent.last("session/set_mode")?["params"] == ["sessionId": "s1", "modeId": "auto"])
        #expect(
            talk.agent.last("session/set_config_option")?["params"] == [
                "sessionId": "s1", "configId": "llm", "value": "large",
            ])
        // Told twice, said once. And a prompt waits for what was set before it.
        talk.session.send("go", turnId: "t1")
        #expect(talk.agent.last("session/prompt") == nil)
        talk.agent.update(["sessionUpdate": "current_mode_update", "currentModeId": "auto"])
        talk.agent.answer("session/set_mode", [:])
        talk.agent.refuse("session/set_config_option", code: -32602, "No such model")
        #expect(
            talk.lines() == [
                #"status mode_changed {"mode":"auto"}"#,
                #"error invalid_request "The agent does not accept the request: No such model.""#,
            ])
        #expect(talk.agent.last("session/prompt") != nil)
    }

    @Test func wantedModeAndModelAreSetAtTheStart() {
        let talk = Conversation {
            $0.mode = "auto"
            $0.model = "small"
        }
        talk.open(result: offers)
        #expect(talk.agent.last("session/set_mode") != nil)
        #expect(talk.agent.last("session/set_config_option") == nil)
    }

    @Test func olderModelsMethod() {
        let talk = Conversation()
        talk.open(result: [
            "sessionId": "s1",
            "models": ["currentModelId": "a", "availableModels": [["modelId": "a"], ["modelId": "b"]]],
        ])
        talk.session.setModel("b")
        #expect(talk.agent.last("session/set_model")?["params"]?["modelId"] == "b")
        talk.agent.answer("session/set_model", [:])
        #expect(talk.lines().last == #"status model_changed {"model":"b"}"#)
        talk.session.setMode("x")
        #expect(talk.lines().last?.hasPrefix("error invalid_request") == true)
    }

    // MARK: Odd output

    @Test func garbageIsKeptAndHarmless() {
        let talk = Conversation()
        talk.open()
        _ = talk.lines()
        talk.agent.say(Array("warming up\n\n{\"a\":\n[]\n7\n{}\n".utf8))
        talk.agent.say([0x7b, 0xff, 0x0a])
        talk.agent.say(["jsonrpc": "2.0", "id": 999, "result": [:]], ["jsonrpc": "2.0", "id": .null, "error": [:]])
        talk.agent.say(["jsonrpc": "2.0", "method": "session/update", "params": 5])
        talk.agent.say(["jsonrpc": "2.0", "method": "_x/y", "params": [:]])
        let types = talk.lines().map { $0.split(separator: " ").prefix(2).joined(separator: " ") }
        #expect(
            types == Array(repeating: "custom unparsed_output", count: 6) + [
                "custom unexpected_answer", "custom unexpected_answer", "custom session_update", "custom _x/y",
            ])
        talk.session.send("go", turnId: "t1")
        talk.agent.answer("session/prompt", ended)
        #expect(talk.lines() == ["turnCompleted completed end_turn"])
    }

    @Test func updatesOfOtherSessionsAndUnknownKindsAreKept() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        _ = talk.lines()
        talk.agent.update(["sessionUpdate": "plan", "entries": []], session: "other")
        talk.agent.update(["sessionUpdate": "brand_new", "x": 1])
        talk.agent.update([
            "sessionUpdate": "agent_message_chunk", "content": ["type": "image", "data": "", "mimeType": "image/png"],
        ])
        #expect(
            talk.lines().map { $0.split(separator: " ").prefix(2).joined(separator: " ") } == [
                "custom foreign_session_update", "custom brand_new", "custom agent_message_chunk",
            ])
    }

    @Test func aBatchOfPiecesIsOneChunk() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        _ = talk.lines()
        let before = talk.batches
        let piece: JSON = [
            "jsonrpc": "2.0", "method": "session/update",
            "params": [
                "sessionId": "s1",
                "update": ["sessionUpdate": "agent_message_chunk", "content": ["type": "text", "text": "ab"]],
            ],
        ]
        talk.agent.say(piece, piece, piece)
        #expect(talk.lines() == [#"chunk t1.m1 message "ababab""#])
        #expect(talk.batches == before + 1)
    }
}

extension Conversation {
    /// The code of the failure that it could not be started with.
    var startFailure: String? {
        guard ends.count == 1, case .failedToStart(let failure) = ends[0] else { return nil }
        return failure.code
    }
}
