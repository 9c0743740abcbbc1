import EventLoop
import Foundation
import Glibc
import HubProtocol
import JSON
import Processes
import ProviderCodex
import Providers
import TestSupport
import Testing

/// The adapter with the real program and a fake Responses API. One at a time: each Codex takes 150 MB.
@Suite(.serialized)
struct RealCodexTests {
    private func chunks(_ live: Live, _ kind: ChunkKind) -> String {
        live.all.compactMap { if case .chunk(_, kind, let text) = $0 { text } else { nil } }.joined()
    }

    private func wasKilled(_ live: Live) throws -> Bool {
        if case .exited(.signaled(SIGKILL), _) = try live.waitForEnd() { true } else { false }
    }

    private func customs(_ live: Live) -> [String] {
        live.all.compactMap { if case .custom(let type, _) = $0 { type } else { nil } }
    }

    // MARK: Words and tools

    @Test func streamsTextAndReasoning() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(mode: "auto", effort: "high")
        live.send("[[think:let me see]] [[text:hello there]]")
        let ready = try live.ready()
        #expect(ready.model == "gpt-5.5" && ready.mode == "auto")
        #expect(ready.availableModels.contains("gpt-5.5") && ready.availableEfforts.contains("high"))
        #expect(ready.availableModes == ["read-only", "auto", "untrusted", "full-access", "plan"])
        #expect(ready.details["version"] == "0.163.0")
        let outcome = try live.turnEnd()
        #expect(outcome.status == .completed && outcome.stopReason == "completed")
        let usage = try #require(outcome.usage)
        #expect(usage.input > 1000 && usage.output == 30 && usage.cached == 200 && usage.model == "gpt-5.5")
        #expect((usage.contextUsed ?? 0) > 1000 && (usage.contextWindow ?? 0) > 100_000)
        #expect(chunks(live, .message) == "hello there" && chunks(live, .thinking) == "let me see")
        #expect(live.all.contains { if case .thinking(_, _, "let me see", _) = $0 { true } else { false } })
        #expect(customs(live) == [])
        let effort = stage.api.scripted.first?.body["reasoning"]?["effort"]
        #expect(effort == "high")
    }

    @Test func reasoningInItsOwnWordsStandsBesideItsSummary() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open()
        live.send("[[rawthink:step by step]] [[text:so]]")
        _ = try live.turnEnd()
        let thoughts = live.all.compactMap { event -> String? in
            if case .thinking(_, _, let text, _) = event { text } else { nil }
        }
        #expect(thoughts == ["in short", "step by step"])
    }

    @Test func twoTurnsOfOneThreadHaveTheirOwnTokens() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open()
        live.send("[[text:one]]")
        let first = try live.turnEnd()
        live.send("[[text:two]]")
        #expect(try live.message() == "two")
        let second = try live.turnEnd()
        #expect((second.usage?.input ?? 0) < 2 * (first.usage?.input ?? 0))
        #expect(second.usage?.output == 30)
    }

    @Test func aCommandsOutputIsLive() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(mode: "full-access")
        live.send("[[command:for i in 1 2 3; do sleep 0.3; echo line $i; done]] [[text:ok]]")
        let call = try live.toolCall()
        #expect(call.name == "commandExecution" && call.toolKind == "execute" && call.title.hasPrefix("for i in"))
        let result = try live.toolResult()
        #expect(result.status == .completed && result.exitCode == 0 && result.itemId == call.itemId)
        #expect(result.content == "line 1\nline 2\nline 3\n")
        // Codex may begin to listen a moment after the command has begun to talk: the result has it all.
        let streamed = chunks(live, .toolOutput)
        #expect(streamed.hasSuffix("line 3\n"))
        #expect(try live.turnEnd().status == .completed)
        #expect(customs(live) == [])
    }

    @Test func aCommandThatFailsHasItsExitCode() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(mode: "full-access")
        live.send("[[command:echo no; exit 3]] [[text:well]]")
        let result = try live.toolResult()
        #expect(result.status == .failed && result.exitCode == 3 && result.content == "no\n")
        #expect(try live.turnEnd().status == .completed)
    }

    @Test func aChangeOfFilesHasItsDiff() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(mode: "full-access")
        live.send(
            "[[patch:*** Begin Patch\\n*** Add File: new.txt\\n+hello\\n+world\\n*** End Patch\\n]] [[text:made]]")
        #expect(try live.toolCall().toolKind == "edit")
        let added = try live.next("diff") { if case .diff(let diff) = $0 { diff } else { nil } }
        #expect(added.path.hasSuffix("/work/new.txt") && added.newText == "hello\nworld\n" && added.oldText == nil)
        #expect(try live.toolResult().itemId == added.itemId)
        _ = try live.turnEnd()
        #expect(stage.read("new.txt") == "hello\nworld\n")
        live.send(
            "[[patch:*** Begin Patch\\n*** Update File: new.txt\\n@@\\n hello\\n-world\\n+you\\n*** End Patch\\n]] [[text:x]]"
        )
        let updated = try live.next("diff") { if case .diff(let diff) = $0 { diff } else { nil } }
        #expect(updated.unified?.contains("-world\n+you") == true)
        let whole = try live.status("turn_diff")
        // Paths are those below the repository that the folder is in, if it is in one.
        #expect(whole["unified"]?.stringValue?.contains("/new.txt\n@@") == true)
        _ = try live.turnEnd()
        #expect(customs(live) == [])
    }

    // MARK: Approvals and questions

    @Test func anApprovalOffersExactlyWhatCodexOffersAndToDecline() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(mode: "untrusted")
        live.send("[[command:touch made]] [[text:done]]")
        let request = try live.permission()
        #expect(request.toolName == "commandExecution" && request.title == "touch made")
        #expect(
            request.options.map(\.optionId) == ["accept", "acceptWithExecpolicyAmendment", "decline", "cancel"])
        #expect(request.options.map(\.kind) == [.allowOnce, .allowAlways, .rejectOnce, .rejectOnce])
        #expect(!stage.isThere("made"))
        live.allow(request, "accept")
        let result = try live.toolResult()
        #expect(result.status == .completed && result.itemId == request.itemId)
        #expect(try live.turnEnd().status == .completed)
        #expect(stage.isThere("made"))
    }

    @Test func whatIsDeclinedIsNotDoneAndTheTurnGoesOn() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(mode: "untrusted")
        live.send("[[command:touch made]] [[text:then not]]")
        let request = try live.permission()
        live.allow(request, "decline")
        #expect(try live.toolResult().status == .failed)
        #expect(try live.message() == "then not")
        #expect(try live.turnEnd().status == .completed)
        #expect(!stage.isThere("made"))
    }

    @Test func toCancelEndsTheTurn() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(mode: "untrusted")
        live.send("[[command:touch made]] [[text:never said]]")
        let request = try live.permission()
        live.call { $0.answerPermission(request.requestId, .cancelled, message: nil) }
        #expect(try live.turnEnd().status == .interrupted)
        #expect(!stage.isThere("made"))
        live.send("[[text:still here]]")
        #expect(try live.message() == "still here")
    }

    @Test func whatIsAlwaysAllowedIsNotAskedAgain() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(mode: "untrusted")
        live.send("[[command:touch made]] [[text:one]]")
        let request = try live.permission()
        let always = try #require(request.options.first { $0.kind == .allowAlways })
        #expect(always.label.contains("touch made"))
        live.allow(request, always.optionId)
        #expect(try live.turnEnd().status == .completed)
        live.send("again [[command:touch made]] [[text:two]]")
        #expect(try live.turnEnd().status == .completed)
        let asked = live.all.count { if case .permissionRequested = $0 { true } else { false } }
        #expect(asked == 1)
    }

    @Test func aChangeOfFilesIsAskedAboutWithItsChanges() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(mode: "untrusted")
        let patch = "[[patch:*** Begin Patch\\n*** Add File: asked.txt\\n+hi\\n*** End Patch\\n]] [[text:x]]"
        live.send(patch)
        let request = try live.permission()
        #expect(request.toolName == "fileChange" && request.title.hasPrefix("Write "))
        #expect(request.arguments["changes"]?[0]?["diff"] == "hi\n")
        #expect(request.options.map(\.optionId) == ["accept", "acceptForSession", "decline", "cancel"])
        live.allow(request, "decline")
        #expect(try live.toolResult().status == .failed)
        _ = try live.turnEnd()
        #expect(!stage.isThere("asked.txt"))
        live.send("again " + patch)
        live.allow(try live.permission(), "accept")
        _ = try live.turnEnd()
        #expect(stage.read("asked.txt") == "hi\n")
    }

    @Test func questionsAreAnsweredInPlanMode() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(mode: "plan")
        let arguments = """
            {"questions":[{"id":"color","header":"Color","question":"Which?","options":[{"label":"Red","description":"r"},\
            {"label":"Blue","description":"b"}]}]}
            """
        live.send("[[tool:request_user_input \(arguments)]] [[text:noted]]")
        let request = try live.question()
        let question = try #require(request.questions.first)
        #expect(question.id == "color" && question.text == "Which?" && question.allowsOther)
        #expect(question.options.map(\.label) == ["Red", "Blue"])
        live.call { $0.answerQuestion(request.requestId, answers: ["color": "Blue"]) }
        #expect(try live.turnEnd().status == .completed)
        let output = stage.api.requests.last?.body["input"]?.arrayValue?.last {
            $0["type"]?.stringValue == "function_call_output"
        }
        #expect(output?.description.contains("Blue") == true)
        // Out of it again.
        live.call { $0.setMode("auto") }
        live.send("[[text:on]]")
        #expect(try live.status("mode_changed")["mode"] == "auto")
        #expect(try live.turnEnd().status == .completed)
    }

    // MARK: Interrupts and steering

    @Test func anInterruptWhileStreamingKeepsWhatWasSaid() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open()
        live.send("[[slow:0.1x200]]")
        _ = try live.next("chunk") { if case .chunk(_, .message, _) = $0 { true } else { nil } }
        live.interrupt()
        let partial = try live.next("message") { if case .message(let message) = $0 { message } else { nil } }
        #expect(partial.isPartial && partial.text.hasPrefix("w0 "))
        #expect(try live.turnEnd().status == .interrupted)
        live.send("[[text:still here]]")
        #expect(try live.message() == "still here")
    }

    @Test func anInterruptEndsTheRunningCommand() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(mode: "full-access")
        live.send("[[command:sleep 0.5; echo begun; sleep 300]] [[text:never]]")
        _ = try live.next("output") { if case .chunk(_, .toolOutput, _) = $0 { true } else { nil } }
        let pid = try #require(try live.ask { $0.processId })
        #expect(!ProcessTable.snapshot().descendants(of: pid).isEmpty)
        live.interrupt()
        let result = try live.toolResult()
        #expect(result.status == .cancelled && result.content == "begun\n")
        #expect(try live.turnEnd().status == .interrupted)
        try eventually("the command ends", within: .seconds(5)) {
            ProcessTable.snapshot().descendants(of: pid).isEmpty
        }
        // Its late end is no result more.
        live.send("[[text:still here]]")
        _ = try live.turnEnd()
        let results = live.all.count { if case .toolResult = $0 { true } else { false } }
        #expect(results == 1 && customs(live) == [])
    }

    @Test func anInterruptTakesAPendingApprovalBack() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(mode: "untrusted")
        live.send("[[command:touch made]] [[text:never]]")
        let request = try live.permission()
        live.interrupt()
        #expect(try live.toolResult().status == .cancelled)
        let withdrawn = try live.next("withdrawal") { if case .requestWithdrawn(let id) = $0 { id } else { nil } }
        #expect(withdrawn == request.requestId)
        #expect(try live.turnEnd().status == .interrupted)
        live.send("[[text:still here]]")
        #expect(try live.message() == "still here")
    }

    @Test func anInterruptWhileIdleHarmsNoLaterTurn() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open()
        live.send("[[text:one]]")
        _ = try live.turnEnd()
        live.interrupt()
        live.send("[[text:two]]")
        #expect(try live.turnEnd().status == .completed)
    }

    @Test func anInterruptRightAfterTheMessageEndsItsTurn() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open()
        live.send("[[text:one]]")
        _ = try live.turnEnd()
        live.call { session in
            session.send("[[slow:0.1x200]]", turnId: "t2")
            session.interrupt()
        }
        #expect(try live.turnEnd().status == .interrupted)
    }

    @Test func aRunningTurnIsAddedTo() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open()
        #expect(try live.ask { $0.steer("too early") } == false)
        live.send("[[slow:0.1x15]]")
        _ = try live.next("chunk") { if case .chunk(_, .message, _) = $0 { true } else { nil } }
        #expect(try live.ask { $0.steer("and [[text:steered]]") })
        #expect(try live.next("message") { if case .message(let m) = $0, m.text == "steered" { true } else { nil } })
        #expect(try live.turnEnd().status == .completed)
        // Neither message of ours came back as somebody else's.
        let others = live.all.contains { if case .message(let m) = $0 { m.role != "assistant" } else { false } }
        #expect(!others)
        #expect(try live.ask { $0.steer("too late") } == false)
    }

    // MARK: Threads

    @Test func aThreadIsResumedAfterItsServerWasKilled() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let first = stage.open(mode: "auto")
        first.send("remember [[text:one]]")
        let id = try first.ready().nativeSessionId
        let spent = try first.turnEnd().usage?.input ?? 0
        let pid = try #require(try first.ask { $0.processId })
        kill(pid, SIGKILL)
        #expect(try wasKilled(first))
        let second = stage.open(mode: "auto", resume: id)
        second.send("[[text:two]]")
        #expect(try second.ready().nativeSessionId == id)
        let outcome = try second.turnEnd()
        // Its own tokens, not the thread's from the beginning.
        #expect((outcome.usage?.input ?? 0) > spent && (outcome.usage?.input ?? 0) < 2 * spent)
        #expect(outcome.usage?.output == 30)
        let heard = stage.api.scripted.last?.body["input"]?.description ?? ""
        #expect(heard.contains("remember"))
        let failures = second.all.contains { if case .error = $0 { true } else { false } }
        #expect(!failures)
    }

    @Test func anUnknownThreadIsReplaced() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(resume: "01a1fe79-5c09-7410-b93e-aa10a138d4e9")
        live.send("[[text:anew]]")
        let failure = try live.failure()
        #expect(failure.code == "resume_failed" && failure.recoverable)
        #expect(try live.ready().nativeSessionId != "01a1fe79-5c09-7410-b93e-aa10a138d4e9")
        #expect(try live.message() == "anew")
        #expect(try live.turnEnd().status == .completed)
    }

    @Test func aForkKnowsWhatWasSaidAndLeavesItsParentAlone() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let parent = stage.open(mode: "auto")
        parent.send("remember [[text:one]]")
        let id = try parent.ready().nativeSessionId
        _ = try parent.turnEnd()
        let fork = stage.open(mode: "auto", resume: id, forks: true)
        fork.send("[[text:two]]")
        let ready = try fork.ready()
        #expect(ready.nativeSessionId != id && ready.mode == "auto")
        let outcome = try fork.turnEnd()
        #expect(outcome.usage?.output == 30)
        #expect(stage.api.scripted.last?.body["input"]?.description.contains("remember") == true)
        parent.send("[[text:three]]")
        _ = try parent.turnEnd()
        #expect(stage.api.scripted.last?.body["input"]?.description.contains("[[text:two]]") == false)
    }

    @Test func modelAndEffortChangeWithTheNextTurn() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open()
        live.send("[[text:one]]")
        _ = try live.turnEnd()
        live.call { session in
            session.setModel("gpt-6.1-sol")
            session.setEffort("low")
            session.setMode("full-access")
            session.setMode("nonsense")
        }
        #expect(try live.failure().code == "invalid_request")
        live.send("[[text:two]]")
        #expect(try live.status("model_changed")["model"] == "gpt-6.1-sol")
        #expect(try live.status("mode_changed")["mode"] == "full-access")
        #expect(try live.status("effort_changed")["effort"] == "low")
        #expect(try live.turnEnd().usage?.model == "gpt-6.1-sol")
        let asked = try #require(stage.api.scripted.last)
        #expect(asked.model == "gpt-6.1-sol" && asked.body["reasoning"]?["effort"] == "low")
    }

    @Test func anImageAndAFileReachTheModel() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open()
        let pixel =
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
        live.call { session in
            session.send(
                Prompt(
                    "look [[text:seen]]",
                    attachments: [
                        Attachment(name: "a.png", mediaType: "image/png", content: .data(base64: pixel)),
                        Attachment(name: "n.txt", mediaType: "text/plain", content: .text("the notes")),
                    ], context: "what was said before"), turnId: "t")
        }
        #expect(try live.turnEnd().status == .completed)
        let input = stage.api.scripted.last?.body["input"]?.description ?? ""
        #expect(input.contains("input_image"))
        #expect(input.contains("the notes"))
        #expect(input.contains("what was said before"), "\(input.suffix(1500))")
    }

    // MARK: Quota and failures

    @Test func rateLimitHeadersAreQuotaWindows() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open()
        let resets = Int(Date().timeIntervalSince1970) + 1000
        live.send("[[quota:85,40 resets=\(resets)]] [[text:hi]]")
        _ = try live.turnEnd()
        let quotas = live.all.compactMap { if case .quota(let quota) = $0 { quota } else { nil } }
        #expect(
            quotas == [
                Quota(status: "warning", resetsAt: Double(resets), window: "five_hour", utilization: 0.85),
                Quota(status: "allowed", resetsAt: Double(resets), window: "seven_day", utilization: 0.4),
            ])
        // The same again is no news.
        live.send("[[quota:85,40 resets=\(resets)]] [[text:hi]]")
        _ = try live.turnEnd()
        let said = live.all.count { if case .quota = $0 { true } else { false } }
        #expect(said == 2)
    }

    @Test func aUsedUpQuotaSaysWhenItIsReset() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open()
        let resets = Int(Date().timeIntervalSince1970) + 1000
        live.send("[[quota:100,40 resets=\(resets)]] [[limit:]]")
        let failure = try live.failure()
        #expect(failure.code == "quota_exhausted" && failure.recoverable)
        #expect((990...1000).contains(failure.retryAfter ?? 0))
        #expect(failure.actions.map(\.id) == ["switch_provider", "retry_later"])
        #expect(try live.turnEnd().status == .failed)
        let quota = live.all.compactMap { if case .quota(let quota) = $0 { quota } else { nil } }.last
        #expect(
            live.all.contains { if case .quota(let q) = $0 { q.status == "rejected" } else { false } },
            "\(quota as Any)")
    }

    @Test(
        "Each kind of failure has its code",
        arguments: [
            ("[[status:401]]", "authentication_failed", "login"), ("[[status:403]]", "authentication_failed", "login"),
            ("[[status:429]]", "rate_limited", "retry_later"), ("[[status:503]]", "overloaded", "retry_later"),
            ("[[status:500]]", "provider_error", "retry"), ("[[status:400]]", "invalid_request", ""),
            ("[[failed:context_length_exceeded]]", "context_exhausted", "switch_provider"),
            ("[[failed:insufficient_quota]]", "quota_exhausted", "switch_provider"),
            (
                "[[failed:rate_limit_exceeded Rate limit reached. Please try again in 0.5s.]]", "rate_limited",
                "retry_later"
            ),
        ])
    func failures(_ script: String, _ code: String, _ action: String) throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open()
        live.send(script)
        let failure = try live.failure()
        #expect(failure.code == code, "\(failure)")
        #expect(action.isEmpty || failure.actions.contains { $0.id == action })
        #expect(try live.turnEnd().status == .failed)
        let said = live.all.count { if case .error = $0 { true } else { false } }
        #expect(said == 1)
        live.send("[[text:still here]]")
        #expect(try live.turnEnd().status == .completed)
    }

    @Test func aBrokenStreamIsTriedAgain() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open()
        live.send("[[status:500 times=1]] [[text:at last]]")
        #expect(try live.turnEnd().status == .completed)
        live.send("[[drop]]")
        let retry = try live.status("retrying")
        #expect(retry["attempt"] == 1 && retry["maxAttempts"] == 1)
        #expect(try live.turnEnd().status == .failed)
        // What was streamed twice is kept as two parts.
        let partial = live.all.count { if case .message(let m) = $0 { m.isPartial } else { false } }
        #expect(partial == 2)
    }

    @Test func garbageFromTheAPIHarmsNothing() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open()
        live.send("[[garbage]] [[text:after]]")
        _ = try live.turnEnd()
        live.send("[[text:still here]]")
        #expect(try live.turnEnd().status == .completed)
    }

    @Test func withoutALoginItIsNotStarted() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        try "model = \"gpt-5.5\"\n".write(
            toFile: stage.home + "/.codex/config.toml", atomically: true, encoding: .utf8)
        let live = stage.open()
        live.send("hello")
        guard case .failedToStart(let failure) = try live.waitForEnd() else {
            Issue.record("started")
            return
        }
        #expect(failure.code == "authentication_failed")
        #expect(failure.actions.contains { $0.id == "login" })
        try eventually("the server ends") { processes(of: stage).isEmpty }
    }

    // MARK: One server for a workspace

    @Test func twoSessionsShareAServerAndHearTheirOwn() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let first = stage.open()
        let second = stage.open()
        first.send("[[text:for the first]]")
        second.send("[[text:for the second]]")
        #expect(try first.message() == "for the first")
        #expect(try second.message() == "for the second")
        _ = try first.turnEnd()
        _ = try second.turnEnd()
        let pid = try #require(try first.ask { $0.processId })
        let other = try second.ask { $0.processId }
        #expect(other == pid)
        // One leaves in the middle of a command: that ends, the other goes on.
        first.call { $0.setMode("full-access") }
        first.send("[[command:sleep 300]]")
        _ = try first.toolCall()
        try eventually("the command runs") { !ProcessTable.snapshot().descendants(of: pid).isEmpty }
        #expect(first.close() == .stopped)
        try eventually("no descendant is left", within: .seconds(5)) {
            ProcessTable.snapshot().descendants(of: pid).isEmpty
        }
        second.send("[[text:still here]]")
        #expect(try second.message() == "still here")
        // A crash reaches all of them.
        let third = stage.open()
        _ = try third.ready()
        kill(pid, SIGKILL)
        #expect(try wasKilled(second))
        #expect(try wasKilled(third))
    }

    @Test func anotherWorkspaceHasAServerOfItsOwn() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let other = stage.home + "/other"
        try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
        let first = stage.open()
        let second = stage.open(workspace: other)
        _ = try first.ready()
        _ = try second.ready()
        #expect(try first.ask { $0.processId } != second.ask { $0.processId })
    }

    @Test func theLastSessionEndsTheServerAndItsCommands() throws {
        let stage = try CodexStage()
        defer { stage.close() }
        let live = stage.open(mode: "full-access")
        live.send("[[command:sleep 300]] [[text:never]]")
        _ = try live.toolCall()
        let pid = try #require(try live.ask { $0.processId })
        try eventually("the command runs") { !ProcessTable.snapshot().descendants(of: pid).isEmpty }
        #expect(live.close() == .stopped)
        try eventually("no process is left", within: .seconds(5)) { processes(of: stage).isEmpty }
    }
}
