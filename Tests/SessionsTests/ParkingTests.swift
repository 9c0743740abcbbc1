import Base
import EventLog
import HubProtocol
import JSON
import Providers
import Testing

@testable import Sessions

@Suite struct ParkingTests {
    private static let start = Timestamp(milliseconds: 1_800_000_000_000)

    private func fixture(resumes: Bool = true) throws -> (SessionFixture, Session) {
        var settings = SessionSettings()
        settings.resumeAfterQuota = resumes
        settings.resumeJitter = 0
        let fixture = try SessionFixture(settings: settings, now: ParkingTests.start)
        return (fixture, try fixture.makeSession())
    }

    private func time(_ seconds: Double) -> Timestamp {
        Timestamp(milliseconds: ParkingTests.start.milliseconds + Int64(seconds * 1000))
    }

    private func exhaust(_ fixture: SessionFixture, resetsIn seconds: Double) {
        let now = Double(fixture.time.now.milliseconds) / 1000
        fixture.provider.say(
            .error(.quotaExhausted(provider: "Echo", message: "used up", resetsAt: now + seconds, now: now)),
            .turnCompleted(TurnOutcome(status: .failed)))
        fixture.turn()
    }

    /// The clock jumps, and the lot looks at it, as it does at least once a minute.
    private func jump(_ fixture: SessionFixture, to seconds: Double) {
        fixture.time.fixed = time(seconds)
        fixture.service.lookAtParked()
        fixture.turn()
    }

    @Test func itIsTriedOnceWhenTheQuotaIsReset() throws {
        let (fixture, session) = try fixture()
        try fixture.send("one", to: session)
        exhaust(fixture, resetsIn: 100)
        #expect(session.state.status == .parked)
        #expect(session.state.record["parked"]?["turnId"] == "t1")
        #expect(session.state.record["parked"]?["until"]?.stringValue == time(100).description)
        #expect(session.state.record["parked"]?["code"] == "quota_exhausted")
        #expect(session.state.record["parked"]?["automatic"] == true)
        #expect(!fixture.service.isQuiet)
        jump(fixture, to: 99)
        #expect(session.state.status == .parked)
        jump(fixture, to: 100)
        #expect(fixture.provider.calls.last == .send("one", turnId: "t2"))
        #expect(session.state.status == .running && session.state.parked == nil)
        #expect(fixture.statuses("retry").first?["reason"] == "parked")
        // Again: now a person decides.
        exhaust(fixture, resetsIn: 100)
        #expect(session.state.record["parked"]?["automatic"] == false)
        #expect(fixture.service.isQuiet)
        jump(fixture, to: 1000)
        #expect(session.state.status == .parked && fixture.provider.calls.count == 3)
        _ = try session.retry(by: fixture.client)
        fixture.turn()
        #expect(fixture.provider.calls.last == .send("one", turnId: "t3"))
    }

    @Test func withoutTheSettingNothingIsParkedUntilSomebodySaysSo() throws {
        let (fixture, session) = try fixture(resumes: false)
        try fixture.send("one", to: session)
        exhaust(fixture, resetsIn: 100)
        #expect(session.state.status == .failed && session.state.parked == nil)
        // By default when the error says.
        #expect(try session.retryLater(at: nil, by: fixture.client).until == time(100))
        #expect(try session.retryLater(at: time(50), by: fixture.client).until == time(50))
        fixture.turn()
        #expect(fixture.statuses("parked").last?["by"]?["name"] == "test")
        for wrong in [time(-1), time(367 * 86_400)] {
            #expect(throws: Failure.self) { try session.retryLater(at: wrong, by: fixture.client) }
        }
        jump(fixture, to: 51)
        #expect(fixture.provider.calls.last == .send("one", turnId: "t2"))
    }

