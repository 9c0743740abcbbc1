import Base
import Foundation
import HubProtocol
import JSON
import TestSupport
import Testing

@testable import Search

@Suite(.timeLimit(.minutes(10))) struct SearchIndexTests {
    @Test func whatWasSaidIsFoundWhereItWasSaid() throws {
        let fixture = try SearchFixture()
        try fixture.say("Please frobnicate the Größe of module_one", in: "a", at: Timestamp(milliseconds: 1000))
        try fixture.say("Frobnicated it.", in: "a", role: "assistant", at: Timestamp(milliseconds: 9000))
        try fixture.settle()
        // Live from here on.
        try fixture.say("another frobnication", in: "b", at: Timestamp(milliseconds: 4000))
        try fixture.wait("the new one is found") { (try? fixture.found("frobnication")) == ["b#1"] }
        #expect(try fixture.found("frobni") == ["a#2", "b#1", "a#1"])
        #expect(try fixture.found("frobni", page: 1) == ["a#2", "b#1", "a#1"])
        #expect(try fixture.found("frobni", in: "a") == ["a#2", "a#1"])
        #expect(try fixture.found("frobni", in: "nobody") == [])
        // Neither case nor accents count; other letters are others.
        #expect(try fixture.found("GROßE frobnicate") == ["a#1"])
        #expect(try fixture.found("grö") == ["a#1"])
        #expect(try fixture.found("grosse") == [])
        #expect(try fixture.found("module_one please") == ["a#1"])
        #expect(try fixture.found(#""the größe""#) == ["a#1"])
        #expect(try fixture.found(#""größe the""#) == [])
        #expect(try fixture.found("fr") == [])

        let match = try #require(try fixture.search("größe").matches.first)
        #expect(match.kind == .userMessage)
        #expect(match.timestamp == Timestamp(milliseconds: 1000))
        #expect(match.snippet.parts.filter(\.isMatch).map(\.text) == ["Größe"])
        #expect(match.snippet.parts.map(\.text).joined() == "Please frobnicate the Größe of module_one")
        #expect(match.json["role"] == "user")
        #expect(fixture.mode == 0o600)
        #expect(fixture.notices == [])
    }

    @Test func manyInOneSecondKeepTheirOrder() throws {
        let fixture = try SearchFixture()
        let time = Timestamp(milliseconds: 1_700_000_000_000)
        for id in ["a", "b", "c"] {
            for part in 0..<3 {
                try fixture.append((0..<50).map { SearchFixture.message("same \(part) \($0)") }, to: id, at: time)
                try fixture.settle()
            }
        }
        let found = try fixture.found("same", page: 40)
        #expect(found.count == 450)
        #expect(Set(found).count == 450)
        for id in ["a", "b", "c"] {
            #expect(try fixture.found("same", in: id, page: 20) == (1...150).reversed().map { "\(id)#\($0)" })
        }
    }

    @Test func aRestartReadsOnlyWhatIsNew() throws {
        let fixture = try SearchFixture()
        for number in 0..<30 { try fixture.say("word\(number) common", in: "s\(number)") }
        try fixture.settle()
        fixture.restart()
        // While the index doesn't look, a log grows, one goes, one is replaced, one comes.
        try fixture.say("later", in: "s1")
        fixture.delete("s2")
        try fixture.replace("s3", [SearchFixture.message("replaced")])
        try fixture.say("fresh", in: "new")
        fixture.restart()
        try fixture.settle()
        #expect(try fixture.found("later") == ["s1#2"])
        #expect(try fixture.found(#""word2""#) == [])
        #expect(try fixture.found(#""word3""#) == [])
        #expect(try fixture.found("replaced") == ["s3#1"])
        #expect(try fixture.found("fresh") == ["new#1"])
        #expect(try fixture.found("common", page: 100).count == 28)
        #expect(fixture.notices == [])
    }

    /// Not found at once, and not in the file when all has settled.
    @Test func nothingOfADeletedSessionIsLeft() throws {
        let fixture = try SearchFixture()
        var random = SeededGenerator(seed: 3)
        func word() -> String { String((0..<14).map { _ in "bcdfghjklmnpqrstvwxz".randomElement(using: &random)! }) }
        let secrets = (0..<300).map { _ in word() }
        let others = (0..<300).map { _ in word() }
        for (index, pair) in zip(secrets, others).enumerated() {
            try fixture.say("the \(pair.0) is known", in: "gone")
            try fixture.say("the \(pair.1) is known", in: "stays")
            if index % 40 == 0 { try fixture.settle() }
        }
        try fixture.settle()
        fixture.delete("gone")
        try fixture.settle()
        #expect(try fixture.found(secrets[0]) == [])
        #expect(try fixture.found(others[0]) == ["stays#1"])
        for isStopped in [false, true] {
            if isStopped { fixture.index.stop() }
            let bytes = fixture.bytes
            let left = secrets.filter { bytes.range(of: Data($0.dropFirst(4).utf8)) != nil }
            #expect(left == [])
            if isStopped { #expect(others.allSatisfy { bytes.range(of: Data($0.utf8)) != nil }) }
        }
    }

    @Test func oneThatComesBackIsFoundAgain() throws {
        let fixture = try SearchFixture()
        try fixture.say("before it went", in: "a")
        try fixture.settle()
        fixture.delete("a")
        try fixture.say("after it went", in: "a")
        try fixture.settle()
        #expect(try fixture.found("went") == ["a#1"])
        #expect(try fixture.found("before") == [])
    }

    @Test func nothingBehindTheCommittedEndIsRead() throws {
        let fixture = try SearchFixture()
        try fixture.say("first", in: "a")
        try appendFile(fixture.log("a"), Array("{\"seq\":2,\"ts\":\"2026-11-21T10:00:00.000Z\",\"id\":\"x\",".utf8))
        try appendFile(
            fixture.log("a"),
            Array("\"kind\":\"message\",\"data\":{\"role\":\"user\",\"content\":\"uncommitted\"}}\n".utf8))
        try fixture.settle()
        #expect(try fixture.found("first") == ["a#1"])
        #expect(try fixture.found("uncommitted") == [])
    }

    @Test func damagedLinesCostOnlyThemselves() throws {
        let fixture = try SearchFixture()
        for number in 0..<20 { try fixture.say("line\(number)x", in: "a") }
        var bytes = try readFile(fixture.log("a"))
        let lines = bytes.split(separator: 0x0a)
        bytes[lines[5].startIndex + 3] = 0xff
        bytes[lines[9].startIndex + 40] = UInt8(ascii: "\"")
        try writeFile(fixture.log("a"), bytes)
        try fixture.settle()
        let found = try (0..<20).filter { try !fixture.found("line\($0)x").isEmpty }
        #expect(found == (0..<20).filter { $0 != 4 && $0 != 8 })
    }

    @Test func aSearchHasItsTimeAndItsPlace() throws {
        var settings = SearchSettings()
        settings.textBytes = 1024
        let fixture = try SearchFixture(settings)
        try fixture.say("beginning " + String(repeating: "x ", count: 600) + "behind", in: "a")
        try fixture.settle()
        #expect(try fixture.found("beginning") == ["a#1"])
        #expect(try fixture.found("behind") == [])
        var results: [Result<SearchAnswer, Failure>] = []
        for _ in 0..<SearchIndex.searchLimit + 5 {
            fixture.index.search(SearchRequest(try SearchQuery("beginning"))) { results.append($0) }
        }
        try fixture.wait("all are answered") { results.count == SearchIndex.searchLimit + 5 }
        let refused = results.compactMap { result -> String? in
            if case .failure(let failure) = result { failure.code } else { nil }
        }
        #expect(refused == Array(repeating: "too_many_requests", count: 5))
    }
}
