/// Makes identifiers that sort by time: 48 bits of milliseconds, then 80 random bits, as 26 letters of Crockford's
/// base 32 (the ULID specification). Within one millisecond the random part counts up, so that identifiers of one
/// generator sort in the order in which they were made.
package struct ULIDGenerator: Sendable {
    private var lastMilliseconds: Int64 = -1
    private var high: UInt16 = 0
    private var low: UInt64 = 0

    package init() {}

    package mutating func next(at time: Timestamp = .now) -> String {
        // A clock set back must not make identifiers that sort before those already given.
        let milliseconds = max(time.milliseconds, lastMilliseconds)
        if milliseconds == lastMilliseconds {
            low &+= 1
            if low == 0 { high &+= 1 }
        } else {
            lastMilliseconds = milliseconds
            var random = SystemRandomNumberGenerator()
            // The top bit stays free, so that counting up cannot wrap within one millisecond.
            high = UInt16.random(in: 0...0x7fff, using: &random)
            low = random.next()
        }
        return ULIDGenerator.text(milliseconds: UInt64(clamping: milliseconds), high: high, low: low)
    }

    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

    private static func text(milliseconds: UInt64, high: UInt16, low: UInt64) -> String {
        String(unsafeUninitializedCapacity: 26) { buffer in
            var time = milliseconds
            for index in stride(from: 9, through: 0, by: -1) {
                buffer[index] = alphabet[Int(time & 31)]
                time >>= 5
            }
            // 80 bits: 16 high, 64 low. Taken five at a time from the low end.
            var high = UInt64(high)
            var low = low
            for index in stride(from: 25, through: 10, by: -1) {
                buffer[index] = alphabet[Int(low & 31)]
                low = low >> 5 | (high & 31) << 59
                high >>= 5
            }
            return 26
        }
    }
}
