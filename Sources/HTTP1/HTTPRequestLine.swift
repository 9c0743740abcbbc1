// The request line and the four forms of a target (RFC 9112 section 3).

extension HTTPRequestHead {
    /// - Parameter line: without control characters but tabs.
    init(line: UnsafeRawBufferPointer, capacity: Int) throws(HTTPParseError) {
        guard let methodEnd = line.first(0x20), methodEnd > 0 else {
            throw HTTPParseError(400, .badRequestLine, "the request line has no method and target")
        }
        guard let targetEnd = line.first(0x20, from: methodEnd + 1), targetEnd > methodEnd + 1 else {
            throw HTTPParseError(400, .badRequestLine, "the request line must be: method, target, HTTP version")
        }
        try Self.checkVersionAndMethod(line, methodEnd: methodEnd, versionStart: targetEnd + 1)
        version = line[line.count &- 1] == 0x30 ? .http10 : .http11
        method = Self.method(line.slice(0, methodEnd))

        let target = line.slice(methodEnd + 1, targetEnd)
        headers.block.reserveCapacity(capacity)
        headers.block.append(contentsOf: target)
        headers.fields.reserveCapacity(12)
        self.targetEnd = UInt32(truncatingIfNeeded: target.count)
        try takeTarget(target)
    }

    private static func checkVersionAndMethod(
        _ line: UnsafeRawBufferPointer, methodEnd: Int, versionStart: Int
    ) throws(HTTPParseError) {
        for index in 0..<methodEnd where !line[index].isTokenCharacter {
            throw HTTPParseError(400, .badRequestLine, "the method has an invalid character")
        }
        let version = line.slice(versionStart, line.count)
        guard version.count == 8, version[0] == 0x48, version[1] == 0x54, version[2] == 0x54, version[3] == 0x50,
            version[4] == 0x2F, version[5].isDigit, version[6] == 0x2E, version[7].isDigit
        else {
            throw HTTPParseError(400, .badRequestLine, "the request line must end in HTTP/1.1 or HTTP/1.0")
        }
        if version[5] == 0x31, version[7] <= 0x31 { return }
        if version[5] == 0x32, line.slice(0, methodEnd).elementsEqual("PRI".utf8) {
            throw HTTPParseError(505, .http2OnPlainPort, "this port speaks HTTP/1.1: HTTP/2 is not supported")
        }
        throw HTTPParseError(505, .unsupportedVersion, "only HTTP/1.1 and HTTP/1.0 are supported")
    }

    private static func method(_ name: UnsafeRawBufferPointer) -> HTTPMethod {
        // Methods are case-sensitive: "get" is another method, which no route knows.
        switch name.count {
        case 3:
            if name[0] == 0x47, name[1] == 0x45, name[2] == 0x54 { return .get }
            if name.elementsEqual("PUT".utf8) { return .put }
        case 4:
            if name.elementsEqual("POST".utf8) { return .post }
            if name.elementsEqual("HEAD".utf8) { return .head }
        case 5:
            if name.elementsEqual("PATCH".utf8) { return .patch }
        case 6:
            if name.elementsEqual("DELETE".utf8) { return .delete }
        case 7:
            if name.elementsEqual("OPTIONS".utf8) { return .options }
        default:
            break
        }
        return .other(name.asString)
    }

    private mutating func takeTarget(_ target: UnsafeRawBufferPointer) throws(HTTPParseError) {
        if case .other(let name) = method {
            if name == "CONNECT" {
                throw HTTPParseError(501, .unsupportedMethod, "CONNECT is not supported: this is no proxy")
            }
            if name.utf8.count > 32 {
                throw HTTPParseError(501, .unsupportedMethod, "a method of more than 32 characters is not supported")
            }
        }
        var query = target.count
        for index in 0..<target.count {
            let byte = target[index]
            // Browsers send more than RFC 3986 allows (such as "|"), so that only what can't be a target is refused.
            guard byte > 0x20, byte < 0x7F, byte != 0x23 else {
                throw HTTPParseError(400, .badTarget, "the request target has a character that must be percent-encoded")
            }
            if byte == 0x3F, query == target.count { query = index }
        }
        pathEnd = UInt32(truncatingIfNeeded: query)
        if target[0] == 0x2F { return }
        if target.count == 1, target[0] == 0x2A, method == .options {
            isAsterisk = true
            return
        }
        try takeAbsolute(target, query: query)
    }

    private mutating func takeAbsolute(_ target: UnsafeRawBufferPointer, query: Int) throws(HTTPParseError) {
        let prefix: Int
        if target.count > 7, target.slice(0, 7).equalsIgnoringCase("http://") {
            prefix = 7
        } else if target.count > 8, target.slice(0, 8).equalsIgnoringCase("https://") {
            prefix = 8
        } else {
            throw HTTPParseError(400, .badTarget, "the request target must start with / or be an http URL")
        }
        let path = min(target.first(0x2F, from: prefix) ?? query, query)
        let authority = target.slice(prefix, path)
        guard !authority.isEmpty, authority.isHostText else {
            throw HTTPParseError(400, .badTarget, "the authority of the request target must be a host and a port")
        }
        authorityStart = UInt32(truncatingIfNeeded: prefix)
        authorityEnd = UInt32(truncatingIfNeeded: path)
        pathStart = UInt32(truncatingIfNeeded: path)
    }
}

extension UnsafeRawBufferPointer {
    /// Whether there are only characters that a host with a port may have (RFC 3986 section 3.2.2); `@` is none.
    var isHostText: Bool {
        let low: UInt64 = 0x2FFF_7FF2_0000_0000
        let high: UInt64 = 0x47FF_FFFE_AFFF_FFFE
        for byte in self {
            guard byte < 128 else { return false }
            let set = byte < 64 ? low : high
            guard (set &>> UInt64(byte & 63)) & 1 != 0 else { return false }
        }
        return true
    }
}
