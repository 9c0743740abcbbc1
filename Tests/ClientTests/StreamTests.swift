import Base
import JSON
import TestSupport
import Testing
import WebSocket

@testable import Client

/// What a test's closures on the fake daemon's loop have seen.
private final class Seen<Value: Sendable>: Sendable {
    private let values = Lock<[Value]>([])
    func add(_ value: Value) { values.withLock { $0.append(value) } }
    var all: [Value] { values.withLock { $0 } }
}

private func hello(_ frame: JSON) -> Bool { frame["type"] == "client:hello" }

private func options(_ change: (inout StreamOptions) -> Void = { _ in }) -> StreamOptions {
    var options = StreamOptions()
    change(&options)
    return options
}

/// The next event that is a frame of a session's log; nil when the stream ends before.
private func nextSeq(_ iterator: inout HubEvents.AsyncIterator) async -> Int? {
    while let event = await iterator.next() {
        if case .frame(let frame) = event, let seq = frame.seq { return seq }
    }
    return nil
}

@Suite(.timeLimit(.minutes(10)))
struct StreamTests {
    @Test("what the daemon sends twice is handed on once, in order")
    func duplicates() async throws {
        let daemon = try await FakeDaemon { state in
            state.onText = { peer, frame in
                guard hello(frame) else { return }
                for seq in [3, 4, 4, 2, 5, 5, 6] { peer.event("s", seq) }
            }
        }
        let client = try HubClient(endpoint: daemon.endpoint)
        let stream = try await client.openStream(options { $0.resume = ["s": 2] })
        var iterator = stream.events.makeAsyncIterator()
        for expected in 3...6 { #expect(await nextSeq(&iterator) == expected) }
    }

    @Test("a gap is closed by a reconnect with the cursor")
    func gap() async throws {
        let cursors = Seen<Int?>()
        let daemon = try await FakeDaemon { state in
            state.onText = { peer, frame in
                guard hello(frame) else { return }
                let cursor = frame["payload"]?["resume"]?["s"]?.intValue
                cursors.add(cursor)
                if cursor == 0 {
                    for seq in [1, 2] { peer.event("s", seq) }
                    peer.send(["type": "sync:complete", "payload": ["cursors": ["s": 2]]])
                    peer.event("s", 4)
                } else {
                    for seq in 3...5 { peer.event("s", seq) }
                }
            }
        }
        let client = try HubClient(endpoint: daemon.endpoint)
        let stream = try await client.openStream(options { $0.resume = ["s": 0] })
        var iterator = stream.events.makeAsyncIterator()
        for expected in 1...5 { #expect(await nextSeq(&iterator) == expected) }
        #expect(cursors.all == [0, 2])
    }

    @Test("a gap that stays is reported once and passed over")
    func lastingGap() async throws {
        let daemon = try await FakeDaemon { state in
            state.onText = { peer, frame in
                guard hello(frame) else { return }
                peer.send(["type": "sync:complete", "payload": ["cursors": [:]]])
                if frame["payload"]?["resume"]?["s"] == 1 { peer.event("s", 5) }
            }
        }
        let client = try HubClient(endpoint: daemon.endpoint)
        let stream = try await client.openStream(options { $0.resume = ["s": 1] })
        var missing: [HubEvent] = []
        for await event in stream.events {
            if case .missing = event { missing.append(event) }
            if case .frame(let frame) = event, frame.seq == 5 { break }
        }
        #expect(missing == [.missing(sessionId: "s", after: 1, before: 5)])
    }

    @Test("after the connection broke it goes on by cursor, and sends an unanswered message again")
    func resend() async throws {
        let messages = Seen<String>()
        let daemon = try await FakeDaemon { state in
            state.onText = { peer, frame in
                if hello(frame) {
                    let cursor = frame["payload"]?["resume"]?["s"]?.intValue ?? 0
                    for seq in cursor + 1..<max(cursor + 1, 4) { peer.event("s", seq) }
                } else {
                    messages.add(frame["payload"]?["clientMessageId"]?.stringValue ?? "")
                    if messages.all.count == 1 { peer.drop() } else { peer.ack(frame, ["turnId": "t1"]) }
                }
            }
        }
        let client = try HubClient(endpoint: daemon.endpoint)
        let stream = try await client.openStream(options { $0.resume = ["s": 0] })
        let result = try await stream.send("session:message", ["sessionId": "s", "content": "hi"])
        #expect(result["turnId"] == "t1")
        #expect(messages.all.count == 2)
        #expect(Set(messages.all).count == 1)
        #expect(messages.all[0].count == 32)
        stream.close()
        var seqs: [Int] = []
        var iterator = stream.events.makeAsyncIterator()
        while let seq = await nextSeq(&iterator) { seqs.append(seq) }
        #expect(seqs == Array(1...seqs.count))
        #expect(seqs.count <= 3)
    }

    @Test("what must not be done twice fails when the connection is lost")
    func notRepeated() async throws {
        let sent = Seen<String>()
        let daemon = try await FakeDaemon { state in
            state.onText = { peer, frame in
                guard !hello(frame) else { return }
                sent.add(frame["type"]?.stringValue ?? "")
                peer.drop()
            }
        }
        let client = try HubClient(endpoint: daemon.endpoint)
        let stream = try await client.openStream()
        await #expect { try await stream.send("session:interrupt", ["sessionId": "s"]) } throws: {
            ($0 as? HubError)?.code == .connectionLost
        }
        #expect(sent.all == ["session:interrupt"])
    }

    @Test("the daemon's refusal of a request has its code")
    func refusal() async throws {
        let daemon = try await FakeDaemon { state in
            state.onText = { peer, frame in
                guard !hello(frame) else { return }
                peer.send([
                    "type": "ack", "requestId": frame["requestId"] ?? .null,
                    "payload": ["ok": false, "error": ["code": "busy", "message": "a turn runs"]],
                ])
            }
        }
        let client = try HubClient(endpoint: daemon.endpoint)
        let stream = try await client.openStream()
        await #expect { try await stream.send("session:message", ["sessionId": "s"]) } throws: {
            $0 as? HubError == HubError(.rejected, "a turn runs", answer: "busy")
        }
    }

