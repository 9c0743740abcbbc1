import Base
import EventLog
import EventLoop
import HubProtocol
import JSON
import Processes
import Providers
import Testing

@testable import Sessions

@Suite struct BackoffTests {
    private func fixture(first: Duration = .milliseconds(30), circuit: Int = 1000) throws -> (SessionFixture, Session) {
        var settings = SessionSettings()
        settings.rest.firstWait = first
        settings.rest.circuitFailures = circuit
        settings.rest.circuitTime = .milliseconds(60)
        let fixture = try SessionFixture(settings: settings)
        return (fixture, try fixture.makeSession())
    }

    private func crash(_ fixture: SessionFixture) {
        fixture.provider.end(.exited(.exited(7), errorTail: "boom"))
        fixture.turn()
    }

    @Test func theNextStartWaitsAndIsVisible() throws {
        let (fixture, session) = try fixture()
        try fixture.send("one", to: session)
        crash(fixture)
        #expect(try fixture.send("two", to: session).isQueued)
        #expect(fixture.providers.made.count == 1)
        let waiting = try #require(fixture.statuses("provider_backoff").first)
        #expect(waiting["turnId"] == "t2" && waiting["failures"] == 1)
        let record = fixture.service.record(of: session.state)
        #expect(record["backoff"]?["turnId"] == "t2" && record["backoff"]?["providerId"] == "echo")
        #expect(!session.isQuiet)
        try fixture.wait(for: "the start") { fixture.providers.made.count == 2 }
        #expect(fixture.provider.calls.last == .send("two", turnId: "t2"))
        #expect(fixture.service.record(of: session.state)["backoff"]?.isNull == true)
        crash(fixture)
        try fixture.send("three", to: session)
        #expect(fixture.statuses("provider_backoff").map { $0["failures"] } == [1, 2])
        #expect(session.seat("echo").restsUntil - fixture.loop.now > .milliseconds(30))
    }

    @Test func aCompletedTurnForgets() throws {
        let (fixture, session) = try fixture()
        try fixture.send("one", to: session)
        crash(fixture)
        try fixture.send("two", to: session)
        try fixture.wait(for: "the start") { fixture.providers.made.count == 2 }
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(session.seat("echo").failures == 0 && fixture.service.health["echo"].failures == 0)
    }

    @Test func nothingIsStartedWithoutAMessage() throws {
        let (fixture, session) = try fixture(first: .milliseconds(1))
        try fixture.send("one", to: session)
        crash(fixture)
        for _ in 0..<20 { fixture.loop.turn(waitingAtMost: .milliseconds(2)) }
        #expect(fixture.providers.made.count == 1)
        #expect(session.isQuiet)
    }

    @Test func whatWaitsCanBeWithdrawnInterruptedAndStopped() throws {
        let (fixture, session) = try fixture(first: .seconds(60))
        try fixture.send("one", to: session)
        crash(fixture)
        try fixture.send("two", to: session)
        try session.withdraw("t2", by: fixture.client)
        #expect(session.state.queue.isEmpty && session.backoffRecord == nil)
        try fixture.send("three", to: session)
        #expect(session.interrupt(by: fixture.client))
        fixture.turn()
        #expect(session.state.queue.isEmpty)
        #expect(fixture.committed.last?.turnId == "t3" && fixture.committed.last?.data["status"] == "interrupted")
        #expect(!session.interrupt(by: fixture.client))
        try fixture.send("four", to: session)
        session.stop(by: fixture.client)
        fixture.turn()
        #expect(session.state.isHeld && session.isQuiet && session.backoffRecord == nil)
        #expect(fixture.providers.made.count == 1)
    }

    @Test func anotherProviderNeedNotBeWaitedFor() throws {
        let (fixture, session) = try fixture(first: .seconds(60))
        try fixture.send("one", to: session)
        crash(fixture)
        try fixture.send("two", to: session)
        try session.switchProvider(to: "other", SessionState.Choice(), by: fixture.client)
        fixture.turn()
        #expect(fixture.provider.providerId == "other")
        #expect(fixture.provider.calls.last == .send("two", turnId: "t2"))
    }

