import Base

/// What can't be put on the wire: a defect in the caller, or hostile text on its way into a header.
package struct HTTPEncodeError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case invalidHeader = "invalid_header"
        case reservedHeader = "reserved_header"
        case invalidStatus = "invalid_status"
        case invalidTarget = "invalid_target"
    }

    package let code: Code
    package let message: String

    package var description: String { "\(code.rawValue): \(message)" }
}

/// Writes responses (RFC 9112). The encoder alone decides Date, Content-Length, Transfer-Encoding and Connection;
/// fields of these names from the caller are refused, except Connection on 101.
package enum HTTPResponseEncoder {
    /// The body the caller has to offer.
    package enum Body: Sendable, Equatable {
        case none
        case length(Int)
        /// Of unknown length: chunked, or until the connection closes when the client speaks HTTP/1.0.
        case stream
    }

    /// How the body must be written now.
    package enum Framing: Sendable, Equatable {
        /// Write no body, whatever there is: HEAD, 1xx, 204, 304.
        case none
        /// Write the bytes as they are.
        case plain
        /// Write with `writeChunk` and `writeLastChunk`.
        case chunked
    }

    package struct Head: Sendable, Equatable {
        package let framing: Framing
        /// Whether the connection can be used for another request; else it must be closed after the body.
        package let keepsAlive: Bool

        package init(framing: Framing, keepsAlive: Bool) {
            self.framing = framing
            self.keepsAlive = keepsAlive
        }
    }

    /// Appends a whole head.
    /// - Parameters:
    ///   - status: 100...599.
    ///   - request: the head of the request that is answered; nil when it could not be parsed (then the connection
    ///     closes).
    ///   - date: an IMF-fixdate, see `HTTPDateCache`; empty for none.
    ///   - keepsAlive: whether the server wants to keep the connection; the client's wish and HTTP/1.0 are heeded.
    /// - Throws: when a header has a character that could end the line or the head, or is one of the encoder's own.
    ///   `output` is left as it was.
    package static func writeHead(
        status: Int, headers: HTTPHeaders, body: Body, answering request: HTTPRequestHead?, date: [UInt8],
        keepsAlive wanted: Bool = true, into output: inout [UInt8]
    ) throws(HTTPEncodeError) -> Head {
        try writeHead(
            status: status, headers: headers, body: body, traits: request?.traits, date: date, keepsAlive: wanted,
            into: &output)
    }

    /// The same for who has kept only the traits of the request.
    package static func writeHead(
        status: Int, headers: HTTPHeaders, body: Body, traits request: HTTPRequestTraits?, date: [UInt8],
        keepsAlive wanted: Bool = true, into output: inout [UInt8]
    ) throws(HTTPEncodeError) -> Head {
        guard (100...599).contains(status) else {
            throw HTTPEncodeError(code: .invalidStatus, message: "\(status) is no HTTP status")
        }
        try headers.checkForEncoding(allowsConnection: status == 101)
        let isOld = request?.version == .http10
        var keepsAlive = wanted && (request?.keepsAlive ?? false)
        let hasNoBody = status < 200 || status == 204 || status == 304

        writeStatusLine(status, into: &output)
        if !date.isEmpty {
            output.append(text: "date: ")
            output.append(contentsOf: date)
            output.append(text: "\r\n")
        }
        headers.write(into: &output)
        var framing = Framing.plain
        switch body {
        case _ where hasNoBody:
            framing = .none
        case .none, .length:
            let count = if case .length(let count) = body { count } else { 0 }
            output.append(text: "content-length: ")
            output.appendDecimal(count)
            output.append(text: "\r\n")
        case .stream where isOld:
            keepsAlive = false
        case .stream:
            output.append(text: "transfer-encoding: chunked\r\n")
            framing = .chunked
        }
        if request?.isHead == true { framing = .none }
        if status >= 200 {
            if !keepsAlive {
                output.append(text: "connection: close\r\n")
            } else if isOld {
                output.append(text: "connection: keep-alive\r\n")
            }
        }
        output.append(text: "\r\n")
        return Head(framing: framing, keepsAlive: keepsAlive)
    }

    /// `100 Continue`, complete.
    package static func writeContinue(into output: inout [UInt8]) {
        output.append(text: "HTTP/1.1 100 Continue\r\n\r\n")
    }

    /// One chunk; nothing for empty data, which would end the body.
    package static func writeChunk(_ data: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        guard !data.isEmpty else { return }
        output.appendHexadecimal(data.count)
        output.append(text: "\r\n")
        output.append(contentsOf: data)
        output.append(text: "\r\n")
    }

    package static func writeChunk(_ data: [UInt8], into output: inout [UInt8]) {
        data.withUnsafeBytes { writeChunk($0, into: &output) }
    }

    package static func writeLastChunk(into output: inout [UInt8]) {
        output.append(text: "0\r\n\r\n")
    }

    private static func writeStatusLine(_ status: Int, into output: inout [UInt8]) {
        if status == 200 { return output.append(text: "HTTP/1.1 200 OK\r\n") }
        output.append(text: "HTTP/1.1 ")
        output.appendDecimal(status)
        output.append(text: " ")
        output.append(text: HTTPStatus.reason(status))
        output.append(text: "\r\n")
    }
}

extension HTTPHeaders {
    func checkForEncoding(allowsConnection: Bool, allowsHost: Bool = false) throws(HTTPEncodeError) {
        var failure: HTTPEncodeError?
        forEach { name, value in
            guard failure == nil else { return }
            if name.isEmpty || !name.allSatisfy(\.isTokenCharacter) {
                failure = HTTPEncodeError(code: .invalidHeader, message: "\"\(name.asString)\" is no header name")
            } else if value.firstControl() != value.count {
                failure = HTTPEncodeError(
                    code: .invalidHeader, message: "the value of \(name.asString) has a control character")
            } else if Self.isReserved(name, allowsConnection: allowsConnection) {
                failure = HTTPEncodeError(
                    code: .reservedHeader, message: "\(name.asString) is written by the encoder: leave it out")
            }
        }
        if let failure { throw failure }
    }

    private static func isReserved(_ name: UnsafeRawBufferPointer, allowsConnection: Bool) -> Bool {
        switch name.count {
        case 4: name.equalsIgnoringCase("date")
        case 10: !allowsConnection && name.equalsIgnoringCase("connection")
        case 14: name.equalsIgnoringCase("content-length")
        case 17: name.equalsIgnoringCase("transfer-encoding")
        default: false
        }
    }

    func write(into output: inout [UInt8]) {
        block.withUnsafeBytes { bytes in
            for field in fields {
                output.append(contentsOf: field.name(in: bytes))
                output.append(text: ": ")
                output.append(contentsOf: field.value(in: bytes))
                output.append(text: "\r\n")
            }
        }
    }
}

extension [UInt8] {
    @inline(__always)
    mutating func append(text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func appendHexadecimal(_ number: Int) {
        if number >= 16 { appendHexadecimal(number >> 4) }
        let digit = UInt8(truncatingIfNeeded: number & 15)
        append(digit < 10 ? 0x30 + digit : 0x57 + digit)
    }
}
