package import Base
package import HubProtocol
import JSON

/// The log of one open session, and the state that is its fold.
///
/// Belongs to the loop. What is appended is numbered and folded at once, written at the end of the loop's turn, and
/// published after that, in order, each event once; see `LogStore` for what that survives.
package final class SessionLog<State: LogFold> {
    package let header: LogHeader
    /// The fold of every event appended, also of those not committed yet.
    package private(set) var state: State

    /// The events just committed, in order. Appending here is allowed: those events follow in this turn.
    package var onCommitted: ([CommittedEvent]) -> Void {
        get { appender.publish }
        set { appender.publish = newValue }
    }
    /// The first time a write fails. Nothing is published from then on; what is appended is kept, up to a limit, and
    /// tried again every second.
    package var onFailure: (LogError) -> Void {
        get { appender.onFailure }
        set { appender.onFailure = newValue }
    }
    /// All that was kept is committed; its publication follows at once.
    package var onRecovered: () -> Void {
        get { appender.onRecovered }
        set { appender.onRecovered = newValue }
    }

    let appender: LogAppender
    var isClosing = false

    init(header: LogHeader, state: State, appender: LogAppender) {
        self.header = header
        self.state = state
        self.appender = appender
    }

    package var sessionId: String { header.sessionId }
    /// The number of the last event appended; 0 when there is none.
    package var lastSeq: Int { appender.lastSeq }
    /// The number of the last event published.
    package var committedSeq: Int { appender.committedSeq }
    /// Why the log can't be written at the moment.
    package var failure: LogError? { appender.failure }
    package var isClosed: Bool { appender.isClosed }
    /// Bytes of the committed part of the file.
    package var size: Int { appender.file.end }

    /// Numbers, folds and buffers an event.
    ///
    /// - Returns: the record. Its `seq` is 0, and nothing was appended or folded, when the log is closed or has failed
    ///   and already holds as much as it may (64 MiB): `failure` tells early that it will come to that.
    @discardableResult
    package func append(_ draft: EventDraft, at timestamp: Timestamp = .now) -> EventRecord {
        guard let record = appender.append(draft, at: timestamp) else {
            return EventRecord(seq: 0, timestamp: timestamp, id: "", draft: draft)
        }
        state.apply(record)
        return record
    }

    /// Runs `body` right after what is appended so far was committed and published; at once when nothing is pending.
    /// Runs `dropped` instead when the log is closed before that: the session was deleted.
    package func afterCommit(_ body: @escaping () -> Void, orElse dropped: @escaping () -> Void = {}) {
        appender.afterCommit(body, orElse: dropped)
    }

    /// Committed lines with a number above `seq`, as they are on disk: as many whole ones as fit `maxBytes`, at least
    /// one when there is one. One read, no parsing but of the numbers.
    package func read(after seq: Int, maxBytes: Int = 256 << 10) throws(LogError) -> LogSlice {
        try readable { file throws(SystemError) in try file.slice(after: seq, maxBytes: maxBytes) }
    }

    /// The record with this number, wherever it stands; nil when there is none that can be read.
    package func record(_ seq: Int) throws(LogError) -> EventRecord? {
        let slice = try read(after: seq - 1, maxBytes: 1)
        guard let line = slice.lines.first, line.seq == seq else { return nil }
        return (try? JSON.parse(Array(slice.block[line.range]))).flatMap { try? EventRecord($0) }
    }

    /// The newest `limit` committed records before `seq`, oldest first; only of the given kinds when there are any.
    package func read(
        before seq: Int = .max, limit: Int, where kinds: Set<EventKind>? = nil
    ) throws(LogError) -> [EventRecord] {
        try page(before: seq, limit: limit, where: kinds).records
    }

    /// As `read(before:limit:where:)`, and where the page before begins. A page ends early after `maxBytes` of records
    /// or `maxScan` bytes of the file, so that no request can hold the loop for long; it may then be empty and still
    /// have a `next`.
    package func page(
        before seq: Int = .max, limit: Int, where kinds: Set<EventKind>? = nil, maxBytes: Int = 4 << 20,
        maxScan: Int = 32 << 20
    ) throws(LogError) -> LogPage {
        try readable { file throws(SystemError) in
            try file.page(before: seq, limit: limit, kinds: kinds, maxBytes: maxBytes, maxScan: maxScan)
        }
    }

    /// Reads the whole committed part again and says what is wrong with it. Changes nothing.
    package func verify() throws(LogError) -> [LogReader.Damage] {
        try readable { file throws(SystemError) in
            var reader = LogReader(offset: file.start, lastSeq: 0)
            var found: [LogReader.Damage] = []
            func take(_ item: LogReader.Item) {
                if case .damaged(let damage) = item { found.append(damage) }
            }
            var position = file.start
            while position < file.end {
                let block = try file.fileSystem.readAll(file.fd, position..<min(file.end, position + 1 << 20))
                if block.isEmpty { break }
                block.withUnsafeBytes { reader.feed($0, take) }
                position += block.count
            }
            if let torn = reader.finish(take) {
                found.append(LogReader.Damage(range: torn, reason: .notJSON, detail: "the line has no end"))
            }
            return found
        }
    }

    private func readable<Result>(
        _ body: (LogFile) throws(SystemError) -> Result
    ) throws(LogError) -> Result {
        guard !appender.isClosed else { throw LogError(.closed, "the log of session \(sessionId) is closed") }
        do throws(SystemError) {
            return try body(appender.file)
        } catch {
            if error == .cutShort {
                // From now on what is left can be read; this caller must know that something isn't.
                _ = try? appender.mend()
                throw LogError(
                    .cutShort, "something else cut the log of session \(sessionId) short: events are missing",
                    cause: error)
            }
            throw LogError(error)
        }
    }
}
