import Foundation
import JSON
import TestSupport
import Testing

/// A client that reads too slowly harms only itself.
@Suite(.timeLimit(.minutes(10))) struct SlowClientTests {
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
        // Paced, so that a test on a busy machine keeps up; the calls end one message and begin the next.
        try daemon.say(String(repeating: "[[large:1000000]][[stall:0.2]][[tool:Bash {}]]", count: 30), in: session)
        // The slow one wakes up: what it was sent so far, a warning among it, and its dismissal.
        try eventually("the slow one is dismissed", within: .seconds(30)) {
            try daemon.http("GET", "/metrics").text.contains("\ncodeai_clients_evicted_total 1\n")
        }
        var types: [String] = []
        var code: Int?
        reading: while true {
            switch try slow.receive(within: .seconds(30)) {
            case .text(let bytes):
                types.append(FrameScan.type(bytes) ?? "")
                if types.last?.hasPrefix("client:") == true { Recording.received(try JSON.parse(bytes)) }
            case .close(let number, _):
                code = number
                break reading
            case .ended: break reading
            default: continue
            }
        }
        #expect(code == 1013)
        #expect(types.last == "client:evicted")
        let seen = try #require(reading.value(within: 60))
        try daemon.settle(session)
        #expect(seen.last == (try daemon.record(session)["lastSeq"]?.intValue))
        try eventually("the slow one is counted out") { try daemon.http("GET", "/health").json["clients"] == 1 }
        let growth = ProcessTable.residentBytes(of: daemon.pid) - before
        #expect(growth < 200 << 20, Comment(rawValue: "the daemon grew by \(growth >> 20) MiB"))
        // It comes back with its cursor and misses nothing.
        let last = try #require(try daemon.record(session)["lastSeq"]?.intValue)
        let back = try daemon.client("slow again", resume: [session: 0])
        let replay = try back.collect(within: .seconds(60)) { $0.type == "sync:complete" }
        #expect(replay.filter { $0.seq != nil }.compactMap(\.seq) == Array(1...last))
    }

    @Test func aMessageLargerThanTheQueueEvictsNobody() throws {
        let daemon = try TestDaemon.running(configuration: ["stream": ["queueBytes": 1_048_576]])
        let session = try daemon.newSession()
        let client = try daemon.client("client")
        try daemon.say("[[large:9000000]]", in: session)
        let frames = try client.collectTurn(of: session, within: .seconds(30))
        #expect(frames.contains { ($0["payload"]?["content"]?.stringValue?.utf8.count ?? 0) == 9_000_000 })
        #expect(try daemon.http("GET", "/health").json["clients"] == 1)
        #expect(agentText(try daemon.turn("[[text:fine]]", in: session)) == "fine")
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
