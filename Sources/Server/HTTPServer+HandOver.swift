import EventLoop

/// How far a connection is when its server is handed over.
enum HandOverState {
    /// Something is being asked, answered or sent.
    case busy
    /// All is said; the peer's goodbye is missing.
    case takingLeave
    /// Between two requests: whoever has the socket can go on with it.
    case idle
}

/// Handing everything that is open to another server: that of the program which takes this one's place in the process.
extension HTTPServer {
    /// What a successor goes on with.
    package struct Estate: Sendable {
        /// Listening sockets, with what has come to them and was not accepted.
        package var listening: [Int32] = []
        /// Kept-alive connections, each between two requests.
        package var connections: [Int32] = []
    }

    /// So many connections are handed over at most; the others are closed, as idle ones may be at any time.
    package static let maximumHandedOver = 4096

    /// Leaves new connections in the kernel's queue, has requests under way answered, and ends WebSockets (close 1012)
    /// and streams. `completion` is called when nothing is left but idle connections; then comes `release`.
    ///
    /// - Parameters:
    ///   - grace: until what is still under way is given up.
    ///   - farewell: until peers that have been told everything, and only don't close, are no longer waited for.
    package func prepareHandOver(grace: Duration, farewell: Duration, completion: @escaping () -> Void) {
        for listener in listeners { listener.pause() }
        let begin = loop.now
        func look() {
            let states = Array(connections).map { $0.prepareHandOver() }
            let elapsed = loop.now - begin
            let isReady = !states.contains(.busy) && (elapsed >= farewell || !states.contains(.takingLeave))
            if isReady || elapsed >= grace { return completion() }
            // Looking is cheap, and far simpler than having each connection tell when it comes to rest.
            loop.schedule(after: .milliseconds(2)) { look() }
        }
        look()
    }

    /// Lets go of idle connections, which stay open, and tells the listening sockets, which it no longer accepts from. To
    /// be called after `prepareHandOver`.
    package func release() -> Estate {
        var estate = Estate(listening: listeners.map(\.fd))
        for connection in Array(connections) {
            guard estate.connections.count < HTTPServer.maximumHandedOver,
                connection.isOpen, connection.prepareHandOver() == .idle
            else { continue }
            estate.connections.append(connection.release())
        }
        return estate
    }

    /// Takes over a connection that another server has released.
    /// - Returns: false, and the socket is closed, when it isn't one that came in through a listening socket of ours.
    @discardableResult
    package func adopt(connection fd: Int32) -> Bool {
        guard let local = Socket.localAddress(of: fd), let peer = Socket.peerAddress(of: fd),
            addresses.contains(where: { $0.port == local.port })
        else {
            Socket.close(fd)
            return false
        }
        accept(fd, peer)
        return true
    }
}
