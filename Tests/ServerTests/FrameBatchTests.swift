import Testing
import WebSocket

@testable import Server

@Suite struct FrameBatchTests {
    private func bytes(_ runs: [FrameRun]) -> [UInt8] { runs.flatMap { Array($0.reference.bytes) } }

    /// A burst must be, byte for byte, what its messages are one by one.
    @Test(arguments: [[10, 20, 30], [70_000, 10, 10], [40_000, 40_000, 40_000], [0, 125, 126, 65_535, 65_536], []])
    func aBatchIsItsFramesInOrder(sizes: [Int]) {
        let encoder = BroadcastEncoder(compressionThreshold: 100)
        let frames = sizes.map { encoder.encode([UInt8](repeating: UInt8(ascii: "x"), count: $0)) }
        var batch = FrameBatch(frames)
        #expect(bytes(batch.plain) == frames.flatMap { Array($0.plain.bytes) })
        #expect(batch.plain.reduce(0) { $0 + $1.frames } == sizes.count)
        #expect(bytes(batch.compressed) == frames.flatMap { Array(($0.deflated ?? $0.plain).bytes) })
        #expect(batch.compressed.reduce(0) { $0 + $1.frames } == sizes.count)
    }

    @Test func whatWasEncodedInARowIsOneRun() {
        let encoder = BroadcastEncoder()
        let frames = (0..<100).map { encoder.encode(Array("message \($0)".utf8)) }
        #expect(FrameBatch(frames).plain.map(\.frames) == [100])
        // Another message in between makes two of it.
        #expect(FrameBatch(Array(frames[..<10] + frames[11...])).plain.map(\.frames) == [10, 89])
    }

    @Test func aQueueCountsTheFramesOfARun() {
        let encoder = BroadcastEncoder()
        let batch = FrameBatch((0..<3).map { encoder.encode(Array("message \($0)".utf8)) })
        var queue = OutputQueue()
        for run in batch.plain { queue.append(run.reference, frames: run.frames) }
        #expect(queue.frames == 3 && queue.bytes == bytes(batch.plain).count)
        queue.consume(queue.bytes)
        #expect(queue.frames == 0 && queue.isEmpty)
    }
}
