import Foundation
import JSON
import TestSupport
import Testing

/// Connections come and go by the thousand; nothing of them stays.
@Suite(.timeLimit(.minutes(10))) struct LeakTests {
    @Test func connectionsLeaveNothingBehind() throws {
        let cycles = environmentNumber("CHURN_CYCLES", default: 10_000)
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("[[text:something to show]]", in: session)
        let pid = daemon.pid
        try churn(daemon, session, cycles: min(1000, cycles), seed: 1)
        try rest(daemon)
        try waitForIndex(of: daemon)
        let before = Figures(pid)
        let start = ContinuousClock.now
        try churn(daemon, session, cycles: cycles, seed: 2)
        try rest(daemon)
        try eventually("descriptors are closed: \(before) then \(Figures(pid))", within: .seconds(15)) {
            Figures(pid).descriptors <= before.descriptors
        }
        let after = Figures(pid)
        print("leak test: \(cycles) cycles in \(ContinuousClock.now - start): before \(before), after \(after)")
        #expect(daemon.pid == pid)
        #expect(after.processes <= before.processes)
        // The allocator keeps some of what it once had; a leak of even 1 KB a cycle would be 10 MB.
        #expect(after.resident - before.resident < 6 << 20)
    }

    @Test func sessionsLeaveNothingBehind() throws {
        let daemon = try TestDaemon.running()
        func cycle(_ count: Int) throws {
            for _ in 0..<count {
                let session = try daemon.newSession()
                try daemon.turn("[[text:a]]", in: session)
                _ = try daemon.http("DELETE", "/api/v1/sessions/\(session)")
            }
            try eventually("the agents end", within: .seconds(30)) { daemon.children.isEmpty }
        }
        try cycle(10)
        try waitForIndex(of: daemon)
        let before = Figures(daemon.pid)
        try cycle(60)
        try eventually("descriptors are closed: \(before) then \(Figures(daemon.pid))", within: .seconds(15)) {
            Figures(daemon.pid).descriptors <= before.descriptors
        }
        let after = Figures(daemon.pid)
        print("leak test: 60 sessions: before \(before), after \(after)")
        #expect(after.resident - before.resident < 6 << 20)
    }

    /// The index opens its files some time after the start.
    private func waitForIndex(of daemon: TestDaemon) throws {
        try eventually("the index is there", within: .seconds(30)) {
            let answer = try daemon.http("GET", "/api/v1/search?q=a")
            return answer.status == 200 && answer.json["indexing"] == nil
        }
    }

    struct Figures: CustomStringConvertible {
        var descriptors: Int
        var processes: Int
        var resident: Int
        var description: String { "\(descriptors) descriptors, \(processes) children, \(resident >> 10) KiB" }

        init(_ pid: Int32) {
            descriptors = ProcessTable.openDescriptors(of: pid)
            processes = ProcessTable.descendants(of: pid).count
            resident = ProcessTable.residentBytes(of: pid)
        }
    }

    private func rest(_ daemon: TestDaemon) throws {
        try eventually("all clients are counted out", within: .seconds(15)) {
            try daemon.http("GET", "/health").json["clients"] == 0
        }
        usleep(200_000)
    }

    private func churn(_ daemon: TestDaemon, _ session: String, cycles: Int, seed: UInt64) throws {
        let workers = (0..<4).map { index in
            Later { () -> String? in
                var random = SeededGenerator(seed: seed * 100 + UInt64(index))
                do {
                    for _ in 0..<cycles / 4 { try connectOnce(daemon, session, &random) }
                    return nil
                } catch { return "\(error)" }
            }
        }
        for worker in workers {
            let outcome = try #require(worker.value(within: 300), "a worker doesn't end")
            #expect(outcome == nil)
        }
    }

    /// One of the ways in which a connection is made and ended.
    private func connectOnce(_ daemon: TestDaemon, _ session: String, _ random: inout SeededGenerator) throws {
        switch Int.random(in: 0..<10, using: &random) {
        case 0:
            // Says nothing at all.
            try RawConnection(port: daemon.port).close()
        case 1:
            let connection = try RawConnection(port: daemon.port)
            try connection.send("GET /health HTTP/1.1\r\nHost: ")
            connection.reset()
        case 2, 3, 4:
            guard try daemon.http("GET", "/health").status == 200 else { throw TestFailure("no health") }
        case 5:
            let connection = try RawConnection(port: daemon.port)
            try connection.send(
                "GET /api/v1/sessions/\(session)/events HTTP/1.1\r\nHost: \(daemon.authority)\r\nAccept: text/event-stream\r\n\r\n"
            )
            guard try connection.take(through: "\n\n") != nil else { throw TestFailure("no event") }
        case 6:
            let socket = try daemon.webSocket()
            _ = try socket.frame()
            try socket.send(opcode: 8, [0x03, 0xe8])
            guard socket.connection.isEnded() else { throw TestFailure("the close isn't answered") }
        case 7:
            let socket = try daemon.client("churn", resume: [session: 0])
            _ = try socket.frame(type: "sync:complete")
            socket.connection.reset()
        default:
            let socket = try daemon.client("churn")
            socket.close()
        }
    }
}
