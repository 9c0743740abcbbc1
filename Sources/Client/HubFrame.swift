package import JSON

/// A frame of the stream; what types there are, and what is in them, is in doc/protocol.md.
public struct HubFrame: Equatable, Sendable {
    /// For example `session:event` or `stream:chunk`. Types that a program doesn't know it passes over.
    public let type: String
    /// The session that it is about; nil when it is about the daemon.
    public let sessionId: String?
    /// The event's place in its session's log; nil for frames that are not in a log.
    public let seq: Int?
    /// Of an `ack` or `error`: the request that it answers.
    public let requestId: String?
    package let json: JSON

    /// The frame's JSON text.
    public var text: String { json.description }
    /// The JSON text of its `payload`; `null` when it has none.
    public var payloadText: String { (payload ?? .null).description }
    package var payload: JSON? { json["payload"] }

    /// - Throws: `invalidAnswer` when the bytes are no JSON object with a `type`.
    init(_ bytes: [UInt8]) throws(HubError) {
        guard let json = try? JSON.parse(bytes), let type = json["type"]?.stringValue else {
            throw HubError(.invalidAnswer, "the daemon sent a frame that is no JSON object with a type")
        }
        self.init(json: json, type: type)
    }

    private init(json: JSON, type: String) {
        self.type = type
        self.json = json
        sessionId = json["sessionId"]?.stringValue ?? json["payload"]?["sessionId"]?.stringValue
        seq = (json["seq"]?.intValue).flatMap { $0 >= 1 ? $0 : nil }
        requestId = json["requestId"]?.stringValue
    }

    package init(json: JSON) {
        self.init(json: json, type: json["type"]?.stringValue ?? "")
    }
}

/// An event of a session's log, whichever way it came: as a line of the log, from HTTP, or in one of the frames that
/// carry it in a shape of their own.
public struct LogEvent: Equatable, Sendable {
    /// The session whose log it is in.
    public var sessionId: String
    /// Its place in the session's log, from 1: the cursor.
    public var seq: Int
    /// RFC 3339.
    public var timestamp: String
    /// For example `message` or `tool_call`; others than those of today may come.
    public var kind: String
    /// `user`, `agent` or `core`.
    public var source: String
    /// The turn that it belongs to, if any.
    public var turnId: String?
    /// One thing within a turn: the events of a tool call share it, and the pieces of a text with the event that ends it.
    public var itemId: String?
    package var data: JSONObject

    /// What the event says, as JSON text; which members it has depends on its kind.
    public var dataText: String { JSON.object(data).description }

    /// A record as HTTP and the log have it; nil when it has no `seq` and `kind`.
    package init?(record: JSON, sessionId: String) {
        guard let seq = record["seq"]?.intValue, seq >= 0, let kind = record["kind"]?.stringValue else { return nil }
        self.sessionId = sessionId
        self.seq = seq
        timestamp = record["ts"]?.stringValue ?? ""
        self.kind = kind
        source = record["source"]?.stringValue ?? "core"
        turnId = record["turnId"]?.stringValue
        itemId = record["itemId"]?.stringValue
        data = record["data"]?.objectValue ?? [:]
    }

    /// As `init(record:sessionId:)`, of a line of a log or an element of a page of events.
    public init?(recordText: String, sessionId: String) {
        guard let record = try? JSON.parse(recordText) else { return nil }
        self.init(record: record, sessionId: sessionId)
    }

    /// Nil for a frame that carries no event of a log.
    public init?(_ frame: HubFrame) {
        guard let seq = frame.seq, let sessionId = frame.sessionId, let payload = frame.payload else { return nil }
        if frame.type == "session:event" {
            guard let event = LogEvent(record: payload, sessionId: sessionId) else { return nil }
            self = event
            return
        }
        let kinds = [
            "session:message": "message", "permission:requested": "permission_requested",
            "permission:resolved": "permission_resolved", "question:requested": "question_requested",
            "question:resolved": "question_resolved",
        ]
        guard let kind = kinds[frame.type] else { return nil }
        self.sessionId = sessionId
        self.seq = seq
        self.kind = kind
        timestamp = payload["timestamp"]?.stringValue ?? frame.json["timestamp"]?.stringValue ?? ""
        source = payload["role"]?.stringValue == "user" ? "user" : "agent"
        turnId = payload["turnId"]?.stringValue
        itemId = payload["itemId"]?.stringValue
        data = payload.objectValue ?? [:]
    }
}
