import Base
package import EventLog
package import EventLoop
package import HubProtocol
package import JSON
import Providers
package import Search
package import Server
package import Sessions
package import WebSocket

/// What is told to every client that connects, beside the sessions.
package protocol HubContext: AnyObject {
    /// `core` of `core:state`.
    var core: JSONObject { get }
    var providers: [JSON] { get }
    var settings: JSONObject { get }
    /// Carries out a merge patch of the settings (RFC 7396), all of it or nothing, and calls `done` with the settings as
    /// they are then.
    func changeSettings(
        _ patch: JSONObject, by client: ClientIdentity, _ done: @escaping (Result<JSONObject, Failure>) -> Void)
}

extension HubContext {
    package func changeSettings(
        _ patch: JSONObject, by client: ClientIdentity, _ done: @escaping (Result<JSONObject, Failure>) -> Void
    ) {
        done(.failure(Failure(code: "forbidden", message: "The settings can't be changed here.")))
    }
}

/// Fans what happens out to the clients: encodes each frame once and offers it to every feed.
package final class StreamHub: SessionObserver {
    package struct Limits: Sendable {
        /// How many of the newest sessions `core:state` and `/status` show, beside those that are not at rest.
        package var snapshotSessions = 100
        /// Bytes of messages in `core:state`; those of the newest sessions come first.
        package var snapshotBytes = 1 << 20
        /// Milliseconds that a new client's first frame is waited for before it counts as silent. On a loaded machine a
        /// client may need that long to send what it has ready.
        package var helloGrace = 1000

        package init() {}
    }

    package let service: SessionService
    package let loop: EventLoop
    let context: any HubContext
    /// What clients can do with providers.
    weak var providers: (any ProviderDirectory)?
    /// Nil where search is switched off.
    package weak var search: SearchIndex?
    package var limits: Limits
    private let encoder: BroadcastEncoder
    private(set) var feeds: [ClientFeed] = []
    private var connections: [ObjectIdentifier: WebSocketConnection] = [:]
    private var nextClient = 1
    package private(set) var framesEncoded = 0
    /// `core:state`, as long as nothing has been told since.
    private var stateNow: OutgoingFrame?
    /// Told of clients that come and go.
    package var onClient: (_ client: ClientIdentity, _ isHere: Bool) -> Void = { _, _ in }

    package init(
        service: SessionService, context: any HubContext, encoder: BroadcastEncoder, limits: Limits = Limits()
    ) {
        self.service = service
        self.context = context
        self.encoder = encoder
        self.limits = limits
        loop = service.loop
        service.observer = self
    }

    /// Bytes below which a frame is sent uncompressed.
    package var compressionThreshold: Int {
        get { encoder.compressionThreshold }
        set { encoder.compressionThreshold = newValue }
    }

    /// Connected clients, event streams included.
    package var clientCount: Int { feeds.count }

    /// Bytes waiting for clients.
    var queuedBytes: Int { feeds.reduce(0) { $0 + $1.sink.queuedBytes } }

    // MARK: Clients

    func add(_ feed: ClientFeed, _ connection: WebSocketConnection? = nil) {
        feeds.append(feed)
        connections[ObjectIdentifier(feed)] = connection
    }

    func remove(_ feed: ClientFeed) {
        feeds.removeAll { $0 === feed }
        connections[ObjectIdentifier(feed)] = nil
    }

    func makeClientId() -> String {
        defer { nextClient += 1 }
        return "c\(nextClient)"
    }

    // MARK: Frames

    func makeFrame(
        _ type: String, sessionId: String? = nil, requestId: String? = nil, _ payload: JSONObject
    ) -> OutgoingFrame {
        framesEncoded += 1
        let text = FrameText(type, sessionId: sessionId, requestId: requestId, timestamp: .now, payload: payload)
        return OutgoingFrame(type, text: text, encoder: encoder)
    }

    /// The frame of a line of the log; nil for a line that is no record.
    func frame(ofLine line: ArraySlice<UInt8>, sessionId: String) -> OutgoingFrame? {
        guard let text = FrameText(line: line, sessionId: sessionId) else { return nil }
        framesEncoded += 1
        let head = RecordLine(line)
        let kind = head.flatMap { EventKind(rawValue: String(decoding: $0.kind, as: UTF8.self)) } ?? .custom
        return OutgoingFrame(FrameText.type(of: kind), seq: head?.seq, text: text, encoder: encoder)
    }

    func send(_ type: String, to sink: any FrameSink, sessionId: String? = nil, _ payload: JSONObject) {
        sink.send(makeFrame(type, sessionId: sessionId, payload), isEphemeral: false)
    }

    func slowFrame(queued: Int, limit: Int) -> OutgoingFrame {
        makeFrame("client:slow", ["queued": JSON(queued), "limit": JSON(limit)])
    }

    func evictedFrame() -> OutgoingFrame {
        makeFrame("client:evicted", ["reason": "the client reads too slowly"])
    }

    /// Sends a frame that belongs to no session's log to every client.
    /// - Parameter isEphemeral: whether a slow client may miss it.
    package func broadcast(
        _ type: String, sessionId: String? = nil, _ payload: JSONObject, isEphemeral: Bool = false
    ) {
        stateNow = nil
        guard !feeds.isEmpty else { return }
        let frame = makeFrame(type, sessionId: sessionId, payload)
        for feed in feeds where feed.wantsRecord(of: sessionId) { feed.sink.send(frame, isEphemeral: isEphemeral) }
    }

    /// The first frame of every connection. All who come in one turn of the loop share it, up to the next frame that is
    /// told to everybody: after a restart all come at once, and making it takes longer than anything else they ask for.
    func stateFrame() -> OutgoingFrame {
        if let stateNow { return stateNow }
        let frame = makeStateFrame()
        stateNow = frame
        // What changes without being told is in the next turn's.
        loop.atEndOfTurn(.flush) { [weak self] in self?.stateNow = nil }
        return frame
    }

    private func makeStateFrame() -> OutgoingFrame {
        var sessions: [JSON] = []
        var pending: [JSON] = []
        var open: [JSON] = []
        var room = limits.snapshotBytes
        for (state, isNew) in service.overview(newest: limits.snapshotSessions) {
            var record = service.record(of: state)
            var messages: [JSON] = []
            if isNew, room > 0, let session = try? service.session(state.sessionId) {
                messages = newestMessages(of: session, room: &room)
            }
            open += service.loaded[state.sessionId]?.streaming.map(\.openItem) ?? []
            record["messages"] = .array(messages)
            record["draft"] = service.drafts[state.sessionId]?.record ?? .null
            sessions.append(.object(record))
            pending += state.pendingJSON
        }
        return makeFrame(
            "core:state",
            [
                "core": .object(context.core), "sessionsTotal": JSON(service.count),
                "sessionsOmitted": JSON(service.count - sessions.count), "sessions": .array(sessions),
                "providers": .array(context.providers),
                "providerProblems": .array(providers?.problems ?? []),
                "settings": .object(context.settings), "pending": .array(pending), "open": .array(open),
            ])
    }

    /// As many of a session's newest messages as there is room for, oldest first.
    private func newestMessages(of session: Session, room: inout Int) -> [JSON] {
        var messages: [JSON] = []
        for message in session.newestMessages().reversed() {
            // What a message has beside its content is about this much.
            room -= 256 + (message["content"]?.stringValue?.utf8.count ?? 0)
            guard room >= 0 else { break }
            messages.append(message)
        }
        return messages.reversed()
    }

    // MARK: What happens in the sessions

    package func sessionCreated(_ session: Session) { broadcastRecord("session:created", session) }
    package func sessionChanged(_ session: Session) { broadcastRecord("session:update", session) }

    private func broadcastRecord(_ type: String, _ session: Session) {
        stateNow = nil
        guard !feeds.isEmpty else { return }
        var record = service.record(of: session.shown)
        record["messages"] = []
        broadcast(type, sessionId: session.id, record)
    }

    package func sessionDeleted(_ sessionId: String) {
        broadcast("session:deleted", sessionId: sessionId, ["id": JSON(sessionId)])
        for feed in feeds where feed.isOfOneSession && feed.wantsRecord(of: sessionId) { feed.sink.finish() }
    }

    package func session(_ session: Session, committed events: [CommittedEvent]) {
        stateNow = nil
        guard !feeds.isEmpty else { return }
        let sessionId = session.id
        framesEncoded += events.count
        let batch = OutgoingBatch(
            events.map { event in
                OutgoingFrame(
                    FrameText.type(of: event.record.kind), seq: event.record.seq,
                    text: FrameText(event.record, line: event.line, sessionId: sessionId), encoder: encoder)
            })
        // Client by client, each the whole batch: the order in which one gets its frames is all that counts.
        for feed in feeds { feed.offer(batch, of: sessionId) }
    }

    package func session(_ session: Session, streamed chunk: StreamChunk) {
        stateNow = nil
        guard !feeds.isEmpty else { return }
        let frame = frame(of: chunk)
        for feed in feeds { feed.offer(frame, of: session.id, isEphemeral: true) }
    }

    func frame(of chunk: StreamChunk) -> OutgoingFrame {
        framesEncoded += 1
        return OutgoingFrame("stream:chunk", text: FrameText(chunk, timestamp: .now), encoder: encoder)
    }

    package func session(_ sessionId: String, drafted draft: MessageDraft) {
        stateNow = nil
        guard !feeds.isEmpty else { return }
        let frame = makeFrame("session:draft", sessionId: sessionId, draft.payload(sessionId))
        for feed in feeds where feed.clientId != draft.by.id && feed.selection.contains(sessionId) {
            feed.sink.send(frame, isEphemeral: false)
        }
    }

    package func importProgressed(_ progress: ImportProgress) { broadcast("session:import", progress.json) }

    package func session(_ session: Session, failed failure: Failure) {
        broadcast("session:error", sessionId: session.id, failure.json)
    }

    package func workflowEvent(_ event: JSONObject) {
        broadcast("workflow:event", sessionId: event["sessionId"]?.stringValue, event)
    }

    // MARK: The end

    /// Closes every client's connection.
    package func closeAll(reason: String, code: WebSocketCloseCode) {
        for connection in connections.values { connection.close(code, reason: reason) }
    }
}

extension StreamChunk {
    /// One of `open` in `core:state`.
    fileprivate var openItem: JSON {
        var object: JSONObject = [
            "sessionId": JSON(sessionId), "itemId": JSON(itemId), "kind": JSON(kind.rawValue), "role": "assistant",
            "content": JSON(text),
        ]
        object["turnId"] = turnId.map { JSON($0) }
        return .object(object)
    }
}
