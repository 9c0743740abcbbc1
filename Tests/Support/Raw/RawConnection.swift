import Foundation

/// A TCP connection that sends exactly the bytes it is told to: for input no client library would produce. Blocks.
package final class RawConnection {
    private let fd: Int32
    private var buffer: [UInt8] = []
    /// What of the buffer is taken already.
    private var head = 0
    private var scratch = [UInt8](repeating: 0, count: 65536)
    private var isClosed = false

    /// - Parameter receiveBuffer: bytes the kernel may hold for us; small for a slow reader.
    package init(port: UInt16, host: String = "127.0.0.1", receiveBuffer: Int32? = nil) throws {
        let isIPv6 = host.contains(":")
        fd = socket(isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw TestFailure("socket: \(String(cString: strerror(errno)))") }
        if var size = receiveBuffer { setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, 4) }
        var one: Int32 = 1
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        let result: Int32
        if isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            inet_pton(AF_INET6, host, &address.sin6_addr)
            result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { [fd] in
                    connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            inet_pton(AF_INET, host, &address.sin_addr)
            result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { [fd] in
                    connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        guard result == 0 else {
            let reason = String(cString: strerror(errno))
            Glibc.close(fd)
            isClosed = true
            throw TestFailure("connect to \(host):\(port): \(reason)")
        }
    }

    deinit { close() }

    package func close() {
        guard !isClosed else { return }
        isClosed = true
        Glibc.close(fd)
    }

    /// Ends the connection with a reset instead of the polite way.
    package func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        close()
    }

    /// No more will be sent; reading goes on.
    package func finishSending() { shutdown(fd, Int32(SHUT_WR)) }

    package func send(_ text: String) throws { try send(Array(text.utf8)) }

    package func send(_ bytes: [UInt8], within limit: Duration = .seconds(10)) throws {
        var sent = 0
        let deadline = ContinuousClock().now + limit
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count >= 0 {
                sent += count
            } else if errno == EAGAIN {
                guard try wait(Int16(POLLOUT), until: deadline) else { throw TestFailure("nobody reads what we send") }
            } else if errno != EINTR {
                throw TestFailure("send: \(String(cString: strerror(errno)))")
            }
        }
    }

    private func wait(_ events: Int16, until deadline: ContinuousClock.Instant) throws -> Bool {
        let left = deadline - ContinuousClock().now
        guard left > .zero else { return false }
        var entry = pollfd(fd: fd, events: events, revents: 0)
        let milliseconds = Int32(
            clamping: left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000)
        let count = poll(&entry, 1, max(1, milliseconds))
        if count < 0, errno != EINTR { throw TestFailure("poll: \(String(cString: strerror(errno)))") }
        return count > 0 || ContinuousClock().now < deadline
    }

    /// Reads more into the buffer; false at the connection's end, also when it was reset.
    private func fill(until deadline: ContinuousClock.Instant) throws -> Bool {
        while true {
            let count = scratch.withUnsafeMutableBytes {
                recv(fd, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
            }
            if count > 0 {
                // As a buffer of bytes: an ArraySlice is copied one by one in a debug build.
                scratch.withUnsafeBufferPointer {
                    buffer.append(contentsOf: UnsafeBufferPointer(rebasing: $0[..<count]))
                }
                return true
            }
            if count == 0 || errno == ECONNRESET || errno == EPIPE { return false }
            guard errno == EAGAIN || errno == EINTR else {
                throw TestFailure("recv: \(String(cString: strerror(errno)))")
            }
            guard try wait(Int16(POLLIN), until: deadline) else { throw TestFailure("nothing came in time") }
        }
    }

    /// What has been received and not been taken.
    private var waiting: ArraySlice<UInt8> { buffer[head...] }

    private func taken(_ count: Int) -> [UInt8] {
        let bytes = buffer.withUnsafeBufferPointer { Array(UnsafeBufferPointer(rebasing: $0[head..<head + count])) }
        head += count
        if head == buffer.count || head > 1 << 20 {
            buffer.removeFirst(head)
            head = 0
        }
        return bytes
    }

    /// Whether there is something to take within the time, or the connection has ended.
    package func hasInput(within limit: Duration) throws -> Bool {
        if !waiting.isEmpty { return true }
        var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, Int32(limit / .milliseconds(1))) > 0
    }

    /// Exactly `count` bytes; nil when the connection ends before.
    package func take(_ count: Int, within limit: Duration = .seconds(10)) throws -> [UInt8]? {
        if waiting.count >= count { return taken(count) }
        let deadline = ContinuousClock().now + limit
        while waiting.count < count {
            guard try fill(until: deadline) else { return nil }
        }
        return taken(count)
    }

    /// Up to and with `mark`; nil when the connection ends before.
    package func take(through mark: String, within limit: Duration = .seconds(10)) throws -> [UInt8]? {
        let deadline = ContinuousClock().now + limit
        let pattern = Array(mark.utf8)
        while true {
            if let range = waiting.firstRange(of: pattern) { return taken(range.upperBound - head) }
            guard try fill(until: deadline) else { return nil }
        }
    }

    /// Everything until the other side closes.
    package func takeAll(within limit: Duration = .seconds(10)) throws -> [UInt8] {
        let deadline = ContinuousClock().now + limit
        while try fill(until: deadline) {}
        return taken(waiting.count)
    }

    /// Whether the other side closes within the time; what comes before is thrown away.
    package func isEnded(within limit: Duration = .seconds(10)) -> Bool {
        (try? takeAll(within: limit)) != nil
    }
}
