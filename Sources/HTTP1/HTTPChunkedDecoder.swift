/// The chunked transfer coding (RFC 9112 section 7.1), strict: what two recipients could read in two ways is refused.
struct HTTPChunkedDecoder {
    enum Event {
        case data(UnsafeRawBufferPointer)
        case end
    }

    private enum State {
        case size
        case data(remaining: Int)
        /// CR and LF after a chunk's data.
        case dataEnd
        case trailer
    }

    /// Bytes of data in all chunks together.
    let bodyLimit: Int
    private var state = State.size
    private var total = 0
    private var extensionBytes = 0
    private var trailerBytes = 0
    private var trailerCount = 0

    init(bodyLimit: Int) {
        self.bodyLimit = bodyLimit
    }

    /// Whether the coding is at a point where it needs no more than what it has: never before the end.
    mutating func next(
        _ input: inout UnsafeRawBufferPointer, lines: inout HTTPLineReader, limits: HTTPLimits
    ) throws(HTTPParseError) -> Event? {
        while true {
            switch state {
            case .size:
                let line = try lines.next(
                    &input, limit: limits.chunkLineBytes, in: "chunk size", code: .badChunk,
                    tooLong: HTTPParseError(400, .badChunk, "a chunk-size line is too long"))
                guard let line else { return nil }
                let size = try line.withBytes { bytes throws(HTTPParseError) in try takeSize(bytes, limits: limits) }
                state = size == 0 ? .trailer : .data(remaining: size)
            case .data(let remaining):
                guard !input.isEmpty else { return nil }
                let count = min(remaining, input.count)
                let data = input.slice(0, count)
                input.dropFirst(count: count)
                state = count == remaining ? .dataEnd : .data(remaining: remaining - count)
                return .data(data)
            case .dataEnd:
                let line = try lines.next(
                    &input, limit: 0, in: "chunk data", code: .badChunk,
                    tooLong: HTTPParseError(400, .badChunk, "a chunk has more data than its size says"))
                guard line != nil else { return nil }
                state = .size
            case .trailer:
                let line = try lines.next(
                    &input, limit: max(0, limits.trailerBytes - trailerBytes), in: "trailer", code: .badHeader,
                    tooLong: HTTPParseError(431, .headersTooLarge, "the trailer section is too large"))
                guard let line else { return nil }
                if try line.withBytes({ bytes throws(HTTPParseError) in try takeTrailer(bytes, limits: limits) }) {
                    return .end
                }
            }
        }
    }

    private mutating func takeSize(
        _ line: UnsafeRawBufferPointer, limits: HTTPLimits
    ) throws(HTTPParseError) -> Int {
        var size = 0
        var index = 0
        while index < line.count, let digit = line[index].hexValue {
            index &+= 1
            guard index <= 16, size <= Int.max >> 5 else {
                throw HTTPParseError(413, .bodyTooLarge, "a chunk is larger than the body may be")
            }
            size = size << 4 | Int(digit)
        }
        guard index > 0 else { throw HTTPParseError(400, .badChunk, "a chunk size must be a hexadecimal number") }
        if index < line.count {
            extensionBytes += line.count - index
            guard extensionBytes <= limits.chunkExtensionBytes else {
                throw HTTPParseError(400, .badChunk, "the chunk extensions are too long")
            }
            // Space is allowed before an extension only, and an extension needs its semicolon.
            while index < line.count, line[index].isSpaceOrTab { index &+= 1 }
            guard index < line.count, line[index] == 0x3B else {
                throw HTTPParseError(400, .badChunk, "a chunk size is followed by something that is no extension")
            }
        }
        guard size <= bodyLimit - total else {
            throw HTTPParseError(413, .bodyTooLarge, "the body is larger than \(bodyLimit) bytes")
        }
        total += size
        return size
    }

    /// Returns whether the section ended. Trailers are checked like headers and dropped: nothing here needs one, and a
    /// merged one could change what the head said.
    private mutating func takeTrailer(
        _ line: UnsafeRawBufferPointer, limits: HTTPLimits
    ) throws(HTTPParseError) -> Bool {
        if line.isEmpty { return true }
        trailerCount += 1
        trailerBytes += line.count + 2
        guard trailerCount <= limits.headerCount else {
            throw HTTPParseError(431, .headersTooLarge, "there are too many trailers")
        }
        var dropped = HTTPHeaders()
        _ = try dropped.append(line: line)
        return false
    }
}
