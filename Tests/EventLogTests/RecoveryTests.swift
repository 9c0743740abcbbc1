import Base
import EventLog
import EventLoop
import Foundation
import HubProtocol
import JSON
import TestSupport
import Testing

/// A store on the real file system, in a directory of its own.
final class DiskBench {
    let loop: EventLoop
    let store: Store
    let root: String
    var sessions: String { root + "/sessions" }

    init(_ durability: Durability = .process, root: String? = nil) throws {
        self.root =
            try root
            ?? {
                let path = FileManager.default.temporaryDirectory.path + "/eventlog-" + UUID().uuidString
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
                return path
            }()
        loop = try EventLoop()
        store = try Store(
            directory: self.root + "/sessions", backups: self.root + "/backups", loop: loop, durability: durability)
    }

    func path(_ id: String) -> String { sessions + "/" + id + ".jsonl" }

    func write(_ id: String, _ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path(id)))
    }

    func contents(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map(Array.init) }

    func settle() {
        let deadline = Date().addingTimeInterval(5)
        repeat {
            loop.turn(waitingAtMost: .milliseconds(1))
        } while store.openLogs.contains {
            $0.committedSeq < $0.lastSeq
        } && Date() < deadline
    }

    func remove() { try? FileManager.default.removeItem(atPath: root) }
}

@Suite struct RecoveryTests {
    @Test(arguments: Durability.allCases)
    func aTornLineIsCutOffAndKept(_ durability: Durability) throws {
        let bench = try DiskBench(durability)
        defer { bench.remove() }
        let good = logBytes("s1", ["a", "b"])
        for (attempt, torn) in [Array(line(3, "torn").dropLast(3)), Array("again".utf8)].enumerated() {
            try bench.write("s1", good + torn)
            let next = try DiskBench(durability, root: bench.root)
            let found = next.store.scan()
            #expect(found.map(\.state.texts) == [["a", "b"]])
            #expect(next.store.recoveries.map(\.finding) == [.tornTail])
            #expect(next.store.recoveries.first?.offset == good.count)
            #expect(next.store.recoveries.first?.bytes == torn.count)
            #expect(next.contents(next.path("s1")) == good)
            let kept = next.path("s1") + (attempt == 0 ? ".torn" : ".torn.2")
            #expect(next.contents(kept) == torn)
            #expect(next.store.recoveries.first?.keptIn == kept)
            next.store.stop()
        }
        let next = try DiskBench(durability, root: bench.root)
        let log = try next.store.open("s1")
        #expect(log.append(message("c")).seq == 3)
        next.settle()
        next.store.stop()
        #expect(LogContents(next.contents(next.path("s1")) ?? []).records.map(\.seq) == [1, 2, 3])
    }

    @Test func nulsAtTheEndAreCutOffWithoutACopy() throws {
        let bench = try DiskBench()
        defer { bench.remove() }
        let good = logBytes("s1", ["a"])
        try bench.write("s1", good + [UInt8](repeating: 0, count: 3_000_000))
        #expect(bench.store.scan().map(\.lastSeq) == [1])
        #expect(bench.contents(bench.path("s1")) == good)
        #expect(bench.contents(bench.path("s1") + ".torn") == nil)
        #expect(bench.store.recoveries.map(\.finding) == [.tornTail])
    }

