import EventLoop
import HTTP1
import WebSocket

/// A connection that speaks HTTP/1.1: takes one request at a time, has it answered, goes on with the next.
final class HTTPConnection: Connection {
    private enum State {
        /// Taking a request in.
        case reading
        /// A whole request is with the handler, or the guard's answer is being held back.
        case answering
        /// The last answer is on its way out.
        case ending
        /// All is sent; what the client still sends is thrown away until it closes.
        case lingering
    }

    private enum Clock { case header, body, idle, close, none }

    private var parser: HTTPRequestParser
    private var state = State.reading
    private var clock = Clock.header
    /// Of the request that has not been answered yet; nil when there is none.
    private var traits: HTTPRequestTraits?
    /// Until the handler gets it; an upgrade's until it is answered.
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    /// Takes the body in place of `body`.
    private var receiver: (any HTTPBodyReceiver)?
    /// Bytes it has taken since the clock was last set.
    private var receivedBytes = 0
    private var grant: AccessGuard.Grant?
    private let identity: PeerIdentity
    /// Of the request with the handler: an answer to an earlier one is late.
    private var number: UInt64 = 0
    /// What came after a request that is not answered yet.
    private var pending: [UInt8] = []
    private var isProcessing = false
    private var inputHasEnded = false
    private var lingeredBytes = 0
    private var holdsThrottle = false
    /// Who has taken the socket over.
    private var successor: Connection?

    /// Bytes kept of further requests while one is being answered.
    private static let pendingLimit = EventLoop.readBufferSize
    /// A streamed body may take its time as long as so much comes within it.
    private static let progressBytes = 1 << 20
    /// Bytes thrown away after the last answer before a client that goes on sending is reset.
    private static let lingerLimit = 1 << 20

    override init(fd: Int32, id: UInt64, peer: SocketAddress, server: HTTPServer) {
        parser = HTTPRequestParser(limits: server.limits.http)
        identity = PeerIdentity(fd: fd, peer: peer)
        super.init(fd: fd, id: id, peer: peer, server: server)
        deadline = server.loop.nowNanoseconds &+ server.times.header
    }

    // MARK: Input

    override func received(_ bytes: UnsafeRawBufferPointer) {
        switch state {
        case .reading where pending.isEmpty:
            process(bytes)
        case .reading, .answering:
            // A byte too many would be dropped by nobody: reading stops before.
            pending.append(contentsOf: bytes)
            if pending.count >= HTTPConnection.pendingLimit { setReadsInput(false) }
        case .ending, .lingering:
            lingeredBytes += bytes.count
            if lingeredBytes > HTTPConnection.lingerLimit { abort() }
        }
    }

    override func inputEnded() {
        inputHasEnded = true
        switch state {
        case .reading where pending.isEmpty:
            if output.isEmpty { close() } else { finishAfterOutput() }
        case .reading, .answering, .ending:
            // It may have shut down one direction only and wait for its answer.
            setReadsInput(false)
        case .lingering:
            close()
        }
    }

    private func process(_ bytes: UnsafeRawBufferPointer) {
        var input = bytes
        isProcessing = true
        while isOpen, state == .reading, successor == nil {
            guard output.bytes < server.limits.pipelinedResponseBytes else { break }
            do throws(HTTPParseError) {
                guard let event = try parser.next(&input) else { break }
                switch consume event {
                case .head(let head): begin(head)
                // Without a head it belongs to a request that is answered already.
                case .body(let part): if traits != nil { take(body: part) }
                case .end: dispatch()
                }
            } catch {
                refuse(error)
            }
        }
        isProcessing = false
        if let successor {
            self.successor = nil
            successor.received(input)
            return
        }
        guard isOpen else { return }
        if state == .reading, input.isEmpty {
            startClock()
        } else if state == .reading || state == .answering {
            pending.append(contentsOf: input)
        }
    }

    /// Goes on with what has come meanwhile.
    private func resume() {
        guard !isProcessing, isOpen, state == .reading else { return }
        // Once even without input: the end of a request answered at its head has yet to be passed.
        repeat {
            var input: [UInt8] = []
            swap(&input, &pending)
            input.withUnsafeBytes { process($0) }
        } while !pending.isEmpty && isOpen && state == .reading
            && output.bytes < server.limits.pipelinedResponseBytes
        guard isOpen, state == .reading, pending.isEmpty else { return }
        if inputHasEnded { finishAfterOutput() } else { setReadsInput(true) }
        if output.isEmpty || parser.phase != .idle { startClock() }
    }

