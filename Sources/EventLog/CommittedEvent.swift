package import HubProtocol

/// An event that is in its log, with its line as it stands there: the bytes on disk are the bytes on the wire.
package struct CommittedEvent: Sendable {
    package let record: EventRecord
    /// All lines of the commit, shared by its events.
    package let block: [UInt8]
    /// This event's line in the block, without its LF.
    package let range: Range<Int>

    package var line: ArraySlice<UInt8> { block[range] }
}

/// Consecutive lines of a log as they are on disk, for replay.
package struct LogSlice: Sendable {
    package struct Line: Equatable, Sendable {
        package let seq: Int
        /// In the slice's block, without the LF.
        package let range: Range<Int>
    }

    package let block: [UInt8]
    /// Never empty unless nothing follows the cursor.
    package let lines: [Line]
    /// Whether this slice ends with the last committed event.
    package let isLast: Bool

    package var lastSeq: Int? { lines.last?.seq }
}

/// A page of history.
package struct LogPage: Sendable {
    /// Oldest first.
    package var records: [EventRecord]
    /// Give this as `before` to get the page before; nil when the log's beginning was reached.
    package var next: Int?
}
