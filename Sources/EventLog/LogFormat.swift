import Base
package import HubProtocol
import JSON

/// The rules of the file: names, limits, and what a line begins with.
package enum LogFormat {
    /// The longest line that is read, in bytes.
    package static let lineLimit = 64 << 20
    /// The longest header line, in bytes: identifiers and one path.
    package static let headerLimit = 1 << 20
    /// The highest number of an event: what JavaScript's numbers hold, with room to go on counting.
    package static let highestSeq = 1 << 52
    package static let suffix = ".jsonl"
    static let indexName = "index.jsonl"

    /// Whether an identifier can name a session's file: 1 to 64 of `A-Z a-z 0-9 _ -`. `index` is taken.
    package static func isValid(sessionId: String) -> Bool {
        let name = sessionId.utf8
        guard (1...64).contains(name.count), sessionId != "index" else { return false }
        return name.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
    }

    /// The session whose log has this file name; nil when it is no log's name.
    static func sessionId(fileName: String) -> String? {
        guard fileName.hasSuffix(suffix) else { return nil }
        let id = String(fileName.dropLast(suffix.count))
        return isValid(sessionId: id) ? id : nil
    }

    /// The number of a line that begins `{"seq":N,`, which every line of ours does; nil for any other.
    @inline(__always)
    static func seq(ofLine line: UnsafeRawBufferPointer) -> Int? {
        // {"seq":1,
        guard line.count >= 9, line.loadUnaligned(as: UInt32.self) == lineStart,
            line[4] == UInt8(ascii: "q"), line[5] == UInt8(ascii: "\""), line[6] == UInt8(ascii: ":")
        else { return nil }
        var index = 7
        var value = 0
        while index < line.count, index < 24 {
            let digit = line[index] &- 0x30
            guard digit < 10 else { break }
            value = value &* 10 &+ Int(digit)
            index += 1
        }
        guard index > 7, index < line.count, line[index] == UInt8(ascii: ","), value >= 1, value <= highestSeq else {
            return nil
        }
        return value
    }

    /// `{"se`, as it stands in memory.
    private static let lineStart = UInt32(littleEndian: 0x6573_227b)

    /// The kind that a line of ours names near its start; nil when it isn't where we write it.
    package static func kind(ofLine line: UnsafeRawBufferPointer) -> EventKind? {
        let mark: StaticString = "\"kind\":\""
        let length = mark.utf8CodeUnitCount
        var index = 8
        let end = min(line.count - length, 160)
        while index < end {
            if line[index] == UInt8(ascii: "\""), line[index + 1] == UInt8(ascii: "k"),
                (2..<length).allSatisfy({ line[index + $0] == mark.utf8Start[$0] })
            {
                let start = index + length
                guard let close = line[start..<min(line.count, start + 32)].firstIndex(of: UInt8(ascii: "\"")) else {
                    return nil
                }
                return EventKind(rawValue: String(decoding: line[start..<close], as: UTF8.self))
            }
            index += 1
        }
        return nil
    }

    /// The header that a first line holds, or why it can't be read.
    static func header(line: UnsafeRawBufferPointer, sessionId: String) throws(LogError) -> LogHeader {
        let json: JSON
        do throws(JSONError) {
            json = try JSON.parse(line)
        } catch {
            throw LogError(.unreadable, "the log of session \(sessionId) has no readable header: \(error)")
        }
        if let schema = json["schema"]?.intValue, schema > LogHeader.schema {
            throw LogError(
                .unreadable,
                "the log of session \(sessionId) has format \(schema), this version reads \(LogHeader.schema): update")
        }
        guard let header = LogHeader(json) else {
            throw LogError(.unreadable, "the log of session \(sessionId) does not begin with a header")
        }
        guard header.sessionId == sessionId else {
            throw LogError(.unreadable, "the log of session \(sessionId) holds another session, \(header.sessionId)")
        }
        return header
    }
}
