import EventLoop
import HubProtocol
import JSON
import Providers
import Testing

@testable import Sessions

/// What a provider's manifest, its state and idleness mean for its sessions.
@Suite struct ProviderLimitTests {
    @Test func aProviderCanTakeFewerTurnsThanTheHub() throws {
        let fixture = try SessionFixture()
        fixture.providers.limits.maxConcurrent = 1
        let (first, second) = (try fixture.makeSession(), try fixture.makeSession())
        try fixture.send("go", to: first)
        try fixture.send("go", to: second)
        #expect(first.state.status == .running && second.state.status == .idle)
        #expect(fixture.service.placeInLine(second.id) == 1)
        fixture.providers.made[0].say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(second.state.status == .running)
    }

    @Test func aProviderCanTakeShorterMessagesThanTheHub() throws {
        let fixture = try SessionFixture()
        fixture.providers.limits.maxPromptBytes = 4
        let session = try fixture.makeSession()
        try fixture.send("four", to: session)
        let error = #expect(throws: Failure.self) { try fixture.send("five!", to: session) }
        #expect(error?.code == "payload_too_large")
    }

    @Test func aTurnOnADisabledProviderEndsAndTheQueuedOneIsRefused() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        try fixture.send("two", to: session)
        fixture.providers.failure = Failure(code: "provider_disabled", message: "disabled")
        #expect(throws: Failure.self) { try fixture.send("three", to: session) }
        #expect(session.state.runningTurn?.turnId == "t1")
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(!fixture.provider.calls.contains(.send("two", turnId: "t2")))
        let ends = fixture.committed.filter { $0.kind == .turnCompleted }
        #expect(ends.map { $0.data["status"] } == ["completed", "failed"])
        let errors = fixture.committed.filter { $0.kind == .error }
        #expect(errors.map { $0.data["code"] } == ["provider_disabled"])
    }

    @Test func anIdleSessionLetsGoOfItsProcessAndStays() throws {
        var settings = SessionSettings()
        settings.stopProviderAfter = 0.01
        let fixture = try SessionFixture(settings: settings)
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        // Not while a turn runs.
        try fixture.turns(for: .milliseconds(1300)) { false }
        #expect(session.hasProvider)
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        try fixture.turns(for: .seconds(10)) { !session.hasProvider }
        #expect(!session.hasProvider && fixture.provider.calls.last == .stop)
        #expect(fixture.service.loaded[session.id] === session)
        try fixture.send("two", to: session)
        #expect(fixture.providers.made.count == 2)
        #expect(fixture.provider.calls.last == .send("two", turnId: "t2"))
    }
}

extension SessionFixture {
    /// Turns the loop for so long, or until something is so.
    fileprivate func turns(for limit: Duration, until isSo: () -> Bool) throws {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline, !isSo() { loop.turn(waitingAtMost: .milliseconds(20)) }
    }
}
