package struct HTTPResponseHead: Sendable {
    /// 100...599.
    package internal(set) var status = 0
    package internal(set) var version = HTTPVersion.http11
    package internal(set) var headers = HTTPHeaders()
    package internal(set) var body = HTTPBodyLength.none
    /// Whether the connection may be used for another request.
    package internal(set) var keepsAlive = true
}

/// Takes responses out of a byte stream, for the client library. Pulled like `HTTPRequestParser`.
///
/// Say with `expect(_:)` what was asked before its response comes: a response to HEAD has no body. Interim responses
/// (1xx) come as `.head` without `.end`; after a 101 the parser takes no more input, the rest belongs to the new
/// protocol. Errors have status 502.
package struct HTTPResponseParser {
    package enum Event {
        case head(HTTPResponseHead)
        /// A part of the body, at least one byte, lying in `input`.
        case body(UnsafeRawBufferPointer)
        case end
    }

    private enum State {
        case statusLine
        case fields
        case fixedBody(remaining: Int)
        case chunkedBody
        case untilClose
        case end
        case upgraded
        case failed(HTTPParseError)
    }

    package let limits: HTTPLimits
    private var state = State.statusLine
    private var lines = HTTPLineReader()
    private var head = HTTPResponseHead()
    private var framing = MessageFraming()
    private var headerBytes = 0
    private var received = 0
    private var chunks = HTTPChunkedDecoder(bodyLimit: 0)
    private var method = HTTPMethod.get

    package init(limits: HTTPLimits = .default) {
        self.limits = limits
    }

    /// The method whose response comes next.
    package mutating func expect(_ method: HTTPMethod) { self.method = method }

    /// Whether a response was cut off by what `finish` was called for.
    package var isBetweenMessages: Bool {
        if case .statusLine = state { return lines.isEmpty }
        return false
    }

    package mutating func next(_ input: inout UnsafeRawBufferPointer) throws(HTTPParseError) -> Event? {
        do throws(HTTPParseError) {
            return try advance(&input)
        } catch {
            let failure = HTTPParseError(502, error.code, error.message)
            state = .failed(failure)
            lines.reset()
            head = HTTPResponseHead()
            throw failure
        }
    }

    /// Say that the peer closed. Returns `.end` when that ends the body.
    /// - Throws: when a response was cut off.
    package mutating func finish() throws(HTTPParseError) -> Event? {
        switch state {
        case .untilClose, .end:
            state = .statusLine
            return .end
        case .upgraded: return nil
        case .statusLine where lines.isEmpty: return nil
        case .failed(let error): throw error
        default:
            let failure = HTTPParseError(502, .truncated, "the connection closed in the middle of a response")
            state = .failed(failure)
            throw failure
        }
    }

    private mutating func advance(_ input: inout UnsafeRawBufferPointer) throws(HTTPParseError) -> Event? {
        while true {
            switch state {
            case .statusLine:
                let line = try lines.next(
                    &input, limit: limits.startLineBytes, in: "status line", code: .badStatusLine,
                    tooLong: HTTPParseError(502, .badStatusLine, "the status line is too long"))
                guard let line else { return nil }
                head = HTTPResponseHead()
                framing = MessageFraming()
                headerBytes = 0
                received = 0
                (head.status, head.version) = try line.withBytes { bytes throws(HTTPParseError) in
                    try Self.status(bytes)
                }
                state = .fields
            case .fields:
                let line = try lines.next(
                    &input, limit: max(0, limits.headerBytes - headerBytes), in: "header", code: .badHeader,
                    tooLong: HTTPParseError(502, .headersTooLarge, "the headers of the response are too large"))
                guard let line else { return nil }
                if try take(field: line) { return .head(try finishHead()) }
            case .fixedBody(let remaining):
                guard !input.isEmpty else { return nil }
                let part = take(remaining, from: &input)
                state = part.count == remaining ? .end : .fixedBody(remaining: remaining - part.count)
                return .body(part)
            case .chunkedBody:
                switch try chunks.next(&input, lines: &lines, limits: limits) {
                case .data(let part): return .body(part)
                case .end: state = .end
                case nil: return nil
                }
            case .untilClose:
                guard !input.isEmpty else { return nil }
                guard input.count <= limits.bodyBytes - received else {
                    throw HTTPParseError(502, .bodyTooLarge, "the response is larger than \(limits.bodyBytes) bytes")
                }
                received += input.count
                return .body(take(input.count, from: &input))
            case .end:
                state = .statusLine
                return .end
            case .upgraded:
                return nil
            case .failed(let error):
                throw error
            }
        }
    }

    private func take(_ count: Int, from input: inout UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let part = input.slice(0, min(count, input.count))
        input.dropFirst(count: part.count)
        return part
    }

    private static func status(_ line: UnsafeRawBufferPointer) throws(HTTPParseError) -> (Int, HTTPVersion) {
        guard line.count >= 12, line.slice(0, 7).elementsEqual("HTTP/1.".utf8), line[7] == 0x31 || line[7] == 0x30,
            line[8] == 0x20, line[9].isDigit, line[10].isDigit, line[11].isDigit, line.count == 12 || line[12] == 0x20
        else {
            throw HTTPParseError(502, .badStatusLine, "this is no HTTP/1.1 response")
        }
        let status = Int(line[9] - 0x30) * 100 + Int(line[10] - 0x30) * 10 + Int(line[11] - 0x30)
        guard (100...599).contains(status) else {
            throw HTTPParseError(502, .badStatusLine, "\(status) is no HTTP status")
        }
        return (status, line[7] == 0x31 ? .http11 : .http10)
    }

    /// Returns whether the head ended.
    private mutating func take(field line: HTTPLineReader.Line) throws(HTTPParseError) -> Bool {
        var (head, framing) = (HTTPResponseHead(), framing)
        swap(&head, &self.head)
        let (count, bodyLimit) = (limits.headerCount, limits.bodyBytes)
        let size = try line.withBytes { bytes throws(HTTPParseError) -> Int in
            if bytes.isEmpty { return 0 }
            guard head.headers.count < count else {
                throw HTTPParseError(502, .headersTooLarge, "the response has too many headers")
            }
            let (name, value) = try head.headers.append(line: bytes)
            try framing.note(name: name, value: value, bodyLimit: bodyLimit)
            return bytes.count + 2
        }
        swap(&head, &self.head)
        self.framing = framing
        headerBytes += size
        return size == 0
    }

    private mutating func finishHead() throws(HTTPParseError) -> HTTPResponseHead {
        if framing.chunked, framing.contentLength != nil {
            throw HTTPParseError(502, .badFraming, "there are both Content-Length and Transfer-Encoding")
        }
        head.keepsAlive = !framing.connectionClose && (head.version == .http11 || framing.connectionKeepAlive)
        if head.status == 101 {
            state = .upgraded
        } else if head.status < 200 {
            state = .statusLine
        } else if head.status == 204 || head.status == 304 || method == .head {
            state = .end
        } else if framing.chunked {
            head.body = .chunked
            chunks = HTTPChunkedDecoder(bodyLimit: limits.bodyBytes)
            state = .chunkedBody
        } else if let length = framing.contentLength {
            if framing.isContentLengthOverLimit {
                throw HTTPParseError(502, .bodyTooLarge, "the response is larger than \(limits.bodyBytes) bytes")
            }
            head.body = length == 0 ? .none : .fixed(length)
            state = length == 0 ? .end : .fixedBody(remaining: length)
        } else {
            head.body = .untilClose
            head.keepsAlive = false
            state = .untilClose
        }
        var finished = HTTPResponseHead()
        swap(&finished, &head)
        return finished
    }
}
