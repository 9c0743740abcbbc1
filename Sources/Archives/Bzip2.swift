import CBzip2

/// Compresses a stream with bzip2, block by block (900 kB each). The same bytes give the same result.
package final class Bzip2Compressor {
    private let stream: UnsafeMutablePointer<bz_stream>
    private var hasEnded = false
    private static let pieceBytes = 64 << 10

    package init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: bz_stream())
        // 900 kB blocks; the usual effort. Fails only for want of memory, of which it takes 7.6 MB.
        precondition(BZ2_bzCompressInit(stream, 9, 0, 0) == BZ_OK, "out of memory")
    }

    deinit {
        BZ2_bzCompressEnd(stream)
        stream.deallocate()
    }

    /// - Returns: what became complete, which is nothing for most calls.
    package func compress(_ bytes: UnsafeRawBufferPointer) -> [UInt8] { run(bytes, BZ_RUN) }

    /// The rest. Nothing can be added afterwards.
    package func finish() -> [UInt8] { run(UnsafeRawBufferPointer(start: nil, count: 0), BZ_FINISH) }

    private func run(_ bytes: UnsafeRawBufferPointer, _ action: Int32) -> [UInt8] {
        precondition(!hasEnded, "the stream has ended")
        guard !bytes.isEmpty || action == BZ_FINISH else { return [] }
        var result: [UInt8] = []
        var piece = [CChar](repeating: 0, count: Bzip2Compressor.pieceBytes)
        // The library takes lengths of 32 bits, and doesn't write to its input.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
        var left = bytes.count
        stream.pointee.avail_in = 0
        while true {
            let given = min(left - Int(stream.pointee.avail_in), 1 << 30)
            stream.pointee.avail_in += UInt32(given)
            let (before, state) = (stream.pointee.avail_in, step(&piece, action, &result))
            left -= Int(before - stream.pointee.avail_in)
            if state == BZ_STREAM_END {
                hasEnded = true
                return result
            }
            if action == BZ_RUN, left == 0 { return result }
        }
    }

    private func step(_ piece: inout [CChar], _ action: Int32, _ result: inout [UInt8]) -> Int32 {
        piece.withUnsafeMutableBufferPointer { buffer in
            stream.pointee.next_out = buffer.baseAddress
            stream.pointee.avail_out = UInt32(buffer.count)
            let state = BZ2_bzCompress(stream, action)
            precondition(state >= 0, "bzip2 was called in a wrong order")
            let count = buffer.count - Int(stream.pointee.avail_out)
            result.append(contentsOf: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[..<count])))
            return state
        }
    }
}

/// Reads what bzip2 has compressed, one stream after the other, in pieces of bounded size. Every block has a checksum,
/// which is compared.
///
/// A stream costs its reader megabytes to begin, and its writer 14 bytes when it is empty. So an archive may only have many
/// when there is something in them: programs that compress in parallel put at least 100 kB into each.
package final class Bzip2Decompressor {
    private let stream: UnsafeMutablePointer<bz_stream>
    private var isOpen = false
    /// Streams that were begun.
    private var streams = 0
    /// What came out of all of them.
    private var total = 0
    private static let pieceBytes = 64 << 10
    private static let freeStreams = 16
    private static let streamBytes = 64 << 10

    package init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: bz_stream())
    }

    deinit {
        if isOpen { BZ2_bzDecompressEnd(stream) }
        stream.deallocate()
    }

    /// - Parameter take: gets the next piece, lent for the time of the call.
    /// - Throws: `damaged`, and what `take` throws.
    package func decompress(
        _ bytes: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) throws(ArchiveError) -> Void
    ) throws(ArchiveError) {
        precondition(bytes.count < 1 << 31, "too much at once")
        stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
        stream.pointee.avail_in = UInt32(bytes.count)
        var piece = [UInt8](repeating: 0, count: Bzip2Decompressor.pieceBytes)
        while stream.pointee.avail_in > 0 {
            if !isOpen { try open() }
            var (state, count) = step(&piece)
            while true {
                if count > 0 {
                    let filled = count
                    total += count
                    try piece.withBytes { buffer throws(ArchiveError) in
                        try take(UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
                    }
                }
                // A full piece: there may be more, although all the input is taken.
                guard state == BZ_OK, count == piece.count else { break }
                (state, count) = step(&piece)
            }
            switch state {
            case BZ_OK: break
            case BZ_STREAM_END:
                BZ2_bzDecompressEnd(stream)
                isOpen = false
            default: throw ArchiveError(.damaged, "the archive is damaged: its compression makes no sense (\(state))")
            }
        }
    }

    /// - Throws: `damaged` when what came isn't all.
    package func finish() throws(ArchiveError) {
        guard streams > 0, !isOpen else { throw ArchiveError(.damaged, "the archive is damaged: its end is missing") }
    }

    private func open() throws(ArchiveError) {
        streams += 1
        guard streams <= Bzip2Decompressor.freeStreams + total / Bzip2Decompressor.streamBytes else {
            throw ArchiveError(.tooLarge, "the archive is compressed in too many parts")
        }
        let (input, count) = (stream.pointee.next_in, stream.pointee.avail_in)
        stream.pointee = bz_stream()
        stream.pointee.next_in = input
        stream.pointee.avail_in = count
        guard BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK else {
            throw ArchiveError(.inputOutput, "there is not enough memory to read the archive")
        }
        isOpen = true
    }

    private func step(_ piece: inout [UInt8]) -> (state: Int32, count: Int) {
        piece.withUnsafeMutableBytes { buffer in
            stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            stream.pointee.avail_out = UInt32(buffer.count)
            let state = BZ2_bzDecompress(stream)
            return (state, buffer.count - Int(stream.pointee.avail_out))
        }
    }
}
