// One header line (RFC 9112 section 5), and what the fields say about where the body ends (section 6).

extension HTTPHeaders {
    /// Checks a line, adds it, and returns its name and value. The line has no control characters left but tabs.
    /// - Throws: 400 for a folded line, a space before the colon, or a name that is no token.
    mutating func append(
        line: UnsafeRawBufferPointer
    ) throws(HTTPParseError) -> (name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        if line[0].isSpaceOrTab {
            throw HTTPParseError(400, .badHeader, "a header line starts with a space: folded headers are not accepted")
        }
        var colon = 0
        while colon < line.count, line[colon].isTokenCharacter { colon &+= 1 }
        guard colon < line.count, line[colon] == 0x3A else {
            let space = colon < line.count && line[colon].isSpaceOrTab
            throw HTTPParseError(
                400, .badHeader,
                space
                    ? "a header name is followed by a space: the colon must follow at once"
                    : "a header line has a name with an invalid character, or no colon")
        }
        guard colon > 0 else { throw HTTPParseError(400, .badHeader, "a header line has no name") }
        let value = line.slice(colon &+ 1, line.count).trimmed
        let start = block.count
        block.append(contentsOf: line.slice(0, colon))
        block.withUnsafeMutableBufferPointer { bytes in
            for index in start..<(start &+ colon) { bytes[index] = bytes[index].lowercasedASCII }
        }
        block.append(contentsOf: value)
        fields.append(
            Field(
                start: UInt32(truncatingIfNeeded: start), nameCount: UInt32(truncatingIfNeeded: colon),
                valueCount: UInt32(truncatingIfNeeded: value.count)))
        return (line.slice(0, colon), value)
    }
}

/// What has been seen so far of the fields that decide how a message is framed and what happens after it.
struct MessageFraming {
    var contentLength: Int?
    var isContentLengthOverLimit = false
    var chunked = false
    var hostCount = 0
    var connectionClose = false
    var connectionKeepAlive = false
    var connectionUpgrade = false
    var hasUpgrade = false
    var expectContinue = false
    var expectUnknown = false

    /// Takes note of a field.
    mutating func note(
        name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, bodyLimit: Int
    ) throws(HTTPParseError) {
        switch name.count {
        case 4 where name.equalsIgnoringCase("host"):
            hostCount &+= 1
        case 6 where name.equalsIgnoringCase("expect"):
            if value.equalsIgnoringCase("100-continue") { expectContinue = true } else { expectUnknown = true }
        case 7 where name.equalsIgnoringCase("upgrade"):
            hasUpgrade = true
        case 10 where name.equalsIgnoringCase("connection"):
            value.forEachListElement { token in
                if token.equalsIgnoringCase("close") {
                    connectionClose = true
                } else if token.equalsIgnoringCase("keep-alive") {
                    connectionKeepAlive = true
                } else if token.equalsIgnoringCase("upgrade") {
                    connectionUpgrade = true
                }
                return true
            }
        case 14 where name.equalsIgnoringCase("content-length"):
            // Even two that agree are refused: what stands in front may have read them another way.
            if contentLength != nil {
                throw HTTPParseError(400, .badFraming, "Content-Length is there twice")
            }
            contentLength = try Self.length(value)
            isContentLengthOverLimit = (contentLength ?? 0) > bodyLimit
        case 17 where name.equalsIgnoringCase("transfer-encoding"):
            if chunked { throw HTTPParseError(400, .badFraming, "Transfer-Encoding is there twice") }
            guard value.equalsIgnoringCase("chunked") else { throw Self.refuse(transferCoding: value) }
            chunked = true
        default:
            break
        }
    }

    /// Digits only: no sign, no space, no list.
    private static func length(_ value: UnsafeRawBufferPointer) throws(HTTPParseError) -> Int {
        guard !value.isEmpty else { throw HTTPParseError(400, .badFraming, "Content-Length is empty") }
        var total = 0
        for byte in value {
            guard byte.isDigit else {
                throw HTTPParseError(400, .badFraming, "Content-Length must be one decimal number")
            }
            let (product, overflow) = total.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(byte &- 0x30))
            // So large that it is over any limit: the exact figure doesn't matter any more.
            total = overflow || carry ? Int.max / 16 : sum
        }
        return total
    }

    private static func refuse(transferCoding value: UnsafeRawBufferPointer) -> HTTPParseError {
        // Codings that exist are "not implemented" (RFC 9112 section 6.1); anything else is an attempt to be read in
        // two ways.
        var known = true
        var names = 0
        value.forEachListElement { coding in
            names += 1
            let isLast = coding.equalsIgnoringCase("chunked")
            let isKnown =
                coding.equalsIgnoringCase("gzip") || coding.equalsIgnoringCase("x-gzip")
                || coding.equalsIgnoringCase("deflate") || coding.equalsIgnoringCase("compress")
                || coding.equalsIgnoringCase("x-compress")
            if !(isKnown || (isLast && names > 1)) { known = false }
            return true
        }
        return known && names > 0
            ? HTTPParseError(501, .unsupportedTransferCoding, "the only transfer coding that is supported is chunked")
            : HTTPParseError(400, .badFraming, "Transfer-Encoding must be exactly \"chunked\"")
    }
}
