import Base
import HubProtocol
import JSON

/// What the index knows of a session: enough to list it and to open it without reading its log.
struct IndexEntry {
    var header: LogHeader
    /// Where the first event line begins.
    var start: Int
    /// How much of the file the checkpoint is the fold of: all of it, when this was written.
    var size: Int
    var modifiedNanoseconds: Int64
    var inode: UInt64
    var lastSeq: Int
    /// A checksum of the last bytes before `size`: tells a file that has grown from one that was rewritten.
    var tail: UInt64
    var damage: [Range<Int>]
    /// The entry's line with its LF, the checkpoint at its end: for thousands of sessions that nobody has opened, this
    /// is copied from one index to the next.
    private(set) var line: ArraySlice<UInt8> = []

    init(
        header: LogHeader, start: Int, size: Int, status: FileStatus, lastSeq: Int, tail: UInt64,
        damage: [Range<Int>], checkpoint: JSON
    ) {
        self.header = header
        self.start = start
        self.size = size
        modifiedNanoseconds = status.modifiedNanoseconds
        inode = status.inode
        self.lastSeq = lastSeq
        self.tail = tail
        self.damage = damage
        line = ArraySlice(LogIndex.serialize(self, checkpoint: checkpoint))
    }

    /// What a line of an index says; nil when it is damaged.
    init?(line: ArraySlice<UInt8>, json: JSON) {
        guard let id = json["id"]?.stringValue, let size = json["size"]?.intValue,
            let modified = json["mtimeNs"]?.intValue, let inode = json["inode"]?.intValue,
            let lastSeq = json["lastSeq"]?.intValue, let start = json["start"]?.intValue,
            let tail = (json["tail"]?.stringValue).flatMap({ UInt64($0, radix: 16) }),
            let header = json["header"].flatMap({ LogHeader($0) }), header.sessionId == id,
            json["checkpoint"] != nil, start > 0, size >= start, lastSeq >= 0
        else { return nil }
        damage = []
        for pair in json["damaged"]?.arrayValue ?? [] {
            guard let low = pair[0]?.intValue, let high = pair[1]?.intValue, low < high else { return nil }
            damage.append(low..<high)
        }
        self.header = header
        self.start = start
        self.size = size
        modifiedNanoseconds = Int64(modified)
        self.inode = UInt64(bitPattern: Int64(inode))
        self.lastSeq = lastSeq
        self.tail = tail
        self.line = line
    }

    /// The state that the line holds, parsed when a session is opened.
    var checkpoint: JSON? { (try? JSON.parse(Array(line)))?["checkpoint"] }

    func matches(_ status: FileStatus) -> Bool {
        status.size == size && status.modifiedNanoseconds == modifiedNanoseconds && status.inode == inode
    }
}

/// `sessions/index.jsonl`: derived from the logs, rebuilt at will, never the truth. The first line has the version,
/// every other is a session's entry, with a checksum, since a wrong digit here would go unnoticed.
enum LogIndex {
    static let version = 1
    /// Larger than any index of ours: 100,000 sessions with 10 KiB each.
    static let sizeLimit = 1 << 30
    static let tailLength = 256

    static func serialize(_ entries: some Sequence<IndexEntry>) -> [UInt8] {
        var bytes: [UInt8] = []
        let first: JSON = ["kind": "index", "version": JSON(version)]
        first.serialize(into: &bytes)
        bytes.append(0x0a)
        for entry in entries { bytes.append(contentsOf: entry.line) }
        return bytes
    }

    private static let sumStart = Array(#"{"sum":""#.utf8)
    private static let sumEnd = Array(#"","#.utf8)
    private static var sumLength: Int { sumStart.count + 16 + sumEnd.count }

    fileprivate static func serialize(_ entry: IndexEntry, checkpoint: JSON) -> [UInt8] {
        var header: [UInt8] = []
        entry.header.serialize(into: &header)
        var members: JSONObject = [
            "id": JSON(entry.header.sessionId), "size": JSON(entry.size),
            "mtimeNs": .int(entry.modifiedNanoseconds), "inode": .int(Int64(bitPattern: entry.inode)),
            "lastSeq": JSON(entry.lastSeq), "start": JSON(entry.start), "tail": JSON(hexadecimal16(entry.tail)),
        ]
        if !entry.damage.isEmpty {
            members["damaged"] = .array(
                entry.damage.map { .array([JSON($0.lowerBound), JSON($0.upperBound)]) })
        }
        var body: [UInt8] = []
        members.serialize(into: &body)
        // Without its opening and closing brace.
        body.removeFirst()
        body.removeLast()
        body += #","header":"#.utf8
        body += header
        body += #","checkpoint":"#.utf8
        checkpoint.serialize(into: &body)
        body.append(UInt8(ascii: "}"))
        var line = sumStart
        line += hexadecimal16(body.withUnsafeBytes { checksum($0) }).utf8
        line += sumEnd
        line += body
        line.append(0x0a)
        return line
    }

    struct Contents {
        var entries: [String: (entry: IndexEntry, checkpoint: JSON)] = [:]
        var damagedLines = 0
        /// False when another version wrote it: it then has no entries.
        var isOurs = true
    }

    static func parse(_ bytes: [UInt8]) -> Contents {
        var contents = Contents()
        bytes.withUnsafeBytes { buffer in
            var start = 0
            var isFirst = true
            while start < buffer.count {
                let rest = UnsafeRawBufferPointer(rebasing: buffer[start...])
                guard let length = firstLineFeed(rest) else {
                    contents.damagedLines += 1
                    return
                }
                let line = UnsafeRawBufferPointer(rebasing: rest[..<length])
                if isFirst {
                    isFirst = false
                    let json = try? JSON.parse(line)
                    guard json?["kind"] == "index", json?["version"]?.intValue == version else {
                        contents.isOurs = false
                        return
                    }
                } else if let found = entry(line, bytes[start..<start + length + 1]) {
                    contents.entries[found.entry.header.sessionId] = found
                } else {
                    contents.damagedLines += 1
                }
                start += length + 1
            }
        }
        return contents
    }

    private static func entry(
        _ line: UnsafeRawBufferPointer, _ bytes: ArraySlice<UInt8>
    ) -> (entry: IndexEntry, checkpoint: JSON)? {
        guard line.count > sumLength, line.starts(with: sumStart) else { return nil }
        let body = UnsafeRawBufferPointer(rebasing: line[sumLength...])
        let sum = line[sumStart.count..<sumStart.count + 16]
        guard sum.elementsEqual(hexadecimal16(checksum(body)).utf8), let json = try? JSON.parse(line),
            let entry = IndexEntry(line: bytes, json: json), let checkpoint = json["checkpoint"]
        else { return nil }
        return (entry, checkpoint)
    }
}

/// Tells damage, not malice: eight bytes at a time, so that an index of 10 MB costs a few milliseconds.
package func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325 &+ UInt64(truncatingIfNeeded: bytes.count)
    var index = 0
    while index + 8 <= bytes.count {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        hash = (hash ^ word) &* 0x9e37_79b9_7f4a_7c15
        hash ^= hash >> 29
        index += 8
    }
    while index < bytes.count {
        hash = (hash ^ UInt64(bytes[index])) &* 0x0000_0100_0000_01b3
        index += 1
    }
    return hash ^ hash >> 32
}

func hexadecimal16(_ value: UInt64) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: 16 - text.utf8.count) + text
}
