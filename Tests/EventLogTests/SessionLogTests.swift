import Base
import EventLog
import EventLoop
import HubProtocol
import JSON
import TestSupport
import Testing

@Suite struct SessionLogTests {
    @Test func publishesAfterTheLineIsInTheFile() throws {
        let bench = try Bench()
        let log = try bench.store.create(header("s1"))
        var published: [Int] = []
        log.onCommitted = { events in
            let file = bench.files[Bench.path("s1")] ?? []
            for event in events {
                #expect(
                    String(decoding: file, as: UTF8.self).contains(String(decoding: event.line, as: UTF8.self) + "\n"))
                published.append(event.record.seq)
            }
        }
        let first = log.append(message("one"))
        log.append(message("two"))
        #expect(first.seq == 1)
        #expect(log.lastSeq == 2)
        #expect(log.committedSeq == 0)
        #expect(log.state.texts == ["one", "two"])
        #expect(published.isEmpty)
        bench.turn()
        #expect(published == [1, 2])
        #expect(log.committedSeq == 2)
        #expect(bench.store.metrics.commits == 1)
        #expect(bench.store.metrics.events == 2)
        #expect(LogContents(bench.files[Bench.path("s1")] ?? []).records.map(\.seq) == [1, 2])
    }

    @Test func aLineThatIsNoTextAnyMoreIsPassedOver() throws {
        let bench = try Bench()
        let log = try bench.store.create(header("s1"))
        for text in ["one", "two", "three"] { log.append(message(text)) }
        bench.turn()
        let file = bench.files[Bench.path("s1")] ?? []
        let text = Array("two".utf8)
        let place = try #require(file.indices.first { file[$0...].starts(with: text) })
        bench.files[Bench.path("s1")]?[place] = 0xf4
        #expect(try log.read(after: 0).lines.map(\.seq) == [1, 3])
    }

    @Test func aLogWhoseFileIsGoneCanStillBeDeleted() throws {
        let bench = try Bench()
        let log = try bench.store.create(header("s1"))
        log.append(message("one"))
        bench.turn()
        bench.files[Bench.path("s1")] = nil
        try bench.store.delete("s1")
        #expect(log.isClosed)
        #expect(throws: LogError.self) { try bench.store.delete("s1") }
    }

    @Test func commitsBeforeFlushesOfTheSameTurn() throws {
        let bench = try Bench()
        let log = try bench.store.create(header("s1"))
        var order: [String] = []
        bench.loop.atEndOfTurn(.flush) { order.append("flush") }
        log.onCommitted = { _ in order.append("published") }
        log.append(message("x"))
        log.afterCommit { order.append("after") }
        bench.turn()
        #expect(order == ["published", "after", "flush"])
    }

    @Test func whatSubscribersAppendFollowsInOrder() throws {
        let bench = try Bench()
        let log = try bench.store.create(header("s1"))
        var order: [String] = []
        log.onCommitted = { events in
            order += events.map { "p\($0.record.seq)" }
            if events.contains(where: { $0.record.seq == 1 }) {
                log.append(message("from within"))
                log.afterCommit { order.append("after \(log.committedSeq)") }
            }
        }
        log.append(message("x"))
        log.afterCommit { order.append("first after \(log.committedSeq)") }
        bench.turn()
        #expect(order == ["p1", "first after 1", "p2", "after 2"])
        var isImmediate = false
        log.afterCommit { isImmediate = true }
        #expect(isImmediate)
    }

    @Test func logsPublishInTheOrderInWhichTheyBecameDirty() throws {
        let bench = try Bench()
        let names = ["c", "a", "b"]
        var order: [String] = []
        let logs = try names.map { try bench.store.create(header($0)) }
        for log in logs { log.onCommitted = { _ in order.append(log.sessionId) } }
        for log in [logs[2], logs[0], logs[1]] { log.append(message("x")) }
        bench.turn()
        #expect(order == ["b", "c", "a"])
    }

    @Test(arguments: Durability.allCases)
    func shortWritesAreContinued(_ durability: Durability) throws {
        let bench = try Bench(durability)
        bench.files.faults.longestWrite = 7
        let log = try bench.store.create(header("s1"))
        log.append(message("a longer text than one write takes"))
        bench.settle()
        #expect(log.committedSeq == 1)
        #expect(LogContents(bench.files[Bench.path("s1")] ?? []).records.count == 1)
    }

    @Test func refusesNamesThatAreNoSessions() throws {
        let bench = try Bench()
        for name in ["", "..", "a/b", "a.b", "index", "ä", String(repeating: "x", count: 65), "a\0b", "a b"] {
            #expect(throws: LogError.self) { _ = try bench.store.create(header(name)) }
            #expect(throws: LogError.self) { _ = try bench.store.open(name) }
            #expect(throws: LogError.self) { try bench.store.delete(name) }
        }
        _ = try bench.store.create(header("A_z-9"))
        let again = #expect(throws: LogError.self) { _ = try bench.store.create(header("A_z-9")) }
        #expect(again?.code == .alreadyExists)
        let missing = #expect(throws: LogError.self) { _ = try bench.store.open("nobody") }
        #expect(missing?.code == .notFound)
    }

    @Test func closingKeepsWhatIsPending() throws {
        let bench = try Bench(.power)
        let log = try bench.store.create(header("s1"))
        log.append(message("x"))
        bench.store.close(log)
        #expect(!log.isClosed)
        bench.settle()
        #expect(log.isClosed)
        #expect(log.append(message("late")).seq == 0)
        #expect(throws: LogError.self) { _ = try log.read(after: 0) }
        let again = try bench.store.open("s1")
        #expect(again.state.texts == ["x"])
        #expect(again.append(message("y")).seq == 2)
    }

    @Test func openingWhileClosingKeepsItOpen() throws {
        let bench = try Bench(.power)
        let log = try bench.store.create(header("s1"))
        log.append(message("x"))
        bench.store.close(log)
        #expect(try bench.store.open("s1") === log)
        bench.settle()
        #expect(!log.isClosed)
    }

    @Test(arguments: Durability.allCases)
    func deletedSessionsAreKeptInTheBackups(_ durability: Durability) throws {
        let bench = try Bench(durability)
        bench.store.backupsToKeep = 2
        for name in ["s1", "s2", "s3"] {
            let log = try bench.store.create(header(name))
            log.append(message("x"))
            bench.settle()
            bench.files[Bench.path(name) + ".torn"] = [1]
            try bench.store.delete(name)
            bench.settle()
            #expect(log.isClosed)
            #expect(bench.files[Bench.path(name)] == nil)
        }
        let kept = bench.files.with { $0.files.keys.filter { $0.hasPrefix("/backups/") && $0.hasSuffix(".jsonl") } }
        #expect(kept.map { $0.suffix(8) }.sorted() == ["s2.jsonl", "s3.jsonl"])
        #expect(bench.store.scan().isEmpty)
        #expect(throws: LogError.self) { try bench.store.delete("s1") }
        // The descriptors of deleted logs are not leaked.
        #expect(bench.files.with { $0.open.isEmpty })
    }

    @Test(arguments: Durability.allCases)
    func aDeletedSessionComesBackAsItWas(_ durability: Durability) throws {
        let bench = try Bench(durability)
        // One whose name ends like another's.
        for name in ["s1", "x-s1"] {
            let log = try bench.store.create(header(name))
            log.append(message("in \(name)"))
            bench.settle()
            bench.files[Bench.path(name) + ".torn"] = [1]
        }
        let bytes = try #require(bench.files[Bench.path("s1")])
        #expect(throws: LogError.self, "it is there") { try bench.store.undelete("s1") }
        try bench.store.delete("s1")
        try bench.store.delete("x-s1")
        try bench.store.undelete("s1")
        #expect(bench.files[Bench.path("s1")] == bytes)
        #expect(bench.files[Bench.path("s1") + ".torn"] == [1])
        #expect(bench.files.with { !$0.files.keys.contains { $0.hasPrefix("/backups/") && $0.contains("-s1/s1.") } })
        let log = try bench.store.open("s1")
        #expect(log.state.texts == ["in s1"])
        log.append(message("more"))
        bench.settle()
        #expect(log.state.seqs == [1, 2])
        // Its second deletion is the one that counts.
        try bench.store.delete("s1")
        try bench.store.undelete("s1")
        #expect(try bench.store.open("s1").state.texts == ["in s1", "more"])
        for name in ["nobody", "../s1", "", "index"] {
            #expect(throws: LogError.self) { try bench.store.undelete(name) }
        }
    }

    @Test func anotherLifeBringsADeletedSessionBack() throws {
        let bench = try Bench()
        let log = try bench.store.create(header("s1"))
        log.append(message("x"))
        bench.settle()
        try bench.store.delete("s1")
        bench.store.stop()
        let next = try Bench(files: bench.files)
        #expect(next.store.scan().isEmpty)
        try next.store.undelete("s1")
        #expect(try next.store.open("s1").state.texts == ["x"])
    }

    @Test(arguments: Durability.allCases)
    func stopCommitsEverythingAndWritesTheIndex(_ durability: Durability) throws {
        let bench = try Bench(durability)
        let log = try bench.store.create(header("s1"))
        var published = 0
        log.onCommitted = { published += $0.count }
        for number in 1...5 { log.append(message("m\(number)")) }
        #expect(bench.store.stop())
        #expect(published == 5)
        #expect(bench.files.with { $0.open.isEmpty })
        let next = try Bench(durability, files: bench.files)
        next.files.with { $0.bytesRead = 0 }
        let index = bench.files["/sessions/index.jsonl"] ?? []
        let sessions = next.store.scan()
        #expect(sessions.map(\.state.texts) == [["m1", "m2", "m3", "m4", "m5"]])
        #expect(sessions.map(\.lastSeq) == [5])
        #expect(next.files.with { $0.bytesRead } == index.count)
    }
}

