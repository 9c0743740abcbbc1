import Base
import EventLog
import EventLoop
import HubProtocol
import TestSupport
import Testing

/// The process ends in every single call of the file system that changes something, in every operation of the store:
/// appending, making, deleting, adopting an import, writing the index, mending what others did, and recovering. What was
/// said to be so is so in the next life, and nothing is there by halves.
@Suite struct CrashPointTests {
    @Test(arguments: Durability.allCases)
    func everyCallOfEveryOperation(_ durability: Durability) throws {
        let scripts = environmentNumber("CRASH_SCRIPTS", default: 25)
        let first = UInt64(environmentNumber("CRASH_SEED", default: Int.random(in: 1..<1_000_000_000)))
        let loops = (try EventLoop(), try EventLoop())
        var deaths = 0
        for script in 0..<scripts {
            let seed = first &+ UInt64(script)
            var point = 0
            while true {
                let world = World(durability, loops.0, loops.1)
                let hasDied = try world.live(seed: seed, callsUntilDeath: point)
                // A second life that dies too, and one that doesn't.
                world.die()
                _ = try world.live(seed: seed &* 31, callsUntilDeath: point / 2)
                world.die()
                _ = try world.live(seed: seed &* 37, callsUntilDeath: .max)
                if let problem = world.problem {
                    Issue.record("seed \(seed), call \(point), \(durability): \(problem)")
                    return
                }
                guard hasDied else { break }
                deaths += 2
                point += 1
            }
        }
        print("\(durability) mode: \(deaths) deaths at every call of \(scripts) scripts: 0 lost (first seed \(first))")
        #expect(deaths > 10 * scripts)
    }
}

/// A store's lives, and what it has promised in them.
private final class World {
    private var files = MemoryFileSystem()
    private let durability: Durability
    private let loop: EventLoop
    private let writerLoop: EventLoop
    private(set) var problem: String?

    /// By session, what was published or adopted.
    private var promised: [String: [Int: [UInt8]]] = [:]
    /// Deletions that were carried out, and those of which nobody knows.
    private var deleted: Set<String> = []
    private var beingDeleted: Set<String> = []
    private var lastName = 0

    init(_ durability: Durability, _ loop: EventLoop, _ writerLoop: EventLoop) {
        self.durability = durability
        self.loop = loop
        self.writerLoop = writerLoop
    }

    func die() { files = files.afterDeath() }

    /// - Returns: whether it was cut short.
    func live(seed: UInt64, callsUntilDeath: Int) throws -> Bool {
        var random = SeededGenerator(seed: seed)
        files.faults.callsUntilDeath = callsUntilDeath
        let bench: Bench
        do {
            bench = try Bench(durability, files: files, loop: loop, writerLoop: writerLoop)
        } catch {
            return files.with { $0.isDead }
        }
        let found = Set(bench.store.scan().map(\.header.sessionId))
        if !files.with(\.isDead) { check(bench, found) }
        var logs: [String: SessionLog<Transcript>] = [:]
        for id in promised.keys.sorted() where found.contains(id) { logs[id] = open(id, bench) }
        for _ in 0..<14 where problem == nil { step(bench, &logs, &random) }
        for log in logs.values { log.onCommitted = { _ in } }
        if !files.with(\.isDead) { bench.store.stop(limit: .milliseconds(5)) }
        for _ in 0..<2 { bench.settle() }
        return files.with(\.isDead)
    }

