import Base
import Foundation
import JSON
import TestSupport
import Testing

/// Many clients, many sessions, and a daemon that keeps being killed: in the end every client has exactly the log.
@Suite(.timeLimit(.minutes(15))) struct FaultTests {
    /// One turn: calls with results, and messages that grow.
    static let prompt = String(repeating: #"[[tool:Bash {"command":"step"}]][[stream:5x20@20]]"#, count: 4)

    @Test func nothingIsLostAndNothingComesTwice() throws {
        let clientCount = environmentNumber("FAULT_CLIENTS", default: 64)
        let sessionCount = environmentNumber("FAULT_SESSIONS", default: 8)
        let kills = environmentNumber("FAULT_KILLS", default: 20)
        let seed = UInt64(environmentNumber("FAULT_SEED", default: Int.random(in: 1..<1 << 40)))
        print("fault test: seed \(seed), \(clientCount) clients, \(sessionCount) sessions, \(kills) kills")
        var random = SeededGenerator(seed: seed)

        let durability = ProcessInfo.processInfo.environment["FAULT_DURABILITY"] ?? "process"
        let daemon = try TestDaemon(configuration: [
            "limits": ["maxClients": JSON(clientCount * 2 + 64)], "sessions": ["durability": JSON(durability)],
        ])
        try daemon.start()
        daemon.keepPort()
        let sessions = try (0..<sessionCount).map { _ in try daemon.newSession() }
        let stage = FaultStage(daemon)
        defer { stage.abandon() }

        let ledgers = (0..<clientCount).map { index -> Ledger in
            let kind = FaultClientKind.of(index)
            return Ledger(
                "\(kind) \(index)", sessions: kind == .events ? [sessions[index / 8 % sessionCount]] : sessions)
        }
        let clients = ledgers.enumerated().map { index, ledger in
            let seed = random.next()
            return switch FaultClientKind.of(index) {
            case .events:
                Later { runEventStreamClient(stage, ledger, session: sessions[index / 8 % sessionCount], seed: seed) }
            case .library: Later.async { try await runLibraryClient(stage, ledger) }
            case let kind: Later { runSocketClient(stage, ledger, kind, seed: seed) }
            }
        }
        let isDriving = Lock(true)
        let drivers = sessions.map { session in
            Later { drive(daemon, session, while: { isDriving.withLock { $0 } }) }
        }

        for _ in 0..<kills {
            usleep(UInt32.random(in: 100_000...3_000_000, using: &random))
            try daemon.kill()
            try daemon.start()
        }
        usleep(500_000)
        isDriving.withLock { $0 = false }
        let sent = try drivers.map { try #require($0.value(within: 60), "a driver doesn't end") }
        for session in sessions { try daemon.settle(session, within: .seconds(30)) }

        let logs = try sessions.map { try daemon.events($0) }
        stage.finish(at: Dictionary(uniqueKeysWithValues: zip(sessions, logs.map(\.count))))
        let deadline = Date() + 30
        let unfinished = zip(ledgers, clients)
            .filter { $1.value(within: max(0.01, deadline.timeIntervalSinceNow)) == nil }.map(\.0.name)
        #expect(unfinished.isEmpty, "clients that never got there")

        // The logs themselves: no gap, no event twice, every accepted message once, and the file is what is told.
        for (session, (log, messages)) in zip(sessions, zip(logs, sent)) {
            #expect(log.areNumbered(from: 1))
            #expect(Set(log.compactMap { $0["id"]?.stringValue }).count == log.count)
            let logged = log.compactMap { $0["data"]?["clientMessageId"]?.stringValue }
            #expect(logged == messages)
            #expect(try daemon.sessionLog(session).dropFirst().map { $0 } == log)
        }
        // And every client has exactly them.
        let ids = Dictionary(uniqueKeysWithValues: zip(sessions, logs.map { $0.map { $0["id"]?.stringValue ?? "" } }))
        var (lost, duplicated, deliveries, connections, evictions, stalls, differing) = (0, 0, 0, 0, 0, 0, 0)
        for ledger in ledgers {
            let content = ledger.now
            lost += content.lost
            duplicated += content.duplicated
            connections += content.connections
            evictions += content.evictions
            stalls += content.stalls
            for (session, events) in content.events {
                deliveries += events.count
                if events != ids[session] { differing += 1 }
            }
            for line in content.trouble.prefix(3) { Issue.record("\(ledger.name): \(line)") }
        }
        let events = logs.reduce(0) { $0 + $1.count }
        print(
            """
            fault test: seed \(seed): \(clientCount) clients, \(sessionCount) sessions, \(kills) kills, \
            \(sent.reduce(0) { $0 + $1.count }) messages, \(events) events, \(deliveries) deliveries, \
            \(connections) connections, \(evictions) evictions: \(lost) lost, \(duplicated) duplicated
            """)
        #expect(lost == 0)
        #expect(duplicated == 0)
        #expect(differing == 0)
        #expect(stalls == 0)
        #expect(events > kills * sessionCount)
    }

    /// Sends message after message, each until it is accepted; returns the ids of those that were.
    private func drive(_ daemon: TestDaemon, _ session: String, while isDriving: () -> Bool) -> [String] {
        var accepted: [String] = []
        while isDriving() {
            let id = "m-\(accepted.count)"
            // The daemon may die before, while or after it takes the message: the same id makes it one message.
            while (try? daemon.say(Self.prompt, in: session, id: id)) == nil { usleep(20_000) }
            accepted.append(id)
            while isDriving() {
                usleep(100_000)
                guard let record = try? daemon.record(session) else { continue }
                if record["turn"]?.isNull == true, record["queue"]?.arrayValue?.isEmpty == true { break }
                if record["held"] == true { _ = try? daemon.call("POST", "/sessions/\(session)/resume") }
            }
        }
        // What is held after the last kill has to go on too.
        while true {
            guard let record = try? daemon.record(session) else { continue }
            if record["held"] == true { _ = try? daemon.call("POST", "/sessions/\(session)/resume") }
            return accepted
        }
    }
}
