import Base
import Foundation
import HubProtocol
import JSON
import TestSupport
import Testing

@testable import Sessions

/// What somebody is writing: kept for all clients and for later, within bounds, in no log.
@Suite struct DraftTests {
    private static var limits: DraftLimits {
        var limits = DraftLimits()
        limits.bytes = 100
        limits.totalBytes = 250
        return limits
    }

    private static func fixture() throws -> SessionFixture {
        var settings = SessionSettings()
        settings.drafts = limits
        return try SessionFixture(settings: settings)
    }

    private func files(_ fixture: SessionFixture) -> [String] { folderEntries(fixture.folder.path + "/drafts") ?? [] }

    @Test func theLastWordIsToldAndKept() throws {
        let fixture = try Self.fixture()
        let session = try fixture.makeSession()
        let seq = session.state.lastSeq
        for text in ["h", "he", "hel"] { _ = try fixture.service.setDraft(text, in: session.id, by: fixture.client) }
        _ = try fixture.service.setDraft("help", in: session.id, by: fixture.other)
        #expect(fixture.service.drafts[session.id]?.text == "help")
        #expect(fixture.drafted.isEmpty, "however fast somebody types, others hear of it a few times a second")
        try fixture.wait(for: "it is told") { !fixture.drafted.isEmpty }
        #expect(fixture.drafted.map(\.draft.text) == ["help"])
        #expect(fixture.drafted.first?.draft.by == fixture.other)
        try fixture.wait(for: "it is written") { files(fixture) == [session.id + ".json"] }
        #expect(session.state.lastSeq == seq, "the log knows nothing of it")
        // The same again is no news.
        _ = try fixture.service.setDraft("help", in: session.id, by: fixture.client)
        fixture.turn()
        #expect(fixture.service.drafts[session.id]?.by == fixture.other)

        try fixture.restart()
        let draft = try #require(fixture.service.drafts[session.id])
        #expect(draft.text == "help" && draft.by == fixture.other)
        _ = try fixture.service.setDraft("", in: session.id, by: fixture.client)
        #expect(fixture.service.drafts[session.id] == nil)
        try fixture.wait(for: "that is told, too") { fixture.drafted.last?.draft.text == "" }
        fixture.service.drafts.flush()
        #expect(files(fixture).isEmpty)
    }

    @Test func thereAreBounds() throws {
        let fixture = try Self.fixture()
        let sessions = try (0..<3).map { _ in try fixture.makeSession().id }
        func set(_ count: Int, _ index: Int) -> String? {
            do throws(Failure) {
                _ = try fixture.service.setDraft(
                    String(repeating: "x", count: count), in: sessions[index], by: fixture.client)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(set(101, 0) == "payload_too_large")
        #expect(set(100, 0) == nil)
        #expect(set(100, 1) == nil)
        #expect(set(51, 2) == "payload_too_large", "all together")
        #expect(set(50, 2) == nil)
        #expect(set(99, 0) == nil)
        #expect(set(52, 2) == "payload_too_large")
        #expect(fixture.service.drafts[sessions[2]]?.text.count == 50, "what was kept before stays")
        #expect(set(0, 0) == nil)
        #expect(set(100, 2) == nil)
        #expect(throws: Failure.self) { try fixture.service.setDraft("x", in: "nobody", by: fixture.client) }
    }

    @Test func itGoesWithItsSession() throws {
        let fixture = try Self.fixture()
        let session = try fixture.makeSession()
        _ = try fixture.service.setDraft("mine", in: session.id, by: fixture.client)
        fixture.service.drafts.flush()
        #expect(files(fixture).count == 1)
        _ = try fixture.service.setDraft("mine, too", in: session.id, by: fixture.client)
        try fixture.service.delete(session.id, by: fixture.client)
        #expect(files(fixture).isEmpty)
        fixture.service.drafts.flush()
        #expect(files(fixture).isEmpty)
        try fixture.wait(for: "the others are told") { fixture.deleted == [session.id] }
        #expect(fixture.drafted.isEmpty)
    }

    /// What lies in the folder is looked at with distrust.
    @Test func otherFilesAreNone() throws {
        let fixture = try Self.fixture()
        let (good, empty, broken) = (
            try fixture.makeSession().id, try fixture.makeSession().id, try fixture.makeSession().id
        )
        _ = try fixture.service.setDraft("good", in: good, by: fixture.client)
        fixture.service.drafts.flush()
        let folder = fixture.folder.path + "/drafts"
        try writeFile("\(folder)/\(empty).json", [])
        try writeFile("\(folder)/\(broken).json", Array(#"{"text":7,"updatedAt":"x"}"#.utf8))
        let noTime: JSON = ["text": "x", "updatedAt": "yesterday", "by": fixture.client.json]
        try writeFile("\(folder)/\(broken).json", noTime.serialize())
        try writeFile("\(folder)/no-such-session.json", Array(#"{"text":"x"}"#.utf8))
        try writeFile("\(folder)/notes", [1])
        try fixture.restart()
        #expect(fixture.service.drafts[good]?.text == "good")
        #expect(fixture.service.drafts[empty] == nil)
        #expect(fixture.service.drafts[broken] == nil)
        #expect(!files(fixture).contains("no-such-session.json"))
        #expect(files(fixture).contains("notes"))
    }

    /// A disk that takes nothing costs what is written there, and nothing else.
    @Test func aFolderThatCantBeWrittenIsToldOnce() throws {
        let fixture = try Self.fixture()
        let session = try fixture.makeSession()
        try writeFile(fixture.folder.path + "/drafts", [])
        var problems = 0
        fixture.service.drafts.onProblem = { _ in problems += 1 }
        _ = try fixture.service.setDraft("a", in: session.id, by: fixture.client)
        fixture.service.drafts.flush()
        fixture.service.drafts.flush()
        #expect(problems == 1)
        #expect(fixture.service.drafts[session.id]?.text == "a")
        unlink(fixture.folder.path + "/drafts")
        fixture.service.drafts.flush()
        #expect(files(fixture).count == 1)
    }
}
