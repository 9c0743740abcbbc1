import Base
import EventLoop
import Glibc

/// A TCP connection to the daemon, on the client's loop.
final class ClientSocket: FileDescriptorHandler {
    var onConnect: () -> Void = {}
    /// The bytes are lent for the time of the call.
    var onBytes: (UnsafeRawBufferPointer) -> Void = { _ in }
    /// Once, unless `close()` was called before.
    var onEnd: (HubError) -> Void = { _ in }

    private enum State { case idle, connecting, open, closed }
    private let loop: EventLoop
    private var fd: Int32 = -1
    private var state = State.idle
    private var addresses: [SocketAddress] = []
    private var output: [UInt8] = []
    private var sent = 0
    private var isReading = true
    private var deadline: LoopTimer?
    private var target = ""

    init(loop: EventLoop) {
        self.loop = loop
    }

    deinit {
        if fd >= 0 { Glibc.close(fd) }
    }

    /// Bytes that the kernel has not taken yet.
    var queuedBytes: Int { output.count - sent }

    /// Tries the addresses of the host one after the other; `timeout` is for all of them.
    func connect(to endpoint: HubEndpoint, timeout: Duration) {
        target = endpoint.authority
        do throws(SystemError) {
            addresses = try SocketAddress.resolve(host: endpoint.host, port: endpoint.port)
        } catch {
            return failLater(HubError(.noDaemon, error.description))
        }
        deadline = loop.schedule(after: timeout) { [weak self] in
            guard let self else { return }
            self.end(HubError(.noDaemon, "\(self.target) does not answer"))
        }
        state = .connecting
        tryNextAddress(after: nil)
    }

    private func tryNextAddress(after error: SystemError?) {
        guard !addresses.isEmpty else {
            let reason = error.map { SystemError.text(of: $0.errno) } ?? "no address"
            return failLater(HubError(.noDaemon, "cannot connect to the daemon at \(target): \(reason)"))
        }
        do throws(SystemError) {
            fd = try Socket.connect(to: addresses.removeFirst())
            try loop.register(fd, [.read, .write], self)
        } catch {
            closeDescriptor()
            tryNextAddress(after: error)
        }
    }

    func write(_ bytes: [UInt8]) {
        guard state == .open else { return }
        if sent == output.count {
            output = bytes
            sent = 0
        } else {
            output.append(contentsOf: bytes)
        }
        flush()
    }

    /// Leaves what comes in the kernel's buffers, and so in the end with the sender.
    func setReading(_ isOn: Bool) {
        guard isReading != isOn else { return }
        isReading = isOn
        updateInterest()
    }

    func close() {
        state = .closed
        deadline?.cancel()
        closeDescriptor()
        onConnect = {}
        onBytes = { _ in }
        onEnd = { _ in }
    }

    func ready(_ events: Readiness) {
        if state == .connecting {
            if let error = Socket.pendingError(fd, "connect") {
                closeDescriptor()
                return tryNextAddress(after: error)
            }
            guard events.contains(.writable) else { return }
            state = .open
            deadline?.cancel()
            updateInterest()
            onConnect()
            return
        }
        if events.contains(.writable) { flush() }
        if state == .open, isReading, !events.isDisjoint(with: [.readable, .hangup, .error]) { readOnce() }
    }

    private func readOnce() {
        let count = loop.withReadBuffer { buffer in
            let count = retryingInterrupts { Glibc.read(fd, buffer.baseAddress, buffer.count) }
            if count > 0 { onBytes(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            return count
        }
        if count > 0 { return }
        if count == 0 { return end(HubError(.connectionLost, "the daemon closed the connection")) }
        if errno == EAGAIN { return }
        end(HubError(.connectionLost, "the connection to the daemon broke: \(SystemError.text(of: errno))"))
    }

    private func flush() {
        while state == .open, sent < output.count {
            let count = output.withUnsafeBytes { buffer in
                retryingInterrupts {
                    send(fd, buffer.baseAddress.map { $0 + sent }, buffer.count - sent, Int32(MSG_NOSIGNAL))
                }
            }
            if count < 0 {
                // What the daemon said before it went is still to be read; the read will find the end.
                if errno != EAGAIN { sent = output.count }
                break
            }
            sent += count
        }
        if sent == output.count {
            output = []
            sent = 0
        }
        updateInterest()
    }

    private func updateInterest() {
        guard state == .open else { return }
        var interest: Interest = isReading ? .read : []
        if queuedBytes > 0 { interest.insert(.write) }
        loop.modify(fd, interest)
    }

    private func failLater(_ error: HubError) {
        // Not within `connect`: the caller has not finished setting itself up.
        let bound = LoopBound(self, loop: loop)
        loop.submit { bound.value.end(error) }
    }

    private func end(_ error: HubError) {
        guard state != .closed else { return }
        let report = onEnd
        close()
        report(error)
    }

    private func closeDescriptor() {
        guard fd >= 0 else { return }
        loop.deregister(fd)
        Glibc.close(fd)
        fd = -1
    }
}
