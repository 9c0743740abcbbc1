import Foundation
import JSON
import TestSupport
import Testing

/// `codeai-hub service`: the files that it writes, what it does to those that are there, and what systemd's own tools
/// think of them.
@Suite(.timeLimit(.minutes(3))) struct ServiceCommandTests {
    private static let units = "config/systemd/user/"

    /// A home with spaces and what else systemd and XML read in their own way; and a `systemctl` that writes down what it
    /// is asked, if any.
    private func machine(port: Int = 8080, systemctl: String? = "exit 0") throws -> TestDaemon {
        let daemon = try TestDaemon()
        daemon.environment["CODEAI_HUB_HOME"] = daemon.folder.path + "/a home, 100% $HOME & <more>"
        daemon.environment["XDG_CONFIG_HOME"] = daemon.folder.path + "/config"
        daemon.environment["CORE_PORT"] = nil
        try daemon.folder.write(
            "a home, 100% $HOME & <more>/core/config.json",
            #"{"schemaVersion":1,"server":{"port":\#(port)},"lifecycle":{"graceMs":7500}}"#)
        chmod(daemon.environment["CODEAI_HUB_HOME"]!, 0o700)
        if let systemctl {
            try writeProgram(
                daemon.folder.path + "/bin/systemctl",
                "#!/bin/sh\necho \"$*\" >> '\(daemon.folder.path)/asked'\n\(systemctl)\n")
        }
        // Nothing of this machine's own manager.
        daemon.environment["PATH"] = daemon.folder.path + "/bin:/usr/games:bin"
        return daemon
    }

    private var platform: String {
        #if arch(x86_64)
            "linux-x64"
        #else
            "linux-arm64"
        #endif
    }

    private func json(_ run: ProgramRun) throws -> JSON {
        guard let json = try? JSON.parse(run.output) else { throw TestFailure("no JSON: \(run.text)") }
        return json
    }

    /// Has the files printed and writes them where systemd's tools can read them.
    private func printed(_ daemon: TestDaemon, _ options: [String]) throws -> [String: String] {
        let answer = try json(daemon.tool(["service", "install", "--print", "--json"] + options))
        var texts: [String: String] = [:]
        for file in answer["files"]?.arrayValue ?? [] {
            let name = (file["path"]?.stringValue as NSString?)?.lastPathComponent ?? ""
            texts[name] = file["text"]?.stringValue
            try daemon.folder.write("printed/" + name, texts[name] ?? "")
        }
        return texts
    }

    private func systemd(_ daemon: TestDaemon, _ arguments: String...) throws -> ProgramRun {
        try run(
            "/usr/bin/systemd-analyze", arguments,
            environment: [
                "PATH": "/usr/bin:/bin", "HOME": daemon.folder.path, "LANG": "C.UTF-8",
                "XDG_RUNTIME_DIR": daemon.folder.path,
            ],
            in: daemon.folder.path + "/printed")
    }

    /// Why no less than this: of an ordinary user's service nothing can be taken away that would count and that an agent
    /// doesn't need. Most points are for capabilities, which such a service has none of; the tool counts as if it were
    /// root's. Namespaces and mounts are what agents' own sandboxes are made of; files, /tmp, devices and the network are
    /// what they work with. `--hardened` takes what is left: see doc/service.md.
    @Test(arguments: [([String](), 9.8), (["--hardened"], 7.8), (["--no-socket"], 9.8)])
    func systemdTakesTheUnits(options: [String], exposure: Double) throws {
        let daemon = try machine()
        // An installed release: systemd looks for its program, so that the words have to be right.
        let program = try #require(daemon.environment["CODEAI_HUB_HOME"]) + "/core/\(platform)/current/codeai-hub-core"
        try writeProgram(program, "#!/bin/sh\n")
        let texts = try printed(daemon, options)
        let names = texts.keys.sorted()
        #expect(names == ["codeai-hub.service"] + (options == ["--no-socket"] ? [] : ["codeai-hub.socket"]))
        for name in names {
            let verified = try systemd(daemon, "--user", "verify", name)
            #expect(verified.code == 0)
            #expect(verified.text.isEmpty, Comment(rawValue: verified.text))
        }
        let judged = try systemd(
            daemon, "--user", "security", "--offline=true", "--no-pager",
            "--threshold=\(Int(exposure * 10))", "codeai-hub.service")
        #expect(judged.code == 0)
        let line = judged.output.split(separator: "\n").last { $0.contains("Overall exposure level") } ?? ""
        print("systemd-analyze security \(options): \(line)")
        let score = line.split(whereSeparator: { $0 == " " }).compactMap { Double($0) }.first
        #expect(try #require(score) <= exposure, Comment(rawValue: judged.text))
        let service = try #require(texts["codeai-hub.service"])
        #expect(service.contains("TimeoutStopSec=23\n"))
        // What systemd makes of the words.
        #expect(service.contains(#"100%% $HOME & <more>/core/"#))
        #expect(service.contains(#"100%% $HOME & <more>""#))
        #expect(service.contains("Environment=PATH=\(daemon.folder.path)/bin:/usr/games\n"))
        #expect(service.contains("Requires=codeai-hub.socket") == (texts["codeai-hub.socket"] != nil))
        #expect(!FileManager.default.fileExists(atPath: daemon.folder.path + "/config"))
    }

    @Test func whatSystemdCantStartIsRefused() throws {
        let daemon = try machine()
        let program = daemon.folder.path + "/it's/codeai-hub-core"
        try writeProgram(program, "#!/bin/sh\n")
        daemon.environment["CODEAI_HUB_CORE"] = program
        let refused = try daemon.tool(["service", "install", "--print", "--json"])
        #expect(try json(refused)["error"]?["code"] == "invalid_path")
        // Where it can only be in a variable it does no harm.
        daemon.environment["CODEAI_HUB_CORE"] = nil
        daemon.environment["CODEAI_HUB_HOME"] = daemon.folder.path + #"/my "own" \ 'home'"#
        let texts = try printed(daemon, [])
        #expect(try systemd(daemon, "--user", "verify", "codeai-hub.service").text == "")
        #expect(texts["codeai-hub.service"]?.contains(#"/my \"own\" \\ 'home'""#) == true)
    }

    @Test func launchdTakesTheList() throws {
        let daemon = try machine()
        let texts = try printed(daemon, ["--for", "launchd"])
        let file = daemon.folder.path + "/printed/com.codeai-hub.core.plist"
        #expect(texts.keys.sorted() == ["com.codeai-hub.core.plist"])
        let script = "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))"
        let list = try json(run("python3", ["-c", script, file]))
        #expect(list["Label"] == "com.codeai-hub.core")
        #expect(list["ProgramArguments"]?[0]?.stringValue == TestDaemon.executable)
        #expect(list["EnvironmentVariables"]?["CODEAI_HUB_HOME"]?.stringValue == daemon.environment["CODEAI_HUB_HOME"])
        #expect(list["EnvironmentVariables"]?["CODEAI_HUB_SERVICE"] == "1")
        #expect(list["RunAtLoad"] == true && list["KeepAlive"]?["SuccessfulExit"] == false)
        #expect(list["ExitTimeOut"] == 23)
        // Only printed here.
        #expect(try daemon.tool(["service", "install", "--for", "launchd"]).code == 2)
    }

    @Test func whatAServiceOfLaunchdsIsDoesntEndForWantOfClients() throws {
        let daemon = try TestDaemon(
            configuration: ["lifecycle": ["idleShutdown": 0.2]], environment: ["CODEAI_HUB_SERVICE": "1"])
        try daemon.start()
        usleep(1_500_000)
        #expect(try daemon.http("GET", "/health").status == 200)
    }

    @Test func filesAreWrittenKeptAndRemoved() throws {
        let daemon = try machine()
        let (service, socket) = (Self.units + "codeai-hub.service", Self.units + "codeai-hub.socket")
        #expect(try daemon.tool(["service"]).code == 1)
        let installed = try daemon.tool(["service", "install", "--json"])
        #expect(installed.code == 0, Comment(rawValue: installed.text))
        #expect(try json(installed)["address"] == "127.0.0.1:8080")
        let text = try #require(daemon.folder.read(service))
        #expect(daemon.folder.read(socket)?.contains("ListenStream=127.0.0.1:8080\n") == true)
        let asked = daemon.folder.read("asked") ?? ""
        #expect(asked.contains("daemon-reload\n"))
        #expect(asked.hasSuffix("enable --now codeai-hub.socket\n"))
        var status = try json(daemon.tool(["service", "status", "--json"]))
        #expect(status["installed"] == true)
        #expect(status["files"]?.arrayValue?.map { $0["state"]?.stringValue } == ["current", "current"])

        // Another configuration: the files are behind, and an installation takes it up.
        let home = try #require(daemon.environment["CODEAI_HUB_HOME"])
        try #"{"schemaVersion":1,"server":{"host":"::1","port":9090}}"#
            .write(toFile: home + "/core/config.json", atomically: false, encoding: .utf8)
        status = try json(daemon.tool(["service", "--json"]))
        #expect(status["files"]?.arrayValue?.map { $0["state"]?.stringValue } == ["outdated", "outdated"])
        #expect(status["configuredAddress"] == "::1:9090")
        let findings = try json(daemon.tool(["doctor", "--json"]))["findings"]?.arrayValue ?? []
        #expect(findings.contains { $0["check"] == "service" && $0["level"] == "warning" }, "\(findings)")
        #expect(try daemon.tool(["service", "install"]).code == 0)
        #expect(daemon.folder.read(socket)?.contains("ListenStream=[::1]:9090\n") == true)

        // A person's changes are theirs.
        try daemon.folder.write(service, text + "# mine\n")
        for action in ["install", "remove"] {
            let refused = try daemon.tool(["service", action, "--json"])
            #expect(refused.code == 1)
            #expect(try json(refused)["error"]?["code"] == "unit_edited")
        }
        #expect(daemon.folder.read(service) == text + "# mine\n")
        #expect(try daemon.tool(["service", "install", "--no-socket", "--force"]).code == 0)
        #expect(daemon.folder.read(socket) == nil)
        #expect(daemon.folder.read("asked")?.hasSuffix("enable --now codeai-hub.service\n") == true)

        // Another home's service isn't ours.
        let record = home + "/core/service.json"
        try FileManager.default.moveItem(atPath: record, toPath: record + ".away")
        #expect(try json(daemon.tool(["service", "install", "--json"]))["error"]?["code"] == "unit_foreign")
        try FileManager.default.moveItem(atPath: record + ".away", toPath: record)

        #expect(try json(daemon.tool(["service", "remove", "--json"]))["removed"] == true)
        #expect(!FileManager.default.fileExists(atPath: daemon.folder.path + "/" + Self.units))
        #expect(!FileManager.default.fileExists(atPath: record))
        #expect(try json(daemon.tool(["service", "remove", "--json"]))["removed"] == false)
    }

    /// A unit whose program is gone would fail at every connection.
    @Test func uninstallingTakesTheServiceAway() throws {
        let daemon = try machine()
        #expect(try daemon.tool(["service", "install"]).code == 0)
        let gone = try daemon.tool(["uninstall", "--keep-data", "--yes", "--json"])
        #expect(gone.code == 0, Comment(rawValue: gone.text))
        #expect(!FileManager.default.fileExists(atPath: daemon.folder.path + "/" + Self.units))
        #expect(daemon.folder.read("asked")?.contains("disable --now codeai-hub.socket\n") == true)
    }

    /// Since then the service was made another home's.
    @Test func uninstallingLeavesTheServiceOfAnotherHome() throws {
        let daemon = try machine()
        #expect(try daemon.tool(["service", "install"]).code == 0)
        let file = Self.units + "codeai-hub.service"
        let text = try #require(daemon.folder.read(file))
        try daemon.folder.write(file, text.replacingOccurrences(of: "/a home,", with: "/another home,"))
        try FileManager.default.removeItem(atPath: daemon.folder.path + "/asked")
        let gone = try daemon.tool(["uninstall", "--keep-data", "--yes", "--json"])
        #expect(gone.code == 0, Comment(rawValue: gone.text))
        #expect(daemon.folder.read(file)?.contains("/another home,") == true)
        #expect(daemon.folder.read("asked")?.contains("disable") != true)
    }

    /// Whatever can't be: it is said, and nothing is left behind.
    @Test(arguments: [
        ("no systemctl", "no_service_manager"), ("no manager", "no_service_manager"), ("port 0", "no_port"),
        ("broken configuration", "invalid_configuration"), ("enable fails", "service_failed"),
    ])
    func whatCantBeInstalledLeavesNothing(what: String, code: String) throws {
        let scripts: [String: String?] = [
            "no systemctl": nil, "no manager": "echo Failed to connect to bus: No medium found; exit 1",
            "enable fails": #"case "$*" in *enable*) echo Job failed; exit 1;; esac"#,
        ]
        let daemon = try machine(port: what == "port 0" ? 0 : 8080, systemctl: scripts[what] ?? "exit 0")
        let home = try #require(daemon.environment["CODEAI_HUB_HOME"])
        if what == "broken configuration" {
            try "{oops".write(toFile: home + "/core/config.json", atomically: false, encoding: .utf8)
        }
        let refused = try daemon.tool(["service", "install", "--json"])
        #expect(refused.code == 1)
        #expect(try json(refused)["error"]?["code"]?.stringValue == code, Comment(rawValue: refused.text))
        #expect(!FileManager.default.fileExists(atPath: daemon.folder.path + "/" + Self.units))
        #expect(!FileManager.default.fileExists(atPath: home + "/core/service.json"))
    }

    @Test func aDaemonThatIsInTheWayIsStoppedUnlessItWorks() throws {
        let daemon = try machine()
        daemon.environment["CODEAI_HUB_HOME"] = daemon.home
        try daemon.folder.write("hub/core/config.json", #"{"schemaVersion":1,"server":{"port":18081}}"#)
        daemon.environment["CORE_PORT"] = "0"
        try daemon.start()
        let session = try daemon.newSession()
        try daemon.say("[[stall:60]]", in: session)
        try eventually("a turn runs") { try daemon.http("GET", "/health").json["activeSessions"] == 1 }
        let busy = try daemon.tool(["service", "install", "--json"])
        #expect(try json(busy)["error"]?["code"] == "daemon_busy", Comment(rawValue: busy.text))
        #expect(try daemon.http("GET", "/health").status == 200)
        let installed = try daemon.tool(["service", "install", "--json", "--stop"])
        #expect(installed.code == 0, Comment(rawValue: installed.text))
        #expect(try daemon.waitForExit().code == 0)
        #expect(try daemon.tool(["service", "remove"]).code == 0)
    }

    @Test func logsAreReadFromTheFileWhereThereIsNoJournal() throws {
        let daemon = try machine()
        daemon.environment["CODEAI_HUB_HOME"] = daemon.home
        let none = try daemon.tool(["service", "logs", "--json"])
        #expect(try json(none)["error"]?["code"] == "no_log")
        try daemon.folder.write("hub/logs/core.log", (1...100).map { "{\"n\":\($0)}\n" }.joined())
        #expect(try daemon.tool(["service", "logs", "-n", "2"]).output == "{\"n\":99}\n{\"n\":100}\n")
        #expect(try daemon.tool(["service", "logs"]).output.split(separator: "\n").count == 50)
        #expect(try daemon.tool(["service", "logs", "-n", "x"]).code == 2)
        let follower = try RunningProgram(
            TestDaemon.programs + "/codeai-hub", ["service", "logs", "-f", "-n", "1"], environment: daemon.environment)
        let path = daemon.home + "/logs/core.log"
        try eventually("the last line") { follower.soFar.output == "{\"n\":100}\n" }
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        try daemon.folder.write("hub/logs/core.log", "{\"n\":101}\n")
        try eventually("the new file's: \(follower.soFar.text)") { follower.soFar.output.hasSuffix("{\"n\":101}\n") }
        kill(follower.pid, SIGTERM)
    }
}
