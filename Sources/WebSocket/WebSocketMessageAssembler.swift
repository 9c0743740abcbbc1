/// Takes messages and control frames out of a byte stream: fragmentation, compression, UTF-8 and close rules
/// (RFC 6455 sections 5.4 to 8.1, RFC 7692).
///
/// Pulled: `while let event = try assembler.next(&input) { ... }`; nil means that all input has been taken. Between
/// messages it holds no memory, except the context of a peer that may refer to earlier messages. After a close frame
/// everything else is dropped; after a failure the same failure is thrown for ever.
package struct WebSocketMessageAssembler {
    package enum Event: Equatable, Sendable {
        /// Valid UTF-8.
        case text([UInt8])
        case binary([UInt8])
        /// Answer with a pong that carries the same bytes.
        case ping([UInt8])
        case pong([UInt8])
        /// The code is nil when the frame was empty. Answer with a close frame of the same code, then close.
        case close(WebSocketCloseCode?, reason: String)
    }

    package let limits: WebSocketLimits
    private var frames: WebSocketFrameDecoder
    private var failure: WebSocketFailure?
    /// Whether the peer's close frame has come.
    package private(set) var isClosed = false

    private var frame = WebSocketFrameHeader(isFinal: true, isCompressed: false, opcode: .text, payloadCount: 0)
    private var control: [UInt8] = []
    private var message: [UInt8] = []
    /// Text or binary while a message is under way.
    private var messageOpcode: WebSocketOpcode?
    private var messageIsCompressed = false
    private var messageFrames = 0
    private var messageSentBytes = 0
    private var text = UTF8Validator()

    private let compression: PerMessageDeflate.Agreement?
    private var inflater: Inflater?

    package init(
        role: WebSocketRole, limits: WebSocketLimits = .default, compression: PerMessageDeflate.Agreement? = nil
    ) {
        self.limits = limits
        self.compression = compression
        frames = WebSocketFrameDecoder(
            role: role, maxFrameBytes: limits.frameBytes, allowsCompression: compression != nil)
    }

    /// Whether nothing is half received: neither a frame nor a message.
    package var isIdle: Bool { frames.isBetweenFrames && messageOpcode == nil }

    /// - Throws: what to close the connection with.
    package mutating func next(_ input: inout UnsafeRawBufferPointer) throws(WebSocketFailure) -> Event? {
        if let failure { throw failure }
        do throws(WebSocketFailure) {
            while !isClosed {
                guard let event = try frames.next(&input) else { return nil }
                switch event {
                case .header(let header): try begin(header, available: input.count)
                case .payload(let part, let phase): try take(part, phase: phase)
                case .end: if let event = try endFrame() { return event }
                }
            }
            input = UnsafeRawBufferPointer(rebasing: input.suffix(0))
            return nil
        } catch {
            failure = error
            release()
            throw error
        }
    }

    private mutating func begin(_ header: WebSocketFrameHeader, available: Int) throws(WebSocketFailure) {
        frame = header
        if header.opcode.isControl {
            if header.opcode == .close, header.payloadCount == 1 {
                throw WebSocketFailure(.protocolError, "a close frame has half a code")
            }
            return
        }
        if header.opcode == .continuation {
            guard messageOpcode != nil else {
                throw WebSocketFailure(.protocolError, "a continuation frame continues nothing")
            }
        } else {
            guard messageOpcode == nil else {
                throw WebSocketFailure(.protocolError, "a new message starts before the last one ended")
            }
            messageOpcode = header.opcode
            messageIsCompressed = header.isCompressed
            messageFrames = 0
            messageSentBytes = 0
            text = UTF8Validator()
        }
        messageFrames += 1
        guard messageFrames <= limits.framesPerMessage else {
            throw WebSocketFailure(.policyViolation, "a message has more than \(limits.framesPerMessage) frames")
        }
        messageSentBytes += header.payloadCount
        // What doesn't compress grows by a few bytes per 16 KiB.
        let allowance = messageIsCompressed ? 64 + limits.messageBytes / 1024 : 0
        guard messageSentBytes <= limits.messageBytes + allowance else {
            throw tooBig
        }
        if !messageIsCompressed, message.isEmpty {
            // Room for what is here, not for what is announced: announcing costs a peer nothing.
            message.reserveCapacity(min(header.payloadCount, available))
        }
    }

    private var tooBig: WebSocketFailure {
        WebSocketFailure(.messageTooBig, "a message is larger than \(limits.messageBytes) bytes")
    }

    private mutating func take(_ part: UnsafeRawBufferPointer, phase: Int) throws(WebSocketFailure) {
        if frame.opcode.isControl {
            WebSocketMask.append(part, key: frame.maskKey ?? 0, phase: phase, to: &control)
            return
        }
        let start = message.count
        if messageIsCompressed {
            do throws(WebSocketFailure) {
                try inflate(part, phase: phase)
            } catch {
                // Of two faults the earlier one counts, however the input was cut: what came out before this one may
                // already be no text.
                try checkText(from: start)
                throw error
            }
        } else {
            WebSocketMask.append(part, key: frame.maskKey ?? 0, phase: phase, to: &message)
        }
        try checkText(from: start)
    }

    private mutating func checkText(from start: Int) throws(WebSocketFailure) {
        guard messageOpcode == .text else { return }
        let isValid = message.withUnsafeBytes { bytes in
            text.accept(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        }
        guard isValid else { throw WebSocketFailure(.invalidPayload, "a text message is not UTF-8") }
    }

    private mutating func inflate(_ part: UnsafeRawBufferPointer, phase: Int) throws(WebSocketFailure) {
        let inflater = currentInflater()
        do throws(Inflater.Failure) {
            guard let key = frame.maskKey else {
                return try inflater.inflate(part, into: &message, limit: limits.messageBytes)
            }
            var plain: [UInt8] = []
            WebSocketMask.append(part, key: key, phase: phase, to: &plain)
            try plain.withUnsafeBufferPointer { buffer throws(Inflater.Failure) in
                try inflater.inflate(UnsafeRawBufferPointer(buffer), into: &message, limit: limits.messageBytes)
            }
        } catch {
            throw failure(of: error)
        }
    }

    private mutating func currentInflater() -> Inflater {
        if let inflater { return inflater }
        // The largest window, whatever was agreed on: zlib sees that a peer reaches back too far only where its output
        // happens to be cut, so that with a smaller one a message's fate would hang on how it arrived.
        let made = Inflater()
        inflater = made
        return made
    }

    private func failure(of error: Inflater.Failure) -> WebSocketFailure {
        switch error {
        case .corrupt: WebSocketFailure(.invalidPayload, "a message can't be decompressed")
        case .tooLong: tooBig
        case .outOfMemory: WebSocketFailure(.internalError, "no memory to decompress")
        }
    }

    private mutating func endFrame() throws(WebSocketFailure) -> Event? {
        switch frame.opcode {
        case .ping: return .ping(takeControl())
        case .pong: return .pong(takeControl())
        case .close: return try endClose()
        case .continuation, .text, .binary: return frame.isFinal ? try endMessage() : nil
        }
    }

    private mutating func takeControl() -> [UInt8] {
        var payload: [UInt8] = []
        swap(&payload, &control)
        return payload
    }

    private mutating func endClose() throws(WebSocketFailure) -> Event {
        let payload = takeControl()
        guard payload.count >= 2 else {
            isClosed = true
            release()
            return .close(nil, reason: "")
        }
        let code = WebSocketCloseCode(rawValue: UInt16(payload[0]) << 8 | UInt16(payload[1]))
        guard code.isAllowedInFrame else {
            throw WebSocketFailure(.protocolError, "a close frame has a code that may not be sent")
        }
        guard let reason = String(validating: payload.dropFirst(2), as: UTF8.self) else {
            throw WebSocketFailure(.invalidPayload, "a close reason is not UTF-8")
        }
        isClosed = true
        release()
        return .close(code, reason: reason)
    }

    private mutating func endMessage() throws(WebSocketFailure) -> Event {
        if messageIsCompressed { try endInflating() }
        let isText = messageOpcode == .text
        guard !isText || text.isComplete else {
            throw WebSocketFailure(.invalidPayload, "a text message ends inside a character")
        }
        var payload: [UInt8] = []
        swap(&payload, &message)
        messageOpcode = nil
        return isText ? .text(payload) : .binary(payload)
    }

    private mutating func endInflating() throws(WebSocketFailure) {
        // Strictly an empty message is one zero octet; nothing at all can only mean the same.
        guard messageSentBytes > 0 else { return }
        let start = message.count
        let inflater = currentInflater()
        do throws(Inflater.Failure) {
            try inflater.finishMessage(into: &message, limit: limits.messageBytes)
        } catch {
            try checkText(from: start)
            throw failure(of: error)
        }
        try checkText(from: start)
        let isFresh =
            frames.role == .server ? compression?.clientNoContextTakeover : compression?.serverNoContextTakeover
        // Made anew for each message rather than kept: 40 KiB less for each idle connection.
        if isFresh ?? true { self.inflater = nil }
    }

    private mutating func release() {
        control = []
        message = []
        messageOpcode = nil
        inflater = nil
    }
}
