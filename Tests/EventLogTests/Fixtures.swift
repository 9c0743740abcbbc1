import Base
import EventLog
import EventLoop
import HubProtocol
import JSON

/// Everything a log holds, so that a test sees each difference.
struct Transcript: LogFold, Equatable {
    var ids: [String] = []
    var texts: [String] = []
    var seqs: [Int] = []

    init(header: LogHeader) {}

    init?(checkpoint: JSON, header: LogHeader) {
        guard let ids = checkpoint["ids"]?.arrayValue, let texts = checkpoint["texts"]?.arrayValue,
            let seqs = checkpoint["seqs"]?.arrayValue
        else { return nil }
        self.ids = ids.compactMap(\.stringValue)
        self.texts = texts.compactMap(\.stringValue)
        self.seqs = seqs.compactMap(\.intValue)
    }

    var checkpoint: JSON {
        ["ids": JSON(ids), "texts": JSON(texts), "seqs": .array(seqs.map { JSON($0) })]
    }

    mutating func apply(_ record: EventRecord) {
        ids.append(record.id)
        texts.append(record.data["content"]?.stringValue ?? "")
        seqs.append(record.seq)
    }
}

typealias Store = LogStore<Transcript>

func header(_ id: String) -> LogHeader {
    LogHeader(
        sessionId: id, providerId: "echo", createdAt: Timestamp(milliseconds: 1_700_000_000_000), workspace: "/tmp")
}

func message(_ text: String, kind: EventKind = .message) -> EventDraft {
    EventDraft(kind, source: .agent, turnId: "t1", data: ["role": "assistant", "content": JSON(text)])
}

/// A log's bytes with these texts as events 1, 2, 3...
func logBytes(_ id: String, _ texts: [String]) -> [UInt8] {
    var bytes: [UInt8] = []
    header(id).serialize(into: &bytes)
    bytes.append(0x0a)
    for (index, text) in texts.enumerated() { bytes += line(index + 1, text) }
    return bytes
}

func line(_ seq: Int, _ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    EventRecord(
        seq: seq, timestamp: Timestamp(milliseconds: 1_700_000_000_000 + Int64(seq)), id: "id\(seq)",
        draft: message(text)
    ).serialize(into: &bytes)
    bytes.append(0x0a)
    return bytes
}

/// A store over a file system in memory, with both loops turned by the test.
final class Bench {
    let loop: EventLoop
    let writerLoop: EventLoop
    let files: MemoryFileSystem
    let store: Store
    static let directory = "/sessions"

    init(
        _ durability: Durability = .process, files: MemoryFileSystem = MemoryFileSystem(), loop: EventLoop? = nil,
        writerLoop: EventLoop? = nil, heldLimit: Int = 64 << 20
    ) throws {
        self.loop = try loop ?? EventLoop()
        self.writerLoop = try writerLoop ?? EventLoop()
        self.files = files
        store = try Store(
            directory: Bench.directory, backups: "/backups", loop: self.loop, durability: durability,
            fileSystem: files, heldLimit: heldLimit, retryInterval: .zero, writerLoop: self.writerLoop)
    }

    func turn() {
        loop.turn(waitingAtMost: .zero)
    }

    /// Turns both loops until nothing is left to do.
    func settle() {
        for _ in 0..<6 {
            loop.turn(waitingAtMost: .zero)
            writerLoop.turn(waitingAtMost: .zero)
        }
    }

    static func path(_ id: String) -> String { directory + "/" + id + ".jsonl" }
}
