import Base
import CLinux
import Glibc

/// Bytes to a server and back.
protocol Channel: AnyObject {
    func send(_ bytes: [UInt8], until deadline: Patience.Instant) throws(DownloadError)

    /// Waits for at least one byte.
    /// - Returns: 0 at the end, when the other side has said that this is all.
    func receive(
        into buffer: UnsafeMutableRawBufferPointer, until deadline: Patience.Instant
    ) throws(DownloadError) -> Int
}

/// A TCP connection.
final class SocketChannel: Channel {
    /// Who is on the other side, for messages.
    private let name: String
    private let socket: Int32
    private let patience: Patience

    /// Tries the addresses one after the other, each `delay` after the one before or as soon as that has failed; the
    /// first that answers is taken (RFC 8305, without its wait for names).
    init(
        to addresses: [NetworkAddress], name: String, delay: Duration, patience: Patience,
        until deadline: Patience.Instant
    ) throws(DownloadError) {
        self.name = name
        self.patience = patience
        var tried: [pollfd] = []
        var reason: Int32 = 0
        var next = addresses.startIndex
        var nextTime = Patience.Instant.now
        do throws(DownloadError) {
            while true {
                if next < addresses.endIndex, tried.isEmpty || .now >= nextTime {
                    let (socket, error) = SocketChannel.begin(addresses[next])
                    if error == 0 { tried.append(pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)) }
                    reason = error == 0 ? reason : error
                    next += 1
                    nextTime = .now + delay
                    continue
                }
                guard !tried.isEmpty else {
                    throw DownloadError(
                        .unreachable,
                        "\(name) can't be reached: \(reason == 0 ? "it has no address" : SystemError.text(of: reason))")
                }
                let isLast = next >= addresses.endIndex
                guard try patience.wait(&tried, until: isLast ? deadline : min(nextTime, deadline)) else {
                    if !isLast, .now < deadline { continue }
                    throw DownloadError(.timeout, "\(name) doesn't answer")
                }
                for entry in tried where entry.revents != 0 {
                    reason = SocketChannel.error(of: entry.fd)
                    tried.removeAll { $0.fd == entry.fd }
                    guard reason == 0 else {
                        close(entry.fd)
                        continue
                    }
                    for other in tried { close(other.fd) }
                    socket = entry.fd
                    return
                }
            }
        } catch {
            for entry in tried { close(entry.fd) }
            throw error
        }
    }

    deinit { close(socket) }

    func send(_ bytes: [UInt8], until deadline: Patience.Instant) throws(DownloadError) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                sent += count
            } else if errno == EAGAIN {
                guard try patience.wait(socket, POLLOUT, until: deadline) else {
                    throw DownloadError(.timeout, "\(name) takes no request")
                }
            } else if errno != EINTR {
                throw cut(errno)
            }
        }
    }

    func receive(
        into buffer: UnsafeMutableRawBufferPointer, until deadline: Patience.Instant
    ) throws(DownloadError) -> Int {
        while true {
            try patience.check()
            let count = recv(socket, buffer.baseAddress, buffer.count, 0)
            if count >= 0 { return count }
            if errno == EAGAIN {
                guard try patience.wait(socket, POLLIN, until: deadline) else {
                    throw DownloadError(.timeout, "\(name) has stopped sending")
                }
            } else if errno != EINTR {
                throw cut(errno)
            }
        }
    }

    private func cut(_ error: Int32) -> DownloadError {
        DownloadError(.unreachable, "the connection to \(name) was cut: \(SystemError.text(of: error))")
    }

    /// - Returns: a socket that is connecting, or an error number.
    private static func begin(_ address: NetworkAddress) -> (socket: Int32, error: Int32) {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let socket = Glibc.socket(Int32(address.storage.ss_family), kind, 0)
        guard socket >= 0 else { return (-1, errno) }
        let result = address.withPointer { connect(socket, $0, $1) }
        if result == 0 || errno == EINPROGRESS { return (socket, 0) }
        let error = errno
        close(socket)
        return (-1, error)
    }

    private static func error(of socket: Int32) -> Int32 {
        var error: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno
    }
}
