import Foundation
import JSON
import TestSupport
import Testing

/// Very many connections, and such that do nothing, half of it, or too little: each costs its share and no more, and whoever
/// behaves doesn't notice.
@Suite(.timeLimit(.minutes(10)), .serialized) struct CrowdTests {
    /// As many sockets as this process may have, up to those wanted.
    private func raiseOwnLimit(to wanted: Int) -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)
        limit.rlim_cur = min(limit.rlim_max, max(limit.rlim_cur, UInt(wanted + 2000)))
        setrlimit(__rlimit_resource_t(7), &limit)
        return min(wanted, Int(limit.rlim_cur) - 2000)
    }

    @Test func tenThousandAtOnce() throws {
        let wanted = environmentNumber("CROWD", default: 10_000)
        let count = raiseOwnLimit(to: wanted)
        if count < wanted { print("crowd test: this machine allows \(count) connections instead of \(wanted)") }
        #expect(count >= 500)
        let daemon = try TestDaemon.running(configuration: ["limits": ["maxClients": JSON(count + 10)]])
        let before = ProcessTable.residentBytes(of: daemon.pid)
        let started = ContinuousClock.now
        // A quarter each: WebSockets, kept-alive HTTP, silent ones, half-sent requests.
        var sockets: [RawWebSocket] = []
        var others: [RawConnection] = []
        for index in 0..<count {
            if index % 4 == 0 {
                sockets.append(try daemon.webSocket())
                continue
            }
            let connection = try RawConnection(port: daemon.port)
            if index % 4 == 1 {
                try connection.send("GET /health HTTP/1.1\r\nHost: \(daemon.authority)\r\n\r\n")
            } else if index % 4 == 2 {
                try connection.send("GET /health HTT")
            }
            others.append(connection)
        }
        let connected = ContinuousClock.now - started
        let session = try daemon.newSession()
        let asked = ContinuousClock.now
        #expect(agentText(try daemon.turn("[[text:in the crowd]]", in: session)) == "in the crowd")
        let turn = ContinuousClock.now - asked
        #expect(try daemon.http("GET", "/health").json["clients"]?.intValue == sockets.count)
        let grown = ProcessTable.residentBytes(of: daemon.pid) - before
        // Each of those that listen hears of it.
        for socket in sockets.prefix(20) + sockets.suffix(20) {
            _ = try socket.frame(within: .seconds(20)) { $0.kind == "turn_completed" }
        }
        print(
            "crowd test: \(count) connections in \(connected), a turn among them \(turn), "
                + "the daemon grew by \(grown >> 20) MiB, \(grown / max(1, count)) bytes each")
        #expect(grown < 400 << 20)
        for socket in sockets { socket.close() }
        for connection in others { connection.close() }
        try eventually("all are gone", within: .seconds(30)) {
            ProcessTable.openDescriptors(of: daemon.pid) < 100
        }
    }

    /// More than are allowed: the rest is told 503, and room is made by those who say nothing.
    @Test func moreThanAllowed() throws {
        _ = raiseOwnLimit(to: 3000)
        let daemon = try TestDaemon.running(configuration: [
            "limits": ["maxClients": 1], "server": ["firstByteSeconds": 1],
        ])
        var silent: [RawConnection] = []
        for _ in 0..<1026 { silent.append(try RawConnection(port: daemon.port)) }
        let refused = try RawConnection(port: daemon.port)
        try refused.send("GET /health HTTP/1.1\r\nHost: \(daemon.authority)\r\n\r\n")
        let answer = try refused.response()
        #expect(answer == nil || answer?.status == 503)
        try eventually("the silent ones are closed") { (try? daemon.http("GET", "/health").status) == 200 }
    }

    /// Slow in every part of a request, and of a frame. The limits are seconds here, so that a busy machine is no fault.
    @Test func slowSendersAreGivenUp() throws {
        let daemon = try TestDaemon.running(configuration: [
            "server": ["firstByteSeconds": 1, "requestSeconds": 2, "idleSeconds": 1], "stream": ["pingSeconds": 1],
        ])
        let session = try daemon.newSession()
        let head = "POST /api/v1/sessions HTTP/1.1\r\nHost: \(daemon.authority)\r\n"
        let slow: [(name: String, first: String, next: String)] = [
            ("silent", "", ""), ("header", "GET /hea", "l"), ("header fields", head + "A: ", "b"),
            ("body", head + "Content-Length: 100000\r\n\r\n", " "),
            ("chunks", head + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"),
            ("idle", "GET /health HTTP/1.1\r\nHost: \(daemon.authority)\r\n\r\n", ""),
        ]
        let senders = try slow.map { name, first, next -> (String, Later<Bool>) in
            let connection = Unchecked(try RawConnection(port: daemon.port))
            try connection.value.send(first)
            return (
                name,
                Later {
                    let deadline = ContinuousClock.now + .seconds(20)
                    while ContinuousClock.now < deadline {
                        if (try? connection.value.takeAll(within: .milliseconds(100))) != nil { return true }
                        if !next.isEmpty, (try? connection.value.send(next)) == nil { return true }
                    }
                    return false
                }
            )
        }
        // A frame that never ends: its sender answers no ping either.
        let half = try daemon.client("half")
        half.answersPings = false
        try half.connection.send([0x81, 0xfe, 0x10, 0x00, 1, 2, 3, 4, 5])
        // One half open: it will never hear, and never say, anything.
        let dead = try daemon.client("half open")
        dead.connection.finishSending()
        // Everybody else is served meanwhile.
        #expect(agentText(try daemon.turn("[[text:meanwhile]]", in: session)) == "meanwhile")
        for (name, sender) in senders {
            #expect(sender.value(within: 25) == true, Comment(rawValue: name))
        }
        try eventually("the streams are given up", within: .seconds(20)) {
            try daemon.http("GET", "/health").json["clients"] == 0
        }
    }

    /// It asks for much and takes nothing: given up when nothing has moved for long, and until then bounded.
    @Test func aReaderThatNeverReadsHoldsLittle() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("[[large:4000000]]", in: session)
        let before = ProcessTable.residentBytes(of: daemon.pid)
        var readers: [RawConnection] = []
        for _ in 0..<20 {
            let connection = try RawConnection(port: daemon.port, receiveBuffer: 4096)
            let request = "GET /api/v1/sessions/\(session)/events HTTP/1.1\r\nHost: \(daemon.authority)\r\n\r\n"
            // As many at once as go out; the daemon stops reading when its answers aren't taken.
            try connection.send(String(repeating: request, count: 50))
            readers.append(connection)
        }
        usleep(500_000)
        let grown = ProcessTable.residentBytes(of: daemon.pid) - before
        print("crowd test: 20 readers that never read, 1000 answers of 4 MB asked for: \(grown >> 20) MiB")
        #expect(grown < 400 << 20)
        #expect(try daemon.http("GET", "/health").status == 200)
    }
}

/// For one thread at a time.
struct Unchecked<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}
