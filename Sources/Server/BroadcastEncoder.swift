import HTTP1
import WebSocket

/// A text message encoded once for all WebSockets that get it. Keep it no longer than it takes to enqueue it: it keeps
/// its segment's memory from being used anew.
package final class EncodedFrame {
    private enum Deflated {
        case notTried
        case notSmaller
        case reference(FrameReference)
    }

    /// As one uncompressed frame.
    package let plain: FrameReference
    private let headerCount: Int
    private let encoder: BroadcastEncoder
    private var state = Deflated.notTried

    init(plain: FrameReference, headerCount: Int, encoder: BroadcastEncoder) {
        self.plain = plain
        self.headerCount = headerCount
        self.encoder = encoder
    }

    /// As one compressed frame, made when the first receiver wants it; nil when that is not worth it.
    package var deflated: FrameReference? {
        switch state {
        case .notSmaller: return nil
        case .reference(let reference): return reference
        case .notTried:
            let payload = UnsafeRawBufferPointer(rebasing: plain.bytes.dropFirst(headerCount))
            guard let reference = encoder.deflate(payload) else {
                state = .notSmaller
                return nil
            }
            state = .reference(reference)
            return reference
        }
    }
}

/// A server-sent event encoded once for all streams that get it.
package struct EncodedEvent {
    /// As one chunk of a chunked body.
    package let chunk: FrameReference
    /// Without that framing, for clients of HTTP/1.0.
    package let content: FrameReference
}

/// Encodes what goes to many: frames lie one after the other in shared segments.
package final class BroadcastEncoder {
    private let plain = SegmentWriter()
    private let events = SegmentWriter()
    private let compressed = SegmentWriter()
    private let compressor: Compressor

    package init(compressionThreshold: Int = ServerLimits().compressionThreshold) {
        compressor = Compressor(threshold: compressionThreshold)
    }

    /// Bytes below which nothing is compressed.
    package var compressionThreshold: Int {
        get { compressor.threshold }
        set { compressor.threshold = newValue }
    }

    /// A text frame whose payload is the pieces one after the other. They must be UTF-8 together.
    package func encode(_ pieces: [UInt8]...) -> EncodedFrame {
        var count = 0
        for piece in pieces { count += piece.count }
        let (reference, header) = appendFrame(payloadCount: count) { target in
            var target = target
            for piece in pieces {
                piece.withUnsafeBytes { copy($0, to: target) }
                target += piece.count
            }
        }
        return EncodedFrame(plain: reference, headerCount: header, encoder: self)
    }

    /// The same of bytes that lie somewhere else.
    package func encode(_ payload: UnsafeRawBufferPointer) -> EncodedFrame {
        let (reference, header) = appendFrame(payloadCount: payload.count) { copy(payload, to: $0) }
        return EncodedFrame(plain: reference, headerCount: header, encoder: self)
    }

    private func appendFrame(
        payloadCount: Int, _ fill: (UnsafeMutableRawPointer) -> Void
    ) -> (FrameReference, headerCount: Int) {
        let header = WebSocketFrameEncoder.headerCount(payloadCount: payloadCount, isMasked: false)
        let reference = plain.append(header + payloadCount) { target in
            FrameHeader.write(opcode: .text, payloadCount: payloadCount, isCompressed: false, to: target)
            fill(target + header)
        }
        return (reference, header)
    }

    fileprivate func deflate(_ payload: UnsafeRawBufferPointer) -> FrameReference? {
        compressor.compress(payload) { bytes in
            compressed.appendFrame(opcode: .text, payload: bytes, isCompressed: true)
        }
    }

    /// A server-sent event. Line ends in the data begin further `data` lines; `id` and `name` must have none.
    package func encodeEvent(id: [UInt8]? = nil, name: [UInt8]? = nil, data: [UInt8]) -> EncodedEvent {
        var text: [UInt8] = []
        text.reserveCapacity(data.count + 64)
        if let id { appendField("id: ", id, to: &text) }
        if let name { appendField("event: ", name, to: &text) }
        for line in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            appendField("data: ", line, to: &text)
        }
        text.append(UInt8(ascii: "\n"))
        return encodeEvent(text: text)
    }

    /// A part of a stream as it is, such as a comment that keeps the connection alive.
    package func encodeEvent(text: [UInt8]) -> EncodedEvent {
        var chunk: [UInt8] = []
        chunk.reserveCapacity(text.count + 16)
        HTTPResponseEncoder.writeChunk(text, into: &chunk)
        let reference = events.append(chunk)
        let start = chunk.count - 2 - text.count
        return EncodedEvent(chunk: reference, content: reference.slice(start, start + text.count))
    }

    private func appendField(_ name: StaticString, _ value: some Sequence<UInt8>, to text: inout [UInt8]) {
        text.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        text.append(contentsOf: value)
        text.append(UInt8(ascii: "\n"))
    }
}

