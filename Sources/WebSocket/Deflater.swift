import CZlib

/// Raw deflate of messages (RFC 7692 section 7.2.1).
///
/// Without context takeover, one instance serves any number of connections: a broadcast is compressed once. Costs
/// 2^(windowBits+2) + 2^(memLevel+9) bytes. Not thread-safe.
package final class Deflater {
    package struct Settings: Sendable, Equatable {
        /// 1 (fast) to 9 (small). Default 1: chat traffic gains little from more.
        package var level: Int
        /// 9...15; zlib can't write raw streams with 8.
        package var windowBits: Int
        /// 1...9: memory of the hash tables. Default 8, zlib's own.
        package var memoryLevel: Int

        package init(level: Int = 1, windowBits: Int = 15, memoryLevel: Int = 8) {
            self.level = min(max(level, 1), 9)
            self.windowBits = min(max(windowBits, 9), 15)
            self.memoryLevel = min(max(memoryLevel, 1), 9)
        }
    }

    package let keepsContext: Bool
    private let stream: UnsafeMutablePointer<z_stream>
    private let hasStream: Bool

    /// - Parameter keepsContext: whether a message may refer to those before it; then the instance belongs to one
    ///   connection.
    package init(settings: Settings = Settings(), keepsContext: Bool = false) {
        self.keepsContext = keepsContext
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        hasStream =
            zlib_deflate_init(
                stream, Int32(settings.level), Int32(settings.windowBits), Int32(settings.memoryLevel)) == Z_OK
    }

    deinit {
        if hasStream { deflateEnd(stream) }
        stream.deallocate()
    }

    /// Appends a compressed message without its trailing 00 00 FF FF.
    /// - Returns: false when zlib has no memory; `output` is as it was and the message must go uncompressed.
    package func compress(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) -> Bool {
        guard hasStream else { return false }
        guard let base = input.bindMemory(to: UInt8.self).baseAddress, !input.isEmpty else {
            // A flush with nothing new writes nothing; an empty stored block is what RFC 7692 section 7.2.3.6 says.
            output.append(0x00)
            return true
        }
        let start = output.count
        let bound = Int(deflateBound(stream, UInt(input.count))) + 16
        // zlib takes a non-const pointer and does not write through it.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: base)
        stream.pointee.avail_in = UInt32(clamping: input.count)
        var isFull = true
        while isFull {
            let room = min(bound, 64 << 10)
            output.append(addingCapacity: room) { pointer in
                stream.pointee.next_out = pointer
                stream.pointee.avail_out = UInt32(clamping: room)
                _ = deflate(stream, Z_SYNC_FLUSH)
                isFull = stream.pointee.avail_out == 0
                return room - Int(stream.pointee.avail_out)
            }
        }
        stream.pointee.next_in = nil
        stream.pointee.next_out = nil
        if !keepsContext { deflateReset(stream) }
        guard output.count - start > 4, output.suffix(4).elementsEqual([0x00, 0x00, 0xFF, 0xFF]) else {
            output.removeSubrange(start...)
            return false
        }
        output.removeLast(4)
        return true
    }

    package func compress(_ input: [UInt8], into output: inout [UInt8]) -> Bool {
        input.withUnsafeBytes { compress($0, into: &output) }
    }
}
