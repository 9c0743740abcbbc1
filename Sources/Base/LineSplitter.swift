/// Cuts a byte stream into lines ended by LF, with a bound on what is held for an unfinished one.
///
/// An overlong line is skipped to its end and reported once, so that one runaway line costs neither memory nor the
/// lines after it.
package struct LineSplitter: Sendable {
    package enum Line: Equatable, Sendable {
        /// A line without its LF (and without a CR before it).
        case whole([UInt8])
        /// A line longer than the limit was dropped; what it began with, at most 256 bytes.
        case tooLong(start: [UInt8], length: Int)
    }

    /// The longest line that is handed on, in bytes.
    package let limit: Int
    private var partial: [UInt8] = []
    private var skipped = 0

    package init(limit: Int) {
        self.limit = limit
    }

    /// What has arrived of a line that has not ended yet, in bytes.
    package var pendingBytes: Int { partial.count + skipped }

    /// Takes the next bytes of the stream and hands on each line that they complete.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer, _ emit: (Line) -> Void) {
        var start = 0
        while start < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            guard let end = rest.firstIndex(of: 0x0a) else {
                hold(rest)
                return
            }
            finish(UnsafeRawBufferPointer(rebasing: rest[..<end]), emit)
            start += end + 1
        }
    }

    package mutating func feed(_ bytes: [UInt8], _ emit: (Line) -> Void) {
        bytes.withUnsafeBytes { feed($0, emit) }
    }

    /// Ends the stream: what is left is a line without its LF, if there is any.
    package mutating func finish(_ emit: (Line) -> Void) {
        if pendingBytes > 0 { finish(UnsafeRawBufferPointer(start: nil, count: 0), emit) }
    }

    private mutating func hold(_ bytes: UnsafeRawBufferPointer) {
        if skipped > 0 {
            skipped += bytes.count
        } else if partial.count + bytes.count > limit {
            skipped = partial.count + bytes.count
            if partial.count < 256 { partial.append(contentsOf: bytes.prefix(256 - partial.count)) }
            skipped -= min(partial.count, 256)
            partial = Array(partial.prefix(256))
        } else {
            partial.append(contentsOf: bytes)
        }
    }

    private mutating func finish(_ last: UnsafeRawBufferPointer, _ emit: (Line) -> Void) {
        if skipped == 0, partial.count + last.count > limit { hold(last) } else if skipped > 0 { skipped += last.count }
        if skipped > 0 {
            let line = Line.tooLong(start: partial, length: partial.count + skipped)
            partial = []
            skipped = 0
            emit(line)
            return
        }
        var line = partial
        partial = []
        line.append(contentsOf: last)
        if line.last == 0x0d { line.removeLast() }
        emit(.whole(line))
    }
}
