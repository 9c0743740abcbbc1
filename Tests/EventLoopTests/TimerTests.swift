import Base
import Testing

@testable import EventLoop

@Suite struct TimerTests {
    @Test func timersFireInOrderOfDeadlineThenOfSetting() throws {
        let loop = try EventLoop()
        var fired: [Int] = []
        for delay in [5, 1, 3, 3, 0] { loop.schedule(after: .milliseconds(delay)) { fired.append(delay) } }
        #expect(runUntil(loop) { fired.count == 5 })
        #expect(fired == [0, 1, 3, 3, 5])
    }

    @Test func timersNeverFireEarly() throws {
        let loop = try EventLoop()
        let start = monotonicNanoseconds()
        var elapsed: Int64 = 0
        loop.schedule(after: .milliseconds(15)) { elapsed = monotonicNanoseconds() - start }
        #expect(runUntil(loop) { elapsed > 0 })
        #expect(elapsed >= 15_000_000)
    }

    @Test func cancelledTimersDoNotFireAndReleaseTheirBody() throws {
        final class Token {}
        let loop = try EventLoop()
        weak var held: Token?
        var fired = false
        let timer: LoopTimer
        do {
            let token = Token()
            held = token
            timer = loop.schedule(after: .milliseconds(1)) {
                fired = true
                _ = token
            }
        }
        #expect(timer.isPending)
        #expect(held != nil)
        timer.cancel()
        timer.cancel()
        #expect(!timer.isPending)
        #expect(held == nil)
        var done = false
        loop.schedule(after: .milliseconds(5)) { done = true }
        #expect(runUntil(loop) { done })
        #expect(!fired)
    }

    @Test func timerMayCancelAnotherThatIsDueInTheSameTurn() throws {
        let loop = try EventLoop()
        var fired: [String] = []
        var second: LoopTimer?
        loop.schedule(after: .zero) {
            fired.append("first")
            second?.cancel()
        }
        second = loop.schedule(after: .zero) { fired.append("second") }
        var done = false
        loop.schedule(after: .milliseconds(5)) { done = true }
        #expect(runUntil(loop) { done })
        #expect(fired == ["first"])
    }

    @Test func timerThatSetsItselfAgainDoesNotHoldTheLoop() throws {
        let loop = try EventLoop()
        var count = 0
        func again() {
            count += 1
            loop.schedule(after: .zero) { again() }
        }
        again()
        for _ in 0..<10 { loop.turn(waitingAtMost: .zero) }
        #expect((2...12).contains(count))
    }

    /// Against a sorted list as the model.
    @Test(arguments: [1, 2, 3] as [UInt64]) func randomInsertsAndCancelsKeepTheOrder(seed: UInt64) throws {
        var state = seed
        func random(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % below
        }
        let loop = try EventLoop()
        var heap = TimerHeap()
        var model: [(deadline: Int64, order: Int, timer: LoopTimer)] = []
        var order = 0
        for _ in 0..<3000 {
            if random(3) > 0 || model.isEmpty {
                order += 1
                let deadline = Int64(random(100))
                model.append((deadline, order, heap.insert(deadline: deadline, loop: loop) {}))
            } else {
                let victim = model.remove(at: random(model.count))
                heap.remove(victim.timer)
            }
            #expect(heap.count == model.count)
            #expect(heap.earliest == model.map(\.deadline).min())
        }
        for expected in model.sorted(by: { ($0.deadline, $0.order) < ($1.deadline, $1.order) }) {
            #expect(expected.timer.isPending)
            #expect(heap.popDue(.max) != nil)
            #expect(!expected.timer.isPending)
        }
    }

    @Test func hugeDelaysSaturate() throws {
        let loop = try EventLoop()
        let timer = loop.schedule(after: .seconds(Int64.max / 2)) {}
        #expect(timer.isPending)
        loop.turn(waitingAtMost: .zero)
        #expect(timer.isPending)
        #expect(Duration.seconds(Int64.max).saturatingNanoseconds == .max)
        #expect(Duration.seconds(Int64.min).saturatingNanoseconds == .min)
    }
}
