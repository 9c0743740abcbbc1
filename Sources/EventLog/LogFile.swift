import Base
import HubProtocol

/// One log's file: where its committed part ends, and reading within it. Knows nothing of pending events.
final class LogFile {
    let sessionId: String
    let path: String
    let fileSystem: any LogFileSystem
    private(set) var fd: Int32
    /// The header's line, as it stands in the file.
    private let head: [UInt8]
    /// Where the first event line begins.
    let start: Int
    /// Where the next line goes.
    var end: Int
    /// The number of the last event in the file.
    var lastSeq: Int
    private(set) var damage: DamageMap
    private var anchors = OffsetCache()

    init(
        sessionId: String, path: String, fileSystem: any LogFileSystem, fd: Int32, start: Int, end: Int, lastSeq: Int,
        damage: DamageMap
    ) {
        self.sessionId = sessionId
        self.path = path
        self.fileSystem = fileSystem
        self.fd = fd
        self.start = start
        self.end = end
        self.lastSeq = lastSeq
        self.damage = damage
        head = (try? fileSystem.readAll(fd, 0..<start)) ?? []
    }

    /// A line found while looking for a number.
    private struct FoundLine {
        var seq: Int
        var start: Int
        var next: Int
    }

    /// Bytes read at once while looking for a line. Most lines are shorter.
    private static let probeSize = 16 << 10

    // MARK: Finding

    /// Where the first good line with a number above `seq` begins; `end` when there is none.
    ///
    /// A binary search over the file itself: no index grows with the log. About 20 reads of the page cache for 1 GB.
    func offset(after seq: Int) throws(SystemError) -> Int {
        if seq >= lastSeq { return end }
        if seq < 1 { return try line(from: start)?.start ?? end }
        if let known = anchors.offset(after: seq) { return known }
        var low = start
        var high = end
        while high - low > LogFile.probeSize {
            let middle = low + (high - low) / 2
            if let line = try line(from: middle), line.start < high, line.seq <= seq {
                low = line.next
            } else {
                high = middle
            }
        }
        while let line = try line(from: low) {
            if line.seq > seq {
                anchors.note(seq: seq, offset: line.start)
                return line.start
            }
            low = line.next
        }
        return end
    }

    func note(seq: Int, endsAt offset: Int) {
        anchors.note(seq: seq, offset: offset)
    }

    /// The first good line that begins at `offset` or later.
    private func line(from offset: Int) throws(SystemError) -> FoundLine? {
        var position = offset
        if position > start {
            // Just after a line's end is a line's start.
            guard let feed = try lineFeed(from: position - 1) else { return nil }
            position = feed + 1
        }
        while position < end {
            if let past = damage.end(at: position) {
                position = past
                continue
            }
            guard let feed = try lineFeed(from: position) else { return nil }
            let head = try bytes(position..<min(feed, position + 32))
            if let seq = head.withUnsafeBytes({ LogFormat.seq(ofLine: $0) }) {
                return FoundLine(seq: seq, start: position, next: feed + 1)
            }
            position = feed + 1
        }
        return nil
    }

    private func lineFeed(from offset: Int) throws(SystemError) -> Int? {
        var position = offset
        while position < end {
            let block = try bytes(position..<min(end, position + LogFile.probeSize))
            if block.isEmpty { return nil }
            if let feed = block.withUnsafeBytes({ firstLineFeed($0) }) { return position + feed }
            position += block.count
        }
        return nil
    }

    private func bytes(_ range: Range<Int>) throws(SystemError) -> [UInt8] {
        let bytes = try fileSystem.readAll(fd, range)
        // All that is asked for was committed.
        guard bytes.count == range.count else { throw .cutShort }
        return bytes
    }

    // MARK: Forward

    /// Whole lines after a cursor, as many as fit `maxBytes`, but at least one when there is one.
    func slice(after seq: Int, maxBytes: Int) throws(SystemError) -> LogSlice {
        var position = try offset(after: seq)
        while position < end {
            var block = try bytes(position..<min(end, position + max(256, maxBytes)))
            var length = block.withUnsafeBytes { lastLineFeed($0) }.map { $0 + 1 } ?? 0
            if length == 0 {
                guard let feed = try lineFeed(from: position + block.count) else { break }
                block = try bytes(position..<feed + 1)
                length = block.count
            }
            let lines = block.withUnsafeBytes { buffer in
                self.lines(in: UnsafeRawBufferPointer(rebasing: buffer[..<length]), at: position, after: seq)
            }
            position += length
            if let last = lines.last {
                anchors.note(seq: last.seq, offset: position)
                return LogSlice(block: block, lines: lines, isLast: last.seq >= lastSeq || position >= end)
            }
        }
        return LogSlice(block: [], lines: [], isLast: true)
    }