    @Test func whatWaitsTakesNoRoom() throws {
        var settings = SessionSettings()
        settings.rest.firstWait = .seconds(60)
        settings.maxConcurrent = 1
        let fixture = try SessionFixture(settings: settings)
        let (first, second) = (try fixture.makeSession(), try fixture.makeSession())
        try fixture.send("one", to: first)
        crash(fixture)
        try fixture.send("two", to: first)
        try fixture.send("one", to: second)
        #expect(second.state.status == .running)
    }

    @Test func aFailedStartCountsARefusalDoesNot() throws {
        let (fixture, session) = try fixture(first: .seconds(60))
        fixture.providers.startFailure = Failure(code: "authentication_failed", message: "no")
        try fixture.send("one", to: session)
        #expect(fixture.service.health["echo"].failures == 0)
        fixture.providers.startFailure = Failure(code: "provider_start_failed", message: "no")
        try fixture.send("two", to: session)
        #expect(fixture.service.health["echo"].failures == 1)
        #expect(try fixture.send("three", to: session).isQueued)
    }

    @Test func whatWasStoppedOrInterruptedDidNotCrash() throws {
        let (fixture, session) = try fixture(first: .seconds(60))
        try fixture.send("one", to: session)
        _ = session.interrupt(by: fixture.client)
        fixture.turn()
        crash(fixture)
        #expect(fixture.service.health["echo"].failures == 0)
        try fixture.send("two", to: session)
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        fixture.provider.end(.exited(.exited(0), errorTail: ""))
        fixture.turn()
        #expect(fixture.service.health["echo"].failures == 0)
        try fixture.send("three", to: session)
        #expect(fixture.providers.made.count == 3)
    }

    @Test func theCircuitIsForAllSessionsAndOneTries() throws {
        let (fixture, session) = try fixture(first: .zero, circuit: 3)
        let other = try fixture.makeSession()
        // One that runs goes on, whatever becomes of the others.
        let running = try fixture.makeSession()
        try fixture.send("long", to: running)
        let runningProvider = fixture.provider
        var announced = 0
        fixture.service.health.onChange = { _ in announced += 1 }
        for text in ["one", "two", "three"] {
            try fixture.send(text, to: session)
            crash(fixture)
            // Failures of one moment count once.
            fixture.loop.turn(waitingAtMost: .milliseconds(1))
        }
        #expect(announced == 3)
        #expect(fixture.service.health.json("echo")["state"] == "open")
        #expect(fixture.service.health.json("echo")["failures"] == 3)
        try fixture.send("four", to: other)
        #expect(fixture.providers.made.count == 4)
        let error = try #require(fixture.committed.last { $0.kind == .error }?.data)
        #expect(error["code"] == "provider_unavailable" && (error["retryAfter"]?.doubleValue ?? 0) > 0)
        #expect(
            error["actions"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == ["switch_provider", "retry_later"])
        #expect(running.state.status == .running)

        try fixture.wait(for: "half open") { fixture.service.health.json("echo")["state"] == "half_open" }
        #expect(announced == 4)
        _ = try other.retry(by: fixture.client)
        fixture.turn()
        #expect(fixture.provider.calls.last == .send("four", turnId: "t2"))
        try fixture.send("five", to: session)
        #expect(fixture.committed.last { $0.kind == .error }?.data["code"] == "provider_unavailable")
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(fixture.service.health.json("echo")["state"] == "ok")
        _ = try session.retry(by: fixture.client)
        fixture.turn()
        #expect(fixture.provider.calls.last == .send("five", turnId: "t5"))
        runningProvider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(running.state.status == .idle)
    }

    @Test func aDeletedSessionTriesNothing() throws {
        let (fixture, session) = try fixture(first: .zero, circuit: 1)
        try fixture.send("one", to: session)
        crash(fixture)
        try fixture.wait(for: "half open") { fixture.service.health.json("echo")["state"] == "half_open" }
        try fixture.send("two", to: session)
        let other = try fixture.makeSession()
        #expect(!fixture.service.health.admits("echo", in: other.id))
        try fixture.service.delete(session.id, by: fixture.client)
        fixture.turn()
        #expect(fixture.service.health.admits("echo", in: other.id))
    }
}
