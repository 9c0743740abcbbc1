import Base
import Glibc
import JSON

/// What is to be written to the client: buffered, and written when the client takes it.
final class Output {
    /// Above this many bytes producers wait for the client.
    static let highWater = 256 * 1024

    let fd: Int32
    private var bytes: [UInt8] = []
    private var start = 0
    /// The client is gone.
    private(set) var isBroken = false

    init(fd: Int32) {
        self.fd = fd
        var status = stat()
        // Only what is ours alone: a terminal's flags belong to everybody who uses it.
        if fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFIFO || status.st_mode & S_IFMT == S_IFSOCK {
            _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)
        }
    }

    var pending: Int { bytes.count - start }
    var isFull: Bool { pending >= Output.highWater }

    func raw(_ body: (inout [UInt8]) -> Void) { body(&bytes) }

    func line(_ object: JSONObject) {
        object.serialize(into: &bytes)
        bytes.append(0x0a)
    }

    /// Writes as much as goes without waiting.
    func flush() {
        while pending > 0, !isBroken {
            let written = bytes.withUnsafeBytes { Glibc.write(fd, $0.baseAddress! + start, pending) }
            if written > 0 {
                start += written
            } else if errno == EAGAIN {
                break
            } else if errno != EINTR {
                isBroken = true
            }
        }
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.capacity <= 4 * Output.highWater)
            start = 0
        } else if start > Output.highWater {
            bytes.removeFirst(start)
            start = 0
        }
    }

    /// Writes everything, waiting for the client.
    func drain() {
        flush()
        while pending > 0, !isBroken {
            var waiting = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
            if poll(&waiting, 1, 5000) == 0 { return }
            flush()
        }
    }
}

/// The monotonic clock in nanoseconds.
func monotonicNow() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

func nanoseconds(_ seconds: Double) -> Int64 { Int64(seconds * 1_000_000_000) }