    private func startClock() {
        let now = server.loop.nowNanoseconds
        switch parser.phase {
        case .idle where clock != .idle && !(clock == .header && number == 0):
            clock = .idle
            deadline = now &+ server.times.idle
        case .head where clock != .header:
            clock = .header
            deadline = now &+ server.times.header
        case .body where clock != .body:
            clock = .body
            deadline = now &+ server.times.body
        default: break
        }
    }

    private func stopClock() {
        clock = .none
        deadline = .max
    }

    // MARK: Requests

    private func begin(_ head: consuming HTTPRequestHead) {
        server.metrics.requests &+= 1
        number &+= 1
        traits = head.traits
        switch server.accessGuard.check(head, peer: identity, now: server.loop.nowNanoseconds) {
        case .allow(let grant):
            self.grant = grant
            if head.body != .none {
                receivedBytes = 0
                receiver = server.handler.receiver(of: head)
                if receiver == nil, case .fixed(let length) = head.body, length > server.limits.http.bodyBytes {
                    return refuseBody()
                }
            }
            if head.expectsContinue { sendContinue() }
            self.head = consume head
        case .preflight(let headers):
            respond(number, status: 204, headers: headers, body: UnsafeRawBufferPointer(start: nil, count: 0))
        case .reject(let rejection):
            server.onRefusal(
                Refusal(code: rejection.code, peer: peer.description, method: head.method.description, path: head.path))
            reject(rejection)
        }
    }

    private func take(body part: UnsafeRawBufferPointer) {
        guard let receiver else {
            // The parser's limit is that of the largest body of the path.
            guard part.count <= server.limits.http.bodyBytes - body.count else { return refuseBody() }
            return body.append(contentsOf: part)
        }
        guard receiver.take(part) else {
            traits = nil
            return respondWithError(
                status: 507, code: "no_room", message: "the body could not be kept: the disk is full or fails")
        }
        receivedBytes += part.count
        guard receivedBytes >= HTTPConnection.progressBytes, clock == .body else { return }
        receivedBytes = 0
        deadline = server.loop.nowNanoseconds &+ server.times.body
    }

    private func refuseBody() {
        refuse(
            HTTPParseError(413, .bodyTooLarge, "the body is larger than \(server.limits.http.bodyBytes) bytes"))
    }

    private func sendContinue() {
        var bytes: [UInt8] = []
        HTTPResponseEncoder.writeContinue(into: &bytes)
        append(server.privateSegments.append(bytes))
    }

    private func dispatch() {
        // Answered at its head already: a preflight, or a refusal whose connection goes on.
        guard let grant, let head = head.take() else { return }
        state = .answering
        if head.wantsUpgrade { self.head = head }
        stopClock()
        var body: [UInt8] = []
        swap(&body, &self.body)
        let request = HTTPRequest(
            head: head, body: body, receiver: receiver.take(), peer: peer, connectionID: id, ground: grant.ground)
        server.handler.handle(request, HTTPResponder(connection: self, number: number))
    }

    func isAwaiting(_ number: UInt64) -> Bool {
        state == .answering && number == self.number && isOpen && traits != nil && grant != nil
    }

    // MARK: Refusals

    private func refuse(_ error: HTTPParseError) {
        server.metrics.requestsMalformed += 1
        traits = nil
        respondWithError(status: error.status, code: error.code.rawValue, message: error.message)
    }

    private func reject(_ rejection: AccessGuard.Rejection) {
        server.metrics.requestsForbidden += 1
        server.metrics.forbiddenByReason[rejection.code, default: 0] += 1
        let hasBody = traits?.hasBody ?? false
        var headers = HTTPHeaders.json
        if let origin = rejection.origin { AccessGuard.originHeaders(origin).copy(into: &headers) }
        if rejection.status == 401 { headers.append("www-authenticate", "Bearer") }
        if rejection.status == 429 { headers.append("retry-after", "2") }
        let answer = { [self] in
            ErrorBody.json(code: rejection.code, message: rejection.message).withUnsafeBytes {
                write(status: rejection.status, headers: headers, body: $0, keepsAlive: !hasBody)
            }
        }
        guard rejection.delay > 0 else { return answer() }
        state = .answering
        holdsThrottle = rejection.isThrottled
        stopClock()
        let number = number
        server.loop.schedule(after: .nanoseconds(rejection.delay)) { [weak self] in
            guard let self else { return }
            releaseThrottle()
            guard isOpen, state == .answering, number == self.number else { return }
            answer()
            resume()
        }
    }

    private func releaseThrottle() {
        guard holdsThrottle else { return }
        holdsThrottle = false
        server.accessGuard.delayedAnswerSent()
    }

