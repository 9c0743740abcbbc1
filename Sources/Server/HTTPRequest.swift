package import EventLoop
package import HTTP1

/// A request that has passed the guard.
package struct HTTPRequest {
    package let head: HTTPRequestHead
    /// Without its framing; empty when there is none.
    package let body: [UInt8]
    /// Who has taken the body, when it was not collected.
    package let receiver: (any HTTPBodyReceiver)?
    package let peer: SocketAddress
    package let connectionID: UInt64
    /// Why it was allowed.
    package let ground: AccessGuard.Ground
}

/// The way to answer one request: once, now or later, on the loop. An answer after the client has gone, or a second
/// one, is ignored.
package struct HTTPResponder {
    let connection: HTTPConnection
    let number: UInt64

    /// Whether an answer still reaches somebody.
    package var isAwaited: Bool { connection.isAwaiting(number) }

    /// Answers with a whole body. Length, date and connection fields are added; a header that cannot be sent becomes
    /// an answer 500.
    package func respond(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []) {
        body.withUnsafeBytes { connection.respond(number, status: status, headers: headers, body: $0) }
    }

    /// Answers with JSON text.
    package func respond(status: Int = 200, json: [UInt8]) {
        if status == 200 { return respond(prepared: .json, body: json) }
        json.withUnsafeBytes { connection.respond(number, status: status, headers: HTTPHeaders.json, body: $0) }
    }

    /// Answers 200 with fields that have been prepared: the fastest way.
    package func respond(prepared: PreparedHeaders, body: [UInt8]) {
        body.withUnsafeBytes { connection.respond(number, prepared: prepared, body: $0) }
    }

    /// Answers with `{"error":{"code","message"}}`.
    package func respond(error code: String, status: Int, message: String, headers: HTTPHeaders = HTTPHeaders()) {
        var headers = headers
        headers.append("content-type", "application/json")
        respond(status: status, headers: headers, body: ErrorBody.json(code: code, message: message))
    }

    /// Begins an answer of unknown length, such as server-sent events. nil when nobody awaits it any more.
    package func stream(
        status: Int = 200, headers: HTTPHeaders, observer: (any SubscriberObserver)? = nil
    ) -> ResponseStream? {
        connection.stream(number, status: status, headers: headers, observer: observer)
    }

    /// Accepts an upgrade to WebSocket, or answers with what is wrong with the request (then nil). Frames may be
    /// enqueued at once; what the client sends arrives after this turn's return to the connection.
    package func acceptWebSocket(
        _ handler: any WebSocketHandler, settings: WebSocketSettings = WebSocketSettings()
    ) -> WebSocketConnection? {
        connection.acceptWebSocket(number, handler: handler, settings: settings)
    }
}

extension HTTPHeaders {
    /// The content type of JSON; never to be taken for anything else.
    package static let json: HTTPHeaders = [
        "content-type": "application/json", "x-content-type-options": "nosniff", "cache-control": "no-store",
    ]
}

/// The body of every error this module answers with.
package enum ErrorBody {
    package static func json(code: String, message: String) -> [UInt8] {
        var bytes = Array(#"{"error":{"code":"#.utf8)
        appendString(code, to: &bytes)
        bytes.append(contentsOf: #","message":"#.utf8)
        appendString(message, to: &bytes)
        bytes.append(contentsOf: "}}".utf8)
        return bytes
    }

    private static func appendString(_ text: String, to bytes: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            } else if byte < 0x20 {
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            } else {
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
