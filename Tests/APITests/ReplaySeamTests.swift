import Base
import EventLog
import EventLoop
import HubProtocol
import JSON
import Providers
import Server
import TestSupport
import Testing

@testable import API
@testable import Sessions

/// A client in memory that takes as much as the test lets it.
private final class RecordingSink: FrameSink {
    var frames: [JSON] = []
    var queuedBytes = 0
    func notifyWhenDrained(below bytes: Int) {}
    var isFinished = false
    func finish() { isFinished = true }
    func send(_ frame: OutgoingFrame, isEphemeral: Bool) {
        frames.append(try! JSON.parse(frame.text))
        queuedBytes += frame.text.count
    }
    func seqs(of session: String) -> [Int] {
        frames.filter { $0["sessionId"]?.stringValue == session }.compactMap { $0["seq"]?.intValue }
    }
    var types: [String] { frames.compactMap { $0["type"]?.stringValue } }
}

private final class NoProviders: ProviderSource {
    func note(_ quota: Quota, of providerId: String) {}
    func problem(with providerId: String) -> Failure? { nil }
    func makeSession(_ providerId: String, _ start: ProviderStart) throws(Failure) -> any ProviderSession {
        throw Failure(code: "provider_start_failed", message: "none here")
    }
}

private final class EmptyContext: HubContext {
    let core: JSONObject = [:]
    let providers: [JSON] = []
    let settings: JSONObject = [:]
}

private final class SeamFixture {
    let folder: TemporaryFolder
    let loop: EventLoop
    let service: SessionService
    let hub: StreamHub
    let client = ClientIdentity(name: "t", id: "c", transport: "websocket")
    private let context = EmptyContext()
    private let providers = NoProviders()

    init(_ limits: StreamHub.Limits = StreamHub.Limits()) throws {
        folder = try TemporaryFolder("seam")
        loop = try EventLoop()
        let store = try LogStore<SessionState>(
            directory: folder.path + "/sessions", backups: folder.path + "/backups", loop: loop, durability: .process)
        service = SessionService(loop: loop, store: store, providers: providers, settings: SessionSettings())
        hub = StreamHub(service: service, context: context, encoder: BroadcastEncoder(), limits: limits)
        service.start()
    }

    func turn() { loop.turn(waitingAtMost: .zero) }

    func append(_ count: Int, to session: Session) {
        for index in 0..<count {
            session.log.append(
                EventDraft(
                    .thinking, source: .agent, data: ["content": JSON(String(repeating: "x", count: index % 900))]))
        }
    }
}

