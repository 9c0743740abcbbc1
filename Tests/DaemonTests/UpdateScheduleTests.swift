import Base
import Testing

@testable import Daemon

/// At most once in a day, whatever is done to the clock.
@Suite struct UpdateScheduleTests {
    private static let day: Int64 = 24 * 3600

    private func at(_ clock: Int64, boot: String = "a", _ seconds: Int64) -> UpdateSchedule {
        UpdateSchedule(
            checkedAt: Timestamp(milliseconds: 1_800_000_000_000 + clock * 1000), bootId: boot, bootSeconds: seconds)
    }

    @Test func aDayIsWaitedFor() {
        let last = at(0, 100)
        #expect(last.wait(now: at(0, 100)) == Self.day)
        #expect(last.wait(now: at(3600, 3700)) == Self.day - 3600)
        #expect(last.wait(now: at(Self.day, 100 + Self.day)) == 0)
        #expect(last.wait(now: at(9 * Self.day, 100 + 9 * Self.day)) == 0)
    }

    @Test func inOneLifeOfTheMachineTheClockSaysNothing() {
        let last = at(0, 100)
        #expect(last.wait(now: at(30 * Self.day, 200)) == Self.day - 100)
        #expect(last.wait(now: at(-30 * Self.day, 200)) == Self.day - 100)
        #expect(last.wait(now: at(-30 * Self.day, 100 + Self.day)) == 0)
    }

    @Test func afterAnotherStartOfTheMachineTheClockIsAllThereIs() {
        let last = at(0, 100_000)
        #expect(last.wait(now: at(3600, boot: "b", 5)) == Self.day - 3600)
        #expect(last.wait(now: at(Self.day + 1, boot: "b", 5)) == 0)
        // Noted by a clock that went ahead: not never again, but a day from now.
        #expect(last.wait(now: at(-400 * Self.day, boot: "b", 5)) == Self.day)
    }

    @Test(arguments: [Int64.min, .max]) func numbersThatMakeNoSenseEndNothing(_ seconds: Int64) {
        #expect(at(0, seconds).wait(now: at(0, 200)) == Self.day)
    }

    @Test func nowIsNow() {
        let (a, b) = (UpdateSchedule.now(), UpdateSchedule.now())
        #expect(a.bootId == b.bootId && !a.bootId.isEmpty)
        #expect(a.bootSeconds > 0 && b.bootSeconds >= a.bootSeconds)
    }
}
