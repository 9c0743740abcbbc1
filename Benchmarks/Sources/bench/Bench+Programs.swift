import Foundation

/// The measurements that need no stream of deliveries.
extension Bench {
    /// The real daemon, from fork to its first answer, with as many sessions on disk.
    func start() throws {
        for (sessions, megabytes) in options.isQuick ? [(10, 1), (1000, 100)] : [(10, 1), (10000, 5000)] {
            let home = try Home()
            defer { home.remove() }
            progress("making \(sessions) sessions, \(megabytes) MB")
            try home.fill(sessions: sessions, bytesEach: megabytes * 1_000_000 / sessions)
            let port = try freePort()
            try home.configure()
            // The first start reads every log and writes the index; it is shown too, for it comes once after a copy.
            for (work, runs) in [("without an index", 1), ("with its index", options.runs)] {
                let work = "\(sessions) sessions of \(megabytes * 1000 / sessions) KB, \(work)"
                for run in 1...runs {
                    progress("\(suite): \(work), run \(run) of \(runs)")
                    waitForQuiet()
                    do {
                        results.add(
                            try measure(
                                binary("load"),
                                [
                                    "coldstart", "--port", "\(port)", "--limit", "100", "--settle", "2", "--",
                                    "/usr/bin/env",
                                ]
                                    + home.environment + [daemonProgram, "--port", "\(port)"], core: 0),
                            suite: suite, work: work, server: "daemon")
                    } catch {
                        results.add(problem: "\(suite), \(work): \(error)")
                        break
                    }
                }
            }
            if sessions == 10 { try loaded(home) }
        }
    }

    /// What the daemon holds when a client looks at its sessions.
    private func loaded(_ home: Home) throws {
        for run in 1...options.runs {
            progress("\(suite): 10 sessions loaded, run \(run) of \(options.runs)")
            waitForQuiet()
            let server = try Server(daemonOn: home)
            defer { server.stop() }
            let found = try measure(
                binary("load"),
                ["idle", "--port", "\(server.port)", "--pid", "\(server.pid)", "--before", "1", "--clients", "1"],
                core: 1)
            results.add(
                ["rssSettled": found["rssAfter"] ?? 0], suite: suite, work: "10 sessions loaded, two clients",
                server: "daemon")
        }
    }

    /// An agent's bytes through the daemon itself, for each adapter; and how soon clients know that it is gone.
    func pipe() throws {
        for (title, rate) in [("100 deltas/s each", 100), ("1000 deltas/s each", 1000), ("as fast as read", 0)] {
            agents("10 sessions, \(title)") { agent in
                var found = try throughAgents(
                    "pipe", agent, ["--sessions", "10", "--rate", "\(rate)", "--warmup", "1"],
                    duration: rate == 0 ? options.duration : options.pacedDuration)
                // How long a delta waits in a pipe that is always full says nothing.
                if rate == 0 { for key in ["p50Us", "p99Us", "maxUs"] { found[key] = nil } }
                return found
            }
        }
        agents("killed 20 times, 5 clients") { agent in
            try throughAgents("crash", agent, ["--clients", "5", "--crashes", "20"], duration: 1)
        }
    }

    /// Runs one measurement with an agent of each protocol, `runs` rounds.
    private func agents(_ work: String, _ body: (String) throws -> [String: Double]) {
        for run in 1...options.runs {
            for agent in ["claude", "acp", "codex"] {
                let work = "\(agent), \(work)"
                progress("\(suite): \(work), run \(run) of \(options.runs)")
                do {
                    results.add(try body(agent), suite: suite, work: work, server: "daemon")
                } catch {
                    results.add(problem: "\(suite), \(work): \(error)")
                }
            }
        }
    }

    private func throughAgents(
        _ mode: String, _ agent: String, _ arguments: [String], duration: Double
    ) throws -> [String: Double] {
        waitForQuiet()
        let home = try Home()
        defer { home.remove() }
        try home.addAgents()
        let server = try Server(daemonOn: home)
        defer { server.stop() }
        return try measure(
            binary("load"),
            [
                mode, "--port", "\(server.port)", "--pid", "\(server.pid)", "--provider", "bench-\(agent)",
                "--workspace", home.folder.path, "--duration", "\(duration)",
            ] + arguments, core: 1)
    }

    /// Requests and stream clients while the daemon restarts again and again. Nothing may be refused, lost or doubled,
    /// or there is no result.
    func restart() throws {
        let restarts = options.isQuick ? 5 : 20
        let work = "64 streams, 8 sessions, 1000 requests/s"
        for run in 1...options.runs {
            progress("\(suite): \(work), run \(run) of \(options.runs)")
            waitForQuiet()
            let home = try Home()
            defer { home.remove() }
            let server = try Server(daemonOn: home)
            defer { server.stop() }
            do {
                results.add(
                    try measure(
                        binary("load"),
                        [
                            "restart", "--port", "\(server.port)", "--pid", "\(server.pid)", "--workspace",
                            home.folder.path, "--sessions", "8", "--clients", "64", "--rate", "1000", "--restarts",
                            "\(restarts)", "--seed", "\(run)",
                        ], core: 1),
                    suite: suite, work: work, server: "daemon")
            } catch {
                results.add(problem: "\(suite), \(work): \(error)")
                break
            }
        }
    }

    func log() throws {
        // A file system in memory would make the sync of power mode look free.
        for durability in ["process", "power"] {
            for (burst, sessions) in [(1, 1), (64, 1), (64, 8)] {
                for size in [256, 2048] where size == 256 || (burst == 64 && sessions == 1) {
                    let work = "\(durability), \(sessions) sessions, \(burst) a turn, \(size) B"
                    for run in 1...options.runs {
                        progress("\(suite): \(work), run \(run) of \(options.runs)")
                        waitForQuiet()
                        results.add(
                            try measure(
                                binary("log-bench"),
                                [
                                    "--durability", durability, "--size", "\(size)", "--burst", "\(burst)",
                                    "--sessions",
                                    "\(sessions)", "--duration", "\(options.duration)",
                                ], core: 0),
                            suite: suite, work: work, server: "log")
                    }
                }
            }
        }
    }

    func decode() throws {
        for what in ["json-parse", "json-serialize", "claude", "acp", "codex"] {
            for run in 1...options.runs {
                progress("\(suite): \(what), run \(run) of \(options.runs)")
                waitForQuiet()
                results.add(
                    try measure(
                        binary("decode-bench"),
                        ["--what", what, "--fixtures", "Tests", "--duration", "\(options.duration)"], core: 0),
                    suite: suite, work: what, server: "decode")
            }
        }
    }
}

/// A port that was free a moment ago, for programs that are told theirs.
func freePort() throws -> Int {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(fd) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(fd, $0, length) == 0 && getsockname(fd, $0, &length) == 0
        }
    }
    guard isBound else { throw Problem("no port is free") }
    return Int(UInt16(bigEndian: address.sin_port))
}
