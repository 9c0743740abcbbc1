import Base
package import EventLoop
package import HTTP1
import WebSocket

/// Answers requests.
package protocol HTTPHandler: AnyObject {
    /// A request that has passed the guard. Answer through the responder, now or later, on the loop.
    func handle(_ request: HTTPRequest, _ responder: HTTPResponder)
    /// Who takes the body of a request that has passed the guard, part by part; nil to have it collected.
    func receiver(of head: HTTPRequestHead) -> (any HTTPBodyReceiver)?
}

extension HTTPHandler {
    package func receiver(of head: HTTPRequestHead) -> (any HTTPBodyReceiver)? { nil }
}

/// A request that the guard refused: what a log can say of it. All but the code comes from the peer.
package struct Refusal: Sendable {
    package let code: String
    package let peer: String
    package let method: String
    /// Without its query.
    package let path: String
}

/// Takes a body too large to be held in memory. It is let go of when the request is answered or its connection ends.
package protocol HTTPBodyReceiver: AnyObject {
    /// Takes the next part, lent for the time of the call.
    /// - Returns: false when it can't be kept: the request is answered with 507 and the connection closed.
    func take(_ part: UnsafeRawBufferPointer) -> Bool
}

/// An HTTP/1.1 and WebSocket server on one loop. It knows protocols, limits and who may connect, and nothing of what
/// is served.
package final class HTTPServer {
    package let loop: EventLoop
    /// Those of messages and requests hold for connections made from now on, all others at once.
    package var limits: ServerLimits {
        didSet {
            times = Times(limits)
            compressor.threshold = limits.compressionThreshold
        }
    }
    package let accessGuard: AccessGuard
    package internal(set) var metrics = ServerMetrics()
    /// Told of each request that the guard refuses.
    package var onRefusal: (Refusal) -> Void = { _ in }
    /// True from `shutdown` on: nothing new is accepted.
    package private(set) var isShuttingDown = false

    let handler: any HTTPHandler
    private(set) var times: Times
    /// Where responses and frames for single connections are written; what is sent within the turn, which is nearly
    /// all, costs no allocation.
    let privateSegments = SegmentWriter()
    var scratch: [UInt8] = []
    let compressor: Compressor
    let permanent: PermanentFrames
    let pieces = UnsafeMutablePointer<IOPiece>.allocate(capacity: HTTPServer.maximumPieces)

    var listeners: [TCPListener] = []
    var connections: ContiguousArray<Connection> = []
    private var dirty: ContiguousArray<Connection> = []
    private var flushing: ContiguousArray<Connection> = []
    private var broken: [Connection] = []
    private var flushIsDue = false
    private var lastID: UInt64 = 0
    private var sweepTimer: LoopTimer?
    private var dates = HTTPDateCache()
    private var date: [UInt8] = []
    private var dateLine: [UInt8] = []
    private var dateEnds: Int64 = .min
    private var shutdownTimer: LoopTimer?
    private var whenShutDown: (() -> Void)?

    /// The limits in nanoseconds.
    struct Times {
        let header, body, idle, writeStall, close, ping, sweep: Int64

        init(_ limits: ServerLimits) {
            header = nanoseconds(limits.headerTime)
            body = nanoseconds(limits.bodyTime)
            idle = nanoseconds(limits.idleTime)
            writeStall = nanoseconds(limits.writeStallTime)
            close = nanoseconds(limits.closeTime)
            ping = nanoseconds(limits.pingInterval)
            // One look at all connections a second costs less than a timer for each; tests have shorter limits.
            let least = min(header, body, idle, writeStall, close, ping)
            sweep = min(1_000_000_000, max(1_000_000, least / 4))
        }
    }

    package init(
        loop: EventLoop, limits: ServerLimits = ServerLimits(), accessGuard: AccessGuard, handler: any HTTPHandler
    ) {
        self.loop = loop
        self.limits = limits
        self.accessGuard = accessGuard
        self.handler = handler
        times = Times(limits)
        compressor = Compressor(threshold: limits.compressionThreshold)
        permanent = PermanentFrames()
    }

    deinit {
        // The loop holds listeners as long as they are registered; without their server they have nobody to tell.
        for listener in listeners { listener.close() }
        pieces.deallocate()
    }

    // MARK: Listening

    /// Listens on a loopback address; port 0 takes any free one. Returns the address with its port.
    @discardableResult
    package func listen(on address: SocketAddress) throws(ServerError) -> SocketAddress {
        try BindPolicy.check(address)
        let listener = try ServerError.catching(address) { () throws(SystemError) in
            try TCPListener(address, loop: loop)
        }
        return add(listener)
    }

    /// Takes over a listening socket: from socket activation, or from the daemon before a restart.
    @discardableResult
    package func adopt(listening fd: Int32) throws(ServerError) -> SocketAddress {
        let listener = try ServerError.catching(nil) { () throws(SystemError) in
            try TCPListener(adopting: fd, loop: loop)
        }
        do throws(ServerError) { try BindPolicy.check(listener.localAddress) } catch {
            listener.close()
            throw error
        }
        return add(listener)
    }

    private func add(_ listener: TCPListener) -> SocketAddress {
        listener.onAccept = { [unowned self] fd, peer in accept(fd, peer) }
        listeners.append(listener)
        accessGuard.add(listener: listener.localAddress)
        return listener.localAddress
    }

    package var addresses: [SocketAddress] { listeners.map(\.localAddress) }

    // MARK: Connections

    /// Sockets open now, of any kind.
    package var connectionCount: Int { connections.count }

    func accept(_ fd: Int32, _ peer: SocketAddress) {
        guard connections.count < limits.connections, !isShuttingDown else {
            metrics.connectionsRefused += 1
            permanent.sendBusy(to: fd)
            Socket.close(fd)
            return
        }
        lastID &+= 1
        let connection = HTTPConnection(fd: fd, id: lastID, peer: peer, server: self)
        do {
            try loop.register(fd, .read, connection)
        } catch {
            metrics.connectionsRefused += 1
            Socket.close(fd)
            return
        }
        metrics.connectionsAccepted += 1
        connection.index = connections.count
        connections.append(connection)
        metrics.connectionsOpen = connections.count
        if sweepTimer == nil { scheduleSweep() }
    }

    func replace(_ old: Connection, with new: Connection) {
        guard old.index >= 0 else { return }
        new.index = old.index
        connections[new.index] = new
        old.index = -1
    }

    func remove(_ connection: Connection) {
        let index = connection.index
        guard index >= 0 else { return }
        connection.index = -1
        let last = connections.removeLast()
        if last !== connection {
            connections[index] = last
            last.index = index
        }
        metrics.connectionsOpen = connections.count
        if isShuttingDown, connections.isEmpty { finishShutdown() }
    }

    // MARK: Once per turn

    func addDirty(_ connection: Connection) {
        dirty.append(connection)
        requestFlush()
    }

    func closeAtEndOfTurn(_ connection: Connection) {
        broken.append(connection)
        requestFlush()
    }

    private func requestFlush() {
        guard !flushIsDue else { return }
        flushIsDue = true
        loop.atEndOfTurn(.flush) { [unowned self] in flush() }
    }

    private func flush() {
        flushIsDue = false
        swap(&dirty, &flushing)
        for connection in flushing { connection.flushDirty() }
        // Kept for the next turn, unless there was an exceptional crowd.
        flushing.removeAll(keepingCapacity: flushing.capacity <= 16_384)
        guard !broken.isEmpty else { return }
        let gone = broken
        broken = []
        metrics.peersLost += gone.count
        for connection in gone { connection.close() }
    }

    private func scheduleSweep() {
        sweepTimer = loop.schedule(after: .nanoseconds(times.sweep)) { [unowned self] in
            sweepTimer = nil
            sweep()
            // An idle server does not wake up.
            if !connections.isEmpty { scheduleSweep() }
        }
    }

    private func sweep() {
        let now = loop.nowNanoseconds
        // From the end: a connection that is closed is replaced by the last one, which has had its turn.
        var index = connections.count - 1
        while index >= 0 {
            if index < connections.count { connections[index].sweep(now: now) }
            index -= 1
        }
    }

    // MARK: Dates

    /// The value of Date for answers given now.
    var currentDate: [UInt8] {
        if loop.nowNanoseconds >= dateEnds { refreshDate() }
        return date
    }

    /// The whole Date field.
    var currentDateLine: [UInt8] {
        if loop.nowNanoseconds >= dateEnds { refreshDate() }
        return dateLine
    }

    private func refreshDate() {
        let (seconds, nanoseconds) = wallClock()
        date = dates.bytes(secondsSinceEpoch: seconds)
        dateLine = Array("date: ".utf8) + date + Array("\r\n".utf8)
        dateEnds = loop.nowNanoseconds &+ (1_000_000_000 &- nanoseconds)
    }

    // MARK: The end

    /// Closes the listening sockets and idle connections; requests under way are answered, WebSockets get close 1001.
    /// What is left after `grace` is cut off. `completion` is called when no connection is left.
    package func shutdown(grace: Duration, completion: @escaping () -> Void) {
        guard !isShuttingDown else { return }
        isShuttingDown = true
        whenShutDown = completion
        for listener in listeners { listener.close() }
        listeners = []
        for connection in Array(connections) {
            if let connection = connection as? HTTPConnection {
                connection.beginShutdown()
            } else if let connection = connection as? WebSocketConnection {
                connection.close(.goingAway, reason: "the server is shutting down")
            } else if let connection = connection as? ResponseStream {
                connection.finishIfEndless()
            }
        }
        if connections.isEmpty {
            finishShutdown()
            return
        }
        shutdownTimer = loop.schedule(after: grace) { [weak self] in
            guard let self else { return }
            for connection in Array(connections) { connection.abort() }
            finishShutdown()
        }
    }

    private func finishShutdown() {
        guard let completion = whenShutDown else { return }
        whenShutDown = nil
        shutdownTimer?.cancel()
        sweepTimer?.cancel()
        sweepTimer = nil
        completion()
    }
}
