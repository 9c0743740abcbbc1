/// Checks UTF-8 (RFC 3629) that comes in pieces, and fails at the first octet that can't be part of it.
package struct UTF8Validator: Sendable {
    /// Continuation octets that are still to come, and the range the next one must be in.
    private var pending: UInt8 = 0
    private var low: UInt8 = 0x80
    private var high: UInt8 = 0xBF

    package init() {}

    /// Whether no character is cut off.
    package var isComplete: Bool { pending == 0 }

    /// Returns false when the bytes can't go on what came before.
    package mutating func accept(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        let count = bytes.count
        var index = 0
        while index < count {
            if pending == 0 {
                while index &+ 8 <= count,
                    base.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
                {
                    index &+= 8
                }
                guard index < count else { return true }
            }
            guard accept(base.load(fromByteOffset: index, as: UInt8.self)) else { return false }
            index &+= 1
        }
        return true
    }

    @inline(__always)
    private mutating func accept(_ byte: UInt8) -> Bool {
        if pending > 0 {
            guard byte >= low, byte <= high else { return false }
            pending &-= 1
            (low, high) = (0x80, 0xBF)
            return true
        }
        switch byte {
        case 0x00...0x7F: return true
        case 0xC2...0xDF: pending = 1
        case 0xE0: (pending, low) = (2, 0xA0)  // no overlong forms
        case 0xED: (pending, high) = (2, 0x9F)  // no surrogates
        case 0xE1...0xEF: pending = 2
        case 0xF0: (pending, low) = (3, 0x90)
        case 0xF4: (pending, high) = (3, 0x8F)  // nothing beyond U+10FFFF
        case 0xF1...0xF3: pending = 3
        default: return false
        }
        return true
    }

    /// Whether a whole text is UTF-8.
    package static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var validator = UTF8Validator()
        return validator.accept(bytes) && validator.isComplete
    }
}
