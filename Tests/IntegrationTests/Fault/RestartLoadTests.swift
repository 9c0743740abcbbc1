import Base
import Client
import Foundation
import JSON
import TestSupport
import Testing

/// Requests and stream clients by the hundred while the daemon restarts again and again: nobody is refused, no request
/// goes unanswered, no event is lost or comes twice.
///
/// `RESTART_COUNT`, `RESTART_RATE` (requests a second), `RESTART_CLIENTS` and `RESTART_SESSIONS` make it longer.
@Suite(.timeLimit(.minutes(15))) struct RestartLoadTests {
    @Test func nobodyIsTurnedAway() throws {
        let restarts = environmentNumber("RESTART_COUNT", default: 5)
        let rate = environmentNumber("RESTART_RATE", default: 200)
        let clientCount = environmentNumber("RESTART_CLIENTS", default: 16)
        let sessionCount = environmentNumber("RESTART_SESSIONS", default: 4)
        let seed = UInt64(environmentNumber("FAULT_SEED", default: Int.random(in: 1..<1 << 40)))
        var random = SeededGenerator(seed: seed)
        let daemon = try TestDaemon.running(configuration: ["limits": ["maxClients": JSON(clientCount * 2 + 64)]])
        let pid = daemon.pid
        let sessions = try (0..<sessionCount).map { _ in try daemon.newSession() }
        let stage = FaultStage(daemon)
        defer { stage.abandon() }

        let clients = (0..<clientCount).map { index -> (Ledger, RestartGaps, Later<Void>) in
            let ledger = Ledger("client \(index)", sessions: sessions)
            let gaps = RestartGaps()
            // Every fourth is the client library, which has to come back at once by itself.
            let later =
                index % 4 == 3
                ? Later.async { try await followByLibrary(stage, ledger, gaps) }
                : Later { followBySocket(stage, ledger, gaps) }
            return (ledger, gaps, later)
        }
        let isOn = Lock(true)
        let drivers = sessions.map { session in Later { drive(daemon, session) { isOn.withLock { $0 } } } }
        // The library's need a thread of the pool, which other tests may hold for long.
        let socketCount = clientCount - clientCount / 4
        try eventually("the clients are connected", within: .seconds(30)) {
            (try daemon.http("GET", "/health").json["clients"]?.intValue ?? 0) >= socketCount
        }

        let begin = ContinuousClock.now
        let workers = (0..<8).map { index in
            Later {
                RequestLoad(daemon, session: sessions[index % sessionCount], keepsAlive: index % 2 == 0)
                    .run(perSecond: Double(rate) / 8) { isOn.withLock { $0 } }
            }
        }
        var downtimes: [Double] = []
        for _ in 0..<restarts {
            usleep(UInt32.random(in: 500_000...1_500_000, using: &random))
            let asked = ContinuousClock.now
            // Some cut turns off, some wait for them a little.
            try daemon.restartItself(graceMs: [0, 0, 300].randomElement(using: &random))
            downtimes.append((ContinuousClock.now - asked) / .milliseconds(1))
        }
        usleep(1_000_000)
        let elapsed = (ContinuousClock.now - begin) / .seconds(1)
        isOn.withLock { $0 = false }
        let loads = try workers.map { try #require($0.value(within: 60), "a worker doesn't end") }
        _ = try drivers.map { try #require($0.value(within: 60), "a driver doesn't end") }
        for session in sessions { try daemon.settle(session, within: .seconds(30)) }
        let logs = try sessions.map { try daemon.events($0) }
        stage.finish(at: Dictionary(uniqueKeysWithValues: zip(sessions, logs.map(\.count))))
        let deadline = Date() + 60
        for (ledger, _, later) in clients {
            #expect(
                later.value(within: max(0.01, deadline.timeIntervalSinceNow)) != nil, "\(ledger.name) never gets there")
        }

        // Every request has its answer.
        var load = RequestLoad.Outcome()
        for one in loads { load.add(one) }
        for line in load.trouble.prefix(5) { Issue.record(Comment(rawValue: line)) }
        #expect(load.refused == 0)
        #expect(load.unanswered == 0)
        #expect(load.answered == load.sent)
        // How many that are depends on the machine; each restart has met some.
        #expect(load.sent > restarts * 20)
        // Every client has the log, event by event.
        let ids = Dictionary(uniqueKeysWithValues: zip(sessions, logs.map { $0.map { $0["id"]?.stringValue ?? "" } }))
        var (lost, duplicated, deliveries, refused) = (0, 0, 0, 0)
        var gaps: [Double] = []
        for (ledger, gap, _) in clients {
            let content = ledger.now
            lost += content.lost
            duplicated += content.duplicated
            deliveries += content.events.values.reduce(0) { $0 + $1.count }
            #expect(content.events == ids)
            #expect(content.stalls == 0)
            for line in content.trouble.prefix(3) { Issue.record("\(ledger.name): \(line)") }
            refused += gap.now.refused
            gaps += gap.now.milliseconds
        }
        for log in logs { #expect(log.areNumbered(from: 1)) }
        #expect(lost == 0)
        #expect(duplicated == 0)
        #expect(refused == 0)
        // One for each client and restart; a client that is told while it is just coming back has one for two.
        #expect(gaps.count >= restarts * socketCount / 2)
        #expect(daemon.pid == pid)
        print(
            """
            restart test: seed \(seed): \(restarts) restarts in \(Int(elapsed)) s, \(load.sent) requests \
            (\(Int(Double(load.sent) / elapsed)) a second, half on kept connections): \(load.refused) refused, \
            \(load.unanswered) unanswered; their latency in ms \(Figures(load.milliseconds))
            restart test: \(clientCount) stream clients, \(sessionCount) sessions, \
            \(logs.reduce(0) { $0 + $1.count }) events, \(deliveries) deliveries: \(lost) lost, \(duplicated) doubled; \
            from close 1012 to sync:complete in ms \(Figures(gaps)); from the request to the new daemon's first answer \
            in ms \(Figures(downtimes))
            """)
    }

    /// Message after message; each until it is accepted.
    private func drive(_ daemon: TestDaemon, _ session: String, while isDriving: () -> Bool) {
        var count = 0
        while isDriving() {
            // A turn that was cut off needs nobody to go on: the next message lets it.
            guard (try? daemon.say(FaultTests.prompt, in: session, id: "m-\(count)")) != nil else {
                usleep(20_000)
                continue
            }
            count += 1
            while isDriving(), (try? daemon.status(session)) != "idle", (try? daemon.record(session)["held"]) != true {
                usleep(50_000)
            }
        }
    }
}

/// Median, 99th percentile and worst of some durations.
private struct Figures: CustomStringConvertible {
    private let sorted: [Double]
    init(_ values: [Double]) { sorted = values.sorted() }

    private func rank(_ share: Double) -> String {
        guard !sorted.isEmpty else { return "-" }
        let value = sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
        return String(format: value < 10 ? "%.1f" : "%.0f", value)
    }

    var description: String { "p50 \(rank(0.5)), p99 \(rank(0.99)), worst \(rank(1))" }
}

/// How long a client had no stream, restart by restart.
private final class RestartGaps: Sendable {
    struct Content {
        var milliseconds: [Double] = []
        var refused = 0
    }
    private let content = Lock(Content())
    var now: Content { content.withLock { $0 } }
    func change(_ body: (inout Content) -> Void) { content.withLock { body(&$0) } }
}

/// Comes back at once when it is told to, with its cursors.
private func followBySocket(_ stage: FaultStage, _ ledger: Ledger, _ gaps: RestartGaps) {
    var wentAway: ContinuousClock.Instant?
    while !stage.isDone(ledger) {
        let socket: RawWebSocket
        do { socket = try stage.daemon.client(ledger.name, resume: ledger.cursors) } catch {
            gaps.change { $0.refused += 1 }
            ledger.change { $0.trouble.append("can't connect: \(error)") }
            usleep(20_000)
            continue
        }
        ledger.change { $0.connections += 1 }
        while !stage.isDone(ledger) {
            guard stage.waitForInput(socket.connection, ledger),
                let message = try? socket.receive(within: .seconds(15))
            else { break }
            if case .text(let bytes) = message {
                if let event = FrameScan.durableEvent(bytes) {
                    ledger.receive(event.session, seq: event.seq, id: event.id)
                } else if let since = wentAway, FrameScan.type(bytes) == "sync:complete" {
                    gaps.change { $0.milliseconds.append((ContinuousClock.now - since) / .milliseconds(1)) }
                    wentAway = nil
                }
                continue
            }
            if case .close(let code, _) = message {
                wentAway = wentAway ?? .now
                if code != 1012 { ledger.change { $0.trouble.append("closed with \(code ?? 0)") } }
            } else {
                ledger.change { $0.trouble.append("the stream ended without a close") }
            }
            break
        }
        socket.close()
    }
}

private func followByLibrary(_ stage: FaultStage, _ ledger: Ledger, _ gaps: RestartGaps) async throws {
    let client = try HubClient(home: HubHome(path: stage.daemon.home))
    defer { client.close() }
    var options = StreamOptions()
    options.name = ledger.name
    options.resume = ledger.cursors
    let stream = try await client.openStream(options)
    let watch = Task {
        while !stage.isDone(ledger) { try await Task.sleep(for: .milliseconds(100)) }
        stream.close()
    }
    defer { watch.cancel() }
    var wentAway: ContinuousClock.Instant?
    for await event in stream.events {
        switch event {
        case .frame(let frame):
            if let seq = frame.seq, let session = frame.sessionId {
                ledger.receive(session, seq: seq, id: frame.payload?["id"]?.stringValue ?? "?")
            } else if let since = wentAway, frame.type == "sync:complete" {
                gaps.change { $0.milliseconds.append((ContinuousClock.now - since) / .milliseconds(1)) }
                wentAway = nil
            }
        case .reconnecting(let reason, let attempt, _):
            wentAway = wentAway ?? .now
            if attempt > 1 {
                gaps.change { $0.refused += 1 }
                ledger.change { $0.trouble.append("attempt \(attempt): \(reason)") }
            }
        case .connected: ledger.change { $0.connections += 1 }
        case .missing(let session, let after, let before):
            ledger.change { $0.trouble.append("\(session): missing \(after + 1)..<\(before)") }
        case .ended(let error?): throw error
        case .ended: break
        }
    }
}

/// Requests at a fixed rate, each due at its time however long the ones before took.
private struct RequestLoad {
    struct Outcome: Sendable {
        var sent = 0
        var answered = 0
        var refused = 0
        var unanswered = 0
        var milliseconds: [Double] = []
        var trouble: [String] = []

        mutating func add(_ other: Outcome) {
            sent += other.sent
            answered += other.answered
            refused += other.refused
            unanswered += other.unanswered
            milliseconds += other.milliseconds
            trouble += other.trouble
        }
    }

    private let daemon: TestDaemon
    private let session: String
    private let keepsAlive: Bool

    init(_ daemon: TestDaemon, session: String, keepsAlive: Bool) {
        self.daemon = daemon
        self.session = session
        self.keepsAlive = keepsAlive
    }

    func run(perSecond: Double, while isOn: () -> Bool) -> Outcome {
        var outcome = Outcome()
        var kept: RawConnection?
        let interval = Duration.nanoseconds(Int64(1e9 / perSecond))
        var due = ContinuousClock.now
        while isOn() {
            let early = due - ContinuousClock.now
            if early > .zero { usleep(UInt32(early / .microseconds(1))) }
            let paths = ["/health", "/api/v1/sessions/\(session)", "/health", "/api/v1/providers/echo"]
            let close = keepsAlive ? "" : "Connection: close\r\n"
            let request = "GET \(paths[outcome.sent % 4]) HTTP/1.1\r\nHost: \(daemon.authority)\r\n\(close)\r\n"
            outcome.sent += 1
            do {
                let connection = try kept ?? RawConnection(port: daemon.port)
                do {
                    try connection.send(request)
                    guard let response = try connection.response(within: .seconds(20)) else {
                        throw TestFailure("the connection ended without an answer")
                    }
                    guard response.status == 200 else { throw TestFailure("\(response.status) \(response.text)") }
                    outcome.answered += 1
                    kept = keepsAlive && response["Connection"] != "close" ? connection : nil
                } catch {
                    outcome.unanswered += 1
                    outcome.trouble.append("\(keepsAlive ? "kept" : "new") connection: \(error)")
                    kept = nil
                }
            } catch {
                outcome.refused += 1
                outcome.trouble.append("\(error)")
            }
            outcome.milliseconds.append((ContinuousClock.now - due) / .milliseconds(1))
            due += interval
        }
        return outcome
    }
}