    private func respondWithError(status: Int, code: String, message: String) {
        ErrorBody.json(code: code, message: message).withUnsafeBytes {
            write(status: status, headers: HTTPHeaders.json, body: $0, keepsAlive: false)
        }
    }

    // MARK: Answers

    func respond(_ number: UInt64, status: Int, headers: HTTPHeaders, body: UnsafeRawBufferPointer) {
        guard isOpen, number == self.number, traits != nil, state == .answering || isProcessing else { return }
        if let origin = grant?.origin {
            var headers = headers
            AccessGuard.originHeaders(origin).copy(into: &headers)
            write(status: status, headers: headers, body: body, keepsAlive: true)
        } else {
            write(status: status, headers: headers, body: body, keepsAlive: true)
        }
        resume()
    }

    /// The common answer, 200 with fields that have been checked once: no more than copying.
    func respond(_ number: UInt64, prepared: PreparedHeaders, body: UnsafeRawBufferPointer) {
        guard let traits, traits.version == .http11, traits.keepsAlive, !traits.isHead, grant?.origin == nil,
            !server.isShuttingDown, !isLastRequest, isOpen, number == self.number, state == .answering
        else { return respond(number, status: 200, headers: prepared.headers, body: body) }
        append(PreparedAnswer.write(prepared, date: server.currentDateLine, body: body, to: server.privateSegments))
        server.metrics.countResponse(200)
        finishRequest(keepsAlive: true)
        resume()
    }

    private func write(status: Int, headers: HTTPHeaders, body: UnsafeRawBufferPointer, keepsAlive wanted: Bool) {
        let keepsAlive: Bool
        server.scratch.removeAll(keepingCapacity: true)
        do throws(HTTPEncodeError) {
            let written = try HTTPResponseEncoder.writeHead(
                status: status, headers: headers, body: .length(body.count), traits: traits,
                date: server.currentDate,
                keepsAlive: wanted && !server.isShuttingDown && !isLastRequest, into: &server.scratch)
            keepsAlive = written.keepsAlive
            appendAnswer(written.framing == .none ? UnsafeRawBufferPointer(start: nil, count: 0) : body)
        } catch {
            server.scratch.removeAll(keepingCapacity: true)
            let message = ErrorBody.json(code: "invalid_response", message: error.message)
            let written = try? HTTPResponseEncoder.writeHead(
                status: 500, headers: HTTPHeaders.json, body: .length(message.count), traits: traits,
                date: server.currentDate, keepsAlive: false, into: &server.scratch)
            keepsAlive = false
            message.withUnsafeBytes {
                appendAnswer(
                    written?.framing == HTTPResponseEncoder.Framing.none
                        ? UnsafeRawBufferPointer(start: nil, count: 0) : $0)
            }
        }
        server.metrics.countResponse(status)
        finishRequest(keepsAlive: keepsAlive)
    }

    /// The client sends no more, and nothing of what it has sent waits to be answered.
    private var isLastRequest: Bool { inputHasEnded && pending.isEmpty && !isProcessing }

    private func appendAnswer(_ body: UnsafeRawBufferPointer) {
        let head = server.scratch.count
        append(
            server.privateSegments.append(head + body.count) { target in
                server.scratch.withUnsafeBytes { copy($0, to: target) }
                copy(body, to: target + head)
            })
    }

    private func finishRequest(keepsAlive: Bool) {
        traits = nil
        if head != nil { head = nil }
        grant = nil
        body = []
        receiver = nil
        if keepsAlive {
            state = .reading
            stopClock()
        } else {
            finishAfterOutput()
        }
    }

    // MARK: The end

    private func finishAfterOutput() {
        guard state != .lingering else { return }
        state = .ending
        pending = []
        clock = .close
        // As long as the answer is being taken only its stalling counts, see `sweep`.
        deadline = .max
        if output.isEmpty { linger() } else { setReadsInput(!inputHasEnded) }
    }

    override func outputDrained() {
        switch state {
        case .ending: linger()
        case .reading:
            if clock == .none { startClock() }
            if !pending.isEmpty { resume() }
        default: break
        }
    }

    private func linger() {
        if inputHasEnded { return close() }
        state = .lingering
        endOutput()
        setReadsInput(true)
        deadline = server.loop.nowNanoseconds &+ min(server.times.close, 2_000_000_000)
    }

