import WebSocket

/// Inflates the input as two messages of one connection, cut in two ways; then deflates it and expects it back.
@c(LLVMFuzzerTestOneInput)
public func fuzzInflate(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let piece = Int(start[0] & 63) + 1
    let bits = start[0] & 64 != 0 ? 15 : 9
    let keepsContext = start[0] & 128 != 0
    let bytes = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    let whole = inflate(bytes, piece: bytes.count, bits: bits)
    let pieces = inflate(bytes, piece: piece, bits: bits)
    // A sender that reaches further back than the window it agreed to is refused as soon as zlib has let go of what is
    // meant, which hangs on how much output one call made. It is either refused or given the same text.
    let reachesTooFar = bits < 15 && (whole == nil || pieces == nil)
    precondition(whole == pieces || reachesTooFar, "cutting the input changed the outcome")

    let deflater = Deflater(settings: .init(windowBits: bits, memoryLevel: 1), keepsContext: keepsContext)
    let inflater = Inflater(windowBits: bits)
    for _ in 0..<2 {
        var packed: [UInt8] = []
        var unpacked: [UInt8] = []
        precondition(deflater.compress(bytes, into: &packed))
        do throws(Inflater.Failure) {
            try packed.withUnsafeBufferPointer { buffer throws(Inflater.Failure) in
                try inflater.inflate(UnsafeRawBufferPointer(buffer), into: &unpacked, limit: bytes.count)
            }
            try inflater.finishMessage(into: &unpacked, limit: bytes.count)
        } catch {
            preconditionFailure("what was deflated can't be inflated: \(error)")
        }
        precondition(unpacked == bytes)
        if !keepsContext { inflater.reset() }
    }
    return 0
}

private func inflate(_ bytes: [UInt8], piece: Int, bits: Int) -> [UInt8]? {
    let limit = 10_000
    let inflater = Inflater(windowBits: bits)
    var all: [UInt8] = []
    for _ in 0..<2 {
        var output: [UInt8] = []
        do throws(Inflater.Failure) {
            var index = 0
            while index < bytes.count {
                let part = bytes[index..<min(index + piece, bytes.count)]
                index += part.count
                try part.withUnsafeBufferPointer { buffer throws(Inflater.Failure) in
                    try inflater.inflate(UnsafeRawBufferPointer(buffer), into: &output, limit: limit)
                }
                precondition(output.count <= limit)
            }
            try inflater.finishMessage(into: &output, limit: limit)
        } catch {
            precondition(output.count <= limit + 1)
            return nil
        }
        all += output
    }
    return all
}
