import Base
import EventLog
import HubProtocol
import JSON
import Processes
import Providers
import Testing

@testable import Sessions

@Suite struct TurnTests {
    @Test func aMessageIsLoggedBeforeTheProviderHearsOfIt() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        _ = try session.accept(IncomingMessage("hello"), by: fixture.client)
        #expect(fixture.providers.made.isEmpty)
        fixture.turn()
        #expect(fixture.provider.calls == [.start(resume: nil), .send("hello", turnId: "t1")])
        #expect(fixture.kinds == [.status, .message, .turnStarted])
        #expect(session.state.status == .running)
        #expect(session.state.title == "hello")
    }

    @Test func aWholeTurnIsNumberedWithoutGaps() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("hi", to: session)
        fixture.provider.say(
            .chunk(itemId: "m1", kind: .message, text: "he"), .chunk(itemId: "m1", kind: .message, text: "llo"),
            .message(Message(itemId: "m1", text: "hello")),
            .turnCompleted(TurnOutcome(status: .completed, usage: Usage(input: 5, output: 2, costUsd: 0.5))))
        fixture.turn()
        #expect(fixture.chunks.map(\.text) == ["hello"])
        #expect(fixture.committed.map(\.seq) == Array(1...fixture.committed.count))
        #expect(session.state.status == .idle)
        #expect(session.state.ledger.total.cost.usd == 0.5)
        #expect(session.state.ledger.total.input == 5)
        #expect(session.streaming.isEmpty)
    }

    @Test func chunksOfOneItemCarryTheirOffset() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("hi", to: session)
        fixture.provider.say(.chunk(itemId: "m1", kind: .message, text: "é1"))
        fixture.provider.say(.chunk(itemId: "m1", kind: .message, text: "2"))
        fixture.turn()
        #expect(fixture.chunks.map(\.offset) == [0, 3])
        #expect(session.streaming.first?.text == "é12")
    }

    @Test func aChunkIsPublishedAfterWhatWasAppendedBefore() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("hi", to: session)
        fixture.committed = []
        fixture.provider.say(
            .message(Message(itemId: "m1", text: "one")), .chunk(itemId: "m2", kind: .message, text: "two"))
        #expect(fixture.chunks.isEmpty)
        fixture.turn()
        #expect(fixture.committed.count == 1)
        #expect(fixture.chunks.count == 1)
    }

    @Test func aChunkNeverComesAfterTheEventThatClosesItsItem() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("hi", to: session)
        // In one batch: the piece must wait for the event before it, and is overtaken by the one after it.
        fixture.provider.say(
            .message(Message(itemId: "m1", text: "one")), .chunk(itemId: "m2", kind: .message, text: "two"),
            .message(Message(itemId: "m2", text: "two")))
        fixture.turn()
        #expect(fixture.chunks.isEmpty)
        #expect(fixture.committed.last?.data["content"] == "two")
    }

    @Test func messagesWaitForTheRunningTurnInOrder() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        let second = try fixture.send("two", to: session)
        let third = try fixture.send("three", to: session)
        #expect(second.position == 1 && third.position == 2 && second.isQueued)
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(fixture.provider.calls.last == .send("two", turnId: "t2"))
        #expect(session.state.queue.map(\.content) == ["three"])
        #expect(throws: Failure.self) {
            try session.accept(IncomingMessage("x", mode: .reject), by: fixture.client)
        }
    }

    @Test func theSameClientMessageIdIsAnsweredWithTheFirstResult() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        let first = try fixture.send("one", to: session, id: "a")
        let again = try fixture.send("one", to: session, id: "a")
        #expect(again.turnId == first.turnId && again.seq == first.seq && again.isDuplicate)
        #expect(fixture.kinds.filter { $0 == .message }.count == 1)
        try fixture.restart()
        let restored = try fixture.service.session(session.id)
        let later = try restored.accept(IncomingMessage("one", clientMessageId: "a", mode: .queue), by: fixture.client)
        #expect(later.turnId == first.turnId && later.isDuplicate)
    }

    @Test func aWithdrawnMessageIsNeverSent() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        let second = try fixture.send("two", to: session)
        try session.withdraw(second.turnId, by: fixture.client)
        #expect(throws: Failure.self) { try session.withdraw("t1", by: fixture.client) }
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(!fixture.provider.calls.contains(.send("two", turnId: second.turnId)))
        #expect(session.state.status == .idle)
    }

    @Test func anInterruptReachesTheProviderOnce() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        #expect(!session.interrupt(by: fixture.client))
        try fixture.send("one", to: session)
        #expect(session.interrupt(by: fixture.client))
        #expect(session.interrupt(by: fixture.other))
        fixture.turn()
        #expect(fixture.provider.calls.filter { $0 == .interrupt }.count == 1)
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .interrupted)))
        fixture.turn()
        #expect(session.state.status == .idle)
    }

    @Test func aCrashClosesTheTurnAndWhatItLeftOpen() throws {
        var settings = SessionSettings()
        settings.rest.firstWait = .zero
        let fixture = try SessionFixture(settings: settings)
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        fixture.provider.say(
            .sessionReady(SessionReady(nativeSessionId: "n1")),
            .chunk(itemId: "m1", kind: .message, text: "half"),
            .toolCall(ToolCall(itemId: "tool1", name: "Bash", title: "sleep")),
            .permissionRequested(
                PermissionRequest(
                    requestId: "p1", toolName: "Bash", title: "x",
                    options: [PermissionOption(optionId: "y", label: "Yes", kind: .allowOnce)])))
        fixture.provider.end(.exited(.exited(7), errorTail: "boom"))
        fixture.turn()
        let failure = fixture.committed.last { $0.kind == .error }
        #expect(failure?.data["code"] == "provider_crashed")
        #expect(failure?.data["details"]?["exitCode"] == 7)
        #expect(failure?.data["details"]?["stderr"] == "boom")
        let partial = fixture.committed.last { $0.kind == .message }
        #expect(partial?.data["content"] == "half" && partial?.data["partial"] == true)
        #expect(fixture.committed.contains { $0.kind == .toolResult && $0.draft.isSynthetic })
        #expect(fixture.committed.contains { $0.kind == .permissionResolved && $0.data["outcome"] == "cancelled" })
        #expect(fixture.committed.last?.data["status"] == "failed")
        #expect(session.state.status == .failed)
        // The next message starts it again, with what the provider calls the session.
        try fixture.send("two", to: session)
        #expect(fixture.provider.calls == [.start(resume: "n1"), .send("two", turnId: "t2")])
    }

    @Test func aProviderThatCantStartFailsTheTurn() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        fixture.providers.startFailure = Failure(code: "provider_start_failed", message: "no")
        try fixture.send("one", to: session)
        #expect(session.state.status == .failed)
        #expect(fixture.committed.contains { $0.kind == .error && $0.data["code"] == "provider_start_failed" })
    }

    @Test func aTurnNobodySentIsATurn() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.provider.say(
            .turnStarted(reason: "background_task"), .message(Message(itemId: "m", text: "done")),
            .turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(fixture.committed.last?.turnId == "t2")
        let next = try fixture.send("two", to: session)
        #expect(next.turnId == "t3")
    }

    @Test func aRestartClosesTheTurnAndHoldsWhatWaited() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        try fixture.send("two", to: session)
        fixture.provider.say(
            .sessionReady(SessionReady(nativeSessionId: "n1")), .toolCall(ToolCall(itemId: "i", name: "B", title: "b")))
        try fixture.restart()
        let restored = try fixture.service.session(session.id)
        #expect(restored.state.status == .idle && restored.state.isHeld)
        #expect(restored.state.queue.map(\.content) == ["two"])
        #expect(fixture.providers.made.isEmpty)
        #expect(fixture.committed.contains { $0.kind == .turnCompleted && $0.data["status"] == "interrupted" })
        restored.releaseQueue(by: fixture.client)
        fixture.turn()
        #expect(fixture.provider.calls == [.start(resume: "n1"), .send("two", turnId: "t2")])
        // Closing happens once.
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        let seq = restored.state.lastSeq
        try fixture.restart()
        #expect(fixture.service.state(of: session.id)?.lastSeq == seq)
    }

    @Test func theRecordShowsNoEventThatIsNotInTheFileYet() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        let before = session.shown.lastSeq
        _ = try session.accept(IncomingMessage("hi"), by: fixture.client)
        #expect(session.shown.lastSeq == before)
        #expect(fixture.service.states.first?.lastSeq == before)
        fixture.turn()
        #expect(session.shown.lastSeq == session.state.lastSeq)
    }

    @Test func afterAFailureWhatWaitsIsHeld() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        try fixture.send("two", to: session)
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .failed)))
        fixture.turn()
        #expect(session.state.isHeld)
        #expect(session.state.queue.map(\.content) == ["two"])
        // The next message says that somebody has looked.
        try fixture.send("three", to: session)
        #expect(fixture.provider.calls.last == .send("two", turnId: "t2"))
    }

    @Test func whatEndsBeforeTheMessageWasHandedOverDoesNotEndItsTurn() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        // Logged, not yet handed over: a task in the background ends just then.
        _ = try session.accept(IncomingMessage("two"), by: fixture.client)
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        #expect(session.state.runningTurn?.turnId == "t2")
        fixture.turn()
        #expect(fixture.provider.calls.last == .send("two", turnId: "t2"))
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(session.state.runningTurn == nil)
    }

    @Test func badMessagesChangeNothing() throws {
        var settings = SessionSettings()
        settings.maxMessageBytes = 10
        let fixture = try SessionFixture(settings: settings)
        let session = try fixture.makeSession()
        let seq = session.state.lastSeq
        for text in ["", "this is too long"] {
            #expect(throws: Failure.self) {
                try session.accept(IncomingMessage(text), by: fixture.client)
            }
        }
        #expect(session.state.lastSeq == seq && fixture.providers.made.isEmpty)
    }
}

