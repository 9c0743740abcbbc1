import Base
import EventLoop
import HTTP1
import TestSupport
import Testing
import WebSocket

@testable import Server

/// The handler's closure has these and must not keep alive what in turn keeps the handler alive.
struct WeakStream {
    weak var stream: ResponseStream?
}

@Suite struct SubscriberTests {
    private static var small: ServerLimits {
        var limits = ServerLimits()
        limits.queuedBytes = 1 << 20
        limits.closeTime = .milliseconds(300)
        return limits
    }

    /// Sends frames in one turn of the loop.
    private func broadcast(_ server: WebSocketServer, count: Int, size: Int, ephemeral: Bool = false) {
        server.on { _, sockets in
            let encoder = BroadcastEncoder()
            for number in 0..<count {
                var payload = Array("\(number):".utf8)
                payload += [UInt8](repeating: 0x61, count: size - payload.count)
                let frame = encoder.encode(payload)
                for socket in sockets { socket.enqueue(frame, ephemeral: ephemeral) }
            }
        }
    }

    @Test func everybodyGetsEveryFrameInOrder() throws {
        let server = try WebSocketServer()
        let clients = try (0..<10).map { _ in try server.connect() }
        broadcast(server, count: 1000, size: 300)
        for client in clients {
            for number in 0..<1000 {
                guard case .text(let text) = try client.receive() else { throw TestFailure("no text") }
                #expect(text.count == 300)
                #expect(text.starts(with: Array("\(number):".utf8)))
            }
        }
        #expect(server.server.metrics.framesSent >= 10_000)
    }

