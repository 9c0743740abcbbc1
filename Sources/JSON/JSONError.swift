/// Why a text is not JSON, and where.
package struct JSONError: Error, Equatable, CustomStringConvertible, Sendable {
    package enum Reason: Equatable, Sendable {
        case unexpectedEnd
        case unexpectedByte(UInt8)
        case invalidNumber
        case invalidEscape
        case invalidUTF8
        case controlCharacterInString
        case tooDeep(limit: Int)
        case trailingBytes
    }

    package let reason: Reason
    /// The offset of the offending byte.
    package let offset: Int

    package var description: String {
        let what =
            switch reason {
            case .unexpectedEnd: "the text ends too early"
            case .unexpectedByte(let byte): "unexpected byte 0x\(String(byte, radix: 16))"
            case .invalidNumber: "invalid number"
            case .invalidEscape: "invalid escape in a string"
            case .invalidUTF8: "invalid UTF-8 in a string"
            case .controlCharacterInString: "unescaped control character in a string"
            case .tooDeep(let limit): "nested deeper than \(limit)"
            case .trailingBytes: "something follows the value"
            }
        return "\(what) at byte \(offset)"
    }
}
