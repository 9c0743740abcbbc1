import Base
import EventLog
import HubProtocol
import JSON
import Processes
import Providers
import Testing

@testable import Sessions

@Suite struct RetryTests {
    private func fail(
        _ fixture: SessionFixture, _ failure: Failure = .providerError(provider: "Echo", message: "no")
    ) {
        fixture.provider.say(.error(failure), .turnCompleted(TurnOutcome(status: .failed)))
        fixture.turn()
    }

    @Test func theSameMessageIsTriedInANewTurn() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        let attachments: [JSON] = [["mediaType": "text/plain", "text": "hello"]]
        // Longer than what the record shows of it.
        let text = String(repeating: "long ", count: 200)
        _ = try session.accept(IncomingMessage(text, attachments: attachments), by: fixture.client)
        fixture.turn()
        try fixture.send("later", to: session)
        fail(fixture)
        #expect(session.state.isHeld && session.state.record["retryable"] == "t1")
        let accepted = try session.retry(by: fixture.client)
        #expect(accepted.turnId == "t3" && accepted.seq == 2 && !accepted.isQueued)
        fixture.turn()
        #expect(fixture.provider.calls.last == .send(text, turnId: "t3"))
        #expect(fixture.provider.prompt?.attachments == [Attachment(mediaType: "text/plain", content: .text("hello"))])
        #expect(fixture.committed.last { $0.kind == .turnStarted }?.data["retryOf"] == "t1")
        #expect(fixture.committed.count { $0.kind == .message } == 2)
        #expect(fixture.statuses("retry").first?["by"]?["name"] == "test")
        // What waited goes on after it.
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(fixture.provider.calls.last == .send("later", turnId: "t2"))
        #expect(session.state.record["retryable"]?.isNull == true)
    }

    @Test func thereIsNothingToRetry() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        func expectNothing() {
            let failure = #expect(throws: Failure.self) { try session.retry(by: fixture.client) }
            #expect(failure?.code == "nothing_to_retry")
        }
        expectNothing()
        try fixture.send("one", to: session)
        expectNothing()
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        expectNothing()
        try fixture.send("two", to: session)
        fail(fixture)
        _ = try session.retry(by: fixture.client)
        // The second who asks finds it under way.
        expectNothing()
    }

    @Test func aTurnThatNobodySentChangesNothing() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        fail(fixture)
        fixture.provider.say(
            .turnStarted(reason: "background"), .turnCompleted(TurnOutcome(status: .failed)))
        fixture.turn()
        #expect(try session.retry(by: fixture.client).turnId == "t3")
    }

    @Test func afterARestartItCanStillBeTried() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        try fixture.restart()
        let restored = try fixture.service.session(session.id)
        #expect(restored.state.unfinished?.hasFailed == false)
        try fixture.send("two", to: restored)
        fail(fixture, .overloaded(provider: "Echo", message: "busy"))
        _ = try restored.retry(by: fixture.client)
        // Written down and not begun.
        try fixture.restart()
        let again = try fixture.service.session(session.id)
        #expect(again.state.unfinished?.turnId == "t3")
        let state = again.state
        #expect(SessionState(checkpoint: state.checkpoint, header: again.log.header) == state)
        _ = try again.retry(by: fixture.client)
        fixture.turn()
        #expect(fixture.provider.calls.last == .send("two", turnId: "t4"))
    }

    @Test func anAddressedMessageGoesToTheSameProvider() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try session.invite(["two"], by: fixture.client)
        try fixture.send("@two look", to: session)
        fail(fixture)
        _ = try session.retry(by: fixture.client)
        fixture.turn()
        #expect(fixture.provider.providerId == "two")
        #expect(fixture.provider.calls.last == .send("look", turnId: "t2"))
    }

    @Test func theQueueIsReordered() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        for text in ["one", "two", "three", "four"] { try fixture.send(text, to: session) }
        try session.reorderQueue(["t4"], by: fixture.client)
        #expect(session.state.queue.map(\.turnId) == ["t4", "t2", "t3"])
        try session.reorderQueue(["t3", "t2"], by: fixture.client)
        #expect(session.state.queue.map(\.turnId) == ["t3", "t2", "t4"])
        let before = session.state
        for (order, code) in [
            (["t1"], "turn_not_queued"), (["t9"], "turn_not_queued"), (["t2", "t2"], "invalid_request"),
            ([], "invalid_request"),
        ] {
            let failure = #expect(throws: Failure.self) { try session.reorderQueue(order, by: fixture.client) }
            #expect(failure?.code == code)
        }
        #expect(session.state == before)
        fixture.turn()
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(fixture.provider.calls.last == .send("three", turnId: "t3"))
    }

    @Test func longQueuesTakeTurns() throws {
        var settings = SessionSettings()
        settings.maxConcurrent = 1
        let fixture = try SessionFixture(settings: settings)
        let sessions = try (0..<3).map { _ in try fixture.makeSession() }
        for _ in 0..<3 {
            for session in sessions { try fixture.send("go", to: session) }
        }
        var order: [Int] = []
        for _ in 0..<9 {
            let running = try #require(sessions.firstIndex { $0.state.runningTurn != nil })
            order.append(running)
            let provider = try #require(fixture.providers.made.first { $0.launch.sessionId == sessions[running].id })
            provider.say(.turnCompleted(TurnOutcome(status: .completed)))
            fixture.turn()
        }
        #expect(order == [0, 1, 2, 0, 1, 2, 0, 1, 2])
    }
}
