/// What a connection has yet to send: spans of shared segments, in order.
///
/// The common case, frames that lie in a row in one segment, costs neither an allocation nor a reference count: the
/// last span is made longer.
struct OutputQueue {
    struct Span {
        /// nil once it has been sent: its place in the array must not keep it alive.
        var segment: FrameSegment?
        /// Where the first frame of the span began, of which a part may have been sent.
        var origin: UInt32
        var start: UInt32
        var end: UInt32
        var frames: UInt32
    }

    private var spans: ContiguousArray<Span> = []
    private var head = 0
    private(set) var bytes = 0
    /// Frames not wholly sent; those of a span count until its end.
    private(set) var frames = 0
    /// Memory kept alive by the spans: a short span holds its whole segment.
    private(set) var pinnedBytes = 0

    /// Spans kept allocated when the queue is empty, which it is most of the time.
    private static let keptSpans = 4

    var isEmpty: Bool { bytes == 0 }

    @inline(__always)
    mutating func append(_ reference: FrameReference, frames added: Int = 1) {
        let count = reference.end - reference.start
        bytes &+= count
        frames &+= added
        let last = spans.count - 1
        if last >= head, spans[last].segment === reference.segment, Int(spans[last].end) == reference.start {
            spans[last].end = UInt32(truncatingIfNeeded: reference.end)
            spans[last].frames &+= UInt32(truncatingIfNeeded: added)
            return
        }
        appendSpan(reference, frames: added)
    }

    private mutating func appendSpan(_ reference: FrameReference, frames added: Int) {
        if spans.last?.segment !== reference.segment || spans.count == head {
            pinnedBytes += reference.segment.capacity
        }
        if spans.count == spans.capacity, head > 0 {
            spans.removeFirst(head)
            head = 0
        }
        spans.append(
            Span(
                segment: reference.segment, origin: UInt32(truncatingIfNeeded: reference.start),
                start: UInt32(truncatingIfNeeded: reference.start), end: UInt32(truncatingIfNeeded: reference.end),
                frames: UInt32(truncatingIfNeeded: added)))
    }

    /// Hands out the front spans until `body` returns false.
    @inline(__always)
    func forEachSpan(_ body: (UnsafeMutableRawPointer, Int) -> Bool) {
        var index = head
        while index < spans.count {
            let start = Int(spans[index].start)
            guard let segment = spans[index].segment else { return }
            if !body(segment.base + start, Int(spans[index].end) - start) { return }
            index += 1
        }
    }

    /// Takes away what has been sent.
    mutating func consume(_ count: Int) {
        var rest = count
        bytes -= count
        while rest > 0 {
            let length = Int(spans[head].end - spans[head].start)
            if rest < length {
                spans[head].start += UInt32(truncatingIfNeeded: rest)
                return
            }
            rest -= length
            dropFirstSpan()
        }
        if head == spans.count {
            spans.removeAll(keepingCapacity: spans.capacity <= OutputQueue.keptSpans)
            head = 0
            pinnedBytes = 0
        } else if head >= 64 {
            spans.removeFirst(head)
            head = 0
        }
    }

    private mutating func dropFirstSpan() {
        frames -= Int(spans[head].frames)
        let hasNext = head + 1 < spans.count
        if !hasNext || spans[head + 1].segment !== spans[head].segment {
            pinnedBytes -= spans[head].segment?.capacity ?? 0
        }
        spans[head].segment = nil
        head += 1
    }

    mutating func removeAll() {
        self = OutputQueue()
    }

    /// Drops everything but the rest of a frame of which a part has been sent: what follows starts at a boundary.
    /// `frameEnd` tells where the frame at an offset of a segment ends.
    mutating func dropWholeFrames(frameEnd: (UnsafeRawBufferPointer) -> Int?) {
        guard head < spans.count, spans[head].start > spans[head].origin else { return removeAll() }
        var first = spans[head]
        guard let segment = first.segment else { return removeAll() }
        var boundary = Int(first.origin)
        while boundary < Int(first.start) {
            let rest = UnsafeRawBufferPointer(start: segment.base + boundary, count: Int(first.end) - boundary)
            guard let length = frameEnd(rest), length > 0 else { return removeAll() }
            boundary += length
        }
        removeAll()
        guard boundary > Int(first.start) else { return }
        first.end = UInt32(truncatingIfNeeded: boundary)
        first.frames = 1
        spans.append(first)
        bytes = Int(first.end - first.start)
        frames = 1
        pinnedBytes = segment.capacity
    }
}