    @Test func privateFramesKeepTheirPlaceBetweenSharedOnes() throws {
        let server = try WebSocketServer()
        let client = try server.connect()
        server.on { _, sockets in
            let encoder = BroadcastEncoder()
            for number in 0..<200 {
                if number % 3 == 0 {
                    sockets[0].send(Array("\(number)".utf8))
                } else {
                    sockets[0].enqueue(encoder.encode(Array("\(number)".utf8)), ephemeral: number % 2 == 0)
                }
            }
        }
        for number in 0..<200 { #expect(try client.receive() == .text(Array("\(number)".utf8))) }
    }

    @Test func largeTurnDoesNotEvictAClientThatReads() throws {
        let server = try WebSocketServer(limits: Self.small)
        let client = try server.connect()
        // Twice the queue's limit within one turn, which the socket's buffers can take meanwhile.
        broadcast(server, count: 20, size: 100_000)
        var seen = 0
        while seen < 20, case .text = try client.receive() { seen += 1 }
        #expect(seen == 20)
        #expect(server.server.metrics.subscribersEvicted == 0)
    }

    @Test func slowClientIsWarnedLosesEphemeralFramesAndIsEvicted() throws {
        let server = try WebSocketServer(limits: Self.small, notice: #"{"type":"client:evicted"}"#)
        let slow = try server.connect(receiveBuffer: 4096)
        let fast = try server.connect()
        var fastSeen = 0
        func readFast(_ count: Int) throws {
            for _ in 0..<count {
                guard case .text = try fast.receive() else { throw TestFailure("the fast client is disturbed") }
                fastSeen += 1
            }
        }
        var rounds = 0
        while server.server.metrics.subscribersSlow == 0 {
            broadcast(server, count: 10, size: 10_000)
            try readFast(10)
            rounds += 1
            guard rounds < 2000 else { throw TestFailure("never slow") }
        }
        // Ephemeral ones are left out now, for the slow one only.
        broadcast(server, count: 10, size: 10_000, ephemeral: true)
        try readFast(10)
        #expect(server.server.metrics.framesDropped == 10)
        while server.server.metrics.subscribersEvicted == 0 {
            broadcast(server, count: 10, size: 10_000)
            try readFast(10)
            rounds += 1
            guard rounds < 4000 else { throw TestFailure("never evicted") }
        }
        #expect(server.events.withLock { $0.filter { $0 == "slow" }.count } == 1)
        // Reading on, it finds whole frames, the notice and the close frame.
        var texts: [[UInt8]] = []
        var end: RawWebSocket.Message?
        while end == nil {
            switch try slow.receive() {
            case .text(let text): texts.append(text)
            case let other: end = other
            }
        }
        #expect(texts.dropLast().allSatisfy { $0.count == 10_000 })
        #expect(texts.last == Array(#"{"type":"client:evicted"}"#.utf8))
        #expect(end == .close(code: 1013, reason: "too slow"))
        try eventually("it is gone") { server.server.connectionCount == 1 }
        #expect(server.events.withLock { $0.filter { $0 == "closed 1013" }.count } == 1)
        broadcast(server, count: 1, size: 100)
        try readFast(1)
    }

    @Test func evictedClientThatReadsNothingIsReset() throws {
        let server = try WebSocketServer(limits: Self.small)
        let slow = try server.connect(receiveBuffer: 4096)
        var rounds = 0
        while server.server.metrics.subscribersEvicted == 0, rounds < 4000 {
            broadcast(server, count: 10, size: 10_000)
            rounds += 1
        }
        try eventually("it is gone", within: .seconds(3)) { server.server.connectionCount == 0 }
        slow.close()
    }

    @Test func queueIsBoundedInFramesToo() throws {
        var limits = Self.small
        limits.queuedBytes = 1 << 30
        limits.queuedFrames = 1000
        let server = try WebSocketServer(limits: limits)
        let slow = try server.connect(receiveBuffer: 4096)
        var rounds = 0
        while server.server.metrics.subscribersEvicted == 0, rounds < 20_000 {
            broadcast(server, count: 100, size: 1000)
            rounds += 1
        }
        #expect(server.server.metrics.subscribersEvicted == 1)
        slow.close()
    }

    @Test func warningIsGivenAgainAfterRecovery() throws {
        let server = try WebSocketServer(limits: Self.small)
        let client = try server.connect(receiveBuffer: 4096)
        for round in 1...2 {
            var sent = 0
            while server.server.metrics.subscribersSlow < round, sent < 4000 {
                broadcast(server, count: 1, size: 50_000)
                sent += 1
            }
            #expect(server.server.metrics.subscribersSlow == round)
            var seen = 0
            while seen < sent, case .text(let text) = try client.receive() { seen += text.count == 50_000 ? 1 : 0 }
            #expect(seen == sent)
            try eventually("the queue is empty") { server.on { _, sockets in sockets[0].queuedBytes == 0 } }
        }
    }

    @Test func producerIsToldWhenTheQueueHasDrained() throws {
        let server = try WebSocketServer()
        let client = try server.connect(receiveBuffer: 4096)
        broadcast(server, count: 100, size: 50_000)
        server.on { _, sockets in sockets[0].notifyWhenDrained(below: 100_000) }
        usleepMilliseconds(30)
        #expect(server.events.withLock { $0.isEmpty })
        for _ in 0..<100 { _ = try client.receive() }
        try eventually("it is told once") { server.events.withLock { $0 == ["drained"] } }
        server.on { _, sockets in sockets[0].notifyWhenDrained(below: 0) }
        try eventually("it is told at once") { server.events.withLock { $0 == ["drained", "drained"] } }
    }

    @Test func sparseSubscriberDoesNotKeepEverythingAlive() throws {
        var limits = ServerLimits()
        limits.queuedBytes = 100_000
        let server = try WebSocketServer(limits: limits)
        let client = try server.connect(receiveBuffer: 4096)
        // Blocks it, then one short frame of each segment.
        var rounds = 0
        while server.on({ _, sockets in sockets[0].queuedBytes == 0 }), rounds < 4000 {
            broadcast(server, count: 1, size: 20_000)
            rounds += 1
        }
        let pinned = server.on { server, sockets in
            let encoder = BroadcastEncoder()
            for _ in 0..<500 {
                sockets[0].enqueue(encoder.encode([UInt8](repeating: 1, count: 50)), ephemeral: false)
                _ = encoder.encode([UInt8](repeating: 1, count: 60_000))
            }
            return sockets[0].output.pinnedBytes
        }
        #expect(pinned < 500_000)
        client.close()
    }

    // MARK: Streams

    private func streamServer(
        _ events: Lock<[String]>, _ streams: Lock<[LoopBound<WeakStream>]>, limits: ServerLimits = ServerLimits()
    ) throws -> ServerUnderTest {
        try ServerUnderTest(limits: limits) { _, responder in
            let loop = responder.connection.server.loop
            let stream = responder.stream(
                headers: ["content-type": "text/event-stream"], observer: EchoHandler(events))
            if let stream {
                let bound = LoopBound(WeakStream(stream: stream), loop: loop)
                streams.withLock { $0.append(bound) }
            }
        }
    }

    @Test func eventsAreSharedByChunkedAndPlainClients() throws {
        let events = Lock<[String]>([])
        let streams = Lock<[LoopBound<WeakStream>]>([])
        let server = try streamServer(events, streams)
        let new = try server.connect()
        try new.send(server.get("/"))
        let old = try server.connect()
        try old.send("GET / HTTP/1.0\r\nHost: 127.0.0.1:\(server.port)\r\n\r\n")
        try eventually("both are there") { streams.withLock { $0.count == 2 } }
        server.on { _ in
            let encoder = BroadcastEncoder()
            for number in 1...3 {
                let event = encoder.encodeEvent(
                    id: Array("\(number)".utf8), name: Array("e".utf8), data: Array("a\nb".utf8))
                for stream in streams.withLock({ $0 }) { stream.value.stream?.enqueue(event) }
            }
            for stream in streams.withLock({ $0 }) {
                stream.value.stream?.write(Array(": private\n\n".utf8))
                stream.value.stream?.finish()
                stream.value.stream?.write(Array("never".utf8))
            }
        }
        let expected =
            (1...3).map { "id: \($0)\nevent: e\ndata: a\ndata: b\n\n" }.joined() + ": private\n\n"
        let response = try #require(try new.response())
        #expect(response["Transfer-Encoding"] == "chunked")
        #expect(response["Connection"] == "close")
        #expect(response.text == expected)
        #expect(new.isEnded())
        let oldResponse = try #require(try old.response())
        #expect(oldResponse["Transfer-Encoding"] == nil)
        #expect(oldResponse.text == expected)
        new.close()
        old.close()
        try eventually("both are told") { events.withLock { $0.filter { $0.hasPrefix("closed") }.count == 2 } }
    }

    @Test func streamEndsWithItsClient() throws {
        let events = Lock<[String]>([])
        let streams = Lock<[LoopBound<WeakStream>]>([])
        let server = try streamServer(events, streams)
        let client = try server.connect()
        try client.send(server.get("/"))
        try eventually("it is there") { streams.withLock { $0.count == 1 } }
        client.close()
        try eventually("it is told") { events.withLock { $0 == ["closed -"] } }
        #expect(server.metrics.streamsOpen == 0)
    }

    @Test func headOfAStreamHasNoBody() throws {
        let events = Lock<[String]>([])
        let streams = Lock<[LoopBound<WeakStream>]>([])
        let server = try streamServer(events, streams)
        let client = try server.connect()
        try client.send(server.get("/", method: "HEAD"))
        #expect(try client.response(hasBody: false)?.status == 200)
        #expect(try client.takeAll().isEmpty)
    }

    @Test func slowStreamIsEvicted() throws {
        let events = Lock<[String]>([])
        let streams = Lock<[LoopBound<WeakStream>]>([])
        let server = try streamServer(events, streams, limits: Self.small)
        let client = try server.connect(receiveBuffer: 4096)
        try client.send(server.get("/"))
        try eventually("it is there") { streams.withLock { $0.count == 1 } }
        var rounds = 0
        while server.metrics.subscribersEvicted == 0, rounds < 4000 {
            server.on { _ in
                let event = BroadcastEncoder().encodeEvent(data: [UInt8](repeating: 0x61, count: 20_000))
                streams.withLock { $0[0] }.value.stream?.enqueue(event)
            }
            rounds += 1
        }
        #expect(events.withLock { $0.contains("evicted") })
        try eventually("it is gone", within: .seconds(3)) { server.connectionCount == 0 }
        client.close()
    }
}
