import EventLog
import HubProtocol

/// The input is a log after its header; the first octet says how it is cut. Whatever it holds: each byte belongs to
/// one record, one damaged line or the torn end; numbers rise; what is kept is the same however the file is read, and
/// can be written and read again.
@c(LLVMFuzzerTestOneInput)
public func fuzzLogReader(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    let whole = read(bytes, piece: bytes.count)
    precondition(whole == read(bytes, piece: Int(start[0]) + 1), "the cuts change what is read")
    _ = LogContents(bytes, pieceSize: Int(start[0]) + 1, lineLimit: 512)
    return 0
}

private struct Found: Equatable {
    var records: [EventRecord] = []
    var covered: [Range<Int>] = []
    var damages: [LogReader.Damage] = []
    var lastSeq = 0
}

private func read(_ bytes: [UInt8], piece: Int) -> Found {
    var found = Found()
    var reader = LogReader(offset: 0, lastSeq: 0, lineLimit: 512)
    func take(_ item: LogReader.Item) {
        switch item {
        case .record(let record, let range):
            precondition(record.seq > found.lastSeq && range.count <= 513 && bytes[range].last == 0x0a)
            found.lastSeq = record.seq
            found.records.append(record)
            found.covered.append(range)
            var line: [UInt8] = []
            record.serialize(into: &line)
            line.append(0x0a)
            var again: [UInt8] = []
            var second = LogReader(offset: 0, lastSeq: record.seq - 1)
            line.withUnsafeBytes {
                second.feed($0) { item in
                    guard case .record(let record, _) = item else { return }
                    record.serialize(into: &again)
                    again.append(0x0a)
                }
            }
            // The lines, not the records: 2.0 is written, and so read again, as the whole number that it is.
            precondition(again == line, "what was read can't be written and read again")
        case .damaged(let damage):
            found.damages.append(damage)
            found.covered.append(damage.range)
        case .gap(let after, let before, _):
            precondition(after + 1 < before)
        }
    }
    var begin = 0
    while begin < bytes.count {
        let end = min(bytes.count, begin + piece)
        bytes[begin..<end].withUnsafeBytes { reader.feed($0, take) }
        begin = end
    }
    if let torn = reader.finish(take) { found.covered.append(torn) }
    found.covered.sort { $0.lowerBound < $1.lowerBound }
    var position = 0
    for range in found.covered {
        precondition(range.lowerBound == position, "bytes are counted twice or not at all")
        position = range.upperBound
    }
    precondition(position == bytes.count)
    precondition(reader.lastSeq == found.lastSeq)
    return found
}
