import Base
import EventLoop
import JSON

/// The life of a stream over its connections: cursors, requests, reconnecting. Loop-confined.
final class StreamCore {
    typealias Answer = (Result<JSON, HubError>) -> Void

    private struct Waiter {
        let answer: Answer
        let timer: LoopTimer
    }

    private let loop: EventLoop
    private let options: StreamOptions
    private let locate: () throws(HubError) -> HubEndpoint
    private let queue: EventQueue
    private var book: CursorBook
    private var pending: PendingTable<Waiter>
    private var backoff = Backoff()
    private var link: WebSocketLink?
    private var isOpen = false
    private var hasBeenOpen = false
    private var isEnded = false
    private var retry: LoopTimer?
    private var watch: LoopTimer?
    private var lastHeard = Duration.zero
    private var pinged = false
    private var nextRequest = 1
    private let requestPrefix: String
    private var onFirst: ((Result<Void, HubError>) -> Void)?
    private var instanceId: String?

    init(
        loop: EventLoop, options: StreamOptions, queue: EventQueue,
        locate: @escaping () throws(HubError) -> HubEndpoint
    ) {
        self.loop = loop
        self.options = options
        self.queue = queue
        self.locate = locate
        book = CursorBook(options.resume)
        pending = PendingTable(limit: options.pendingLimit)
        // Two connections of one process must not share request ids: an ack of the old one could answer the new.
        requestPrefix = hexadecimal(randomBytes(4))
    }

    // MARK: Connecting

    /// - Parameter first: hears how the first connection went; afterwards the stream looks after itself.
    func start(_ first: @escaping (Result<Void, HubError>) -> Void) {
        onFirst = first
        connect()
    }

    private func connect() {
        retry = nil
        let endpoint: HubEndpoint
        do throws(HubError) { endpoint = try locate() } catch { return lost(error) }
        instanceId = endpoint.instanceId
        let link = WebSocketLink(loop: loop, options: options)
        self.link = link
        link.onOpen = { [weak self] in self?.opened() }
        link.onText = { [weak self] bytes in self?.received(bytes) }
        link.onSign = { [weak self] in self?.heard() }
        link.onEnd = { [weak self] error in self?.lost(error) }
        link.open(endpoint)
    }

    private func opened() {
        isOpen = true
        hasBeenOpen = true
        heard()
        emit(.connected(instanceId: instanceId), bytes: 64)
        if options.saysHello { link?.send(hello()) }
        for frame in pending.takeFramesToSend() { link?.send(frame) }
        watchSilence()
        if let onFirst {
            self.onFirst = nil
            onFirst(.success(()))
        }
    }

    private func hello() -> [UInt8] {
        var payload: JSONObject = [
            "name": JSON(options.name), "version": JSON(options.version), "protocol": 1,
            "chunks": JSON(options.chunks),
        ]
        var resume = book.cursors
        switch options.subscription {
        case .all: payload["subscribe"] = "all"
        case .sessions(let ids):
            payload["subscribe"] = JSON(ids)
            resume = resume.filter { ids.contains($0.key) }
        }
        if !resume.isEmpty {
            payload["resume"] = .object(JSONObject(members: resume.sorted { $0.key < $1.key }.map { ($0, JSON($1)) }))
        }
        if options.reconnects { book.beginReplay(resume.keys) }
        let frame: JSON = ["type": "client:hello", "payload": .object(payload)]
        return frame.serialize()
    }

    private func lost(_ error: HubError) {
        guard !isEnded else { return }
        let isForRestart = link?.isForRestart ?? false
        link?.close()
        link = nil
        isOpen = false
        watch?.cancel()
        for waiter in pending.connectionLost() {
            waiter.timer.cancel()
            waiter.answer(
                .failure(HubError(.connectionLost, "the connection was lost before the answer came: \(error.message)")))
        }
        // Before the first connection the caller decides what to do: perhaps there is no daemon at all.
        guard options.reconnects, hasBeenOpen else { return end(error) }
        // The socket of a daemon that restarts stays open: whoever comes at once is served first.
        let backoffDelay = backoff.next()
        let delay = isForRestart ? .zero : backoffDelay
        emit(.reconnecting(reason: error.message, attempt: backoff.attempts, after: delay), bytes: 64)
        retry = loop.schedule(after: delay) { [weak self] in self?.connect() }
    }

    func close() { end(nil) }

    private func end(_ error: HubError?) {
        guard !isEnded else { return }
        isEnded = true
        link?.close()
        link = nil
        retry?.cancel()
        watch?.cancel()
        for waiter in pending.removeAll() {
            waiter.timer.cancel()
            waiter.answer(.failure(error ?? HubError(.closed, "the stream was closed")))
        }
        if let onFirst {
            self.onFirst = nil
            onFirst(.failure(error ?? HubError(.closed, "the stream was closed")))
        }
        emit(.ended(error), bytes: 64)
        queue.finish()
    }

    // MARK: A daemon that says nothing

    private func heard() {
        lastHeard = loop.now
        pinged = false
    }

    private func watchSilence() {
        watch?.cancel()
        watch = loop.schedule(after: options.silenceLimit / 6) { [weak self] in
            guard let self, self.isOpen else { return }
            let silence = self.loop.now - self.lastHeard
            // While we don't read ourselves, silence says nothing about the daemon.
            if self.link?.isReading == false {
                self.heard()
            } else if silence >= self.options.silenceLimit {
                return self.lost(HubError(.connectionLost, "the daemon has said nothing for \(silence)"))
            } else if silence >= self.options.silenceLimit / 3, !self.pinged {
                self.pinged = true
                self.link?.ping()
            }
            self.watchSilence()
        }
    }

