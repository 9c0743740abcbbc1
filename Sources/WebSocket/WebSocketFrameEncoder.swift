/// Writes frames (RFC 6455 section 5.2).
package enum WebSocketFrameEncoder {
    /// Bytes in the header of a frame.
    package static func headerCount(payloadCount: Int, isMasked: Bool) -> Int {
        (payloadCount < 126 ? 2 : payloadCount <= 0xFFFF ? 4 : 10) + (isMasked ? 4 : 0)
    }

    /// Appends a header. The payload must follow, masked when there is a key.
    /// - Parameter maskKey: nil for a server; a fresh random number for each frame of a client.
    package static func writeHeader(
        opcode: WebSocketOpcode, payloadCount: Int, isFinal: Bool = true, isCompressed: Bool = false,
        maskKey: UInt32? = nil, into output: inout [UInt8]
    ) {
        output.append((isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode.rawValue)
        let maskBit: UInt8 = maskKey == nil ? 0 : 0x80
        if payloadCount < 126 {
            output.append(maskBit | UInt8(truncatingIfNeeded: payloadCount))
        } else if payloadCount <= 0xFFFF {
            output.append(maskBit | 126)
            output.appendBigEndian(UInt64(payloadCount), octets: 2)
        } else {
            output.append(maskBit | 127)
            output.appendBigEndian(UInt64(payloadCount), octets: 8)
        }
        if let maskKey { output.appendBigEndian(UInt64(maskKey), octets: 4) }
    }

    /// Appends a whole frame. A control frame's payload is cut at 125 bytes, the most it may have.
    package static func write(
        opcode: WebSocketOpcode, payload: UnsafeRawBufferPointer, isFinal: Bool = true, isCompressed: Bool = false,
        maskKey: UInt32? = nil, into output: inout [UInt8]
    ) {
        let payload = opcode.isControl ? UnsafeRawBufferPointer(rebasing: payload.prefix(125)) : payload
        output.reserveForAppending(
            headerCount(payloadCount: payload.count, isMasked: maskKey != nil) + payload.count)
        writeHeader(
            opcode: opcode, payloadCount: payload.count, isFinal: isFinal, isCompressed: isCompressed,
            maskKey: maskKey, into: &output)
        if let maskKey {
            WebSocketMask.append(payload, key: maskKey, phase: 0, to: &output)
        } else {
            output.append(contentsOf: payload)
        }
    }

    package static func write(
        opcode: WebSocketOpcode, payload: [UInt8], isFinal: Bool = true, isCompressed: Bool = false,
        maskKey: UInt32? = nil, into output: inout [UInt8]
    ) {
        payload.withUnsafeBytes {
            write(
                opcode: opcode, payload: $0, isFinal: isFinal, isCompressed: isCompressed, maskKey: maskKey,
                into: &output)
        }
    }

    /// Appends a message as one frame, compressed when there is a deflater and the payload has at least `threshold`
    /// bytes. Without context takeover, what doesn't get smaller goes as it is; with it, what has been compressed must
    /// be sent so, since the peer's context has to follow.
    package static func writeMessage(
        opcode: WebSocketOpcode, payload: UnsafeRawBufferPointer, deflater: Deflater? = nil, threshold: Int = 128,
        maskKey: UInt32? = nil, into output: inout [UInt8]
    ) {
        if let deflater, payload.count >= threshold {
            var compressed: [UInt8] = []
            if deflater.compress(payload, into: &compressed),
                deflater.keepsContext || compressed.count < payload.count
            {
                return write(
                    opcode: opcode, payload: compressed, isCompressed: true, maskKey: maskKey, into: &output)
            }
        }
        write(opcode: opcode, payload: payload, maskKey: maskKey, into: &output)
    }

    package static func writeMessage(
        opcode: WebSocketOpcode, payload: [UInt8], deflater: Deflater? = nil, threshold: Int = 128,
        maskKey: UInt32? = nil, into output: inout [UInt8]
    ) {
        payload.withUnsafeBytes {
            writeMessage(
                opcode: opcode, payload: $0, deflater: deflater, threshold: threshold, maskKey: maskKey, into: &output)
        }
    }

    /// Appends a close frame. A code that may not be sent gives an empty one; the reason is cut at a character boundary
    /// to the 123 bytes there is room for.
    package static func writeClose(
        _ code: WebSocketCloseCode?, reason: String = "", maskKey: UInt32? = nil, into output: inout [UInt8]
    ) {
        var payload: [UInt8] = []
        if let code, code.isAllowedInFrame {
            payload.appendBigEndian(UInt64(code.rawValue), octets: 2)
            for scalar in reason.unicodeScalars {
                let octets = UTF8.encode(scalar)
                guard let octets, payload.count + octets.count <= 125 else { break }
                payload.append(contentsOf: octets)
            }
        }
        write(opcode: .close, payload: payload, maskKey: maskKey, into: &output)
    }
}

extension [UInt8] {
    mutating func appendBigEndian(_ number: UInt64, octets: Int) {
        for index in (0..<octets).reversed() {
            append(UInt8(truncatingIfNeeded: number >> UInt64(index * 8)))
        }
    }

    /// Makes room at once, growing by doubling as appending would: reserving exactly each time would copy each time.
    mutating func reserveForAppending(_ more: Int) {
        if count + more > capacity { reserveCapacity(Swift.max(count + more, capacity * 2)) }
    }
}
