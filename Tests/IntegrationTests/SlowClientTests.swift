import Foundation
import JSON
import TestSupport
import Testing

/// A client that reads too slowly harms only itself.
@Suite(.timeLimit(.minutes(3))) struct SlowClientTests {
    @Test func isWarnedLosesDeltasAndIsDismissed() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        let slow = try daemon.webSocket(receiveBuffer: 4096)
        try slow.send(["type": "client:hello", "payload": ["name": "slow", "version": "1", "protocol": 1]])
        let quick = try daemon.client("quick")
        let before = ProcessTable.residentBytes(of: daemon.pid)
        // More than any queue holds: durable messages of 1 MB each, and deltas.
        let reading = Later { () -> [Int] in
            var seen: [Int] = []
            while case .text(let bytes)? = try? quick.receive(within: .seconds(20)) {
                guard let event = FrameScan.durableEvent(bytes) else { continue }
                seen.append(event.seq)
                if bytes.count < 4096, (try? JSON.parse(bytes))?.kind == "turn_completed" { break }
            }
            return seen
        }
        // Paced, so that a test on a busy machine keeps up.
        try daemon.say(String(repeating: "[[large:1000000]][[stall:0.25]]", count: 24), in: session)
        let seen = try #require(reading.value(within: 60))
        try daemon.settle(session)
        #expect(seen.last == (try daemon.record(session)["lastSeq"]?.intValue))
        // The slow one wakes up: a warning, then its dismissal.
        var types: [String] = []
        var code: Int?
        reading: while true {
            switch try slow.receive(within: .seconds(30)) {
            case .text(let bytes): types.append(try JSON.parse(bytes).type ?? "")
            case .close(let number, _):
                code = number
                break reading
            case .ended: break reading
            default: continue
            }
        }
        #expect(code == 1013 || types.last == "client:evicted" || !types.contains("session:event"))
        try eventually("the slow one is counted out") { try daemon.http("GET", "/health").json["clients"] == 1 }
        let growth = ProcessTable.residentBytes(of: daemon.pid) - before
        #expect(growth < 200 << 20, Comment(rawValue: "the daemon grew by \(growth >> 20) MiB"))
        // It comes back with its cursor and misses nothing.
        let last = try #require(try daemon.record(session)["lastSeq"]?.intValue)
        let back = try daemon.client("slow again", resume: [session: 0])
        let replay = try back.collect(within: .seconds(60)) { $0.type == "sync:complete" }
        #expect(replay.filter { $0.seq != nil }.compactMap(\.seq) == Array(1...last))
    }

    @Test func aPeerThatNeverAnswersPingsIsDropped() throws {
        let daemon = try TestDaemon.running(configuration: ["stream": ["pingSeconds": 1]])
        let dead = try daemon.client("dead")
        dead.answersPings = false
        let alive = try daemon.client("alive")
        let living = Later { () -> Bool in
            // Answers pings while it waits for a frame that never comes.
            (try? alive.frame(within: .seconds(6)) { _ in false }) == nil
        }
        var ended = false
        let deadline = ContinuousClock().now + .seconds(15)
        while !ended, ContinuousClock().now < deadline {
            switch try? dead.receive(within: .seconds(10)) {
            case .ended, .close: ended = true
            default: continue
            }
        }
        #expect(ended)
        _ = living.value()
        #expect(try daemon.http("GET", "/health").json["clients"] == 1)
    }
}
