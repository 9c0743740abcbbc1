package import Base
import CLinux
import Glibc

/// TCP sockets: making them and the options that matter. All are non-blocking and closed on exec.
package enum Socket {
    /// Binds and listens. SO_REUSEADDR, so that a restart does not wait for old connections to time out;
    /// an IPv6 socket takes IPv6 only.
    ///
    /// - Throws: EADDRINUSE when the port is taken, EADDRNOTAVAIL when the address is not this machine's.
    package static func listen(on address: SocketAddress, backlog: Int32 = 4096) throws(SystemError) -> Int32 {
        let fd = try make(address.family)
        set(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        if address.family == .ipv6 { set(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        let bound = address.withSystemAddress { Glibc.bind(fd, $0, $1) }
        guard bound == 0 else {
            let error = SystemError.current("bind \(address)")
            close(fd)
            throw error
        }
        guard Glibc.listen(fd, backlog) == 0 else {
            let error = SystemError.current("listen \(address)")
            close(fd)
            throw error
        }
        return fd
    }

    /// Takes over a listening socket made elsewhere (socket activation, the daemon before a restart).
    ///
    /// - Throws: EINVAL when the descriptor is not a listening socket.
    package static func adopt(listening fd: Int32) throws(SystemError) {
        guard get(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1 else {
            throw SystemError(errno: EINVAL, operation: "descriptor \(fd): not a listening socket")
        }
        guard setNonBlocking(fd), setCloseOnExec(fd) else { throw SystemError.current("fcntl") }
    }

    /// Begins to connect; the descriptor becomes writable when it is decided, then ask `pendingError`.
    package static func connect(to address: SocketAddress) throws(SystemError) -> Int32 {
        let fd = try make(address.family)
        setNoDelay(fd)
        let result = address.withSystemAddress { Glibc.connect(fd, $0, $1) }
        guard result == 0 || errno == EINPROGRESS else {
            let error = SystemError.current("connect \(address)")
            close(fd)
            throw error
        }
        return fd
    }

    /// Sends small writes at once: without it a peer that delays its acknowledgements adds 40 ms.
    package static func setNoDelay(_ fd: Int32) {
        set(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// The error a socket has met, cleared by asking; nil when there is none.
    package static func pendingError(_ fd: Int32, _ operation: String) -> SystemError? {
        guard let value = get(fd, SOL_SOCKET, SO_ERROR) else { return SystemError.current(operation) }
        return value == 0 ? nil : SystemError(errno: value, operation: operation)
    }

    /// Closes with a reset: what is unsent is dropped, and the port is free at once.
    package static func abort(_ fd: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close(fd)
    }

    package static func localAddress(of fd: Int32) -> SocketAddress? {
        address { getsockname(fd, $0, $1) }
    }

    package static func peerAddress(of fd: Int32) -> SocketAddress? {
        address { getpeername(fd, $0, $1) }
    }

    package static func close(_ fd: Int32) {
        _ = Glibc.close(fd)
    }

    private static func address(
        _ ask: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutableBytes(of: &storage) { raw in
            raw.withMemoryRebound(to: sockaddr.self) { ask($0.baseAddress!, &length) }
        }
        return result == 0 ? SocketAddress(storage) : nil
    }

    private static func make(_ family: SocketAddress.Family) throws(SystemError) -> Int32 {
        let domain = family == .ipv4 ? AF_INET : AF_INET6
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let fd = socket(domain, kind, 0)
        guard fd >= 0 else { throw SystemError.current("socket") }
        return fd
    }

    private static func set(_ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func get(_ fd: Int32, _ level: Int32, _ option: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(fd, level, option, &value, &length) == 0 ? value : nil
    }
}
