import Base
import EventLog
import EventLoop
import Foundation
import HubProtocol
import JSON
import Testing

/// Logs that are written beside the others and then adopted.
@Suite struct LogBuilderTests {
    private let id = "6f1c1f0e-0000-4000-8000-000000000001"

    private func build(_ store: Store, _ count: Int, id: String? = nil) throws -> BuiltLog<Transcript> {
        let builder = try LogBuilder<Transcript>(header(id ?? self.id), in: store.drafts)
        for number in 1...count {
            try builder.append(
                message("text \(number)"), at: Timestamp(milliseconds: 1_700_000_000_000 + Int64(number)))
        }
        return try builder.finish()
    }

    private func files(_ bench: DiskBench) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: bench.sessions).filter { $0 != "index.jsonl" }.sorted()
    }

    @Test func anAdoptedLogIsALogLikeOthers() throws {
        let bench = try DiskBench()
        let built = try build(bench.store, 1000)
        #expect(try files(bench) == ["\(id).jsonl.part"])
        try bench.store.adopt(built)
        #expect(try files(bench) == ["\(id).jsonl"])
        let log = try bench.store.open(id)
        #expect(log.lastSeq == 1000)
        #expect(log.state == built.state)
        #expect(try log.verify().isEmpty)
        let next = log.append(message("more"))
        #expect(next.seq == 1001)
        bench.settle()
        let contents = LogContents(try #require(bench.contents(bench.path(id))))
        #expect(contents.records.count == 1001 && contents.damages.isEmpty && contents.gaps.isEmpty)
        #expect(contents.records.first?.timestamp.milliseconds == 1_700_000_000_001)
        #expect(Set(contents.records.map(\.id)).count == 1001)
        // The same from the disk alone, and from the index.
        for _ in 0..<2 {
            let again = try DiskBench(root: bench.root)
            let found = again.store.scan()
            #expect(found.map(\.lastSeq) == [1001])
            #expect(found.first?.state == log.state)
            again.store.stop()
        }
    }

    @Test func whatIsNotAdoptedIsGone() throws {
        let bench = try DiskBench()
        do {
            let builder = try LogBuilder<Transcript>(header(id), in: bench.store.drafts)
            try builder.append(message("text"), at: .now)
            #expect(try files(bench).count == 1)
            #expect(throws: LogError.self) { try LogBuilder<Transcript>(header(id), in: bench.store.drafts) }
        }
        #expect(try files(bench).isEmpty)
        bench.store.discard(try build(bench.store, 3))
        #expect(try files(bench).isEmpty)
        // As after a crash between the two steps.
        _ = try build(bench.store, 3)
        #expect(try files(bench).count == 1)
        let again = try DiskBench(root: bench.root)
        #expect(again.store.scan().isEmpty)
        #expect(try files(bench).isEmpty)
    }

    @Test func nothingIsReplaced() throws {
        let bench = try DiskBench()
        let log = try bench.store.create(header(id))
        log.append(message("mine"))
        bench.settle()
        #expect(bench.store.drafts.isTaken(id))
        let built = try build(bench.store, 3)
        let error = #expect(throws: LogError.self) { try bench.store.adopt(built) }
        #expect(error?.code == .alreadyExists)
        #expect(try files(bench) == ["\(id).jsonl"])
        #expect(log.state.texts == ["mine"])
        // Nor what the store doesn't know yet.
        let other = "6f1c1f0e-0000-4000-8000-000000000002"
        try bench.write(other, Array("anything".utf8))
        #expect(throws: LogError.self) { try bench.store.adopt(try build(bench.store, 3, id: other)) }
        #expect(bench.contents(bench.path(other)) == Array("anything".utf8))
    }

    @Test func anEventThatNoReaderWouldTakeIsReplaced() throws {
        let bench = try DiskBench()
        let builder = try LogBuilder<Transcript>(header(id), in: bench.store.drafts)
        try builder.append(message(String(repeating: "x", count: LogFormat.lineLimit)), at: .now)
        try builder.append(message("after"), at: .now)
        try bench.store.adopt(try builder.finish())
        let records = try bench.store.open(id).read(limit: 10)
        #expect(records.map(\.kind) == [.custom, .message])
        #expect(records.first?.data["type"] == "oversized_event")
        #expect(records.first?.data["data"]?["kind"] == "message")
    }
}
