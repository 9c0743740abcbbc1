import BenchSupport
import EventLoop
import HTTP1
import Server
import WebSocket

// Our server with its broadcast encoder and nothing above: what a delivery costs before there are sessions and a log.

final class Hub: HTTPHandler, WebSocketHandler {
    let loop: EventLoop
    let encoder: BroadcastEncoder
    var source: Publisher
    private var streams: ContiguousArray<WebSocketConnection> = []
    private let health = Array(
        #"{"status":"ok","version":"0.1.0","uptime":1234.567,"clients":0,"activeSessions":0}"#.utf8)

    init(loop: EventLoop, source: Publisher, encoder: BroadcastEncoder) {
        self.loop = loop
        self.source = source
        self.encoder = encoder
    }

    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        guard request.head.path == "/api/v1/stream" else { return responder.respond(json: health) }
        guard let stream = responder.acceptWebSocket(self) else { return }
        streams.append(stream)
        if streams.count == source.clients { begin() }
    }

    func webSocket(_ connection: WebSocketConnection, received text: [UInt8]) {}

    func subscriberDidClose(_ subscriber: Subscriber) {
        streams.removeAll { $0 === subscriber }
    }

    func subscriberDidDrain(_ subscriber: Subscriber) { saturate() }

    private func begin() {
        switch source.mode {
        case .none: break
        case .paced: pace()
        case .saturated: saturate()
        }
    }

    private func publish() {
        let frame = encoder.encode(source.text.next())
        for stream in streams { stream.enqueue(frame, ephemeral: false) }
    }

    private func pace() {
        let due = source.nextTick(now: loop.nowNanoseconds)
        loop.schedule(after: .nanoseconds(due)) { [self] in
            if streams.count >= source.clients { publish() }
            pace()
        }
    }

    private func saturate() {
        guard streams.count >= source.clients else { return }
        if let last = streams.first(where: { $0.queuedBytes > source.window }) {
            return last.notifyWhenDrained(below: source.window)
        }
        for _ in 0..<source.burst { publish() }
        loop.schedule(after: .zero) { [self] in saturate() }
    }
}

var options = CommandLineOptions()
let source = Publisher(&options)
let port = options.number("port", 0)
_ = options.text("compression", "none")
options.done()
raiseDescriptorLimit()
do {
    let loop = try EventLoop()
    var limits = ServerLimits()
    limits.connections = 30_000
    // Short messages too are compressed here: it is the price of that which is asked for.
    limits.compressionThreshold = 1
    let hub = Hub(loop: loop, source: source, encoder: BroadcastEncoder(compressionThreshold: 1))
    let server = HTTPServer(
        loop: loop, limits: limits, accessGuard: AccessGuard(AccessGuard.Configuration()), handler: hub)
    guard let any = SocketAddress(numericHost: "127.0.0.1", port: UInt16(port)) else { stop("--port: \(port)") }
    let address = try server.listen(on: any)
    announce(port: Int(address.port))
    loop.run()
} catch {
    stop("\(error)")
}
