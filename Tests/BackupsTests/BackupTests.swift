import Archives
import Backups
import Base
import Foundation
import JSON
import TestSupport
import Testing

@Suite struct BackupTests {
    private let folder: TemporaryFolder
    private var home: String { folder.path + "/home" }
    private var archive: String { folder.path + "/backup.tar.bz2" }

    private static let id = "0f977606-8ca9-44db-8d97-344a9cb02bc8"

    init() throws {
        folder = try TemporaryFolder("backup")
        try fill("old")
    }

    /// Everything that a backup has, with a mark in it, and some that it hasn't.
    private func fill(_ mark: String) throws {
        for (name, text) in [
            "sessions/\(BackupTests.id).jsonl": "{\"kind\":\"header\",\"mark\":\"\(mark)\"}\n{\"seq\":1}\n",
            "sessions/second.jsonl": "{\"mark\":\"\(mark)\"}\n", "sessions/second.jsonl.torn": mark,
            "sessions/index.jsonl": "derived \(mark)",
            "core/config.json": "{\"mark\":\"\(mark)\",\"backups\":{\"keep\":2}}",
            "core/state.json": "{\"mark\":\"\(mark)\"}", "core/usage.jsonl": "{\"mark\":\"\(mark)\"}\n",
            "core/token": "token \(mark)",
            "providers/tool/module.json": "{\"mark\":\"\(mark)\"}", "providers/tool/other.json": "not \(mark)",
            "logs/core.log": mark,
        ] { try folder.write("home/" + name, text) }
        try FileManager.default.createDirectory(atPath: home + "/backups", withIntermediateDirectories: true)
    }

    /// Contents by path, of what a restore replaces.
    private func state() -> [String: String] {
        var state: [String: String] = [:]
        let all = FileManager.default.enumerator(atPath: home)
        while let name = all?.nextObject() as? String {
            guard ["sessions/", "core/", "providers/"].contains(where: { name.hasPrefix($0) }),
                name != "core/core.lock",
                let text = folder.read("home/" + name)
            else { continue }
            state[name] = text
        }
        return state
    }

    private func code(_ body: () throws(ArchiveError) -> Void) -> ArchiveError.Code? {
        do throws(ArchiveError) { try body() } catch { return error.code }
        return nil
    }

    private func make() throws(ArchiveError) -> BackupManifest {
        try BackupMaker(home: home, version: "1").make(archive)
    }

    /// What a whole restore of the old state over the new one leaves.
    private func restoredState() throws -> [String: String] {
        var old = state()
        old["sessions/index.jsonl"] = nil
        return old
    }

