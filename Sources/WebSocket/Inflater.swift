import CZlib

/// Raw inflate of one direction of a connection (RFC 7692 section 7.2.2).
///
/// Costs about 7 KiB, and 2^windowBits bytes more once it has been used. Not thread-safe.
package final class Inflater {
    package enum Failure: Error, Equatable, Sendable {
        /// The data is not a deflate stream, or not one that ends where the message does.
        case corrupt
        /// The output would be longer than the limit; inflating has stopped there.
        case tooLong
        case outOfMemory
    }

    // On the heap, since zlib keeps a pointer back to it.
    private let stream: UnsafeMutablePointer<z_stream>
    private let hasStream: Bool
    /// Whether the last thing that was read is the end of a final block, after which nothing has come.
    private var isAtStreamEnd = false

    /// - Parameter windowBits: 8...15; 15 reads everything.
    package init(windowBits: Int = 15) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        hasStream = zlib_inflate_init(stream, Int32(min(max(windowBits, 8), 15))) == Z_OK
    }

    deinit {
        if hasStream { inflateEnd(stream) }
        stream.deallocate()
    }

    /// Forgets all context: the next message starts from nothing.
    package func reset() {
        isAtStreamEnd = false
        if hasStream { inflateReset(stream) }
    }

    /// Appends what `input`, a part of a message, inflates to.
    /// - Parameter limit: bytes that `output` may have in the end.
    package func inflate(
        _ input: UnsafeRawBufferPointer, into output: inout [UInt8], limit: Int
    ) throws(Failure) {
        guard hasStream else { throw .outOfMemory }
        guard let base = input.bindMemory(to: UInt8.self).baseAddress, !input.isEmpty else { return }
        // zlib takes a non-const pointer and does not write through it.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: base)
        stream.pointee.avail_in = UInt32(clamping: input.count)
        defer {
            stream.pointee.next_in = nil
            stream.pointee.avail_in = 0
        }
        while true {
            if isAtStreamEnd, stream.pointee.avail_in > 0 {
                // A sender may end a block as "final" and go on with the next (RFC 7692 section 7.2.3.4). The window
                // stays, as the peer's does: inflateReset would drop it.
                guard inflateResetKeep(stream) == Z_OK else { throw .corrupt }
                isAtStreamEnd = false
            }
            let (result, isFull) = step(into: &output, limit: limit)
            guard output.count <= limit else { throw .tooLong }
            switch result {
            case Z_OK:
                if !isFull, stream.pointee.avail_in == 0 { return }
            case Z_STREAM_END:
                isAtStreamEnd = true
                if stream.pointee.avail_in == 0 { return }
            case Z_BUF_ERROR:
                // No progress was possible: there is no more input, and no more output waiting.
                return
            case Z_MEM_ERROR:
                throw .outOfMemory
            default:
                throw .corrupt
            }
        }
    }

    /// Ends a message: reads the four octets that its sender left out, and checks that it ends there.
    package func finishMessage(into output: inout [UInt8], limit: Int) throws(Failure) {
        guard !isAtStreamEnd else { return }
        let tail: (UInt8, UInt8, UInt8, UInt8) = (0x00, 0x00, 0xFF, 0xFF)
        try withUnsafeBytes(of: tail) { bytes throws(Failure) in
            try inflate(bytes, into: &output, limit: limit)
        }
        // 128: at the end of a block; the low bits: octets of input not used up.
        guard !isAtStreamEnd, stream.pointee.data_type == 128 else { throw .corrupt }
    }

    /// One call of zlib. The room grows with the output, at most one byte past the limit: enough to know.
    private func step(into output: inout [UInt8], limit: Int) -> (result: Int32, isFull: Bool) {
        let room = min(max(1024, min(output.count, 1 << 20)), max(1, limit + 1 - output.count))
        var written = 0
        var result = Z_OK
        output.append(addingCapacity: room) { pointer in
            stream.pointee.next_out = pointer
            stream.pointee.avail_out = UInt32(clamping: room)
            result = CZlib.inflate(stream, Z_SYNC_FLUSH)
            written = room - Int(stream.pointee.avail_out)
            stream.pointee.next_out = nil
            return written
        }
        return (result, written == room)
    }
}

extension [UInt8] {
    /// Appends what `body` writes: it gets room for `count` bytes and returns how many it used.
    ///
    /// Through a buffer on the stack or heap of that size, since an array can't be extended by raw memory in place.
    mutating func append(addingCapacity count: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count) { buffer in
            guard let base = buffer.baseAddress else { return }
            let used = Swift.min(Swift.max(0, body(base)), count)
            append(contentsOf: UnsafeBufferPointer(start: base, count: used))
        }
    }
}
