/// Cuts lines that end in CR LF out of a stream. A line that is there as a whole is handed out where it lies; only the
/// start of one that isn't is kept, and never more than the limit.
struct HTTPLineReader {
    enum Line {
        case inPlace(UnsafeRawBufferPointer)
        case collected([UInt8])
    }

    enum Failure: Error {
        case tooLong
        case bareCarriageReturn
        case bareLineFeed
        case controlCharacter
    }

    private var held: [UInt8] = []

    /// Whether no part of a line is waiting.
    var isEmpty: Bool { held.isEmpty }

    mutating func reset() { held = [] }

    /// The next line without its end, or nil when more input is needed (all of it has been taken then).
    /// - Parameter limit: bytes in the line, the end not counted.
    @inline(__always)
    mutating func next(_ input: inout UnsafeRawBufferPointer, limit: Int) throws(Failure) -> Line? {
        if !held.isEmpty { return try nextCollected(&input, limit: limit) }
        let end = input.firstControl()
        guard end <= limit else { throw .tooLong }
        if end &+ 1 < input.count {
            guard input[end] == 0x0D, input[end &+ 1] == 0x0A else { throw Self.reason(input[end]) }
            let line = input.slice(0, end)
            input.dropFirst(count: end &+ 2)
            return .inPlace(line)
        }
        if end < input.count, input[end] != 0x0D { throw Self.reason(input[end]) }
        if !input.isEmpty {
            held.append(contentsOf: input)
            input.dropFirst(count: input.count)
        }
        return nil
    }

    private mutating func nextCollected(
        _ input: inout UnsafeRawBufferPointer, limit: Int
    ) throws(Failure) -> Line? {
        guard !input.isEmpty else { return nil }
        if held[held.count - 1] != 0x0D {
            let end = input.firstControl()
            guard held.count + end <= limit else { throw .tooLong }
            guard end < input.count else {
                held.append(contentsOf: input)
                input.dropFirst(count: input.count)
                return nil
            }
            guard input[end] == 0x0D else { throw Self.reason(input[end]) }
            held.append(contentsOf: input.slice(0, end + 1))
            input.dropFirst(count: end + 1)
            guard !input.isEmpty else { return nil }
        }
        guard input[0] == 0x0A else { throw .bareCarriageReturn }
        input.dropFirst(count: 1)
        var line: [UInt8] = []
        swap(&line, &held)
        line.removeLast()
        return .collected(line)
    }

    private static func reason(_ byte: UInt8) -> Failure {
        switch byte {
        case 0x0D: .bareCarriageReturn
        case 0x0A: .bareLineFeed
        default: .controlCharacter
        }
    }
}

extension HTTPLineReader.Line {
    /// Calls `body` with the bytes of the line.
    @inline(__always)
    func withBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws(HTTPParseError) -> Result
    ) throws(HTTPParseError) -> Result {
        switch self {
        case .inPlace(let bytes):
            return try body(bytes)
        case .collected(let bytes):
            return try bytes.withUnsafeBufferPointer { buffer throws(HTTPParseError) in
                try body(UnsafeRawBufferPointer(buffer))
            }
        }
    }
}

extension HTTPLineReader {
    /// The same with the error a peer is told.
    @inline(__always)
    mutating func next(
        _ input: inout UnsafeRawBufferPointer, limit: Int, in place: StaticString, code: HTTPParseError.Code,
        tooLong: @autoclosure () -> HTTPParseError
    ) throws(HTTPParseError) -> Line? {
        do {
            return try next(&input, limit: limit)
        } catch {
            switch error {
            case .tooLong: throw tooLong()
            case .bareCarriageReturn: throw HTTPParseError(400, code, "\(place): a CR without LF")
            case .bareLineFeed: throw HTTPParseError(400, code, "\(place): a line must end in CR LF, not LF alone")
            case .controlCharacter: throw HTTPParseError(400, code, "\(place): a control character")
            }
        }
    }
}
