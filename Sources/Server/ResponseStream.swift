import EventLoop
import HTTP1

/// An answer that goes on, such as server-sent events. It has taken its connection over, which ends with it.
package final class ResponseStream: Subscriber {
    private let framing: HTTPResponseEncoder.Framing
    private var isLingering = false

    init(
        takingOver connection: HTTPConnection, framing: HTTPResponseEncoder.Framing, observer: (any SubscriberObserver)?
    ) {
        self.framing = framing
        super.init(takingOver: connection)
        self.observer = observer
        server.metrics.streamsOpened += 1
        server.metrics.streamsOpen += 1
        // An answer to HEAD is complete with its head.
        if framing == .none { finish() }
    }

    /// Queues an event that others get as well.
    package func enqueue(_ event: EncodedEvent, ephemeral: Bool = false) {
        guard admits(ephemeral: ephemeral) else { return }
        enqueueReference(framing == .chunked ? event.chunk : event.content)
    }

    /// Queues bytes for this client alone.
    package func write(_ bytes: [UInt8], ephemeral: Bool = false) {
        guard !bytes.isEmpty, admits(ephemeral: ephemeral) else { return }
        guard framing == .chunked else { return append(server.privateSegments.append(bytes)) }
        server.scratch.removeAll(keepingCapacity: true)
        HTTPResponseEncoder.writeChunk(bytes, into: &server.scratch)
        append(server.privateSegments.append(server.scratch))
    }

    /// Ends the answer after what is queued.
    package func finish() {
        guard isOpen, !isFinishing else { return }
        if framing == .chunked {
            server.scratch.removeAll(keepingCapacity: true)
            HTTPResponseEncoder.writeLastChunk(into: &server.scratch)
            append(server.privateSegments.append(server.scratch))
        }
        startFinishing()
        if output.isEmpty { outputDrained() }
    }

    /// The server ends: what would go on for ever ends now, what has an end of its own is waited for.
    func finishIfEndless() {
        if observer?.endsByItself != true { finish() }
    }

    /// Breaks the answer off; the client sees that it is not complete.
    package func cancel() { abort() }

    override func evict(notice: [UInt8]?) {
        // The notice and a proper end, if the client takes them in time.
        dropWholeFrames { bytes in ChunkFrames.length(bytes) }
        if let notice, framing == .chunked {
            server.scratch.removeAll(keepingCapacity: true)
            HTTPResponseEncoder.writeChunk(notice, into: &server.scratch)
            append(server.privateSegments.append(server.scratch))
        }
        startFinishing()
        deadline = server.loop.nowNanoseconds &+ server.times.close
        markDirty()
    }

    override func received(_ bytes: UnsafeRawBufferPointer) {
        // Further requests cannot be answered on this connection; the head of this answer has said so.
    }

    override func inputEnded() {
        if isLingering { return close() }
        // A client that shuts down its side of an endless answer has gone.
        abort()
    }

    override func outputDrained() {
        guard isFinishing, !isLingering else { return }
        isLingering = true
        endOutput()
        deadline = server.loop.nowNanoseconds &+ server.times.close
    }

    override func deadlinePassed(now: Int64) { abort() }

    override func prepareHandOver() -> HandOverState {
        finishIfEndless()
        return isFinishing && output.isEmpty ? .takingLeave : .busy
    }

    override func wasClosed() {
        server.metrics.streamsOpen -= 1
        super.wasClosed()
    }
}

/// Where chunks of a chunked body end (RFC 9112 section 7.1).
enum ChunkFrames {
    /// The length of the chunk at the start of what this server has written, its framing included.
    static func length(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var size = 0
        for (index, byte) in bytes.prefix(18).enumerated() {
            switch byte {
            case 0x30...0x39: size = size << 4 | Int(byte - 0x30)
            case 0x61...0x66: size = size << 4 | Int(byte - 0x57)
            // "size CR LF data CR LF"
            case 0x0d: return index > 0 ? index + 2 + size + 2 : nil
            default: return nil
            }
        }
        return nil
    }
}