    @Test func damagedLinesAreQuarantinedOnceAndSkippedEverAfter() throws {
        let bench = try DiskBench()
        defer { bench.remove() }
        let damaged: [UInt8] = Array("{\"seq\":2,".utf8) + [0xff, 0x00] + Array("}\n".utf8)
        let bytes = logBytes("s1", ["a"]) + damaged + line(3, "c") + line(3, "c") + line(4, "d")
        try bench.write("s1", bytes)
        #expect(bench.store.scan().map(\.state.seqs) == [[1, 3, 4]])
        #expect(bench.store.recoveries.map(\.finding) == [.damagedLine, .sequence])
        let quarantine = bench.contents(bench.path("s1") + ".quarantine") ?? []
        let entries = try quarantine.split(separator: 0x0a).map { try JSON.parse(Array($0)) }
        #expect(entries.map { $0["length"]?.intValue } == [damaged.count, line(3, "c").count])
        #expect(entries[0]["hex"]?.stringValue == hexadecimal(damaged))
        #expect(entries[1]["text"]?.stringValue == String(decoding: line(3, "c"), as: UTF8.self))
        // Left in place.
        #expect(bench.contents(bench.path("s1")) == bytes)

        let log = try bench.store.open("s1")
        #expect(try log.read(after: 0).lines.map(\.seq) == [1, 3, 4])
        #expect(try log.read(after: 1).lines.map(\.seq) == [3, 4])
        #expect(try log.read(after: 2).lines.map(\.seq) == [3, 4])
        #expect(try log.read(after: 3).lines.map(\.seq) == [4])
        #expect(try log.read(before: 4, limit: 9).map(\.seq) == [1, 3])
        bench.store.stop()

        // Known by the index, and known again without it: neither copied nor reported twice.
        for removesIndex in [false, true] {
            if removesIndex { try FileManager.default.removeItem(atPath: bench.sessions + "/index.jsonl") }
            let next = try DiskBench(root: bench.root)
            #expect(next.store.scan().map(\.state.seqs) == [[1, 3, 4]])
            #expect(next.store.recoveries.isEmpty)
            let log = try next.store.open("s1")
            #expect(try log.read(after: 0).lines.map(\.seq) == [1, 3, 4])
            #expect(next.contents(next.path("s1") + ".quarantine") == quarantine)
            next.store.stop()
        }
    }

    @Test func damageAtTheEndTakesItsNumber() throws {
        let bench = try DiskBench()
        defer { bench.remove() }
        try bench.write("s1", logBytes("s1", ["a"]) + Array("rubbish\n".utf8))
        let log = try bench.store.open("s1")
        #expect(log.lastSeq == 2)
        #expect(log.append(message("c")).seq == 3)
        bench.settle()
        #expect(try log.read(after: 1).lines.map(\.seq) == [3])
        bench.store.stop()
        let next = try DiskBench(root: bench.root)
        try FileManager.default.removeItem(atPath: bench.sessions + "/index.jsonl")
        #expect(next.store.scan().map(\.state.seqs) == [[1, 3]])
        #expect(next.store.recoveries.isEmpty)
    }

    @Test func gapsAreReported() throws {
        let bench = try DiskBench()
        defer { bench.remove() }
        try bench.write("s1", logBytes("s1", ["a"]) + line(5, "e") + line(6, "f"))
        #expect(bench.store.scan().map(\.lastSeq) == [6])
        #expect(bench.store.recoveries.map(\.finding) == [.gap])
        #expect(bench.store.recoveries.first?.detail == "no line has the numbers 2 to 4")
    }

    @Test(arguments: [
        "", "\n", "{", "{\"kind\":\"header\"", "{\"kind\":\"header\",\"schema\":1}\n", "not JSON\n",
        #"{"kind":"header","schema":2,"sessionId":"s1","providerId":"x","createdAt":"2026-01-01T00:00:00Z"}"# + "\n",
        #"{"kind":"header","schema":1,"sessionId":"s2","providerId":"x","createdAt":"2026-01-01T00:00:00Z"}"# + "\n",
    ])
    func aLogWithoutAHeaderIsReportedAndUntouched(_ text: String) throws {
        let bench = try DiskBench()
        defer { bench.remove() }
        let bytes = Array(text.utf8)
        try bench.write("s1", bytes)
        try bench.write("good", logBytes("good", ["x"]))
        #expect(bench.store.scan().map(\.header.sessionId) == ["good"])
        #expect(bench.store.recoveries.map(\.finding) == [.unreadable])
        #expect(bench.contents(bench.path("s1")) == bytes)
        let error = #expect(throws: LogError.self) { _ = try bench.store.open("s1") }
        #expect(error?.code == .unreadable)
        // And the name stays taken.
        #expect(throws: LogError.self) { _ = try bench.store.create(header("s1")) }
    }

