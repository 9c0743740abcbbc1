import Glibc

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

    /// The longest line that is handed on, in bytes, its CR included.
    package let limit: Int
    private var partial: [UInt8] = []
    /// All of the line so far, while it is too long; `partial` then is its start.
    private var tooLongLength: Int?

    package init(limit: Int) {
        self.limit = limit
    }

    /// What has arrived of a line that has not ended yet, in bytes.
    package var pendingBytes: Int { tooLongLength ?? partial.count }

    /// Takes the next bytes of the stream and hands on each line that they complete.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer, _ emit: (Line) -> Void) {
        guard let base = bytes.baseAddress else { return }
        var start = 0
        while start < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            guard let feed = memchr(base + start, 0x0a, rest.count) else {
                hold(rest)
                return
            }
            let length = UnsafeRawPointer(feed) - (base + start)
            hold(UnsafeRawBufferPointer(rebasing: rest[..<length]))
            emit(take())
            start += length + 1
        }
    }

    package mutating func feed(_ bytes: [UInt8], _ emit: (Line) -> Void) {
        bytes.withUnsafeBytes { feed($0, emit) }
    }

    /// Ends the stream: what is left is a line without its LF, if there is any.
    package mutating func finish(_ emit: (Line) -> Void) {
        if pendingBytes > 0 { emit(take()) }
    }

    private mutating func hold(_ bytes: UnsafeRawBufferPointer) {
        if let length = tooLongLength {
            tooLongLength = length + bytes.count
            partial.append(contentsOf: bytes.prefix(256 - partial.count))
        } else if bytes.count > limit - partial.count {
            tooLongLength = partial.count + bytes.count
            partial.append(contentsOf: bytes.prefix(max(0, 256 - partial.count)))
            // A new array: the old one's capacity is that of the limit.
            partial = Array(partial.prefix(256))
        } else {
            partial.append(contentsOf: bytes)
        }
    }

    private mutating func take() -> Line {
        var line: [UInt8] = []
        swap(&line, &partial)
        if let length = tooLongLength {
            tooLongLength = nil
            return .tooLong(start: line, length: length)
        }
        if line.last == 0x0d { line.removeLast() }
        return .whole(line)
    }
}
