import Base
import EventLog
import EventLoop
import Foundation
import HubProtocol
import JSON
import Providers
import TestSupport
import Testing

@testable import Sessions

/// An archive whose sessions are texts of one prompt or answer a line.
private struct TextArchive: SessionArchive {
    let folder: TemporaryFolder

    struct Reader: ArchiveReader {
        var title: String? { nil }
        var model: String? { "model-x" }
        var skipped: [String: Int] = [:]
        var isOpen = false
        var lines = 0

        mutating func read(_ line: LineSplitter.Line, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
            guard case .whole(let bytes) = line else {
                skipped["long"] = 1
                return
            }
            lines += 1
            let text = String(decoding: bytes, as: UTF8.self)
            let time = Timestamp(milliseconds: 1_700_000_000_000 + Int64(lines) * 1000)
            if text.hasPrefix("> ") {
                emit(time, .prompt(text: String(text.dropFirst(2)), nativeId: nil))
            } else if text == "tool" {
                emit(time, .event(.toolCall(ToolCall(itemId: "tool\(lines)", name: "Bash", title: "x"))))
            } else if text == "end" {
                emit(time, .event(.turnCompleted(TurnOutcome(status: .completed, usage: Usage(input: 5, output: 2)))))
            } else {
                emit(time, .event(.message(Message(itemId: "m\(lines)", text: text))))
            }
        }

        mutating func finish(_ emit: (Timestamp?, ArchivedEvent) -> Void) {}
    }

    private func session(_ name: String) -> ArchivedSession? {
        guard let file = ArchiveFolder(root: folder.path).open([name]) else { return nil }
        return ArchivedSession(
            nativeSessionId: name, title: "Title of \(name)", workspace: "/tmp",
            createdAt: Timestamp(milliseconds: 1_700_000_000_000), updatedAt: file.modified, bytes: file.bytes)
    }

    func list(limit: Int) -> [ArchivedSession] {
        ArchiveFolder(root: folder.path).files(depth: 0) { _ in true }.prefix(limit).compactMap { session($0.name) }
    }

    func open(_ nativeSessionId: String) throws(Failure) -> OpenedArchive? {
        guard let session = session(nativeSessionId),
            let file = ArchiveFolder(root: folder.path).open([nativeSessionId])
        else { return nil }
        return OpenedArchive(session: session, file: file, reader: Reader())
    }
}

private final class Archives: ArchiveSource {
    let archive: TextArchive
    init() throws { archive = TextArchive(folder: try TemporaryFolder("archive")) }
    var archiveProviderIds: [String] { ["echo"] }
    func archive(of providerId: String) -> (any SessionArchive)? { providerId == "echo" ? archive : nil }
}

@Suite struct ImportTests {
    private let fixture: SessionFixture
    private let archives: Archives

    init() throws {
        fixture = try SessionFixture()
        archives = try Archives()
        fixture.service.archives = archives
    }

    private var sessionsFolder: String { fixture.folder.path + "/sessions" }

    private func wait<Value>(_ what: String, _ value: () -> Value?) throws -> Value {
        for _ in 0..<2000 {
            if let value = value() { return value }
            fixture.loop.turn(waitingAtMost: .milliseconds(10))
        }
        throw TestFailure("\(what): waited too long")
    }

    private func importNative(_ id: String, _ provider: String = "echo") throws -> ImportResult {
        var result: Result<ImportResult, Failure>?
        try fixture.service.imports.importNative(providerId: provider, nativeSessionId: id, by: fixture.client) {
            result = $0
        }
        return try wait("import") { result }.get()
    }

    private func upload(_ text: String) throws -> ImportResult {
        let file = try TemporaryFile(in: fixture.folder.path)
        try text.utf8.withContiguousStorageIfAvailable { try file.append(UnsafeRawBufferPointer($0)) }
        var result: Result<ImportResult, Failure>?
        try fixture.service.imports.importLog(file, by: fixture.client) { result = $0 }
        return try wait("import") { result }.get()
    }