    @Test("no answer in time is an error of its own")
    func timeout() async throws {
        let daemon = try await FakeDaemon { _ in }
        let client = try HubClient(endpoint: daemon.endpoint)
        let stream = try await client.openStream()
        await #expect { try await stream.send("session:interrupt", timeout: .milliseconds(50)) } throws: {
            ($0 as? HubError)?.code == .timeout
        }
    }

    @Test("a daemon that falls silent is left; one that answers pings is not")
    func silence() async throws {
        let pings = Seen<Int>()
        let daemon = try await FakeDaemon { state in
            state.onControl = { peer, opcode in
                guard opcode == .ping else { return }
                pings.add(1)
                // The first pings are answered, later ones are not.
                if pings.all.count < 3 { peer.send(opcode: .pong, []) }
            }
        }
        let client = try HubClient(endpoint: daemon.endpoint)
        let stream = try await client.openStream(options { $0.silenceLimit = .milliseconds(300) })
        for await event in stream.events {
            if case .reconnecting(let reason, _, _) = event {
                #expect(reason.contains("said nothing"))
                break
            }
        }
        #expect(pings.all.count >= 3)
    }

    @Test("pings are answered, with their payload's length")
    func pong() async throws {
        let pongs = Seen<Int>()
        let daemon = try await FakeDaemon { state in
            state.onOpen = { $0.send(opcode: .ping, [1, 2, 3]) }
            state.onControl = { _, opcode in if opcode == .pong { pongs.add(1) } }
        }
        let client = try HubClient(endpoint: daemon.endpoint)
        let stream = try await client.openStream()
        try await eventually("a pong") { () async throws -> Bool in pongs.all.count == 1 }
        stream.close()
    }

    @Test("compressed messages go both ways")
    func compression() async throws {
        let long = String(repeating: "compress me ", count: 200)
        let daemon = try await FakeDaemon { state in
            state.compression = .init()
            state.onText = { peer, frame in
                guard !hello(frame) else { return }
                peer.ack(frame, frame["payload"]?["content"] ?? .null)
            }
        }
        let client = try HubClient(endpoint: daemon.endpoint)
        let stream = try await client.openStream(options { $0.compression = true })
        #expect(try await stream.send("session:message", ["content": JSON(long)]) == JSON(long))
    }

    @Test("the raw mode hands on everything and ends with the connection")
    func raw() async throws {
        let daemon = try await FakeDaemon { state in
            state.onOpen = { peer in
                for seq in [5, 5, 9] { peer.event("s", seq) }
                peer.drop()
            }
        }
        let client = try HubClient(endpoint: daemon.endpoint)
        let stream = try await client.openStream(
            options {
                $0.reconnects = false
                $0.saysHello = false
            })
        var seqs: [Int] = []
        var end: HubEvent?
        for await event in stream.events {
            if case .frame(let frame) = event { seqs.append(frame.seq ?? 0) }
            end = event
        }
        #expect(seqs == [5, 5, 9])
        guard case .ended(let error?) = end else { return #expect(Bool(false), "no end: \(String(describing: end))") }
        #expect(error.code == .connectionLost)
    }

    @Test("a reader that is behind holds the daemon back, and loses nothing")
    func backpressure() async throws {
        let count = 2000
        let daemon = try await FakeDaemon { state in
            state.onText = { peer, frame in
                guard hello(frame) else { return }
                for seq in 1...count { peer.event("s", seq) }
            }
        }
        let client = try HubClient(endpoint: daemon.endpoint)
        let stream = try await client.openStream(
            options {
                $0.bufferLimit = 4096
                $0.resume = ["s": 0]
            })
        try await Task.sleep(for: .milliseconds(50))
        #expect(stream.events.queue.heldBytes < 128 * 1024)
        var iterator = stream.events.makeAsyncIterator()
        for expected in 1...count { #expect(await nextSeq(&iterator) == expected) }
    }

    @Test("without a daemon the first connection fails at once")
    func noDaemon() async throws {
        // Port 1 (tcpmux): nobody listens there.
        let client = try HubClient(endpoint: HubEndpoint(host: "127.0.0.1", port: 1))
        await #expect { _ = try await client.openStream() } throws: { ($0 as? HubError)?.code == .noDaemon }
    }
}
