import Base
import EventLoop
import HTTP1
import TestSupport
import Testing

@testable import Server

func usleepMilliseconds(_ count: UInt32) {
    try? eventually("time passes", within: .milliseconds(Int(count))) { false }
}

@Suite struct TimeoutTests {
    private static let answer: ServerUnderTest.Handle = { _, responder in responder.respond(status: 200, body: [0x61]) }

    private static var quick: ServerLimits {
        var limits = ServerLimits()
        limits.headerTime = .milliseconds(200)
        limits.bodyTime = .milliseconds(200)
        limits.idleTime = .milliseconds(300)
        limits.writeStallTime = .milliseconds(300)
        limits.closeTime = .milliseconds(200)
        return limits
    }

    @Test func silentConnectionIsClosed() throws {
        let server = try ServerUnderTest(limits: Self.quick, handle: Self.answer)
        let client = try server.connect()
        #expect(client.isEnded(within: .seconds(3)))
        #expect(server.metrics.connectionsTimedOut == 1)
    }

    @Test func slowHeaderIs408HoweverBusyTheClientLooks() throws {
        let server = try ServerUnderTest(limits: Self.quick, handle: Self.answer)
        let client = try server.connect()
        try client.send("GET / HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n")
        // Slowloris: a little more, again and again.
        for _ in 0..<10 {
            usleepMilliseconds(40)
            do { try client.send("X-A: b\r\n") } catch { break }
        }
        let response = try #require(try client.response(within: .seconds(3)))
        #expect(response.status == 408)
        #expect(response.errorCode == "header_timeout")
        #expect(client.isEnded())
    }

    @Test func slowBodyIs408() throws {
        let server = try ServerUnderTest(limits: Self.quick, handle: Self.answer)
        let client = try server.connect()
        try client.send(server.get("/", method: "POST", [("Content-Length", "100")]) + "abc")
        let response = try #require(try client.response(within: .seconds(3)))
        #expect(response.status == 408)
        #expect(response.errorCode == "body_timeout")
    }

    @Test func idleConnectionIsClosedAfterItsAnswer() throws {
        let server = try ServerUnderTest(limits: Self.quick, handle: Self.answer)
        let client = try server.connect()
        // Within the idle time it goes on.
        for _ in 0..<3 {
            try client.send(server.get("/"))
            #expect(try client.response()?.status == 200)
            usleepMilliseconds(100)
        }
        #expect(client.isEnded(within: .seconds(3)))
        #expect(server.connectionCount == 0)
    }

    @Test func slowHandlerIsNotATimeout() throws {
        let server = try ServerUnderTest(limits: Self.quick) { _, responder in
            responder.connection.server.loop.schedule(after: .milliseconds(900)) { responder.respond(status: 200) }
        }
        let client = try server.connect()
        try client.send(server.get("/"))
        #expect(try client.response()?.status == 200)
    }

    @Test func clientThatStopsReadingIsReset() throws {
        let body = [UInt8](repeating: 0, count: 30_000_000)
        let server = try ServerUnderTest(limits: Self.quick) { _, responder in
            responder.respond(status: 200, body: body)
        }
        let client = try server.connect(receiveBuffer: 4096)
        try client.send(server.get("/"))
        try eventually("it is given up", within: .seconds(5)) { server.connectionCount == 0 }
        #expect(server.metrics.connectionsTimedOut == 1)
        client.close()
    }

    @Test func clientThatNeverClosesIsCutOffAfterTheLastAnswer() throws {
        let server = try ServerUnderTest(limits: Self.quick, handle: Self.answer)
        let client = try server.connect()
        try client.send(server.get("/", [("Connection", "close")]))
        #expect(try client.response()?.status == 200)
        try eventually("it is cut off", within: .seconds(3)) { server.connectionCount == 0 }
    }

    @Test func slowlorisDoesNotKeepOthersWaiting() throws {
        let server = try ServerUnderTest(handle: Self.answer)
        let slow = try (0..<200).map { _ in
            let client = try server.connect()
            try client.send("GET / HTTP/1.1\r\nX-Slow: ")
            return client
        }
        let client = try server.connect()
        let start = monotonicNanoseconds()
        for _ in 0..<50 {
            try client.send(server.get("/"))
            #expect(try client.response()?.status == 200)
        }
        #expect(monotonicNanoseconds() - start < 2_000_000_000)
        for client in slow { client.close() }
    }
}
