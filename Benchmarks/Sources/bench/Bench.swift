import Foundation

/// One run of the whole: measures, round by round, so that what drifts drifts for all alike.
final class Bench {
    let options: Options

    init(options: Options) {
        self.options = options
        patience = options.patience
    }

    var results = Results()
    /// The suite under way.
    var suite = ""

    let floor = Contender(name: "floor", program: binary("floor"))
    let batchedFloor = Contender(name: "floor, batched", program: binary("floor"), arguments: ["--batched"])
    let hub = Contender(name: "hub", program: binary("hub-bench"))
    /// With a provider inside the process.
    let daemonPath = Contender(name: "daemon", program: binary("daemon-bench"))
    let daemon = Contender(name: "daemon", program: daemonProgram, isDaemon: true)
    /// Published as an application does whose messages come by a few, not by the hundred.
    var sparseReference: Contender? {
        options.reference.map {
            Contender(name: "reference, 4 a turn", program: $0, arguments: ["--burst", "4"])
        }
    }
    var reference: Contender? { options.reference.map { Contender(name: "reference", program: $0) } }

    /// Runs one measurement on each server, `runs` rounds; a server that fails is left out, and said.
    func rounds(
        _ work: String, _ contenders: [Contender?], _ body: (Contender) throws -> [String: Double]
    ) {
        var failed: Set<String> = []
        for round in 1...options.runs {
            for contender in contenders.compactMap(\.self) where !failed.contains(contender.name) {
                progress("\(suite): \(work), \(contender.name), run \(round) of \(options.runs)")
                do {
                    results.add(try body(contender), suite: suite, work: work, server: contender.name)
                } catch {
                    failed.insert(contender.name)
                    results.add(problem: "\(suite), \(work), \(contender.name): \(error)")
                    progress("failed: \(error)")
                }
            }
        }
    }

    /// Starts the server, lets the load generator at it, stops the server. A run during which other programs had more
    /// than a fifth of a core is taken again, a few times; the quietest counts.
    func load(
        _ contender: Contender, serve: [String] = [], _ mode: String, _ arguments: [String]
    ) throws -> [String: Double] {
        var best: [String: Double]?
        for _ in 0..<4 {
            waitForQuiet()
            let found = try loadOnce(contender, serve: serve, mode, arguments)
            if found["otherCpu"] ?? 0 < best?["otherCpu"] ?? .infinity { best = found }
            if best?["otherCpu"] ?? 0 < 0.2 { break }
        }
        return best ?? [:]
    }

    /// Seconds left to be spent on waiting for others to finish, over the whole run.
    private var patience: Double

    /// Waits until the machine has nothing to do, as long as there is patience.
    func waitForQuiet() {
        while patience > 0 {
            let before = busySeconds()
            usleep(300_000)
            patience -= 0.3
            if busySeconds() - before < 0.3 * 0.15 { return }
            usleep(1_700_000)
            patience -= 1.7
        }
    }

    private func loadOnce(
        _ contender: Contender, serve: [String], _ mode: String, _ arguments: [String]
    ) throws -> [String: Double] {
        let home = try contender.isDaemon ? Home() : nil
        defer { home?.remove() }
        let server = try home.map { try Server(daemonOn: $0) } ?? Server(contender.program, contender.arguments + serve)
        defer { server.stop() }
        return try measure(
            binary("load"), [mode, "--port", "\(server.port)", "--pid", "\(server.pid)"] + arguments, core: 1)
    }

    private var seconds: [String] { ["--duration", "\(options.duration)"] }

    func http() throws {
        for pipeline in [1, 16] {
            rounds("pipeline of \(pipeline)", [floor, reference, hub, daemon]) { contender in
                try load(contender, "http", ["--connections", "64", "--pipeline", "\(pipeline)"] + seconds)
            }
        }
    }

    func broadcast(deflate: Bool) throws {
        for size in [256, 2048] {
            for clients in [10, 100, 1000, 5000] {
                let serve = ["--clients", "\(clients)", "--size", "\(size)", "--publish", "saturated"]
                let ask = ["--clients", "\(clients)", "--warmup", "0.8"] + seconds
                let work = "\(clients) clients, \(size) B"
                if deflate {
                    let modes = reference.map { reference in
                        ["client", "shared"].map {
                            Contender(
                                name: "reference, \($0)", program: reference.program, arguments: ["--compression", $0])
                        }
                    }
                    let ours = [hub, daemonPath].map {
                        Contender(name: $0.name, program: $0.program, arguments: ["--compression", "shared"])
                    }
                    rounds(work, (modes ?? []) + ours) { contender in
                        try load(contender, serve: serve, "ws", ask + ["--deflate"])
                    }
                } else {
                    rounds(work, [floor, batchedFloor, sparseReference, reference, hub, daemonPath]) { contender in
                        try load(contender, serve: serve, "ws", ask)
                    }
                }
            }
        }
    }

    func paced() throws {
        for (clients, rate) in [(100, 100), (1000, 20)] {
            rounds("\(clients) clients, \(rate) messages/s", [floor, batchedFloor, reference, hub, daemonPath]) {
                contender in
                try load(
                    contender,
                    serve: ["--clients", "\(clients)", "--size", "256", "--publish", "paced", "--rate", "\(rate)"],
                    "ws",
                    ["--clients", "\(clients)", "--latency", "--duration", "\(options.pacedDuration)"])
            }
        }
    }

    func idle() throws {
        // What two processes may hold open, with some to spare for themselves.
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let clients = min(10000, Int(clamping: limit.rlim_max) - 200)
        rounds("\(clients) streams", [floor, reference, hub, daemon]) { contender in
            try load(contender, "idle", ["--clients", "\(clients)"])
        }
        rounds("\(clients) streams with permessage-deflate", [hub, daemon]) { contender in
            try load(contender, "idle", ["--clients", "\(clients)", "--deflate"])
        }
    }

    func cycles() throws {
        let cycles = options.isQuick ? 2000 : 10000
        rounds("\(cycles) cycles", [floor, reference, hub, daemon]) { contender in
            try load(contender, "cycles", ["--cycles", "\(cycles)"])
        }
    }
}
