import Base
import HubProtocol
import JSON

/// What reading a log from a checkpoint (or from its beginning) to its end gave.
struct RecoveredLog<State: LogFold> {
    var header: LogHeader
    var start: Int
    var end: Int
    var lastSeq: Int
    var damage: DamageMap
    var state: State
    /// Whether it began at the index's checkpoint.
    var isResumed = false
}

/// Reads a log whose end is unknown: cuts off a torn last line, keeps copies of what is damaged, folds the rest.
struct LogRecovery {
    let fileSystem: any LogFileSystem
    let sessionId: String
    let path: String
    let fd: Int32
    var reports: [RecoveryReport] = []

    private static let blockSize = 1 << 20
    /// What is copied of one damaged stretch. The log keeps all of it.
    private static let copyLimit = 1 << 20
    /// Damaged stretches reported one by one.
    private static let reportLimit = 1000

    init(fileSystem: any LogFileSystem, sessionId: String, path: String, fd: Int32) {
        self.fileSystem = fileSystem
        self.sessionId = sessionId
        self.path = path
        self.fd = fd
    }

    /// - Parameter entry: what the index says; used when the file has only grown since.
    mutating func run<State: LogFold>(
        _ type: State.Type, from entry: IndexEntry?, status: FileStatus
    ) throws(LogError) -> RecoveredLog<State> {
        var log: RecoveredLog<State>
        if let entry, let known: RecoveredLog<State> = try resume(from: entry, status: status) {
            log = known
        } else {
            let (header, start) = try readHeader(size: status.size)
            log = RecoveredLog(
                header: header, start: start, end: start, lastSeq: 0, damage: DamageMap(), state: State(header: header))
        }
        var reader = LogReader(offset: log.end, lastSeq: log.lastSeq)
        var found: [LogReader.Damage] = []
        var gaps: [(after: Int, before: Int, offset: Int)] = []
        func take(_ item: LogReader.Item) {
            switch item {
            case .record(let record, _):
                log.state.apply(record)
            case .damaged(let damage):
                log.damage.insert(damage.range)
                // Stretches that touch are one finding.
                if let last = found.last, last.range.upperBound == damage.range.lowerBound,
                    last.reason == damage.reason,
                    damage.range.upperBound - last.range.lowerBound < LogRecovery.copyLimit
                {
                    found[found.count - 1].range = last.range.lowerBound..<damage.range.upperBound
                } else {
                    found.append(damage)
                }
            case .gap(let after, let before, let offset):
                gaps.append((after, before, offset))
            }
        }
        var position = log.end
        while position < status.size {
            let block = try bytes(position..<min(status.size, position + LogRecovery.blockSize))
            if block.isEmpty { break }
            block.withUnsafeBytes { reader.feed($0, take) }
            position += block.count
        }
        let torn = reader.finish(take)
        log.end = torn?.lowerBound ?? position
        log.lastSeq = min(reader.lastSeq + reader.damagedSinceLast, LogFormat.highestSeq)
        for gap in gaps.prefix(LogRecovery.reportLimit) {
            report(
                .gap, offset: gap.offset, bytes: 0, "no line has the numbers \(gap.after + 1) to \(gap.before - 1)")
        }
        try quarantine(found)
        if let torn { try cutOff(torn) }
        return log
    }

    /// The state of the index entry, when the file is the one it describes, with lines added.
    private func resume<State: LogFold>(
        from entry: IndexEntry, status: FileStatus
    ) throws(LogError) -> RecoveredLog<State>? {
        guard entry.inode == status.inode, status.size >= entry.size, entry.header.sessionId == sessionId,
            // As large as before, but touched since: nothing says that it is the same.
            status.size > entry.size || entry.matches(status),
            try tail(before: entry.size) == entry.tail,
            let checkpoint = entry.checkpoint,
            let state = State(checkpoint: checkpoint, header: entry.header)
        else { return nil }
        return RecoveredLog(
            header: entry.header, start: entry.start, end: entry.size, lastSeq: entry.lastSeq,
            damage: DamageMap(entry.damage), state: state, isResumed: true)
    }

    func tail(before size: Int) throws(LogError) -> UInt64 {
        try bytes(max(0, size - LogIndex.tailLength)..<size).withUnsafeBytes { checksum($0) }
    }

    private func readHeader(size: Int) throws(LogError) -> (LogHeader, start: Int) {
        var length = 4096
        while true {
            let block = try bytes(0..<min(size, length))
            if let end = block.withUnsafeBytes({ firstLineFeed($0) }) {
                let line = Array(block[..<end])
                let header = try line.withUnsafeBufferPointer { buffer throws(LogError) in
                    try LogFormat.header(line: UnsafeRawBufferPointer(buffer), sessionId: sessionId)
                }
                return (header, end + 1)
            }
            guard block.count == length, length < LogFormat.headerLimit else {
                throw LogError(
                    .unreadable, "the log of session \(sessionId) \(size == 0 ? "is empty" : "has no whole first line")"
                )
            }
            length *= 4
        }
    }

    private func bytes(_ range: Range<Int>) throws(LogError) -> [UInt8] {
        do throws(SystemError) {
            return try fileSystem.readAll(fd, range)
        } catch {
            throw LogError(error)
        }
    }