@Suite struct ConcurrencyTests {
    @Test func onlySoManyTurnsRunAtOnceAndTheOthersWaitInOrder() throws {
        var settings = SessionSettings()
        settings.maxConcurrent = 2
        let fixture = try SessionFixture(settings: settings)
        let sessions = try (0..<4).map { _ in try fixture.makeSession() }
        for session in sessions { try fixture.send("go", to: session) }
        #expect(sessions.map { $0.state.status == .running } == [true, true, false, false])
        #expect(sessions[2].state.queue.count == 1)
        try fixture.send("again", to: sessions[0])
        fixture.providers.made[0].say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        // The third was before the first one's second message.
        #expect(sessions.map { $0.state.status == .running } == [false, true, true, false])
        fixture.providers.made[1].say(.turnCompleted(TurnOutcome(status: .failed)))
        fixture.turn()
        #expect(sessions[3].state.status == .running && sessions[0].state.status == .idle)
        fixture.providers.made[2].end(.exited(.signaled(9), errorTail: ""))
        fixture.turn()
        #expect(fixture.providers.made[0].calls.last == .send("again", turnId: "t2"))
    }

    @Test func aDeletedSessionMakesRoomForTheOthers() throws {
        var settings = SessionSettings()
        settings.maxConcurrent = 1
        let fixture = try SessionFixture(settings: settings)
        let (first, second) = (try fixture.makeSession(), try fixture.makeSession())
        try fixture.send("go", to: first)
        try fixture.send("go", to: second)
        #expect(second.state.status == .idle)
        try fixture.service.delete(first.id, by: fixture.client)
        fixture.turn()
        #expect(second.state.status == .running)
    }
}

