import Base
import Glibc
import Testing

@testable import EventLoop

@Suite struct PipeTests {
    @Test func bytesArriveInOrderAndThenTheEnd() throws {
        let loop = try EventLoop()
        let ends = try makePipe()
        let reader = PipeReader(fd: ends.read, loop: loop)
        let writer = PipeWriter(fd: ends.write, loop: loop)
        var got: [UInt8] = []
        var ended = 0
        reader.onBytes = { got.append(contentsOf: $0) }
        reader.onEnd = {
            #expect($0 == nil)
            ended += 1
        }
        // Far more than a pipe holds: the rest waits in the queue.
        let payload = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        for start in stride(from: 0, to: payload.count, by: 10_000) {
            writer.write(Array(payload[start..<start + 10_000]))
        }
        #expect(writer.queuedBytes > 0)
        var drained = false
        writer.onDrained = { drained = true }
        #expect(runUntil(loop) { drained })
        #expect(writer.queuedBytes == 0)
        writer.closeWhenDrained()
        #expect(!writer.isOpen)
        #expect(runUntil(loop) { ended == 1 })
        #expect(got == payload)
        #expect(!reader.isOpen)
    }

    @Test func closeWhenDrainedFinishesTheQueue() throws {
        let loop = try EventLoop()
        let ends = try makePipe()
        let writer = PipeWriter(fd: ends.write, loop: loop)
        writer.write([UInt8](repeating: 1, count: 300_000))
        writer.closeWhenDrained()
        writer.write([2])
        let reader = PipeReader(fd: ends.read, loop: loop)
        var total = 0
        var ended = false
        reader.onBytes = { total += $0.count }
        reader.onEnd = { _ in ended = true }
        #expect(runUntil(loop) { ended })
        #expect(total == 300_000)
    }

    @Test func readerThatHasGoneIsAnErrorNotASignal() throws {
        let loop = try EventLoop()
        let ends = try makePipe()
        let writer = PipeWriter(fd: ends.write, loop: loop)
        var errors: [Int32] = []
        writer.onError = { errors.append($0.errno) }
        close(ends.read)
        writer.write([1])
        writer.write([2])
        #expect(errors == [EPIPE])
        #expect(!writer.isOpen)
    }

    @Test func readerThatGoesWhileBytesWaitIsAnError() throws {
        let loop = try EventLoop()
        let ends = try makePipe()
        let writer = PipeWriter(fd: ends.write, loop: loop)
        var errors: [Int32] = []
        writer.onError = { errors.append($0.errno) }
        writer.write([UInt8](repeating: 0, count: 1_000_000))
        #expect(errors.isEmpty)
        close(ends.read)
        #expect(runUntil(loop) { errors == [EPIPE] })
    }

    @Test func queueIsBounded() throws {
        let loop = try EventLoop()
        let ends = try makePipe()
        let writer = PipeWriter(fd: ends.write, loop: loop, limit: 100_000)
        var errors: [Int32] = []
        writer.onError = { errors.append($0.errno) }
        for _ in 0..<20 { writer.write([UInt8](repeating: 0, count: 10_000)) }
        #expect(errors == [ENOBUFS])
        close(ends.read)
    }

    @Test func pauseHoldsBackAndResumeGoesOn() throws {
        let loop = try EventLoop()
        let ends = try makePipe()
        let reader = PipeReader(fd: ends.read, loop: loop)
        var got = 0
        reader.onBytes = { got += $0.count }
        reader.pause()
        _ = write(ends.write, "hello", 5)
        for _ in 0..<3 { loop.turn(waitingAtMost: .milliseconds(1)) }
        #expect(got == 0)
        reader.resume()
        reader.resume()
        #expect(runUntil(loop) { got == 5 })
        close(ends.write)
        reader.close()
        reader.resume()
    }

    @Test func closingInsideACallbackIsSafe() throws {
        let loop = try EventLoop()
        let ends = try makePipe()
        let reader = PipeReader(fd: ends.read, loop: loop)
        var calls = 0
        reader.onBytes = { _ in
            calls += 1
            reader.close()
        }
        reader.onEnd = { _ in calls += 100 }
        _ = write(ends.write, "hello", 5)
        close(ends.write)
        for _ in 0..<5 { loop.turn(waitingAtMost: .milliseconds(1)) }
        #expect(calls == 1)
    }

    @Test func regularFilesAreReadToTheirEnd() throws {
        let loop = try EventLoop()
        let path = "/tmp/codeai-hub-eventloop-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { unlink(path) }
        let out = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        let writer = PipeWriter(fd: out, loop: loop)
        writer.write([UInt8](repeating: 7, count: 200_000))
        writer.closeWhenDrained()
        let reader = PipeReader(fd: open(path, O_RDONLY | O_CLOEXEC), loop: loop)
        var total = 0
        var ended = false
        reader.onBytes = { total += $0.count }
        reader.onEnd = {
            #expect($0 == nil)
            ended = true
        }
        #expect(runUntil(loop) { ended })
        #expect(total == 200_000)
    }
}