@Suite struct LogReadingTests {
    /// Lines from tiny to larger than every block that is read at once.
    static func filled(_ count: Int, seed: UInt64, longest: Int) throws -> (Bench, SessionLog<Transcript>) {
        let bench = try Bench()
        let log = try bench.store.create(header("s1"))
        var random = SeededGenerator(seed: seed)
        for number in 1...count {
            let length = Int.random(in: 0..<8, using: &random) == 0 ? Int.random(in: 0...longest, using: &random) : 20
            let kind: EventKind = number % 5 == 0 ? .message : .thinking
            log.append(message(String(repeating: "\(number % 10)", count: length), kind: kind))
            if number % 7 == 0 { bench.turn() }
        }
        bench.turn()
        return (bench, log)
    }

    @Test(arguments: [100, 40_000])
    func everyCursorIsFound(longest: Int) throws {
        let (bench, log) = try LogReadingTests.filled(300, seed: 7, longest: longest)
        // A fresh log has no cached offsets.
        bench.store.close(log)
        let fresh = try bench.store.open("s1")
        for cursor in Array(0...300).reversed() + [301, 1000, -5] {
            let slice = try fresh.read(after: cursor, maxBytes: 500)
            #expect(slice.lines.first?.seq == (cursor < 300 ? max(0, cursor) + 1 : nil))
            if let line = slice.lines.first {
                let record = try EventRecord(JSON.parse(Array(slice.block[line.range])))
                #expect(record.seq == line.seq)
                #expect(record.id == fresh.state.ids[record.seq - 1])
            }
        }
    }

