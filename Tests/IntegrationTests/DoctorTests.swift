import Foundation
import Glibc
import Installations
import JSON
import TestSupport
import Testing

/// `codeai-hub doctor`: each thing that can be wrong, made wrong.
@Suite(.timeLimit(.minutes(5))) struct DoctorTests {
    private struct Report {
        var findings: [JSON]
        var ok: Bool?
        var code: Int32

        func of(_ check: String) -> [JSON] { findings.filter { $0["check"]?.stringValue == check } }
        /// The messages of those that are not well.
        func wrong(_ check: String, _ level: String) -> [String] {
            of(check).filter { $0["level"]?.stringValue == level }.compactMap { $0["message"]?.stringValue }
        }
        var problems: [String] { findings.filter { $0["level"] == "problem" }.compactMap { $0["check"]?.stringValue } }
    }

    private func doctor(
        _ daemon: TestDaemon, _ arguments: [String] = [], _ environment: [String: String] = [:]
    ) throws -> Report {
        let result = try daemon.hub(["doctor", "--json"] + arguments, environment: environment)
        guard let json = try? JSON.parse(result.text) else { throw TestFailure("no JSON: \(result.text)") }
        return Report(findings: json["findings"]?.arrayValue ?? [], ok: json["ok"]?.boolValue, code: result.code)
    }

    private func hasPort(_ port: UInt16) -> JSONObject { ["server": ["port": JSON(Int(port))]] }

    @Test func aFreshMachineAndARunningDaemonAreWell() throws {
        let daemon = try TestDaemon(configuration: ["server": ["port": 0]])
        let before = try doctor(daemon)
        #expect(before.problems == [], "\(before.findings)")
        #expect(before.code == 0 && before.ok == true)
        let checks = Set(before.findings.compactMap { $0["check"]?.stringValue })
        #expect(
            checks == [
                "home", "config", "token", "port", "daemon", "providers", "sessions", "processes", "disk",
                "installation", "program", "service", "terminal",
            ])
        #expect(before.of("providers").contains { $0["message"]?.stringValue?.hasPrefix("Echo") == true })
        // Looking starts nothing.
        #expect(daemon.folder.read("hub/core/endpoint.json") == nil)
        try daemon.start()
        try daemon.turn("hello", in: try daemon.newSession())
        let running = try doctor(daemon)
        #expect(running.problems == [], "\(running.findings)")
        #expect(running.of("daemon").first?["message"]?.stringValue?.contains("\(daemon.pid)") == true)
        #expect(running.of("port").first?["message"]?.stringValue?.contains("\(daemon.port)") == true)
        #expect(running.of("sessions").first?["message"] == "1 log")
        let text = try daemon.hub(["doctor"])
        #expect(text.code == 0)
        #expect(text.text.contains("ok") && !text.text.contains("problem  "))
    }

    @Test func noHomeIsNoProblem() throws {
        let daemon = try TestDaemon()
        try FileManager.default.removeItem(atPath: daemon.home)
        let report = try doctor(daemon)
        #expect(report.code == 0)
        #expect(report.wrong("home", "warning").first?.contains("not there yet") == true)
        #expect(!FileManager.default.fileExists(atPath: daemon.home))
    }

    @Test func whatIsInstalledIsLookedAt() throws {
        let daemon = try TestDaemon()
        let home = InstallationHome(path: daemon.home)
        for text in ["1.0.0", "1.1.0"] {
            let release = TestRelease(text)
            let installer = try Installer(home)
            try installer.unpack(release.package(in: daemon.folder.path))
            try installer.switchTo(release.version)
        }
        #expect(try doctor(daemon).wrong("installation", "warning") == [])
        let place = home.folder(of: try #require(home.installed()))
        let others = home.folder(of: .core)
        // A trial that has begun, a link that leads elsewhere, what was left, other bytes.
        _ = DaemonTrial(home, program: place + "/codeai-hub").begin()
        unlink(home.currentLink)
        symlink("9.9.9", home.currentLink)
        mkdir(others + "/.staging-2.0.0", 0o700)
        try Data("x".utf8).write(to: URL(fileURLWithPath: place + "/LICENSE"))
        let report = try doctor(daemon)
        #expect(report.wrong("installation", "problem") == ["version 1.1.0: LICENSE has another size"])
        let warnings = report.wrong("installation", "warning")
        #expect(warnings.count == 3, "\(warnings)")
        #expect(warnings.contains { $0.contains("leads to 9.9.9, not to 1.1.0") })
        #expect(warnings.contains { $0.contains("started 1 times") })
        #expect(warnings.contains { $0.contains(".staging-2.0.0") })
        let fixed = try doctor(daemon, ["--fix"])
        #expect(fixed.of("installation").contains { $0["mended"] == true })
        #expect(home.currentTarget == "1.1.0")
        #expect(try FileManager.default.contentsOfDirectory(atPath: others).count == 3)
        try daemon.folder.write("hub/installed-versions.json", "{")
        #expect(try doctor(daemon).wrong("installation", "problem").contains { $0.contains("no JSON object") })
        _ = try doctor(daemon, ["--fix"])
        #expect(home.installed()?.description == "1.1.0")
    }

    @Test func permissionsAreFoundAndMended() throws {
        let daemon = try TestDaemon.running(configuration: ["server": ["port": 0]])
        try daemon.stop()
        chmod(daemon.home + "/core/token", 0o644)
        chmod(daemon.home + "/core/config.json", 0o664)
        chmod(daemon.home + "/sessions", 0o777)
        let report = try doctor(daemon)
        #expect(report.code == 1)
        #expect(report.wrong("token", "problem").count == 1)
        #expect(report.wrong("home", "problem").first?.contains("/sessions (mode 777)") == true)
        #expect(report.wrong("config", "problem").contains { $0.contains("others may change") })
        #expect(report.of("token").first?["mend"]?.stringValue?.hasPrefix("chmod 600") == true)
        let fixed = try doctor(daemon, ["--fix"])
        #expect(fixed.findings.count { $0["mended"] == true } == 3)
        #expect(try doctor(daemon).problems == [])
        try daemon.start()
    }

    @Test func theFilesOfTheHomeAreLookedAt() throws {
        let daemon = try TestDaemon.running()
        try daemon.stop()
        try daemon.folder.write("hub/core/token", "short")
        try daemon.folder.write("hub/core/config.json", "{\n  \"limits\": {\"maxClients\": 0}\n}")
        try daemon.folder.write("hub/sessions/00000000-0000-4000-8000-000000000000.jsonl", "not a log\n")
        try daemon.folder.write("hub/sessions/x.jsonl.torn", "{")
        let report = try doctor(daemon)
        #expect(report.wrong("token", "problem").first?.contains("no token") == true)
        #expect(report.wrong("config", "problem").first?.contains("config.json:2: limits.maxClients must be") == true)
        #expect(report.of("config").first?["mend"] == "codeai-hub config edit")
        #expect(report.wrong("sessions", "problem").first?.contains("00000000-0000") == true)
        #expect(report.wrong("sessions", "warning").first?.contains("1 files") == true)
        #expect(report.code == 1)
        // A home that is reached through a link.
        symlink(daemon.home, daemon.folder.path + "/link")
        let link = try doctor(daemon, ["--home", daemon.folder.path + "/link"])
        #expect(link.wrong("home", "warning").first?.contains("symbolic link") == true)
    }

    @Test func aFolderOfSomebodyElseIsFound() throws {
        let daemon = try TestDaemon()
        // Whose `/` is, unless we may do everything: then one that was given away.
        var home = "/"
        if getuid() == 0 {
            home = daemon.home
            chown(home, 65534, 65534)
        }
        let report = try doctor(daemon, ["--home", home])
        #expect(report.wrong("home", "problem").first?.contains("belongs to another user") == true)
        #expect(report.code == 1)
    }

    @Test func whatWasMendedInLogsIsSaid() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("hello", in: session)
        try daemon.stop()
        let path = daemon.home + "/sessions/\(session).jsonl"
        let file = try #require(FileHandle(forWritingAtPath: path))
        try file.seekToEnd()
        try file.write(contentsOf: Data("{\"seq\":9999,\"ts".utf8))
        try file.close()
        try daemon.start()
        let report = try doctor(daemon)
        let found = report.of("sessions").first { $0["message"]?.stringValue?.contains(session) == true }
        #expect(found?["level"] == "warning")
        #expect(found?["mend"]?.stringValue?.contains("kept in") == true)
        #expect(report.code == 0)
    }

    @Test func aProviderThatFailsOrIsSwitchedOffIsSaid() throws {
        let daemon = try TestDaemon.running(configuration: ["sessions": ["circuitFailures": 1]])
        try daemon.turn("[[crash:3]]", in: try daemon.newSession())
        #expect(try doctor(daemon).wrong("providers", "warning").first?.contains("failed again and again") == true)
        try daemon.call("PATCH", "/providers/echo", ["enabled": false])
        let echo = try doctor(daemon).of("providers").first { $0["message"] == "Echo is disabled" }
        #expect(echo?["mend"] == "codeai-hub providers enable echo")
    }

    /// What answers at the daemon's address is of another version, or no daemon at all.
    @Test func whoAnswersIsLookedAt() throws {
        let daemon = try TestDaemon()
        let other = LoopbackHTTP { request, peer in
            let body =
                switch request.path {
                case "/health": #"{"status":"ok"}"#
                case "/api/v1/status": #"{"core":{"version":"9.9.9","host":"127.0.0.1","port":1},"providers":[]}"#
                default: #"{"providers":[],"problems":[]}"#
                }
            return peer.answer(200, ["content-type": "application/json"], Array(body.utf8))
        }
        defer { other.stop() }
        let stranger = LoopbackHTTP { _, peer in peer.answer(404, [:], []) }
        defer { stranger.stop() }
        func endpoint(_ port: UInt16) throws {
            try daemon.folder.write("hub/core/endpoint.json", #"{"host":"127.0.0.1","port":\#(port),"pid":1}"#)
        }
        try endpoint(other.port)
        let version = try doctor(daemon).wrong("daemon", "warning")
        #expect(version.first?.contains("version 9.9.9") == true)
        try endpoint(stranger.port)
        let report = try doctor(daemon)
        #expect(report.wrong("daemon", "problem").first?.contains("is it another program?") == true)
        #expect(report.code == 1)
        // The program beside this one, too.
        try daemon.folder.write("core", "#!/bin/sh\necho codeai-hub-core 9.9.9\n")
        chmod(daemon.folder.path + "/core", 0o700)
        let program = try doctor(daemon, [], ["CODEAI_HUB_CORE": daemon.folder.path + "/core"])
        #expect(program.wrong("program", "warning").first?.contains("9.9.9") == true)
    }

    @Test func aTakenPortIsNamedWithItsHolder() throws {
        let other = try TestDaemon.running()
        let daemon = try TestDaemon(configuration: hasPort(other.port))
        let report = try doctor(daemon)
        #expect(report.wrong("port", "problem").first?.contains("process \(other.pid)") == true, "\(report.of("port"))")
        #expect(report.code == 1)
        try other.stop()
        #expect(try doctor(daemon).wrong("port", "problem") == [])
        #expect(try daemon.hub(["config", "set", "server.host", "0.0.0.0"]).code == 0)
        #expect(try doctor(daemon).wrong("port", "problem").first?.contains("from elsewhere") == true)
        daemon.environment["CORE_PORT"] = "0"
        #expect(try daemon.runToEnd().code != 0)
    }

    @Test func aKilledDaemonsTracesAreFound() throws {
        let daemon = try TestDaemon.running(configuration: ["server": ["port": 0]])
        let session = try daemon.newSession()
        try daemon.say("[[child:120 detached]] [[stall:120]]", in: session)
        try eventually("the agent's child runs") { daemon.children.count >= 2 }
        try daemon.kill()
        let report = try doctor(daemon)
        #expect(report.wrong("daemon", "warning").first?.contains("it was killed") == true)
        let left = try #require(report.wrong("processes", "warning").first)
        for process in daemon.survivors { #expect(left.contains("\(process.pid)"), "\(left)") }
        #expect(try doctor(daemon, ["--fix"]).wrong("daemon", "warning") == [])
        #expect(daemon.folder.read("hub/core/endpoint.json") == nil)
        // As it says: the next daemon ends them.
        try daemon.start()
        try eventually("they are gone") { daemon.survivors.isEmpty }
        #expect(try doctor(daemon).wrong("processes", "warning") == [])
    }

    @Test func aDaemonThatDoesNotAnswerIsAProblem() throws {
        let daemon = try TestDaemon.running()
        unlink(daemon.home + "/core/endpoint.json")
        let report = try doctor(daemon)
        #expect(report.wrong("daemon", "problem").first?.contains("holds the home") == true)
        #expect(report.code == 1)
    }

    @Test func whatNeedsARestartOrCannotBeReadIsSaid() throws {
        let daemon = try TestDaemon.running()
        try daemon.call("PATCH", "/settings", ["sessions": ["durability": "power"]])
        #expect(try doctor(daemon).wrong("config", "warning").first?.contains("sessions.durability") == true)
    }

    @Test func providersAreLookedAtWithAndWithoutADaemon() throws {
        let daemon = try TestDaemon(configuration: ["server": ["port": 0]])
        let tool = daemon.folder.path + "/tool"
        try daemon.folder.write("tool", "#!/bin/sh\necho 'tool 1.2.3'\n")
        chmod(tool, 0o700)
        func manifest(_ id: String, _ program: String, _ more: JSONObject) throws {
            let manifest: JSONObject = ["id": JSON(id), "adapter": "acp", "command": [JSON(program)]]
            try daemon.folder.write(
                "hub/providers/\(id)/module.json", JSON.object(manifest.merging(more)).description)
        }
        try manifest("old", tool, ["version": ["arguments": ["--version"], "minimum": "9.0.0"]])
        try manifest("absent", "/no/such/program", [:])
        try manifest(
            "stranger", tool, ["authentication": ["files": ["/no/such/login"]], "login": ["hint": "log in there"]])
        try daemon.folder.write("hub/providers/broken/module.json", "{")
        for round in 0..<2 {
            if round == 1 {
                try daemon.start()
                try eventually("the version was asked for") {
                    try daemon.call("GET", "/providers/old")["version"] == "1.2.3"
                }
            }
            let report = try doctor(daemon)
            let problems = report.wrong("providers", "problem")
            #expect(
                problems.contains { $0.hasPrefix("old 1.2.3 can't be used") && $0.contains("9.0.0") },
                "\(report.of("providers"))")
            #expect(problems.contains { $0.contains("broken/module.json") })
            let stranger = report.of("providers").first { $0["message"]?.stringValue?.contains("stranger") == true }
            #expect(stranger?["level"] == "warning" && stranger?["mend"] == "log in there")
            let absent = report.of("providers").first { $0["message"]?.stringValue?.contains("absent") == true }
            #expect(absent?["message"] == "absent is not installed" && absent?["level"] == "ok")
            #expect(report.code == 1)
        }
    }

    @Test func theSurroundingsAreLookedAt() throws {
        let daemon = try TestDaemon()
        let report = try doctor(daemon, [], ["LANG": "C", "CODEAI_HUB_CORE": "/bin/false", "TMPDIR": "/proc"])
        #expect(report.wrong("terminal", "warning").first?.contains("not UTF-8") == true)
        #expect(report.wrong("program", "problem").first?.contains("/bin/false") == true)
        #expect(report.wrong("disk", "problem").first?.contains("0 MiB free for temporary files") == true)
        #expect(report.of("service").first?["message"]?.stringValue?.hasPrefix("not installed") == true)
        let missing = try doctor(daemon, [], ["CODEAI_HUB_CORE": "/no/such"])
        #expect(missing.wrong("program", "problem").count == 1)
        #expect(missing.wrong("providers", "warning").count == 1)
        // Whose that is nobody knows.
        try daemon.folder.write(".config/systemd/user/codeai-hub.service", "")
        #expect(
            try doctor(daemon).wrong("service", "warning").contains { $0.contains("codeai-hub.service is foreign") })
    }
}
