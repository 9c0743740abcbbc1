import Base
import EventLog
import HubProtocol

/// Reads what has been added to a session's log since it was last looked at, as documents. Lines that give none are
/// passed over without being parsed.
struct LogScan {
    let fileSystem: any LogFileSystem
    /// Bytes of text of a document.
    let textLimit: Int

    /// How much is read before the others have their turn.
    struct Budget {
        /// Of documents' texts.
        var textBytes = 1 << 20
        /// Of logs.
        var readBytes = 64 << 20

        var isUsedUp: Bool { textBytes <= 0 || readBytes <= 0 }
    }

    enum Outcome {
        /// Nothing has changed.
        case unchanged
        /// What follows the mark; whether that was all.
        case read(SearchStore.Reading, isAll: Bool)
        /// The log is another one than the mark's: what is in the index of it must go first.
        case replaced
        /// There is no such log, or it can't be read.
        case gone
    }

    private static let pieceBytes = 256 << 10
    /// Lines longer than this are passed over: the longest message is far shorter.
    private static let lineLimit = 8 << 20
    private static let tailBytes = 256

    /// - Parameters:
    ///   - end: bytes of the log that are committed; nothing behind them is read.
    ///   - mark: nil when nothing of it is in the index.
    func read(
        _ sessionId: String, path: String, upTo end: Int, from mark: SessionMark?, _ budget: inout Budget
    ) -> Outcome {
        do throws(SystemError) {
            let known = try fileSystem.status(path: path)
            if let mark, mark.size == end, mark.inode == known.inode,
                mark.modifiedNanoseconds == known.modifiedNanoseconds, known.size == end
            {
                return .unchanged
            }
            let fd = try fileSystem.open(path, .read)
            defer { fileSystem.close(fd) }
            let status = try fileSystem.status(fd)
            guard status.kind == .regular, status.owner == fileSystem.user else { return .gone }
            let end = min(end, status.size)
            if let mark {
                guard mark.size <= end, try tail(fd, before: mark.size) == mark.tail else { return .replaced }
            }
            var lines = LineScan(offset: mark?.size ?? 0, limit: LogScan.lineLimit)
            var documents: [SearchDocument] = []
            var position = lines.consumed
            let first = position
            while position < end, !budget.isUsedUp || lines.consumed == first {
                let piece = try fileSystem.readAll(fd, position..<min(end, position + LogScan.pieceBytes))
                if piece.isEmpty { break }
                position += piece.count
                budget.readBytes -= piece.count
                piece.withUnsafeBytes { bytes in
                    lines.feed(bytes) { line in
                        guard let document = SearchDocument(line: line, limit: textLimit) else { return }
                        documents.append(document)
                        budget.textBytes -= document.text.utf8.count + 64
                    }
                }
            }
            let consumed = lines.consumed
            let reading = SearchStore.Reading(
                sessionId: sessionId, documents: documents,
                mark: SessionMark(
                    size: consumed, inode: status.inode, modifiedNanoseconds: status.modifiedNanoseconds,
                    tail: try tail(fd, before: consumed)))
            // A last line without its end is none, and never becomes one of a log that is committed.
            return .read(reading, isAll: position >= end)
        } catch {
            return .gone
        }
    }

    private func tail(_ fd: Int32, before offset: Int) throws(SystemError) -> UInt64 {
        try fileSystem.readAll(fd, max(0, offset - LogScan.tailBytes)..<offset).withUnsafeBytes { checksum($0) }
    }
}

/// Finds the lines of a file that is given in pieces. Holds no more than one line, and nothing of one that gives no
/// document or is too long.
struct LineScan {
    /// Where the last whole line ended.
    private(set) var consumed: Int
    private var offset: Int
    private var partial: [UInt8] = []
    private var isSkipping = false
    private let limit: Int
    /// So much of a line tells of what kind it is.
    private static let headBytes = 256

    init(offset: Int, limit: Int) {
        consumed = offset
        self.offset = offset
        self.limit = limit
    }

    mutating func feed(_ bytes: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) -> Void) {
        var start = 0
        while start < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            guard let length = firstLineFeed(rest) else {
                hold(rest)
                break
            }
            let end = UnsafeRawBufferPointer(rebasing: rest[..<length])
            if isSkipping {
                isSkipping = false
            } else if partial.isEmpty {
                if length <= limit { take(end) }
            } else if partial.count + length <= limit {
                partial.append(contentsOf: end)
                partial.withUnsafeBytes(take)
            }
            partial.removeAll(keepingCapacity: partial.count <= 64 << 10)
            start += length + 1
            consumed = offset + start
        }
        offset += bytes.count
    }

    private mutating func hold(_ bytes: UnsafeRawBufferPointer) {
        guard !isSkipping else { return }
        partial.append(contentsOf: bytes)
        guard partial.count >= LineScan.headBytes else { return }
        let kind = partial.withUnsafeBytes { LogFormat.kind(ofLine: $0) }
        let isSearched = kind.map(SearchDocument.isSearched) ?? false
        if !isSearched || partial.count > limit {
            isSkipping = true
            partial = []
        }
    }
}