    @Test func whatIsNoRegularFileIsRefused() throws {
        let bench = try DiskBench()
        defer { bench.remove() }
        let outside = bench.root + "/outside.jsonl"
        try Data(logBytes("link", ["secret"])).write(to: URL(fileURLWithPath: outside))
        try FileManager.default.createSymbolicLink(atPath: bench.path("link"), withDestinationPath: outside)
        try FileManager.default.createDirectory(atPath: bench.path("folder"), withIntermediateDirectories: true)
        #expect(mkfifo(bench.path("fifo"), 0o600) == 0)
        #expect(bench.store.scan().isEmpty)
        #expect(bench.store.recoveries.map(\.finding) == [.untrustedFile, .untrustedFile, .untrustedFile])
        for name in ["link", "folder", "fifo"] {
            #expect(throws: LogError.self) { _ = try bench.store.open(name) }
            #expect(throws: LogError.self) { _ = try bench.store.create(header(name)) }
        }
    }

    @Test func anotherUsersFilesAreRefused() throws {
        let bench = try Bench()
        bench.files[Bench.path("s1")] = logBytes("s1", ["a"])
        bench.files.with { $0.files[Bench.path("s1")]?.owner = 0 }
        #expect(bench.store.scan().isEmpty)
        let error = #expect(throws: LogError.self) { _ = try bench.store.open("s1") }
        #expect(error?.code == .untrustedFile)
        bench.files.with { $0.files[Bench.directory]?.owner = 0 }
        #expect(throws: LogError.self) { _ = try Bench(files: bench.files) }
    }

    @Test func filesAndDirectoriesArePrivate() throws {
        let bench = try DiskBench()
        defer { bench.remove() }
        _ = try bench.store.create(header("s1"))
        bench.store.writeIndex()
        func mode(_ path: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }
        #expect(try mode(bench.sessions) == 0o700)
        #expect(try mode(bench.path("s1")) == 0o600)
        #expect(try mode(bench.sessions + "/index.jsonl") == 0o600)
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: bench.sessions)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: bench.path("s1"))
        let next = try DiskBench(root: bench.root)
        _ = next.store.scan()
        #expect(try mode(bench.sessions) == 0o700)
        #expect(try mode(bench.path("s1")) == 0o600)
    }

    /// The whole path through the store, for every length that a crash can leave.
    @Test func truncatedAtEveryByteTheStoreRecovers() throws {
        let bytes = logBytes("s1", ["one", "two", "three"])
        let headerEnd = (bytes.firstIndex(of: 0x0a) ?? 0) + 1
        for length in headerEnd...bytes.count {
            let bench = try Bench()
            bench.files[Bench.path("s1")] = Array(bytes[..<length])
            let whole = bytes[headerEnd..<length].count { $0 == 0x0a }
            let log = try bench.store.open("s1")
            #expect(log.state.seqs == Array(1...3).prefix(whole).map { $0 })
            log.append(message("next"))
            bench.turn()
            let after = LogContents(bench.files[Bench.path("s1")] ?? [])
            #expect(after.records.map(\.seq) == Array(1...whole + 1))
            #expect(after.damages.isEmpty)
        }
    }

    @Test func aTornLineThatCannotBeKeptIsNotCut() throws {
        let bench = try Bench()
        let bytes = logBytes("s1", ["a"]) + Array("torn".utf8)
        bench.files[Bench.path("s1")] = bytes
        bench.files.faults.room = 0
        #expect(throws: LogError.self) { _ = try bench.store.open("s1") }
        #expect(bench.files[Bench.path("s1")] == bytes)
        #expect(bench.files.with { $0.open.isEmpty })
    }
}

