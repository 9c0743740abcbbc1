import Foundation
import JSON
import TestSupport
import Testing

/// Coming back with a cursor: nothing lost at the seam, nothing twice.
@Suite(.timeLimit(.minutes(10))) struct ReplayTests {
    let daemon: TestDaemon

    init() throws { daemon = try TestDaemon.running() }

    /// A prompt that makes `count` tool calls: two durable events each, as fast as they come.
    static func tools(_ count: Int) -> String {
        (0..<count).map { "[[tool:Bash {\"command\":\"step \($0)\"}]]" }.joined()
    }

    @Test func aCursorGetsExactlyWhatFollowed() throws {
        let session = try daemon.newSession()
        try daemon.turn(Self.tools(10), in: session)
        let records = try daemon.events(session)
        for cursor in [0, 1, records.count / 2, records.count - 1, records.count] {
            let client = try daemon.client("back", resume: [session: cursor])
            let frames = try client.collect { $0.type == "sync:complete" }
            #expect(frames.filter { $0.seq != nil }.compactMap(\.seq) == Array(cursor..<records.count).map { $0 + 1 })
            #expect(frames.last?["payload"]?["cursors"]?[session]?.intValue == records.count)
            // The same frames that a client gets live; events of the log as they are.
            for frame in frames where frame.type == "session:event" {
                #expect(frame["payload"] == records[(frame.seq ?? 1) - 1])
            }
        }
    }

    @Test func aCursorAheadOfTheLogIsTold() throws {
        let session = try daemon.newSession()
        try daemon.turn("[[text:a]]", in: session)
        let last = try daemon.events(session).count
        let client = try daemon.client("odd", resume: [session: last + 100, "01ARZ3NDEKTSV4RRFFQ69G5FAV": 3])
        let frames = try client.collect { $0.type == "sync:complete" }
        let resyncs = frames.filter { $0.type == "sync:resync" }
        #expect(resyncs.count == 2)
        #expect(resyncs.contains { $0["payload"]?["lastSeq"]?.intValue == last && $0.session == session })
    }

    /// Clients that connect with every cursor while events pour in.
    @Test func noSeamUnderLoad() throws {
        let session = try daemon.newSession()
        try daemon.turn(Self.tools(20), in: session)
        let before = try daemon.events(session).count
        // About a second of events: the replay meets live ones.
        for _ in 0..<3 { try daemon.say(Self.tools(300), in: session) }
        var clients: [(socket: RawWebSocket, cursor: Int)] = []
        for index in 0..<24 {
            let cursor = index * 7 % before
            clients.append((try daemon.client("seam \(index)", resume: [session: cursor]), cursor))
        }
        try daemon.settle(session, within: .seconds(60))
        let records = try daemon.events(session)
        #expect(records.areNumbered(from: 1))
        for (socket, cursor) in clients {
            var seen: [Int] = []
            while seen.last != records.count {
                if let seq = try socket.frame(within: .seconds(20)).seq { seen.append(seq) }
            }
            #expect(seen == Array(cursor + 1...records.count))
        }
    }

    /// A client that takes long to say its hello, while events are appended.
    @Test func anAnnouncedHelloIsWaitedFor() throws {
        let session = try daemon.newSession()
        try daemon.turn(Self.tools(5), in: session)
        let early = try RawWebSocket(port: daemon.port, path: "/api/v1/stream?hello=1")
        let late = try daemon.webSocket()
        usleep(1_300_000)
        try daemon.turn(Self.tools(5), in: session)
        let hello: JSON = [
            "type": "client:hello",
            "payload": ["name": "late", "protocol": 1, "resume": .object(JSONObject(members: [(session, 3)]))],
        ]
        try early.send(hello)
        let last = try daemon.events(session).count
        let frames = try early.collect { $0.type == "sync:complete" }
        #expect(frames.compactMap(\.seq) == Array(4...last))
        // One that didn't announce it has had live events by now: it must come again.
        try late.send(hello)
        var message = RawWebSocket.Message.text([])
        while case .text = message { message = try late.receive() }
        guard case .close(let code, _) = message else {
            Issue.record("no close came: \(message)")
            return
        }
        #expect(code == 1013)
        // Whoever announces it must say it first.
        let rude = try RawWebSocket(port: daemon.port, path: "/api/v1/stream?hello=1")
        try rude.send(["type": "session:interrupt", "sessionId": JSON(session), "requestId": "r"])
        #expect(try rude.frame(type: "ack")["payload"]?["error"]?["code"] == "invalid_request")
    }

    @Test(arguments: [true, false]) func aStreamOfEventsFollowsFromItsId(byHeader: Bool) throws {
        let session = try daemon.newSession()
        try daemon.turn(Self.tools(3), in: session)
        let before = try daemon.events(session).count
        let connection = try RawConnection(port: daemon.port)
        let query = byHeader ? "" : "&after=\(before - 2)"
        var head = "GET /api/v1/sessions/\(session)/events?chunks=false\(query) HTTP/1.1\r\n"
        head += "Host: \(daemon.authority)\r\nAccept: text/event-stream\r\n"
        if byHeader { head += "Last-Event-ID: \(before - 2)\r\n" }
        try connection.send(head + "\r\n")
        let answer = String(decoding: try #require(try connection.take(through: "\r\n\r\n")), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 200"))
        #expect(answer.contains("text/event-stream"))

        var reader = EventStreamReader(isChunked: answer.lowercased().contains("chunked"))
        #expect(try reader.nextNumbered(connection).seq == before - 1)
        #expect(try reader.nextNumbered(connection).seq == before)
        let said = try daemon.say("[[stream:5x10]]", in: session)["seq"]?.intValue
        var expected = before
        while true {
            let (seq, frame) = try reader.nextNumbered(connection)
            expected += 1
            #expect(seq == expected)
            #expect(frame.seq == seq)
            if seq == said { #expect(frame["payload"]?["role"] == "user") }
            if frame.kind == "turn_completed" { break }
        }
        #expect(reader.unnumbered.allSatisfy { $0.type != "stream:chunk" })
    }

    @Test func historyPagesBackwards() throws {
        let session = try daemon.newSession()
        try daemon.turn(Self.tools(30), in: session)
        let records = try daemon.events(session)
        var back: [JSON] = []
        var cursor = records.count + 1
        while cursor > 1 {
            let page = try daemon.call("GET", "/sessions/\(session)/events?before=\(cursor)&limit=7")
            let events = page["events"]?.arrayValue ?? []
            #expect(!events.isEmpty && events.count <= 7)
            back = events + back
            cursor = events.first?.seq ?? 1
        }
        #expect(back == records)

        let client = try daemon.client("client")
        let history = try client.request("session:history", ["sessionId": JSON(session), "beforeSeq": 11, "limit": 5])
        #expect(history["result"]?["events"]?.arrayValue?.compactMap(\.seq) == [6, 7, 8, 9, 10])
        #expect(history["result"]?["hasMore"] == true)
        let newest = try client.request("session:history", ["sessionId": JSON(session), "limit": 3])
        #expect(newest["result"]?["events"]?.arrayValue?.last == records.last)
    }

    @Test func aSubscriptionLeavesOthersOut() throws {
        let wanted = try daemon.newSession()
        let other = try daemon.newSession()
        let client = try daemon.webSocket()
        try client.send([
            "type": "client:hello",
            "payload": ["name": "one", "version": "1", "protocol": 1, "subscribe": [JSON(wanted)]],
        ])
        _ = try client.frame(type: "core:state")
        try daemon.turn("[[text:not for us]]", in: other)
        try daemon.say("[[text:for us]]", in: wanted)
        let frames = try client.collectTurn(of: wanted)
        #expect(frames.filter { $0.seq != nil || $0.type == "stream:chunk" }.allSatisfy { $0.session == wanted })
        #expect(frames.contains { $0.type == "session:update" && $0["payload"]?["id"]?.stringValue == other })
    }

    @Test func theSnapshotHoldsTheOpenText() throws {
        let session = try daemon.newSession()
        let watcher = try daemon.client("watcher")
        try daemon.say("[[stream:10000x10@50]]", in: session)
        for _ in 0..<5 { _ = try watcher.frame(type: "stream:chunk") }
        let late = try daemon.webSocket()
        let state = try late.frame()
        #expect(state.type == "core:state")
        let open = try #require(state["payload"]?["open"]?[0])
        #expect(open["sessionId"]?.stringValue == session)
        let text = open["content"]?.stringValue ?? ""
        #expect(text.utf8.count >= 50)
        // The next delta goes on exactly where the snapshot ends.
        let chunk = try late.frame(type: "stream:chunk")["payload"]
        #expect(chunk?["offset"]?.intValue == text.utf8.count)
        #expect(chunk?["itemId"] == open["itemId"])
        #expect(state["payload"]?["sessions"]?[0]?["status"] == "running")
        try daemon.call("POST", "/sessions/\(session)/interrupt")
    }
}
