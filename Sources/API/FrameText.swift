import Base
import EventLog
import HubProtocol
import JSON
import Providers
import Sessions

/// The JSON texts of the frames that the daemon sends. A durable event's record is put in as the bytes that are on
/// disk: it was encoded once, when it was appended.
struct FrameText {
    private(set) var bytes: [UInt8] = []

    /// A frame whose payload is made of JSON values.
    init(
        _ type: String, sessionId: String? = nil, seq: Int? = nil, requestId: String? = nil, timestamp: Timestamp,
        payload: JSONObject
    ) {
        begin(type, sessionId: sessionId, seq: seq, requestId: requestId, timestamp: timestamp)
        payload.serialize(into: &bytes)
        bytes.append(UInt8(ascii: "}"))
    }

    /// The frame of a durable event: `line` is its record as it stands in the log.
    init(_ record: EventRecord, line: ArraySlice<UInt8>, sessionId: String) {
        bytes.reserveCapacity(line.count + 160)
        switch record.kind {
        case .message:
            begin("session:message", sessionId: sessionId, seq: record.seq, timestamp: record.timestamp)
            record.serializeMessagePayload(sessionId: sessionId, into: &bytes)
        case .permissionRequested, .permissionResolved, .questionRequested, .questionResolved:
            begin(FrameText.type(of: record.kind), sessionId: sessionId, seq: record.seq, timestamp: record.timestamp)
            record.requestPayload(sessionId: sessionId).serialize(into: &bytes)
        default:
            begin("session:event", sessionId: sessionId, seq: record.seq, timestamp: record.timestamp)
            bytes.append(contentsOf: line)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    /// The frame of a record as it was read from the log; nil when the line is none.
    init?(line: ArraySlice<UInt8>, sessionId: String) {
        if let head = RecordLine(line), head.isPlainEvent {
            self.init(plainEvent: head, line: line, sessionId: sessionId)
        } else if let json = try? JSON.parse(Array(line)), let record = try? EventRecord(json) {
            self.init(record, line: line, sessionId: sessionId)
        } else {
            return nil
        }
    }

    private init(plainEvent head: RecordLine, line: ArraySlice<UInt8>, sessionId: String) {
        bytes.reserveCapacity(line.count + 160)
        bytes.append(contentsOf: #"{"type":"session:event","sessionId":"#.utf8)
        bytes.appendJSONString(sessionId)
        bytes.append(contentsOf: #","seq":"#.utf8)
        bytes.appendDecimal(head.seq)
        bytes.append(contentsOf: #","timestamp":""#.utf8)
        bytes.append(contentsOf: head.timestamp)
        bytes.append(contentsOf: #"","payload":"#.utf8)
        bytes.append(contentsOf: line)
        bytes.append(UInt8(ascii: "}"))
    }

    init(_ chunk: StreamChunk, timestamp: Timestamp) {
        bytes.reserveCapacity(chunk.text.utf8.count + 256)
        begin("stream:chunk", sessionId: chunk.sessionId, timestamp: timestamp)
        bytes.append(contentsOf: #"{"turnId":"#.utf8)
        if let turnId = chunk.turnId { bytes.appendJSONString(turnId) } else { bytes.append(contentsOf: "null".utf8) }
        bytes.append(contentsOf: #","itemId":"#.utf8)
        bytes.appendJSONString(chunk.itemId)
        bytes.append(contentsOf: #","kind":""#.utf8)
        bytes.append(contentsOf: chunk.kind.rawValue.utf8)
        bytes.append(contentsOf: #"","role":"assistant","content":"#.utf8)
        bytes.appendJSONString(chunk.text)
        bytes.append(contentsOf: #","delta":true,"offset":"#.utf8)
        bytes.appendDecimal(chunk.offset)
        bytes.append(contentsOf: "}}".utf8)
    }

    /// The type of the frame that carries an event of this kind.
    static func type(of kind: EventKind) -> String {
        switch kind {
        case .message: "session:message"
        case .permissionRequested: "permission:requested"
        case .permissionResolved: "permission:resolved"
        case .questionRequested: "question:requested"
        case .questionResolved: "question:resolved"
        default: "session:event"
        }
    }

    private mutating func begin(
        _ type: String, sessionId: String?, seq: Int? = nil, requestId: String? = nil, timestamp: Timestamp
    ) {
        bytes.append(contentsOf: #"{"type":""#.utf8)
        bytes.append(contentsOf: type.utf8)
        bytes.append(UInt8(ascii: "\""))
        if let sessionId {
            bytes.append(contentsOf: #","sessionId":"#.utf8)
            bytes.appendJSONString(sessionId)
        }
        if let seq {
            bytes.append(contentsOf: #","seq":"#.utf8)
            bytes.appendDecimal(seq)
        }
        if let requestId {
            bytes.append(contentsOf: #","requestId":"#.utf8)
            bytes.appendJSONString(requestId)
        }
        bytes.append(contentsOf: #","timestamp":""#.utf8)
        timestamp.append(to: &bytes)
        bytes.append(contentsOf: #"","payload":"#.utf8)
    }
}

extension EventRecord {
    /// Appends what `messagePayload(sessionId:)` describes, without making the object: most of what is streamed is
    /// messages.
    func serializeMessagePayload(sessionId: String, into bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"id":"#.utf8)
        bytes.appendJSONString(id)
        bytes.append(contentsOf: #","sessionId":"#.utf8)
        bytes.appendJSONString(sessionId)
        bytes.append(contentsOf: #","role":"#.utf8)
        (data["role"] ?? "assistant").serialize(into: &bytes)
        bytes.append(contentsOf: #","content":"#.utf8)
        (data["content"] ?? "").serialize(into: &bytes)
        bytes.append(contentsOf: #","timestamp":""#.utf8)
        timestamp.append(to: &bytes)
        bytes.append(contentsOf: #"","seq":"#.utf8)
        bytes.appendDecimal(seq)
        func member(_ name: StaticString, _ value: String?) {
            guard let value else { return }
            bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
            bytes.appendJSONString(value)
        }
        member(#","turnId":"#, turnId)
        member(#","itemId":"#, itemId)
        member(#","providerId":"#, draft.providerId)
        // Role and content are all that nearly every message has.
        if data.count > 2 {
            for key in EventRecord.rarerMessageMembers {
                guard let value = data[key] else { continue }
                bytes.append(UInt8(ascii: ","))
                bytes.appendJSONString(key)
                bytes.append(UInt8(ascii: ":"))
                value.serialize(into: &bytes)
            }
        }
        bytes.append(UInt8(ascii: "}"))
    }

    /// The payload of a `permission:*` or `question:*` frame.
    func requestPayload(sessionId: String) -> JSONObject {
        var object = data
        object["sessionId"] = JSON(sessionId)
        object["seq"] = JSON(seq)
        object["id"] = JSON(id)
        object["timestamp"] = JSON(timestamp.description)
        object["turnId"] = turnId.map { JSON($0) }
        object["itemId"] = itemId.map { JSON($0) }
        object["providerId"] = draft.providerId.map { JSON($0) }
        object["nativeId"] = draft.nativeId.map { JSON($0) }
        return object
    }
}
