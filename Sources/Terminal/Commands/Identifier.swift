import Base

enum Identifier {
    /// For `clientMessageId`: 128 random bits.
    static func random() -> String { hexadecimal(randomBytes(16)) }
}
