import EventLoop

extension HTTPServer {
    var slowBytes: Int { limits.queuedBytes / 4 * 3 }
    var slowFrames: Int { limits.queuedFrames / 4 * 3 }
    /// Memory that a queue may keep alive by spans of shared segments before short frames are copied for it.
    var pinnedLimit: Int { 2 * limits.queuedBytes }

    /// A copy in a segment of its own.
    func unshared(_ reference: FrameReference) -> FrameReference {
        if reference.count * 8 > reference.segment.capacity { return reference }
        let segment = SegmentWriter(segmentSize: max(16, reference.count))
        return segment.append(reference.bytes)
    }

    func inNextTurn(_ body: @escaping () -> Void) {
        loop.schedule(after: .zero, body)
    }
}
