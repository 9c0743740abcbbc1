import Base
import HubProtocol
import JSON
import TestSupport
import Testing

@testable import Sessions

/// The list of sessions, whether they are in memory or not.
@Suite struct ListTests {
    /// Whatever is loaded, stored, changed and deleted: pages are what sorting everything would give.
    @Test(arguments: 0..<8)
    func pagesAreThoseOfTheSortedWhole(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let fixture = try SessionFixture(now: Timestamp(milliseconds: 1_800_000_000_000))
        var ids: [String] = []
        let titles = ["Alpha", "beta ALPHA", "Größe", "GRÖSSE alpha", "x"]
        for round in 0..<6 {
            for _ in 0..<8 {
                fixture.time.fixed = Timestamp(
                    milliseconds: 1_800_000_000_000 + Int64.random(in: 0..<20, using: &random) * 1000)
                var creation = SessionService.Creation(providerId: "echo", workspace: "/tmp")
                creation.title = titles.randomElement(using: &random)
                ids.append(try fixture.service.create(creation, by: fixture.client).id)
            }
            fixture.turn()
            if round.isMultiple(of: 2) { try fixture.restart() }
            for _ in 0..<5 {
                let id = ids.randomElement(using: &random)!
                fixture.time.fixed = Timestamp(
                    milliseconds: 1_800_000_000_000 + Int64.random(in: 0..<40, using: &random) * 1000)
                switch Int.random(in: 0..<5, using: &random) {
                case 0:
                    try fixture.service.delete(id, by: fixture.client)
                    ids.removeAll { $0 == id }
                case 1: try fixture.service.session(id).rename("renamed alpha", by: fixture.client)
                case 2: try fixture.send("go", to: fixture.service.session(id))
                case 3: try fixture.service.session(id).setArchived(Bool.random(using: &random), by: fixture.client)
                default: _ = try fixture.service.session(id)
                }
            }
            fixture.turn()
            try check(fixture.service, count: ids.count, &random)
        }
    }

    private func check(_ service: SessionService, count: Int, _ random: inout SeededGenerator) throws {
        let whole = service.allStates.sorted { ($0.updatedAt, $0.sessionId) > ($1.updatedAt, $1.sessionId) }
        #expect(whole.count == count)
        #expect(service.states.map(\.sessionId) == whole.map(\.sessionId))
        #expect(service.sessionIds == whole.map(\.sessionId))
        for status in SessionState.Status.allCases {
            #expect(service.statusCounts[status, default: 0] == whole.count { $0.status == status })
        }
        #expect(service.activeCount == whole.count { $0.runningTurn != nil })
        for text in [nil, "ALPHA", "größe", "grösse", "nothing"] {
            for status in [nil, SessionState.Status.idle, .running] {
                let limit = Int.random(in: 1...9, using: &random)
                let isArchived = [nil, true, false].randomElement(using: &random)!
                let expected = whole.filter { state in
                    (status == nil || state.status == status)
                        && (isArchived == nil || state.isArchived == isArchived)
                        && (text.map { (state.title ?? "").lowercased().contains($0.lowercased()) } ?? true)
                }
                var found: [String] = []
                var after: String?
                repeat {
                    let (page, hasMore) = try service.list(
                        after: after, limit: limit, .init(status: status, text: text, isArchived: isArchived))
                    found += page.map(\.sessionId)
                    #expect(page.count <= limit)
                    after = hasMore ? page.last?.sessionId : nil
                } while after != nil
                #expect(found == expected.map(\.sessionId))
            }
        }
        let newest = Int.random(in: 1...10, using: &random)
        let shown = service.overview(newest: newest)
        let new = Set(whole.filter { !$0.isArchived }.prefix(newest).map(\.sessionId))
        let expected = whole.filter { new.contains($0.sessionId) || !$0.isAtRest }
        #expect(shown.map(\.state.sessionId) == expected.map(\.sessionId))
        #expect(shown.map(\.isNew) == expected.map { new.contains($0.sessionId) })
    }

    @Test func afterMustBeASession() throws {
        let fixture = try SessionFixture()
        #expect(throws: Failure.self) { try fixture.service.list(after: "nobody", limit: 1) }
    }
}
