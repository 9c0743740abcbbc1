import Base
import EventLog
import HubProtocol
import JSON
import Providers
import TestSupport
import Testing

@testable import Sessions

@Suite struct UsageTests {
    private func end(_ usage: Usage?) -> NormalizedEvent {
        .turnCompleted(TurnOutcome(status: .completed, usage: usage))
    }

    @Test func whatTheProviderReportsIsKeptAndWhatItDoesNotIsEstimated() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        fixture.provider.say(end(Usage(input: 1000, output: 10, costUsd: 0.25, model: "gpt-5")))
        fixture.turn()
        var data = try #require(fixture.committed.last { $0.kind == .turnCompleted }).data
        #expect(data["costUsd"] == 0.25 && data["costEstimated"] == nil)
        try fixture.send("two", to: session)
        fixture.provider.say(end(Usage(input: 1_000_000, output: 100_000, cached: 400_000, model: "gpt-5")))
        fixture.turn()
        data = try #require(fixture.committed.last { $0.kind == .turnCompleted }).data
        // 0.6 * 1.25 + 0.4 * 0.125 + 0.1 * 10
        #expect(data["costUsd"] == 1.8 && data["costEstimated"] == true)
        let record = session.state.record
        #expect(record["costUsd"] == 2.05 && record["costEstimated"] == true)
        #expect(record["usageByProvider"]?["echo"]?["estimatedUsd"] == 1.8)
        #expect(record["usageByProvider"]?["echo"]?["turns"] == 2)
    }

    @Test func theModelIsTheSessionsWhereTheProviderDoesNotSay() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        fixture.provider.say(
            .sessionReady(SessionReady(nativeSessionId: "n", model: "claude-haiku-4-5-20251001")),
            end(Usage(input: 1_000_000)))
        fixture.turn()
        #expect(session.state.ledger.total.estimated == Money(usd: 1))
        #expect(session.state.ledger.rows.keys.map(\.model) == ["claude-haiku-4-5-20251001"])
    }

    @Test(arguments: [nil, "nobody-knows-1"])
    func anUnknownModelHasNoPrice(model: String?) throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("one", to: session)
        fixture.provider.say(end(Usage(input: 1_000_000, model: model)))
        fixture.turn()
        let data = try #require(fixture.committed.last { $0.kind == .turnCompleted }).data
        #expect(data["costUsd"] == nil && data["costEstimated"] == nil)
        #expect(session.state.ledger.total.unpricedTurns == 1)
        #expect(session.state.ledger.total.cost == .zero)
    }

    @Test func absurdFiguresCountAsNothingAndNeverOverflow() throws {
        let fixture = try SessionFixture()
        fixture.hasHonestLogs = false
        let session = try fixture.makeSession()
        for cost in [-1.0, .infinity, .nan, 1e300, 1e300] {
            try fixture.send("x", to: session)
            fixture.provider.say(end(Usage(input: .max, output: -5, cached: .max, costUsd: cost)))
            fixture.turn()
        }
        let total = session.state.ledger.total
        #expect(total.input == .max && total.output == 0 && total.turns == 5)
        #expect(total.reported == Money(nanodollars: .max))
    }

    @Test func aTurnInTheBackgroundCounts() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        // As the Claude adapter tells of it.
        try fixture.send("one", to: session)
        fixture.provider.say(
            .status(
                type: "background_turn_completed", data: ["usage": .object(Usage(input: 5, costUsd: 0.5).json)]),
            end(Usage(input: 1, costUsd: 0.25)))
        fixture.turn()
        #expect(session.state.ledger.total.cost == Money(usd: 0.75))
        #expect(session.state.ledger.total.turns == 1)
        #expect(fixture.service.spentToday == Money(usd: 0.75))
    }

    @Test func theFoldIsTheSameAfterARestartWithAndWithoutTheIndex() throws {
        let fixture = try SessionFixture(now: Timestamp("2026-03-01T10:00:00Z"))
        let session = try fixture.makeSession()
        for index in 1...3 {
            try fixture.send("x", to: session)
            fixture.provider.say(end(Usage(input: index, costUsd: 0.1, model: "m\(index % 2)")))
            fixture.turn()
        }
        let ledger = session.state.ledger
        #expect(ledger.total.cost == Money(usd: 0.3) && ledger.rows.count == 2)
        try fixture.restart()
        #expect(fixture.service.state(of: session.id)?.ledger == ledger)
        fixture.service.store.writeIndex()
        try fixture.restart()
        #expect(fixture.service.state(of: session.id)?.ledger == ledger)
        #expect(fixture.service.spentToday == Money(usd: 0.3))
    }

    @Test func daysAreTold() throws {
        let fixture = try SessionFixture(now: Timestamp("2026-02-28T23:59:59.999Z"))
        let session = try fixture.makeSession()
        try fixture.send("x", to: session)
        fixture.provider.say(end(Usage(costUsd: 1)))
        fixture.turn()
        #expect(fixture.service.spentToday == Money(usd: 1))
        fixture.time.fixed = Timestamp("2026-03-01T00:00:00Z")
        #expect(fixture.service.spentToday == .zero)
        try fixture.send("x", to: session)
        fixture.provider.say(end(Usage(costUsd: 2)))
        fixture.turn()
        #expect(fixture.service.spentToday == Money(usd: 2))
        func report(_ from: String, _ to: String) throws -> UsageReport {
            fixture.service.usage(from: try #require(Day(from)), through: try #require(Day(to)), by: .day)
        }
        let both = try report("2026-02-28", "2026-03-01")
        #expect(both.sorted.map(\.key) == ["2026-02-28", "2026-03-01"])
        #expect(both.sorted.map(\.sum.cost) == [Money(usd: 1), Money(usd: 2)])
        #expect(try report("2026-03-01", "2026-03-05").total.cost == Money(usd: 2))
        #expect(try report("2026-03-02", "2026-03-05").rows.isEmpty)
        try fixture.restart()
        #expect(fixture.service.spentToday == Money(usd: 2))
    }

    @Test func whatDeletedSessionsCostStillCounts() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        let other = try fixture.makeSession()
        for session in [session, other] {
            try fixture.send("x", to: session)
            fixture.provider.say(end(Usage(input: 7, costUsd: 1)))
            fixture.turn()
        }
        try fixture.service.delete(session.id, by: fixture.client)
        #expect(fixture.service.spentToday == Money(usd: 2))
        try fixture.restart()
        #expect(fixture.service.spentToday == Money(usd: 2))
        let today = fixture.service.today
        let report = fixture.service.usage(from: today, through: today, by: .session)
        #expect(Set(report.rows.keys) == [session.id, other.id])
        #expect(report.total.input == 14)
        // The log itself is gone from the folder.
        #expect(fixture.service.state(of: session.id) == nil)
    }

    @Test func aCrashWithinADeletionCountsNothingTwice() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("x", to: session)
        fixture.provider.say(end(Usage(costUsd: 1)))
        fixture.turn()
        // The line was written, the log not yet moved; and an append was cut in the middle.
        let archive = UsageArchive(path: fixture.folder.path + "/usage.jsonl")
        archive.take(session.id, session.state.ledger, at: .now)
        try appendFile(fixture.folder.path + "/usage.jsonl", Array(#"{"sessionId":"x","us"#.utf8))
        try fixture.restart()
        #expect(fixture.service.spentToday == Money(usd: 1))
        // Deleted for good now: its line stands after the torn one.
        try fixture.service.delete(session.id, by: fixture.client)
        try fixture.restart()
        #expect(fixture.service.spentToday == Money(usd: 1))
        #expect(fixture.service.spending.archive.ledgers.count == 1)
    }

    @Test func anArchiveThatHasGrownIsSummedUp() throws {
        let fixture = try SessionFixture()
        let path = fixture.folder.path + "/other.jsonl"
        var ledger = UsageLedger()
        let today = try #require(Day("2026-06-01"))
        func record(_ day: Day, _ cost: Double) -> EventRecord {
            EventRecord(
                seq: 1, timestamp: day.start, id: "",
                draft: EventDraft(
                    .turnCompleted, source: .agent, data: ["costUsd": JSON(cost)]))
        }
        ledger.apply(record(today + -200, 1), providerId: "p")
        let archive = UsageArchive(path: path)
        for index in 0..<20 { archive.take("old\(index)", ledger, at: .now) }
        ledger.apply(record(today, 2), providerId: "p")
        archive.take("new", ledger, at: .now)
        for _ in 0..<2 {
            let read = UsageArchive(path: path, compactAbove: 100)
            read.load(today: today) { _ in false }
            #expect(Set(read.ledgers.keys) == ["", "new"])
            #expect(read.ledgers[""]?.total.cost == Money(usd: 20))
            #expect(read.ledgers["new"]?.total.cost == Money(usd: 3))
        }
    }

    @Test func whatAForkCopiedWasPaidForInItsOrigin() {
        var ledger = UsageLedger()
        func apply(_ kind: EventKind, _ data: JSONObject) {
            ledger.apply(
                EventRecord(seq: 1, timestamp: .now, id: "", draft: EventDraft(kind, source: .core, data: data)),
                providerId: "p")
        }
        apply(.turnCompleted, ["costUsd": 5])
        apply(.status, ["type": "forked"])
        apply(.turnCompleted, ["costUsd": 1])
        #expect(ledger.total.cost == Money(usd: 1))
    }

    @Test func aProviderThatMakesUpModelsFillsNoMemory() {
        var ledger = UsageLedger()
        for index in 0..<1000 {
            ledger.apply(
                EventRecord(
                    seq: 1, timestamp: Timestamp(milliseconds: 0), id: "",
                    draft: EventDraft(
                        .turnCompleted, source: .agent,
                        data: ["costUsd": 1, "usage": ["input": 1, "model": "m\(index)"]])), providerId: "p")
        }
        #expect(ledger.rows.count <= 17 && ledger.total.input == 1000)
        #expect(UsageLedger(ledger.json) == ledger)
    }
}
