package import Base
import Glibc

/// Writes a pipe, terminal or file on the loop, with a bounded queue. Owns the descriptor.
package final class PipeWriter: FileDescriptorHandler {
    /// Once, when the reader has gone (EPIPE), the queue would exceed its limit (ENOBUFS) or a write fails.
    /// The descriptor is closed already. Not called after `close()`.
    package var onError: (SystemError) -> Void = { _ in }
    /// Each time the queue has become empty.
    package var onDrained: () -> Void = {}
    /// What is accepted but not yet in the pipe.
    package private(set) var queuedBytes = 0
    /// Most bytes that may be queued.
    package let limit: Int

    private let loop: EventLoop
    private var fd: Int32
    private var queue: [[UInt8]] = []
    private var head = 0
    private var offset = 0
    private var isWaiting = false
    private var closesWhenDrained = false

    package init(fd: Int32, loop: EventLoop, limit: Int = 64 * 1024 * 1024) {
        self.fd = fd
        self.loop = loop
        self.limit = limit
        _ = setNonBlocking(fd)
    }

    package var isOpen: Bool { fd >= 0 && !closesWhenDrained }

    /// Takes bytes in order. After the end (`close`, `closeWhenDrained`, an error) they are dropped.
    package func write(_ bytes: [UInt8]) {
        guard fd >= 0, !closesWhenDrained, !bytes.isEmpty else { return }
        guard bytes.count <= limit - queuedBytes else {
            fail(SystemError(errno: ENOBUFS, operation: "write: more than \(limit) bytes are waiting for the reader"))
            return
        }
        queue.append(bytes)
        queuedBytes += bytes.count
        if !isWaiting { flush() }
    }

    package func ready(_ events: Readiness) {
        flush()
    }

    /// Lets the reader see the end of the stream after what is queued.
    package func closeWhenDrained() {
        closesWhenDrained = true
        if queuedBytes == 0 { close() }
    }

    /// Drops what is queued.
    package func close() {
        guard fd >= 0 else { return }
        if isWaiting { loop.deregister(fd) }
        Glibc.close(fd)
        fd = -1
        queue = []
        head = 0
        offset = 0
        queuedBytes = 0
    }

    private func flush() {
        while fd >= 0, head < queue.count {
            let count = queue[head].withUnsafeBytes { bytes in
                retryingInterrupts { Glibc.write(fd, bytes.baseAddress.map { $0 + offset }, bytes.count - offset) }
            }
            guard count >= 0 else {
                if errno == EAGAIN { waitForRoom() } else { fail(SystemError.current("write")) }
                return
            }
            queuedBytes -= count
            offset += count
            if offset == queue[head].count {
                queue[head] = []
                head += 1
                offset = 0
                if head > 64, head * 2 > queue.count {
                    queue.removeFirst(head)
                    head = 0
                }
            }
        }
        guard fd >= 0 else { return }
        queue.removeAll(keepingCapacity: queue.count < 64)
        head = 0
        if closesWhenDrained {
            close()
            return
        }
        if isWaiting {
            loop.deregister(fd)
            isWaiting = false
        }
        onDrained()
    }

    private func waitForRoom() {
        guard !isWaiting else { return }
        do throws(SystemError) {
            try loop.register(fd, .write, self)
            isWaiting = true
        } catch {
            fail(error)
        }
    }

    private func fail(_ error: SystemError) {
        close()
        onError(error)
    }
}
