import Base
import Glibc
import Testing

@testable import EventLoop

/// Runs turns until `condition` holds; false when it does not within `limit`.
func runUntil(_ loop: EventLoop, within limit: Duration = .seconds(5), _ condition: () -> Bool) -> Bool {
    let deadline = monotonicNanoseconds() + limit.saturatingNanoseconds
    while !condition() {
        guard monotonicNanoseconds() < deadline else { return false }
        loop.turn(waitingAtMost: .milliseconds(20))
    }
    return true
}

func makePipe() throws -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw SystemError.current("pipe") }
    return (ends[0], ends[1])
}

final class Recorder: FileDescriptorHandler {
    var events: [Readiness] = []
    var body: (Readiness) -> Void = { _ in }

    func ready(_ events: Readiness) {
        self.events.append(events)
        body(events)
    }
}

@Suite struct EventLoopTests {
    @Test func submittedJobsRunInOrderAcrossThreads() throws {
        let loop = try EventLoop.startThread(name: "test-loop")
        let seen = Lock<[Int]>([])
        for number in 0..<1000 { loop.submit { seen.withLock { $0.append(number) } } }
        loop.submit { loop.stop() }
        loop.join()
        #expect(seen.withLock { $0 } == Array(0..<1000))
    }

    @Test func sleepingLoopIsWokenFromAnotherThread() throws {
        let loop = try EventLoop.startThread(name: "test-loop")
        let times = Lock<[Int64]>([])
        for _ in 0..<20 {
            usleep(2000)  // Long enough for the loop to sleep.
            let start = monotonicNanoseconds()
            loop.submit { times.withLock { $0.append(monotonicNanoseconds() - start) } }
        }
        usleep(20000)
        loop.stop()
        loop.join()
        let measured = times.withLock { $0.sorted() }
        #expect(measured.count == 20)
        print("cross-thread submit to a sleeping loop: median \(measured[10] / 1000) us")
    }

    @Test func stopBeforeRunReturnsAtOnce() throws {
        let loop = try EventLoop()
        loop.stop()
        loop.run()
    }

    @Test func ownershipFollowsTheRunningThread() throws {
        let mine = try EventLoop()
        #expect(mine.isCurrent)
        let other = try EventLoop.startThread(name: "test-loop")
        let inside = Lock<Bool?>(nil)
        other.submit {
            inside.withLock { $0 = other.isCurrent && !mine.isCurrent }
            other.stop()
        }
        other.join()
        #expect(inside.withLock { $0 } == true)
        #expect(!other.isCurrent)
    }

    @Test func jobsSubmittedByJobsRunInALaterTurn() throws {
        let loop = try EventLoop()
        let order = Lock<[String]>([])
        loop.submit {
            order.withLock { $0.append("first") }
            loop.submit { order.withLock { $0.append("second") } }
        }
        loop.turn(waitingAtMost: .zero)
        #expect(order.withLock { $0 } == ["first"])
        loop.turn(waitingAtMost: .seconds(10))
        #expect(order.withLock { $0 } == ["first", "second"])
    }

    @Test func phasesCommitBeforeFlushUntilBothAreEmpty() throws {
        let loop = try EventLoop()
        var order: [String] = []
        loop.atEndOfTurn(.flush) {
            order.append("flush1")
            loop.atEndOfTurn(.flush) { order.append("flush2") }
            loop.atEndOfTurn(.commit) { order.append("commit2") }
        }
        loop.atEndOfTurn(.commit) { order.append("commit1") }
        loop.turn(waitingAtMost: .seconds(10))
        #expect(order == ["commit1", "flush1", "commit2", "flush2"])
    }

    @Test func handlerWhoseDescriptorWasReusedWithinABatchIsNotCalled() throws {
        let loop = try EventLoop()
        let a = try makePipe()
        let b = try makePipe()
        defer {
            close(a.write)
            close(b.write)
        }
        let first = Recorder()
        let second = Recorder()
        let fresh = Recorder()
        var reused: Int32 = -1
        // Whichever is called first closes the other and gives its number to a new, idle pipe.
        func replace(_ victim: Int32) {
            guard reused < 0 else { return }
            loop.deregister(victim)
            close(victim)
            var ends: [Int32] = [0, 0]
            _ = pipe(&ends)
            reused = ends[0]
            #expect(reused == victim)
            try? loop.register(reused, .read, fresh)
            close(ends[1] == victim ? ends[0] : -1)
        }
        first.body = { _ in replace(b.read) }
        second.body = { _ in replace(a.read) }
        try loop.register(a.read, .read, first)
        try loop.register(b.read, .read, second)
        _ = write(a.write, "x", 1)
        _ = write(b.write, "x", 1)
        loop.turn(waitingAtMost: .zero)
        #expect(first.events.count + second.events.count == 1)
        #expect(fresh.events.isEmpty)
    }

    @Test func registrationErrorsAreTyped() throws {
        let loop = try EventLoop()
        let ends = try makePipe()
        defer {
            close(ends.read)
            close(ends.write)
        }
        let recorder = Recorder()
        try loop.register(ends.read, .read, recorder)
        #expect(throws: SystemError.self) { try loop.register(ends.read, .read, recorder) }
        #expect(throws: SystemError(errno: EBADF, operation: "register descriptor -1")) {
            try loop.register(-1, .read, recorder)
        }
        loop.deregister(ends.read)
        loop.deregister(ends.read)
        loop.modify(ends.read, .write)
        try loop.register(ends.read, .read, recorder)
    }

    @Test func interestDecidesWhatIsReported() throws {
        let loop = try EventLoop()
        let ends = try makePipe()
        let recorder = Recorder()
        try loop.register(ends.read, [], recorder)
        _ = write(ends.write, "x", 1)
        loop.turn(waitingAtMost: .zero)
        #expect(recorder.events.isEmpty)
        loop.modify(ends.read, .read)
        loop.turn(waitingAtMost: .zero)
        #expect(recorder.events == [.readable])
        loop.modify(ends.read, [])
        close(ends.write)
        loop.turn(waitingAtMost: .zero)
        #expect(recorder.events.last == .hangup)
        loop.deregister(ends.read)
        close(ends.read)
    }

    @Test func nestedReadBuffersAreDistinct() throws {
        let loop = try EventLoop()
        loop.withReadBuffer { outer in
            loop.withReadBuffer { inner in
                #expect(outer.baseAddress != inner.baseAddress)
                #expect(inner.count == EventLoop.readBufferSize)
            }
        }
    }

    @Test func signalsArriveAsEvents() throws {
        let loop = try EventLoop()
        var got: [Int32] = []
        let source = try SignalSource([SIGUSR2], loop: loop) { got.append($0) }
        // To this thread: others of the test process do not block the signal.
        pthread_kill(pthread_self(), SIGUSR2)
        #expect(runUntil(loop) { got == [SIGUSR2] })
        source.close()
        source.close()
    }
}