@Suite struct IndexTests {
    @Test func onlyWhatIsNewIsRead() throws {
        let bench = try Bench()
        let log = try bench.store.create(header("s1"))
        for number in 0..<200 { log.append(message("m\(number)" + String(repeating: "x", count: 1000))) }
        bench.turn()
        bench.store.writeIndex()
        log.append(message("new"))
        bench.turn()
        // The daemon is killed here.
        let next = try Bench(files: bench.files)
        let index = bench.files["/sessions/index.jsonl"] ?? []
        next.files.with { $0.bytesRead = 0 }
        let found = next.store.scan()
        #expect(found.first?.state == log.state)
        #expect(found.first?.lastSeq == 201)
        #expect(next.files.with { $0.bytesRead } < index.count + 2000)
        // And the list again from the index written now.
        next.store.writeIndex()
        let last = try Bench(files: bench.files)
        #expect(last.store.scan().first?.state == log.state)
        #expect(try last.store.open("s1").state == log.state)
    }

    @Test func anyByteOfTheIndexMayBeWrong() throws {
        let bench = try Bench()
        for name in ["s1", "s2"] {
            let log = try bench.store.create(header(name))
            log.append(message("text of \(name)"))
        }
        bench.store.stop()
        let good = bench.files["/sessions/index.jsonl"] ?? []
        let expected = Set(["text of s1", "text of s2"])
        for offset in good.indices {
            var bad = good
            bad[offset] ^= UInt8(1 << (offset % 8))
            bench.files["/sessions/index.jsonl"] = bad
            let next = try Bench(files: bench.files)
            let found = next.store.scan()
            #expect(Set(found.flatMap(\.state.texts)) == expected)
            #expect(found.map(\.lastSeq) == [1, 1])
        }
        for length in stride(from: 0, to: good.count, by: 7) {
            bench.files["/sessions/index.jsonl"] = Array(good[..<length])
            let next = try Bench(files: bench.files)
            #expect(Set(next.store.scan().flatMap(\.state.texts)) == expected)
        }
    }

    @Test func aLogReplacedByAnotherIsReadAnew() throws {
        let bench = try Bench()
        let log = try bench.store.create(header("s1"))
        log.append(message("old"))
        bench.store.stop()
        // Longer, same inode, different past: as after an editor, or a restored backup.
        bench.files[Bench.path("s1")] = logBytes("s1", ["new", "newer", "newest"])
        let next = try Bench(files: bench.files)
        #expect(next.store.scan().map(\.state.texts) == [["new", "newer", "newest"]])
        bench.files[Bench.path("s1")] = logBytes("s1", ["n"])
        #expect(try Bench(files: bench.files).store.scan().map(\.state.texts) == [["n"]])
        bench.files[Bench.path("s1")] = nil
        #expect(try Bench(files: bench.files).store.scan().isEmpty)
    }

    @Test func aCheckpointOfAnotherVersionIsFoldedAgain() throws {
        let bench = try Bench()
        bench.files[Bench.path("s1")] = logBytes("s1", ["a", "b"])
        let other = try LogStore<OtherState>(
            directory: Bench.directory, backups: "/backups", loop: bench.loop, durability: .process,
            fileSystem: bench.files)
        #expect(other.scan().map(\.state.count) == [2])
        other.stop()
        let next = try Bench(files: bench.files)
        #expect(next.store.scan().map(\.state.texts) == [["a", "b"]])
        next.store.stop()
        bench.files.with { $0.bytesRead = 0 }
        _ = try Bench(files: bench.files).store.scan()
        #expect(bench.files.with { $0.bytesRead } == bench.files["/sessions/index.jsonl"]?.count)
    }

    @Test func pendingEventsAreNotInTheIndex() throws {
        let bench = try Bench(.power)
        let log = try bench.store.create(header("s1"))
        log.append(message("durable"))
        bench.settle()
        log.append(message("in flight"))
        bench.turn()
        bench.store.writeIndex()
        var random = SeededGenerator(seed: 5)
        bench.files.losePower(using: &random)
        let found = try Bench(files: bench.files).store.scan()
        #expect(found.first?.state.texts.first == "durable")
    }

    struct OtherState: LogFold {
        var count = 0
        init(header: LogHeader) {}
        init?(checkpoint: JSON, header: LogHeader) { return nil }
        var checkpoint: JSON { ["count": JSON(count)] }
        mutating func apply(_ record: EventRecord) { count += 1 }
    }
}
