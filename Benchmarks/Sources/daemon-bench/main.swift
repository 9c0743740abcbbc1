import API
import BenchSupport
import EventLog
import EventLoop
import Glibc
import HubProtocol
import JSON
import Server
import Sessions

// The daemon from a provider's event to the socket: session, log (append, then publish), hub, frames, server. Only the
// provider's process is left out.

/// Feeds the session as fast as the slowest link takes it, or at a rate.
final class Feed {
    let loop: EventLoop
    let server: HTTPServer
    let hub: StreamHub
    private let provider: FloodSession
    private var source: Publisher
    /// Frames offered to clients, and how many the server had handed over when this began.
    private var offered = 0
    private var baseline = 0

    init(_ provider: FloodSession, _ source: Publisher, _ hub: StreamHub, _ server: HTTPServer) {
        self.provider = provider
        self.source = source
        self.hub = hub
        self.server = server
        loop = server.loop
    }

    /// Waits until all clients are there, and until none of them is held back for a `client:hello`.
    func begin() {
        guard source.mode != .none else { return }
        guard hub.clientCount >= source.clients else { return again(after: .milliseconds(5)) { $0.begin() } }
        again(after: .milliseconds(400)) { feed in
            feed.baseline = feed.server.metrics.framesSent
            feed.source.mode == .paced ? feed.pace() : feed.saturate()
        }
    }

    private func again(after delay: Duration, _ body: @escaping (Feed) -> Void) {
        loop.schedule(after: delay) { [self] in body(self) }
    }

    private func publish(_ count: Int) {
        offered += count * hub.clientCount
        provider.emit((0..<count).map { _ in source.text.next() })
    }

    private func pace() {
        again(after: .nanoseconds(source.nextTick(now: loop.nowNanoseconds))) { feed in
            if feed.hub.clientCount >= feed.source.clients { feed.publish(1) }
            feed.pace()
        }
    }

    private func saturate() {
        guard hub.clientCount >= source.clients else { return }
        let waiting = offered - (server.metrics.framesSent - baseline)
        if waiting > 3 * source.burst * source.clients { return again(after: .milliseconds(1)) { $0.saturate() } }
        publish(source.burst)
        again(after: .zero) { $0.saturate() }
    }
}

var options = CommandLineOptions()
// The frame around a message's text takes its part of the size that was asked for.
let source = Publisher(&options, overhead: 357)
let port = options.number("port", 0)
let durability = Durability(rawValue: options.text("durability", "process"))
_ = options.text("compression", "none")
options.done()
guard let durability else { stop("--durability is process or power") }
raiseDescriptorLimit()

let folder = makeTemporaryFolder()
do {
    let loop = try EventLoop()
    let providers = FloodProviders()
    let core = Core()
    let store = try LogStore<SessionState>(
        directory: folder + "/sessions", backups: folder + "/backups", loop: loop, durability: durability)
    let service = SessionService(loop: loop, store: store, providers: providers, settings: SessionSettings())
    var limits = ServerLimits()
    limits.connections = 30_000
    // The load generator says no hello: without this its first frames would be held back, and count as late.
    var hubLimits = StreamHub.Limits()
    hubLimits.helloGrace = 0
    let hub = StreamHub(service: service, context: core, encoder: BroadcastEncoder(), limits: hubLimits)
    let api = APIHandler(service: service, hub: hub, core: core, providers: core, maxClients: 30_000)
    let accessGuard = AccessGuard(AccessGuard.Configuration())
    let server = HTTPServer(loop: loop, limits: limits, accessGuard: accessGuard, handler: api)
    guard let any = SocketAddress(numericHost: "127.0.0.1", port: UInt16(port)) else { stop("--port: \(port)") }
    let address = try server.listen(on: any)
    core.identity.port = address.port
    service.start()
    providers.onSend = { Feed($0, source, hub, server).begin() }
    let client = ClientIdentity(name: "bench", id: "c0", transport: "http")
    let session = try service.create(
        SessionService.Creation(providerId: "echo", workspace: folder), by: client)
    _ = try session.accept(IncomingMessage("Begin.", clientMessageId: nil, mode: .reject), by: client)
    let signals = try SignalSource([SIGTERM, SIGINT], loop: loop) { _ in loop.stop() }
    announce(port: Int(address.port))
    withExtendedLifetime(signals) { loop.run() }
    removeFolder(folder)
} catch {
    removeFolder(folder)
    stop("\(error)")
}
