import Foundation
import HubProtocol
import JSON
import Processes
import ProviderClaude
import Providers
import TestSupport
import Testing

/// The adapter with the real program and a fake Messages API. One at a time: each Claude takes 250 MB.
@Suite(.serialized)
struct RealClaudeTests {
    private func isThere(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// A program that behaves as no Claude should.
    private func fakeClaude(_ script: String) throws -> String {
        let path = NSTemporaryDirectory() + "claude-\(UUID().uuidString)"
        try writeProgram(path, "#!/bin/sh\n" + script)
        return path
    }

    @Test func streamsTextAndThinking() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        conversation.send("[[think:let me see]] [[text:hello there]]")
        let ready = try conversation.ready()
        #expect(ready.model != nil)
        #expect(ready.availableModels.contains("opus"))
        let outcome = try conversation.turnEnd()
        #expect(outcome.status == .completed)
        #expect(outcome.stopReason == "end_turn")
        let usage = try #require(outcome.usage)
        #expect(usage.input > 1000 && usage.output == 10 && usage.cached == 22)
        #expect((usage.costUsd ?? 0) > 0)
        #expect((usage.contextWindow ?? 0) >= 200_000)
        let chunks = conversation.all.compactMap { event -> String? in
            if case .chunk(_, .message, let text) = event { text } else { nil }
        }
        #expect(chunks == ["hello ", "there"])
        #expect(conversation.all.contains { if case .thinking(_, _, "let me see", _) = $0 { true } else { false } })
    }