    @Test func itGoesRound() throws {
        let manifest = try make()
        #expect(manifest.sessions == 2)
        #expect(
            manifest.files.map(\.path) == [
                "core/config.json", "core/state.json", "core/usage.jsonl", "providers/tool/module.json",
                "sessions/\(BackupTests.id).jsonl", "sessions/second.jsonl", "sessions/second.jsonl.torn",
            ])
        var expected = try restoredState()
        try fill("new")
        try folder.write("home/sessions/third.jsonl", "{}\n")
        try folder.write("home/core/prices.json", "{}")
        try folder.write("home/providers/later/module.json", "{}")
        let before = state()
        let result = try Restore(home: home).run(archive)
        // The token and what isn't a backup's business stay.
        expected["core/token"] = "token new"
        expected["providers/tool/other.json"] = "not new"
        #expect(state() == expected)
        #expect(folder.read("home/logs/core.log") == "new")
        // What was there is there still.
        let aside = String(result.before.dropFirst(folder.path.count + 1))
        for (name, text) in before where !name.hasPrefix("core/token") && name != "providers/tool/other.json" {
            #expect(folder.read(aside + "/" + name) == text, "\(name)")
        }
        #expect(folder.read("home/core/restore.json") == nil)
        // The same home twice gives the same files.
        #expect(try make().files.filter { !$0.path.hasSuffix("index.jsonl") } == manifest.files)
    }

    @Test func aLineThatIsBeingWrittenIsLeftOut() throws {
        try folder.write("home/sessions/second.jsonl", "{\"a\":1}\n{\"b\":2}\n{\"c\":")
        try folder.write("home/sessions/torn.jsonl", "no line at all")
        let manifest = try make()
        #expect(manifest.files.first { $0.path == "sessions/second.jsonl" }?.size == 16)
        #expect(manifest.files.first { $0.path == "sessions/torn.jsonl" }?.size == 0)
    }

    /// A log that grows, is cut and is deleted all the while.
    @Test func aHomeThatIsInUseGivesAWholeBackup() throws {
        let path = home + "/sessions/second.jsonl"
        let stop = Lock(false)
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            var number = 0
            while !stop.withLock({ $0 }) {
                number += 1
                let text = String(repeating: "{\"n\":\(number)}\n", count: 50)
                if let file = FileHandle(forWritingAtPath: path) {
                    let end = (try? file.seekToEnd()) ?? 0
                    try? file.write(contentsOf: Data(text.utf8))
                    if number % 7 == 0 { try? file.truncate(atOffset: end + UInt64(text.utf8.count) - 20) }
                    try? file.close()
                }
                if number % 11 == 0 { try? FileManager.default.removeItem(atPath: path) }
                if number % 11 == 5 { _ = FileManager.default.createFile(atPath: path, contents: nil) }
            }
            done.signal()
        }
        defer {
            stop.withLock { $0 = true }
            done.wait()
        }
        for _ in 0..<30 {
            let manifest = try make()
            let target = folder.path + "/copy-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: target + "/backups", withIntermediateDirectories: true)
            let restored = try Restore(home: target).run(archive)
            #expect(restored.manifest == manifest)
            if let text = try? String(contentsOfFile: target + "/sessions/second.jsonl", encoding: .utf8) {
                #expect(text.isEmpty || text.hasSuffix("\n"))
            }
        }
    }

    @Test func damageTouchesNothing() throws {
        _ = try make()
        let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: archive)))
        try fill("new")
        let before = state()
        func tryIt(_ bytes: [UInt8], _ what: String) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: archive))
            let found = code { () throws(ArchiveError) in _ = try Restore(home: home).run(archive) }
            if found == nil {
                // A bit that means nothing: then it must be the backup as it was.
                #expect(state()["core/state.json"]?.contains("old") == true, "\(what)")
                try fill("new")
                for extra in ["sessions/index.jsonl"] where before[extra] == nil {
                    try? FileManager.default.removeItem(atPath: home + "/" + extra)
                }
            } else {
                #expect(state() == before, "\(what) changed something")
            }
        }
        for end in stride(from: 0, to: whole.count, by: 13) { try tryIt(Array(whole[..<end]), "cut at \(end)") }
        for place in stride(from: 0, to: whole.count, by: 5) {
            var bytes = whole
            bytes[place] ^= 0x10
            try tryIt(bytes, "byte \(place)")
        }
        try tryIt(Array("not an archive at all".utf8), "nonsense")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: home + "/backups").filter { $0.hasSuffix("new") }
                .isEmpty)
    }

    /// Ends a restore before each of its steps, as a kill would, and looks at what is left.
    @Test func cutShortItLeavesTheOldOrTheNew() throws {
        _ = try make()
        let old = try restoredState()
        var step = 0
        var sawOld = 0
        var sawNew = 0
        while true {
            try? FileManager.default.removeItem(atPath: home)
            try fill("new")
            try folder.write("home/core/prices.json", "{}")
            let before = state()
            var restore = Restore(home: home)
            let end = step
            restore.onStep = { number throws(ArchiveError) in
                if number == end { throw ArchiveError(.inputOutput, "killed") }
            }
            let found = code { () throws(ArchiveError) in _ = try restore.run(archive) }
            if found == nil { break }
            // The daemon makes the folders that are missing before anything else.
            try FileManager.default.createDirectory(atPath: home + "/sessions", withIntermediateDirectories: true)
            let wasSwitching = try Restore.finishInterrupted(home: home)
            if wasSwitching {
                sawNew += 1
                var expected = old
                expected["core/token"] = "token new"
                expected["providers/tool/other.json"] = "not new"
                #expect(state() == expected, "step \(step)")
            } else {
                sawOld += 1
                #expect(state() == before, "step \(step)")
            }
            #expect(try !Restore.finishInterrupted(home: home))
            step += 1
            guard step < 100 else { throw TestFailure("it never ends") }
        }
        #expect(sawOld == 2 && sawNew > 8, "\(sawOld) \(sawNew)")
    }

    @Test func anArchiveThatIsNoBackupIsRefused() throws {
        let before = state()
        let cases: [(String, [(String, String)], ArchiveError.Code)] = [
            ("no manifest", [("core/state.json", "{}")], .damaged),
            ("a program", [("providers/tool/bin/tool", "#!/bin/sh")], .unsafe),
            ("the token", [("core/token", "mine")], .unsafe), ("the lock", [("core/core.lock", "")], .unsafe),
            ("the journal", [("core/restore.json", "{}")], .unsafe),
            ("a session with a path", [("sessions/a/b.jsonl", "{}")], .unsafe),
            ("a session of another kind", [("sessions/evil.sh", "")], .unsafe),
            ("the index", [("sessions/index.jsonl", "")], .unsafe),
            ("something after the manifest", [("manifest.json", "{}"), ("core/state.json", "{}")], .unsafe),
            ("another's manifest", [("manifest.json", "{\"format\":\"other\",\"schema\":1,\"files\":[]}")], .damaged),
            (
                "more than the manifest says",
                [
                    ("core/state.json", "{}"),
                    ("manifest.json", #"{"format":"codeai-hub-backup","schema":1,"files":[]}"#),
                ], .damaged
            ),
            (
                "less than the manifest says",
                [
                    (
                        "manifest.json",
                        #"{"format":"codeai-hub-backup","schema":1,"files":[{"path":"core/state.json","size":1,"sha256":"x"}]}"#
                    )
                ], .damaged
            ),
        ]
        for (name, files, expected) in cases {
            let output = Output()
            var writer = TarWriter { piece throws(ArchiveError) in output.bytes.append(contentsOf: piece) }
            for (path, text) in files { try writer.add(TarEntry(path: path, size: 0, modified: 0), Array(text.utf8)) }
            try writer.finish()
            try Data(output.bytes).write(to: URL(fileURLWithPath: archive))
            let found = code { () throws(ArchiveError) in _ = try Restore(home: home).run(archive) }
            #expect(found == expected, "\(name)")
            #expect(state() == before, "\(name)")
        }
    }

    private final class Output {
        var bytes: [UInt8] = []
    }

    @Test func aHomeThatIsHeldIsRefused() throws {
        _ = try make()
        let fd = open(home + "/core/core.lock", O_RDWR | O_CREAT, 0o600)
        flock(fd, LOCK_EX)
        defer { close(fd) }
        #expect(code { () throws(ArchiveError) in _ = try Restore(home: home).run(archive) } == .refused)
    }

    @Test func aForgedJournalMovesNothing() throws {
        for journal in [
            #"{"folder":"../../tmp","items":[]}"#, #"{"folder":"backups/restore-x/../..","items":[]}"#,
            #"{"folder":"backups/restore-x","items":[{"path":"core/token","new":false}]}"#, "nonsense",
        ] {
            try folder.write("home/core/restore.json", journal)
            #expect(code { () throws(ArchiveError) in _ = try Restore.finishInterrupted(home: home) } == .damaged)
            #expect(folder.read("home/core/token") == "token old")
        }
    }

    @Test func theShelfListsAndForgets() throws {
        let shelf = BackupShelf(home: home)
        try folder.write(
            "home/backups/deleted-20261120T100000.123Z-\(BackupTests.id)/\(BackupTests.id).jsonl",
            #"{"kind":"header"}"# + "\n" + #"{"seq":1,"kind":"message","data":{"content":"Fix the\nbug"}}"# + "\n")
        for hour in 10..<15 { try folder.write("home/backups/backup-20261121T\(hour)0000.123Z.tar.bz2", "x") }
        try folder.write("home/backups/config-1.json", "{}")
        let items = shelf.items
        #expect(items.first?.name == "config-1.json" || items.first?.time == "20261121T140000.123Z")
        let deleted = try #require(shelf.deletedSessions("0f97").first)
        #expect(deleted.title == "Fix the" && deleted.sessionId == BackupTests.id)
        #expect(shelf.deletedSessions("zzz").isEmpty)
        shelf.prune(keep: 2)
        #expect(
            shelf.items.filter { $0.kind == "backup" }.map(\.time) == ["20261121T140000.123Z", "20261121T130000.123Z"])
        #expect(shelf.items.contains { $0.kind == "deleted" } && shelf.items.contains { $0.kind == "config" })
    }
}
