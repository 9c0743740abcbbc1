import EventLog
import HubProtocol
import JSON
import Testing

/// What something else does to a log's file while the store has it open.
@Suite struct OutsideChangeTests {
    private struct Stage {
        let bench: Bench
        let log: SessionLog<Transcript>
        var path: String { Bench.path("s1") }

        init(_ durability: Durability, events: Int = 10) throws {
            bench = try Bench(durability)
            log = try bench.store.create(header("s1"))
            for number in 1...events { log.append(message("event \(number)")) }
            bench.settle()
        }

        var findings: [RecoveryReport.Finding] { bench.store.recoveries.map(\.finding) }
        var contents: LogContents { LogContents(bench.files[path] ?? []) }

        /// Leaves the file as it is, only shorter: the same file, not a new one of that name.
        func cut(to size: Int) {
            bench.files.with { state in
                let count = state.files[path]?.cached.count ?? 0
                state.files[path]?.cached.removeLast(count - size)
            }
        }

        /// The store's next life.
        func reopened() throws -> (Bench, SessionLog<Transcript>) {
            bench.store.stop()
            let next = try Bench(files: bench.files.afterDeath())
            _ = next.store.scan()
            return (next, try next.store.open("s1"))
        }
    }

    @Test(arguments: Durability.allCases)
    func whatFollowsACutKeepsItsPlace(_ durability: Durability) throws {
        let stage = try Stage(durability)
        let whole = try #require(stage.bench.files[stage.path])
        // In the middle of the sixth event: five are left.
        let lines = whole.split(separator: 0x0a)
        stage.cut(to: lines[..<6].reduce(0) { $0 + $1.count + 1 } + 20)
        stage.log.append(message("after"))
        stage.bench.settle()
        #expect(stage.findings == [.cutShort])
        #expect(stage.log.committedSeq == 11)
        // Numbers 6 to 10 are gone; nobody else gets them.
        #expect(stage.contents.records.map(\.seq) == [1, 2, 3, 4, 5, 11])
        let slice = try stage.log.read(after: 0)
        #expect(slice.lines.map(\.seq) == [1, 2, 3, 4, 5, 11])
        #expect(try stage.log.read(limit: 3).map(\.seq) == [4, 5, 11])
        let (_, log) = try stage.reopened()
        #expect(log.lastSeq == 11)
        #expect(try log.read(limit: 100).map(\.seq) == [1, 2, 3, 4, 5, 11])
        #expect(log.append(message("next")).seq == 12)
    }

    @Test(arguments: Durability.allCases)
    func aReaderIsToldOnceAndGetsTheRestThen(_ durability: Durability) throws {
        let stage = try Stage(durability)
        stage.cut(to: 700)
        #expect(throws: LogError.self) { try stage.log.read(after: 0) }
        #expect(stage.findings == [.cutShort])
        let left = try stage.log.read(after: 0).lines.map(\.seq)
        #expect(!left.isEmpty)
        #expect(left == Array(1...left.count))
        #expect(stage.log.lastSeq == 10)
        #expect(stage.log.append(message("after")).seq == 11)
        stage.bench.settle()
        #expect(try stage.log.read(after: 0).lines.map(\.seq) == left + [11])
    }

    @Test(arguments: [0, 1, 50]) func aLostHeaderIsWrittenAgain(size: Int) throws {
        let stage = try Stage(.process)
        stage.cut(to: size)
        stage.log.append(message("after"))
        stage.bench.settle()
        #expect(stage.contents.header?.sessionId == "s1")
        let (_, log) = try stage.reopened()
        #expect(try log.read(limit: 100).map(\.seq) == [11])
        #expect(log.lastSeq == 11)
    }

    @Test(arguments: Durability.allCases)
    func aRemovedFileIsWrittenAgain(_ durability: Durability) throws {
        let stage = try Stage(durability)
        let whole = stage.bench.files[stage.path]
        try stage.bench.files.remove(stage.path)
        stage.log.append(message("after"))
        stage.bench.settle()
        #expect(stage.findings == [.removed])
        #expect(stage.bench.files[stage.path]?.prefix(whole?.count ?? 0) == whole?[...])
        let (_, log) = try stage.reopened()
        #expect(log.state.seqs == Array(1...11))
    }

    /// As editors do: a new file takes the place of the old one.
    @Test(arguments: Durability.allCases)
    func whatTookItsPlaceIsPutAside(_ durability: Durability) throws {
        let stage = try Stage(durability)
        try stage.bench.files.remove(stage.path)
        stage.bench.files[stage.path] = Array("something else\n".utf8)
        stage.bench.store.mendFiles()
        #expect(stage.findings == [.removed])
        #expect(stage.contents.records.count == 10)
        #expect(stage.bench.files[stage.path + ".outside"] == Array("something else\n".utf8))
        // The files of a session go with it.
        try stage.bench.store.delete("s1")
        #expect(stage.bench.files[stage.path + ".outside"] == nil)
    }

    @Test func aMovedFileIsMissedOnlyByTheLookAtItsName() throws {
        let stage = try Stage(.process)
        try stage.bench.files.rename(stage.path, to: "/elsewhere")
        stage.bench.store.mendFiles()
        #expect(stage.findings == [.removed])
        #expect(stage.contents.records.count == 10)
    }

    @Test(arguments: Durability.allCases)
    func whatSomebodyElseAddsIsCutOff(_ durability: Durability) throws {
        let stage = try Stage(durability)
        stage.bench.files.with { $0.files[stage.path]?.cached += line(11, "forged") }
        stage.log.append(message("after"))
        stage.bench.settle()
        #expect(stage.findings == [.added])
        #expect(stage.contents.records.map { $0.data["content"]?.stringValue }.last == "after")
        #expect(stage.contents.records.count == 11)
        #expect(stage.contents.damages.isEmpty)
    }

    /// Mending needs room that there isn't: tried again, and nothing is lost meanwhile.
    @Test func mendingIsTriedAgain() throws {
        let stage = try Stage(.process)
        try stage.bench.files.remove(stage.path)
        stage.bench.files.faults.room = 100
        stage.log.append(message("after"))
        stage.bench.turn()
        #expect(stage.log.failure != nil)
        #expect(stage.log.committedSeq == 10)
        stage.bench.files.faults.room = .max
        stage.bench.settle()
        #expect(stage.log.failure == nil)
        #expect(stage.log.committedSeq == 11)
        #expect(stage.contents.records.map(\.seq) == Array(1...11))
        #expect(stage.bench.files.with { $0.files.keys.allSatisfy { !$0.hasSuffix(".part") } })
    }

    @Test func nothingIsFoundWhereNothingHappened() throws {
        let stage = try Stage(.process)
        for _ in 0..<3 {
            stage.bench.store.mendFiles()
            stage.log.append(message("more"))
            stage.bench.settle()
        }
        #expect(stage.findings.isEmpty)
        #expect(stage.contents.records.count == 13)
    }
}
