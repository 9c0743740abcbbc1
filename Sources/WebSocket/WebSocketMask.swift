/// The masking of client frames (RFC 6455 section 5.3), eight bytes at a time.
package enum WebSocketMask {
    /// Appends `source` masked (or unmasked: it is the same) to `output`.
    /// - Parameters:
    ///   - key: the four octets of the key, the first in the highest byte.
    ///   - phase: how many octets of the payload came before `source`.
    package static func append(
        _ source: UnsafeRawBufferPointer, key: UInt32, phase: Int, to output: inout [UInt8]
    ) {
        let start = output.count
        output.append(contentsOf: source)
        output.withUnsafeMutableBytes { bytes in
            apply(key: key, phase: phase, to: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]))
        }
    }

    /// Masks in place.
    package static func apply(key: UInt32, phase: Int, to bytes: UnsafeMutableRawBufferPointer) {
        guard key != 0, let base = bytes.baseAddress else { return }
        let shift = UInt32(truncatingIfNeeded: phase & 3) * 8
        let turned = shift == 0 ? key : key << shift | key >> (32 - shift)
        let half = UInt64(turned.bigEndian)
        // Both halves are the same four octets in memory order, whatever the machine's byte order.
        let word = half | half << 32
        let count = bytes.count
        var index = 0
        while index &+ 8 <= count {
            let value = base.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            base.storeBytes(of: value ^ word, toByteOffset: index, as: UInt64.self)
            index &+= 8
        }
        var rest = turned
        while index < count {
            let value = base.load(fromByteOffset: index, as: UInt8.self)
            rest = rest << 8 | rest >> 24
            base.storeBytes(of: value ^ UInt8(truncatingIfNeeded: rest), toByteOffset: index, as: UInt8.self)
            index &+= 1
        }
    }
}