    private func logFiles() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: sessionsFolder).filter { $0 != "index.jsonl" }
    }

    private func text(of session: Session) throws -> String {
        String(decoding: try readFile("\(sessionsFolder)/\(session.id).jsonl"), as: UTF8.self)
    }

    // MARK: From a provider's own files

    @Test func aNativeSessionBecomesOneOfOurs() throws {
        try archives.archive.folder.write("n1", "> hello\ntool\nhi\nend\n> more\ntool\n")
        let result = try importNative("n1")
        #expect(result.isNew)
        let session = result.session
        #expect(fixture.created == [session.id])
        let records = try session.log.read(limit: 100)
        #expect(records.map(\.seq) == Array(1...records.count))
        #expect(
            records.map(\.kind) == [
                .status, .status, .message, .turnStarted, .toolCall, .message, .toolResult, .turnCompleted, .message,
                .turnStarted, .toolCall, .toolResult, .turnCompleted, .status, .status,
            ])
        #expect(records[2].turnId == "t1" && records[2].draft.source == .user)
        #expect(records[2].timestamp.milliseconds == 1_700_000_001_000)
        // What the provider left open is closed, and marked as ours.
        #expect(records[6].draft.isSynthetic && records[6].itemId == "tool2")
        #expect(records[12].draft.isSynthetic && records[12].data["status"] == "interrupted")
        #expect(records.last?.data["from"]?["nativeSessionId"] == "n1")
        let state = session.state
        #expect(state.title == "Title of n1" && state.status == .idle && state.turnCount == 2)
        #expect(state.ledger.total.input == 5 && state.model == "model-x" && state.mode == nil)
        #expect(!state.needsClosing)
        // The fold of the file is the state, also after a restart.
        try fixture.restart()
        let again = try fixture.service.session(session.id)
        #expect(again.state == state)
        #expect(fixture.committed.isEmpty)
        // And the next message goes on in the native session.
        try fixture.send("and now", to: again)
        #expect(fixture.provider.launch.resumeNativeSessionId == "n1")
        #expect(fixture.provider.calls.last == .send("and now", turnId: "t3"))
    }

    @Test func theSameNativeSessionIsImportedOnce() throws {
        try archives.archive.folder.write("n1", "> hello\n")
        var results: [Result<ImportResult, Failure>] = []
        for _ in 0..<3 {
            try fixture.service.imports.importNative(providerId: "echo", nativeSessionId: "n1", by: fixture.client) {
                results.append($0)
            }
        }
        _ = try wait("three answers") { results.count == 3 ? true : nil }
        let sessions = Set(try results.map { try $0.get().session.id })
        #expect(sessions.count == 1)
        let again = try importNative("n1")
        #expect(!again.isNew && sessions == [again.session.id])
        #expect(try logFiles().count == 1)
        var listed: Result<[ImportableSession], Failure>?
        try fixture.service.imports.list(providerId: nil, limit: 10) { listed = $0 }
        let list = try wait("the list") { listed }.get()
        #expect(list.map(\.sessionId) == [again.session.id])
        // Deleted, it can be imported anew.
        try fixture.service.delete(again.session.id, by: fixture.client)
        #expect(try importNative("n1").isNew)
    }

    @Test func whatCannotBeImportedLeavesNothing() throws {
        #expect(throws: Failure.self) { try importNative("n9") }
        #expect(throws: Failure.self) { try importNative("n1", "nobody") }
        #expect(throws: Failure.self) { try importNative("../../etc/passwd") }
        var settings = SessionSettings()
        settings.maxImportBytes = 10
        let small = try SessionFixture(settings: settings)
        small.service.archives = archives
        try archives.archive.folder.write("large", "> hello, this is long\n")
        var failure: Failure?
        try small.service.imports.importNative(providerId: "echo", nativeSessionId: "large", by: small.client) {
            if case .failure(let error) = $0 { failure = error }
        }
        for _ in 0..<500 where failure == nil { small.loop.turn(waitingAtMost: .milliseconds(10)) }
        #expect(failure?.code == "payload_too_large")
        #expect(try logFiles().isEmpty)
        #expect(fixture.created.isEmpty)
    }

    @Test func aLargeSessionLetsTheLoopGoOn() throws {
        let line = String(repeating: "x", count: 10_000)
        try archives.archive.folder.write(
            "large", "> go\n" + String(repeating: line + "\n", count: 3000) + "end\n")
        var result: Result<ImportResult, Failure>?
        let other = try fixture.makeSession()
        try fixture.service.imports.importNative(providerId: "echo", nativeSessionId: "large", by: fixture.client) {
            result = $0
        }
        // Another session's whole turn while the import runs.
        try fixture.send("hello", to: other)
        fixture.provider.say(
            .message(Message(itemId: "a", text: "hi")), .turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(other.state.runningTurn == nil)
        let imported = try wait("the import") { result }.get()
        #expect(imported.session.log.lastSeq == 3007)
        #expect(try imported.session.log.verify().isEmpty)
    }

    @Test func theEndOfTheDaemonEndsAnImport() throws {
        try archives.archive.folder.write("n1", "> go\n" + String(repeating: "words\n", count: 500_000))
        var result: Result<ImportResult, Failure>?
        try fixture.service.imports.importNative(providerId: "echo", nativeSessionId: "n1", by: fixture.client) {
            result = $0
        }
        var isStopped = false
        fixture.service.stopAll(grace: .zero) { isStopped = true }
        _ = try wait("the end") { isStopped ? true : nil }
        #expect(throws: Failure.self) { try result?.get() }
        // What the thread had begun is gone, or will be at the next start.
        try fixture.restart()
        #expect(try logFiles().allSatisfy { !$0.hasSuffix(".jsonl") })
    }

    // MARK: Logs

    private func exported() throws -> (session: Session, text: String) {
        let session = try fixture.makeSession()
        try fixture.send("hello", to: session, id: "c1")
        fixture.provider.say(
            .sessionReady(SessionReady(nativeSessionId: "native", model: "m", mode: "bypassPermissions")),
            .message(Message(itemId: "a", text: "hi")), .turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        return (session, try text(of: session))
    }

    @Test func anExportedLogComesBackAsItWas() throws {
        let (session, text) = try exported()
        try fixture.service.delete(session.id, by: fixture.client)
        let result = try upload(text)
        #expect(result.isNew && result.importedFrom == nil)
        #expect(result.session.id == session.id)
        #expect(try self.text(of: result.session).hasPrefix(text))
        let records = try result.session.log.read(limit: 100)
        #expect(records.last?.data["type"] == "imported")
        // The agent still knows it; what it may do without asking is decided anew.
        #expect(result.session.state.mode == nil && result.session.state.model == "m")
        try fixture.send("again", to: result.session)
        #expect(fixture.provider.launch.resumeNativeSessionId == "native")
    }

    @Test func aLogWhoseSessionIsHereBecomesACopy() throws {
        let (session, text) = try exported()
        let result = try upload(text)
        #expect(result.session.id != session.id && result.importedFrom == session.id)
        let originals = try session.log.read(limit: 100)
        let copies = try result.session.log.read(limit: 100)
        #expect(copies.dropLast().map(\.draft) == originals.map(\.draft))
        #expect(Set(copies.map(\.id)).isDisjoint(with: originals.map(\.id)))
        #expect(try self.text(of: session) == text)
        #expect(result.session.state.title == session.state.title)
    }

    @Test func anUnfinishedLogIsClosed() throws {
        let (_, text) = try exported()
        let lines = text.split(separator: "\n").map(String.init)
        let end = try #require(lines.firstIndex { $0.contains("turn_completed") })
        let cut = lines[..<end].joined(separator: "\n").replacingOccurrences(
            of: "\"sessionId\":\"", with: "\"sessionId\":\"x")
        let result = try upload(cut)
        #expect(result.session.id.hasPrefix("x"))
        #expect(result.session.state.runningTurn == nil)
        let kinds = try result.session.log.read(limit: 100).map(\.kind)
        #expect(kinds.last == .turnCompleted)
    }

    @Test func aBadLogIsRefusedAtItsLine() throws {
        let (session, text) = try exported()
        let lines = text.split(separator: "\n").map(String.init)
        func fails(_ lines: [String], at line: Int, _ comment: Comment) {
            let error = #expect(throws: Failure.self, comment) { try upload(lines.joined(separator: "\n")) }
            #expect(error?.code == "invalid_log", comment)
            #expect(error?.details["line"] == JSON(line), comment)
        }
        fails([], at: 1, "empty")
        fails(["{}"], at: 1, "no header")
        fails(Array(lines.dropFirst()), at: 1, "the header is missing")
        fails([lines[0].replacingOccurrences(of: "\"schema\":1", with: "\"schema\":2")], at: 1, "a later format")
        fails([lines[0].replacingOccurrences(of: session.id, with: "../up")], at: 1, "an identifier that is a path")
        fails([lines[0].replacingOccurrences(of: "\"/tmp\"", with: "\"tmp\"")], at: 1, "a relative folder")
        fails([lines[0].replacingOccurrences(of: "\"echo\"", with: "\"../echo\"")], at: 1, "a provider that is a path")
        fails([lines[0], lines[2]], at: 2, "a number is missing")
        fails([lines[0], lines[1], lines[1]], at: 3, "a number twice")
        fails([lines[0], lines[1], "", lines[2]], at: 3, "an empty line")
        fails([lines[0], lines[1], "{\"seq\":2}"], at: 3, "no event")
        fails([lines[0], lines[1], String(lines[2].dropLast(5))], at: 3, "a torn line")
        fails(
            [lines[0], lines[1].replacingOccurrences(of: "\"id\":\"", with: "\"id\":7,\"x\":\"")], at: 2, "a wrong type"
        )
        fails([lines[0], lines[0]], at: 2, "two headers")
        #expect(try logFiles() == ["\(session.id).jsonl"])
    }

    @Test func whatItCostCountsOnce() throws {
        let session = try fixture.makeSession()
        try fixture.send("hello", to: session)
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed, usage: Usage(costUsd: 0.5))))
        fixture.turn()
        #expect(fixture.service.spentToday == Money(usd: 0.5))
        let log = try text(of: session)
        // A copy was paid for as the original.
        #expect(try upload(log).session.state.ledger.isEmpty)
        #expect(fixture.service.spentToday == Money(usd: 0.5))
        // One that comes back is no longer a deleted one.
        try fixture.service.delete(session.id, by: fixture.client)
        #expect(try upload(log).session.id == session.id)
        #expect(fixture.service.spentToday == Money(usd: 0.5))
        #expect(
            fixture.service.usage(from: fixture.service.today, through: fixture.service.today, by: .day).total.turns
                == 1)
        // One from elsewhere brings its own.
        #expect(try upload(log.replacingOccurrences(of: session.id, with: "elsewhere")).session.id == "elsewhere")
        #expect(fixture.service.spentToday == Money(usd: 1))
        try fixture.restart()
        #expect(fixture.service.spentToday == Money(usd: 1))
    }

    @Test func aLogInWhichTooMuchIsOpenIsRefused() throws {
        let session = try fixture.makeSession()
        var lines = try text(of: session).split(separator: "\n").map(String.init)
        for seq in 2...1500 {
            lines.append(
                #"{"seq":\#(seq),"ts":"2026-11-21T10:00:00.000Z","id":"x\#(seq)","kind":"message","turnId":"t\#(seq)","source":"user","data":{"role":"user","content":"x"}}"#
            )
        }
        let error = #expect(throws: Failure.self) { try upload(lines.joined(separator: "\n")) }
        #expect(error?.code == "invalid_log")
        #expect(error?.details["line"] == JSON(1 + 1 + LogImport.openLimit + 1))
    }

    @Test(arguments: ["t9223372036854775807", "t-9223372036854775808", "t0", "x"])
    func turnsMayBeCalledAnything(_ turnId: String) {
        let records = (1...3).flatMap { number in
            let id = number == 1 ? turnId : "t\(number)"
            return [
                EventRecord(
                    seq: 2 * number, timestamp: .now, id: "x",
                    draft: EventDraft(
                        .message, source: .user, turnId: id, providerId: "one",
                        data: ["role": "user", "content": JSON(String(repeating: "x", count: 2000))])),
                EventRecord(
                    seq: 2 * number + 1, timestamp: .now, id: "x",
                    draft: EventDraft(.turnCompleted, source: .agent, turnId: id, providerId: "one")),
            ]
        }
        let context = CarriedContext(
            records, isComplete: false, limit: 3000, name: { $0 }, isTold: { _, _ in true })
        #expect(context?.turns == 1 && context?.through == 7)
    }

    @Test func anUnknownProvidersLogIsKept() throws {
        let (_, text) = try exported()
        let result = try upload(text.replacingOccurrences(of: "\"echo\"", with: "\"strange\""))
        #expect(result.session.state.providerId == "strange")
    }

    @Test func markdownShowsWhatWasSaidAndDone() throws {
        let (session, _) = try exported()
        var transcript = MarkdownTranscript()
        var text = MarkdownTranscript.head(session.state)
        for record in try session.log.read(limit: 100) { text += transcript.render(record) }
        #expect(text.hasPrefix("# hello\n"))
        #expect(text.contains("## You ·") && text.contains("\nhello\n") && text.contains("\nhi\n"))
        let fence = transcript.render(
            EventRecord(
                seq: 1, timestamp: .now, id: "x",
                draft: EventDraft(.toolResult, source: .agent, data: ["status": "failed", "content": "a ``` b"])))
        #expect(fence == "\n*failed*\n\n````\na ``` b\n````\n")
    }
}