@Suite struct StoppingTests {
    @Test(arguments: [true, false]) func aMessageSentWhileTheProviderEndsGoesToTheNext(isInSameTurn: Bool) throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        let provider = fixture.provider
        provider.stopsAtOnce = false
        provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        session.stop(by: fixture.client)
        if !isInSameTurn { fixture.turn() }
        #expect(try fixture.send("two", to: session).isQueued)
        try session.setModel("m", by: fixture.client)
        fixture.turn()
        #expect(provider.calls == [.start(resume: nil), .send("one", turnId: "t1"), .stop])
        provider.end(.stopped)
        fixture.turn()
        #expect(fixture.providers.made.count == 2)
        #expect(fixture.provider.calls.last == .send("two", turnId: "t2"))
        #expect(fixture.committed.count { $0.kind == .turnCompleted } == 1)
    }

    @Test func aProviderThatEndsBeforeItIsStoppedTakesNoStopAlong() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        session.stop(by: fixture.client)
        fixture.provider.end(.exited(.signaled(9), errorTail: ""))
        try fixture.send("two", to: session)
        #expect(fixture.providers.made.count == 2)
        #expect(fixture.provider.calls.last == .send("two", turnId: "t2"))
    }

    @Test func nothingIsBegunWhileTheDaemonEnds() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        fixture.service.stopAll(grace: .seconds(5)) {}
        #expect(throws: Failure.self) { try fixture.send("two", to: session) }
        #expect(throws: Failure.self) { try fixture.makeSession() }
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(session.state.queue.isEmpty && fixture.providers.made.count == 1)
    }
}

@Suite struct RecordTests {
    @Test func theNewestMessagesAreBoundedInBytes() throws {
        var settings = SessionSettings()
        settings.snapshotBytes = 1000
        let fixture = try SessionFixture(settings: settings)
        let session = try fixture.makeSession()
        for size in [900, 400, 500] { try fixture.send(String(repeating: "a", count: size), to: session) }
        #expect(session.newestMessages().map { $0["content"]?.stringValue?.utf8.count } == [400, 500])
        try fixture.send(String(repeating: "b", count: 600), to: session)
        #expect(session.newestMessages().map { $0["content"]?.stringValue?.utf8.count } == [600])
    }

    @Test func aQueueOfLongMessagesMakesNoLargeRecord() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        for _ in 0..<10 { try fixture.send(String(repeating: "é", count: 100_000), to: session) }
        #expect(session.state.queue.count == 9)
        #expect(JSON.object(session.state.record).serialize().count < 16_000)
    }

    @Test(
        arguments: [
            ("  \n\tfirst line\nsecond", "first line"), ("\u{1b}[31mred\u{9b}0m\u{7f}", "[31mred0m"), ("\n \n", nil),
            ("a" + String(repeating: "\u{301}", count: 5000), "a" + String(repeating: "\u{301}", count: 79)),
        ] as [(String, String?)])
    func aTitleIsShortAndControlsNoTerminal(content: String, title: String?) {
        #expect(
            SessionState.title(from: content).map { Array($0.unicodeScalars) } == title.map { Array($0.unicodeScalars) }
        )
    }

    @Test(arguments: ["", "a\u{1b}[31m", "a\u{9b}b", "a\u{7f}", "a\nb", "a" + String(repeating: "\u{301}", count: 200)])
    func aTitleThatIsNoneIsRefused(title: String) throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        #expect(throws: Failure.self) { try session.rename(title, by: fixture.client) }
    }
}
