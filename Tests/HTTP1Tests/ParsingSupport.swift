import HTTP1

/// Events with everything in them, so that runs can be compared.
enum ParsedEvent: Equatable {
    case head(method: String, target: String, host: String, headers: HTTPHeaders, body: HTTPBodyLength)
    case body([UInt8])
    case end
    case failure(Int, HTTPParseError.Code)
}

/// Calls `body` with the bytes of each piece.
func feed(_ pieces: [[UInt8]], _ body: (inout UnsafeRawBufferPointer) -> Bool) {
    for piece in pieces {
        let goesOn = piece.withUnsafeBytes { bytes in
            var input = bytes
            return body(&input)
        }
        if !goesOn { return }
    }
}

/// All events of a stream that comes in these pieces; neighbouring parts of a body are joined.
func parseRequests(_ pieces: [[UInt8]], limits: HTTPLimits = .default) -> [ParsedEvent] {
    var parser = HTTPRequestParser(limits: limits)
    var events: [ParsedEvent] = []
    feed(pieces) { input in
        do throws(HTTPParseError) {
            while let event = try parser.next(&input) {
                switch event {
                case .head(let head):
                    events.append(
                        .head(
                            method: head.method.description, target: head.target, host: head.host,
                            headers: head.headers, body: head.body))
                case .body(let part):
                    if case .body(let earlier)? = events.last {
                        events[events.count - 1] = .body(earlier + Array(part))
                    } else {
                        events.append(.body(Array(part)))
                    }
                case .end:
                    events.append(.end)
                }
            }
            return true
        } catch {
            events.append(.failure(error.status, error.code))
            return false
        }
    }
    return events
}

func parseRequests(_ text: String, limits: HTTPLimits = .default) -> [ParsedEvent] {
    parseRequests([Array(text.utf8)], limits: limits)
}

/// The head of a request that must be right.
func requestHead(_ text: String) throws -> HTTPRequestHead {
    var parser = HTTPRequestParser()
    return try Array(text.utf8).withUnsafeBytes { bytes in
        var input = bytes
        guard case .head(let head)? = try parser.next(&input) else { throw NoHead() }
        return head
    }
}

struct NoHead: Error {}

/// Cuts bytes into single octets.
func octets(_ bytes: [UInt8]) -> [[UInt8]] { bytes.map { [$0] } }

/// Numbers that are the same in every run (xorshift).
struct FixedRandom: RandomNumberGenerator {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    /// Bytes cut at random places.
    mutating func split(_ bytes: [UInt8]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...min(rest.count, 24), using: &self)
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return pieces
    }
}
