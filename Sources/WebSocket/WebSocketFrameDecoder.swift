package struct WebSocketFrameHeader: Sendable, Equatable {
    package var isFinal: Bool
    /// RSV1: the message is compressed, where permessage-deflate was agreed on.
    package var isCompressed: Bool
    package var opcode: WebSocketOpcode
    package var payloadCount: Int
    /// First octet in the highest byte; nil when the frame isn't masked.
    package var maskKey: UInt32?
}

/// Takes frames out of a byte stream (RFC 6455 section 5.2), checking each octet of a header as soon as it is there.
///
/// Pulled: `while let event = try decoder.next(&input)`; nil means that all input has been taken. It knows single
/// frames only; what frames mean together is `WebSocketMessageAssembler`'s. It holds no memory of its own.
package struct WebSocketFrameDecoder: Sendable {
    package enum Event {
        case header(WebSocketFrameHeader)
        /// A part of the payload, still masked, at least one byte, lying in `input`; `phase` octets came before it.
        case payload(UnsafeRawBufferPointer, phase: Int)
        case end
    }

    private enum State {
        case first
        case second
        case length(remaining: Int)
        case mask(remaining: Int)
        case header
        case payload(received: Int)
    }

    package let role: WebSocketRole
    package let maxFrameBytes: Int
    package let allowsCompression: Bool
    private var state = State.first
    private var header = WebSocketFrameHeader(isFinal: true, isCompressed: false, opcode: .text, payloadCount: 0)
    private var length: UInt64 = 0
    private var lengthOctets = 0
    private var mask: UInt32 = 0

    package init(role: WebSocketRole, maxFrameBytes: Int, allowsCompression: Bool) {
        self.role = role
        self.maxFrameBytes = maxFrameBytes
        self.allowsCompression = allowsCompression
    }

    /// Whether the last frame is complete.
    package var isBetweenFrames: Bool {
        if case .first = state { return true }
        return false
    }

    package mutating func next(_ input: inout UnsafeRawBufferPointer) throws(WebSocketFailure) -> Event? {
        while true {
            switch state {
            case .first:
                guard let byte = Self.take(&input) else { return nil }
                try takeFirst(byte)
                state = .second
            case .second:
                guard let byte = Self.take(&input) else { return nil }
                try takeSecond(byte)
            case .length(let remaining):
                guard let byte = Self.take(&input) else { return nil }
                if remaining == 8, byte & 0x80 != 0 {
                    throw WebSocketFailure(.protocolError, "the highest bit of a 64-bit length is set")
                }
                length = length << 8 | UInt64(byte)
                if remaining > 1 {
                    state = .length(remaining: remaining - 1)
                } else {
                    try takeLength()
                }
            case .mask(let remaining):
                guard let byte = Self.take(&input) else { return nil }
                mask = mask << 8 | UInt32(byte)
                state = remaining > 1 ? .mask(remaining: remaining - 1) : .header
                if remaining == 1 { header.maskKey = mask }
            case .header:
                state = .payload(received: 0)
                return .header(header)
            case .payload(let received):
                let missing = header.payloadCount - received
                if missing == 0 {
                    state = .first
                    return .end
                }
                guard !input.isEmpty else { return nil }
                let part = UnsafeRawBufferPointer(rebasing: input.prefix(missing))
                input = UnsafeRawBufferPointer(rebasing: input.dropFirst(part.count))
                state = .payload(received: received + part.count)
                return .payload(part, phase: received)
            }
        }
    }

    @inline(__always)
    private static func take(_ input: inout UnsafeRawBufferPointer) -> UInt8? {
        guard let byte = input.first else { return nil }
        input = UnsafeRawBufferPointer(rebasing: input.dropFirst())
        return byte
    }

    private mutating func takeFirst(_ byte: UInt8) throws(WebSocketFailure) {
        guard let opcode = WebSocketOpcode(rawValue: byte & 0x0F) else {
            throw WebSocketFailure(.protocolError, "reserved opcode")
        }
        let isFinal = byte & 0x80 != 0
        let isCompressed = byte & 0x40 != 0
        guard byte & 0x30 == 0 else { throw WebSocketFailure(.protocolError, "RSV2 or RSV3 is set") }
        if isCompressed {
            guard allowsCompression else {
                throw WebSocketFailure(.protocolError, "RSV1 is set, but no compression was agreed on")
            }
            guard opcode == .text || opcode == .binary else {
                throw WebSocketFailure(.protocolError, "RSV1 is set on a frame that starts no message")
            }
        }
        guard isFinal || !opcode.isControl else {
            throw WebSocketFailure(.protocolError, "a control frame is fragmented")
        }
        header = WebSocketFrameHeader(
            isFinal: isFinal, isCompressed: isCompressed, opcode: opcode, payloadCount: 0, maskKey: nil)
    }

    private mutating func takeSecond(_ byte: UInt8) throws(WebSocketFailure) {
        let isMasked = byte & 0x80 != 0
        switch role {
        case .server where !isMasked:
            throw WebSocketFailure(.protocolError, "a frame from a client must be masked")
        case .client where isMasked:
            throw WebSocketFailure(.protocolError, "a frame from a server must not be masked")
        default:
            break
        }
        let short = Int(byte & 0x7F)
        guard short <= 125 || !header.opcode.isControl else {
            throw WebSocketFailure(.protocolError, "a control frame has more than 125 bytes")
        }
        length = 0
        mask = 0
        lengthOctets = short == 126 ? 2 : short == 127 ? 8 : 0
        if lengthOctets > 0 {
            state = .length(remaining: lengthOctets)
        } else {
            length = UInt64(short)
            try takeLength()
        }
    }

    private mutating func takeLength() throws(WebSocketFailure) {
        if (lengthOctets == 2 && length < 126) || (lengthOctets == 8 && length <= 0xFFFF) {
            throw WebSocketFailure(.protocolError, "a length is not in its shortest form")
        }
        guard length <= UInt64(max(0, maxFrameBytes)) || header.opcode.isControl else {
            throw WebSocketFailure(.messageTooBig, "a frame is larger than \(maxFrameBytes) bytes")
        }
        header.payloadCount = Int(truncatingIfNeeded: length)
        state = role == .server ? .mask(remaining: 4) : .header
    }
}
