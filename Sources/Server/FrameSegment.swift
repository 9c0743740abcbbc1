/// A block of bytes that many connections send from. What has been written into it never changes; it only grows at its
/// end, until it is full. It is freed when the last queue that has a span of it is done.
package final class FrameSegment {
    let base: UnsafeMutableRawPointer
    let capacity: Int
    fileprivate(set) var count = 0

    init(capacity: Int) {
        self.capacity = capacity
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        base.deallocate()
    }
}

/// A part of a segment: one frame, or whatever else is sent as a whole.
package struct FrameReference {
    package let segment: FrameSegment
    package let start: Int
    package let end: Int

    package var count: Int { end - start }

    /// The bytes, valid as long as the segment is.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: segment.base + start, count: count) }

    /// A part of it, counted from its start.
    func slice(_ from: Int, _ to: Int) -> FrameReference {
        FrameReference(segment: segment, start: start + from, end: start + to)
    }
}

/// Fills segments one after the other. Frames written in a row lie in a row, so that a queue that takes them all has
/// one span for them.
package final class SegmentWriter {
    private var segment: FrameSegment
    private let segmentSize: Int

    package init(segmentSize: Int = 64 * 1024) {
        self.segmentSize = segmentSize
        segment = FrameSegment(capacity: segmentSize)
    }

    /// Makes room for `count` bytes and has `body` fill all of them.
    @inline(__always)
    func append(_ count: Int, _ body: (UnsafeMutableRawPointer) -> Void) -> FrameReference {
        let target = target(count)
        let start = target.count
        body(target.base + start)
        target.count = start + count
        return FrameReference(segment: target, start: start, end: start + count)
    }

    package func append(_ bytes: UnsafeRawBufferPointer) -> FrameReference {
        append(bytes.count) { copy(bytes, to: $0) }
    }

    package func append(_ bytes: [UInt8]) -> FrameReference {
        bytes.withUnsafeBytes { append($0) }
    }

    private func target(_ count: Int) -> FrameSegment {
        // Nobody sends from it any more: begin anew, with memory that is still in the cache.
        if segment.count > 0, isKnownUniquelyReferenced(&segment) { segment.count = 0 }
        if count <= segment.capacity - segment.count { return segment }
        // What is larger than a segment gets one of its own; the current one goes on.
        if count > segmentSize { return FrameSegment(capacity: count) }
        segment = FrameSegment(capacity: segmentSize)
        return segment
    }
}

@inline(__always)
func copy(_ bytes: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer) {
    if let source = bytes.baseAddress { target.copyMemory(from: source, byteCount: bytes.count) }
}
