import Configuration
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

/// The configuration while the daemon runs: changed in the file and by clients.
@Suite(.timeLimit(.minutes(5))) struct SettingsTests {
    /// Replaces the file whole and has it read.
    private func write(_ configuration: JSON, _ daemon: TestDaemon) throws {
        try write(text: configuration.description, daemon)
    }

    private func write(text: String, _ daemon: TestDaemon) throws {
        try daemon.folder.write("hub/core/config.json.test", text)
        rename(daemon.home + "/core/config.json.test", daemon.home + "/core/config.json")
        kill(daemon.pid, SIGHUP)
    }

    private func nested(_ path: [String], _ value: JSON) -> JSON { path.reversed().reduce(value) { .object([$1: $0]) } }

    /// Waits until the daemon goes by a value.
    private func inForce(_ path: [String], _ value: JSON, _ daemon: TestDaemon) throws {
        try eventually("\(path) is \(value)") {
            path.reduce(JSON?.some(try daemon.call("GET", "/settings"))) { $0?[$1] } == value
        }
    }

    // MARK: Every setting

    /// Each key of the table, changed in the file: in force at once, or named among what waits for a restart, or
    /// among what the environment sets. Nothing is passed over in silence.
    @Test func everySettingTakesEffectOrSaysWhyNot() throws {
        let daemon = try TestDaemon.running(environment: ["CORE_LOG_LEVEL": ""])
        let client = try daemon.client("watcher")
        var seen: [SettingEffect: [String]] = [:]
        for key in SettingTable.keys(providers: ["echo"]) {
            let value = other(than: key.defaultValue, key.form)
            try write(nested(key.path, value), daemon)
            func keys(_ update: JSON, _ name: String) -> [String] {
                update[name]?.arrayValue?.compactMap(\.stringValue) ?? []
            }
            // The port is given by the environment.
            let isOverridden = key.key == "server.port"
            let frame = try client.frame(within: .seconds(30)) { frame in
                guard frame.type == "settings:update", let update = frame["payload"] else { return false }
                return isOverridden || keys(update, "changed").contains(key.key)
                    || keys(update, "needsRestart").contains(key.key)
            }
            let update = try #require(frame["payload"])
            if isOverridden {
                #expect(update["overridden"]?[key.key] == "environment CORE_PORT")
                continue
            }
            seen[key.effect, default: []].append(key.key)
            #expect(keys(update, "changed").contains(key.key) == (key.effect != .restart), "\(key.key)")
            #expect(keys(update, "needsRestart") == (key.effect == .restart ? [key.key] : []), "\(key.key)")
            guard !key.isPrivileged else { continue }
            let shown = key.path.reduce(JSON?.some(update)) { $0?[$1] }
            let expected = key.effect == .restart ? key.defaultValue : value
            // As text: 1 and 1.0 are the same there.
            #expect(shown?.description == expected?.description, "\(key.key)")
        }
        let waiting: Set = [
            "server.host", "sessions.durability", "search.enabled", "search.maxTextBytes", "updates.firstCheckSeconds",
        ]
        #expect(Set(seen[.restart] ?? []) == waiting)
        #expect(seen.values.reduce(0) { $0 + $1.count } > 50)
        #expect(try daemon.http("GET", "/health").status == 200)
    }

    // MARK: What they do, at once

    @Test func limitsHoldAtOnce() throws {
        let daemon = try TestDaemon.running(configuration: ["limits": ["maxConcurrent": 1]])
        let (one, two) = (try daemon.newSession(), try daemon.newSession())
        try daemon.say("[[stall:60]]", in: one)
        try eventually("the first runs") { try daemon.status(one) == "running" }
        try daemon.say("quick", in: two)
        try eventually("the second waits") { try daemon.record(two)["placeInLine"] == 1 }
        try write(["limits": ["maxConcurrent": 2]], daemon)
        try daemon.settle(two)

        let watcher = try daemon.client("watcher")
        try write(["limits": ["maxClients": 1, "maxConcurrent": 2]], daemon)
        try inForce(["limits", "maxClients"], 1, daemon)
        let refused = #expect(throws: RawWebSocket.Refused.self) { try daemon.webSocket() }
        #expect(refused?.response?.status == 503)
        try write([:], daemon)
        try inForce(["limits", "maxClients"], 64, daemon)
        _ = try daemon.client("second")
        // The one that was there has noticed nothing.
        _ = try watcher.request("session:interrupt", ["sessionId": JSON(one)])
    }

    @Test func requestsAndStreamsGoByTheNewSizes() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        for text in ["one", "two", "three"] { try daemon.turn(text, in: session) }
        try write(["server": ["maxBodyBytes": 1024], "stream": ["snapshotMessages": 2, "compress": false]], daemon)
        try inForce(["server", "maxBodyBytes"], 1024, daemon)
        let long = try daemon.http(
            "POST", "/api/v1/sessions/\(session)/messages", ["content": JSON(String(repeating: "x", count: 2000))])
        #expect(long.status == 413)
        let state = try daemon.webSocket().frame(type: "core:state")
        #expect(state["payload"]?["sessions"]?[0]?["messages"]?.arrayValue?.count == 2)
        #expect(state["payload"]?["settings"]?["needsRestart"] == [])
    }

    @Test func whoMayConnectIsDecidedAnew() throws {
        let daemon = try TestDaemon.running()
        func status(_ headers: [(String, String)]) throws -> Int {
            try daemon.http("GET", "/health", headers: headers).status
        }
        let origin = [("Origin", "https://example.com")]
        let host = [("Host", "hub.example:\(daemon.port)")]
        #expect(try status(origin) == 403)
        #expect(try status(host) == 421)
        try write(
            ["security": ["allowedOrigins": ["https://example.com"], "allowedHosts": ["hub.example"]]], daemon)
        try eventually("the origin is let in") { try status(origin) == 200 }
        #expect(try status(host) == 200)
        try write(["security": ["loopback": "token"]], daemon)
        try eventually("the token is asked for") { try status([]) == 401 }
        let token = ("Authorization", "Bearer \(try #require(daemon.token))")
        #expect(try status([token]) == 200)
        #expect(try status(origin + [token]) == 403)
        #expect(try status(host + [token]) == 421)
    }

    @Test func theLogsLevelAndTheBackupsFollow() throws {
        let daemon = try TestDaemon.running(environment: ["CORE_LOG_LEVEL": ""])
        try write(["log": ["level": "error"], "backups": ["keep": 1]], daemon)
        try inForce(["log", "level"], "error", daemon)
        let before = daemon.folder.read("hub/logs/core.log") ?? ""
        try write(["log": ["level": "error"], "backups": ["keep": 1], "limits": ["maxClients": 9]], daemon)
        try inForce(["limits", "maxClients"], 9, daemon)
        #expect(daemon.folder.read("hub/logs/core.log") == before)
        for _ in 0..<3 { try daemon.call("DELETE", "/sessions/\(try daemon.newSession())") }
        let kept = try FileManager.default.contentsOfDirectory(atPath: daemon.home + "/backups")
        #expect(kept.filter { $0.hasPrefix("deleted-") }.count == 1)
    }

    @Test func anIdleDaemonEndsWhenItIsToldTo() throws {
        let daemon = try TestDaemon.running(configuration: ["lifecycle": ["idleShutdown": 0]])
        try write(["lifecycle": ["idleShutdown": 0.2]], daemon)
        #expect(try daemon.waitForExit().code == 0)
    }

    // MARK: A broken file

    @Test func aBrokenFileChangesNothingAndIsShownEverywhere() throws {
        let daemon = try TestDaemon.running(configuration: ["limits": ["maxClients": 9]])
        let client = try daemon.client("watcher")
        // Good and bad in one file: nothing of it counts.
        try write(text: "{\n  \"limits\": {\"maxClients\": 3},\n  \"log\": {\"keep\": -1}\n}", daemon)
        let frame = try client.frame(within: .seconds(30)) { $0.type == "core:notification" }
        #expect(frame["payload"]?["level"] == "error")
        #expect(
            frame["payload"]?["message"]?.stringValue?.contains("config.json:3: log.keep must be 0 to 1000") == true)
        #expect(try daemon.call("GET", "/settings")["limits"]?["maxClients"] == 9)
        let problem = try daemon.call("GET", "/status")["configuration"]?["problems"]?[0]
        #expect(problem?["line"] == 3)
        #expect(problem?["key"] == "log.keep")
        #expect(problem?["source"]?.stringValue == daemon.home + "/core/config.json")
        #expect(daemon.folder.read("hub/logs/core.log")?.contains("must be 0 to 1000") == true)
        let terminal = try daemon.hub(["status"])
        #expect(terminal.text.contains("config.json:3: log.keep must be"))
        // Clients can't change what can't be read.
        let patch = try daemon.http("PATCH", "/api/v1/settings", ["limits": ["maxClients": 5]])
        #expect(patch.status == 409)
        #expect(patch.errorCode == "configuration_broken")
        #expect(daemon.folder.read("hub/core/config.json")?.contains("-1") == true)

        try write(["limits": ["maxClients": 4]], daemon)
        try inForce(["limits", "maxClients"], 4, daemon)
        #expect(try daemon.call("GET", "/status")["configuration"]?["problems"] == [])
        _ = try client.frame { $0.type == "core:notification" && $0["payload"]?["level"] == "info" }
    }

    @Test func aNewerDaemonsFileIsRefused() throws {
        let text = "{\n  \"schemaVersion\": 2,\n  \"limits\": {\"clients\": 3}\n}"
        let daemon = try TestDaemon()
        try daemon.folder.write("hub/core/config.json", text)
        let exit = try daemon.runToEnd()
        #expect(exit.code == 5)
        #expect(exit.log.contains("config.json:2: schemaVersion is 2, but this version reads 1 at most"))
        #expect(daemon.folder.read("hub/core/config.json") == text)
        // The same while one runs.
        try daemon.folder.write("hub/core/config.json", "{}")
        try daemon.start()
        try write(text: text, daemon)
        try eventually("it is reported") {
            try daemon.call("GET", "/status")["configuration"]?["problems"]?[0]?["key"] == "schemaVersion"
        }
    }

    // MARK: By clients

    @Test func clientsSetWhatTheyMay() throws {
        let daemon = try TestDaemon.running()
        let client = try daemon.client("other")
        let before = try #require(daemon.folder.read("hub/core/config.json"))
        let answer = try daemon.call(
            "PATCH", "/settings",
            ["limits": ["maxClients": 9, "maxConcurrent": 3], "sessions": ["durability": "power"]])
        #expect(answer["limits"]?["maxClients"] == 9)
        #expect(answer["needsRestart"] == ["sessions.durability"])
        #expect(answer["sessions"]?["durability"] == "process")
        let update = try client.frame(type: "settings:update")["payload"]
        #expect(update?["limits"]?["maxConcurrent"] == 3)
        #expect(update?["changed"] == ["limits.maxClients", "limits.maxConcurrent"])
        // Nothing but the values has changed in the file.
        let expected = before.replacingOccurrences(of: "\"maxClients\": 64", with: "\"maxClients\": 9")
            .replacingOccurrences(of: "\"maxConcurrent\": 10", with: "\"maxConcurrent\": 3")
            .replacingOccurrences(of: "\"durability\": \"process\"", with: "\"durability\": \"power\"")
        #expect(daemon.folder.read("hub/core/config.json") == expected)
        let mode = try FileManager.default.attributesOfItem(atPath: daemon.home + "/core/config.json")
        #expect(mode[.posixPermissions] as? Int == 0o600)
        let audit = try #require(daemon.folder.read("hub/logs/audit.log")).split(separator: "\n").last.map(String.init)
        let entry = try JSON.parse(try #require(audit))
        #expect(entry["action"] == "settings_changed")
        #expect(entry["client"]?["transport"] == "http")
        #expect(entry["keys"]?.arrayValue?.count == 3)

        // The same by frame; null is the default again.
        let reply = try client.request(
            "settings:update",
            ["settings": ["limits": ["maxClients": nil], "providers": ["echo": ["mode": "auto"]]]])
        #expect(reply["ok"] == true)
        #expect(reply["result"]?["limits"]?["maxClients"] == 64)
        #expect(reply["result"]?["providers"]?["echo"]?["mode"] == "auto")
        #expect(try daemon.record(try daemon.newSession())["mode"] == "auto")
        // What waited is in force after a restart.
        try daemon.restart()
        #expect(try daemon.call("GET", "/settings")["sessions"]?["durability"] == "power")
        #expect(try daemon.call("GET", "/settings")["needsRestart"] == [])
    }

    @Test func whatIsWrongIsNamedAndChangesNothing() throws {
        let daemon = try TestDaemon.running()
        let client = try daemon.client("client")
        let before = daemon.folder.read("hub/core/config.json")
        let wrong: [(JSON, Int, String, String)] = [
            (["server": ["port": 1]], 403, "setting_privileged", "server.port"),
            (["providers": ["echo": ["command": "/bin/sh"]]], 403, "setting_privileged", "providers.echo.command"),
            (["security": ["loopback": nil]], 403, "setting_privileged", "security.loopback"),
            (["limits": ["maxClients": 5], "log": ["keep": -1]], 400, "invalid_request", "log.keep"),
            (["limits": ["maxClients": "5"]], 400, "invalid_request", "limits.maxClients"),
            (["limits": ["clients": 5]], 400, "invalid_request", "limits.clients"),
            (["limits": 5], 400, "invalid_request", "limits"), (["no": [:]], 400, "invalid_request", "no"),
            (["schemaVersion": 1], 400, "invalid_request", "schemaVersion"),
            (["providers": ["ehco": ["mode": "auto"]]], 400, "invalid_request", "providers.ehco.mode"),
        ]
        for (patch, status, code, key) in wrong {
            let answer = try daemon.http("PATCH", "/api/v1/settings", patch)
            #expect(answer.status == status, "\(patch)")
            #expect(answer.errorCode == code, "\(patch)")
            #expect(answer.json["error"]?["details"]?["field"]?.stringValue == key, "\(patch)")
            let reply = try client.request("settings:update", ["settings": patch])
            #expect(reply["error"]?["code"]?.stringValue == code)
        }
        // What comes back doesn't grow with what was sent.
        let many = JSONObject(members: (0..<5000).map { ("no-such-setting-\($0)", JSON($0)) })
        #expect(try daemon.http("PATCH", "/api/v1/settings", .object(many)).body.count < 8000)
        #expect(try client.request("settings:update", [:])["error"]?["code"] == "missing_field")
        #expect(daemon.folder.read("hub/core/config.json") == before)
        #expect(try daemon.call("GET", "/settings")["limits"]?["maxClients"] == 64)
    }

    /// The short names that are accepted everywhere are so in the file.
    @Test func aProvidersOtherNameCounts() throws {
        let daemon = try TestDaemon.running(configuration: ["providers": ["claude": ["enabled": false]]])
        #expect(try daemon.call("GET", "/providers/claudeCodeCli")["enabled"] == false)
        try daemon.call("PATCH", "/settings", ["providers": ["claudeCodeCli": ["enabled": true]]])
        #expect(try daemon.call("GET", "/providers/claudeCodeCli")["enabled"] == true)
    }

    @Test func theNewestWordOnAProviderHolds() throws {
        let daemon = try TestDaemon.running(configuration: ["providers": ["echo": ["enabled": true]]])
        func isEnabled() throws -> Bool? { try daemon.call("GET", "/providers/echo")["enabled"]?.boolValue }
        try daemon.call("PATCH", "/providers/echo", ["enabled": false])
        // Another setting says nothing about it.
        try daemon.call("PATCH", "/settings", ["limits": ["maxClients": 5]])
        #expect(try isEnabled() == false)
        try daemon.call("PATCH", "/settings", ["providers": ["echo": ["enabled": true]]])
        #expect(try isEnabled() == true)
        try daemon.call("PATCH", "/settings", ["providers": ["echo": ["enabled": false]]])
        #expect(try isEnabled() == false)
        try daemon.call("PATCH", "/settings", ["providers": ["echo": ["enabled": nil]]])
        #expect(try isEnabled() == true)
    }

    /// The daemon and the person's tool write at once: the one asked by clients, the other what is the person's alone.
    @Test func theDaemonAndTheToolLoseNothingOfEachOther() throws {
        let daemon = try TestDaemon.running(configuration: [:])
        for round in 1...8 {
            let tool = Process()
            tool.executableURL = URL(fileURLWithPath: TestDaemon.programs + "/codeai-hub")
            tool.arguments = ["config", "set", "providers.p\(round).command", "program\(round)"]
            tool.environment = daemon.environment.merging(["CORE_PORT": ""]) { $1 }
            tool.standardOutput = FileHandle.nullDevice
            try tool.run()
            var number = 0
            while tool.isRunning {
                number += 1
                try daemon.call("PATCH", "/settings", ["limits": ["maxClients": JSON(number)]])
            }
            #expect(tool.terminationStatus == 0)
            let file = try JSON.parse(try #require(daemon.folder.read("hub/core/config.json")))
            #expect(file["limits"]?["maxClients"] == JSON(number))
            for earlier in 1...round {
                #expect(file["providers"]?["p\(earlier)"]?["command"]?.stringValue == "program\(earlier)")
            }
        }
    }

    /// A person saves the file right before a client's change, before the daemon has looked: both count.
    @Test func aPersonsEditIsKept() throws {
        let daemon = try TestDaemon.running()
        for round in 1...20 {
            try daemon.folder.write(
                "hub/core/config.json", "{\n  \"//\": \"mine\",\n  \"log\": {\"keep\": \(round)}\n}\n")
            try daemon.call("PATCH", "/settings", ["limits": ["maxClients": JSON(round)]])
            let text = try #require(daemon.folder.read("hub/core/config.json"))
            #expect(text.contains("\"//\": \"mine\"") && text.contains("{\"keep\": \(round)}"))
            #expect(text.contains("\"maxClients\": \(round)"))
            let settings = try daemon.call("GET", "/settings")
            #expect(settings["log"]?["keep"] == JSON(round))
            #expect(settings["limits"]?["maxClients"] == JSON(round))
        }
    }

    @Test func theSchemaIsEnoughForAForm() throws {
        let daemon = try TestDaemon.running()
        #expect(try daemon.call("GET", "/settings")["schema"] == nil)
        let settings = try daemon.call("GET", "/settings?schema=1")
        let schema = try #require(settings["schema"]?.arrayValue)
        #expect(schema.count == SettingTable.settings.count)
        for entry in schema {
            #expect(entry["key"]?.stringValue?.isEmpty == false)
            #expect(entry["type"] != nil && entry["default"] != nil && entry["live"]?.boolValue != nil)
            #expect(entry["privileged"]?.boolValue != nil && entry["summary"]?.stringValue?.isEmpty == false)
        }
        let port = schema.first { $0["key"] == "server.port" }
        #expect(port?["maximum"] == 65535 && port?["live"] == false && port?["environment"] == "CORE_PORT")
        #expect(settings["overridden"]?["server.port"] == "environment CORE_PORT")
        #expect(settings["server"]?["port"] == nil)
    }

    // MARK: In the terminal

    @Test func theCommandWorksWithAndWithoutADaemon() throws {
        let daemon = try TestDaemon()
        func file() -> JSON { (try? JSON.parse(daemon.folder.read("hub/core/config.json") ?? "")) ?? .null }
        #expect(try daemon.hub(["config", "path"]).text == daemon.home + "/core/config.json\n")
        #expect(try daemon.hub(["config", "get", "limits.maxClients"]).text == "64\n")
        let set = try daemon.hub(["config", "set", "limits.maxClients", "7"])
        #expect(set.code == 0 && set.text.contains("next start"))
        #expect(file()["limits"]?["maxClients"] == 7)
        try daemon.start()
        #expect(try daemon.call("GET", "/settings")["limits"]?["maxClients"] == 7)

        // With it: in force when the command ends.
        #expect(try daemon.hub(["config", "set", "limits.maxClients", "8"]).text.contains("now"))
        #expect(try daemon.call("GET", "/settings")["limits"]?["maxClients"] == 8)
        #expect(try daemon.hub(["config", "set", "sessions.fallback", "echo,claudeCodeCli"]).code == 0)
        #expect(try daemon.call("GET", "/settings")["sessions"]?["fallback"] == ["echo", "claudeCodeCli"])
        #expect(try daemon.hub(["config", "unset", "limits.maxClients"]).code == 0)
        #expect(try daemon.call("GET", "/settings")["limits"]?["maxClients"] == 64)
        // What only the file may say.
        let secret = try daemon.hub(["config", "set", "providers.echo.environment", #"{"KEY":"sk-secret"}"#])
        #expect(secret.code == 0 && secret.text.contains("2 s"))
        #expect(file()["providers"]?["echo"]?["environment"]?["KEY"] == "sk-secret")
        let list = try daemon.hub(["config"]).text
        #expect(list.contains("providers.echo.environment") && !list.contains("sk-secret"))
        #expect(try daemon.hub(["config", "set", "server.port", "9000"]).text.contains("environment CORE_PORT"))
        try eventually("the file is looked at") {
            try daemon.call("GET", "/settings")["providers"]?["echo"] != nil
        }
        #expect(try daemon.hub(["config", "set", "sessions.durability", "power"]).text.contains("next start"))
        let one = try JSON.parse(try daemon.hub(["config", "get", "sessions.durability", "--json"]).text)
        #expect(one["value"] == "process" && one["next"] == "power" && one["needsRestart"] == true)

        for wrong in [
            ["set", "limits.maxClients", "0"], ["set", "limits.maxClients", "x"], ["set", "limits.clients", "1"],
            ["set", "limits.maxClients"], ["get", "nothing"], ["what"],
        ] {
            #expect(try daemon.hub(["config"] + wrong).code == 2, "\(wrong)")
        }
    }

    @Test func checkNamesLineAndReason() throws {
        let daemon = try TestDaemon()
        try daemon.folder.write("hub/core/config.json", "{\n  \"limits\": {\n    \"maxClients\": 0\n  }\n}")
        let check = try daemon.hub(["config", "check"])
        #expect(check.code == 1)
        #expect(check.text.contains("config.json:3: limits.maxClients must be 1 to 100000, not 0"))
        let set = try daemon.hub(["config", "set", "log.keep", "1"])
        #expect(set.code == 1 && set.text.contains("config.json:3:"))
        try daemon.folder.write("good.json", "{}")
        #expect(try daemon.hub(["config", "check", daemon.folder.path + "/good.json"]).code == 0)
        let schema = try JSON.parse(try daemon.hub(["config", "schema"]).text)
        #expect(schema["properties"]?["limits"]?["properties"]?["maxClients"]?["maximum"] == 100_000)
    }

    @Test func editingChecksBeforeItReplaces() throws {
        let daemon = try TestDaemon()
        try daemon.folder.write("hub/core/config.json", "{\"log\": {\"keep\": 1}}\n")
        func edit(_ script: String) throws -> ProgramRun {
            try daemon.folder.write("editor", "#!/bin/sh\n\(script)\n")
            chmod(daemon.folder.path + "/editor", 0o700)
            return try daemon.hub(["config", "edit"], environment: ["VISUAL": daemon.folder.path + "/editor"])
        }
        let good = try edit("sed -i 's/1/2/' \"$1\"")
        #expect(good.code == 0)
        #expect(daemon.folder.read("hub/core/config.json") == "{\"log\": {\"keep\": 2}}\n")
        let bad = try edit("echo '{\"log\": {\"keep\": -1}}' > \"$1\"")
        #expect(
            bad.code == 1 && bad.text.contains(":1: log.keep must be 0 to 1000")
                && bad.text.contains("what you wrote is in"))
        #expect(daemon.folder.read("hub/core/config.json") == "{\"log\": {\"keep\": 2}}\n")
        // Somebody else saves it while it is being edited.
        let path = daemon.home + "/core/config.json"
        let late = try edit("echo '{}' > \(path); echo '{\"log\": {\"keep\": 3}}' > \"$1\"")
        #expect(late.code == 1 && late.text.contains("changed meanwhile"))
        #expect(daemon.folder.read("hub/core/config.json") == "{}\n")
        #expect(try edit("exit 3").code == 1)
        #expect(try edit("true").text.contains("Nothing was changed"))
        let drafts = try FileManager.default.contentsOfDirectory(atPath: daemon.home + "/core").filter {
            $0.contains(".draft.")
        }
        #expect(drafts.count == 3)
    }
}

extension TestDaemon {
    /// Runs the person's tool with nothing in the environment that the configuration says as well.
    func hub(_ arguments: [String], environment more: [String: String] = [:]) throws -> ProgramRun {
        try tool(arguments, environment: ["CORE_PORT": ""].merging(more) { $1 })
    }
}
