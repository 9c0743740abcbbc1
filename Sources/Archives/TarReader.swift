/// Reads a tar archive that is compressed with bzip2 and that nobody vouches for.
///
/// Refused are absolute paths, `..`, links, devices, sparse files, names that come twice, files that others should lie in, and
/// more entries or bytes than allowed; the checksums of headers and compressed blocks are compared, and an archive without
/// its end is damaged. Memory and work are bounded by the limits, whatever is in it.
package final class TarReader {
    package struct Limits: Sendable {
        /// Of entries, and of the folders that they lie in.
        package var entries = 1_000_000
        /// Of all contents.
        package var bytes = 1 << 40
        /// Of a path.
        package var pathBytes = 512

        package init() {}
    }

    /// What only some archives may have.
    package struct Allowances: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }

        /// Second names for files that came before them in the archive.
        package static let hardLinks = Allowances(rawValue: 1)
        /// Names that differ in nothing but case: files of their own here, but not on every file system.
        package static let similarNames = Allowances(rawValue: 2)
    }

    /// What becomes of the contents.
    package protocol Receiver: AnyObject {
        /// A new entry. Its path is safe to be appended to a folder's.
        func begin(_ entry: TarEntry) throws(ArchiveError)
        /// The next bytes of the entry, lent for the time of the call.
        func take(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError)
        /// The entry is complete.
        func end() throws(ArchiveError)
    }

    private enum State {
        case header
        case content(left: Int, padding: Int)
        /// The records of a pax header, or a long name as GNU writes it.
        case extra(left: Int, padding: Int, isPax: Bool)
        case padding(Int)
        /// After the end only zeros may come.
        case ended
    }

    private let limits: Limits
    private let allowances: Allowances
    private let receiver: any Receiver
    private let decompressor = Bzip2Decompressor()
    private var state = State.header
    private var block: [UInt8] = []
    private var extra: [UInt8] = []
    private var zeroBlocks = 0
    /// What the next header has been told by headers before it.
    private var nextPath: String?
    private var nextSize: Int?
    private var nextTarget: String?
    private var extras = 0
    private var bytes = 0
    private var trailing = 0
    private var names: EntryNames
    /// What compresses to nothing, and that nobody needs: tar itself fills up 10 kB.
    private static let trailingBytes = 1 << 20

    package init(limits: Limits = Limits(), allowing allowances: Allowances = [], receiver: any Receiver) {
        self.limits = limits
        self.allowances = allowances
        self.receiver = receiver
        names = EntryNames(limit: limits.entries, distinguishesCase: allowances.contains(.similarNames))
    }

    /// The next bytes of the archive.
    package func feed(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        try decompressor.decompress(bytes) { piece throws(ArchiveError) in try self.parse(piece) }
    }

    /// - Throws: `damaged` when something is missing.
    package func finish() throws(ArchiveError) {
        try decompressor.finish()
        guard case .ended = state else { throw TarReader.damaged("its end is missing") }
    }

    private static func damaged(_ reason: String) -> ArchiveError {
        ArchiveError(.damaged, "the archive is damaged: \(reason)")
    }

    // MARK: Blocks

    private func parse(_ piece: UnsafeRawBufferPointer) throws(ArchiveError) {
        var rest = piece
        func next(_ most: Int) -> UnsafeRawBufferPointer {
            let taken = UnsafeRawBufferPointer(rebasing: rest.prefix(most))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(taken.count))
            return taken
        }
        while !rest.isEmpty {
            switch state {
            case .header:
                block.append(contentsOf: next(TarFormat.block - block.count))
                guard block.count == TarFormat.block else { return }
                try readHeader()
                block.removeAll(keepingCapacity: true)
            case .content(let left, let padding):
                let part = next(left)
                try receiver.take(part)
                try advanceContent(left - part.count, padding)
            case .extra(let left, let padding, let isPax):
                let part = next(left)
                extra.append(contentsOf: part)
                if part.count < left {
                    state = .extra(left: left - part.count, padding: padding, isPax: isPax)
                } else {
                    try readExtra(isPax: isPax)
                    state = padding > 0 ? .padding(padding) : .header
                }
            case .padding(let left):
                let part = next(left)
                state = part.count < left ? .padding(left - part.count) : .header
            case .ended:
                trailing += rest.count
                guard trailing <= TarReader.trailingBytes, next(rest.count).allSatisfy({ $0 == 0 }) else {
                    throw TarReader.damaged("something follows its end")
                }
            }
        }
    }

    private func advanceContent(_ left: Int, _ padding: Int) throws(ArchiveError) {
        guard left == 0 else {
            state = .content(left: left, padding: padding)
            return
        }
        try receiver.end()
        state = padding > 0 ? .padding(padding) : .header
    }

    // MARK: Headers

    private func readHeader() throws(ArchiveError) {
        if block.allSatisfy({ $0 == 0 }) {
            zeroBlocks += 1
            if zeroBlocks == 2 { state = .ended }
            return
        }
        guard zeroBlocks == 0 else { throw TarReader.damaged("something follows its end") }
        guard let sum = number(TarFormat.checksum), block.withUnsafeBytes({ TarFormat.sum(of: $0) }) == sum,
            block[TarFormat.magic].starts(with: "ustar".utf8), let size = number(TarFormat.size), size >= 0
        else { throw TarReader.damaged("a header makes no sense") }
        switch block[TarFormat.type] {
        case UInt8(ascii: "x"): try beginExtra(size, isPax: true)
        case UInt8(ascii: "L"): try beginExtra(size, isPax: false)
        case UInt8(ascii: "0"), 0: try beginEntry(.file, size: nextSize ?? size)
        case UInt8(ascii: "5"): try beginEntry(.folder, size: 0)
        case UInt8(ascii: "1") where allowances.contains(.hardLinks):
            let target = nextTarget ?? text(TarFormat.link)
            guard size == 0, nextSize ?? 0 == 0 else { throw TarReader.damaged("a link has contents") }
            try beginEntry(.hardLink(to: target), size: 0)
        default:
            let path = text(TarFormat.name).prefix(100).debugDescription
            throw ArchiveError(.unsafe, "the archive has something in it that is no file and no folder: \(path)")
        }
    }

    private func beginExtra(_ size: Int, isPax: Bool) throws(ArchiveError) {
        // A path, a size and a few times: more is an attempt on the memory, or to keep the reader busy.
        extras += 1
        guard (1...(2 * limits.pathBytes + 4096)).contains(size), extras <= 2 else {
            throw TarReader.damaged("a header is too long")
        }
        extra = []
        state = .extra(left: size, padding: TarFormat.padding(after: size), isPax: isPax)
    }

    private func beginEntry(_ given: TarEntry.Kind, size: Int) throws(ArchiveError) {
        let prefix = text(TarFormat.prefix)
        let name = nextPath ?? (prefix.isEmpty ? "" : prefix + "/") + text(TarFormat.name)
        nextPath = nil
        nextSize = nil
        nextTarget = nil
        extras = 0
        let path = try checked(name, isFolder: given == .folder)
        var kind = given
        if case .hardLink(let target) = given {
            let target = try checked(target, isFolder: false)
            guard names.isFile(target) else { throw refusal("leads to no file before it", target) }
            kind = .hardLink(to: target)
        }
        switch names.insert(path, kind) {
        case .new: break
        case .comesTwice: throw refusal("comes twice, or once as a file and once as a folder", path)
        case .differsInCase: throw refusal("differs from another one in case only", path)
        case .tooMany: throw ArchiveError(.tooLarge, "the archive has more than \(limits.entries) entries")
        }
        guard size <= limits.bytes - bytes else {
            throw ArchiveError(.tooLarge, "the archive unpacks to more than \(limits.bytes) bytes")
        }
        bytes += size
        try receiver.begin(
            TarEntry(
                path: path, kind: kind, size: size,
                permissions: UInt32(truncatingIfNeeded: number(TarFormat.mode) ?? 0) & 0o777,
                modified: max(0, number(TarFormat.time) ?? 0)))
        if size > 0 {
            state = .content(left: size, padding: TarFormat.padding(after: size))
        } else {
            try receiver.end()
        }
    }

    private func refusal(_ reason: String, _ path: String) -> ArchiveError {
        ArchiveError(.unsafe, "the archive has a path that \(reason): \(path.prefix(100).debugDescription)")
    }

    /// A path that leads nowhere but below the folder it is appended to.
    ///
    /// Bytes are looked at, as the system will: to a string, a slash with an accent on it is no slash.
    private func checked(_ given: String, isFolder: Bool) throws(ArchiveError) -> String {
        let slash = UInt8(ascii: "/")
        var path = Array(given.utf8)[...]
        while path.starts(with: "./".utf8) { path = path.dropFirst(2) }
        if isFolder, path.last == slash { path = path.dropLast() }
        guard !path.isEmpty, given.utf8.count <= limits.pathBytes else { throw refusal("is empty or too long", given) }
        guard path.first != slash else { throw refusal("is absolute", given) }
        guard path.allSatisfy({ $0 >= 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "\\") }) else {
            throw refusal("has control characters", given)
        }
        let parts = path.split(separator: slash, omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) }) else {
            throw refusal("leads elsewhere", given)
        }
        return String(decoding: path, as: UTF8.self)
    }

    private func readExtra(isPax: Bool) throws(ArchiveError) {
        guard isPax else {
            nextPath = String(decoding: extra.prefix { $0 != 0 }, as: UTF8.self)
            return
        }
        var rest = extra[...]
        while !rest.isEmpty {
            guard let space = rest.firstIndex(of: 0x20),
                let length = Int(String(decoding: rest[..<space], as: UTF8.self)), length > space - rest.startIndex + 1,
                length <= rest.count, rest[rest.startIndex + length - 1] == 0x0a
            else { throw TarReader.damaged("a header makes no sense") }
            let record = rest[(space + 1)..<(rest.startIndex + length - 1)]
            rest = rest[(rest.startIndex + length)...]
            guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else {
                throw TarReader.damaged("a header makes no sense")
            }
            let value = String(decoding: record[(equals + 1)...], as: UTF8.self)
            let key = String(decoding: record[..<equals], as: UTF8.self)
            switch key {
            case "path": nextPath = value
            case "linkpath": nextTarget = value
            case "size":
                guard let size = Int(value), size >= 0 else { throw TarReader.damaged("a header makes no sense") }
                nextSize = size
            // A small archive of a file that is large, and of a name that isn't the header's.
            case _ where key.hasPrefix("GNU.sparse."):
                throw ArchiveError(.unsafe, "the archive has a sparse file in it")
            default: break
            }
        }
    }

    private func text(_ field: Range<Int>) -> String {
        String(decoding: block[field].prefix { $0 != 0 }, as: UTF8.self)
    }

    /// An octal number, as ustar has them; nil when it isn't one.
    private func number(_ field: Range<Int>) -> Int? {
        let digits = block[field].drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
        guard digits.count <= 20 else { return nil }
        if digits.isEmpty { return 0 }
        return Int(String(decoding: digits, as: UTF8.self), radix: 8)
    }
}