    @Test func aFailureWithoutATimeIsTriedInAMinute() throws {
        let (fixture, session) = try fixture()
        try fixture.send("one", to: session)
        fixture.provider.say(
            .error(.overloaded(provider: "Echo", message: "busy")), .turnCompleted(TurnOutcome(status: .failed)))
        fixture.turn()
        #expect(session.state.parked == nil)
        #expect(try session.retryLater(at: nil, by: fixture.client).until == time(60))
    }

    @Test func itSurvivesARestart() throws {
        let (fixture, session) = try fixture()
        try fixture.send("one", to: session)
        exhaust(fixture, resetsIn: 100)
        try fixture.restart()
        #expect(fixture.service.loaded.isEmpty && !fixture.service.isQuiet)
        #expect(fixture.service.state(of: session.id)?.status == .parked)
        jump(fixture, to: 101)
        #expect(fixture.provider.calls.last == .send("one", turnId: "t2"))
    }

    @Test func whatIsLongDueAtTheStartIsTriedSoon() throws {
        let (fixture, session) = try fixture()
        try fixture.send("one", to: session)
        exhaust(fixture, resetsIn: 100)
        fixture.time.fixed = time(5000)
        try fixture.restart()
        try fixture.wait(for: "the retry") { !fixture.providers.made.isEmpty }
        #expect(fixture.provider.calls.last == .send("one", turnId: "t2"))
        #expect(fixture.service.state(of: session.id)?.status == .running)
    }

    enum End: CaseIterable { case message, resume, switching, stop, delete }

    @Test(arguments: End.allCases) func itEndsWhenAPersonDoesSomethingElse(_ end: End) throws {
        let (fixture, session) = try fixture()
        try fixture.send("one", to: session)
        exhaust(fixture, resetsIn: 100)
        switch end {
        case .message: try fixture.send("two", to: session)
        case .resume: session.resume(by: fixture.client)
        case .switching: try session.switchProvider(to: "other", SessionState.Choice(), by: fixture.client)
        case .stop: session.stop(by: fixture.client)
        case .delete: try fixture.service.delete(session.id, by: fixture.client)
        }
        fixture.turn()
        if end != .delete { #expect(session.state.parked == nil) }
        let calls = fixture.provider.calls
        jump(fixture, to: 1000)
        #expect(fixture.provider.calls == calls)
    }

    @Test func whatWaitsBehindItGoesOnWithIt() throws {
        let (fixture, session) = try fixture()
        try fixture.send("one", to: session)
        try fixture.send("two", to: session)
        exhaust(fixture, resetsIn: 10)
        #expect(session.state.isHeld)
        jump(fixture, to: 10)
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(fixture.provider.calls.last == .send("two", turnId: "t2"))
    }

    @Test func whatWasAddedTooLateEndsIt() throws {
        let (fixture, session) = try fixture()
        try fixture.send("one", to: session)
        let provider = fixture.provider
        provider.capabilities.steer = true
        // On its way to the provider when the turn fails.
        _ = try session.accept(IncomingMessage("two", mode: .steer), by: fixture.client)
        provider.say(
            .error(.quotaExhausted(provider: "Echo", message: "used up", resetsAt: 1_800_000_100, now: 1_800_000_000)),
            .turnCompleted(TurnOutcome(status: .failed)))
        fixture.turn()
        #expect(session.state.runningTurn?.turnId == "t2" && session.state.parked == nil)
        provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(session.state.status == .idle && fixture.service.isQuiet)
    }

    @Test func aResetThatNobodyLivesToSeeIsNone() throws {
        let (fixture, session) = try fixture()
        try fixture.send("one", to: session)
        exhaust(fixture, resetsIn: 1e12)
        #expect(session.state.status == .failed)
    }

    @Test func theCheckpointKeepsIt() throws {
        let (fixture, session) = try fixture()
        try fixture.send("one", to: session)
        exhaust(fixture, resetsIn: 100)
        let header = session.log.header
        let state = session.state
        #expect(SessionState(checkpoint: try JSON.parse(state.checkpoint.serialize()), header: header) == state)
        #expect(state.parked != nil && state.unfinished?.failure?.retryAt == time(100))
    }
}
