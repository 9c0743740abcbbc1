import Digests

package struct WebSocketHandshakeError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case badMethod = "bad_method"
        case badVersion = "bad_http_version"
        case notAnUpgrade = "not_an_upgrade"
        case badKey = "bad_websocket_key"
        case badWebSocketVersion = "bad_websocket_version"
        case hasBody = "has_body"
        case refused = "refused"
        case badAccept = "bad_accept"
        case badExtensions = "bad_extensions"
        case badSubprotocol = "bad_subprotocol"
    }

    package let code: Code
    package let message: String
    /// What a server answers with: 400, 405 or 426. In a client's errors the status it got, or 0.
    package let status: Int
    /// Fields the answer must have.
    package let headers: [(String, String)]

    package init(_ code: Code, _ message: String, status: Int = 0, headers: [(String, String)] = []) {
        self.code = code
        self.message = message
        self.status = status
        self.headers = headers
    }

    package var description: String { "\(code.rawValue): \(message)" }

    package static func == (left: WebSocketHandshakeError, right: WebSocketHandshakeError) -> Bool {
        left.code == right.code && left.status == right.status && left.message == right.message
    }
}

/// The opening handshake (RFC 6455 section 4). It takes header values by a closure, so that it knows no HTTP parser.
package enum WebSocketHandshake {
    package struct Settings: Sendable {
        /// nil declines compression.
        package var compression: PerMessageDeflate.Settings?
        /// Subprotocols that are accepted, in the server's order; others are ignored, as RFC 6455 section 4.2.2 allows.
        package var subprotocols: [String]

        package init(compression: PerMessageDeflate.Settings? = .init(), subprotocols: [String] = []) {
            self.compression = compression
            self.subprotocols = subprotocols
        }
    }

    /// What to answer with status 101, and how to go on.
    package struct Acceptance: Sendable {
        /// Upgrade, Connection, Sec-WebSocket-Accept, and what was agreed on.
        package let headers: [(String, String)]
        package let compression: PerMessageDeflate.Agreement?
        package let subprotocol: String?
    }

    /// Checks an upgrade request.
    /// - Parameters:
    ///   - isHTTP11: whether the request is HTTP/1.1.
    ///   - hasBody: whether a body follows, which could not be told from frames.
    ///   - values: all values of a header by its lower-case name.
    package static func accept(
        method: String, isHTTP11: Bool, hasBody: Bool, settings: Settings = Settings(),
        values: (String) -> [String]
    ) throws(WebSocketHandshakeError) -> Acceptance {
        guard method == "GET" else {
            throw WebSocketHandshakeError(
                .badMethod, "a WebSocket is opened with GET", status: 405, headers: [("allow", "GET")])
        }
        let upgrade = ("upgrade", "websocket")
        guard isHTTP11 else {
            throw WebSocketHandshakeError(.badVersion, "a WebSocket needs HTTP/1.1", status: 400)
        }
        guard values("upgrade").hasToken("websocket"), values("connection").hasToken("upgrade") else {
            throw WebSocketHandshakeError(
                .notAnUpgrade, "this is a WebSocket: send Upgrade: websocket and Connection: Upgrade", status: 426,
                headers: [upgrade, ("sec-websocket-version", "13")])
        }
        guard values("sec-websocket-version") == ["13"] else {
            throw WebSocketHandshakeError(
                .badWebSocketVersion, "the only WebSocket version is 13", status: 426,
                headers: [upgrade, ("sec-websocket-version", "13")])
        }
        let keys = values("sec-websocket-key")
        guard keys.count == 1, let key = keys.first, isKey(key) else {
            throw WebSocketHandshakeError(
                .badKey, "Sec-WebSocket-Key must be 16 bytes in base64, once", status: 400)
        }
        guard !hasBody else {
            throw WebSocketHandshakeError(.hasBody, "an upgrade request may have no body", status: 400)
        }
        var headers = [upgrade, ("connection", "Upgrade"), ("sec-websocket-accept", acceptKey(for: key))]
        let compression = settings.compression.flatMap {
            PerMessageDeflate.negotiate(offers: values("sec-websocket-extensions"), settings: $0)
        }
        if let compression { headers.append(("sec-websocket-extensions", compression.response)) }
        let offered = values("sec-websocket-protocol").flatMap(\.listElements)
        let subprotocol = settings.subprotocols.first { offered.contains($0) }
        if let subprotocol { headers.append(("sec-websocket-protocol", subprotocol)) }
        return Acceptance(headers: headers, compression: compression, subprotocol: subprotocol)
    }

    /// What a client sends beside the request line and Host.
    /// - Parameter key: from `clientKey(random:)`.
    package static func requestHeaders(key: String, offersCompression: Bool) -> [(String, String)] {
        var headers = [
            ("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-version", "13"),
            ("sec-websocket-key", key),
        ]
        if offersCompression { headers.append(("sec-websocket-extensions", PerMessageDeflate.clientOffer)) }
        return headers
    }

    /// A key from 16 random bytes; of more, the first 16 are used.
    package static func clientKey(random: [UInt8]) -> String {
        base64(Array(random.prefix(16)) + Array(repeating: 0, count: max(0, 16 - random.count)))
    }

    /// Checks a server's answer. Returns what was agreed on about compression.
    package static func check(
        status: Int, key: String, offeredCompression: Bool, values: (String) -> [String]
    ) throws(WebSocketHandshakeError) -> PerMessageDeflate.Agreement? {
        guard status == 101 else {
            throw WebSocketHandshakeError(.refused, "the server answered with status \(status)", status: status)
        }
        guard values("upgrade").hasToken("websocket"), values("connection").hasToken("upgrade") else {
            throw WebSocketHandshakeError(.notAnUpgrade, "the answer has no Upgrade: websocket", status: status)
        }
        guard values("sec-websocket-accept") == [acceptKey(for: key)] else {
            throw WebSocketHandshakeError(.badAccept, "the answer doesn't belong to this request", status: status)
        }
        guard values("sec-websocket-protocol").isEmpty else {
            throw WebSocketHandshakeError(.badSubprotocol, "the server chose a protocol nobody offered", status: status)
        }
        let agreement = try PerMessageDeflate.check(response: values("sec-websocket-extensions"))
        guard agreement == nil || offeredCompression else {
            throw WebSocketHandshakeError(.badExtensions, "the server compresses unasked", status: status)
        }
        return agreement
    }

    /// Sec-WebSocket-Accept for a key.
    package static func acceptKey(for key: String) -> String {
        let text = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        let digest = sha1(text)
        return base64(digest)
    }

    /// Whether the text is 16 bytes in base64: 22 characters and the padding.
    static func isKey(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return bytes.count == 24 && bytes[22] == 0x3D && bytes[23] == 0x3D
            && bytes.prefix(22).allSatisfy(alphabet.contains)
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static func base64(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= UInt32(3 - group.count) * 8
            for index in 0..<4 {
                let digit = Int(bits >> UInt32(18 - index * 6) & 63)
                text.append(index <= group.count ? alphabet[digit] : 0x3D)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension String {
    /// The elements of a comma-separated list.
    var listElements: [String] {
        utf8.split(separator: 0x2C).compactMap { part in
            let bytes = part.drop { $0 == 0x20 || $0 == 0x09 }
            guard let end = bytes.lastIndex(where: { $0 != 0x20 && $0 != 0x09 }) else { return nil }
            return String(Substring(bytes[...end]))
        }
    }
}

extension [String] {
    /// Whether one of these lists has the token, upper and lower case being the same.
    func hasToken(_ token: String) -> Bool {
        contains { $0.listElements.contains { $0.lowercased() == token } }
    }
}
