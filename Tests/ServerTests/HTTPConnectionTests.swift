import Base
import EventLoop
import HTTP1
import TestSupport
import Testing

@testable import Server

@Suite struct HTTPConnectionTests {
    /// Answers with what it got.
    private static let mirror: ServerUnderTest.Handle = { request, responder in
        let text = "\(request.head.method) \(request.head.path) \(request.body.count)"
        responder.respond(status: 200, headers: ["content-type": "text/plain"], body: Array(text.utf8))
    }

    @Test func keepAliveServesOneRequestAfterTheOther() throws {
        let server = try ServerUnderTest(handle: Self.mirror)
        let client = try server.connect()
        for number in 0..<5 {
            try client.send(server.get("/\(number)"))
            let response = try #require(try client.response())
            #expect(response.status == 200)
            #expect(response.text == "GET /\(number) 0")
            #expect(response["Connection"] == nil)
            #expect(response["Date"]?.hasSuffix(" GMT") == true)
        }
        #expect(server.metrics.connectionsAccepted == 1)
        #expect(server.metrics.requests == 5)
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() throws {
        let server = try ServerUnderTest(handle: Self.mirror)
        let client = try server.connect()
        try client.send((0..<500).map { server.get("/\($0)") }.joined())
        for number in 0..<500 { #expect(try client.response()?.text == "GET /\(number) 0") }
    }

    @Test func laterAnswersKeepTheOrderOfPipelinedRequests() throws {
        // Each answer comes later than the next request, and each a little sooner than the one before.
        let server = try ServerUnderTest { request, responder in
            let path = request.head.path
            let number = Int(path.dropFirst()) ?? 0
            let connection = responder.connection
            connection.server.loop.schedule(after: .milliseconds(20 - 5 * number)) {
                responder.respond(status: 200, body: Array(path.utf8))
            }
        }
        let client = try server.connect()
        try client.send((0..<4).map { server.get("/\($0)") }.joined())
        for number in 0..<4 { #expect(try client.response()?.text == "/\(number)") }
    }

    @Test func secondAnswerAndAnswersAfterTheClientHasGoneAreIgnored() throws {
        let kept = Lock<[LoopBound<HTTPResponder>]>([])
        let server = try ServerUnderTest { request, responder in
            if request.head.path == "/twice" {
                responder.respond(status: 200, body: [0x61])
                responder.respond(status: 500, body: [0x62])
                #expect(!responder.isAwaited)
            } else {
                let bound = LoopBound(responder, loop: responder.connection.server.loop)
                kept.withLock { $0.append(bound) }
            }
        }
        let client = try server.connect()
        try client.send(server.get("/twice") + server.get("/later"))
        #expect(try client.response()?.text == "a")
        try eventually("the handler got it") { kept.withLock { $0.count == 1 } }
        client.reset()
        try eventually("the server noticed") { server.connectionCount == 0 }
        server.on { _ in
            let responder = kept.withLock { $0[0].value }
            #expect(!responder.isAwaited)
            responder.respond(status: 200)
            _ = responder.stream(headers: [:])
        }
    }

    @Test func bodiesArriveWholeHoweverTheyAreSent() throws {
        let server = try ServerUnderTest(handle: Self.mirror)
        let client = try server.connect()
        let head = "POST /b HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n"
        try client.send(head + "Content-Length: 100000\r\n\r\n")
        try client.send([UInt8](repeating: 1, count: 100_000))
        #expect(try client.response()?.text == "POST /b 100000")
        try client.send(head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n")
        #expect(try client.response()?.text == "POST /b 8")
        // Byte by byte.
        for byte in Array((head + "Content-Length: 3\r\n\r\nxyz").utf8) { try client.send([byte]) }
        #expect(try client.response()?.text == "POST /b 3")
    }

    @Test func expectContinueIsAnsweredBeforeTheBody() throws {
        let server = try ServerUnderTest(handle: Self.mirror)
        let client = try server.connect()
        try client.send(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        #expect(try client.response()?.status == 100)
        try client.send("ok")
        #expect(try client.response()?.text == "POST / 2")
    }

    @Test func headHasTheLengthAndNoBody() throws {
        let server = try ServerUnderTest(handle: Self.mirror)
        let client = try server.connect()
        try client.send(server.get("/x", method: "HEAD") + server.get("/y"))
        let response = try #require(try client.response(hasBody: false))
        #expect(response["Content-Length"] == "9")
        #expect(try client.response()?.text == "GET /y 0")
    }

    @Test func largeAnswersArriveWholeAtASlowClient() throws {
        let body = (0..<20_000_000).map { UInt8(truncatingIfNeeded: $0 >> 3) }
        let server = try ServerUnderTest { _, responder in responder.respond(status: 200, body: body) }
        let client = try server.connect(receiveBuffer: 8192)
        try client.send(server.get("/"))
        #expect(try client.response(within: .seconds(60))?.body == body)
    }

    @Test func clientThatPipelinesWithoutReadingIsHeldBack() throws {
        let body = [UInt8](repeating: 0x61, count: 100_000)
        let server = try ServerUnderTest { _, responder in responder.respond(status: 200, body: body) }
        let client = try server.connect(receiveBuffer: 8192)
        for _ in 0..<300 { try client.send(server.get("/")) }
        try eventually("the first requests were taken") { server.metrics.requests > 5 }
        usleepMilliseconds(100)
        // What the kernel's buffers hold is not known; far less than all has been answered.
        #expect(server.metrics.requests < 200)
        for _ in 0..<300 { #expect(try client.response(within: .seconds(60))?.body.count == 100_000) }
        #expect(server.metrics.requests == 300)
    }

    @Test func halfClosedClientGetsItsAnswers() throws {
        let server = try ServerUnderTest { request, responder in
            let path = request.head.path
            responder.connection.server.loop.schedule(after: .milliseconds(30)) {
                responder.respond(status: 200, body: Array(path.utf8))
            }
        }
        let client = try server.connect()
        try client.send(server.get("/1") + server.get("/2"))
        client.finishSending()
        #expect(try client.response()?.text == "/1")
        #expect(try client.response()?.text == "/2")
        #expect(client.isEnded())
        try eventually("it is closed") { server.connectionCount == 0 }
    }

    @Test func closeIsHonouredAndSaid() throws {
        let server = try ServerUnderTest(handle: Self.mirror)
        let client = try server.connect()
        try client.send(server.get("/", [("Connection", "close")]) + server.get("/never"))
        let response = try #require(try client.response())
        #expect(response["Connection"] == "close")
        #expect(client.isEnded())
        let old = try server.connect()
        try old.send("GET / HTTP/1.0\r\nHost: 127.0.0.1:\(server.port)\r\n\r\n")
        #expect(try old.response()?.status == 200)
        #expect(old.isEnded())
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        ("GARBAGE\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}", 400),
    ]) func malformedRequestsGetTheirStatusAndTheConnectionCloses(request: String, status: Int) throws {
        let server = try ServerUnderTest(handle: Self.mirror)
        let client = try server.connect()
        try client.send(request)
        let response = try #require(try client.response())
        #expect(response.status == status)
        #expect(response.errorCode?.isEmpty == false)
        #expect(response["Connection"] == "close")
        #expect(client.isEnded())
        #expect(server.metrics.requestsMalformed == 1)
    }

    @Test func limitsOfSizeHold() throws {
        var limits = ServerLimits()
        limits.http = HTTPLimits(startLineBytes: 100, headerBytes: 500, headerCount: 5, bodyBytes: 1000)
        let server = try ServerUnderTest(limits: limits, handle: Self.mirror)
        func status(_ request: String) throws -> Int? {
            let client = try server.connect()
            try client.send(request)
            return try client.response()?.status
        }
        #expect(try status(server.get("/" + String(repeating: "x", count: 200))) == 414)
        #expect(try status(server.get("/", [("a", String(repeating: "x", count: 600))])) == 431)
        #expect(try status(server.get("/", (0..<10).map { ("a\($0)", "b") })) == 431)
        #expect(try status(server.get("/", method: "POST", [("Content-Length", "1001")])) == 413)
        let chunked = server.get("/", method: "POST", [("Transfer-Encoding", "chunked")])
        #expect(try status(chunked + "400\r\n" + String(repeating: "x", count: 1024) + "\r\n0\r\n\r\n") == 413)
        #expect(try status(server.get("/", method: "POST", [("Content-Length", "0")])) == 200)
    }

    @Test func handlerThatSendsABadHeaderGivesA500() throws {
        let server = try ServerUnderTest { _, responder in
            responder.respond(status: 200, headers: ["x": "a\r\nSet-Cookie: evil"], body: [1])
        }
        let client = try server.connect()
        try client.send(server.get("/"))
        let response = try #require(try client.response())
        #expect(response.status == 500)
        #expect(response["Set-Cookie"] == nil)
    }

    @Test func connectionsAreLimited() throws {
        var limits = ServerLimits()
        limits.connections = 3
        let server = try ServerUnderTest(limits: limits, handle: Self.mirror)
        let clients = try (0..<3).map { _ in try server.connect() }
        try eventually("all are accepted") { server.connectionCount == 3 }
        let tooMany = try server.connect()
        let response = try #require(try tooMany.response())
        #expect(response.status == 503)
        #expect(response.errorCode == "too_many_connections")
        #expect(tooMany.isEnded())
        for client in clients { client.close() }
        try eventually("all are gone") { server.connectionCount == 0 }
        let again = try server.connect()
        try again.send(server.get("/"))
        #expect(try again.response()?.status == 200)
    }

    @Test(arguments: ["localhost", "127.0.0.1", "[::1]"]) func bothFamiliesAreServed(name: String) throws {
        let isIPv6 = name == "[::1]"
        let server = try ServerUnderTest(host: isIPv6 ? "::1" : "127.0.0.1", handle: Self.mirror)
        let client = try RawConnection(port: server.port, host: isIPv6 ? "::1" : "127.0.0.1")
        try client.send(server.get("/", host: "\(name):\(server.port)"))
        #expect(try client.response()?.status == 200)
    }
}
