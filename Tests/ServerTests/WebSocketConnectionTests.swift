import Base
import EventLoop
import HTTP1
import TestSupport
import Testing
import WebSocket

@testable import Server

/// Echoes, and keeps what it is told.
final class EchoHandler: WebSocketHandler {
    let events: Lock<[String]>
    var notice: [UInt8]?

    init(_ events: Lock<[String]>) {
        self.events = events
    }

    private func note(_ text: String) { events.withLock { $0.append(text) } }

    func webSocket(_ connection: WebSocketConnection, received text: [UInt8]) {
        if text == Array("close".utf8) {
            connection.close(.policyViolation, reason: "as asked")
            connection.send(Array("never".utf8))
        } else {
            connection.send(text)
        }
    }

    func subscriberIsSlow(_ subscriber: Subscriber, queued: Int, limit: Int) {
        note("slow")
        (subscriber as? WebSocketConnection)?.send(Array(#"{"type":"client:slow"}"#.utf8))
    }

    func subscriberEvictionNotice(_ subscriber: Subscriber) -> [UInt8]? {
        note("evicted")
        return notice
    }

    func subscriberDidDrain(_ subscriber: Subscriber) { note("drained") }

    func subscriberDidClose(_ subscriber: Subscriber) {
        note("closed \((subscriber as? WebSocketConnection)?.closeCode?.description ?? "-")")
    }
}

/// A server whose `/ws` is a WebSocket.
struct WebSocketServer {
    let server: ServerUnderTest
    let events: Lock<[String]>
    private let sockets: Lock<[LoopBound<WeakSocket>]>

    /// The handler's closure has the list and must not keep alive what in turn keeps the handler alive.
    private struct WeakSocket {
        weak var socket: WebSocketConnection?
    }

    init(
        limits: ServerLimits = ServerLimits(), settings: WebSocketSettings = WebSocketSettings(),
        notice: String? = nil, isLate: Bool = false
    ) throws {
        let events = Lock<[String]>([])
        let sockets = Lock<[LoopBound<WeakSocket>]>([])
        self.events = events
        self.sockets = sockets
        server = try ServerUnderTest(limits: limits) { _, responder in
            let loop = responder.connection.server.loop
            func accept() {
                let handler = EchoHandler(events)
                handler.notice = notice.map { Array($0.utf8) }
                guard let socket = responder.acceptWebSocket(handler, settings: settings) else { return }
                let bound = LoopBound(WeakSocket(socket: socket), loop: loop)
                sockets.withLock { $0.append(bound) }
                socket.send(Array("welcome".utf8))
            }
            if isLate { loop.schedule(after: .milliseconds(30)) { accept() } } else { accept() }
        }
    }

    func connect(_ headers: [(String, String)] = [], receiveBuffer: Int32? = nil) throws -> RawWebSocket {
        let client = try RawWebSocket(port: server.port, path: "/ws", headers: headers, receiveBuffer: receiveBuffer)
        guard try client.receive() == .text(Array("welcome".utf8)) else { throw TestFailure("no welcome") }
        return client
    }

    func on<R: Sendable>(_ body: @escaping @Sendable (HTTPServer, [WebSocketConnection]) -> R) -> R {
        let sockets = sockets
        return server.on { server in body(server, sockets.withLock { $0.compactMap(\.value.socket) }) }
    }
}

@Suite struct WebSocketConnectionTests {
    @Test(arguments: [false, true]) func messagesAreEchoed(isLate: Bool) throws {
        let server = try WebSocketServer(isLate: isLate)
        let client = try server.connect()
        for size in [0, 1, 125, 126, 65_535, 65_536, 1_000_000] {
            let payload = [UInt8](repeating: 0x61, count: size)
            try client.send(opcode: 1, payload)
            #expect(try client.receive() == .text(payload))
        }
        #expect(server.server.metrics.webSocketsOpen == 1)
    }

    @Test(arguments: [false, true]) func framesRightBehindTheUpgradeAreNotLost(isLate: Bool) throws {
        let server = try WebSocketServer(isLate: isLate)
        let client = try server.server.connect()
        let upgrade = server.server.get(
            "/ws",
            [
                ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ])
        // "Hi" masked with zeroes.
        try client.send(Array(upgrade.utf8) + [0x81, 0x82, 0, 0, 0, 0, 0x48, 0x69])
        #expect(try client.response(hasBody: false)?.status == 101)
        #expect(try client.take(9) == [0x81, 7] + Array("welcome".utf8))
        #expect(try client.take(4) == [0x81, 2, 0x48, 0x69])
    }

    @Test func manySmallPiecesAndFragments() throws {
        let server = try WebSocketServer()
        let client = try server.connect()
        for _ in 0..<50 {
            try client.send(opcode: 1, Array("a".utf8), isFinal: false)
            try client.send(opcode: 9, Array("p".utf8))
            try client.send(opcode: 0, Array("b".utf8), isFinal: true)
            #expect(try client.receive() == .pong(Array("p".utf8)))
            #expect(try client.receive() == .text(Array("ab".utf8)))
        }
        for byte in [0x81, 0x85, 1, 2, 3, 4, 0x69, 0x67, 0x6f, 0x68, 0x6e] as [UInt8] {
            try client.connection.send([byte])
            usleepMilliseconds(2)
        }
        #expect(try client.receive() == .text(Array("hello".utf8)))
    }

    @Test func closingHandshakeOfTheClient() throws {
        let server = try WebSocketServer()
        let client = try server.connect()
        try client.send(opcode: 8, [0x03, 0xe8])
        #expect(try client.receive() == .close(code: 1000, reason: ""))
        // The server ends the connection first (RFC 6455 section 7.1.1).
        #expect(client.connection.isEnded())
        client.close()
        try eventually("it is told") { server.events.withLock { $0 == ["closed 1000"] } }
        #expect(server.server.connectionCount == 0)
    }

    @Test func closingHandshakeOfTheServer() throws {
        let server = try WebSocketServer()
        let client = try server.connect()
        try client.send(text: "close")
        #expect(try client.receive() == .close(code: 1008, reason: "as asked"))
        try client.send(opcode: 8, [0x03, 0xf0])
        #expect(try client.receive() == .ended)
        client.close()
        try eventually("it is told") { server.events.withLock { $0 == ["closed 1008"] } }
    }

    @Test func peerThatDoesNotAnswerACloseIsCutOff() throws {
        var limits = ServerLimits()
        limits.closeTime = .milliseconds(100)
        let server = try WebSocketServer(limits: limits)
        let client = try server.connect()
        try client.send(text: "close")
        #expect(try client.receive() == .close(code: 1008, reason: "as asked"))
        try eventually("it is cut off", within: .seconds(3)) { server.server.connectionCount == 0 }
    }

    @Test(
        arguments: [
            (0x83, [], true, 1002), (0xf1, [], true, 1002), (0x81, [0xff], true, 1007), (0x81, [0x61], false, 1002),
            (0x88, [0x03, 0xec], true, 1002), (0x80, [0x61], true, 1002), (0x82, [0x61], true, 1003),
        ] as [(UInt8, [UInt8], Bool, Int)])
    func violationsCloseWithTheirCode(first: UInt8, payload: [UInt8], isMasked: Bool, code: Int) throws {
        let server = try WebSocketServer()
        let client = try server.connect()
        var frame: [UInt8] = [first, UInt8(payload.count) | (isMasked ? 0x80 : 0)]
        if isMasked { frame += [0, 0, 0, 0] }
        try client.connection.send(frame + payload)
        guard case .close(let got, _) = try client.receive() else {
            Issue.record("no close frame")
            return
        }
        #expect(got == code)
        if code == 1003 { try client.send(opcode: 8, [0x03, 0xeb]) }
        #expect(client.connection.isEnded())
    }

    @Test func tooLargeMessagesAre1009() throws {
        let server = try WebSocketServer()
        let client = try server.connect()
        try client.connection.send([0x81, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0])
        guard case .close(let code, _) = try client.receive() else {
            Issue.record("no close frame")
            return
        }
        #expect(code == 1009)
    }

    @Test func lostConnectionsAreTold() throws {
        let server = try WebSocketServer()
        let reset = try server.connect()
        reset.connection.reset()
        try eventually("the reset is told") { server.events.withLock { $0 == ["closed -"] } }
        let ended = try server.connect()
        ended.connection.finishSending()
        #expect(ended.connection.isEnded())
        try eventually("the end is told") { server.events.withLock { $0.count == 2 } }
        #expect(server.server.connectionCount == 0)
    }

    @Test func silentPeersArePingedAndGivenUp() throws {
        var limits = ServerLimits()
        limits.pingInterval = .milliseconds(100)
        let server = try WebSocketServer(limits: limits)
        let silent = try server.connect()
        silent.answersPings = false
        let alive = try server.connect()
        server.on { server, sockets in
            _ = server.loop.schedule(after: .milliseconds(700)) { sockets[1].send(Array("still here".utf8)) }
        }
        // Answers pings until then.
        #expect(try alive.receive() == .text(Array("still here".utf8)))
        // Those that were sent are still there, then the reset.
        #expect(try silent.receive(within: .seconds(3)) == .ended)
        #expect(server.server.connectionCount == 1)
        #expect(server.server.metrics.peersLost == 1)
    }

    @Test(
        arguments: [
            ([], 426), ([("Upgrade", "websocket")], 426),
            ([("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "12")], 426),
            ([("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")], 400),
        ] as [([(String, String)], Int)]) func badUpgradesAreAnswered(headers: [(String, String)], status: Int) throws
    {
        let server = try WebSocketServer()
        let client = try server.server.connect()
        try client.send(server.server.get("/ws", headers))
        let response = try #require(try client.response())
        #expect(response.status == status)
        #expect(response.errorCode?.isEmpty == false)
        #expect(response["Sec-WebSocket-Version"] == (status == 426 ? "13" : nil))
        // The connection goes on.
        try client.send(server.server.get("/ws", headers))
        #expect(try client.response()?.status == status)
    }

    @Test func compressedMessagesBothWays() throws {
        let server = try WebSocketServer()
        let client = try server.server.connect()
        try client.send(
            server.server.get(
                "/ws",
                [
                    ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
                    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                    ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
                ]))
        let response = try #require(try client.response(hasBody: false))
        let answer = try #require(response["Sec-WebSocket-Extensions"])
        #expect(answer.contains("server_no_context_takeover"))
        #expect(answer.contains("client_no_context_takeover"))
        let agreement = try #require(PerMessageDeflate.negotiate(offers: ["permessage-deflate"]))
        var assembler = WebSocketMessageAssembler(role: .client, compression: agreement)
        func receive() throws -> [UInt8] {
            while true {
                let byte = try #require(try client.take(1))
                let event = try byte.withUnsafeBytes { bytes -> WebSocketMessageAssembler.Event? in
                    var input = bytes
                    return try assembler.next(&input)
                }
                if case .text(let text)? = event { return text }
            }
        }
        #expect(try receive() == Array("welcome".utf8))
        let deflater = Deflater()
        for size in [10, 600, 50_000] {
            let payload = [UInt8](repeating: 0x62, count: size)
            var frame: [UInt8] = []
            WebSocketFrameEncoder.writeMessage(
                opcode: .text, payload: payload, deflater: deflater, threshold: 1, maskKey: 0x0102_0304, into: &frame)
            try client.send(frame)
            #expect(try receive() == payload)
        }
        let before = server.server.metrics.bytesSent
        let many = server.on { _, sockets in
            let encoder = BroadcastEncoder()
            let frame = encoder.encode([UInt8](repeating: 0x63, count: 10_000), [UInt8](repeating: 0x64, count: 10_000))
            for socket in sockets { socket.enqueue(frame, ephemeral: false) }
            return frame.deflated?.count ?? -1
        }
        #expect((1..<1000).contains(many))
        #expect(try receive().count == 20_000)
        #expect(server.server.metrics.bytesSent - before == many)
    }
}
