import Base
import EventLoop
import Glibc
import HTTP1
import TestSupport
import Testing

@testable import Server

@Suite struct LifecycleTests {
    private static let answer: ServerUnderTest.Handle = { _, responder in responder.respond(status: 200, body: [0x61]) }

    private func descriptors() -> Int {
        guard let directory = opendir("/proc/self/fd") else { return -1 }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        return count
    }

    private func residentBytes() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return -1 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        fgets(&line, 128, file)
        let fields = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            .split(separator: " ")
        return (Int(fields[1]) ?? 0) * Int(getpagesize())
    }

    @Test func tenThousandConnectionsLeaveNothingBehind() throws {
        let server = try WebSocketServer()
        let before = (descriptors(), residentBytes())
        for number in 0..<10_000 {
            let client = try server.server.connect()
            switch number % 4 {
            case 0: client.reset()
            case 1:
                try client.send("GET /ws HT")
                client.close()
            case 2:
                try client.send(server.server.get("/ws"))
                #expect(try client.response()?.status == 426)
                client.close()
            default:
                let socket = try server.connect()
                if number % 8 == 3 { socket.connection.reset() } else { socket.close() }
                client.close()
            }
        }
        try eventually("all are gone", within: .seconds(20)) { server.server.connectionCount == 0 }
        let after = (descriptors(), residentBytes())
        print(
            "10,000 connections: descriptors \(before.0) -> \(after.0), memory \(before.1 >> 10) -> \(after.1 >> 10) KiB"
        )
        // Other suites run beside this one.
        #expect(after.0 < before.0 + 200)
        #expect(server.server.metrics.webSocketsOpen == 0)
        #expect(server.events.withLock { $0.count } == 2500)
    }

    @Test func shutdownAnswersWhatIsUnderWayAndClosesTheRest() throws {
        let server = try ServerUnderTest { request, responder in
            responder.connection.server.loop.schedule(after: .milliseconds(100)) { responder.respond(status: 200) }
        }
        let idle = try server.connect()
        let busy = try server.connect()
        try busy.send(server.get("/"))
        try eventually("both are there") { server.connectionCount == 2 && server.metrics.requests == 1 }
        let done = Lock(false)
        server.on { server in server.shutdown(grace: .seconds(5)) { done.withLock { $0 = true } } }
        #expect(idle.isEnded())
        let response = try #require(try busy.response())
        #expect(response.status == 200)
        #expect(response["Connection"] == "close")
        #expect(busy.isEnded())
        idle.close()
        busy.close()
        try eventually("it is told") { done.withLock { $0 } }
        #expect(throws: (any Error).self) { try server.connect() }
    }

    @Test func shutdownTellsWebSocketsAndHasAnEnd() throws {
        let server = try WebSocketServer()
        let polite = try server.connect()
        let deaf = try server.connect()
        let done = Lock(false)
        server.server.on { server in server.shutdown(grace: .milliseconds(300)) { done.withLock { $0 = true } } }
        #expect(try polite.receive() == .close(code: 1001, reason: "the server is shutting down"))
        try polite.send(opcode: 8, [0x03, 0xe9])
        try eventually("it is told", within: .seconds(3)) { done.withLock { $0 } }
        #expect(server.server.connectionCount == 0)
        deaf.close()
        try eventually("the handlers are told") { server.events.withLock { $0.count == 2 } }
    }

}
