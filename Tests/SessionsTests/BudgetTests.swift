import Base
import EventLog
import HubProtocol
import JSON
import Providers
import Testing

@testable import Sessions

@Suite struct BudgetTests {
    /// Has a session's turn cost something.
    private func spend(_ usd: Double, _ session: Session, _ fixture: SessionFixture, provider: FakeProvider? = nil) {
        (provider ?? fixture.provider).say(
            .turnCompleted(TurnOutcome(status: .completed, usage: Usage(costUsd: usd))))
        fixture.turn()
    }

    private func errors(_ fixture: SessionFixture) -> [JSONObject] {
        fixture.committed.filter { $0.kind == .error }.map(\.data)
    }

    @Test(arguments: [
        (0, Budget.Level.within), (79, .within), (80, .warning), (99, .warning), (100, .exceeded), (500, .exceeded),
    ])
    func levels(cents: Int, level: Budget.Level) {
        #expect(Budget.level(Money(usd: Double(cents) / 100), of: Money(usd: 1)) == level)
        #expect(Budget.level(Money(usd: Double(cents) / 100), of: nil) == .within)
    }

    @Test func aWarningComesOnceAndAtTheLimitNoTurnBegins() throws {
        let fixture = try SessionFixture(budget: Budget(perSession: Money(usd: 1)))
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        spend(0.8, session, fixture)
        #expect(fixture.workflow.count == 1)
        #expect(fixture.workflow[0]["type"] == "budget" && fixture.workflow[0]["level"] == "warning")
        #expect(fixture.workflow[0]["scope"] == "session" && fixture.workflow[0]["share"] == 0.8)
        #expect(fixture.committed.contains { $0.data["type"] == "budget" })
        try fixture.send("two", to: session)
        spend(0.1, session, fixture)
        #expect(fixture.workflow.count == 1)
        try fixture.send("three", to: session)
        // It waits while the last turn within the budget runs; that one ends as it would.
        try fixture.send("four", to: session)
        spend(0.5, session, fixture)
        #expect(fixture.workflow.map { $0["level"] } == ["warning", "exceeded"])
        #expect(!fixture.provider.calls.contains(.send("four", turnId: "t4")))
        #expect(session.state.isHeld && session.state.queue.count == 1)
        #expect(session.state.record["heldBy"] == "budget")
        let error = try #require(errors(fixture).first)
        #expect(error["code"] == "budget_exceeded" && error["recoverable"] == true)
        #expect(
            error["actions"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == ["raise_budget", "continue_once"])
        // What is said now is kept, and waits; the error is not said again.
        let accepted = try fixture.send("five", to: session)
        #expect(accepted.isQueued && accepted.position == 2)
        #expect(errors(fixture).count == 1)
        // Whoever wants it now or never is told.
        let failure = #expect(throws: Failure.self) {
            try session.accept(IncomingMessage("six", mode: .reject), by: fixture.client)
        }
        #expect(failure?.code == "busy")
    }

    @Test func whoRejectsWaitingIsToldOfTheBudget() throws {
        let fixture = try SessionFixture(budget: Budget(perSession: Money(usd: 1)))
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        spend(1, session, fixture)
        let failure = #expect(throws: Failure.self) {
            try session.accept(IncomingMessage("two", mode: .reject), by: fixture.client)
        }
        #expect(failure?.code == "budget_exceeded")
        #expect(session.state.queue.isEmpty)
    }

    @Test func lettingItGoOnIsForOneTurn() throws {
        let fixture = try SessionFixture(budget: Budget(perSession: Money(usd: 1)))
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        try fixture.send("two", to: session)
        try fixture.send("three", to: session)
        spend(2, session, fixture)
        #expect(session.state.isHeld)
        session.releaseQueue(by: fixture.client)
        fixture.turn()
        #expect(fixture.provider.calls.last == .send("two", turnId: "t2"))
        spend(1, session, fixture)
        #expect(session.state.isHeld && session.state.queue.map(\.turnId) == ["t3"])
        #expect(errors(fixture).count == 2)
    }

    @Test func aRaisedBudgetLetsWhatWaitsGoOn() throws {
        let fixture = try SessionFixture(budget: Budget(perSession: Money(usd: 1)))
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        try fixture.send("two", to: session)
        spend(2, session, fixture)
        try session.setBudget(1.5, by: fixture.client)
        fixture.turn()
        #expect(session.state.isHeld)
        try session.setBudget(10, by: fixture.client)
        fixture.turn()
        #expect(!session.state.isHeld && session.state.runningTurn?.turnId == "t2")
        #expect(session.state.record["budgetUsd"] == 10.0)
        // Lowered again: told, and the turn that runs goes on.
        fixture.workflow = []
        try session.setBudget(2.1, by: fixture.client)
        fixture.turn()
        #expect(fixture.workflow.map { $0["level"] } == ["warning"])
        #expect(session.state.runningTurn != nil)
        try session.setBudget(0, by: fixture.client)
        #expect(session.budgetLimit == nil)
        try session.setBudget(nil, by: fixture.client)
        #expect(session.budgetLimit == Money(usd: 1))
        for wrong in [-1.0, .nan, 1e9] {
            #expect(throws: Failure.self) { try session.setBudget(wrong, by: fixture.client) }
        }
    }

    @Test func aDaysBudgetIsOneForAllSessions() throws {
        let now = try #require(Timestamp("2026-03-01T22:00:00Z"))
        let fixture = try SessionFixture(budget: Budget(perDay: Money(usd: 10)), now: now)
        let sessions = try (0..<3).map { _ in try fixture.makeSession() }
        for session in sessions { try fixture.send("one", to: session) }
        let providers = fixture.providers.made
        // All run at once; two have more waiting.
        try fixture.send("two", to: sessions[0])
        try fixture.send("two", to: sessions[1])
        spend(7, sessions[2], fixture, provider: providers[2])
        #expect(fixture.workflow.isEmpty)
        spend(4, sessions[0], fixture, provider: providers[0])
        #expect(fixture.workflow.count == 1)
        #expect(fixture.workflow[0]["scope"] == "day" && fixture.workflow[0]["day"] == "2026-03-01")
        #expect(fixture.workflow[0]["level"] == "exceeded")
        #expect(sessions[0].state.isHeld)
        // The other one's turn runs to its end, and its next is held as well.
        #expect(sessions[1].state.runningTurn != nil)
        spend(1, sessions[1], fixture, provider: providers[1])
        #expect(sessions[1].state.isHeld && sessions[1].state.lastTurnStatus == "completed")
        #expect(fixture.workflow.count == 1)
        let error = try #require(errors(fixture).last)
        #expect(error["retryAfter"]?.doubleValue == 7200)
        #expect(error["actions"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == ["continue_once", "retry_later"])
        // Deleting what was expensive brings nothing back.
        try fixture.service.delete(sessions[2].id, by: fixture.client)
        try fixture.send("three", to: sessions[1])
        #expect(sessions[1].state.isHeld && sessions[1].state.queue.count == 2)
        // Another day: whoever writes again is heard.
        fixture.time.fixed = Timestamp("2026-03-02T00:00:00Z")
        try fixture.send("four", to: sessions[1])
        #expect(!sessions[1].state.isHeld && sessions[1].state.runningTurn?.turnId == "t2")
        #expect(sessions[0].state.isHeld)
    }

    @Test func theDaysBudgetIsKeptOverARestart() throws {
        let fixture = try SessionFixture(budget: Budget(perDay: Money(usd: 1)))
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        spend(1, session, fixture)
        try fixture.restart()
        let again = try fixture.service.session(session.id)
        try fixture.send("two", to: again)
        #expect(again.state.isHeld && again.state.budget.isHolding && fixture.providers.made.isEmpty)
        try fixture.restart()
        #expect(fixture.service.state(of: session.id)?.budget.isHolding == true)
        // More allowed, while it runs: what was held goes on, whether or not it was in memory.
        fixture.service.setBudget(Budget(perDay: Money(usd: 5)))
        fixture.turn()
        #expect(fixture.provider.calls.last == .send("two", turnId: "t2"))
    }

    @Test func aLoweredDayBudgetIsTold() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        spend(4, session, fixture)
        #expect(fixture.workflow.isEmpty)
        fixture.service.setBudget(Budget(perDay: Money(usd: 5)))
        #expect(fixture.workflow.map { $0["level"] } == ["warning"])
        fixture.service.setBudget(Budget(perDay: Money(usd: 4)))
        #expect(fixture.workflow.map { $0["level"] } == ["warning", "exceeded"])
    }

    @Test func theCheckpointHasIt() throws {
        let fixture = try SessionFixture(budget: Budget(perSession: Money(usd: 1)))
        let session = try fixture.makeSession()
        try session.setBudget(0.5, by: fixture.client)
        try fixture.send("one", to: session)
        try fixture.send("two", to: session)
        spend(0.7, session, fixture)
        #expect(session.state.budget.isHolding && session.state.budget.own == Money(usd: 0.5))
        let copy = SessionState(
            checkpoint: try JSON.parse(session.state.checkpoint.serialize()), header: session.log.header)
        #expect(copy == session.state)
    }
}
