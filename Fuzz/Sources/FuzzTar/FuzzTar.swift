import Archives

/// What a reader hands out, and that it keeps its promises about it.
private final class Receiver: TarReader.Receiver {
    var entries: [TarEntry] = []
    var bytes = 0
    private var left = 0

    func begin(_ entry: TarEntry) {
        precondition(left == 0)
        left = entry.size
        check(entry.path)
        if case .hardLink(let target) = entry.kind {
            precondition(entry.size == 0)
            precondition(entries.contains { $0.path.utf8.elementsEqual(target.utf8) && $0.kind == .file })
        }
        entries.append(entry)
    }

    func take(_ bytes: UnsafeRawBufferPointer) {
        left -= bytes.count
        self.bytes += bytes.count
        precondition(left >= 0)
    }

    func end() { precondition(left == 0) }

    private func check(_ path: String) {
        let parts = Array(path.utf8).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        precondition(parts.allSatisfy { !$0.isEmpty && Array($0) != Array(".".utf8) && Array($0) != Array("..".utf8) })
        precondition(!path.utf8.contains(0))
        // What was a file can't become a folder, nor anything come twice.
        for other in entries {
            precondition(!other.path.utf8.elementsEqual(path.utf8))
            precondition(other.kind == .folder || !Array(path.utf8).starts(with: Array((other.path + "/").utf8)))
        }
    }
}

/// Reads the input as an archive, compressed already or not, whole and in pieces. The reader either refuses both or hands
/// out the same, within its limits, and nothing that leads out of a folder.
///
/// The fuzzer can't guess checksums: every header gets the one it needs.
@c(LLVMFuzzerTestOneInput)
public func fuzzTar(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let mode = start[0]
    var input = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    if mode & 1 == 0 {
        input += [UInt8](repeating: 0, count: (512 - input.count % 512) % 512)
        for header in stride(from: 0, to: input.count, by: 512) { complete(&input, header) }
        input += [UInt8](repeating: 0, count: 1024)
        let compressor = Bzip2Compressor()
        input = input.withUnsafeBytes { compressor.compress($0) } + compressor.finish()
    }
    let allowances = TarReader.Allowances(rawValue: Int(mode >> 1 & 3))
    let whole = read(input, piece: input.count, allowances)
    let pieces = read(input, piece: Int(mode >> 3) + 1, allowances)
    precondition(whole?.entries == pieces?.entries, "cutting the input changed the outcome")
    return 0
}

/// Gives what may be a header its magic and its checksum.
private func complete(_ bytes: inout [UInt8], _ header: Int) {
    guard bytes[header] != 0 else { return }
    bytes.replaceSubrange(header + 257..<header + 263, with: Array("ustar\u{0}".utf8))
    bytes.replaceSubrange(header + 148..<header + 156, with: [UInt8](repeating: 0x20, count: 8))
    let sum = String(bytes[header..<header + 512].reduce(0) { $0 + Int($1) }, radix: 8)
    bytes.replaceSubrange(header + 148..<header + 148 + sum.utf8.count, with: Array(sum.utf8))
    bytes[header + 148 + sum.utf8.count] = 0
}

private func read(_ bytes: [UInt8], piece: Int, _ allowances: TarReader.Allowances) -> Receiver? {
    var limits = TarReader.Limits()
    limits.entries = 50
    limits.bytes = 10_000
    limits.pathBytes = 200
    let receiver = Receiver()
    let reader = TarReader(limits: limits, allowing: allowances, receiver: receiver)
    defer { precondition(receiver.entries.count <= limits.entries && receiver.bytes <= limits.bytes) }
    do throws(ArchiveError) {
        var index = 0
        while index < bytes.count {
            let end = min(index + piece, bytes.count)
            try Array(bytes[index..<end]).withBytes { part throws(ArchiveError) in try reader.feed(part) }
            index = end
        }
        try reader.finish()
        return receiver
    } catch {
        return nil
    }
}