    @Test(arguments: [300, 5000, 1 << 20])
    func slicesJoinWithoutASeam(maxBytes: Int) throws {
        let (_, log) = try LogReadingTests.filled(400, seed: 3, longest: 30_000)
        var cursor = 0
        var seen: [Int] = []
        var slices = 0
        while true {
            let slice = try log.read(after: cursor, maxBytes: maxBytes)
            guard let last = slice.lastSeq else { break }
            seen += slice.lines.map(\.seq)
            cursor = last
            slices += 1
            if slice.lines.count > 1 { #expect(slice.lines.reduce(0) { $0 + $1.range.count + 1 } <= maxBytes) }
            #expect(slice.isLast == (last == 400))
        }
        #expect(seen == Array(1...400))
        #expect(slices > 1 || maxBytes == 1 << 20)
    }

    @Test func pendingEventsAreNotRead() throws {
        let (_, log) = try LogReadingTests.filled(3, seed: 1, longest: 10)
        log.append(message("pending"))
        #expect(try log.read(after: 0).lastSeq == 3)
        #expect(try log.read(limit: 10).map(\.seq) == [1, 2, 3])
    }

    @Test func pagesGoBackToTheBeginning() throws {
        let (_, log) = try LogReadingTests.filled(400, seed: 9, longest: 200_000)
        for kinds in [nil, Set([EventKind.message])] as [Set<EventKind>?] {
            var before = Int.max
            var seen: [Int] = []
            while true {
                let page = try log.page(before: before, limit: 13, where: kinds)
                #expect(page.records.count <= 13)
                seen = page.records.map(\.seq) + seen
                guard let next = page.next else { break }
                #expect(next < before)
                before = next
            }
            #expect(seen == (1...400).filter { kinds == nil || $0 % 5 == 0 })
        }
    }

    @Test func aPageIsBounded() throws {
        let (_, log) = try LogReadingTests.filled(400, seed: 9, longest: 200_000)
        let small = try log.page(limit: 1000, maxBytes: 10_000)
        #expect(small.records.last?.seq == 400)
        #expect(small.records.count < 400)
        #expect(small.next == small.records.first?.seq)
        // Nothing of that kind: the search stops all the same and says where to go on.
        var before = Int.max
        var steps = 0
        while true {
            let page = try log.page(before: before, limit: 5, where: [.plan], maxScan: 100_000)
            #expect(page.records.isEmpty)
            steps += 1
            guard let next = page.next else { break }
            #expect(next < before)
            before = next
        }
        #expect(steps > 3)
    }

    @Test func verifyFindsWhatChangedOnDisk() throws {
        let (bench, log) = try LogReadingTests.filled(20, seed: 1, longest: 10)
        #expect(try log.verify().isEmpty)
        bench.files.with { state in
            let at = state.files[Bench.path("s1")]!.cached.count - 10
            state.files[Bench.path("s1")]!.cached[at] = 0
        }
        #expect(try log.verify().count == 1)
    }
}
