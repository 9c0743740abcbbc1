/// Takes requests out of a byte stream, one event at a time (RFC 9112).
///
/// Pull it: `while let event = try parser.next(&input) { ... }`. Each call moves the front of `input`; nil means that
/// all of it has been taken and more is needed. After `.end` the caller decides whether to go on with what is left of
/// `input` (the next pipelined request, or another protocol after an upgrade). A request without a body gives `.head`
/// and `.end`.
///
/// Between requests it holds no memory; within one, only the head's fields so far and the start of an unfinished
/// line. Body bytes are never kept. After an error the same error is thrown for ever.
package struct HTTPRequestParser {
    package enum Event {
        case head(HTTPRequestHead)
        /// A part of the body, at least one byte, lying in `input`.
        case body(UnsafeRawBufferPointer)
        case end
    }

    /// What it waits for: it decides which time limit applies to the connection.
    package enum Phase: Sendable, Equatable {
        /// Nothing of a request has come yet.
        case idle
        case head
        case body
        case failed
    }

    private enum State {
        case start
        case fields
        case fixedBody(remaining: Int)
        case chunkedBody
        case end
        case failed(HTTPParseError)
    }

    package let limits: HTTPLimits
    private var state = State.start
    private var lines = HTTPLineReader()
    private var skippedEmptyLine = false
    private var head = HTTPRequestHead()
    private var framing = MessageFraming()
    private var headerBytes = 0
    private var chunks = HTTPChunkedDecoder(bodyLimit: 0)
    /// Of this request.
    private var bodyLimit = 0

    package init(limits: HTTPLimits = .default) {
        self.limits = limits
    }

    package var phase: Phase {
        switch state {
        case .start: lines.isEmpty && !skippedEmptyLine ? .idle : .head
        case .fields: .head
        case .fixedBody, .chunkedBody, .end: .body
        case .failed: .failed
        }
    }

    /// The next event, or nil when all input has been taken.
    /// - Throws: the status and message to answer with before closing.
    package mutating func next(_ input: inout UnsafeRawBufferPointer) throws(HTTPParseError) -> Event? {
        do throws(HTTPParseError) {
            return try advance(&input)
        } catch {
            state = .failed(error)
            lines.reset()
            head = HTTPRequestHead()
            throw error
        }
    }

    private mutating func advance(_ input: inout UnsafeRawBufferPointer) throws(HTTPParseError) -> Event? {
        while true {
            switch state {
            case .start:
                guard try takeRequestLine(&input) else { return nil }
            case .fields:
                switch try takeField(&input) {
                case .needMore: return nil
                case .taken: continue
                case .headEnd: return .head(try finishHead())
                }
            case .fixedBody(let remaining):
                guard !input.isEmpty else { return nil }
                let count = min(remaining, input.count)
                let part = input.slice(0, count)
                input.dropFirst(count: count)
                state = count == remaining ? .end : .fixedBody(remaining: remaining - count)
                return .body(part)
            case .chunkedBody:
                switch try chunks.next(&input, lines: &lines, limits: limits) {
                case .data(let part): return .body(part)
                case .end: state = .end
                case nil: return nil
                }
            case .end:
                state = .start
                return .end
            case .failed(let error):
                throw error
            }
        }
    }

    /// Returns whether a whole line was there.
    private mutating func takeRequestLine(_ input: inout UnsafeRawBufferPointer) throws(HTTPParseError) -> Bool {
        guard !input.isEmpty else { return false }
        if lines.isEmpty { try Self.checkFirst(input[0]) }
        // What is left of the input bounds the head in the common case that it came as a whole.
        let capacity = min(input.count, 512)
        let line = try lines.next(
            &input, limit: limits.startLineBytes, in: "request line", code: .badRequestLine,
            tooLong: HTTPParseError(414, .targetTooLong, "the request line is longer than the limit"))
        guard let line else { return false }
        let parsed = try line.withBytes { bytes throws(HTTPParseError) -> HTTPRequestHead? in
            bytes.isEmpty ? nil : try HTTPRequestHead(line: bytes, capacity: capacity)
        }
        guard let parsed else {
            // One empty line before a request is what some old clients leave behind (RFC 9112 section 2.2).
            if skippedEmptyLine {
                throw HTTPParseError(400, .badRequestLine, "there are empty lines where a request should start")
            }
            skippedEmptyLine = true
            return true
        }
        skippedEmptyLine = false
        bodyLimit =
            !limits.uploadPath.isEmpty && parsed.isPath(limits.uploadPath)
            ? max(limits.bodyBytes, limits.uploadBytes) : limits.bodyBytes
        head = parsed
        framing = MessageFraming()
        headerBytes = 0
        state = .fields
        return true
    }

    /// Says what is wrong at the first byte when another protocol talks to this port.
    private static func checkFirst(_ byte: UInt8) throws(HTTPParseError) {
        if byte.isTokenCharacter || byte == 0x0D || byte == 0x0A { return }
        if byte == 0x16 {
            throw HTTPParseError(400, .tlsOnPlainPort, "this port speaks plain HTTP: use http:// instead of https://")
        }
        throw HTTPParseError(400, .badRequestLine, "this is no HTTP request")
    }

    private enum FieldOutcome { case needMore, taken, headEnd }

    private mutating func takeField(_ input: inout UnsafeRawBufferPointer) throws(HTTPParseError) -> FieldOutcome {
        let line = try lines.next(
            &input, limit: max(0, limits.headerBytes &- headerBytes), in: "header", code: .badHeader,
            tooLong: HTTPParseError(431, .headersTooLarge, "the headers are larger than \(limits.headerBytes) bytes"))
        switch line {
        case nil:
            return .needMore
        case .inPlace(let bytes):
            return try take(field: bytes)
        case .collected(let collected):
            return try collected.withUnsafeBufferPointer { buffer throws(HTTPParseError) in
                try take(field: UnsafeRawBufferPointer(buffer))
            }
        }
    }

    private mutating func take(field line: UnsafeRawBufferPointer) throws(HTTPParseError) -> FieldOutcome {
        if line.isEmpty { return .headEnd }
        headerBytes &+= line.count &+ 2
        guard head.headers.count < limits.headerCount else {
            throw HTTPParseError(431, .headersTooLarge, "there are more than \(limits.headerCount) headers")
        }
        let (name, value) = try head.headers.append(line: line)
        try framing.note(name: name, value: value, bodyLimit: bodyLimit)
        return .taken
    }

    private mutating func finishHead() throws(HTTPParseError) -> HTTPRequestHead {
        try checkHost()
        if framing.chunked {
            if framing.contentLength != nil {
                throw HTTPParseError(400, .badFraming, "there are both Content-Length and Transfer-Encoding")
            }
            if head.version == .http10 {
                throw HTTPParseError(400, .badFraming, "HTTP/1.0 has no Transfer-Encoding")
            }
        }
        if framing.isContentLengthOverLimit {
            throw HTTPParseError(413, .bodyTooLarge, "the body is larger than \(bodyLimit) bytes")
        }
        // HTTP/1.0 clients don't know Expect: it is to be ignored (RFC 9110 section 10.1.1).
        if head.version == .http11 {
            if framing.expectUnknown {
                throw HTTPParseError(417, .expectationFailed, "the only expectation that can be met is 100-continue")
            }
            head.expectsContinue = framing.expectContinue
        }
        head.keepsAlive =
            !framing.connectionClose && (head.version == .http11 || framing.connectionKeepAlive)
        head.wantsUpgrade = framing.hasUpgrade && framing.connectionUpgrade && head.version == .http11
        if framing.chunked {
            head.body = .chunked
            state = .chunkedBody
            chunks = HTTPChunkedDecoder(bodyLimit: bodyLimit)
        } else if let length = framing.contentLength, length > 0 {
            head.body = .fixed(length)
            state = .fixedBody(remaining: length)
        } else {
            head.body = .none
            head.expectsContinue = false
            state = .end
        }
        var finished = HTTPRequestHead()
        swap(&finished, &head)
        return finished
    }

    private func checkHost() throws(HTTPParseError) {
        guard framing.hostCount <= 1 else {
            throw HTTPParseError(400, .badHost, "there is more than one Host header")
        }
        guard framing.hostCount == 1 else {
            if head.version == .http11 { throw HTTPParseError(400, .badHost, "there is no Host header") }
            return
        }
        var isValid = true
        head.headers.forEachValue(of: "host") { value in
            isValid = value.isHostText
            return false
        }
        guard isValid else { throw HTTPParseError(400, .badHost, "the Host header must be a host and a port") }
    }
}
