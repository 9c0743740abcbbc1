import WebSocket

/// What came out of an assembler, its failure included.
enum Outcome: Equatable {
    case text(String)
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    case close(UInt16?, String)
    case failure(UInt16)
}

/// A frame to be sent by a client, with room for everything a client must not do.
struct Frame: Sendable {
    var opcode: UInt8
    var payload: [UInt8]
    var isFinal = true
    var rsv: UInt8 = 0
    var key: UInt32? = 0x37FA_213D

    static func text(_ text: String, final isFinal: Bool = true) -> Frame {
        Frame(opcode: 1, payload: Array(text.utf8), isFinal: isFinal)
    }
    static func binary(_ payload: [UInt8], final isFinal: Bool = true) -> Frame {
        Frame(opcode: 2, payload: payload, isFinal: isFinal)
    }
    static func more(_ payload: [UInt8], final isFinal: Bool = false) -> Frame {
        Frame(opcode: 0, payload: payload, isFinal: isFinal)
    }
    static func more(_ text: String, final isFinal: Bool = false) -> Frame { more(Array(text.utf8), final: isFinal) }
    static func ping(_ payload: [UInt8] = []) -> Frame { Frame(opcode: 9, payload: payload) }
    static func ping(_ text: String) -> Frame { ping(Array(text.utf8)) }
    static func pong(_ text: String = "") -> Frame { Frame(opcode: 10, payload: Array(text.utf8)) }
    static func close(_ payload: [UInt8]) -> Frame { Frame(opcode: 8, payload: payload) }
    static func close(_ code: UInt16, _ reason: String = "") -> Frame {
        close([UInt8(code >> 8), UInt8(code & 255)] + Array(reason.utf8))
    }

    /// Written by hand, not by the encoder under test.
    var bytes: [UInt8] {
        var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | rsv << 4 | opcode]
        let mask: UInt8 = key == nil ? 0 : 0x80
        switch payload.count {
        case 0..<126: bytes.append(mask | UInt8(payload.count))
        case 126...0xFFFF: bytes += [mask | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default: bytes += [mask | 127] + (0..<8).reversed().map { UInt8(payload.count >> ($0 * 8) & 255) }
        }
        guard let key else { return bytes + payload }
        let octets = (0..<4).reversed().map { UInt8(key >> UInt32($0 * 8) & 255) }
        bytes += octets
        return bytes + payload.enumerated().map { $0.element ^ octets[$0.offset & 3] }
    }
}

extension [Frame] {
    var bytes: [UInt8] { flatMap(\.bytes) }
}

/// Feeds pieces and collects what comes out; `consumed` is how many octets it took to get to a failure.
func receive(
    pieces: [[UInt8]], role: WebSocketRole = .server, limits: WebSocketLimits = .default,
    compression: PerMessageDeflate.Agreement? = nil, consumed: inout Int
) -> [Outcome] {
    var assembler = WebSocketMessageAssembler(role: role, limits: limits, compression: compression)
    var outcomes: [Outcome] = []
    consumed = 0
    for piece in pieces {
        let failed = piece.withUnsafeBytes { bytes in
            var input = bytes
            do throws(WebSocketFailure) {
                while let event = try assembler.next(&input) { outcomes.append(Outcome(event)) }
                return false
            } catch {
                outcomes.append(.failure(error.code.rawValue))
                return true
            }
        }
        consumed += piece.count
        if failed { break }
    }
    return outcomes
}

extension Outcome {
    init(_ event: WebSocketMessageAssembler.Event) {
        switch event {
        case .text(let bytes): self = .text(String(decoding: bytes, as: UTF8.self))
        case .binary(let bytes): self = .binary(bytes)
        case .ping(let bytes): self = .ping(bytes)
        case .pong(let bytes): self = .pong(bytes)
        case .close(let code, let reason): self = .close(code?.rawValue, reason)
        }
    }
}

/// The outcomes of a stream in one piece, checked to be the same octet by octet (when it is short) and in halves.
func receive(
    _ bytes: [UInt8], role: WebSocketRole = .server, limits: WebSocketLimits = .default,
    compression: PerMessageDeflate.Agreement? = nil
) -> [Outcome] {
    func run(_ pieces: [[UInt8]]) -> [Outcome] {
        var consumed = 0
        return receive(pieces: pieces, role: role, limits: limits, compression: compression, consumed: &consumed)
    }
    let whole = run([bytes])
    var others = [run(chop(bytes, every: max(1, bytes.count / 2))), run(chop(bytes, every: 997))]
    if bytes.count < 3000 { others.append(run(chop(bytes, every: 1))) }
    return others.allSatisfy { $0 == whole } ? whole : [.text("the way it was cut made a difference")]
}

func receive(_ frames: [Frame], limits: WebSocketLimits = .default) -> [Outcome] {
    receive(frames.bytes, limits: limits)
}

func chop(_ bytes: [UInt8], every count: Int) -> [[UInt8]] {
    stride(from: 0, to: bytes.count, by: count).map { Array(bytes[$0..<min($0 + count, bytes.count)]) }
}

/// Numbers that are the same in every run (xorshift).
struct FixedRandom: RandomNumberGenerator {
    var state: UInt64 = 0x2545_F491_4F6C_DD1D

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) } }
}
