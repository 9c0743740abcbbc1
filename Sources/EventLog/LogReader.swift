package import HubProtocol
import JSON

/// Reads the event lines of a log, given in pieces, and sorts the good from the damaged. Pure.
///
/// A good line ends with LF, is at most `LogFormat.lineLimit` long, begins `{"seq":N,`, is a record, and its number is
/// above that of the good line before it. Numbers carry no checksum, so when one jumps ahead the line is held until
/// the next one tells whether numbers are missing or this one is wrong: a single wrong digit must not make all that
/// follows look as if it went backward.
package struct LogReader {
    package enum Item {
        case record(EventRecord, Range<Int>)
        case damaged(Damage)
        /// No line has the numbers above `after` and below `before`, and no damaged line accounts for them.
        case gap(after: Int, before: Int, offset: Int)
    }

    package struct Damage: Equatable, Sendable {
        package enum Reason: String, Sendable {
            case notJSON = "not_json"
            case notARecord = "not_a_record"
            /// A record, but not written as we write it: its number can't be found without parsing.
            case notCanonical = "not_canonical"
            case tooLong = "too_long"
            /// The number was seen before, goes backward, or doesn't fit between its neighbours.
            case sequence
        }
        /// Where the line is, with its LF.
        package var range: Range<Int>
        package var reason: Reason
        package var detail: String
    }

    /// The number of the last good line.
    package private(set) var lastSeq: Int
    /// Damaged lines since that one. Each took a number that some client may have seen.
    package private(set) var damagedSinceLast = 0
    /// Where the next piece belongs in the file.
    package private(set) var offset: Int

    private var lineStart: Int
    private var partial: [UInt8] = []
    private var isSkipping = false
    private var held: (record: EventRecord, range: Range<Int>, damagedBefore: Int)?
    private let lineLimit: Int

    /// - Parameters:
    ///   - offset: where in the file the first piece begins, at the start of a line.
    ///   - lastSeq: the number of the last good line before it.
    package init(offset: Int, lastSeq: Int, damagedSinceLast: Int = 0, lineLimit: Int = LogFormat.lineLimit) {
        self.offset = offset
        self.lastSeq = lastSeq
        self.damagedSinceLast = damagedSinceLast
        self.lineLimit = lineLimit
        lineStart = offset
    }

    /// Takes the next piece of the file.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer, _ emit: (Item) -> Void) {
        var start = 0
        while start < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            guard let length = firstLineFeed(rest) else {
                hold(rest)
                offset += rest.count
                return
            }
            let line = UnsafeRawBufferPointer(rebasing: rest[..<length])
            offset += length + 1
            start += length + 1
            let range = lineStart..<offset
            lineStart = offset
            if isSkipping || range.count - 1 > lineLimit {
                isSkipping = false
                partial = []
                damaged(range, .tooLong, "\(range.count) bytes", emit)
            } else if partial.isEmpty {
                take(line, range, emit)
            } else {
                partial.append(contentsOf: line)
                var whole: [UInt8] = []
                swap(&whole, &partial)
                whole.withUnsafeBytes { take($0, range, emit) }
            }
        }
    }

    /// Ends the file.
    /// - Returns: where the torn last line is, if there is one.
    package mutating func finish(_ emit: (Item) -> Void) -> Range<Int>? {
        if let last = held {
            held = nil
            accept(last.record, last.range, damagedBefore: last.damagedBefore, emit)
        }
        return lineStart < offset ? lineStart..<offset : nil
    }

    private mutating func hold(_ bytes: UnsafeRawBufferPointer) {
        if isSkipping { return }
        if partial.count + bytes.count > lineLimit {
            isSkipping = true
            partial = []
        } else {
            partial.append(contentsOf: bytes)
        }
    }

    private mutating func take(_ line: UnsafeRawBufferPointer, _ range: Range<Int>, _ emit: (Item) -> Void) {
        let record: EventRecord
        switch LogReader.record(line) {
        case .success(let good): record = good
        case .failure(let problem): return damaged(range, problem.reason, problem.detail, emit)
        }
        if let before = held {
            // The same number twice: the held one is right when damaged lines explain why it jumped.
            let isExplained = before.record.seq - lastSeq - 1 <= before.damagedBefore
            if record.seq > before.record.seq || record.seq == before.record.seq && isExplained {
                held = nil
                accept(before.record, before.range, damagedBefore: before.damagedBefore, emit)
            } else if record.seq > lastSeq {
                held = nil
                damaged(before.range, .sequence, "number \(before.record.seq) before \(record.seq)", emit)
            }
        }
        if record.seq == lastSeq + 1 {
            accept(record, range, damagedBefore: damagedSinceLast, emit)
        } else if record.seq > lastSeq {
            held = (record, range, damagedSinceLast)
        } else {
            damaged(range, .sequence, "number \(record.seq) after \(lastSeq)", emit)
        }
    }

    private mutating func accept(
        _ record: EventRecord, _ range: Range<Int>, damagedBefore: Int, _ emit: (Item) -> Void
    ) {
        if record.seq - lastSeq - 1 > damagedBefore {
            emit(.gap(after: lastSeq, before: record.seq, offset: range.lowerBound))
        }
        lastSeq = record.seq
        // Damage between a held line and the one that confirmed it lies after the held one.
        damagedSinceLast -= damagedBefore
        emit(.record(record, range))
    }

    private mutating func damaged(
        _ range: Range<Int>, _ reason: Damage.Reason, _ detail: String, _ emit: (Item) -> Void
    ) {
        damagedSinceLast += 1
        emit(.damaged(Damage(range: range, reason: reason, detail: detail)))
    }

    package struct Problem: Error {
        package var reason: Damage.Reason
        package var detail: String
    }

    /// What a line says, without regard to those around it.
    package static func record(_ line: UnsafeRawBufferPointer) -> Result<EventRecord, Problem> {
        let json: JSON
        do throws(JSONError) {
            json = try JSON.parse(line)
        } catch {
            return .failure(Problem(reason: .notJSON, detail: error.description))
        }
        let record: EventRecord
        do throws(EventRecord.DecodingError) {
            record = try EventRecord(json)
        } catch {
            return .failure(Problem(reason: .notARecord, detail: error.description))
        }
        guard LogFormat.seq(ofLine: line) == record.seq else {
            return .failure(Problem(reason: .notCanonical, detail: #"the line does not begin {"seq":"#))
        }
        return .success(record)
    }
}

/// A whole log read from memory: for tests, imports and fuzzing.
package struct LogContents {
    package var header: LogHeader?
    package var records: [EventRecord] = []
    package var damages: [LogReader.Damage] = []
    package var gaps: [(after: Int, before: Int)] = []
    package var torn: Range<Int>?

    /// Reads a log of whichever session its header names, in pieces of `pieceSize` bytes.
    package init(_ bytes: [UInt8], pieceSize: Int = .max, lineLimit: Int = LogFormat.lineLimit) {
        bytes.withUnsafeBytes { buffer in
            guard let end = firstLineFeed(buffer), end <= LogFormat.headerLimit else { return }
            let line = UnsafeRawBufferPointer(rebasing: buffer[..<end])
            guard let header = (try? JSON.parse(line)).flatMap({ LogHeader($0) }) else { return }
            self.header = header
            var reader = LogReader(offset: end + 1, lastSeq: 0, lineLimit: lineLimit)
            func take(_ item: LogReader.Item) {
                switch item {
                case .record(let record, _): records.append(record)
                case .damaged(let damage): damages.append(damage)
                case .gap(let after, let before, _): gaps.append((after, before))
                }
            }
            var start = end + 1
            while start < buffer.count {
                let stop = start + min(max(1, pieceSize), buffer.count - start)
                reader.feed(UnsafeRawBufferPointer(rebasing: buffer[start..<stop]), take)
                start = stop
            }
            torn = reader.finish(take)
        }
    }
}
