import Foundation
import JSON
import TestSupport
import Testing

/// The disk is full, or may not be written: clients are told, nothing is lost, and it goes on when that ends.
@Suite(.timeLimit(.minutes(10))) struct DiskTests {
    private func mount(_ arguments: String...) throws -> Bool {
        try TestSupport.run("/usr/bin/mount", arguments).code == 0
    }

    private func fill(_ daemon: TestDaemon, _ session: String) throws {
        // The log stands at some size: not one byte more.
        let size =
            try FileManager.default.attributesOfItem(
                atPath: daemon.home + "/sessions/\(session).jsonl")[.size] as? Int
        try daemon.limit(.fileSize, to: size)
    }

    @Test func aFullDiskIsToldAndNothingIsLost() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.call("POST", "/sessions/\(session)/pause")
        let client = try daemon.client("client")
        try fill(daemon, session)
        // The first finds out; it is not told that it failed, because it may yet be kept.
        let started = ContinuousClock.now
        let first = try daemon.http(
            "POST", "/api/v1/sessions/\(session)/messages", ["content": "first", "clientMessageId": "m1"])
        let waited = ContinuousClock.now - started
        #expect(first.status == 503)
        #expect(first.errorCode == "outcome_pending")
        #expect(waited < .seconds(8))
        #expect(try client.frame(type: "session:error")["payload"]?["code"] == "log_unavailable")
        // Those after it change nothing and are told so at once.
        for _ in 0..<3 {
            let next = try daemon.http(
                "POST", "/api/v1/sessions/\(session)/messages", ["content": "next", "clientMessageId": "m2"])
            #expect(next.status == 503)
            #expect(next.errorCode == "log_unavailable")
        }
        // By the stream as by HTTP; reading goes on.
        let refused = try client.request("session:message", ["sessionId": JSON(session), "content": "x"])
        #expect(refused["error"]?["code"] == "log_unavailable")
        let before = try daemon.events(session)
        #expect(!before.contains { $0["data"]?["clientMessageId"] == "m1" })
        #expect(try daemon.http("GET", "/health").status == 200)

        try daemon.limit(.fileSize, to: nil)
        _ = try client.frame(type: "session:message")
        // Asked again with the same id it is the same message.
        let again = try daemon.call(
            "POST", "/sessions/\(session)/messages", ["content": "first", "clientMessageId": "m1"])
        #expect(again["duplicate"] == true)
        try daemon.say("second", in: session, id: "m2")
        let after = try daemon.events(session)
        #expect(after.areNumbered(from: 1))
        #expect(after.compactMap { $0["data"]?["clientMessageId"]?.stringValue } == ["m1", "m2"])
        #expect(try daemon.sessionLog(session).dropFirst().map { $0 } == after)
        try daemon.restart()
        #expect(try daemon.events(session).prefix(after.count) == after[...])
    }

    /// A turn that runs: the agent's words wait in memory, and go on.
    @Test func aTurnOutlivesAFullDisk() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("[[text:a]]", in: session)
        try daemon.say(String(repeating: "[[tool:Bash {}]][[stall:0.1]]", count: 20), in: session)
        usleep(300_000)
        try fill(daemon, session)
        usleep(500_000)
        // Nothing can be made either.
        #expect(try [201, 503].contains(daemon.http("POST", "/api/v1/sessions", ["providerId": "echo"]).status))
        try daemon.limit(.fileSize, to: nil)
        try daemon.settle(session)
        let events = try daemon.events(session)
        #expect(events.areNumbered(from: 1))
        #expect(events.of("tool_result").count == 20)
        #expect(events.last { $0["kind"] == "turn_completed" }?["data"]?["status"] == "completed")
    }

    /// A person who says stop is obeyed in any case.
    @Test func interruptingWorksOnAFullDisk() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.say("[[stall:60]]", in: session)
        try eventually("the turn runs") { try daemon.status(session) == "running" }
        usleep(300_000)
        try fill(daemon, session)
        let answer = try daemon.http("POST", "/api/v1/sessions/\(session)/interrupt", [:])
        #expect([202, 503].contains(answer.status))
        try daemon.limit(.fileSize, to: nil)
        try daemon.settle(session)
        #expect(try daemon.events(session).last { $0["kind"] == "turn_completed" }?["data"]?["status"] == "interrupted")
    }

    /// A real file system without room, where one can be mounted.
    @Test(.enabled(if: geteuid() == 0, "only root can mount a file system"))
    func aRealFullFileSystem() throws {
        let daemon = try TestDaemon()
        let sessions = daemon.home + "/sessions"
        try FileManager.default.createDirectory(
            atPath: sessions, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        guard try mount("-t", "tmpfs", "-o", "size=256k,mode=700", "none", sessions) else {
            // A container whose root may not mount: the tests above have the same fault by another way.
            print("disk tests: no file system can be mounted here")
            return
        }
        defer { _ = try? TestSupport.run("/usr/bin/umount", ["--lazy", sessions]) }
        try daemon.start()
        let session = try daemon.newSession()
        try daemon.call("POST", "/sessions/\(session)/pause")
        var accepted: [String] = []
        for number in 0..<40 {
            let answer = try daemon.http(
                "POST", "/api/v1/sessions/\(session)/messages",
                ["content": JSON(String(repeating: "x", count: 10_000)), "clientMessageId": JSON("m\(number)")])
            guard answer.status == 202 else {
                #expect(answer.status == 503)
                break
            }
            accepted.append("m\(number)")
        }
        #expect((10..<40).contains(accepted.count))
        // Kept when there is room: more of it is made.
        #expect(try mount("-o", "remount,size=4m", sessions))
        let refused = "m\(accepted.count)"
        try eventually("the log is written again") {
            try daemon.http(
                "POST", "/api/v1/sessions/\(session)/messages",
                ["content": "after", "clientMessageId": JSON(refused)]
            ).status == 202
        }
        let messages = try daemon.events(session).compactMap { $0["data"]?["clientMessageId"]?.stringValue }
        #expect(messages == accepted + [refused])
        // And read-only at the start: the session is reported, and is there when that has ended.
        try daemon.stop()
        #expect(try mount("-o", "remount,ro", sessions))
        try daemon.start()
        #expect(try [404, 503].contains(daemon.http("GET", "/api/v1/sessions/\(session)").status))
        #expect(try daemon.http("POST", "/api/v1/sessions", ["providerId": "echo"]).status == 503)
        try daemon.kill()
        #expect(try mount("-o", "remount,rw", sessions))
        try daemon.start()
        #expect(try daemon.events(session).compactMap { $0["data"]?["clientMessageId"] }.count == messages.count)
        daemon.close()
    }

    /// Nobody may write there any more; run as somebody whom that stops.
    @Test(.enabled(if: geteuid() == 0, "only root can become another user"))
    func lostPermissionsAreToldAndComeBack() throws {
        let daemon = try TestDaemon()
        try daemon.runAs(user: 23_456)
        try daemon.start()
        let session = try daemon.newSession()
        let sessions = daemon.home + "/sessions"
        #expect(chmod(sessions, 0o500) == 0)
        let created = try daemon.http(
            "POST", "/api/v1/sessions", ["providerId": "echo", "workspace": JSON(daemon.folder.path)])
        #expect(created.status == 503)
        #expect(created.errorCode == "log_unavailable")
        let deleted = try daemon.http("DELETE", "/api/v1/sessions/\(session)")
        #expect(deleted.status == 503)
        // The log that is open can be written on.
        #expect(agentText(try daemon.turn("[[text:still]]", in: session)) == "still")
        #expect(chmod(sessions, 0o700) == 0)
        _ = try daemon.newSession()
        #expect(try daemon.http("DELETE", "/api/v1/sessions/\(session)").status == 204)
    }

    /// A disk that fails in power mode, or is slow: the daemon's end doesn't hang on it.
    @Test func theEndDoesNotHangOnAFullDisk() throws {
        let daemon = try TestDaemon.running(configuration: ["sessions": ["durability": "power"]])
        let session = try daemon.newSession()
        try daemon.call("POST", "/sessions/\(session)/pause")
        try fill(daemon, session)
        _ = try daemon.http("POST", "/api/v1/sessions/\(session)/messages", ["content": "x"])
        #expect(try daemon.stop(within: .seconds(20)).code == 0)
        try daemon.start()
        #expect(try daemon.events(session).areNumbered(from: 1))
    }
}
