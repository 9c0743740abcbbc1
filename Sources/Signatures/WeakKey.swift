/// Public keys under which anybody can sign. OpenSSL takes them: RFC 8032 leaves it to whoever chooses a key to choose a good one.
enum WeakKey {
    /// What a key's bytes have but for their last bit, the sign of x: y as a little-endian number. These are the points whose
    /// order divides 8; a signature made without any secret is right for them, over one message in eight or over all.
    private static let smallOrders: [[UInt8]] = [
        [0] + zeros, [1] + zeros, [0xec] + ones,
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ]
    private static let zeros = [UInt8](repeating: 0, count: 31)
    private static let ones = [UInt8](repeating: 0xff, count: 30) + [0x7f]

    /// Why a key of 32 bytes isn't to be used; nil when nothing speaks against it.
    static func problem(_ key: [UInt8]) -> String? {
        var y = key
        y[31] &= 0x7f
        // Not below 2^255 - 19: a second spelling of a smaller number.
        if y.dropFirst() == ones[...], y[0] >= 0xed { return "it is not written as Ed25519 keys are" }
        return smallOrders.contains(y) ? "anybody could sign with it (it is a point of small order)" : nil
    }
}
