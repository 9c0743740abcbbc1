import Base
import EventLoop
import Foundation
import HubProtocol
import JSON
import TestSupport
import Testing

@testable import Search

/// Whatever becomes of the index's file: it is made anew from the logs, and nothing else suffers.
@Suite(.timeLimit(.minutes(10))) struct SearchDamageTests {
    private let fixture: SearchFixture
    private static let count = 40

    init() throws {
        fixture = try SearchFixture()
        for number in 0..<SearchDamageTests.count {
            try fixture.say(
                "common word\(number)x " + String(repeating: "filler\(number) ", count: 40), in: "s\(number)")
        }
        try fixture.settle()
        fixture.restart()
    }

    private func expectAll() throws {
        #expect(try fixture.found("common").count == SearchDamageTests.count)
        for number in stride(from: 0, to: SearchDamageTests.count, by: 7) {
            #expect(try fixture.found("word\(number)x") == ["s\(number)#1"])
        }
    }

    private var isRebuilt: Bool { fixture.notices.contains { $0.hasPrefix("the search index is damaged") } }

    @Test func whatWasClosedInOrderIsUsedAsItIs() throws {
        try fixture.settle()
        try expectAll()
        #expect(!isRebuilt)
        #expect(fixture.mode == 0o600)
    }

    @Test func aMissingFileIsMadeAgain() throws {
        unlink(fixture.path)
        try fixture.settle()
        try expectAll()
    }

    @Test(arguments: 0..<12)
    func aFlippedBitIsNoticed(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var bytes = try readFile(fixture.path, limit: 1 << 26)
        bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        try writeFile(fixture.path, bytes)
        try fixture.settle()
        #expect(isRebuilt)
        try expectAll()
        #expect(fixture.notices.last == "the search index is complete again")
    }

    @Test(arguments: [0.0, 0.01, 0.3, 0.5, 0.999])
    func aTruncatedFileIsNoticed(share: Double) throws {
        let bytes = try readFile(fixture.path, limit: 1 << 26)
        try writeFile(fixture.path, Array(bytes[..<Int(Double(bytes.count) * share)]))
        try fixture.settle()
        #expect(isRebuilt)
        try expectAll()
    }

    @Test func anotherFileIsNoIndex() throws {
        for content in ["this is no database", String(repeating: "SQLite format 3", count: 1000)] {
            unlink(fixture.path + SearchStore.sealSuffix)
            try writeFile(fixture.path, Array(content.utf8))
            try fixture.settle()
            #expect(isRebuilt)
            try expectAll()
            fixture.restart()
        }
    }

    @Test func anotherVersionIsNotRead() throws {
        do {
            let other = try Database(path: fixture.path, limit: StatementLimit())
            try other.execute("PRAGMA user_version = 99")
        }
        SearchStore.seal(fixture.path)
        try fixture.settle()
        #expect(fixture.notices.first?.contains("version") == true)
        try expectAll()
    }

    /// Without the seal, as after a crash: what the damage hits may not be noticed, but it never spoils more than the
    /// search.
    @Test(arguments: 0..<30)
    func damageAfterACrashIsSurvived(seed: UInt64) throws {
        unlink(fixture.path + SearchStore.sealSuffix)
        var random = SeededGenerator(seed: seed)
        var bytes = try readFile(fixture.path, limit: 1 << 26)
        for _ in 0..<Int.random(in: 1...2000, using: &random) {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        try writeFile(fixture.path, bytes)
        try fixture.settle()
        for text in ["common", "word1x", "filler3 filler", #""common word7x""#] {
            _ = try fixture.answer(SearchRequest(SearchQuery(text)))
        }
        fixture.delete("s0")
        try fixture.say("live goes on", in: "s1")
        try fixture.wait("it goes on") { (try? fixture.found("live goes on")) == ["s1#2"] }
    }

    /// Killed at any moment: the file and its log of writes as they were then are a whole index.
    @Test func aCrashLosesNothing() throws {
        try fixture.settle()
        for round in 0..<6 {
            try fixture.say("round\(round)x of it", in: "s\(round)")
            if round.isMultiple(of: 2) { fixture.delete("s\(20 + round)") }
            for _ in 0..<round * 20 { fixture.loop.turn(waitingAtMost: .milliseconds(2)) }
            let image = fixture.folder.path + "/image"
            for suffix in ["", "-wal"] {
                unlink(image + suffix)
                if let bytes = try? readFile(fixture.path + suffix, limit: 1 << 26) {
                    try writeFile(image + suffix, bytes)
                }
            }
            fixture.restart()
            for suffix in ["", "-wal", SearchStore.sealSuffix] {
                unlink(fixture.path + suffix)
                rename(image + suffix, fixture.path + suffix)
            }
            try fixture.settle()
            #expect(try fixture.found("round\(round)x") == ["s\(round)#1", "s\(round)#2"].suffix(1))
            #expect(try fixture.found("common").count == SearchDamageTests.count - (round / 2 + 1))
        }
        #expect(!isRebuilt)
    }

    @Test func withoutAFileThereIsNoSearchAndALineSaysWhy() throws {
        unlink(fixture.path)
        mkdir(fixture.path, 0o700)
        for _ in 0..<2 {
            let answer = try fixture.answer(SearchRequest(SearchQuery("common")))
            guard case .failure(let failure) = answer else { throw TestFailure("it was answered") }
            #expect(failure.code == "search_unavailable")
            #expect(failure.recoverable)
        }
        #expect(fixture.notices.count == 1)
        #expect(fixture.notices.first?.hasPrefix("search is not available") == true)
        // What happens meanwhile is caught up with.
        try fixture.say("said meanwhile", in: "s1")
        rmdir(fixture.path)
        fixture.restart()
        try fixture.settle()
        #expect(try fixture.found("meanwhile") == ["s1#2"])
        try expectAll()
    }

    @Test func aLinkIsNotFollowed() throws {
        let target = fixture.folder.path + "/target"
        try writeFile(target, Array("not yours".utf8))
        unlink(fixture.path)
        symlink(target, fixture.path)
        let answer = try fixture.answer(SearchRequest(SearchQuery("common")))
        guard case .failure(let failure) = answer else { throw TestFailure("it was answered") }
        #expect(failure.code == "search_unavailable")
        #expect(try readFile(target) == Array("not yours".utf8))
    }

    @Test func errorsAreSorted() {
        // SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_READONLY, SQLITE_CANTOPEN
        for code: Int32 in [13, 778, 8, 14] { #expect(SearchError(code: code, "x") == .unavailable("x")) }
        // SQLITE_CORRUPT, SQLITE_CORRUPT_VTAB, SQLITE_NOTADB, SQLITE_ERROR
        for code: Int32 in [11, 267, 26, 1] { #expect(SearchError(code: code, "x") == .damaged("x")) }
        #expect(SearchError(code: 9, "x") == .interrupted)
    }
}
