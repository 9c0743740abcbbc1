package import Base
import Glibc

/// Reads a pipe, terminal or file on the loop, through the loop's shared buffer. Owns the descriptor.
package final class PipeReader: FileDescriptorHandler {
    /// The bytes are lent for the time of the call.
    package var onBytes: (UnsafeRawBufferPointer) -> Void = { _ in }
    /// Once, after the last bytes: nil at the end of the stream. Not called after `close()`.
    package var onEnd: (SystemError?) -> Void = { _ in }

    private let loop: EventLoop
    private var fd: Int32
    private var isPaused = false
    /// A regular file cannot be waited for (EPERM): it is read a buffer per turn.
    private var isAlwaysReady = false

    /// Reports begin with the next turn, which leaves time to set the callbacks. A failure arrives as `onEnd`.
    package init(fd: Int32, loop: EventLoop) {
        self.fd = fd
        self.loop = loop
        _ = setNonBlocking(fd)
        do throws(SystemError) {
            try loop.register(fd, .read, self)
        } catch {
            if error.errno == EPERM {
                isAlwaysReady = true
                readInNextTurn()
            } else {
                let bound = LoopBound(self, loop: loop)
                loop.submit { bound.value.finish(error) }
            }
        }
    }

    package var isOpen: Bool { fd >= 0 }

    /// Has the writer wait by not reading: how a consumer that is behind holds its producer back.
    package func pause() {
        isPaused = true
        if fd >= 0, !isAlwaysReady { loop.deregister(fd) }
    }

    package func resume() {
        guard isPaused, fd >= 0 else { return }
        isPaused = false
        if isAlwaysReady {
            readInNextTurn()
            return
        }
        do throws(SystemError) { try loop.register(fd, .read, self) } catch { finish(error) }
    }

    package func ready(_ events: Readiness) {
        guard fd >= 0, !isPaused else { return }
        readOnce()
    }

    /// Reads what is there now, at most `limit` bytes; returns false when the stream has ended.
    @discardableResult
    package func drain(limit: Int) -> Bool {
        var rest = limit
        while fd >= 0, rest > 0 {
            guard let count = readOnce() else { return fd >= 0 }
            rest -= count
        }
        return fd >= 0
    }

    package func close() {
        guard fd >= 0 else { return }
        if !isAlwaysReady { loop.deregister(fd) }
        Glibc.close(fd)
        fd = -1
    }

    /// Returns the number of bytes, or nil when there was nothing to read (any more).
    @discardableResult
    private func readOnce() -> Int? {
        let count = loop.withReadBuffer { buffer in
            let count = retryingInterrupts { Glibc.read(fd, buffer.baseAddress, buffer.count) }
            if count > 0 { onBytes(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            return count
        }
        if count > 0 { return count }
        if count == 0 {
            finish(nil)
        } else if errno != EAGAIN {
            // A pseudo-terminal whose other side has closed says EIO: that is its end of file.
            finish(errno == EIO ? nil : SystemError.current("read"))
        }
        return nil
    }

    private func readInNextTurn() {
        let bound = LoopBound(self, loop: loop)
        loop.submit {
            let reader = bound.value
            guard reader.fd >= 0, !reader.isPaused else { return }
            if reader.readOnce() != nil { reader.readInNextTurn() }
        }
    }

    private func finish(_ error: SystemError?) {
        guard fd >= 0 else { return }
        close()
        onEnd(error)
    }
}
