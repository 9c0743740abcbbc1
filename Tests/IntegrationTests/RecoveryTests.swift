import Foundation
import JSON
import TestSupport
import Testing

/// The daemon dies; what anybody saw is still true afterwards.
@Suite(.timeLimit(.minutes(10))) struct RecoveryTests {
    let daemon: TestDaemon

    init() throws { daemon = try TestDaemon.running() }

    @Test func killedInMidStreamAndResumed() throws {
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.turn("[[text:before]]", in: session)
        let native = try daemon.events(session).first { $0["data"]?["nativeSessionId"] != nil }?["data"]?[
            "nativeSessionId"]
        #expect(native != nil)
        try daemon.say(ReplayTests.tools(5) + "[[stream:10000x10@50]]", in: session)
        let queued = try daemon.say("[[text:was queued]]", in: session)
        #expect(queued["queued"] == true)
        var seen: [JSON] = []
        for _ in 0..<5 { seen += try client.collect { $0.type == "stream:chunk" } }
        seen.removeAll { $0.seq == nil }
        try daemon.kill()
        while case .text(let bytes) = try client.receive() {
            let frame = try JSON.parse(bytes)
            if frame.seq != nil { seen.append(frame) }
        }
        // No agent outlives the daemon.
        try eventually("the agents are gone: \(daemon.survivors)") { daemon.survivors.isEmpty }

        try daemon.start()
        let records = try daemon.events(session)
        #expect(records.areNumbered(from: 1))
        for frame in seen where frame.type == "session:event" {
            #expect(records.contains { $0 == frame["payload"] })
        }
        let closing = try #require(records.last { $0["kind"] == "turn_completed" })
        #expect(closing["data"]?["status"] == "interrupted")
        #expect(closing["synthetic"] == true)
        #expect(records.of("status").contains { $0["data"]?["type"] == "recovered" })

        // What was queued waits for a person.
        let record = try daemon.record(session)
        #expect(record["held"] == true)
        #expect(record["turn"]?.isNull == true)
        #expect(record["queue"]?[0]?["turnId"] == queued["turnId"])
        usleep(300_000)
        #expect(try daemon.events(session).count == records.count)
        try daemon.call("POST", "/sessions/\(session)/resume")
        try daemon.settle(session)
        let after = try daemon.events(session, after: records.count)
        #expect(agentText(after) == "was queued")
        // The agent's own session goes on: it was loaded, not begun anew.
        let natives = after.compactMap { $0["data"]?["nativeSessionId"] }
        #expect(natives.allSatisfy { $0 == native })
        #expect(after.contains { $0["data"]?["type"] == "process_started" })
    }

    @Test func aPendingPermissionIsCancelled() throws {
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.say("[[permission:once,reject touch x]]", in: session)
        let asked = try client.frame(type: "permission:requested")["payload"]
        try daemon.restart()
        let records = try daemon.events(session)
        let resolved = try #require(records.first("permission_resolved"))
        #expect(resolved["data"]?["outcome"] == "cancelled")
        #expect(resolved["data"]?["requestId"] == asked?["requestId"])
        #expect(records.of("tool_call").count == records.of("tool_result").count)
        #expect(try daemon.webSocket().frame()["payload"]?["pending"]?.arrayValue?.isEmpty == true)
        #expect(agentText(try daemon.turn("[[text:goes on]]", in: session)).contains("goes on"))
    }

    @Test func twiceKilledChangesNothingMore() throws {
        let session = try daemon.newSession()
        try daemon.say("[[stall:60]]", in: session)
        try daemon.restart()
        let once = try daemon.events(session)
        try daemon.restart()
        #expect(try daemon.events(session) == once)
    }

    @Test func aTornLastLineIsCutOff() throws {
        let session = try daemon.newSession()
        try daemon.turn("[[text:whole]]", in: session)
        let records = try daemon.events(session)
        try daemon.kill()
        let path = daemon.home + "/sessions/\(session).jsonl"
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(#"{"seq":\#(records.count + 1),"ts":"2026-11"#.utf8))
        try handle.close()
        try daemon.start()
        // Whether or not the recovery itself is noted in the log: what was whole is as it was.
        #expect(try Array(daemon.events(session).prefix(records.count)) == records)
        try daemon.turn("[[text:after]]", in: session)
        #expect(try daemon.events(session).areNumbered(from: 1))
        #expect(try daemon.sessionLog(session).dropFirst().map { $0 } == daemon.events(session))
        let beside = try FileManager.default.contentsOfDirectory(atPath: daemon.home + "/sessions")
        #expect(beside.contains { $0.contains(".torn") })
        #expect(try daemon.call("GET", "/status")["recoveries"]?.arrayValue?.isEmpty == false)
    }

    @Test func aDamagedLineNeverCostsTheRest() throws {
        let session = try daemon.newSession()
        let other = try daemon.newSession()
        try daemon.turn(ReplayTests.tools(5), in: session)
        let records = try daemon.events(session)
        try daemon.kill()
        let path = daemon.home + "/sessions/\(session).jsonl"
        var lines = try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n")
        lines[4] = String(repeating: "\u{0}#", count: lines[4].utf8.count / 2)
        try lines.joined(separator: "\n").write(toFile: path, atomically: false, encoding: .utf8)
        try daemon.start()
        let left = try daemon.events(session)
        for record in records where record.seq != 4 { #expect(left.contains(record)) }
        #expect(try daemon.call("GET", "/status")["recoveries"]?.arrayValue?.isEmpty == false)
        #expect(agentText(try daemon.turn("[[text:goes on]]", in: session)) == "goes on")
        #expect(agentText(try daemon.turn("[[text:untouched]]", in: other)) == "untouched")
    }

    @Test func endingPolitely() throws {
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.turn("[[text:a]]", in: session)
        #expect(try daemon.stop().code == 0)
        _ = try client.frame(type: "core:shutdown")
        // What happens while turns and agents end is still told, and then the connection is closed.
        var closeCode: Int?
        for _ in 0..<100 where closeCode == nil {
            if case .close(let code, _) = try client.receive() { closeCode = code }
        }
        #expect(closeCode == 1001)
        #expect(daemon.folder.read("hub/core/endpoint.json") == nil)
        #expect(daemon.survivors.isEmpty)
        try daemon.start()
        #expect(try daemon.record(session)["status"] == "idle")
    }
}
