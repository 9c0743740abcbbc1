import WebSocket

/// The first octet says how the rest is cut and which compression was agreed on; the events must be the same as in one
/// piece. The mask is whatever the input says: seeds use 0, so that payloads can be mutated directly.
@c(LLVMFuzzerTestOneInput)
public func fuzzWebSocketFrames(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let piece = Int(start[0] & 31) + 1
    let fresh = start[0] & 32 != 0
    let compression =
        start[0] & 64 != 0
        ? PerMessageDeflate.Agreement(clientNoContextTakeover: fresh, clientMaxWindowBits: fresh ? 9 : 15) : nil
    let role = start[0] & 128 != 0 ? WebSocketRole.client : .server
    let bytes = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    let whole = events(bytes, piece: bytes.count, role: role, compression: compression)
    precondition(
        whole == events(bytes, piece: piece, role: role, compression: compression),
        "cutting the input changed the events")
    return 0
}

private enum Outcome: Equatable {
    case event(WebSocketMessageAssembler.Event)
    case failure(WebSocketCloseCode)
}

private func events(
    _ bytes: [UInt8], piece: Int, role: WebSocketRole, compression: PerMessageDeflate.Agreement?
) -> [Outcome] {
    let limits = WebSocketLimits(frameBytes: 4096, messageBytes: 4096, framesPerMessage: 8)
    var assembler = WebSocketMessageAssembler(role: role, limits: limits, compression: compression)
    var outcomes: [Outcome] = []
    var index = 0
    while index < bytes.count {
        let part = bytes[index..<min(index + piece, bytes.count)]
        index += part.count
        let isOver = part.withUnsafeBytes { buffer in
            var input = buffer
            do throws(WebSocketFailure) {
                while let event = try assembler.next(&input) {
                    check(event)
                    outcomes.append(.event(event))
                }
                precondition(input.isEmpty)
                return false
            } catch {
                precondition(error.code.isAllowedInFrame && error.message.utf8.count <= 123)
                outcomes.append(.failure(error.code))
                return true
            }
        }
        if isOver { break }
    }
    return outcomes
}

private func check(_ event: WebSocketMessageAssembler.Event) {
    switch event {
    case .text(let bytes):
        precondition(bytes.count <= 4096 && String(validating: bytes, as: UTF8.self) != nil)
    case .binary(let bytes):
        precondition(bytes.count <= 4096)
    case .ping(let bytes), .pong(let bytes):
        precondition(bytes.count <= 125)
    case .close(let code, _):
        precondition(code?.isAllowedInFrame ?? true)
    }
}
