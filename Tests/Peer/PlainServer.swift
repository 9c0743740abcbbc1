import EventLoop
import Glibc
import HTTP1
import Server
import WebSocket

/// A server for the Autobahn suite and for load generators: `serve [PORT]` prints its port. `/` answers a few bytes,
/// `/echo` is a WebSocket that echoes, `/sink` one that receives what is published.
/// Publishing: what is sent to `/publish` as `COUNT SIZE` is broadcast to all of `/sink`, a batch per turn.
enum PlainServer {
    static func run(arguments: [String]) throws {
        let loop = try EventLoop()
        let port = arguments.first.flatMap { UInt16($0) } ?? 0
        guard let address = SocketAddress(numericHost: "127.0.0.1", port: port) else { exit(2) }
        var limits = ServerLimits()
        limits.connections = 20_000
        limits.webSocket = WebSocketLimits(frameBytes: 32 << 20, messageBytes: 32 << 20, framesPerMessage: 1 << 20)
        limits.queuedBytes = 64 << 20
        limits.queuedFrames = 1_000_000
        let handler = try PlainHandler(loop: loop)
        let server = HTTPServer(
            loop: loop, limits: limits, accessGuard: AccessGuard(AccessGuard.Configuration()), handler: handler)
        print(try server.listen(on: address).port)
        fflush(nil)
        loop.run()
    }
}

private final class PlainHandler: HTTPHandler, WebSocketHandler {
    private let loop: EventLoop
    private var sinks: [WebSocketConnection] = []
    private let encoder = BroadcastEncoder()
    private var remaining = 0
    private var payload: [UInt8] = []
    private let answer = Array("Hello, World!".utf8)
    private let headers: PreparedHeaders

    init(loop: EventLoop) throws {
        self.loop = loop
        headers = try PreparedHeaders(["content-type": "text/plain"])
    }

    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        if request.head.isPath("/echo") {
            _ = responder.acceptWebSocket(self)
        } else if request.head.isPath("/sink") {
            if let socket = responder.acceptWebSocket(self, settings: WebSocketSettings(compresses: false)) {
                sinks.append(socket)
            }
        } else if request.head.isPath("/deflated-sink") {
            if let socket = responder.acceptWebSocket(self) { sinks.append(socket) }
        } else if request.head.isPath("/publish") {
            let numbers = String(decoding: request.body, as: UTF8.self).split(separator: " ").compactMap { Int($0) }
            if numbers.count == 2 { publish(count: numbers[0], size: numbers[1]) }
            responder.respond(status: 202)
        } else {
            responder.respond(prepared: headers, body: answer)
        }
    }

    private func publish(count: Int, size: Int) {
        let line = Array(
            #"{"type":"session:event","seq":123456,"payload":{"kind":"message","content":"lorem ipsum"}}"#.utf8)
        payload = (0..<size).map { line[$0 % line.count] }
        remaining = count
        publishSome()
    }

    /// As fast as the slowest takes it.
    private func publishSome() {
        let most = sinks.reduce(0) { max($0, $1.queuedBytes) }
        if most < 1 << 20 {
            for _ in 0..<min(remaining, max(1, 65_536 / max(1, payload.count))) {
                let frame = encoder.encode(payload)
                for sink in sinks { sink.enqueue(frame, ephemeral: false) }
                remaining -= 1
            }
        }
        if remaining > 0 {
            loop.schedule(after: most < 1 << 20 ? .zero : .microseconds(100)) { [self] in publishSome() }
        }
    }

    func webSocket(_ connection: WebSocketConnection, received text: [UInt8]) { connection.send(text) }

    func webSocket(_ connection: WebSocketConnection, receivedBinary bytes: [UInt8]) {
        connection.send(binary: bytes)
    }

    func subscriberDidClose(_ subscriber: Subscriber) {
        sinks.removeAll { $0 === subscriber }
    }
}
