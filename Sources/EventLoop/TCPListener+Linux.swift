package import Base
import CLinux
import Glibc

/// Accepts connections on the loop. Owns the listening descriptor.
package final class TCPListener: FileDescriptorHandler {
    /// The new socket, non-blocking and closed on exec, belongs to the callee.
    package var onAccept: (Int32, SocketAddress) -> Void = { fd, _ in Socket.close(fd) }
    /// Connections closed at once because the process or the system is out of descriptors.
    package private(set) var refused = 0
    /// With the port that the kernel chose when 0 was asked for.
    package let localAddress: SocketAddress
    /// For handing it over to a successor; -1 once closed.
    package private(set) var fd: Int32

    private let loop: EventLoop
    /// A descriptor to give up when there is no other: the waiting connection is accepted with it and closed, which
    /// tells the peer and ends the event; a queue that is not taken from would be reported again and again.
    private var reserve: Int32
    private var isPaused = false

    /// Connections accepted in one turn, so that a storm of them does not hold up those that exist.
    private static let acceptsPerTurn = 64

    package convenience init(_ address: SocketAddress, loop: EventLoop, backlog: Int32 = 4096) throws(SystemError) {
        try self.init(adopting: Socket.listen(on: address, backlog: backlog), loop: loop)
    }

    /// Takes over a listening descriptor.
    package init(adopting fd: Int32, loop: EventLoop) throws(SystemError) {
        self.fd = fd
        self.loop = loop
        reserve = openReserve()
        do throws(SystemError) {
            try Socket.adopt(listening: fd)
            guard let address = Socket.localAddress(of: fd) else { throw SystemError.current("getsockname") }
            localAddress = address
        } catch {
            if reserve >= 0 { Glibc.close(reserve) }
            throw error
        }
        // Accepted sockets inherit it.
        Socket.setNoDelay(fd)
        try loop.register(fd, .read, self)
    }

    /// Leaves new connections in the kernel's queue.
    package func pause() {
        guard fd >= 0, !isPaused else { return }
        isPaused = true
        loop.modify(fd, [])
    }

    package func resume() {
        guard fd >= 0, isPaused else { return }
        isPaused = false
        loop.modify(fd, .read)
    }

    package func close() {
        guard fd >= 0 else { return }
        loop.deregister(fd)
        Glibc.close(fd)
        if reserve >= 0 { Glibc.close(reserve) }
        fd = -1
        reserve = -1
    }

    package func ready(_ events: Readiness) {
        for _ in 0..<TCPListener.acceptsPerTurn {
            guard fd >= 0, !isPaused else { return }
            var storage = sockaddr_storage()
            let accepted = clinux_accept(fd, &storage)
            if accepted >= 0 {
                guard let peer = SocketAddress(storage) else {
                    Glibc.close(accepted)
                    continue
                }
                onAccept(accepted, peer)
                continue
            }
            switch errno {
            case EAGAIN: return
            case EINTR, ECONNABORTED, EPROTO, EPERM: continue
            case EMFILE, ENFILE: if !refuseOne() { return restAWhile() }
            // No memory for sockets, and what else may come: asking again at once would spin.
            default: return restAWhile()
            }
        }
    }

    private func refuseOne() -> Bool {
        guard reserve >= 0 else {
            reserve = openReserve()
            return false
        }
        Glibc.close(reserve)
        var storage = sockaddr_storage()
        let accepted = clinux_accept(fd, &storage)
        if accepted >= 0 {
            refused += 1
            Glibc.close(accepted)
        }
        reserve = openReserve()
        return accepted >= 0
    }

    private func restAWhile() {
        pause()
        loop.schedule(after: .milliseconds(100)) { [weak self] in self?.resume() }
    }
}

private func openReserve() -> Int32 { clinux_open_reserve() }
