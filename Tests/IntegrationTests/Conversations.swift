import Foundation
import JSON
import TestSupport
import Testing

extension TestDaemon {
    static func running(
        configuration: JSONObject? = nil, environment: [String: String] = [:]
    ) throws -> TestDaemon {
        let daemon = try TestDaemon(configuration: configuration, environment: environment)
        try daemon.start()
        return daemon
    }

    func newSession(_ providerId: String = "echo", _ more: JSONObject = [:]) throws -> String {
        let body = JSONObject(members: [("providerId", JSON(providerId)), ("workspace", JSON(folder.path))])
        guard let id = try call("POST", "/sessions", .object(body.merging(more)))["id"]?.stringValue else {
            throw TestFailure("a created session has no id")
        }
        return id
    }

    /// Sends a message over HTTP.
    @discardableResult
    func say(_ text: String, in session: String, id: String? = nil) throws -> JSON {
        var body: JSONObject = ["content": JSON(text)]
        if let id { body["clientMessageId"] = JSON(id) }
        return try call("POST", "/sessions/\(session)/messages", .object(body))
    }

    func record(_ session: String) throws -> JSON { try call("GET", "/sessions/\(session)") }

    func status(_ session: String) throws -> String? { try record(session)["status"]?.stringValue }

    /// The whole log, by pages.
    func events(_ session: String, after: Int = 0) throws -> [JSON] {
        var events: [JSON] = []
        var cursor = after
        while true {
            let page = try call("GET", "/sessions/\(session)/events?after=\(cursor)&limit=500")
            events += page["events"]?.arrayValue ?? []
            guard page["hasMore"]?.boolValue == true, let last = events.last?["seq"]?.intValue else { return events }
            cursor = last
        }
    }

    /// Waits until nothing runs and nothing is queued.
    func settle(_ session: String, within limit: Duration = .seconds(20)) throws {
        try eventually("session \(session) settles: \((try? record(session))?.description ?? "")", within: limit) {
            let record = try record(session)
            return record["turn"]?.isNull != false && record["queue"]?.arrayValue?.isEmpty != false
        }
    }

    /// Says something and waits for the end of its turn; returns what the turn added to the log.
    @discardableResult
    func turn(_ text: String, in session: String, within limit: Duration = .seconds(20)) throws -> [JSON] {
        let before = try record(session)["lastSeq"]?.intValue ?? 0
        let turnId = try say(text, in: session)["turnId"]?.stringValue
        try eventually("the turn ends; the log: \((try? events(session, after: before)) ?? [])", within: limit) {
            try events(session, after: before).contains {
                $0["kind"] == "turn_completed" && $0["turnId"]?.stringValue == turnId
            }
        }
        return try events(session, after: before)
    }

    /// A WebSocket client that has introduced itself and has had its `core:state`.
    func client(_ name: String, chunks: Bool = true) throws -> RawWebSocket {
        let socket = try webSocket()
        let answer = try socket.request(
            "client:hello", ["name": JSON(name), "version": "1", "protocol": 1, "chunks": JSON(chunks)])
        guard answer["ok"] == true else { throw TestFailure("hello was refused: \(answer)") }
        return socket
    }

    /// A WebSocket client that brings cursors.
    func client(_ name: String, resume: [String: Int], receiveBuffer: Int32? = nil) throws -> RawWebSocket {
        let socket = try RawWebSocket(port: port, path: "/api/v1/stream?hello=1", receiveBuffer: receiveBuffer)
        socket.isRecorded = hasHonestLogs
        let cursors = JSONObject(members: resume.map { ($0.key, JSON($0.value)) })
        try socket.send([
            "type": "client:hello",
            "payload": ["name": JSON(name), "version": "1", "protocol": 1, "resume": .object(cursors)],
        ])
        return socket
    }
}

extension RawWebSocket {
    /// All frames up to the one of which `isLast` says so, that one included.
    func collect(within limit: Duration = .seconds(20), until isLast: (JSON) -> Bool) throws -> [JSON] {
        var frames: [JSON] = []
        let last = try frame(within: limit, passed: { frames.append($0) }, where: isLast)
        return frames + [last]
    }

    func collectTurn(of session: String, within limit: Duration = .seconds(20)) throws -> [JSON] {
        try collect(within: limit) { $0.kind == "turn_completed" && $0.session == session }
    }
}

extension JSON {
    var type: String? { self["type"]?.stringValue }
    var seq: Int? { self["seq"]?.intValue }
    var session: String? { self["sessionId"]?.stringValue ?? self["payload"]?["sessionId"]?.stringValue }

    /// The kind of the durable event that a frame carries.
    var kind: String? {
        switch type {
        case "session:event": self["payload"]?["kind"]?.stringValue
        case "session:message": "message"
        case "permission:requested": "permission_requested"
        case "permission:resolved": "permission_resolved"
        case "question:requested": "question_requested"
        case "question:resolved": "question_resolved"
        default: nil
        }
    }
}

extension [JSON] {
    /// Records of one kind.
    func of(_ kind: String) -> [JSON] { filter { $0["kind"]?.stringValue == kind } }

    func first(_ kind: String) -> JSON? { of(kind).first }

    /// Whether the numbers rise by one from `first`.
    func areNumbered(from first: Int) -> Bool {
        enumerated().allSatisfy { $1.seq == first + $0 }
    }
}

/// The text of the agent's messages in log records.
func agentText(_ records: [JSON]) -> String {
    records.of("message").filter { $0["source"] == "agent" }
        .compactMap { $0["data"]?["content"]?.stringValue }.joined(separator: "\n")
}
