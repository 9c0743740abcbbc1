import EventLoop
package import WebSocket

/// What a WebSocket's messages are for.
package protocol WebSocketHandler: SubscriberObserver {
    /// A whole text message, valid UTF-8.
    func webSocket(_ connection: WebSocketConnection, received text: [UInt8])
    /// A whole binary message. Unless implemented it closes the connection with 1003.
    func webSocket(_ connection: WebSocketConnection, receivedBinary bytes: [UInt8])
}

extension WebSocketHandler {
    package func webSocket(_ connection: WebSocketConnection, receivedBinary bytes: [UInt8]) {
        connection.close(.unsupportedData, reason: "only text messages are understood")
    }
}

/// The server's end of a WebSocket (RFC 6455).
package final class WebSocketConnection: Subscriber {
    private enum State {
        case open
        /// Our close frame is on its way, the peer's has not come.
        case closeSent
        /// Both have been exchanged, or the protocol was broken: ends when all is sent.
        case ending
        /// All is sent; what still comes is thrown away until the peer closes.
        case lingering
    }

    private var assembler: WebSocketMessageAssembler
    private var handler: (any WebSocketHandler)?
    private var state = State.open
    private let takesCompressed: Bool
    private var missedPongs = 0
    private var pongsWaiting = 0
    private var lingeredBytes = 0
    /// The code of the first close frame, ours or the peer's; nil before, and when the connection was lost.
    package private(set) var closeCode: WebSocketCloseCode?

    /// Bytes thrown away after the end before a peer that goes on sending is reset.
    private static let lingerLimit = 4 << 20
    /// Pongs that may wait in the queue of a peer that does not read.
    private static let waitingPongLimit = 64

    init(
        takingOver connection: HTTPConnection, handler: any WebSocketHandler,
        compression: PerMessageDeflate.Agreement?
    ) {
        assembler = WebSocketMessageAssembler(
            role: .server, limits: connection.server.limits.webSocket, compression: compression)
        self.handler = handler
        takesCompressed = compression?.canRead(Deflater.Settings()) ?? false
        super.init(takingOver: connection)
        observer = handler
        deadline = server.loop.nowNanoseconds &+ server.times.ping
        server.metrics.webSocketsOpened += 1
        server.metrics.webSocketsOpen += 1
    }

    // MARK: Sending

    /// Queues a message that others get as well: usually no more than making the last span longer.
    package func enqueue(_ frame: EncodedFrame, ephemeral: Bool) {
        guard admits(ephemeral: ephemeral) else { return }
        if takesCompressed, let deflated = frame.deflated {
            enqueueReference(deflated)
        } else {
            enqueueReference(frame.plain)
        }
    }

    /// Queues messages that others get as well, in their order.
    package func enqueue(_ batch: inout FrameBatch) {
        for run in takesCompressed ? batch.compressed : batch.plain {
            guard admits(ephemeral: false) else { return }
            enqueueReference(run.reference, frames: run.frames)
        }
    }

    /// Queues a text message for this client alone.
    package func send(_ text: [UInt8], ephemeral: Bool = false) {
        text.withUnsafeBytes { send($0, opcode: .text, ephemeral: ephemeral) }
    }

    package func send(binary bytes: [UInt8]) {
        bytes.withUnsafeBytes { send($0, opcode: .binary, ephemeral: false) }
    }

    private func send(_ payload: UnsafeRawBufferPointer, opcode: WebSocketOpcode, ephemeral: Bool) {
        guard admits(ephemeral: ephemeral) else { return }
        appendPrivate(payload, opcode: opcode)
    }

    private func appendPrivate(_ payload: UnsafeRawBufferPointer, opcode: WebSocketOpcode) {
        if takesCompressed {
            let deflated = server.compressor.compress(payload) {
                server.privateSegments.appendFrame(opcode: opcode, payload: $0, isCompressed: true)
            }
            if let deflated { return enqueueReference(deflated) }
        }
        enqueueReference(server.privateSegments.appendFrame(opcode: opcode, payload: payload))
    }

    // MARK: Receiving

    override func received(_ bytes: UnsafeRawBufferPointer) {
        guard state == .open || state == .closeSent else {
            lingeredBytes += bytes.count
            if lingeredBytes > WebSocketConnection.lingerLimit { abort() }
            return
        }
        missedPongs = 0
        var input = bytes
        do throws(WebSocketFailure) {
            while isOpen, state == .open || state == .closeSent, let event = try assembler.next(&input) {
                take(event)
            }
        } catch {
            fail(error)
        }
    }

    private func take(_ event: WebSocketMessageAssembler.Event) {
        switch event {
        case .text(let text):
            server.metrics.messagesReceived &+= 1
            // After our close frame nothing more is acted on.
            if state == .open, !isFinishing { handler?.webSocket(self, received: text) }
        case .binary(let bytes):
            server.metrics.messagesReceived &+= 1
            if state == .open, !isFinishing { handler?.webSocket(self, receivedBinary: bytes) }
        case .ping(let payload):
            guard state == .open, !isFinishing else { return }
            // A peer that asks without reading the answers gets only some of them.
            if output.isEmpty { pongsWaiting = 0 }
            guard pongsWaiting < WebSocketConnection.waitingPongLimit else { return tryToSend() }
            pongsWaiting += 1
            payload.withUnsafeBytes { append(server.privateSegments.appendFrame(opcode: .pong, payload: $0)) }
        case .pong:
            break
        case .close(let code, _):
            if closeCode == nil { closeCode = code }
            if state == .open, !isFinishing { appendClose(code, reason: "") }
            end()
        }
    }

    private func fail(_ failure: WebSocketFailure) {
        if state == .open, !isFinishing {
            closeCode = failure.code
            appendClose(failure.code, reason: failure.message)
        }
        end()
    }

    // MARK: The end

    /// Starts the closing handshake: after what is queued. Frames enqueued later are dropped.
    package func close(_ code: WebSocketCloseCode, reason: String = "") {
        guard isOpen, state == .open, !isFinishing else { return }
        closeCode = code
        appendClose(code, reason: reason)
        startFinishing()
        state = .closeSent
        deadline = server.loop.nowNanoseconds &+ server.times.close
    }

    override func prepareHandOver() -> HandOverState {
        close(.serviceRestart, reason: "the server restarts")
        return output.isEmpty ? .takingLeave : .busy
    }

    private func appendClose(_ code: WebSocketCloseCode?, reason: String) {
        server.scratch.removeAll(keepingCapacity: true)
        WebSocketFrameEncoder.writeClose(code, reason: reason, into: &server.scratch)
        append(server.privateSegments.append(server.scratch))
    }

    override func evict(notice: [UInt8]?) {
        // What waits would take too long: only the frame under way is finished.
        dropWholeFrames { bytes in FrameHeader.frameLength(bytes) }
        if let notice { notice.withUnsafeBytes { appendPrivate($0, opcode: .text) } }
        appendClose(.tryAgainLater, reason: "too slow")
        closeCode = .tryAgainLater
        startFinishing()
        state = .closeSent
        deadline = server.loop.nowNanoseconds &+ server.times.close
        markDirty()
    }

    /// Nothing more will be said: closes when what is queued is sent.
    private func end() {
        startFinishing()
        state = .ending
        deadline = server.loop.nowNanoseconds &+ server.times.close
        if output.isEmpty { outputDrained() }
    }

    override func outputDrained() {
        pongsWaiting = 0
        guard state == .ending else { return }
        state = .lingering
        endOutput()
    }

    override func inputEnded() {
        // RFC 6455 section 7.1.1: a peer that ends its side without a close frame is gone.
        if output.isEmpty || state == .open || state == .lingering { return close() }
        state = .ending
        setReadsInput(false)
    }

    override func deadlinePassed(now: Int64) {
        guard state == .open, !isFinishing else {
            server.metrics.connectionsTimedOut += 1
            return abort()
        }
        if missedPongs >= server.limits.missedPongs {
            server.metrics.peersLost += 1
            return abort()
        }
        missedPongs += 1
        deadline = now &+ server.times.ping
        append(server.permanent.ping)
    }

    override func wasClosed() {
        server.metrics.webSocketsOpen -= 1
        handler = nil
        super.wasClosed()
    }
}