    private func lines(in block: UnsafeRawBufferPointer, at offset: Int, after seq: Int) -> [LogSlice.Line] {
        var lines: [LogSlice.Line] = []
        var last = seq
        var position = 0
        while position < block.count {
            let rest = UnsafeRawBufferPointer(rebasing: block[position...])
            let length = firstLineFeed(rest) ?? rest.count
            // What was damaged after it was last read whole is caught when it is something that no client could read: it
            // would end its connection, again at every replay.
            if damage.end(at: offset + position) == nil, let seq = LogFormat.seq(ofLine: rest), seq > last,
                LineScan.isObject(UnsafeRawBufferPointer(rebasing: rest[..<length]))
            {
                lines.append(LogSlice.Line(seq: seq, range: position..<position + length))
                last = seq
            }
            position += length + 1
        }
        return lines
    }

    // MARK: Backward

    /// Records before a number, the newest `limit` of those whose kind is wanted, oldest first. Stops early after
    /// `maxBytes` of them, or after looking through `maxScan` bytes of the file.
    func page(
        before seq: Int, limit: Int, kinds: Set<EventKind>?, maxBytes: Int, maxScan: Int
    ) throws(SystemError) -> LogPage {
        var page = LogPage(records: [], next: nil)
        let top = seq > lastSeq ? end : try offset(after: seq - 1)
        var high = top
        var taken = 0
        var blockSize = 64 << 10
        while high > start, page.records.count < limit {
            if taken >= maxBytes || top - high >= maxScan {
                page.next = try line(from: high)?.seq ?? seq
                break
            }
            let low = max(start, high - blockSize)
            let block = try bytes(low..<high)
            guard block.count == high - low else { break }
            // The first line may begin before the block.
            var first = 0
            if low > start {
                guard let feed = block.withUnsafeBytes({ firstLineFeed($0) }), feed + 1 < block.count else {
                    blockSize *= 2
                    continue
                }
                first = feed + 1
            }
            blockSize = 64 << 10
            let stopped = block.withUnsafeBytes { buffer in
                collect(
                    UnsafeRawBufferPointer(rebasing: buffer[first...]), at: low + first, limit: limit, kinds: kinds,
                    maxBytes: maxBytes, taken: &taken, into: &page.records)
            }
            high = stopped
        }
        if page.next == nil, high > start, let oldest = page.records.last?.seq { page.next = oldest }
        page.records.reverse()
        return page
    }

    /// Adds the wanted records of a block of whole lines, newest first.
    /// - Returns: the offset of the earliest line looked at.
    private func collect(
        _ block: UnsafeRawBufferPointer, at offset: Int, limit: Int, kinds: Set<EventKind>?, maxBytes: Int,
        taken: inout Int, into records: inout [EventRecord]
    ) -> Int {
        var high = block.count
        while high > 0, records.count < limit, taken < maxBytes || records.isEmpty {
            let body = UnsafeRawBufferPointer(rebasing: block[..<(high - 1)])
            let low = lastLineFeed(body).map { $0 + 1 } ?? 0
            let line = UnsafeRawBufferPointer(rebasing: body[low...])
            high = low
            if damage.end(at: offset + low) != nil { continue }
            if let kinds, let kind = LogFormat.kind(ofLine: line), !kinds.contains(kind) { continue }
            guard case .success(let record) = LogReader.record(line), kinds?.contains(record.kind) ?? true else {
                continue
            }
            records.append(record)
            taken += line.count
        }
        return offset + high
    }
}

