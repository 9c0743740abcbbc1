package import Base
import EventLog
package import HubProtocol
import JSON

/// What a line of a log gives to be found by.
package struct SearchDocument: Equatable, Sendable {
    /// The numbers are those in the file.
    package enum Kind: Int64, Sendable {
        case title = 0
        case userMessage = 1
        case assistantMessage = 2
        case toolCall = 3
        case error = 4
    }

    package var seq: Int
    package var timestamp: Timestamp
    package var kind: Kind
    package var text: String

    /// Bytes of a tool call's title and arguments: enough to know the command or the file by, not what was written to it.
    static let toolBytes = 1024

    /// - Parameter limit: bytes of text, at most.
    /// - Returns: nil for what isn't searched, or has no text.
    package init?(_ record: EventRecord, limit: Int) {
        var text = SearchText(limit: limit)
        let data = record.data
        switch record.kind {
        case .message:
            switch data["role"]?.stringValue {
            case "user": kind = .userMessage
            case "assistant": kind = .assistantMessage
            default: return nil
            }
            text.add(data["content"]?.stringValue)
        case .toolCall:
            kind = .toolCall
            text = SearchText(limit: min(limit, SearchDocument.toolBytes))
            text.add(data["name"]?.stringValue)
            text.add(data["title"]?.stringValue)
            if let arguments = data["args"] { text.add(leavesOf: arguments, except: data["title"]?.stringValue) }
        case .error:
            kind = .error
            text.add(data["code"]?.stringValue)
            text.add(data["message"]?.stringValue)
        case .status:
            guard ["created", "renamed", "title"].contains(data["type"]?.stringValue) else { return nil }
            kind = .title
            text.add(data["title"]?.stringValue)
        default: return nil
        }
        guard !text.bytes.isEmpty else { return nil }
        seq = record.seq
        timestamp = record.timestamp
        self.text = String(decoding: text.bytes, as: UTF8.self)
    }

    /// The document of a line of a log; nil for a line that gives none, be it damaged.
    init?(line: UnsafeRawBufferPointer, limit: Int) {
        guard let kind = LogFormat.kind(ofLine: line), SearchDocument.isSearched(kind),
            case .success(let record) = LogReader.record(line)
        else { return nil }
        self.init(record, limit: limit)
    }

    /// Kinds of events that may give a document.
    static func isSearched(_ kind: EventKind) -> Bool {
        switch kind {
        case .message, .toolCall, .error, .status: true
        default: false
        }
    }
}

/// Text on its way into the index: one space wherever there is white space or a control character, so that it fits a
/// line, and cut at a limit.
struct SearchText {
    private(set) var bytes: [UInt8] = []
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    private var isFull: Bool { bytes.count >= limit }

    mutating func add(_ text: String?) {
        guard var text, !isFull else { return }
        text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
    }

    private mutating func add(_ text: UnsafeRawBufferPointer) {
        var isSpaceDue = !bytes.isEmpty
        var index = 0
        while index < text.count, !isFull {
            let byte = text[index]
            if byte <= 0x20 || byte == 0x7f {
                isSpaceDue = !bytes.isEmpty
                index += 1
                continue
            }
            let length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
            guard bytes.count + length + (isSpaceDue ? 1 : 0) <= limit else { return }
            if isSpaceDue {
                bytes.append(0x20)
                isSpaceDue = false
            }
            for offset in index..<min(index + length, text.count) { bytes.append(text[offset]) }
            index += length
        }
    }

    /// Adds all strings within a value, those of objects in their order.
    mutating func add(leavesOf json: JSON, except known: String?) {
        guard !isFull else { return }
        switch json {
        case .string(let text): if text != known { add(text) }
        case .array(let values): for value in values { add(leavesOf: value, except: known) }
        case .object(let members): for (_, value) in members { add(leavesOf: value, except: known) }
        case .null, .bool, .int, .double: break
        }
    }
}