/// Compresses messages one by one, without context: one deflater and one buffer for all connections.
final class Compressor {
    var threshold: Int
    private var deflater: Deflater?
    private var buffer: [UInt8] = []

    init(threshold: Int) {
        self.threshold = threshold
    }

    /// Calls `body` with the compressed bytes; nil when the payload is short or does not get smaller.
    func compress<R>(_ payload: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> R) -> R? {
        guard payload.count >= threshold else { return nil }
        let deflater = deflater ?? Deflater()
        self.deflater = deflater
        buffer.removeAll(keepingCapacity: buffer.capacity <= 1 << 20)
        guard deflater.compress(payload, into: &buffer), buffer.count < payload.count else { return nil }
        return buffer.withUnsafeBytes { body($0) }
    }
}

/// Frame headers of a server (RFC 6455 section 5.2), written where the frame is.
enum FrameHeader {
    @inline(__always)
    static func write(
        opcode: WebSocketOpcode, payloadCount: Int, isCompressed: Bool, to target: UnsafeMutableRawPointer
    ) {
        target.storeBytes(of: 0x80 | (isCompressed ? 0x40 : 0) | opcode.rawValue, as: UInt8.self)
        if payloadCount < 126 {
            target.storeBytes(of: UInt8(truncatingIfNeeded: payloadCount), toByteOffset: 1, as: UInt8.self)
        } else if payloadCount <= 0xffff {
            target.storeBytes(of: 126, toByteOffset: 1, as: UInt8.self)
            (target + 2).storeBytes(of: UInt16(truncatingIfNeeded: payloadCount).bigEndian, as: UInt16.self)
        } else {
            target.storeBytes(of: 127, toByteOffset: 1, as: UInt8.self)
            (target + 2).storeBytes(of: UInt64(payloadCount).bigEndian, as: UInt64.self)
        }
    }

    /// The length of the frame at the start of what this server has written, its header included.
    static func frameLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= 2 else { return nil }
        switch bytes[1] {
        case 126:
            guard bytes.count >= 4 else { return nil }
            return 4 + (Int(bytes[2]) << 8 | Int(bytes[3]))
        case 127:
            guard bytes.count >= 10 else { return nil }
            return 10 + (2..<10).reduce(0) { $0 << 8 | Int(bytes[$1]) }
        default:
            return 2 + Int(bytes[1])
        }
    }
}

extension SegmentWriter {
    /// A whole frame.
    func appendFrame(
        opcode: WebSocketOpcode, payload: UnsafeRawBufferPointer, isCompressed: Bool = false
    ) -> FrameReference {
        let header = WebSocketFrameEncoder.headerCount(payloadCount: payload.count, isMasked: false)
        return append(header + payload.count) { target in
            FrameHeader.write(opcode: opcode, payloadCount: payload.count, isCompressed: isCompressed, to: target)
            copy(payload, to: target + header)
        }
    }
}
