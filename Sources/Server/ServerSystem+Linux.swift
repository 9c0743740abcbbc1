import Base
import CLinux
import EventLoop
import Glibc

typealias IOPiece = iovec

extension HTTPServer {
    /// Pieces of one send; the kernel takes up to 1024, and more than these seldom wait.
    static let maximumPieces = 64

    /// Lists the front of a queue for a send; returns the number of pieces and their bytes.
    @inline(__always)
    func collectPieces(_ output: borrowing OutputQueue) -> (Int, Int) {
        var count = 0
        var total = 0
        let pieces = pieces
        output.forEachSpan { base, length in
            pieces[count] = iovec(iov_base: base, iov_len: length)
            count &+= 1
            total &+= length
            return count < HTTPServer.maximumPieces
        }
        return (count, total)
    }
}

/// Seconds since 1970 and the nanoseconds beyond them.
func wallClock() -> (Int64, Int64) {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return (Int64(time.tv_sec), Int64(time.tv_nsec))
}

/// What is always the same, written once.
struct PermanentFrames {
    /// A ping without payload.
    let ping: FrameReference
    private let busy: [UInt8]

    init() {
        ping = SegmentWriter(segmentSize: 64).append([0x89, 0x00])
        let body =
            #"{"error":{"code":"too_many_connections","message":"the limit of connections is reached: try later"}}"#
        busy = Array(
            ("HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: \(body.utf8.count)"
                + "\r\nretry-after: 1\r\nconnection: close\r\n\r\n" + body).utf8)
    }

    /// Says why before the socket is closed, if it takes it at once, as a new one does.
    func sendBusy(to fd: Int32) {
        _ = busy.withUnsafeBytes { send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        shutdown(fd, Int32(SHUT_WR))
        // What the client has sent already would turn the close into a reset.
        var bytes = [UInt8](repeating: 0, count: 4096)
        _ = recv(fd, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    }
}

extension ServerError {
    static func catching<R>(
        _ address: SocketAddress?, _ body: () throws(SystemError) -> R
    ) throws(ServerError) -> R {
        do throws(SystemError) { return try body() } catch {
            let name = address.map(\.description) ?? "the inherited socket"
            switch error.errno {
            case EADDRINUSE:
                throw ServerError(
                    .addressInUse, "\(name) is taken by another program: stop it or choose another port", cause: error)
            case EADDRNOTAVAIL, EAFNOSUPPORT:
                throw ServerError(
                    .addressNotAvailable, "\(name) is not an address of this machine: check the host", cause: error)
            case EACCES:
                throw ServerError(
                    .permissionDenied, "listening on \(name) needs privileges: choose a port above 1023", cause: error)
            default:
                throw ServerError(.system, "cannot listen on \(name)", cause: error)
            }
        }
    }
}
