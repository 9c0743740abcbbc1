package import Base
package import HubProtocol
import JSON

/// Where new logs are written before they are logs of the store. Usable on any thread.
package struct LogDrafts: Sendable {
    let directory: String
    let fileSystem: any LogFileSystem

    static let suffix = ".part"

    /// The file is beside the logs, so that giving it its name is one rename, and has a name that no log has.
    func path(_ sessionId: String) -> String { directory + "/" + sessionId + LogFormat.suffix + LogDrafts.suffix }

    /// Whether there is a log of that name now.
    package func isTaken(_ sessionId: String) -> Bool {
        (try? fileSystem.status(path: directory + "/" + sessionId + LogFormat.suffix)) != nil
    }
}

extension LogDrafts {
    /// Reads the first bytes of a log that is there, piece by piece, until `take` returns false.
    package func readLog(
        _ sessionId: String, bytes: Int, _ take: (_ piece: [UInt8], _ end: Int) throws(LogError) -> Bool
    ) throws(LogError) {
        let fd: Int32
        do throws(SystemError) {
            fd = try fileSystem.open(directory + "/" + sessionId + LogFormat.suffix, .read)
        } catch {
            throw LogError(error)
        }
        defer { fileSystem.close(fd) }
        var offset = 0
        while offset < bytes {
            let piece: [UInt8]
            do throws(SystemError) {
                piece = try fileSystem.readAll(fd, offset..<min(bytes, offset + 256 << 10))
            } catch {
                throw LogError(error)
            }
            if piece.isEmpty { return }
            offset += piece.count
            guard try take(piece, offset) else { return }
        }
    }
}

/// A log that was written whole and waits to be adopted.
package struct BuiltLog<State: LogFold & Sendable>: Sendable {
    package let header: LogHeader
    package let state: State
    package let lastSeq: Int
    let path: String
    let start: Int
    let size: Int
    let tail: UInt64
}

/// Writes a whole log of events that happened elsewhere, on a thread of the caller's choice.
///
/// Nobody sees the log until `LogStore.adopt` gives the file its name: a crash before leaves a file that the next start
/// removes. Memory is bounded by the longest line and one buffer.
package final class LogBuilder<State: LogFold & Sendable> {
    package let header: LogHeader
    /// The fold of what was appended.
    package private(set) var state: State
    package private(set) var lastSeq = 0
    /// Bytes written and about to be.
    package var size: Int { written + buffer.count }

    private let drafts: LogDrafts
    private var fd: Int32
    private let start: Int
    private var written = 0
    private var buffer: [UInt8] = []
    private var identifiers = ULIDGenerator()

    private static var bufferSize: Int { 256 << 10 }

    /// Makes the file.
    /// - Throws: `invalidIdentifier`; `alreadyExists` when the same log is being written by somebody else.
    package init(_ header: LogHeader, in drafts: LogDrafts) throws(LogError) {
        guard LogFormat.isValid(sessionId: header.sessionId) else {
            throw LogError(.invalidIdentifier, "a session's identifier is 1 to 64 letters of A-Z a-z 0-9 _ -")
        }
        self.header = header
        self.drafts = drafts
        state = State(header: header)
        header.serialize(into: &buffer)
        buffer.append(0x0a)
        start = buffer.count
        guard start - 1 <= LogFormat.headerLimit else { throw LogError(.unreadable, "the header is too long") }
        do throws(SystemError) {
            fd = try drafts.fileSystem.open(drafts.path(header.sessionId), .create)
        } catch {
            throw error.isAlreadyThere
                ? LogError(.alreadyExists, "session \(header.sessionId) is being written", cause: error)
                : LogError(error)
        }
    }

    deinit { discard() }

    /// Numbers, folds and writes an event.
    /// - Returns: the record; `seq` counts from 1.
    @discardableResult
    package func append(_ draft: EventDraft, at timestamp: Timestamp, id: String? = nil) throws(LogError) -> EventRecord
    {
        guard lastSeq < LogFormat.highestSeq else { throw LogError(.closed, "the log is full") }
        var record = EventRecord(
            seq: lastSeq + 1, timestamp: timestamp, id: id ?? identifiers.next(at: timestamp), draft: draft)
        let before = buffer.count
        record.serialize(into: &buffer)
        if buffer.count - before > LogFormat.lineLimit {
            // What no reader of the log would take.
            let size = buffer.count - before
            buffer.removeLast(size)
            record.draft.kind = .custom
            record.draft.data = [
                "type": "oversized_event", "data": ["kind": JSON(draft.kind.rawValue), "bytes": JSON(size)],
            ]
            record.serialize(into: &buffer)
        }
        buffer.append(0x0a)
        lastSeq += 1
        state.apply(record)
        if buffer.count >= LogBuilder.bufferSize { try flush() }
        return record
    }

    private func flush() throws(LogError) {
        guard fd >= 0 else { throw LogError(.closed, "the log is written already") }
        do throws(SystemError) {
            try drafts.fileSystem.writeAll(fd, buffer, at: written)
        } catch {
            throw LogError(error)
        }
        written += buffer.count
        buffer.removeAll(keepingCapacity: buffer.count <= 4 * LogBuilder.bufferSize)
    }

    /// Writes the rest and has it on stable storage: whoever then finds the log finds all of it.
    package func finish() throws(LogError) -> BuiltLog<State> {
        try flush()
        do throws(SystemError) {
            try drafts.fileSystem.synchronize(fd)
            let tail = try drafts.fileSystem.readAll(fd, max(0, written - LogIndex.tailLength)..<written)
            let built = BuiltLog(
                header: header, state: state, lastSeq: lastSeq, path: drafts.path(header.sessionId), start: start,
                size: written, tail: tail.withUnsafeBytes { checksum($0) })
            drafts.fileSystem.close(fd)
            fd = -1
            return built
        } catch {
            throw LogError(error)
        }
    }

    /// Removes the file, unless it is finished.
    package func discard() {
        guard fd >= 0 else { return }
        drafts.fileSystem.close(fd)
        fd = -1
        try? drafts.fileSystem.remove(drafts.path(header.sessionId))
    }
}
