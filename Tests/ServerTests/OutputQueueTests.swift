import Testing
import WebSocket

@testable import Server

@Suite struct OutputQueueTests {
    private func content(_ queue: OutputQueue) -> [UInt8] {
        var bytes: [UInt8] = []
        queue.forEachSpan { base, count in
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: base, count: count))
            return true
        }
        return bytes
    }

    private func spanCount(_ queue: OutputQueue) -> Int {
        var count = 0
        queue.forEachSpan { _, _ in
            count += 1
            return true
        }
        return count
    }

    @Test func framesInARowAreOneSpan() {
        let writer = SegmentWriter()
        var queue = OutputQueue()
        for number in 0..<100 { queue.append(writer.append([UInt8(number)])) }
        #expect(spanCount(queue) == 1)
        #expect(queue.bytes == 100)
        #expect(queue.frames == 100)
        #expect(content(queue) == Array(0..<100))
    }

    @Test func leftOutFrameBeginsANewSpan() {
        let writer = SegmentWriter()
        var queue = OutputQueue()
        queue.append(writer.append([1]))
        _ = writer.append([2])
        queue.append(writer.append([3]))
        #expect(spanCount(queue) == 2)
        #expect(content(queue) == [1, 3])
        #expect(queue.pinnedBytes == 64 * 1024)
    }

    @Test func segmentIsFreedWithItsLastSpanAndUsedAnew() {
        let writer = SegmentWriter(segmentSize: 100)
        weak var first: FrameSegment?
        var queue = OutputQueue()
        do {
            let reference = writer.append([UInt8](repeating: 1, count: 60))
            first = reference.segment
            queue.append(reference)
        }
        // Does not fit any more: another segment, while the first is kept by the queue.
        queue.append(writer.append([UInt8](repeating: 2, count: 60)))
        #expect(first != nil)
        queue.consume(60)
        #expect(first == nil)
        queue.consume(60)
        let reused = writer.append([3])
        #expect(reused.start == 0)
    }

    @Test func largeFramesGetSegmentsOfTheirOwn() {
        let writer = SegmentWriter(segmentSize: 100)
        var queue = OutputQueue()
        queue.append(writer.append([1]))
        queue.append(writer.append([UInt8](repeating: 2, count: 1000)))
        queue.append(writer.append([3]))
        #expect(content(queue) == [1] + [UInt8](repeating: 2, count: 1000) + [3])
    }

    /// Against a plain array as the model.
    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func anyOrderOfAppendsAndSendsIsRight(seed: UInt64) {
        var state = seed
        func random(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % below
        }
        let writers = [SegmentWriter(segmentSize: 64), SegmentWriter(segmentSize: 256)]
        var queue = OutputQueue()
        var model: [UInt8] = []
        for step in 0..<5000 {
            if random(5) < 3 {
                let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: step), count: random(90))
                let reference = writers[random(2)].append(bytes)
                if random(4) > 0 {
                    queue.append(reference)
                    model += bytes
                }
            } else {
                let count = random(model.count + 1)
                queue.consume(count)
                model.removeFirst(count)
            }
            #expect(queue.bytes == model.count)
            #expect(content(queue) == model)
        }
        queue.consume(model.count)
        #expect(queue.isEmpty)
        #expect(queue.pinnedBytes == 0)
    }

    @Test(arguments: 0...30) func droppingKeepsTheFrameUnderWay(sent: Int) {
        let writer = SegmentWriter()
        var queue = OutputQueue()
        // Frames of 2 + 5, 2 + 0, 2 + 10, 2 + 8 bytes.
        var ends = [0]
        for size in [5, 0, 10, 8] {
            let payload = [UInt8](repeating: UInt8(size), count: size)
            queue.append(payload.withUnsafeBytes { writer.appendFrame(opcode: .text, payload: $0) })
            ends.append((ends.last ?? 0) + 2 + size)
        }
        let before = content(queue)
        queue.consume(min(sent, before.count))
        queue.dropWholeFrames { FrameHeader.frameLength($0) }
        let boundary = ends.first { $0 >= sent } ?? before.count
        #expect(content(queue) == Array(before[min(sent, before.count)..<max(boundary, min(sent, before.count))]))
        #expect(queue.frames == (content(queue).isEmpty ? 0 : 1))
    }
}
