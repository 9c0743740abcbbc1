package import Base
package import JSON

/// An event before it has its place in the log.
package struct EventDraft: Equatable, Sendable {
    package var kind: EventKind
    package var source: EventSource
    package var turnId: String?
    package var itemId: String?
    package var providerId: String?
    /// The identifier that the provider itself gave to the thing, for example `toolu_...`.
    package var nativeId: String?
    /// The daemon made the event up because the provider left it out.
    package var isSynthetic: Bool
    package var data: JSONObject

    package init(
        _ kind: EventKind, source: EventSource, turnId: String? = nil, itemId: String? = nil,
        providerId: String? = nil, nativeId: String? = nil, isSynthetic: Bool = false, data: JSONObject = [:]
    ) {
        self.kind = kind
        self.source = source
        self.turnId = turnId
        self.itemId = itemId
        self.providerId = providerId
        self.nativeId = nativeId
        self.isSynthetic = isSynthetic
        self.data = data
    }
}

/// One durable event of a session: a line of its log, a frame on the wire, an entry of the replay.
package struct EventRecord: Equatable, Sendable {
    /// Starts at 1 and rises by 1 within its session: the only cursor there is.
    package var seq: Int
    package var timestamp: Timestamp
    /// A ULID, unique over all sessions.
    package var id: String
    package var draft: EventDraft

    package init(seq: Int, timestamp: Timestamp, id: String, draft: EventDraft) {
        self.seq = seq
        self.timestamp = timestamp
        self.id = id
        self.draft = draft
    }

    package var kind: EventKind { draft.kind }
    package var data: JSONObject { draft.data }
    package var turnId: String? { draft.turnId }
    package var itemId: String? { draft.itemId }
}

extension EventRecord {
    /// Appends the record as one line of compact JSON, without the line's end.
    package func serialize(into bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"seq":"#.utf8)
        bytes.appendDecimal(seq)
        bytes.append(contentsOf: #","ts":""#.utf8)
        timestamp.append(to: &bytes)
        bytes.append(contentsOf: #"","id":"#.utf8)
        bytes.appendJSONString(id)
        bytes.append(contentsOf: #","kind":""#.utf8)
        bytes.append(contentsOf: kind.rawValue.utf8)
        bytes.append(UInt8(ascii: "\""))
        func member(_ name: StaticString, _ value: String?) {
            guard let value else { return }
            bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
            bytes.appendJSONString(value)
        }
        member(#","turnId":"#, turnId)
        member(#","itemId":"#, itemId)
        member(#","source":"#, draft.source.rawValue)
        member(#","providerId":"#, draft.providerId)
        member(#","nativeId":"#, draft.nativeId)
        if draft.isSynthetic { bytes.append(contentsOf: #","synthetic":true"#.utf8) }
        bytes.append(contentsOf: #","data":"#.utf8)
        draft.data.serialize(into: &bytes)
        bytes.append(UInt8(ascii: "}"))
    }

    /// Why a line of a log is no record.
    package enum DecodingError: Error, Equatable, Sendable, CustomStringConvertible {
        case notAnObject
        case missing(String)
        case invalid(String)

        package var description: String {
            switch self {
            case .notAnObject: "the line is no JSON object"
            case .missing(let key): "\(key) is missing"
            case .invalid(let key): "\(key) has a wrong type or value"
            }
        }
    }

    /// Reads a record. Members that this version doesn't know are passed over: a log written by a newer daemon stays
    /// readable. A kind that it doesn't know is read as `custom`, with the kind's name as its type.
    package init(_ json: JSON) throws(DecodingError) {
        guard let object = json.objectValue else { throw .notAnObject }
        func string(_ key: String) throws(DecodingError) -> String? {
            guard let value = object[key], !value.isNull else { return nil }
            guard let text = value.stringValue else { throw .invalid(key) }
            return text
        }
        func required<Value>(_ key: String, _ value: Value?) throws(DecodingError) -> Value {
            guard let value else { throw object[key] == nil ? .missing(key) : .invalid(key) }
            return value
        }
        seq = try required("seq", object["seq"]?.intValue)
        guard seq >= 1 else { throw .invalid("seq") }
        timestamp = try required("ts", (try string("ts")).flatMap { Timestamp($0) })
        id = try required("id", try string("id"))
        let kindName = try required("kind", try string("kind"))
        let source = try required("source", EventSource(rawValue: try string("source") ?? "core"))
        guard let data = (object["data"] ?? [:]).objectValue else { throw .invalid("data") }
        draft = EventDraft(
            EventKind(rawValue: kindName) ?? .custom, source: source, turnId: try string("turnId"),
            itemId: try string("itemId"), providerId: try string("providerId"), nativeId: try string("nativeId"),
            isSynthetic: object["synthetic"]?.boolValue ?? false,
            data: EventKind(rawValue: kindName) == nil ? ["type": JSON(kindName), "data": .object(data)] : data)
    }
}

/// The first line of a session's log.
package struct LogHeader: Equatable, Sendable {
    /// The version of the log's format.
    package static let schema = 1

    package var sessionId: String
    package var providerId: String
    package var createdAt: Timestamp
    /// The folder the agent works in, an absolute path.
    package var workspace: String

    package init(sessionId: String, providerId: String, createdAt: Timestamp, workspace: String) {
        self.sessionId = sessionId
        self.providerId = providerId
        self.createdAt = createdAt
        self.workspace = workspace
    }

    package func serialize(into bytes: inout [UInt8]) {
        let object: JSONObject = [
            "kind": "header", "schema": JSON(LogHeader.schema), "sessionId": JSON(sessionId),
            "providerId": JSON(providerId), "createdAt": JSON(createdAt.description), "workspace": JSON(workspace),
        ]
        object.serialize(into: &bytes)
    }

    /// Nil when the object is no header that this version can read.
    package init?(_ json: JSON) {
        guard json["kind"]?.stringValue == "header", let schema = json["schema"]?.intValue, schema == LogHeader.schema,
            let sessionId = json["sessionId"]?.stringValue, let providerId = json["providerId"]?.stringValue,
            let createdAt = (json["createdAt"]?.stringValue).flatMap({ Timestamp($0) })
        else { return nil }
        self.init(
            sessionId: sessionId, providerId: providerId, createdAt: createdAt,
            workspace: json["workspace"]?.stringValue ?? "/")
    }
}

extension EventRecord {
    /// The record as a JSON value, for answers that hold several.
    package var json: JSON {
        var object: JSONObject = [
            "seq": JSON(seq), "ts": JSON(timestamp.description), "id": JSON(id), "kind": JSON(kind.rawValue),
        ]
        object["turnId"] = turnId.map { JSON($0) }
        object["itemId"] = itemId.map { JSON($0) }
        object["source"] = JSON(draft.source.rawValue)
        object["providerId"] = draft.providerId.map { JSON($0) }
        object["nativeId"] = draft.nativeId.map { JSON($0) }
        if draft.isSynthetic { object["synthetic"] = true }
        object["data"] = .object(data)
        return .object(object)
    }
}
