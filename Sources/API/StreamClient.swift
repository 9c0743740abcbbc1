import EventLoop
import HubProtocol
import JSON
import Server
import Sessions
import WebSocket

/// One client on a WebSocket. Its connection holds it as its handler.
final class StreamClient: WebSocketHandler {
    let hub: StreamHub
    private(set) var identity: ClientIdentity
    private(set) var connection: WebSocketConnection?
    private var feed: ClientFeed?
    /// Seconds that an announced hello may take.
    private static let helloLimit = 30

    /// The client has announced that its first frame is a hello.
    private let awaitsHello: Bool
    private var hasSaidHello = false

    init(hub: StreamHub, awaitsHello: Bool) {
        self.hub = hub
        self.awaitsHello = awaitsHello
        identity = ClientIdentity(name: "unnamed", id: hub.makeClientId(), transport: "websocket")
    }

    func begin(_ connection: WebSocketConnection) {
        self.connection = connection
        let feed = ClientFeed(
            sink: WebSocketSink(connection), hub: hub, clientId: identity.id, holds: true, awaitsHello: awaitsHello)
        self.feed = feed
        hub.add(feed, connection)
        hub.onClient(identity, true)
        feed.sink.send(hub.stateFrame(), isEphemeral: false)
        guard awaitsHello else {
            hub.loop.schedule(after: .milliseconds(hub.limits.helloGrace)) { [weak feed] in feed?.release() }
            return
        }
        hub.loop.schedule(after: .seconds(StreamClient.helloLimit)) { [weak self] in
            guard let self, !hasSaidHello else { return }
            self.connection?.close(.policyViolation, reason: "the hello that was announced did not come")
        }
    }

    // MARK: The connection

    func webSocket(_ connection: WebSocketConnection, received text: [UInt8]) {
        let json: JSON
        do throws(JSONError) {
            json = try JSON.parse(text)
        } catch {
            return fail(Failure(code: "invalid_json", message: "The frame is not JSON: \(error)."), requestId: nil)
        }
        guard let frame = json.objectValue else {
            return fail(Failure(code: "invalid_request", message: "A frame must be a JSON object."), requestId: nil)
        }
        received(frame)
    }

    func subscriberDidDrain(_ subscriber: Subscriber) { feed?.pump() }

    func subscriberIsSlow(_ subscriber: Subscriber, queued: Int, limit: Int) {
        feed?.sink.send(hub.slowFrame(queued: queued, limit: limit), isEphemeral: false)
    }

    func subscriberEvictionNotice(_ subscriber: Subscriber) -> [UInt8]? { hub.evictedFrame().text }

    func subscriberDidClose(_ subscriber: Subscriber) {
        if let feed {
            hub.remove(feed)
            hub.onClient(identity, false)
        }
        feed = nil
        connection = nil
    }

    // MARK: Commands

    private func received(_ frame: JSONObject) {
        let requestId = frame["requestId"]?.stringValue.flatMap { $0.utf8.count <= 128 ? $0 : nil }
        // An answer to it couldn't be told from others: better no answer than a command whose outcome is never heard.
        if let given = frame["requestId"], !given.isNull, requestId == nil {
            return fail(
                Failure(
                    code: "invalid_request", message: "requestId must be a string of at most 128 bytes.",
                    details: ["field": "requestId"]),
                requestId: nil)
        }
        guard let type = frame["type"]?.stringValue else {
            let isMissing = frame["type"] == nil
            return fail(
                Failure(
                    code: isMissing ? "missing_field" : "invalid_request",
                    message: isMissing ? "type is missing." : "type must be a string.", details: ["field": "type"]),
                requestId: requestId)
        }
        guard type == "client:hello" || hasSaidHello || !awaitsHello else {
            return fail(
                Failure(code: "invalid_request", message: "client:hello was announced and must come first."),
                requestId: requestId)
        }
        if type != "client:hello" { feed?.release() }
        if let payload = frame["payload"], payload.objectValue == nil, !payload.isNull {
            return fail(
                Failure(
                    code: "invalid_request", message: "payload must be an object.", details: ["field": "payload"]),
                requestId: requestId)
        }
        let command = StreamCommand(type: type, fields: Fields(frame["payload"]?.objectValue ?? [:], outer: frame))
        do throws(Failure) {
            let reply = try command.run(on: self)
            guard requestId != nil || reply.isLater else { return }
            reply.whenKept { [weak self] outcome in
                switch outcome {
                case .success(let result):
                    guard let requestId else { return }
                    var payload: JSONObject = ["ok": true]
                    payload["result"] = result
                    self?.send("ack", requestId: requestId, payload)
                case .failure(let failure): self?.fail(failure, requestId: requestId)
                }
            }
        } catch {
            fail(error, requestId: requestId)
        }
    }

    func greet(
        name: String, selection: ClientFeed.Selection?, chunks: Bool?, cursors: [(sessionId: String, after: Int)]?
    ) {
        identity.name = name
        if !hasSaidHello, feed?.hasMissed(without: cursors ?? [], selection: selection) == true {
            connection?.close(.tryAgainLater, reason: "too much has happened before the hello")
            return
        }
        if let cursors, feed?.isTooLate(for: cursors) == true {
            connection?.close(.tryAgainLater, reason: "the hello came after live events: send it first")
            return
        }
        hasSaidHello = true
        feed?.configure(selection: selection, wantsChunks: chunks, cursors: cursors)
    }

    private func fail(_ failure: Failure, requestId: String?) {
        send("error", requestId: requestId, failure.json)
        guard let requestId else { return }
        send("ack", requestId: requestId, ["ok": false, "error": .object(failure.json)])
    }

    private func send(_ type: String, requestId: String? = nil, _ payload: JSONObject) {
        feed?.sink.send(hub.makeFrame(type, requestId: requestId, payload), isEphemeral: false)
    }
}

final class WebSocketSink: FrameSink {
    private let connection: WebSocketConnection

    init(_ connection: WebSocketConnection) { self.connection = connection }

    func send(_ frame: OutgoingFrame, isEphemeral: Bool) {
        connection.enqueue(frame.webSocket, ephemeral: isEphemeral)
    }
    func send(_ batch: OutgoingBatch) { batch.enqueue(on: connection) }
    func finish() { connection.close(.normal) }
    func notifyWhenDrained(below bytes: Int) { connection.notifyWhenDrained(below: bytes) }
    var queuedBytes: Int { connection.queuedBytes }
}