/// What somebody else did to the file while it was open here, and mending it.
extension LogFile {
    /// Looks whether the file has its name and ends where it should.
    ///
    /// Call it only while nothing is on its way to the file.
    /// - Parameters:
    ///   - looksAtName: also at what stands under the name: one system call more.
    ///   - mayHaveRemains: behind the end there may be what a failed write of ours left.
    ///   - synchronizes: what is mended is on stable storage when this returns.
    /// - Returns: what was found wrong; it has been mended as far as that is possible.
    func mend(
        looksAtName: Bool, mayHaveRemains: Bool, synchronizes: Bool, directory: String
    ) throws(SystemError) -> RecoveryReport? {
        let extent = try fileSystem.extent(fd)
        if extent.size < end { return try fillUp(from: extent.size) }
        if extent.links == 0 || (looksAtName && (try? fileSystem.status(path: path))?.inode != extent.inode) {
            return try writeAgain(synchronizes: synchronizes, directory: directory)
        }
        if extent.size > end, !mayHaveRemains {
            try fileSystem.truncate(fd, to: end)
            return report(.added, extent.size - end, "something else added bytes to the log: they were cut off")
        }
        return nil
    }

    /// Takes away what a failed write left behind the end.
    func cutRemains() {
        // A file that is too short is a matter for `mend`: growing it would hide that.
        guard let status = try? fileSystem.status(fd), status.size > end else { return }
        try? fileSystem.truncate(fd, to: end)
    }

    private func report(_ finding: RecoveryReport.Finding, _ bytes: Int, _ detail: String) -> RecoveryReport {
        RecoveryReport(
            sessionId: sessionId, finding: finding, offset: end - (finding == .cutShort ? bytes : 0), bytes: bytes,
            detail: detail, keptIn: nil, foundAt: .now)
    }

    /// The lost bytes become one line that is no record, so that what follows keeps its place and can be read.
    private func fillUp(from size: Int) throws(SystemError) -> RecoveryReport {
        var lost = start
        var position = size
        while position > start {
            let from = max(start, position - LogFile.probeSize)
            let block = try fileSystem.readAll(fd, from..<position)
            if let feed = block.withUnsafeBytes({ lastLineFeed($0) }) {
                lost = from + feed + 1
                break
            }
            position = from
        }
        if size < start { try fileSystem.writeAll(fd, head, at: 0) }
        // The last byte of all that was committed was a line's end.
        if end > start { try fileSystem.writeAll(fd, [0x0a], at: end - 1) }
        damage.insert(lost..<end)
        anchors = OffsetCache()
        return report(.cutShort, end - lost, "something else cut the log to \(size) bytes: events are missing")
    }

    /// The bytes are still there as long as the file is open: they get a file of that name again. What stands there
    /// now is put aside as `.outside`.
    private func writeAgain(synchronizes: Bool, directory: String) throws(SystemError) -> RecoveryReport {
        let draft = path + LogDrafts.suffix
        try? fileSystem.remove(draft)
        let copy = try fileSystem.open(draft, .create)
        do throws(SystemError) {
            var position = 0
            while position < end {
                let block = try fileSystem.readAll(fd, position..<min(end, position + 1 << 20))
                guard !block.isEmpty else { throw SystemError.cutShort }
                try fileSystem.writeAll(copy, block, at: position)
                position += block.count
            }
            if synchronizes { try fileSystem.synchronize(copy) }
            if (try? fileSystem.status(path: path)) != nil { try fileSystem.rename(path, to: path + ".outside") }
            try fileSystem.rename(draft, to: path)
            if synchronizes { try fileSystem.synchronize(directory: directory) }
        } catch {
            fileSystem.close(copy)
            try? fileSystem.remove(draft)
            throw error
        }
        fileSystem.close(fd)
        fd = copy
        return report(.removed, end, "something else removed or replaced the log's file: it was written again")
    }
}

/// A few places found lately: replay goes on where it stopped.
private struct OffsetCache {
    private var entries: [(seq: Int, offset: Int)] = []
    private var nextSlot = 0
    private static let capacity = 16

    func offset(after seq: Int) -> Int? {
        entries.first { $0.seq == seq }?.offset
    }

    mutating func note(seq: Int, offset: Int) {
        if let index = entries.firstIndex(where: { $0.seq == seq }) {
            entries[index].offset = offset
        } else if entries.count < OffsetCache.capacity {
            entries.append((seq, offset))
        } else {
            entries[nextSlot] = (seq, offset)
            nextSlot = (nextSlot + 1) % OffsetCache.capacity
        }
    }
}