    private func step(
        _ bench: Bench, _ logs: inout [String: SessionLog<Transcript>],
        _ random: inout SeededGenerator
    ) {
        let chosen = logs.keys.sorted().randomElement(using: &random)
        switch Int.random(in: 0..<17, using: &random) {
        case 0..<6:
            guard let chosen else { return create(bench, &logs) }
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                logs[chosen]?.append(message(String(repeating: "y", count: Int.random(in: 0..<90, using: &random))))
            }
        case 6..<9: bench.settle()
        case 9: create(bench, &logs)
        case 10: adopt(bench, &logs)
        case 11:
            guard let chosen else { return }
            bench.settle()
            logs[chosen] = nil
            beingDeleted.insert(chosen)
            guard (try? bench.store.delete(chosen)) != nil else { return }
            deleted.insert(chosen)
        case 12: bench.store.writeIndex()
        case 13:
            guard let chosen, let log = logs[chosen] else { return }
            bench.settle()
            bench.store.close(log)
            bench.settle()
            logs[chosen] = open(chosen, bench)
        case 14:
            // Somebody else removes the file; the look at it writes it again.
            guard let chosen, !files.with(\.isDead), files[Bench.path(chosen)] != nil else { return }
            bench.settle()
            try? files.remove(Bench.path(chosen))
            bench.store.mendFiles()
            // Until then its bytes hang on the process that has it open: that one's death takes them along.
            if files.with(\.isDead), files[Bench.path(chosen)] == nil { forget(chosen) }
        case 15: undelete(bench, &logs, &random)
        default: create(bench, &logs)
        }
    }

    private func undelete(
        _ bench: Bench, _ logs: inout [String: SessionLog<Transcript>], _ random: inout SeededGenerator
    ) {
        guard let id = deleted.sorted().randomElement(using: &random) else { return }
        // Cut short, it is still a deleted one, or is back.
        deleted.remove(id)
        beingDeleted.insert(id)
        do throws(LogError) {
            try bench.store.undelete(id)
            logs[id] = open(id, bench)
        } catch {
            // Too many were deleted since.
            if error.code == .notFound, !files.with(\.isDead) { deleted.insert(id) }
        }
    }

    private func forget(_ id: String) {
        promised[id] = nil
        deleted.remove(id)
        beingDeleted.remove(id)
    }

    private func newName() -> String {
        lastName += 1
        return "s\(lastName)"
    }

    private func create(_ bench: Bench, _ logs: inout [String: SessionLog<Transcript>]) {
        let id = newName()
        guard let log = try? bench.store.create(header(id)) else { return }
        promised[id] = [:]
        logs[id] = follow(log)
    }

    private func open(_ id: String, _ bench: Bench) -> SessionLog<Transcript>? {
        guard let log = try? bench.store.open(id) else {
            if !files.with(\.isDead) { problem = "\(id) can't be opened" }
            return nil
        }
        return follow(log)
    }

    private func follow(_ log: SessionLog<Transcript>) -> SessionLog<Transcript> {
        let id = log.sessionId
        log.onCommitted = { [unowned self] events in
            for event in events {
                if promised[id]?[event.record.seq] != nil { problem = "\(id) \(event.record.seq) is published twice" }
                promised[id]?[event.record.seq] = Array(event.line)
            }
        }
        return log
    }

    /// An import: a whole log, or none.
    private func adopt(_ bench: Bench, _ logs: inout [String: SessionLog<Transcript>]) {
        let id = newName()
        guard let builder = try? LogBuilder<Transcript>(header(id), in: bench.store.drafts) else { return }
        for number in 1...5 {
            _ = try? builder.append(message("imported"), at: Timestamp(milliseconds: 1_700_000_000_000 + Int64(number)))
        }
        guard let built = try? builder.finish(), (try? bench.store.adopt(built)) != nil else { return }
        promised[id] = Dictionary(uniqueKeysWithValues: lines(of: files[Bench.path(id)] ?? []))
        logs[id] = open(id, bench)
    }

    private func lines(of bytes: [UInt8]) -> [(Int, [UInt8])] {
        bytes.split(separator: 0x0a).dropFirst().enumerated().map { ($0 + 1, Array($1)) }
    }

    // MARK: Looking back

    private func check(_ bench: Bench, _ found: Set<String>) {
        for (id, events) in promised {
            if deleted.contains(id) {
                if found.contains(id) { problem = "\(id) was deleted and is there" }
                continue
            }
            guard found.contains(id) else {
                // A deletion that was cut short has moved it; a session nobody heard an event of may be gone.
                let isInBackups = files.with { state in
                    state.files.keys.contains { $0.hasPrefix("/backups/") && $0.hasSuffix("/\(id).jsonl") }
                }
                let mayBeGone = beingDeleted.contains(id) && isInBackups || (events.isEmpty && durability == .power)
                if !mayBeGone { problem = "\(id) with \(events.count) events is lost" }
                if problem == nil { deleted.insert(id) }
                continue
            }
            beingDeleted.remove(id)
            let contents = LogContents(files[Bench.path(id)] ?? [])
            if contents.records.map(\.seq) != (0..<contents.records.count).map({ $0 + 1 }) {
                problem = "\(id) has the numbers \(contents.records.map(\.seq))"
            }
            if !contents.damages.isEmpty { problem = "\(id) is damaged: \(contents.damages)" }
            let there = Set(lines(of: files[Bench.path(id)] ?? []).map(\.1))
            for (seq, line) in events where !there.contains(line) { problem = "\(id) \(seq) was published and is lost" }
        }
        // What was appended and not published may be there: the next numbers follow it.
        for id in found where promised[id] == nil { promised[id] = [:] }
        let drafts = files.with { $0.files.keys.filter { $0.hasSuffix(".part") } }
        if !drafts.isEmpty { problem = "drafts are left: \(drafts)" }
    }
}
