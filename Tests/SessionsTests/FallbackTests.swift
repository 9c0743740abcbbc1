import EventLog
import HubProtocol
import JSON
import Processes
import Providers
import Testing

@testable import Sessions

@Suite struct FallbackTests {
    private func fixture(_ fallback: [String] = ["two", "three"]) throws -> (SessionFixture, Session) {
        var settings = SessionSettings()
        settings.fallback = fallback
        settings.resumeAfterQuota = true
        let fixture = try SessionFixture(settings: settings)
        let session = try fixture.service.create(.init(providerId: "one", workspace: "/tmp"), by: fixture.client)
        fixture.turn()
        return (fixture, session)
    }

    private func fail(_ fixture: SessionFixture, _ failure: Failure) {
        fixture.provider.say(.error(failure), .turnCompleted(TurnOutcome(status: .failed)))
        fixture.turn()
    }

    @Test func whatAPersonStoppedNobodyElseTries() throws {
        let (fixture, session) = try fixture()
        try fixture.send("hello", to: session)
        try fixture.send("second", to: session)
        fixture.provider.stopsAtOnce = false
        session.stop(by: fixture.client)
        // Its last words are of a failure.
        fail(fixture, overloaded)
        fixture.provider.end(.exited(.exited(1), errorTail: ""))
        fixture.turn()
        #expect(session.state.providerId == "one" && session.state.isHeld)
        #expect(session.state.runningTurn == nil && fixture.providers.made.count == 1)
    }

    private let overloaded = Failure.overloaded(provider: "One", message: "busy")

    @Test func eachTriesOnceInOrder() throws {
        let (fixture, session) = try fixture()
        try fixture.send("hello", to: session)
        try fixture.send("second", to: session)
        fail(fixture, overloaded)
        #expect(session.state.providerId == "two" && !session.state.isHeld)
        #expect(fixture.provider.providerId == "two")
        #expect(fixture.provider.calls.last == .send("hello", turnId: "t3"))
        #expect(fixture.provider.prompt?.context?.contains("hello") == true)
        let event = try #require(fixture.statuses("fallback").first)
        #expect(event["from"] == "one" && event["to"] == "two" && event["code"] == "overloaded")
        #expect(event["turnId"] == "t1")
        #expect(fixture.committed.last { $0.data["type"] == "provider_switched" }?.draft.source == .core)
        fixture.provider.end(.exited(.signaled(9), errorTail: ""))
        fixture.turn()
        #expect(fixture.provider.providerId == "three")
        fail(fixture, .authenticationFailed(provider: "Three", message: "no"))
        // All have had it: a person decides.
        #expect(fixture.providers.made.count == 3)
        #expect(session.state.status == .failed && session.state.isHeld)
        #expect(fixture.statuses("fallback").count == 2)
        // Who then says so tries it with the one that is the session's now, and the others again after that.
        _ = try session.retry(by: fixture.client)
        fixture.turn()
        #expect(fixture.provider.providerId == "three")
        fail(fixture, overloaded)
        #expect(session.state.providerId == "two")
    }

    @Test func someFailuresAreNotForOthers() throws {
        let (fixture, session) = try fixture()
        for failure in [
            Failure.providerError(provider: "One", message: "no"), .contextExhausted(provider: "One", message: "no"),
            .rateLimited(provider: "One", message: "no", retryAfter: 1),
        ] {
            try fixture.send("hello", to: session)
            fail(fixture, failure)
        }
        #expect(session.state.providerId == "one" && fixture.statuses("fallback").isEmpty)
    }

    @Test func whoInterruptsDoesNotWantAnother() throws {
        let (fixture, session) = try fixture()
        try fixture.send("hello", to: session)
        _ = session.interrupt(by: fixture.client)
        fail(fixture, overloaded)
        #expect(session.state.providerId == "one" && fixture.providers.made.count == 1)
    }

    @Test func whoAddressesOneWantsThatOne() throws {
        let (fixture, session) = try fixture()
        try session.invite(["two"], by: fixture.client)
        try fixture.send("@two hello", to: session)
        fail(fixture, overloaded)
        #expect(session.state.status == .failed && fixture.providers.made.count == 1)
    }

    @Test func whatCannotBeStartedFallsBackAtOnce() throws {
        let (fixture, session) = try fixture()
        fixture.providers.problems = [
            "one": Failure(code: "provider_not_installed", message: "no"),
            "two": Failure(code: "provider_disabled", message: "no"),
        ]
        try fixture.send("hello", to: session)
        #expect(fixture.provider.providerId == "three")
        #expect(fixture.statuses("fallback").map { $0["to"] } == ["three"])
    }

    @Test func withNobodyToFallBackToTheMessageIsRefused() throws {
        let (fixture, session) = try fixture(["one"])
        fixture.providers.problems = ["one": Failure(code: "provider_not_installed", message: "no")]
        let failure = #expect(throws: Failure.self) { try fixture.send("hello", to: session) }
        #expect(failure?.code == "provider_not_installed")
    }

    @Test func whatRunsGoesOnWhateverHasBecomeOfItsProgram() throws {
        let (fixture, session) = try fixture([])
        try fixture.send("hello", to: session)
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        fixture.providers.problems = ["one": Failure(code: "provider_not_installed", message: "no")]
        try fixture.send("again", to: session)
        #expect(fixture.provider.calls.last == .send("again", turnId: "t2"))
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        // Somebody has said so.
        fixture.providers.problems = ["one": Failure(code: "provider_disabled", message: "no")]
        let failure = #expect(throws: Failure.self) { try fixture.send("more", to: session) }
        #expect(failure?.code == "provider_disabled")
    }

    @Test func quotaFallsBackBeforeItParks() throws {
        let (fixture, session) = try fixture(["two"])
        try fixture.send("hello", to: session)
        fail(fixture, .quotaExhausted(provider: "One", message: "no", resetsAt: 4e9))
        #expect(session.state.providerId == "two" && session.state.parked == nil)
    }

    @Test func noneIsConfiguredByDefault() throws {
        let (fixture, session) = try fixture([])
        try fixture.send("hello", to: session)
        fail(fixture, overloaded)
        #expect(session.state.status == .failed && fixture.providers.made.count == 1)
    }

    @Test func whatIsWrittenDownIsNotLoopedAfterARestart() throws {
        let (fixture, session) = try fixture(["two", "one"])
        try fixture.send("hello", to: session)
        fail(fixture, overloaded)
        let state = session.state
        #expect(state.runningTurn?.message?.triedProviders == ["one"])
        #expect(SessionState(checkpoint: state.checkpoint, header: session.log.header) == state)
        fail(fixture, overloaded)
        // `one` has had it.
        #expect(session.state.status == .failed && session.state.providerId == "two")
    }
}