    @Test func twoTurnsRunInOneProcess() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        conversation.send("[[text:one]]")
        let first = try conversation.turnEnd()
        let pid = conversation.processId
        conversation.send("[[text:two]]")
        #expect(try conversation.message() == "two")
        let second = try conversation.turnEnd()
        #expect(pid != nil && conversation.processId == pid)
        // The second turn's cost is its own, not the sum.
        #expect((second.usage?.costUsd ?? 9) < 2 * (first.usage?.costUsd ?? 0))
    }

    @Test func anAllowedToolRuns() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        let file = conversation.workspace + "/made"
        conversation.send("[[tool:Bash {\"command\":\"touch \(file)\",\"description\":\"t\"}]] [[text:done]]")
        let request = try conversation.permission()
        #expect(request.toolName == "Bash")
        #expect(request.title == "touch \(file)")
        #expect(request.options.first?.kind == .allowOnce && request.options.last?.kind == .rejectOnce)
        #expect(!isThere(file))
        conversation.call { $0.answerPermission(request.requestId, .option("allow_once"), message: nil) }
        let result = try conversation.toolResult()
        #expect(result.status == .completed && result.exitCode == 0)
        #expect(result.itemId == request.itemId)
        #expect(try conversation.turnEnd().status == .completed)
        #expect(isThere(file))
        // Once is once.
        conversation.send("[[tool:Bash {\"command\":\"touch \(file)\",\"description\":\"t\"}]] [[text:again]]")
        let second = try conversation.permission()
        #expect(second.requestId != request.requestId)
        conversation.call { $0.answerPermission(second.requestId, .option("reject_once"), message: "not now") }
        #expect(try conversation.toolResult().content == "not now")
        _ = try conversation.turnEnd()
    }

    @Test func aDeniedToolDoesNotRun() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        let file = conversation.workspace + "/made"
        conversation.send("[[tool:Bash {\"command\":\"touch \(file)\",\"description\":\"t\"}]] [[text:I will not]]")
        let request = try conversation.permission()
        conversation.call { $0.answerPermission(request.requestId, .option("reject_once"), message: "keep off") }
        let result = try conversation.toolResult()
        #expect(result.status == .failed)
        #expect(result.content == "keep off")
        #expect(try conversation.turnEnd().status == .completed)
        #expect(!isThere(file))
    }

    @Test func whatIsAlwaysAllowedIsNotAskedAgain() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        let file = conversation.workspace + "/made"
        let script = "[[tool:Bash {\"command\":\"touch \(file)\",\"description\":\"t\"}]] [[text:done]]"
        conversation.send(script)
        let request = try conversation.permission()
        let always = try #require(request.options.first { $0.kind == .allowAlways })
        #expect(always.label.contains("touch \(file)"))
        conversation.call { $0.answerPermission(request.requestId, .option(always.optionId), message: nil) }
        #expect(try conversation.turnEnd().status == .completed)
        try FileManager.default.removeItem(atPath: file)
        conversation.send("again " + script)
        #expect(try conversation.turnEnd().status == .completed)
        #expect(isThere(file))
        let asked = conversation.all.count { if case .permissionRequested = $0 { true } else { false } }
        #expect(asked == 1)
    }

    @Test func questionsAreAnswered() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        let questions = """
            [{"question":"Which color?","header":"Color","multiSelect":false,"options":[{"label":"Red","description":"r"},\
            {"label":"Blue","description":"b"}]},{"question":"Which sizes?","header":"Size","multiSelect":true,\
            "options":[{"label":"S","description":"s"},{"label":"L","description":"l"}]}]
            """
        conversation.send("[[tool:AskUserQuestion {\"questions\":\(questions)}]] [[text:thanks]]")
        let request = try conversation.question()
        #expect(request.purpose == "question")
        #expect(request.questions.map(\.text) == ["Which color?", "Which sizes?"])
        #expect(request.questions.map(\.allowsMultiple) == [false, true])
        let answers: JSONObject = ["Which color?": "Blue", "Which sizes?": ["S", "L"]]
        conversation.call { $0.answerQuestion(request.requestId, answers: answers) }
        let text = try conversation.toolResult().content.stringValue ?? ""
        #expect(text.contains("\"Which color?\"=\"Blue\"") && text.contains("\"Which sizes?\"=\"S, L\""))
        #expect(try conversation.turnEnd().status == .completed)
        conversation.send("more [[tool:AskUserQuestion {\"questions\":\(questions)}]] [[text:fine]]")
        let declined = try conversation.question()
        conversation.call { $0.answerQuestion(declined.requestId, answers: nil) }
        #expect(try conversation.toolResult().status == .failed)
        #expect(try conversation.turnEnd().status == .completed)
    }

    @Test func aPlanIsKeptAndThenApproved() throws {
        let conversation = try Conversation(mode: "plan")
        defer { conversation.close() }
        conversation.send("[[tool:ExitPlanMode {\"plan\":\"# Do it\"}]] [[tool:ExitPlanMode {}]] [[text:planned]]")
        let first = try conversation.question()
        #expect(first.purpose == "plan_approval" && first.body == "# Do it")
        conversation.call { $0.answerQuestion(first.requestId, answers: ["decision": "with tests please"]) }
        #expect(try conversation.toolResult().content == "with tests please")
        let second = try conversation.question()
        #expect(second.purpose == "plan_approval")
        conversation.call { $0.answerQuestion(second.requestId, answers: ["decision": "Approve"]) }
        #expect(try conversation.status("mode_changed")["mode"] == "default")
        #expect(try conversation.toolResult().status == .completed)
        #expect(try conversation.turnEnd().status == .completed)
    }

    // MARK: Interrupts

    @Test func aStreamIsInterrupted() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        conversation.send("[[slow:0.05x400]]")
        _ = try conversation.next("chunk") { if case .chunk = $0 { true } else { nil } }
        conversation.interrupt()
        let partial = try conversation.next("message") { if case .message(let message) = $0 { message } else { nil } }
        #expect(partial.isPartial && partial.text.hasPrefix("w0 "))
        let outcome = try conversation.turnEnd()
        #expect(outcome.status == .interrupted)
        conversation.send("[[text:still alive]]")
        #expect(try conversation.message() == "still alive")
        #expect(try conversation.turnEnd().status == .completed)
    }

    @Test func aRunningToolIsInterrupted() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        let file = conversation.workspace + "/started"
        conversation.send(
            "[[tool:Bash {\"command\":\"touch \(file) && python3 -c 'import time; time.sleep(60)'\",\"description\":\"t\"}]]"
        )
        let request = try conversation.permission()
        conversation.call { $0.answerPermission(request.requestId, .option("allow_once"), message: nil) }
        let deadline = Date() + 15
        while !isThere(file), Date() < deadline { Thread.sleep(forTimeInterval: 0.05) }
        conversation.interrupt()
        #expect(try conversation.toolResult().status == .cancelled)
        #expect(try conversation.turnEnd().status == .interrupted)
    }

    @Test func aPendingPermissionIsInterrupted() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        let file = conversation.workspace + "/made"
        conversation.send("[[tool:Bash {\"command\":\"touch \(file)\",\"description\":\"t\"}]]")
        let request = try conversation.permission()
        conversation.interrupt()
        let withdrawn = try conversation.next("withdrawal") {
            if case .requestWithdrawn(let id) = $0 { id } else { nil }
        }
        #expect(withdrawn == request.requestId)
        #expect(try conversation.turnEnd().status == .interrupted)
        // A late answer changes nothing.
        conversation.call { $0.answerPermission(request.requestId, .option("allow_once"), message: nil) }
        conversation.send("[[text:next]]")
        #expect(try conversation.message() == "next")
        #expect(!isThere(file))
    }

    @Test func anInterruptWhileIdleDoesNothing() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        conversation.send("[[text:one]]")
        _ = try conversation.turnEnd()
        conversation.interrupt()
        conversation.send("[[text:two]]")
        #expect(try conversation.message() == "two")
        #expect(try conversation.turnEnd().status == .completed)
    }

    @Test func anInterruptBeforeTheStartWithdrawsTheMessage() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        conversation.send("[[text:never]]")
        conversation.interrupt()
        #expect(try conversation.turnEnd().status == .interrupted)
        conversation.send("[[text:but this]]")
        #expect(try conversation.message() == "but this")
        #expect(!conversation.api.scripted.contains { $0.script?.contains("never") == true })
    }

    @Test func aClaudeThatIgnoresTheInterruptIsEnded() throws {
        var limits = ClaudeSession.Limits()
        limits.interruptTime = .milliseconds(300)
        limits.teardown.terminate = .milliseconds(500)
        // Answers the start and a message, then nothing any more.
        let program = try fakeClaude(
            """
            trap '' TERM
            read line
            echo '{"type":"control_response","response":{"subtype":"success","request_id":"hub-1","response":{}}}'
            read line
            echo '{"type":"system","subtype":"init","session_id":"s"}'
            echo 'Segmentation fault is what I say' >&2
            while :; do sleep 1; done
            """)
        defer { try? FileManager.default.removeItem(atPath: program) }
        let conversation = try Conversation(program: program, limits: limits)
        defer { conversation.close() }
        conversation.send("hello")
        _ = try conversation.ready()
        conversation.interrupt()
        _ = try conversation.status("interrupt_escalated")
        guard case .exited(let status, let tail) = try conversation.waitForEnd() else {
            Issue.record("did not exit")
            return
        }
        #expect(status == .signaled(9))
        #expect(tail.contains("Segmentation fault"))
    }

    // MARK: Resuming

    @Test func aStoppedConversationIsResumed() throws {
        let first = try Conversation()
        defer { first.close() }
        first.send("remember 42 [[text:ok]]")
        let id = try first.ready().nativeSessionId
        let cost = try first.turnEnd().usage?.costUsd ?? 0
        first.closeKeeping()
        let second = try Conversation(after: first, resume: id)
        defer { second.close() }
        second.send("[[text:resumed]]")
        #expect(try second.ready().nativeSessionId == id)
        let outcome = try second.turnEnd()
        #expect((outcome.usage?.costUsd ?? 9) < 2 * cost)
        let last = try #require(first.api.scripted.last)
        #expect(last.body["messages"]?.description.contains("remember 42") == true)
    }

    @Test func aKilledConversationIsResumed() throws {
        let first = try Conversation()
        defer { first.close() }
        first.send("remember 43 [[slow:0.05x400]]")
        let id = try first.ready().nativeSessionId
        _ = try first.next("chunk") { if case .chunk(_, _, "w3 ") = $0 { true } else { nil } }
        kill(try #require(first.processId), SIGKILL)
        guard case .exited(let status, _) = try first.waitForEnd() else {
            Issue.record("did not exit")
            return
        }
        #expect(status == .signaled(9))
        // What was streamed is kept.
        guard case .message(let partial)? = first.all.last else {
            Issue.record("no partial message")
            return
        }
        #expect(partial.isPartial && partial.text.hasPrefix("w0 w1 w2 w3"))
        let second = try Conversation(after: first, resume: id)
        defer { second.close() }
        second.send("[[text:resumed]]")
        #expect(try second.message() == "resumed")
        #expect(try second.turnEnd().status == .completed)
        #expect(first.api.scripted.last?.body["messages"]?.description.contains("remember 43") == true)
    }

    @Test func anUnknownConversationIsReplaced() throws {
        let conversation = try Conversation(resume: "11111111-2222-4333-8444-555555555556")
        defer { conversation.close() }
        conversation.send("[[text:carried on]]")
        #expect(try conversation.failure().code == "resume_failed")
        #expect(try conversation.ready().nativeSessionId != "11111111-2222-4333-8444-555555555556")
        #expect(try conversation.message() == "carried on")
        #expect(try conversation.turnEnd().status == .completed)
        let first = try #require(conversation.api.scripted.first?.body["messages"]?.description)
        #expect(first.contains("what was said before"))
        let ends = conversation.all.count { if case .turnCompleted = $0 { true } else { false } }
        #expect(ends == 1)
    }

    @Test func anIdentifierThatIsTakenIsResumed() throws {
        let id = UUID().uuidString.lowercased()
        let first = try Conversation(sessionId: id)
        defer { first.close() }
        first.send("remember 44 [[text:ok]]")
        _ = try first.turnEnd()
        first.closeKeeping()
        let second = try Conversation(after: first, sessionId: id)
        defer { second.close() }
        second.send("[[text:found]]")
        #expect(try second.message() == "found")
        #expect(try second.turnEnd().status == .completed)
        #expect(first.api.scripted.last?.body["messages"]?.description.contains("remember 44") == true)
    }

    // MARK: Failures

    @Test(
        "Failures of the API",
        arguments: [
            ("[[status:401]]", "authentication_failed"), ("[[status:429 retry-after=1]]", "rate_limited"),
            ("[[status:529]]", "overloaded"), ("[[status:500]]", "provider_error"),
            ("[[status:400]]", "invalid_request"),
        ])
    func apiFailure(_ script: String, _ code: String) throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        conversation.send(script)
        #expect(try conversation.failure().code == code)
        #expect(try conversation.turnEnd().status == .failed)
        conversation.send("[[text:alive]]")
        #expect(try conversation.message() == "alive")
        #expect(try conversation.turnEnd().status == .completed)
    }

    @Test func withoutALoginItSaysSo() throws {
        let conversation = try Conversation(environment: ["ANTHROPIC_API_KEY": nil])
        defer { conversation.close() }
        conversation.send("[[text:x]]")
        let failure = try conversation.failure()
        #expect(failure.code == "authentication_failed")
        #expect(failure.actions.map(\.id) == ["login", "switch_provider"])
    }

    @Test func aRetriedRequestSucceeds() throws {
        let conversation = try Conversation(environment: ["CLAUDE_CODE_MAX_RETRIES": "3"])
        defer { conversation.close() }
        conversation.send("[[status:429 retry-after=1 times=1]] [[text:in the end]]")
        let retry = try conversation.status("retrying")
        #expect(retry["attempt"] == 1 && retry["httpStatus"] == 429)
        #expect(try conversation.message() == "in the end")
        #expect(try conversation.turnEnd().status == .completed)
    }

    @Test func aQuotaThatIsUsedUpTellsWhenItIsReset() throws {
        let resets = Int(Date().timeIntervalSince1970) + 1800
        let conversation = try Conversation(
            environment: ["ANTHROPIC_API_KEY": nil, "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-fake"])
        defer { conversation.close() }
        conversation.send("[[quota:five_hour resets=\(resets)]]")
        let quota = try conversation.next("quota") { if case .quota(let quota) = $0 { quota } else { nil } }
        #expect(quota.status == "rejected" && quota.window == "five_hour" && quota.resetsAt == Double(resets))
        let failure = try conversation.failure()
        #expect(failure.code == "quota_exhausted")
        #expect(failure.actions.map(\.id) == ["switch_provider", "retry_later"])
        #expect(abs((failure.retryAfter ?? 0) - 1800) < 60)
        #expect(try conversation.turnEnd().status == .failed)
    }

    @Test func garbageOnItsOutputHarmsNothing() throws {
        var limits = ClaudeSession.Limits()
        limits.lineBytes = 1000
        let program = try fakeClaude(
            """
            read line
            echo 'warning: something'
            echo '{"type":"control_response","response":{"subtype":"success","request_id":"hub-1","response":{}}}'
            read line
            head -c 5000 /dev/zero | tr '\\0' x
            echo
            echo '{"type":"result","subtype":"success","is_error":false}'
            read line
            """)
        defer { try? FileManager.default.removeItem(atPath: program) }
        let conversation = try Conversation(program: program, limits: limits)
        defer { conversation.close() }
        conversation.send("hello")
        #expect(try conversation.turnEnd().status == .completed)
        let types = conversation.all.compactMap { if case .custom(let type, _) = $0 { type } else { nil } }
        #expect(types == ["unparsed_output", "oversized_output"])
    }

    @Test func aMessageThatIsTooLargeIsRefusedAndTheNextOneSent() throws {
        var limits = ClaudeSession.Limits()
        limits.inputBytes = 4096
        let conversation = try Conversation(limits: limits)
        defer { conversation.close() }
        conversation.send(String(repeating: "x", count: 5000))
        #expect(try conversation.failure().code == "invalid_request")
        #expect(try conversation.turnEnd().status == .failed)
        conversation.send("[[text:small]]")
        #expect(try conversation.message() == "small")
    }

    @Test func aProgramThatNeverAnswersFailsToStart() throws {
        var limits = ClaudeSession.Limits()
        limits.startTime = .milliseconds(200)
        let program = try fakeClaude("exec sleep 60")
        defer { try? FileManager.default.removeItem(atPath: program) }
        let conversation = try Conversation(program: program, limits: limits)
        defer { conversation.close() }
        guard case .failedToStart(let failure) = try conversation.waitForEnd() else {
            Issue.record("it started")
            return
        }
        #expect(failure.code == "provider_start_failed" && failure.message.contains("did not answer"))
    }

    @Test func aProgramThatIsNotThereIsNotInstalled() throws {
        let conversation = try Conversation(program: "/nonexistent/claude")
        defer { conversation.close() }
        guard case .failedToStart(let failure) = try conversation.waitForEnd() else {
            Issue.record("it started")
            return
        }
        #expect(failure.code == "provider_not_installed")
    }

    @Test func aProgramThatEndsAtOnceTellsWhy() throws {
        let conversation = try Conversation(program: "/bin/false")
        defer { conversation.close() }
        guard case .failedToStart(let failure) = try conversation.waitForEnd() else {
            Issue.record("it started")
            return
        }
        #expect(failure.code == "provider_start_failed")
    }

    // MARK: The rest

    @Test func aBackgroundTaskWakesATurn() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        conversation.send(
            "[[tool:Bash {\"command\":\"sleep 1; echo bg\",\"description\":\"bg\",\"run_in_background\":true}]] [[text:started]]"
        )
        let started = try conversation.status("background_task")
        #expect(started["event"] == "started")
        #expect(try conversation.turnEnd().status == .completed)
        let reason = try conversation.next("turn_started") {
            if case .turnStarted(let reason) = $0 { reason } else { nil }
        }
        #expect(reason == "background_task")
        #expect(try conversation.turnEnd().status == .completed)
    }

    @Test func taskToolsArePlans() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        conversation.send(
            """
            [[tool:TaskCreate {"subject":"A","description":"do A"}]] [[tool:TaskCreate {"subject":"B","description":"do B"}]]\
             [[tool:TaskUpdate {"taskId":"1","status":"in_progress"}]] [[text:ok]]
            """)
        #expect(try conversation.turnEnd().status == .completed)
        let plans = conversation.all.compactMap { event -> [PlanEntry]? in
            if case .plan(_, let entries) = event { entries } else { nil }
        }
        #expect(
            plans.last == [PlanEntry(content: "A", status: "in_progress"), PlanEntry(content: "B", status: "pending")])
    }

    @Test func aTodoListIsAPlan() throws {
        let conversation = try Conversation(environment: ["CLAUDE_CODE_ENABLE_TASKS": "0"])
        defer { conversation.close() }
        conversation.send(
            "[[tool:TodoWrite {\"todos\":[{\"content\":\"A\",\"status\":\"in_progress\",\"activeForm\":\"Doing A\"}]}]] [[text:ok]]"
        )
        let entries = try conversation.next("plan") { if case .plan(_, let entries) = $0 { entries } else { nil } }
        #expect(entries == [PlanEntry(content: "A", status: "in_progress")])
        _ = try conversation.turnEnd()
    }

    @Test func editsAreDiffs() throws {
        let conversation = try Conversation(mode: "acceptEdits")
        defer { conversation.close() }
        let file = conversation.workspace + "/a.txt"
        conversation.send(
            """
            [[tool:Write {"file_path":"\(file)","content":"one\\ntwo\\n"}]] \
            [[tool:Edit {"file_path":"\(file)","old_string":"two","new_string":"2"}]] \
            [[tool:Write {"file_path":"\(file)","content":"3\\n"}]] [[text:ok]]
            """)
        #expect(try conversation.turnEnd().status == .completed)
        let diffs = conversation.all.compactMap { event -> FileDiff? in
            if case .diff(let diff) = event { diff } else { nil }
        }
        #expect(diffs.map(\.path) == [file, file, file])
        #expect(diffs.map(\.oldText) == [nil, "two", "one\n2\n"])
        #expect(diffs.map(\.newText) == ["one\ntwo\n", "2", "3\n"])
        #expect(diffs.last?.unified?.contains("+3") == true)
    }

    @Test func modelAndModeAreSwitched() throws {
        let conversation = try Conversation(model: "opus")
        defer { conversation.close() }
        conversation.send("[[text:one]]")
        #expect(try conversation.ready().model?.contains("opus") == true)
        _ = try conversation.turnEnd()
        conversation.call { $0.setModel("sonnet") }
        #expect(try conversation.status("model_changed")["model"]?.stringValue?.contains("sonnet") == true)
        conversation.call { $0.setMode("plan") }
        #expect(try conversation.status("mode_changed")["mode"] == "plan")
        conversation.call { $0.setMode("bogus") }
        #expect(try conversation.failure().code == "invalid_request")
        #expect(try conversation.status("mode_changed")["mode"] == "plan")
        conversation.send("[[text:two]]")
        _ = try conversation.turnEnd()
        #expect(conversation.api.scripted.last?.model?.contains("sonnet") == true)
    }

    @Test func aBrokenStreamIsNotLost() throws {
        let conversation = try Conversation()
        defer { conversation.close() }
        conversation.send("[[text:half of it]] [[drop]]")
        let outcome = try conversation.turnEnd()
        #expect(outcome.status == .failed)
        let text = conversation.all.compactMap { if case .message(let message) = $0 { message.text } else { nil } }
        #expect(text.contains("half of it"))
    }
}
