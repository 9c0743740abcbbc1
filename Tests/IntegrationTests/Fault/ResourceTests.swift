import Foundation
import JSON
import TestSupport
import Testing

/// The system has no more of something: descriptors, processes. What needs it is refused, the rest goes on, and nothing
/// has to be done when there is some again.
@Suite(.timeLimit(.minutes(10))) struct ResourceTests {
    @Test func withoutDescriptorsTheRestGoesOn() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("[[text:a]]", in: session)
        let client = try daemon.client("client")
        let other = try daemon.newSession()
        // Not one more than are open now.
        // Connections that have ended are closed by now, and what is open stays so.
        var open: Set<Int> = []
        try eventually("nothing is opened or closed any more") {
            let before = descriptors(daemon)
            usleep(300_000)
            open = descriptors(daemon)
            return open == before
        }
        try daemon.limit(.descriptors, to: (0...open.count).first { !open.contains($0) })
        // A client that is there works on.
        let accepted = try client.request("session:message", ["sessionId": JSON(session), "content": "[[text:b]]"])
        #expect(accepted["ok"] == true)
        _ = try client.frame { $0.kind == "turn_completed" && $0.session == session }
        // What needs one fails by name: no agent can be started.
        _ = try client.request("session:message", ["sessionId": JSON(other), "content": "x"])
        let failed = try client.frame { $0.kind == "turn_completed" && $0.session == other }
        #expect(failed["payload"]?["data"]?["status"] == "failed")
        // New connections are ended at once instead of left hanging, and the loop doesn't spin on them.
        let before = try processorTime(daemon.pid)
        for _ in 0..<5 {
            guard let connection = try? RawConnection(port: daemon.port) else { continue }
            try? connection.send("GET /health HTTP/1.1\r\nHost: \(daemon.authority)\r\n\r\n")
            #expect(connection.isEnded(within: .seconds(5)))
        }
        usleep(500_000)
        #expect(try processorTime(daemon.pid) - before < 0.4)
        let created = try client.request("session:create", ["providerId": "echo"])
        #expect(created["ok"] == false)
        #expect(created["error"]?["code"] == "log_unavailable")

        try daemon.limit(.descriptors, to: nil)
        try eventually("connections are taken") { (try? daemon.http("GET", "/health").status) == 200 }
        try daemon.call("POST", "/sessions/\(other)/retry", [:])
        try daemon.settle(other)
        #expect(try daemon.events(other).last { $0["kind"] == "turn_completed" }?["data"]?["status"] == "completed")
        #expect(try daemon.events(session).areNumbered(from: 1))
    }

    private func descriptors(_ daemon: TestDaemon) -> Set<Int> {
        let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(daemon.pid)/fd")
        return Set((names ?? []).compactMap { Int($0) })
    }

    /// Seconds of processor time.
    private func processorTime(_ pid: Int32) throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        return (Double(fields[12]) ?? 0) / 100 + (Double(fields[13]) ?? 0) / 100
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become another user, and root has no such limit"))
    func withoutProcessesTurnsFailAndCanBeTriedAgain() throws {
        let daemon = try TestDaemon()
        try daemon.runAs(user: 23_457)
        try daemon.start()
        let session = try daemon.newSession()
        try daemon.limit(.processes, to: 1)
        let events = try daemon.turn("[[text:a]]", in: session)
        let error = try #require(events.first("error"))
        #expect(error["data"]?["code"] == "provider_start_failed")
        #expect(error["data"]?["message"]?.stringValue?.contains("limit of processes") == true)
        #expect(error["data"]?["actions"]?.description.contains("retry") == true)
        #expect(events.last?["data"]?["status"] == "failed" || events.of("turn_completed").count == 1)
        try daemon.limit(.processes, to: nil)
        try daemon.call("POST", "/sessions/\(session)/retry", [:])
        try eventually("the turn is done", within: .seconds(20)) {
            agentText(try daemon.events(session)).contains("a")
        }
    }
}
