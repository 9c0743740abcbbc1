import Base
import EventLog
import EventLoop
import HubProtocol
import JSON
import TestSupport
import Testing

@Suite struct WriteFailureTests {
    @Test(arguments: Durability.allCases)
    func aFullDiskPublishesNothingAndLosesNothing(_ durability: Durability) throws {
        let bench = try Bench(durability)
        let log = try bench.store.create(header("s1"))
        var published: [Int] = []
        var failures: [LogError] = []
        var recoveries = 0
        var after: [Int] = []
        log.onCommitted = { published += $0.map(\.record.seq) }
        log.onFailure = { failures.append($0) }
        log.onRecovered = { recoveries += 1 }
        log.append(message("one"))
        bench.settle()
        let size = bench.files[Bench.path("s1")]?.count
        bench.files.faults.room = 60
        log.append(message("two"))
        log.afterCommit { after.append(log.committedSeq) }
        bench.settle()
        #expect(published == [1])
        #expect(after.isEmpty)
        #expect(failures.map(\.cause?.errno) == [28])
        #expect(log.failure != nil)
        // What the failed write left is gone, or will be overwritten with the same bytes.
        if durability == .process { #expect(bench.files[Bench.path("s1")]?.count == size) }
        bench.files.faults.room = 0
        log.append(message("three"))
        bench.settle()
        #expect(published == [1])
        #expect(failures.count == 1)
        bench.files.faults.room = .max
        bench.settle()
        #expect(published == [1, 2, 3])
        #expect(after == [3] || after == [2])
        #expect(recoveries == 1)
        #expect(log.failure == nil)
        log.append(message("four"))
        bench.settle()
        #expect(published == [1, 2, 3, 4])
        #expect(LogContents(bench.files[Bench.path("s1")] ?? []).records.map(\.seq) == [1, 2, 3, 4])
        #expect(bench.store.metrics.failures >= 1)
    }

    @Test(arguments: Durability.allCases)
    func aFailedLogHoldsOnlySoMuch(_ durability: Durability) throws {
        let bench = try Bench(durability, heldLimit: 2000)
        let log = try bench.store.create(header("s1"))
        bench.files.faults.failingWrites = .max
        log.append(message("first"))
        bench.settle()
        #expect(log.failure != nil)
        var taken = 1
        while log.append(message(String(repeating: "x", count: 100))).seq != 0, taken < 1000 { taken += 1 }
        #expect(taken < 50)
        #expect(log.lastSeq == taken)
        #expect(log.state.seqs.count == taken)
        #expect(bench.store.metrics.refused == 1)
        bench.files.faults.failingWrites = 0
        bench.settle()
        #expect(log.committedSeq == taken)
        #expect(log.append(message("again")).seq == taken + 1)
    }

    @Test func otherLogsGoOn() throws {
        let bench = try Bench()
        let bad = try bench.store.create(header("bad"))
        let good = try bench.store.create(header("good"))
        bad.append(message("x"))
        good.append(message("y"))
        bench.files.faults.failingWrites = 1
        bench.loop.atEndOfTurn(.commit) {}
        bench.turn()
        #expect(bad.failure != nil)
        #expect(good.committedSeq == 1)
    }

    @Test func nothingIsPublishedBeforeTheSync() throws {
        let bench = try Bench(.power)
        let log = try bench.store.create(header("s1"))
        var published = 0
        log.onCommitted = { published += $0.count }
        log.append(message("x"))
        bench.turn()
        #expect(published == 0)
        log.append(message("y"))
        bench.turn()
        bench.writerLoop.turn(waitingAtMost: .zero)
        #expect(published == 0)
        bench.turn()
        #expect(published == 2)
        // Two turns' events, one group, one sync.
        #expect(bench.store.metrics.syncs == 1)
        #expect(bench.store.metrics.commits == 2)
    }

    @Test func aFailedSyncIsNotBelievedLater() throws {
        let bench = try Bench(.power)
        let log = try bench.store.create(header("s1"))
        log.append(message("one"))
        bench.settle()
        bench.files.faults.failingSyncs = 1
        var published: [Int] = []
        log.onCommitted = { published += $0.map(\.record.seq) }
        log.append(message("two"))
        bench.turn()
        bench.writerLoop.turn(waitingAtMost: .zero)
        bench.turn()
        #expect(published.isEmpty)
        #expect(log.failure != nil)
        bench.settle()
        #expect(published == [2])
        // A later sync alone would have left the dropped pages dropped.
        let stable = bench.files.with { $0.files[Bench.path("s1")]?.stable } ?? []
        #expect(LogContents(stable).records.map(\.seq) == [1, 2])
    }

    @Test func aNewFilesNameIsStableBeforeItsFirstEventIsSeen() throws {
        let bench = try Bench(.power)
        bench.files.faults.failingDirectorySyncs = 1
        let log = try bench.store.create(header("s1"))
        var published = 0
        log.onCommitted = { _ in
            published += 1
            #expect(bench.files.with { $0.files[Bench.path("s1")]?.isNameStable } == true)
        }
        log.append(message("x"))
        bench.turn()
        bench.writerLoop.turn(waitingAtMost: .zero)
        bench.turn()
        #expect(published == 0)
        bench.settle()
        #expect(published == 1)
    }

    @Test func aHeaderThatCannotBeWrittenLeavesNoSession() throws {
        let bench = try Bench()
        bench.files.faults.room = 10
        #expect(throws: LogError.self) { _ = try bench.store.create(header("s1")) }
        #expect(bench.files[Bench.path("s1")] == nil)
        #expect(bench.files.with { $0.open.isEmpty })
        bench.files.faults.room = .max
        _ = try bench.store.create(header("s1"))
    }

    @Test func stopGivesUpOnADiskThatStaysFull() throws {
        let bench = try Bench(.power)
        let log = try bench.store.create(header("s1"))
        log.append(message("x"))
        bench.files.faults.room = 0
        #expect(!bench.store.stop(limit: .milliseconds(20)))
        #expect(bench.files.with { $0.open.isEmpty })
    }
}

/// Arbitrary schedules of appends, turns, faults and the end of the world. What was published is there afterwards,
/// byte for byte, in order, once.
@Suite struct CrashTests {
    enum End: CaseIterable { case kill, powerLoss }

