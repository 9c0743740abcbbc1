import HubProtocol
import JSON
import Providers
import TestSupport
import Testing

@testable import Sessions

/// Sessions that are put away, and sessions that come back.
@Suite struct ArchiveTests {
    @Test func itIsPutAwayAndTakenOutAgain() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try session.setArchived(true, by: fixture.client)
        try session.setArchived(true, by: fixture.client)
        fixture.turn()
        #expect(fixture.statuses("archived").count == 1, "what is so already is no event")
        #expect(session.state.record["archived"] == true)
        #expect(fixture.service.overview(newest: 10).isEmpty)
        try fixture.restart()
        #expect(fixture.service.state(of: session.id)?.isArchived == true)
        #expect(try fixture.service.list(limit: 10, .init(isArchived: true)).page.count == 1)
        try fixture.service.session(session.id).setArchived(false, by: fixture.client)
        fixture.turn()
        #expect(fixture.statuses("unarchived").count == 1)
        #expect(fixture.service.overview(newest: 10).count == 1)
    }

    /// Who writes to it has it in hand again.
    @Test func aMessageTakesItOut() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try session.setArchived(true, by: fixture.client)
        try fixture.send("hello", to: session)
        #expect(!session.state.isArchived)
        // What is at work is shown, put away or not.
        try session.setArchived(true, by: fixture.client)
        fixture.turn()
        #expect(fixture.service.overview(newest: 10).map(\.isNew) == [false])
    }

    @Test func aDeletedSessionComesBack() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try session.rename("Mine", by: fixture.client)
        fixture.turn()
        try fixture.service.delete(session.id, by: fixture.client)
        var result: Result<Session, Failure>?
        fixture.service.undelete(session.id, by: fixture.other) { result = $0 }
        fixture.turn()
        let back = try #require(result).get()
        #expect(back !== session)
        #expect(back.state.title == "Mine" && back.id == session.id)
        #expect(fixture.created.count == 2)
        // Whoever is second finds it there.
        fixture.service.undelete(session.id, by: fixture.client) { result = $0 }
        #expect(try result?.get() === back)
        #expect(fixture.created.count == 2)
        try fixture.send("on we go", to: back)
        #expect(back.state.turnCount == 1)
        fixture.service.undelete("nobody", by: fixture.client) { result = $0 }
        #expect(throws: Failure.self) { try result?.get() }
    }

    /// The agent of the deleted session still ends: only then may another go on with its conversation.
    @Test func itWaitsForItsOldAgent() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("hello", to: session)
        let agent = fixture.provider
        agent.stopsAtOnce = false
        try fixture.service.delete(session.id, by: fixture.client)
        var result: Result<Session, Failure>?
        fixture.service.undelete(session.id, by: fixture.client) { result = $0 }
        fixture.turn()
        #expect(result == nil)
        agent.end(.stopped)
        try fixture.wait(for: "it is back") { result != nil }
        let back = try #require(result).get()
        #expect(back.state.runningTurn == nil, "the turn was cut off")
    }
}
