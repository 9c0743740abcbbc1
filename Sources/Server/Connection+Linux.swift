import Base
import CLinux
package import EventLoop
import Glibc

/// A socket of the server with its output queue: what HTTP connections and WebSockets have in common.
///
/// Output is collected during a turn of the loop and sent at its end, all that is due to one socket in one system
/// call. While nothing is on its way a connection holds no buffer.
package class Connection: FileDescriptorHandler {
    /// Unique within the server's life.
    package let id: UInt64
    package let peer: SocketAddress
    let server: HTTPServer
    final private(set) var fd: Int32
    /// Its place in the server's list.
    final var index = -1
    final private(set) var output = OutputQueue()
    /// When the peer has last taken bytes, or the first of those that wait was queued.
    final private var lastProgress: Int64 = 0
    /// When this connection is to be looked at; `.max` for never.
    final var deadline: Int64 = .max
    final fileprivate(set) var isDirty = false
    final private var isWaitingForRoom = false
    final private var readsInput = true
    /// The socket has failed; it is closed at the end of the turn, so that nobody who is going through a list of
    /// connections finds one missing.
    final private(set) var isBroken = false

    init(fd: Int32, id: UInt64, peer: SocketAddress, server: HTTPServer) {
        self.fd = fd
        self.id = id
        self.peer = peer
        self.server = server
    }

    /// Takes the socket, what is queued and the place in the server's list over from another.
    init(takingOver other: Connection) {
        fd = other.fd
        id = other.id
        peer = other.peer
        server = other.server
        output = other.output
        lastProgress = other.lastProgress
        isWaitingForRoom = other.isWaitingForRoom
        readsInput = other.readsInput
        isBroken = other.isBroken
        other.fd = -1
        other.output.removeAll()
        if fd >= 0 {
            server.replace(other, with: self)
            server.loop.replaceHandler(fd, self)
        }
        if !output.isEmpty { markDirty() }
    }

    // MARK: For the kinds of connections

    /// Bytes have come; they are lent for the time of the call.
    func received(_ bytes: UnsafeRawBufferPointer) {}
    /// The peer sends no more.
    func inputEnded() {}
    /// All that was queued has been handed to the kernel.
    func outputDrained() {}
    /// Some of it has.
    func outputProgressed() {}
    /// The deadline has passed.
    func deadlinePassed(now: Int64) {}
    /// The server is to be handed over: ends what can't be, as soon as that is fair. Asked again and again.
    func prepareHandOver() -> HandOverState { .busy }
    /// The socket is closed. Called once, never from within `enqueue`.
    func wasClosed() {}

    package final var isOpen: Bool { fd >= 0 && !isBroken }
    /// Bytes that the peer has not taken yet.
    package final var queuedBytes: Int { output.bytes }

    // MARK: Output

    @inline(__always)
    final func append(_ reference: FrameReference, frames: Int = 1) {
        if output.isEmpty { lastProgress = server.loop.nowNanoseconds }
        output.append(reference, frames: frames)
        if !isDirty { markDirty() }
    }

    final func markDirty() {
        guard !isDirty, fd >= 0, !isWaitingForRoom else { return }
        isDirty = true
        server.addDirty(self)
    }

    /// At the end of the turn.
    final func flushDirty() {
        isDirty = false
        if fd >= 0, !isWaitingForRoom, !isBroken { send() }
    }

    /// Sends now what the socket takes, when it is not known to be full.
    final func tryToSend() {
        if fd >= 0, !isWaitingForRoom, !isBroken { send(isEndOfTurn: false) }
    }

    final func dropWholeFrames(frameEnd: (UnsafeRawBufferPointer) -> Int?) {
        output.dropWholeFrames(frameEnd: frameEnd)
    }

    final func dropOutput() { output.removeAll() }

    private final func send(isEndOfTurn: Bool = true) {
        let framesBefore = output.frames
        var rounds = 0
        while !output.isEmpty {
            let (pieces, total) = server.collectPieces(output)
            let sent = clinux_send(fd, server.pieces, UInt(pieces))
            guard sent >= 0 else {
                switch errno {
                case EAGAIN: waitForRoom()
                case EINTR: continue
                default: broke()
                }
                break
            }
            output.consume(sent)
            lastProgress = server.loop.nowNanoseconds
            server.metrics.bytesSent &+= sent
            rounds += 1
            // A long queue and a fast reader must not keep the others waiting.
            if sent < total || (rounds == 8 && !output.isEmpty) {
                waitForRoom()
                break
            }
        }
        server.metrics.framesSent &+= framesBefore - output.frames
        guard isEndOfTurn, !isBroken else { return }
        outputProgressed()
        if output.isEmpty, fd >= 0 {
            if isWaitingForRoom {
                isWaitingForRoom = false
                updateInterest()
            }
            outputDrained()
        }
    }

    private final func waitForRoom() {
        guard !isWaitingForRoom else { return }
        isWaitingForRoom = true
        updateInterest()
    }

    // MARK: Input

    package final func ready(_ events: Readiness) {
        guard fd >= 0, !isBroken else { return }
        if events.contains(.writable) { send() }
        guard fd >= 0, !isBroken else { return }
        if events.contains(.readable), readsInput {
            readOnce()
        } else if events.contains(.hangup) || events.contains(.error) {
            broke()
        }
    }

    final func setReadsInput(_ reads: Bool) {
        guard readsInput != reads else { return }
        readsInput = reads
        updateInterest()
    }

    private final func updateInterest() {
        guard fd >= 0 else { return }
        var interest: Interest = readsInput ? .read : []
        if isWaitingForRoom { interest.insert(.write) }
        server.loop.modify(fd, interest)
    }

    private final func readOnce() {
        server.loop.withReadBuffer { buffer in
            let count = recv(fd, buffer.baseAddress, buffer.count, 0)
            if count > 0 {
                server.metrics.bytesReceived &+= count
                received(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            } else if count == 0 {
                inputEnded()
            } else if errno != EAGAIN, errno != EINTR {
                broke()
            }
        }
    }

    // MARK: Time

    final func sweep(now: Int64) {
        guard fd >= 0, !isBroken else { return }
        if !output.isEmpty, now - lastProgress > server.times.writeStall {
            server.metrics.connectionsTimedOut += 1
            abort()
            return
        }
        if now >= deadline { deadlinePassed(now: now) }
    }

    // MARK: The end

    /// Tells the peer that no more comes; what it still sends is to be read, since an unread rest would turn the end
    /// into a reset that takes the last answer with it.
    final func endOutput() {
        if fd >= 0 { shutdown(fd, Int32(SHUT_WR)) }
    }

    private final func broke() {
        isBroken = true
        output.removeAll()
        server.closeAtEndOfTurn(self)
    }

    /// Closes with a reset.
    final func abort() {
        guard fd >= 0 else { return }
        let socket = detach()
        Socket.abort(socket)
        wasClosed()
    }

    final func close() {
        guard fd >= 0 else { return }
        let socket = detach()
        Socket.close(socket)
        wasClosed()
    }

    /// Lets go of the socket, which stays open.
    final func release() -> Int32 {
        let socket = detach()
        wasClosed()
        return socket
    }

    private final func detach() -> Int32 {
        let socket = fd
        server.loop.deregister(socket)
        fd = -1
        output.removeAll()
        deadline = .max
        server.remove(self)
        return socket
    }
}
