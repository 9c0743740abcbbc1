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

    @Test func anotherServerGoesOnWithWhatIsOpen() throws {
        func server(_ name: UInt8) throws -> ServerUnderTest {
            try ServerUnderTest { _, responder in
                responder.connection.server.loop.schedule(after: .milliseconds(100)) {
                    responder.respond(status: 200, body: [name])
                }
            }
        }
        let (first, second) = (try server(0x31), try server(0x32))
        let idle = try first.connect()
        let busy = try first.connect()
        try idle.send(first.get("/"))
        #expect(try idle.response()?.text == "1")
        try busy.send(first.get("/"))
        try eventually("it is being answered") { first.metrics.requests == 2 }
        let estate = Lock<HTTPServer.Estate?>(nil)
        first.on { server in
            server.prepareHandOver(grace: .seconds(5), farewell: .milliseconds(50)) {
                estate.withLock { $0 = server.release() }
            }
        }
        // Nobody accepts it now; it waits.
        let late = try first.connect()
        try late.send(first.get("/"))
        #expect(try busy.response()?.text == "1")
        try eventually("all is at rest") { estate.withLock { $0 != nil } }
        #expect(first.connectionCount == 0)
        let left = try #require(estate.withLock { $0 })
        // The first server's own are closed with it.
        let listening = left.listening.map { dup($0) }
        let adopted = second.on { server in
            listening.allSatisfy { (try? server.adopt(listening: $0)) != nil }
                && left.connections.count(where: { server.adopt(connection: $0) }) == 2
        }
        #expect(adopted)
        #expect(try late.response()?.text == "2")
        for connection in [idle, busy] {
            try connection.send(first.get("/"))
            #expect(try connection.response()?.text == "2")
        }
        // What is no connection of its listening sockets is none of its business.
        var pair: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        let (stranger, other) = (pair[0], pair[1])
        #expect(!second.on { $0.adopt(connection: stranger) })
        close(other)
    }

    /// An answer with an end of its own is never passed off as whole when it isn't.
    @Test func whatIsBeingDownloadedIsWaitedFor() throws {
        final class Download: SubscriberObserver {
            var endsByItself: Bool { true }
        }
        let server = try ServerUnderTest { _, responder in
            guard let stream = responder.stream(headers: [:], observer: Download()) else { return }
            stream.write(Array("part".utf8))
            stream.server.loop.schedule(after: .milliseconds(300)) {
                stream.write(Array("rest".utf8))
                stream.finish()
            }
        }
        let client = try server.connect()
        try client.send(server.get("/"))
        _ = try client.take(through: "part\r\n")
        server.on { $0.shutdown(grace: .seconds(5)) {} }
        #expect(
            try client.take(through: "0\r\n\r\n").map { String(decoding: $0, as: UTF8.self) }
                == "4\r\nrest\r\n0\r\n\r\n")
        #expect(client.isEnded())
    }
}
