import Base
import Foundation
import JSON
import TestSupport
import Testing

/// The daemon is killed at random moments of everything that changes files. What it answered is so afterwards, whatever
/// it didn't answer is so or isn't, and nothing is there by halves.
@Suite(.timeLimit(.minutes(30))) struct KillRoundTests {
    /// What the daemon itself is at when it is killed; clients ask all the time.
    private enum Phase: CaseIterable { case work, end, restart, start }

    @Test func whatWasAnsweredIsSo() throws {
        let rounds = environmentNumber("KILL_ROUNDS", default: 12)
        let seed = UInt64(environmentNumber("KILL_SEED", default: Int.random(in: 1..<1 << 40)))
        print("kill rounds: seed \(seed), \(rounds) rounds")
        var random = SeededGenerator(seed: seed)
        let daemon = try TestDaemon.running(configuration: ["backups": ["keep": 3]])
        daemon.keepPort()
        let template = try ImportTemplate(daemon)
        let workers = (0..<3).map { KillWorker(daemon, template, seed: seed &+ UInt64($0), runsTurns: $0 == 0) }
        // How long these take here, so that kills come in the middle of them.
        var startTimes = [try time { try daemon.restart() }]
        let restartTime = try time { try daemon.restartItself(graceMs: 0) }
        var phases: [Phase: Int] = [:]
        var succeeded = 0
        for round in 0..<rounds {
            let phase = Phase.allCases[round % Phase.allCases.count]
            phases[phase, default: 0] += 1
            let isOver = Lock(false)
            let running = workers.map { worker in Later { worker.work { isOver.withLock { $0 } } } }
            usleep(UInt32.random(in: 5_000...400_000, using: &random))
            let instance = instanceId(of: daemon)
            var asker: Later<Bool>?
            if phase == .end {
                // In the middle of a polite end: logs are closed, the index is written.
                Glibc.kill(daemon.pid, SIGTERM)
                usleep(UInt32.random(in: 0...60_000, using: &random))
            } else if phase == .restart {
                asker = Later { (try? daemon.http("POST", "/api/v1/core/restart", ["graceMs": 0]))?.status == 202 }
                usleep(UInt32.random(in: 0...restartTime.microseconds, using: &random))
            }
            try daemon.kill()
            if phase == .restart, instanceId(of: daemon) != instance { succeeded += 1 }
            isOver.withLock { $0 = true }
            for worker in running { _ = try #require(worker.value(within: 30), "a worker doesn't end") }
            if let asker {
                let hasEnded = asker.value(within: 30) != nil
                #expect(hasEnded, "a request doesn't end")
            }
            if phase == .start {
                // Twice in a row: what the first was about to mend is the second's.
                for _ in 0..<2 {
                    let exit = try daemon.startAndKill(
                        after: UInt32.random(in: 0...startTimes[0].microseconds, using: &random))
                    #expect(exit.code == -SIGKILL, "seed \(seed), round \(round): \(exit)")
                }
            }
            startTimes.append(try time { try daemon.start() })
            for worker in workers {
                if let problem = try worker.check() {
                    Issue.record("seed \(seed), round \(round), killed at \(phase): \(problem)")
                    return
                }
            }
            let names = try FileManager.default.contentsOfDirectory(atPath: daemon.home + "/sessions")
            #expect(!names.contains { $0.hasSuffix(".part") || $0.hasSuffix(".new") })
        }
        let answered = workers.reduce(into: [KillOperation: Int]()) { $0.merge($1.done) { $0 + $1 } }
        let cut = workers.reduce(into: [KillOperation: Int]()) { $0.merge($1.cut) { $0 + $1 } }
        startTimes.sort()
        let slowest = startTimes.last ?? .zero
        print(
            """
            kill rounds: seed \(seed): \(rounds) kills, \(phases[.end] ?? 0) of them while the daemon ended, \
            \(phases[.restart] ?? 0) while it restarted (\(succeeded) of these hit the successor), and \
            \((phases[.start] ?? 0) * 2) more while it started; answered: \(text(answered)); cut off: \(text(cut)): \
            0 lost, 0 doubled; up again after \(startTimes[startTimes.count / 2]) (median), \(slowest) \
            (slowest)
            """)
        #expect(KillOperation.allCases.allSatisfy { answered[$0, default: 0] > 0 || rounds < 10 })
        // Not a benchmark: how long it takes on a busy machine is in doc/faults.md.
        #expect(slowest < .seconds(10))
    }

    private func time(_ body: () throws -> Void) rethrows -> Duration {
        let begin = ContinuousClock.now
        try body()
        return ContinuousClock.now - begin
    }

    private func text(_ counts: [KillOperation: Int]) -> String {
        counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    }

    /// Of the daemon that was ready last.
    private func instanceId(of daemon: TestDaemon) -> String? {
        let text = daemon.folder.read("hub/core/endpoint.json")
        return text.flatMap { try? JSON.parse($0) }?["instanceId"]?.stringValue
    }
}

extension Duration {
    fileprivate var microseconds: UInt32 { UInt32(self / .microseconds(1)) }
}

/// What is under way when the daemon is killed. One more is a case here, and what is done and expected in `KillWorker`.
enum KillOperation: String, CaseIterable {
    case create, append, rename, fork, importLog, delete, export
}

/// A log to be imported under ever new names.
struct ImportTemplate {
    let id: String
    let text: String
    let events: Int

    init(_ daemon: TestDaemon) throws {
        id = try daemon.newSession()
        for number in 0..<5 { try daemon.turn("[[text:template \(number)]]", in: id) }
        text = try daemon.http("GET", "/api/v1/sessions/\(id)/export").text
        events = text.split(separator: "\n").count - 1
    }
}

/// Works on sessions of its own, and knows what must have become of them.
final class KillWorker: @unchecked Sendable {
    private enum Fate { case there, gone, either }

    private struct Known {
        var fate = Fate.there
        /// The messages that were accepted, and one of which nobody knows.
        var accepted: [String] = []
        var unknown: String?
        var leastEvents = 0
        var title: String?
    }

    private let daemon: TestDaemon
    private let template: ImportTemplate
    private let runsTurns: Bool
    private var random: SeededGenerator
    private var known: [String: Known] = [:]
    private var lastMessage = 0
    /// How many of each were answered, and of how many nobody knows because the daemon was killed.
    private(set) var done: [KillOperation: Int] = [:]
    private(set) var cut: [KillOperation: Int] = [:]

    init(_ daemon: TestDaemon, _ template: ImportTemplate, seed: UInt64, runsTurns: Bool) {
        self.daemon = daemon
        self.template = template
        self.runsTurns = runsTurns
        random = SeededGenerator(seed: seed)
    }

    func work(_ isOver: () -> Bool) {
        while !isOver() {
            let operation = KillOperation.allCases.randomElement(using: &random) ?? .append
            // An answer that doesn't come is the point of it: the daemon was killed.
            guard let isDone = try? carryOut(operation) else {
                cut[operation, default: 0] += 1
                return
            }
            if isDone { done[operation, default: 0] += 1 }
        }
    }

    private var someSession: String? {
        known.filter { $0.value.fate == .there }.keys.sorted().randomElement(using: &random)
    }

    /// - Returns: whether it was done; throws when there was no answer.
    private func carryOut(_ operation: KillOperation) throws -> Bool {
        guard operation != .create, operation != .importLog else {
            return operation == .create ? try create() : try importLog()
        }
        guard let id = someSession else { return try create() }
        let path = "/api/v1/sessions/\(id)"
        switch operation {
        case .append:
            lastMessage += 1
            let message = "m\(lastMessage)"
            known[id]?.unknown = message
            let body: JSON = [
                "content": JSON("[[text:" + String(repeating: "x", count: lastMessage % 300) + "]]"),
                "clientMessageId": JSON(message),
            ]
            let status = try daemon.http("POST", path + "/messages", body).status
            known[id]?.unknown = nil
            if status == 202 { known[id]?.accepted.append(message) }
            return status == 202
        case .rename:
            let title = "title \(lastMessage)"
            known[id]?.title = nil
            guard try daemon.http("PATCH", path, ["title": JSON(title)]).status == 200 else { return false }
            known[id]?.title = title
            return true
        case .fork:
            let answer = try daemon.http("POST", path + "/fork", [:])
            guard answer.status == 201, let copy = answer.json["id"]?.stringValue else { return false }
            known[copy] = Known(leastEvents: answer.json["lastSeq"]?.intValue ?? 1)
            // Its messages are those of the original; what is queued there is not taken along.
            known[copy]?.accepted = []
            known[copy]?.fate = .there
            forks.insert(copy)
            return true
        case .delete:
            known[id]?.fate = .either
            guard try daemon.http("DELETE", path).status == 204 else {
                known[id]?.fate = .there
                return false
            }
            known[id]?.fate = .gone
            return true
        case .export:
            return try daemon.http("GET", path + "/export").status == 200
        case .create, .importLog: return false
        }
    }

    private var forks: Set<String> = []

    private func create() throws -> Bool {
        guard known.values.count(where: { $0.fate == .there }) < 6 else { return false }
        let id = try daemon.newSession()
        known[id] = Known(leastEvents: 1)
        // One that is paused takes messages as fast as they come.
        if !runsTurns { try daemon.call("POST", "/sessions/\(id)/pause") }
        return true
    }

    private func importLog() throws -> Bool {
        guard known.values.count(where: { $0.fate == .there }) < 8 else { return false }
        let id = UUID().uuidString.lowercased()
        let text = template.text.replacingOccurrences(of: template.id, with: id)
        known[id] = Known(fate: .either, leastEvents: template.events + 1)
        forks.insert(id)
        let answer = try daemon.http(
            "POST", "/api/v1/sessions/import", bytes: Array(text.utf8),
            headers: [("Content-Type", "application/x-ndjson")])
        known[id]?.fate = answer.status == 201 ? .there : .either
        return answer.status == 201
    }

    /// What is wrong now, if anything is.
    func check() throws -> String? {
        let there = Set(
            try daemon.call("GET", "/sessions?limit=1000")["sessions"]?.arrayValue?.compactMap {
                $0["id"]?.stringValue
            } ?? [])
        for (id, session) in known {
            switch session.fate {
            case .gone:
                if there.contains(id) { return "\(id) was deleted and is there" }
                known[id] = nil
                continue
            case .either where !there.contains(id):
                known[id] = nil
                continue
            case .there where !there.contains(id): return "\(id) is lost"
            default: break
            }
            known[id]?.fate = .there
            let log = try daemon.events(id)
            if !log.areNumbered(from: 1) { return "\(id) has a gap" }
            if Set(log.compactMap { $0["id"]?.stringValue }).count != log.count { return "\(id) has an event twice" }
            if log.count < session.leastEvents { return "\(id) has \(log.count) of \(session.leastEvents) events" }
            var messages = log.compactMap { $0["data"]?["clientMessageId"]?.stringValue }
            if forks.contains(id) {
                messages = messages.suffix(session.accepted.count + (session.unknown == nil ? 0 : 1))
            }
            if let unknown = session.unknown, messages.last == unknown {
                known[id]?.accepted.append(unknown)
                messages.removeLast()
            }
            known[id]?.unknown = nil
            if messages.suffix(session.accepted.count) != session.accepted[...] {
                return "\(id) has the messages \(messages), accepted were \(session.accepted)"
            }
            if let title = session.title, try daemon.record(id)["title"]?.stringValue != title {
                return "\(id) has lost its title \(title)"
            }
        }
        return nil
    }
}
