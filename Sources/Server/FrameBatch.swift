/// Frames that lie one after the other in a segment.
struct FrameRun {
    var reference: FrameReference
    var frames: Int
}

/// Several messages that all go to the same WebSockets, in order. What was encoded in a row is queued as one: a burst
/// of a hundred messages costs a connection a few steps, not a hundred.
package struct FrameBatch {
    let plain: [FrameRun]
    /// What those get who agreed to compression; made when the first of them is met.
    private(set) lazy var compressed = FrameBatch.runs(frames.map { $0.deflated ?? $0.plain })
    private let frames: [EncodedFrame]

    package init(_ frames: [EncodedFrame]) {
        self.frames = frames
        plain = FrameBatch.runs(frames.map(\.plain))
    }

    /// A run ends with its segment, so that none is longer than that.
    private static func runs(_ references: [FrameReference]) -> [FrameRun] {
        var runs: [FrameRun] = []
        for reference in references {
            if let last = runs.last, last.reference.segment === reference.segment,
                last.reference.end == reference.start
            {
                runs[runs.count - 1].reference = FrameReference(
                    segment: reference.segment, start: last.reference.start, end: reference.end)
                runs[runs.count - 1].frames += 1
            } else {
                runs.append(FrameRun(reference: reference, frames: 1))
            }
        }
        return runs
    }
}
