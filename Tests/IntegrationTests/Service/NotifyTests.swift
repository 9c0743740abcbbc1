import Foundation
import JSON
import TestSupport
import Testing

/// What a service manager hears of the daemon (sd_notify(3)), and its journal sees.
@Suite(.timeLimit(.minutes(2))) struct NotifyTests {
    private func daemon(_ socket: String, watchdog: Int? = nil) throws -> TestDaemon {
        let daemon = try TestDaemon(environment: ["NOTIFY_SOCKET": socket])
        if let watchdog {
            daemon.environment["WATCHDOG_USEC"] = "\(watchdog)"
            // Nobody but the process itself knows its number beforehand.
            daemon.launcher = ["/bin/sh", "-c", #"export WATCHDOG_PID=$$; exec "$0" "$@""#]
        }
        return daemon
    }

    @Test func readyAliveRestartingStopping() throws {
        let folder = try TemporaryFolder("notify")
        let manager = try NotifySocket(folder.path + "/notify")
        let daemon = try daemon(manager.address, watchdog: 400_000)
        try daemon.start()
        #expect(try manager.message("READY") == ["READY": "1", "STATUS": "0 sessions, 0 running; 0 clients"])
        for _ in 0..<5 { #expect(try manager.message("WATCHDOG") == ["WATCHDOG": "1"]) }

        let session = try daemon.newSession()
        try daemon.turn("[[text:hi]]", in: session)
        #expect(try manager.message("STATUS")["STATUS"] == "1 sessions, 0 running; 0 clients")
        // Agents don't speak in the daemon's name.
        let environments = try daemon.children.map { try Data(contentsOf: URL(filePath: "/proc/\($0.pid)/environ")) }
        #expect(!environments.isEmpty)
        for environment in environments {
            let text = String(decoding: environment, as: UTF8.self)
            #expect(!text.contains("NOTIFY_SOCKET") && !text.contains("WATCHDOG"))
        }

        // Twice: what the first passes on has to be whole.
        for _ in 0..<2 {
            try daemon.restartItself()
            let reloading = try manager.message("RELOADING")
            #expect(Int(reloading["MONOTONIC_USEC"] ?? "") ?? 0 > 0)
            #expect(Int(reloading["EXTEND_TIMEOUT_USEC"] ?? "") ?? 0 >= 15_000_000)
            #expect(try manager.message("READY")["STATUS"] != nil)
            for _ in 0..<3 { _ = try manager.message("WATCHDOG") }
        }

        // One whose loop stands still says nothing.
        kill(daemon.pid, SIGSTOP)
        usleep(100_000)
        try manager.drain()
        #expect(try manager.next(within: .milliseconds(1500)) == nil)
        kill(daemon.pid, SIGCONT)
        _ = try manager.message("WATCHDOG")

        #expect(try daemon.stop().code == 0)
        let stopping = try manager.message("STOPPING")
        #expect(Int(stopping["EXTEND_TIMEOUT_USEC"] ?? "") == 20_000_000)
    }

    @Test func anAbstractAddressAndNobodysWatchdog() throws {
        let manager = try NotifySocket("@codeai-hub-test-\(UUID().uuidString)")
        let daemon = try daemon(manager.address)
        // Meant for another process.
        daemon.environment["WATCHDOG_USEC"] = "100000"
        daemon.environment["WATCHDOG_PID"] = "1"
        try daemon.start()
        _ = try manager.message("READY")
        #expect(try manager.next(within: .seconds(1)) == nil)
        #expect(try daemon.stop().code == 0)
        _ = try manager.message("STOPPING")
    }

    @Test(arguments: ["/nowhere/notify", "relative", "/" + String(repeating: "x", count: 200), ""])
    func whoCantBeToldIsNotTold(address: String) throws {
        let daemon = try daemon(address, watchdog: 50_000)
        try daemon.start()
        #expect(try daemon.http("GET", "/health").status == 200)
        #expect(try daemon.stop().code == 0)
    }

    /// A manager that doesn't read for a while: the daemon serves, and what matters comes later.
    @Test func aFullQueueDoesntHoldTheDaemon() throws {
        let folder = try TemporaryFolder("notify")
        let manager = try NotifySocket(folder.path + "/notify")
        let daemon = try daemon(manager.address, watchdog: 2000)
        try daemon.start()
        // Enough for any queue (net.unix.max_dgram_qlen).
        usleep(1_500_000)
        #expect(try daemon.http("GET", "/health").status == 200)
        #expect(try manager.message("READY")["READY"] == "1")
        try manager.drain()
        _ = try manager.message("WATCHDOG")
        kill(daemon.pid, SIGTERM)
        _ = try manager.message("STOPPING")
        #expect(try daemon.waitForExit().code == 0)
    }

    @Test func whyItDidntStartIsSaid() throws {
        let folder = try TemporaryFolder("notify")
        let manager = try NotifySocket(folder.path + "/notify")
        let daemon = try TestDaemon(
            configuration: ["limits": ["maxClients": "many"]], environment: ["NOTIFY_SOCKET": manager.address])
        #expect(try daemon.runToEnd().code == 5)
        let status = try manager.message("STATUS")
        #expect(status["STATUS"]?.contains("limits.maxClients") == true)
        #expect(status["READY"] == nil)
    }

    /// systemd's journal takes a line's level from its beginning; elsewhere lines are JSON alone.
    @Test(arguments: [true, false]) func theJournalHasLevels(isJournal: Bool) throws {
        let daemon = try TestDaemon()
        let stream = isJournal ? "$(stat -L -c %d:%i /proc/self/fd/2)" : "1:2"
        daemon.launcher = [
            "/bin/bash", "-c",
            "exec 2> >(exec cat > '\(daemon.folder.path)/stderr'); export JOURNAL_STREAM=\(stream); exec \"$0\" \"$@\"",
        ]
        try daemon.start()
        func lines() -> [Substring] { (daemon.folder.read("stderr") ?? "").split(separator: "\n") }
        // The reader is a child of the daemon's, and ends with it.
        try eventually("\(lines())") { lines().contains { $0.contains(#""message":"ready""#) } }
        #expect(try daemon.stop().code == 0)
        let prefixes = Set(lines().map { $0.prefix { $0 != "{" } })
        if isJournal {
            #expect(prefixes.isSubset(of: ["<7>", "<6>", "<4>", "<3>"]))
            #expect(prefixes.contains("<6>"))
            #expect(lines().allSatisfy { $0.hasPrefix("<6>") == $0.contains(#""level":"info""#) })
        } else {
            #expect(prefixes == [""])
        }
    }
}
