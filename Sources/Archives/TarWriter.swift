/// Writes a tar archive, compressed with bzip2. Nothing of the machine gets in: owners are 0, times are those that are
/// given; the same entries in the same order give the same bytes.
package struct TarWriter {
    package typealias Sink = (UnsafeRawBufferPointer) throws(ArchiveError) -> Void

    private let compressor = Bzip2Compressor()
    private let sink: Sink
    /// What the entry that was begun still needs.
    private var missing = 0
    private var padding = 0

    /// - Parameter sink: gets the compressed archive, piece by piece.
    package init(_ sink: @escaping Sink) { self.sink = sink }

    /// A whole file.
    package mutating func add(_ entry: TarEntry, _ content: [UInt8]) throws(ArchiveError) {
        var entry = entry
        entry.size = content.count
        try begin(entry)
        try content.withBytes { bytes throws(ArchiveError) in try write(bytes) }
    }

    /// Begins an entry; as much as `entry.size` must be written before the next.
    package mutating func begin(_ entry: TarEntry) throws(ArchiveError) {
        precondition(missing == 0, "an entry is not complete")
        let path = Array((entry.kind == .folder ? entry.path + "/" : entry.path).utf8)
        var more: [(String, String)] = []
        if path.count > TarFormat.name.count { more.append(("path", String(decoding: path, as: UTF8.self))) }
        if entry.size >= 1 << 33 { more.append(("size", String(entry.size))) }
        var target: [UInt8] = []
        if case .hardLink(let other) = entry.kind {
            precondition(entry.size == 0, "a link has no content")
            target = Array(other.utf8)
            if target.count > TarFormat.link.count { more.append(("linkpath", other)) }
        }
        if !more.isEmpty {
            let records = TarWriter.paxRecords(more)
            try put(
                header(path: Array("pax-header".utf8), type: "x", size: records.count, entry), padded: records)
        }
        try put(
            header(
                path: path, type: type(entry.kind), size: entry.size >= 1 << 33 ? 0 : entry.size, entry, target: target)
        )
        missing = entry.kind == .folder ? 0 : entry.size
        padding = TarFormat.padding(after: missing)
    }

    /// The next bytes of the entry.
    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        precondition(bytes.count <= missing, "more than the entry's size")
        try compress(bytes)
        missing -= bytes.count
        if missing == 0, padding > 0 {
            try put([UInt8](repeating: 0, count: padding))
            padding = 0
        }
    }

    /// Ends the archive.
    package mutating func finish() throws(ArchiveError) {
        precondition(missing == 0, "an entry is not complete")
        try put([UInt8](repeating: 0, count: 2 * TarFormat.block))
        let rest = compressor.finish()
        try rest.withBytes { bytes throws(ArchiveError) in try sink(bytes) }
    }

    private func compress(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        let ready = compressor.compress(bytes)
        if !ready.isEmpty { try ready.withBytes { bytes throws(ArchiveError) in try sink(bytes) } }
    }

    private func put(_ bytes: [UInt8], padded more: [UInt8] = []) throws(ArchiveError) {
        let all = bytes + more + [UInt8](repeating: 0, count: TarFormat.padding(after: more.count))
        try all.withBytes { bytes throws(ArchiveError) in try compress(bytes) }
    }

    private func type(_ kind: TarEntry.Kind) -> Character {
        switch kind {
        case .file: "0"
        case .hardLink: "1"
        case .folder: "5"
        }
    }

    /// A path or target that is too long is cut; whoever reads it has been told the whole by records before it.
    private func header(
        path: [UInt8], type: Character, size: Int, _ entry: TarEntry, target: [UInt8] = []
    ) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: TarFormat.block)
        func text(_ bytes: some Sequence<UInt8>, _ field: Range<Int>) {
            for (place, byte) in zip(field, bytes) { header[place] = byte }
        }
        func number(_ value: Int, _ field: Range<Int>) {
            let digits = String(max(0, value), radix: 8)
            let zeros = String(repeating: "0", count: max(0, field.count - 1 - digits.utf8.count))
            text((zeros + digits).utf8, field.lowerBound..<field.upperBound - 1)
        }
        text(path, TarFormat.name)
        number(Int(entry.permissions & 0o777), TarFormat.mode)
        number(0, TarFormat.user)
        number(0, TarFormat.group)
        number(size, TarFormat.size)
        number(entry.modified, TarFormat.time)
        header[TarFormat.type] = type.asciiValue ?? 0x30
        text(target, TarFormat.link)
        text("ustar\u{0}00".utf8, TarFormat.magic)
        let sum = header.withUnsafeBytes { TarFormat.sum(of: $0) }
        number(sum, TarFormat.checksum.lowerBound..<TarFormat.checksum.upperBound - 1)
        header[TarFormat.checksum.upperBound - 1] = 0x20
        return header
    }

    /// `LENGTH KEY=VALUE\n` each, the length counting itself.
    private static func paxRecords(_ records: [(String, String)]) -> [UInt8] {
        records.flatMap { key, value in
            let rest = " \(key)=\(value)\n"
            var length = rest.utf8.count
            while "\(length)".utf8.count + rest.utf8.count != length {
                length = "\(length)".utf8.count + rest.utf8.count
            }
            return Array("\(length)\(rest)".utf8)
        }
    }
}
