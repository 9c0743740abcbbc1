import Base
import EventLog
import HubProtocol
import JSON
import Testing

@testable import Sessions

/// The wall clock jumps. What orders events is their number; what waits, waits by the monotonic clock, but for what is to
/// happen at a time of day.
@Suite struct ClockTests {
    private static let noon = Timestamp(milliseconds: 1_790_000_000_000)

    @Test func eventsKeepTheirOrderWhateverTheClockSays() throws {
        let fixture = try SessionFixture(now: Self.noon)
        let session = try fixture.makeSession()
        let hour: Int64 = 3_600_000
        for jump in [0, -hour, 24 * hour, -365 * 24 * hour, 0] {
            fixture.time.fixed = Timestamp(milliseconds: Self.noon.milliseconds + jump)
            try fixture.send("at \(jump)", to: session)
        }
        #expect(fixture.committed.map(\.seq) == Array(1...fixture.committed.count))
        // The time is what the clock said; identifiers rise all the same.
        let messages = fixture.committed.filter { $0.kind == .message }
        #expect(
            messages.map { $0.timestamp.milliseconds - Self.noon.milliseconds } == [
                0, -hour, 24 * hour, -365 * 24 * hour, 0,
            ])
        let ids = fixture.committed.map(\.id)
        #expect(ids == ids.sorted())
        #expect(Set(ids).count == ids.count)
        // The same after a restart with a clock that is a year behind.
        fixture.time.fixed = Timestamp(milliseconds: Self.noon.milliseconds - 365 * 24 * hour)
        let last = session.log.lastSeq
        try fixture.restart()
        let again = try fixture.service.session(session.id)
        #expect(again.state.lastSeq >= last)
        #expect(try again.log.read(limit: 1000).map(\.seq) == Array(1...again.log.lastSeq))
    }

    @Test func aJumpEndsNoTurnAndUnloadsNothing() throws {
        let fixture = try SessionFixture(now: Self.noon)
        let session = try fixture.makeSession()
        try fixture.send("x", to: session)
        #expect(session.state.runningTurn != nil)
        for jump: Int64 in [10 * 365 * 86_400_000, -10 * 365 * 86_400_000] {
            fixture.time.fixed = Timestamp(milliseconds: Self.noon.milliseconds + jump)
            fixture.turn()
            #expect(session.state.runningTurn != nil)
            #expect(fixture.service.loaded[session.id] === session)
        }
    }
}
