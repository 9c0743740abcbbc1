/// The two lines of a key or a signature as OpenBSD's signify writes them: an untrusted comment, and base64 of the
/// algorithm `Ed`, the key's number and what there is to say.
struct SignifyText {
    /// Bytes of algorithm and key number.
    static let headBytes = 10
    static let commentPrefix = Array("untrusted comment: ".utf8)
    /// Bytes that signify allows in a comment line.
    static let commentLimit = 1024

    /// 8 bytes that say which key it is. They are a name, no proof.
    var keyNumber: [UInt8]
    var content: [UInt8]

    /// Takes two lines off the front of a text.
    /// - Parameters:
    ///   - what: `public key` or `signature`, for messages.
    ///   - contentBytes: how long the content has to be.
    static func take(
        from text: inout ArraySlice<UInt8>, _ what: String, contentBytes: Int
    ) throws(SignatureError) -> SignifyText {
        let comment = try line(from: &text, "the comment of a \(what)")
        guard comment.starts(with: commentPrefix), comment.count <= commentLimit else {
            throw SignatureError("a \(what) begins with a line `untrusted comment: …`, this doesn't")
        }
        let encoded = try line(from: &text, "a \(what)")
        // Looked at before it is decoded, so that only what can be right costs anything.
        guard encoded.count == (headBytes + contentBytes + 2) / 3 * 4, let bytes = decodeBase64(encoded),
            bytes.count == headBytes + contentBytes
        else {
            throw SignatureError("the second line of a \(what) must be base64 of \(headBytes + contentBytes) bytes")
        }
        guard bytes.starts(with: "Ed".utf8) else { throw SignatureError("this \(what) is not of the kind Ed25519") }
        return SignifyText(keyNumber: Array(bytes[2..<headBytes]), content: Array(bytes[headBytes...]))
    }

    private static func line(
        from text: inout ArraySlice<UInt8>, _ what: String
    ) throws(SignatureError) -> ArraySlice<UInt8> {
        guard let end = text.firstIndex(of: UInt8(ascii: "\n")) else {
            throw SignatureError("the line of \(what) has no end: the text is cut off")
        }
        let line = text[..<end]
        text = text[(end + 1)...]
        guard !line.contains(where: { $0 == 0 || $0 == UInt8(ascii: "\r") }) else {
            throw SignatureError("the line of \(what) has a NUL or a carriage return in it")
        }
        return line
    }
}

/// Base64 (RFC 4648 section 4) with its padding, nothing around it, and no bit that is not needed: there is one text for
/// some bytes. Nil for any other text.
func decodeBase64(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    let padding = text.reversed().prefix { $0 == UInt8(ascii: "=") }.count
    guard padding <= 2 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3)
    var (bits, count): (UInt32, Int) = (0, 0)
    for character in text.dropLast(padding) {
        let value: UInt8
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): value = 62
        case UInt8(ascii: "/"): value = 63
        default: return nil
        }
        bits = bits << 6 | UInt32(value)
        count += 6
        if count >= 8 {
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
    }
    guard bits & (1 << UInt32(count) - 1) == 0 else { return nil }
    return bytes
}