@Suite struct ManySessionsTests {
    /// The first frame is bounded; cursors of sessions that it doesn't show count all the same.
    @Test func theFirstFrameShowsTheNewestAndNothingIsLost() throws {
        var limits = StreamHub.Limits()
        limits.snapshotSessions = 5
        let fixture = try SeamFixture(limits)
        let sessions = try (0..<20).map { _ in
            try fixture.service.create(.init(providerId: "echo", workspace: "/tmp"), by: fixture.client)
        }
        for session in sessions { fixture.append(3, to: session) }
        // Old, but waiting: in the frame as long as it does.
        sessions[0].log.append(
            EventDraft(.permissionRequested, source: .agent, data: ["requestId": "p1", "options": []]))
        fixture.turn()
        for session in sessions[1...] {
            session.log.append(EventDraft(.thinking, source: .agent), at: .now)
        }
        fixture.turn()
        let state = try JSON.parse(fixture.hub.stateFrame().text)["payload"]
        let shown = (state?["sessions"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue }
        #expect(shown == fixture.service.sessionIds.filter { shown.contains($0) })
        #expect(shown.contains(sessions[0].id))
        #expect((5...6).contains(shown.count))
        #expect(state?["sessionsTotal"] == 20)
        #expect(state?["sessionsOmitted"]?.intValue == 20 - shown.count)
        #expect(state?["pending"]?.arrayValue?.count == 1)

        let hidden = try #require(sessions.first { !shown.contains($0.id) })
        let sink = RecordingSink()
        let feed = ClientFeed(sink: sink, hub: fixture.hub, holds: true, awaitsHello: true)
        fixture.hub.add(feed)
        feed.configure(selection: .all, wantsChunks: nil, cursors: [(hidden.id, 2)])
        fixture.append(2, to: hidden)
        fixture.turn()
        #expect(sink.seqs(of: hidden.id) == Array(3...hidden.log.committedSeq))
    }
}

@Suite struct ReplaySeamTests {
    /// However appends, loop turns and a slow reader are mixed: each client gets exactly what follows its cursor.
    @Test(arguments: 0..<40)
    func nothingIsLostAndNothingComesTwice(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let fixture = try SeamFixture()
        let session = try fixture.service.create(.init(providerId: "echo", workspace: "/tmp"), by: fixture.client)
        fixture.append(Int.random(in: 0...800, using: &random), to: session)
        fixture.turn()
        let cursor = Int.random(in: 0...session.log.committedSeq, using: &random)
        let sink = RecordingSink()
        let feed = ClientFeed(sink: sink, hub: fixture.hub, holds: Bool.random(using: &random))
        fixture.hub.add(feed)
        var isConfigured = false
        for step in 0..<60 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: fixture.append(Int.random(in: 1...60, using: &random), to: session)
            case 1: fixture.turn()
            case 2:
                sink.queuedBytes = 0
                feed.pump()
            default:
                guard !isConfigured, step > 3 else { break }
                isConfigured = true
                sink.frames = []
                feed.configure(selection: nil, wantsChunks: nil, cursors: [(session.id, cursor)])
            }
        }
        if !isConfigured {
            sink.frames = []
            feed.configure(selection: nil, wantsChunks: nil, cursors: [(session.id, cursor)])
        }
        for _ in 0..<50 {
            fixture.turn()
            sink.queuedBytes = 0
            feed.pump()
        }
        #expect(sink.seqs(of: session.id) == Array(cursor + 1..<session.log.lastSeq + 1), "seed \(seed)")
        #expect(sink.types.filter { $0 == "sync:complete" }.count == 1)
    }

    @Test func aSilentClientGetsWhatWasHeld() throws {
        let fixture = try SeamFixture()
        let session = try fixture.service.create(.init(providerId: "echo", workspace: "/tmp"), by: fixture.client)
        fixture.turn()
        let sink = RecordingSink()
        let feed = ClientFeed(sink: sink, hub: fixture.hub, holds: true)
        fixture.hub.add(feed)
        fixture.append(3, to: session)
        fixture.turn()
        #expect(sink.seqs(of: session.id).isEmpty)
        feed.release()
        fixture.append(2, to: session)
        fixture.turn()
        #expect(sink.seqs(of: session.id) == [2, 3, 4, 5, 6])
    }

    /// What streams when a client comes begins at its beginning, for no piece fits before the one before it.
    @Test(arguments: [true, false])
    func textThatStreamsComesFromItsBeginning(wantsChunks: Bool) throws {
        let fixture = try SeamFixture()
        let session = try fixture.service.create(.init(providerId: "echo", workspace: "/tmp"), by: fixture.client)
        fixture.append(2, to: session)
        fixture.turn()
        let sink = RecordingSink()
        let feed = ClientFeed(sink: sink, hub: fixture.hub, holds: true, isOfOneSession: true)
        fixture.hub.add(feed)
        func stream(_ text: String) {
            let offset = session.openItems.append("i", .message, of: "echo", turnId: "t", text: text)
            fixture.hub.session(
                session,
                streamed: StreamChunk(sessionId: session.id, itemId: "i", kind: .message, text: text, offset: offset))
        }
        stream("befo")
        stream("re, ")
        feed.configure(selection: .only([session.id]), wantsChunks: wantsChunks, cursors: [(session.id, 0)])
        stream("after")
        let pieces = sink.frames.filter { $0["type"] == "stream:chunk" }.compactMap { $0["payload"] }
        #expect(pieces.compactMap { $0["content"]?.stringValue } == (wantsChunks ? ["before, ", "after"] : []))
        #expect(pieces.compactMap { $0["offset"]?.intValue } == (wantsChunks ? [0, 8] : []))
        #expect(sink.seqs(of: session.id) == [1, 2, 3])
    }

    @Test func aCursorAheadOfTheLogIsToldSo() throws {
        let fixture = try SeamFixture()
        let session = try fixture.service.create(.init(providerId: "echo", workspace: "/tmp"), by: fixture.client)
        fixture.turn()
        let sink = RecordingSink()
        let feed = ClientFeed(sink: sink, hub: fixture.hub, holds: false)
        feed.configure(selection: nil, wantsChunks: nil, cursors: [(session.id, 99), ("gone", 3)])
        #expect(sink.types == ["sync:resync", "sync:resync", "sync:complete"])
        #expect(sink.frames[0]["payload"]?["lastSeq"] == 1)
    }

    @Test func aFeedOfOneSessionKnowsNothingOfOthersAndEndsWithIt() throws {
        let fixture = try SeamFixture()
        let one = try fixture.service.create(.init(providerId: "echo", workspace: "/tmp"), by: fixture.client)
        let two = try fixture.service.create(.init(providerId: "echo", workspace: "/tmp"), by: fixture.client)
        fixture.turn()
        let sink = RecordingSink()
        let feed = ClientFeed(sink: sink, hub: fixture.hub, holds: false, isOfOneSession: true)
        fixture.hub.add(feed)
        feed.configure(selection: .only([two.id]), wantsChunks: nil, cursors: nil)
        try one.rename("One", by: fixture.client)
        try two.rename("Two", by: fixture.client)
        fixture.turn()
        try fixture.service.delete(one.id, by: fixture.client)
        #expect(!sink.isFinished)
        try fixture.service.delete(two.id, by: fixture.client)
        #expect(sink.frames.allSatisfy { $0["sessionId"]?.stringValue == two.id })
        #expect(sink.types == ["session:event", "session:update", "session:deleted"])
        #expect(sink.isFinished)
    }

    @Test func aSelectionLeavesOthersOut() throws {
        let fixture = try SeamFixture()
        let one = try fixture.service.create(.init(providerId: "echo", workspace: "/tmp"), by: fixture.client)
        let two = try fixture.service.create(.init(providerId: "echo", workspace: "/tmp"), by: fixture.client)
        fixture.turn()
        let sink = RecordingSink()
        let feed = ClientFeed(sink: sink, hub: fixture.hub, holds: false)
        fixture.hub.add(feed)
        feed.configure(selection: .only([two.id]), wantsChunks: false, cursors: nil)
        fixture.append(2, to: one)
        fixture.append(2, to: two)
        fixture.hub.session(
            two, streamed: StreamChunk(sessionId: two.id, itemId: "i", kind: .message, text: "x", offset: 0))
        fixture.turn()
        #expect(sink.seqs(of: one.id).isEmpty && sink.seqs(of: two.id) == [2, 3])
        #expect(!sink.types.contains("stream:chunk"))
    }
}