    override func deadlinePassed(now: Int64) {
        if state == .lingering { return abort() }
        server.metrics.connectionsTimedOut += 1
        switch clock {
        case .header where parser.phase == .idle, .idle, .close, .none:
            close()
        case .header:
            traits = nil
            respondWithError(status: 408, code: "header_timeout", message: "the request's header took too long")
        case .body:
            traits = nil
            respondWithError(status: 408, code: "body_timeout", message: "the request's body took too long")
        }
    }

    override func prepareHandOver() -> HandOverState {
        switch state {
        case .reading where parser.phase == .idle && pending.isEmpty && !inputHasEnded:
            // What the client sends from now on waits in the kernel, for whoever has the socket then.
            setReadsInput(false)
            clock = .none
            deadline = .max
            return output.isEmpty ? .idle : .busy
        case .lingering: return .takingLeave
        default: return .busy
        }
    }

    /// Idle: closes. Else the answer under way is the last one.
    func beginShutdown() {
        if state == .reading, parser.phase == .idle, pending.isEmpty { finishAfterOutput() }
    }

    override func wasClosed() {
        releaseThrottle()
        traits = nil
        head = nil
        grant = nil
        body = []
        receiver = nil
        pending = []
    }

    // MARK: Other protocols

    func stream(
        _ number: UInt64, status: Int, headers: HTTPHeaders, observer: (any SubscriberObserver)?
    ) -> ResponseStream? {
        guard isAwaiting(number) else { return nil }
        var headers = headers
        if let origin = grant?.origin { AccessGuard.originHeaders(origin).copy(into: &headers) }
        server.scratch.removeAll(keepingCapacity: true)
        let framing: HTTPResponseEncoder.Framing
        do throws(HTTPEncodeError) {
            framing = try HTTPResponseEncoder.writeHead(
                status: status, headers: headers, body: .stream, traits: traits, date: server.currentDate,
                keepsAlive: false, into: &server.scratch
            ).framing
        } catch {
            respondWithError(status: 500, code: "invalid_response", message: error.message)
            return nil
        }
        appendAnswer(UnsafeRawBufferPointer(start: nil, count: 0))
        server.metrics.countResponse(status)
        let stream = ResponseStream(takingOver: self, framing: framing, observer: observer)
        handOver(to: stream)
        return stream
    }

    func acceptWebSocket(
        _ number: UInt64, handler: any WebSocketHandler, settings: WebSocketSettings
    ) -> WebSocketConnection? {
        guard isAwaiting(number), let traits else { return nil }
        let upgrade = WebSocketUpgrade.answer(traits, head: head, settings: settings)
        switch upgrade {
        case .refuse(let error):
            var headers = HTTPHeaders(error.headers.filter { $0.0 != "upgrade" })
            HTTPHeaders.json.copy(into: &headers)
            ErrorBody.json(code: error.code.rawValue, message: error.message).withUnsafeBytes {
                respond(number, status: error.status, headers: headers, body: $0)
            }
            return nil
        case .accept(let acceptance):
            server.scratch.removeAll(keepingCapacity: true)
            var headers = HTTPHeaders(acceptance.headers)
            if let origin = grant?.origin { AccessGuard.originHeaders(origin).copy(into: &headers) }
            let written = try? HTTPResponseEncoder.writeHead(
                status: 101, headers: headers, body: .none, traits: traits, date: server.currentDate,
                into: &server.scratch)
            guard written != nil else {
                respondWithError(status: 500, code: "invalid_response", message: "the upgrade cannot be answered")
                return nil
            }
            appendAnswer(UnsafeRawBufferPointer(start: nil, count: 0))
            server.metrics.countResponse(101)
            let socket = WebSocketConnection(takingOver: self, handler: handler, compression: acceptance.compression)
            handOver(to: socket)
            return socket
        }
    }

    private func handOver(to other: Connection) {
        traits = nil
        head = nil
        grant = nil
        deadline = .max
        guard !isProcessing else {
            successor = other
            return
        }
        var input: [UInt8] = []
        swap(&input, &pending)
        let hasEnded = inputHasEnded
        // The caller sets the new connection up first; until then nothing is read.
        other.setReadsInput(false)
        server.inNextTurn {
            if !input.isEmpty { input.withUnsafeBytes { other.received($0) } }
            if hasEnded { other.inputEnded() } else { other.setReadsInput(true) }
        }
    }
}

extension HTTPHeaders {
    func copy(into other: inout HTTPHeaders) {
        for (name, value) in pairs { other.append(name, value) }
    }
}

extension ServerMetrics {
    mutating func countResponse(_ status: Int) {
        let kind = min(5, max(0, status / 100))
        responses[kind] = responses[kind] &+ 1
    }
}