    mutating func report(
        _ finding: RecoveryReport.Finding, offset: Int, bytes: Int, _ detail: String, keptIn: String? = nil
    ) {
        reports.append(
            RecoveryReport(
                sessionId: sessionId, finding: finding, offset: offset, bytes: bytes, detail: detail, keptIn: keptIn,
                foundAt: .now))
    }

    // MARK: Keeping

    /// Copies damaged stretches to `<log>.quarantine`, one JSON line each; those already there are not copied, and not
    /// reported, again.
    private mutating func quarantine(_ damages: [LogReader.Damage]) throws(LogError) {
        if damages.isEmpty { return }
        let file = path + ".quarantine"
        do throws(SystemError) {
            let before = try fileSystem.contents(of: file, limit: 1 << 30) ?? []
            var known: Set<Range<Int>> = []
            for line in before.split(separator: 0x0a) {
                guard let json = try? JSON.parse(Array(line)), let offset = json["offset"]?.intValue,
                    let length = json["length"]?.intValue, length > 0, offset >= 0
                else { continue }
                known.insert(offset..<offset &+ length)
            }
            var lines: [UInt8] = []
            for damage in damages where !known.contains(damage.range) {
                let kept = try fileSystem.readAll(
                    fd, damage.range.lowerBound..<min(damage.range.upperBound, damage.range.lowerBound + Self.copyLimit)
                )
                var entry: JSONObject = [
                    "offset": JSON(damage.range.lowerBound), "length": JSON(damage.range.count),
                    "reason": JSON(damage.reason.rawValue), "detail": JSON(damage.detail),
                    "foundAt": JSON(Timestamp.now.description),
                ]
                if let text = String(validating: kept, as: UTF8.self) {
                    entry["text"] = JSON(text)
                } else {
                    entry["hex"] = JSON(hexadecimal(kept))
                }
                if kept.count < damage.range.count { entry["truncated"] = true }
                entry.serialize(into: &lines)
                lines.append(0x0a)
                if reports.count < Self.reportLimit {
                    report(
                        damage.reason == .sequence ? .sequence : .damagedLine, offset: damage.range.lowerBound,
                        bytes: damage.range.count, damage.detail, keptIn: file)
                }
            }
            if lines.isEmpty { return }
            let quarantine: Int32
            do throws(SystemError) {
                quarantine = try fileSystem.open(file, .readWrite)
            } catch {
                guard error.isNotFound else { throw error }
                quarantine = try fileSystem.open(file, .create)
            }
            defer { fileSystem.close(quarantine) }
            // After what is whole there: a line that was torn stays by itself.
            if let last = before.last, last != 0x0a { lines.insert(0x0a, at: 0) }
            try fileSystem.writeAll(quarantine, lines, at: before.count)
        } catch {
            // The log itself still has the lines: a full disk must not make the session unreadable.
            report(.damagedLine, offset: 0, bytes: 0, "damaged lines could not be copied to \(file): \(error)")
        }
    }

    /// Copies the torn end to a new file beside the log, then cuts it off.
    private mutating func cutOff(_ range: Range<Int>) throws(LogError) {
        do throws(SystemError) {
            var kept = range
            // A power loss leaves NULs where data never arrived: as many as there are say nothing.
            while !kept.isEmpty {
                let block = try fileSystem.readAll(
                    fd, max(kept.lowerBound, kept.upperBound - Self.blockSize)..<kept.upperBound)
                guard let last = block.lastIndex(where: { $0 != 0 }) else {
                    if block.isEmpty { break }
                    kept = kept.lowerBound..<kept.upperBound - block.count
                    continue
                }
                kept = kept.lowerBound..<kept.upperBound - (block.count - 1 - last)
                break
            }
            var file: String?
            if !kept.isEmpty {
                let (name, copy) = try createBeside(suffix: ".torn")
                defer { fileSystem.close(copy) }
                file = name
                var position = kept.lowerBound
                while position < kept.upperBound {
                    let block = try fileSystem.readAll(fd, position..<min(kept.upperBound, position + Self.blockSize))
                    if block.isEmpty { break }
                    try fileSystem.writeAll(copy, block, at: position - kept.lowerBound)
                    position += block.count
                }
                try fileSystem.synchronize(copy)
            }
            try fileSystem.truncate(fd, to: range.lowerBound)
            let nulls = range.count - kept.count
            report(
                .tornTail, offset: range.lowerBound, bytes: range.count,
                nulls == 0 ? "the last line had no end" : "the last line had no end; \(nulls) NUL bytes at the end",
                keptIn: file)
        } catch {
            throw LogError(
                .inputOutput, "the torn end of the log of session \(sessionId) could not be kept: \(error)",
                cause: error)
        }
    }

    /// A new file `<log><suffix>`, or `<log><suffix>.2` and so on: nothing is overwritten.
    private func createBeside(suffix: String) throws(SystemError) -> (String, Int32) {
        var number = 1
        while true {
            let name = path + suffix + (number == 1 ? "" : ".\(number)")
            do throws(SystemError) {
                return (name, try fileSystem.open(name, .create))
            } catch {
                guard error.isAlreadyThere, number < 10_000 else { throw error }
                number += 1
            }
        }
    }
}
