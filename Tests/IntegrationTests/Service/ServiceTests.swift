import Foundation
import JSON
import TestSupport
import Testing

/// The daemon under a real service manager.
@Suite(.timeLimit(.minutes(4))) struct ServiceTests {
    private static func freePort() throws -> UInt16 {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(fd) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, length) == 0 && getsockname(fd, $0, &length) == 0
            }
        }
        guard isBound else { throw TestFailure("no port: \(String(cString: strerror(errno)))") }
        return UInt16(bigEndian: address.sin_port)
    }

    /// Whatever has to start for it first.
    private func health(_ port: UInt16) throws -> JSON {
        let connection = try RawConnection(port: port)
        try connection.send("GET /health HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n")
        guard let response = try connection.response(within: .seconds(30)), response.status == 200 else {
            throw TestFailure("no health on \(port)")
        }
        return response.json
    }

    /// systemd's own tool for trying out what is activated by its socket.
    @Test func systemdSocketActivateStartsItForTheFirstConnection() throws {
        let daemon = try TestDaemon(configuration: ["lifecycle": ["idleShutdown": 0.5]])
        let port = try Self.freePort()
        daemon.launcher =
            ["/usr/bin/systemd-socket-activate", "--listen=127.0.0.1:\(port)"]
            + daemon.environment.keys.sorted().map { "--setenv=\($0)" }
        // It listens a moment after it has begun; nobody but a connection has the daemon start.
        let early = Later<JSON?> { [self] in
            var answer: JSON?
            try? eventually("somebody listens on \(port)", within: .seconds(20)) {
                answer = try? health(port)
                return answer != nil
            }
            return answer
        }
        try daemon.start()
        #expect(early.value(within: 30)??["status"] == "ok")
        #expect(daemon.port == port)
        let pid = daemon.pid
        try daemon.restartItself()
        #expect(daemon.pid == pid && daemon.port == port)
        usleep(1_200_000)
        #expect(try daemon.http("GET", "/health").status == 200)
        #expect(try daemon.stop().code == 0)
    }

    /// Start by socket, crash, hang, restart, update, stop and removal, with a systemd of a user.
    @Test(.disabled(if: UserSystemd.isGivenUp, "CODEAI_HUB_TEST_WITHOUT_SYSTEMD says that there is none here"))
    func aLifeUnderSystemd() throws {
        let port = try Self.freePort()
        let daemon = try TestDaemon(configuration: ["server": ["port": JSON(Int(port))]])
        let systemd = try UserSystemd(daemon)
        @discardableResult
        func hub(_ arguments: String...) throws -> JSON {
            let result = try run(
                TestDaemon.programs + "/codeai-hub", arguments + ["--json"], environment: systemd.environment)
            guard result.code == 0, let json = try? JSON.parse(result.output) else {
                throw TestFailure("\(arguments) ended with \(result.code): \(result.text)")
            }
            return json
        }
        func mainPid() throws -> Int { Int(try systemd.show("MainPID")) ?? -1 }
        func log(_ session: String) throws -> [JSON] { try daemon.sessionLog(session) }

        // Nothing runs until somebody comes.
        #expect(try hub("service", "install")["address"]?.stringValue == "127.0.0.1:\(port)")
        #expect(try systemd.show("ActiveState") == "inactive")
        #expect(try hub("service", "status")["enabled"] == true)
        let first = try health(port)
        #expect(try systemd.show("ActiveState") == "active")
        #expect(try systemd.show("StatusText").contains("0 sessions"))
        let pid = try mainPid()
        #expect(try hub("service")["pid"]?.intValue == pid)
        #expect(try hub("start")["started"] == false)
        _ = try run(
            TestDaemon.programs + "/codeai-hub", ["new", "echo", "[[text:hi]]"], environment: systemd.environment)
        let session = try #require(try hub("sessions")["sessions"]?[0]?["id"]?.stringValue)
        let records = try log(session)

        // Killed, it is back for whoever comes, and nothing is lost.
        kill(Int32(pid), SIGKILL)
        let second = try health(port)
        #expect(second["instanceId"] != first["instanceId"])
        #expect(try systemd.show("NRestarts") == "1")
        #expect(Array(try log(session).prefix(records.count)) == records)

        // Hung, too.
        try systemd.override("[Service]\nWatchdogSec=2\n")
        #expect(try systemd.control("restart", "codeai-hub.service").code == 0)
        let hung = try mainPid()
        kill(Int32(hung), SIGSTOP)
        let begin = ContinuousClock.now
        _ = try health(port)
        print("the watchdog brought a hung daemon back in \(ContinuousClock.now - begin), with WatchdogSec=2")
        #expect(try mainPid() != hung)
        #expect(try systemd.show("NRestarts") != "0")
        let crashes = try FileManager.default.contentsOfDirectory(atPath: daemon.home + "/logs").filter {
            $0.hasPrefix("crash-")
        }
        #expect(
            try crashes.contains {
                try String(contentsOfFile: daemon.home + "/logs/" + $0, encoding: .utf8).contains("watchdog")
            })

        // A restart is the same process, and to systemd the same run.
        let (steady, restarts) = (try mainPid(), try systemd.show("NRestarts"))
        #expect(try hub("restart")["pid"]?.intValue == steady)
        #expect(try mainPid() == steady)
        try eventually("systemd hears that it serves") { try systemd.show("ActiveState") == "active" }

        // A release: the unit follows what is installed.
        #if arch(x86_64)
            let core = daemon.home + "/core/linux-x64"
        #else
            let core = daemon.home + "/core/linux-arm64"
        #endif
        func install(_ version: String) throws {
            try writeProgram(
                "\(core)/\(version)/codeai-hub-core",
                """
                #!/bin/sh
                case "$*" in *--version) echo "codeai-hub-core \(version)"; exit 0 ;; esac
                HUB_TEST_VERSION=\(version) exec "\(TestDaemon.executable)" "$@"
                """)
            for folder in [core + "/" + version, core] { chmod(folder, 0o700) }
            try? FileManager.default.removeItem(atPath: core + "/current")
            try FileManager.default.createSymbolicLink(atPath: core + "/current", withDestinationPath: version)
            try daemon.folder.write("hub/installed-versions.json", #"{"core":"\#(version)"}"#)
        }
        func version() throws -> String? {
            let environment = try String(
                decoding: Data(contentsOf: URL(filePath: "/proc/\(mainPid())/environ")), as: UTF8.self)
            return environment.split(separator: "\0").first { $0.hasPrefix("HUB_TEST_VERSION=") }.map {
                String($0.dropFirst(17))
            }
        }
        try install("1.0.0")
        #expect(try hub("service")["files"]?[0]?["state"] == "outdated")
        #expect(try hub("service", "install", "--stop")["program"]?.stringValue == core + "/current/codeai-hub-core")
        _ = try health(port)
        #expect(try version() == "1.0.0")
        let before = try mainPid()
        try install("2.0.0")
        #expect(try hub("restart")["pid"]?.intValue == before)
        #expect(try version() == "2.0.0")
        kill(Int32(before), SIGKILL)
        _ = try health(port)
        #expect(try version() == "2.0.0")
        #expect(Array(try log(session).prefix(records.count)) == records)

        // Stopped, it stays away until somebody comes; a client knows whom to ask.
        #expect(try hub("stop")["comesBack"] == true)
        try eventually("it is gone") { try systemd.show("ActiveState") == "inactive" }
        #expect(try hub("start")["started"] == true)
        #expect(try systemd.show("ActiveState") == "active")
        // Also when the socket is closed, as after too many failures.
        #expect(try systemd.control("stop", "codeai-hub.socket").code == 0)
        #expect(try hub("start")["started"] == true)
        #expect(try systemd.show("ActiveState", of: "codeai-hub.socket") == "active")

        let last = try mainPid()
        #expect(try hub("service", "remove")["removed"] == true)
        #expect(kill(Int32(last), 0) != 0)
        #expect(try systemd.show("LoadState") == "not-found")
        let left = systemd.environment["XDG_CONFIG_HOME"]! + "/systemd/user"
        #expect(
            FileManager.default.subpaths(atPath: left)?.filter { !$0.contains(".d") && !$0.hasSuffix(".wants") } == [])
        #expect(restarts != "")
    }

    /// Without a socket it starts with the login, and a client asks systemd for it.
    @Test(.disabled(if: UserSystemd.isGivenUp, "CODEAI_HUB_TEST_WITHOUT_SYSTEMD says that there is none here"))
    func withoutASocket() throws {
        let port = try Self.freePort()
        let daemon = try TestDaemon(configuration: [
            "server": ["port": JSON(Int(port))], "lifecycle": ["idleShutdown": 0.2],
        ])
        let systemd = try UserSystemd(daemon)
        func hub(_ arguments: String...) throws -> ProgramRun {
            try run(TestDaemon.programs + "/codeai-hub", arguments + ["--json"], environment: systemd.environment)
        }
        let installed = try hub("service", "install", "--no-socket")
        #expect(installed.code == 0, Comment(rawValue: installed.text))
        #expect(try systemd.show("ActiveState") == "active")
        #expect(try systemd.show("UnitFileState") == "enabled")
        usleep(1_200_000)
        let pid = try systemd.show("MainPID")
        #expect(try health(port)["status"] == "ok")
        #expect(try hub("stop").output.contains(#""comesBack":false"#))
        try eventually("it is gone") { try systemd.show("ActiveState") == "inactive" }
        #expect(try JSON.parse(hub("start").output)["started"] == true)
        #expect(try systemd.show("ActiveState") == "active")
        #expect(try systemd.show("MainPID") != pid)
        #expect(try hub("doctor").output.contains("codeai-hub.service is active"))
        // A configuration that it can't start with is told at once, and is no reason to try again and again.
        #expect(try hub("stop").code == 0)
        try daemon.folder.write("hub/core/config.json", "{oops")
        #expect(try hub("start").code == 3)
        #expect(try systemd.show("NRestarts") == "0")
        #expect(try systemd.show("StatusText").contains("configuration"))
        #expect(try hub("service", "remove").code == 0)
    }
}