    @Test(arguments: [
        (Durability.power, End.powerLoss, 1500), (.power, .kill, 500), (.process, .kill, 1000),
    ])
    func publishedEventsSurvive(_ durability: Durability, _ end: End, rounds: Int) throws {
        let loop = try EventLoop()
        let writerLoop = try EventLoop()
        let seeds = UInt64.random(in: 0..<1_000_000_000)
        for round in 0..<rounds {
            let seed = seeds &+ UInt64(round)
            let problem = try schedule(durability, end, seed: seed, loop, writerLoop)
            if let problem {
                Issue.record("seed \(seed), \(durability), \(end): \(problem)")
                return
            }
        }
        print("\(rounds) schedules in \(durability) mode ended by \(end): 0 lost, 0 twice (first seed \(seeds))")
    }

    private func schedule(
        _ durability: Durability, _ end: End, seed: UInt64, _ loop: EventLoop, _ writerLoop: EventLoop
    ) throws -> String? {
        var random = SeededGenerator(seed: seed)
        let files = MemoryFileSystem()
        var published: [String: [(seq: Int, line: [UInt8])]] = [:]
        var problem: String?
        // Several lives of the daemon, one after the other.
        for life in 0..<3 {
            let bench = try Bench(durability, files: files, loop: loop, writerLoop: writerLoop)
            let found = bench.store.scan()
            for (id, events) in published {
                guard let session = found.first(where: { $0.header.sessionId == id }) else {
                    return "life \(life): session \(id) is lost; \(bench.store.recoveries)"
                }
                let lines = Set((files[Bench.path(id)] ?? []).split(separator: 0x0a).map(Array.init))
                for event in events where !lines.contains(event.line) {
                    return "life \(life): event \(event.seq) of \(id) was published and is lost"
                }
                let seqs = session.state.seqs
                if seqs != seqs.sorted() || Set(seqs).count != seqs.count { return "life \(life): order \(seqs)" }
                if Set(session.state.ids).count != seqs.count { return "life \(life): an event is there twice" }
            }
            var logs: [String: SessionLog<Transcript>] = [:]
            for id in ["a", "b"] {
                let log: SessionLog<Transcript>
                do {
                    log = try published[id] == nil ? freshLog(id, bench) : bench.store.open(id)
                } catch {
                    return "life \(life): \(error)"
                }
                logs[id] = log
                log.onCommitted = { events in
                    for event in events {
                        if let last = published[id]?.last?.seq, event.record.seq <= last {
                            problem = "event \(event.record.seq) of \(id) published after \(last)"
                        }
                        published[id, default: []].append((event.record.seq, Array(event.line)))
                    }
                }
            }
            for _ in 0..<Int.random(in: 0..<25, using: &random) {
                switch Int.random(in: 0..<13, using: &random) {
                case 0..<4:
                    let id = Bool.random(using: &random) ? "a" : "b"
                    let length = Int.random(in: 0..<200, using: &random)
                    logs[id]?.append(message(String(repeating: "z", count: length)))
                case 4..<6: loop.turn(waitingAtMost: .zero)
                case 6..<8: writerLoop.turn(waitingAtMost: .zero)
                case 8: files.faults.room = Int.random(in: 0..<300, using: &random)
                case 9: files.faults.longestWrite = Int.random(in: 1..<50, using: &random)
                case 10: files.faults.failingSyncs = Int.random(in: 0..<3, using: &random)
                case 11: files.faults.failingDirectorySyncs = Int.random(in: 0..<2, using: &random)
                default: files.faults = MemoryFileSystem.Faults()
                }
                if let problem { return problem }
            }
            for log in logs.values { log.onCommitted = { _ in } }
            switch end {
            case .kill:
                // A write that the process was killed in the middle of.
                files.with { $0.open = [:] }
                if Bool.random(using: &random) {
                    let id = Bool.random(using: &random) ? "a" : "b"
                    let tail = line((published[id]?.last?.seq ?? 0) + 1, "torn").dropLast(
                        Int.random(in: 1..<90, using: &random))
                    if let before = files[Bench.path(id)], before.last == 0x0a { files[Bench.path(id)] = before + tail }
                }
                files.faults = MemoryFileSystem.Faults()
            case .powerLoss: files.losePower(using: &random)
            }
            drop(bench)
        }
        return problem
    }

    private func freshLog(_ id: String, _ bench: Bench) throws -> SessionLog<Transcript> {
        bench.files[Bench.path(id)] = nil
        return try bench.store.create(header(id))
    }

    /// What the dead daemon still had on its mind must not reach the files of the next one.
    private func drop(_ bench: Bench) {
        bench.files.with { $0.open = [:] }
        for _ in 0..<3 {
            bench.loop.turn(waitingAtMost: .zero)
            bench.writerLoop.turn(waitingAtMost: .zero)
        }
    }
}
