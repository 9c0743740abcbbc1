import Base
import EventLoop
import HTTP1

/// One keep-alive connection to the daemon; requests go one after the other. Loop-confined.
final class HTTPConnection {
    typealias Answer = (Result<HTTPResult, HubError>) -> Void

    struct Request {
        var method: String
        var target: String
        var headers: [(String, String)]
        var body: [UInt8]?
        var timeout: Duration
        /// Takes the body of a good answer part by part, so that it may be of any length.
        var onBody: (@Sendable (UnsafeRawBufferPointer) -> Void)?
        var answer: Answer
    }

    private let loop: EventLoop
    private let locate: () throws(HubError) -> HubEndpoint
    private var waiting: [Request] = []
    private var current: Request?
    private var timer: LoopTimer?
    private var socket: ClientSocket?
    private var endpoint: HubEndpoint?
    private var isConnected = false
    /// The connection has served a request before: the daemon may have closed it while it was idle.
    private var isReused = false
    private var idleSince = Duration.zero
    private var parser = HTTPResponseParser(limits: limits)
    private var head: HTTPResponseHead?
    private var body: [UInt8] = []
    /// A large body, until the daemon has said that it takes it.
    private var heldBody: [UInt8]?
    private var isClosed = false

    /// Requests that may wait; more of them is a mistake of the program.
    private static let waitingLimit = 1024
    private static let limits = HTTPLimits(headerBytes: 64 << 10, bodyBytes: 256 << 20)
    /// Bytes of a body from which on the daemon is asked first: one that it refuses would be sent in vain, and its answer
    /// be lost with the connection.
    private static let askingBytes = 1 << 20
    /// For a body that isn't kept.
    private static let unlimited = HTTPLimits(headerBytes: 64 << 10, bodyBytes: .max)
    /// A connection idle for longer is not trusted with a request that can't be repeated.
    private static let trustedIdle = Duration.seconds(2)

    init(loop: EventLoop, locate: @escaping () throws(HubError) -> HubEndpoint) {
        self.loop = loop
        self.locate = locate
    }

    func send(_ request: Request) {
        guard !isClosed else { return request.answer(.failure(HubError(.closed, "the client was closed"))) }
        guard waiting.count < HTTPConnection.waitingLimit else {
            return request.answer(.failure(HubError(.tooLarge, "too many requests wait for the daemon")))
        }
        waiting.append(request)
        startNext()
    }

    func close() {
        isClosed = true
        disconnect()
        finish(.failure(HubError(.closed, "the client was closed")))
        for request in waiting { request.answer(.failure(HubError(.closed, "the client was closed"))) }
        waiting = []
    }

    private func startNext() {
        guard current == nil, !waiting.isEmpty else { return }
        let request = waiting.removeFirst()
        current = request
        timer = loop.schedule(after: request.timeout) { [weak self] in
            self?.disconnect()
            self?.finish(
                .failure(HubError(.timeout, "the daemon did not answer \(request.method) within \(request.timeout)")))
        }
        let isStale = loop.now - idleSince > HTTPConnection.trustedIdle && !isRepeatable(request)
        if isConnected, !isStale { transmit(request) } else { connect(request) }
    }

    private func isRepeatable(_ request: Request) -> Bool { request.method == "GET" || request.method == "HEAD" }

    private func connect(_ request: Request) {
        disconnect()
        let socket = ClientSocket(loop: loop)
        do throws(HubError) {
            let endpoint = try locate()
            self.endpoint = endpoint
            self.socket = socket
            socket.onConnect = { [weak self] in
                guard let self, let request = self.current else { return }
                self.isConnected = true
                self.transmit(request)
            }
            socket.onBytes = { [weak self] in self?.received($0) }
            socket.onEnd = { [weak self] in self?.ended($0) }
            socket.connect(to: endpoint, timeout: request.timeout)
        } catch {
            finish(.failure(error))
        }
    }

