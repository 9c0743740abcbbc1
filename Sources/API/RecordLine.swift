import Base
import HubProtocol
import JSON

/// What a frame needs to know of a record's line, read from the fixed beginning that the daemon writes:
/// `{"seq":12,"ts":"2026-11-21T10:00:00.123Z","id":"...","kind":"tool_call"`. Replaying a log then costs no parsing.
struct RecordLine {
    let seq: Int
    let timestamp: ArraySlice<UInt8>
    let kind: ArraySlice<UInt8>

    /// Nil when the line begins otherwise: then it must be parsed.
    init?(_ line: ArraySlice<UInt8>) {
        var index = line.startIndex
        func skip(_ text: StaticString) -> Bool {
            guard line.endIndex - index >= text.utf8CodeUnitCount else { return false }
            for offset in 0..<text.utf8CodeUnitCount where line[index + offset] != text.utf8Start[offset] {
                return false
            }
            index += text.utf8CodeUnitCount
            return true
        }
        func string() -> ArraySlice<UInt8>? {
            let start = index
            while index < line.endIndex, line[index] != UInt8(ascii: "\"") {
                guard line[index] != UInt8(ascii: "\\") else { return nil }
                index += 1
            }
            guard index < line.endIndex else { return nil }
            index += 1
            return line[start..<index - 1]
        }
        guard skip(#"{"seq":"#) else { return nil }
        var seq = 0
        while index < line.endIndex, line[index] >= 0x30, line[index] <= 0x39, seq < 1 << 52 {
            seq = seq * 10 + Int(line[index] - 0x30)
            index += 1
        }
        guard seq > 0, skip(#","ts":""#), let timestamp = string(), skip(#","id":""#), string() != nil,
            skip(#","kind":""#), let kind = string()
        else { return nil }
        self.seq = seq
        self.timestamp = timestamp
        self.kind = kind
    }

    /// Whether the record itself is the payload of its frame.
    var isPlainEvent: Bool {
        // All others have a payload of their own form: see `FrameText.type(of:)`.
        !(kind.elementsEqual("message".utf8) || kind.starts(with: "permission_".utf8)
            || kind.starts(with: "question_".utf8))
    }
}