    // MARK: Frames

    private func received(_ bytes: [UInt8]) {
        heard()
        let frame: HubFrame
        do throws(HubError) { frame = try HubFrame(bytes) } catch { return lost(error) }
        if frame.type == "ack", let requestId = frame.requestId, let waiter = pending.remove(requestId) {
            waiter.timer.cancel()
            waiter.answer(StreamCore.result(of: frame))
            return
        }
        guard options.reconnects else { return emit(.frame(frame), bytes: bytes.count) }
        // Hearing anything proves that the daemon works; only then is the next failure a first one again.
        backoff.reset()
        if let seq = frame.seq, let sessionId = frame.sessionId {
            receivedEvent(frame, sessionId, seq, bytes.count)
        } else {
            noteControl(frame)
            if isOpen { emit(.frame(frame), bytes: bytes.count) }
        }
    }

    private func receivedEvent(_ frame: HubFrame, _ sessionId: String, _ seq: Int, _ count: Int) {
        switch book.receive(sessionId, seq: seq) {
        case .deliver: emit(.frame(frame), bytes: count)
        case .duplicate, .early: break
        case .gap(let after):
            guard !book.mayRetry(sessionId) else { return resynchronise(sessionId) }
            emit(.missing(sessionId: sessionId, after: after, before: seq), bytes: 64)
            book.reset(sessionId, to: seq)
            emit(.frame(frame), bytes: count)
        }
    }

    private func noteControl(_ frame: HubFrame) {
        let payload = frame.payload
        switch frame.type {
        case "core:state":
            instanceId = payload?["core"]?["instanceId"]?.stringValue ?? instanceId
            for session in payload?["sessions"]?.arrayValue ?? [] {
                guard let id = session["id"]?.stringValue, let last = session["lastSeq"]?.intValue else { continue }
                book.snapshot(id, lastSeq: last)
            }
        case "session:created":
            if let id = payload?["id"]?.stringValue { book.created(id, lastSeq: payload?["lastSeq"]?.intValue ?? 0) }
        case "session:deleted":
            if let id = payload?["id"]?.stringValue ?? frame.sessionId { book.forget(id) }
        case "sync:resync":
            if let id = frame.sessionId { book.reset(id, to: payload?["lastSeq"]?.intValue ?? 0) }
        case "sync:complete":
            var sent: [String: Int] = [:]
            for (id, seq) in payload?["cursors"]?.objectValue ?? [:] { sent[id] = seq.intValue }
            if let behind = book.replayComplete(sent) {
                if book.mayRetry(behind) {
                    resynchronise(behind)
                } else if let seq = sent[behind] {
                    emit(
                        .missing(sessionId: behind, after: book.cursors[behind] ?? 0, before: seq &+ 1), bytes: 64)
                    book.reset(behind, to: seq)
                }
            }
        default: break
        }
    }

    /// Something is missing: a new connection with the cursors has it replayed, through the one way there is.
    private func resynchronise(_ sessionId: String) {
        lost(HubError(.connectionLost, "events of session \(sessionId) are missing: asking for them again"))
    }

    private func emit(_ event: HubEvent, bytes: Int) {
        if !queue.push(event, bytes: bytes) { link?.setReading(false) }
    }

    func readerHasRoom() { link?.setReading(true) }

    // MARK: Requests

    /// Sends a frame, now or when there is a connection, and reports its `ack`.
    func request(
        _ type: String, _ payload: JSONObject, isIdempotent: Bool, timeout: Duration, _ answer: @escaping Answer
    ) {
        guard !isEnded else { return answer(.failure(HubError(.closed, "the stream was closed"))) }
        let requestId = "\(requestPrefix)-\(nextRequest)"
        nextRequest += 1
        let frame: JSON = ["type": JSON(type), "requestId": JSON(requestId), "payload": .object(payload)]
        let bytes = frame.serialize()
        let timer = loop.schedule(after: timeout) { [weak self] in
            guard let waiter = self?.pending.remove(requestId) else { return }
            waiter.answer(.failure(HubError(.timeout, "the daemon did not answer \(type) within \(timeout)")))
        }
        let isTaken = pending.insert(
            requestId: requestId, frame: bytes, isIdempotent: isIdempotent,
            waiter: Waiter(answer: answer, timer: timer))
        guard isTaken else {
            timer.cancel()
            return answer(.failure(HubError(.tooLarge, "too many requests wait for the daemon: try again later")))
        }
        if isOpen {
            pending.markSent(requestId)
            link?.send(bytes)
        }
    }

    /// Sends a text as it is, valid or not. Does nothing while there is no connection.
    func sendRaw(_ bytes: [UInt8]) { link?.send(bytes) }

    private static func result(of frame: HubFrame) -> Result<JSON, HubError> {
        if frame.payload?["ok"]?.boolValue == true { return .success(frame.payload?["result"] ?? .null) }
        let error = frame.payload?["error"]
        return .failure(
            HubError(
                .rejected, error?["message"]?.stringValue ?? "the daemon refused without a reason",
                answer: error?["code"]?.stringValue))
    }
}