    private func transmit(_ request: Request) {
        guard let endpoint, let method = HTTPConnection.method(request.method) else {
            return finish(.failure(HubError(.invalidAnswer, "\(request.method) is no method of the daemon")))
        }
        var headers = HTTPHeaders([
            ("accept", "application/json, */*;q=0.5"), ("user-agent", "codeai-hub/" + clientVersion),
        ])
        if let token = endpoint.token { headers.append("authorization", "Bearer " + token) }
        if request.body != nil { headers.append("content-type", "application/json") }
        for (name, value) in request.headers { headers.set(name, value) }
        let asksFirst = (request.body?.count ?? 0) >= HTTPConnection.askingBytes
        if asksFirst { headers.append("expect", "100-continue") }
        var bytes: [UInt8] = []
        do throws(HTTPEncodeError) {
            try HTTPRequestEncoder.writeHead(
                method: method, target: request.target, host: endpoint.authority, headers: headers,
                bodyCount: request.body?.count, into: &bytes)
        } catch {
            return finish(.failure(HubError(.invalidAnswer, error.message)))
        }
        heldBody = asksFirst ? request.body : nil
        if let body = request.body, !asksFirst { bytes.append(contentsOf: body) }
        if request.onBody != nil { parser = HTTPResponseParser(limits: HTTPConnection.unlimited) }
        parser.expect(method)
        head = nil
        body = []
        socket?.write(bytes)
    }

    private static func method(_ name: String) -> HTTPMethod? {
        switch name {
        case "GET": .get
        case "HEAD": .head
        case "POST": .post
        case "PUT": .put
        case "PATCH": .patch
        case "DELETE": .delete
        case "OPTIONS": .options
        default: nil
        }
    }

    private func received(_ bytes: UnsafeRawBufferPointer) {
        var input = bytes
        do throws(HTTPParseError) {
            while let event = try parser.next(&input) { take(event) }
            // Bytes nobody asked for: what they belong to can't be known.
            if current == nil, !input.isEmpty || !parser.isBetweenMessages { disconnect() }
        } catch {
            disconnect()
            finish(.failure(HubError(.invalidAnswer, "the daemon's answer is invalid: \(error.message)")))
        }
    }

    private func take(_ event: HTTPResponseParser.Event) {
        switch event {
        case .head(let head):
            if head.status >= 200 { self.head = head } else if head.status == 100 { sendHeldBody() }
        case .body(let part):
            if let onBody = current?.onBody, head?.status == 200 {
                onBody(part)
            } else {
                body.append(contentsOf: part)
            }
        case .end:
            guard let head else { return }
            let result = HTTPResult(status: head.status, headers: head.headers.pairs, body: body)
            self.head = nil
            body = []
            isReused = true
            idleSince = loop.now
            // What was held back belongs to an answered request: it must not be taken for the next one.
            if !head.keepsAlive || heldBody != nil { disconnect() }
            finish(.success(result))
        }
    }

    private func sendHeldBody() {
        if let body = heldBody.take() { socket?.write(body) }
    }

    private func ended(_ error: HubError) {
        let wasReused = isReused && head == nil && parser.isBetweenMessages
        var last: HTTPResponseParser.Event?
        do throws(HTTPParseError) { last = try parser.finish() } catch {}
        disconnect()
        if let last { return take(last) }
        guard let request = current else { return }
        // The daemon closed an idle connection in the moment in which it was used again.
        if wasReused, isRepeatable(request) { return connect(request) }
        finish(.failure(error))
    }

    private func disconnect() {
        socket?.close()
        socket = nil
        heldBody = nil
        isConnected = false
        isReused = false
        parser = HTTPResponseParser(limits: HTTPConnection.limits)
    }

    private func finish(_ result: Result<HTTPResult, HubError>) {
        guard let request = current else { return }
        current = nil
        timer?.cancel()
        request.answer(result)
        startNext()
    }
}
