import Foundation
import JSON
import TestSupport
import Testing

/// Providers that change while the real daemon runs, seen by its clients.
@Suite(.timeLimit(.minutes(10))) struct ProviderTests {
    @Test func enablingAndDisablingShowsOnEveryClientAndLasts() throws {
        let daemon = try TestDaemon.running()
        let (first, second) = (try daemon.client("first"), try daemon.client("second"))
        let session = try daemon.newSession()
        let running = try daemon.say("[[stall:2]] [[text:to the end]]", in: session)["turnId"]?.stringValue
        try eventually("the turn runs", within: .seconds(60)) { try daemon.status(session) == "running" }

        let ack = try first.request("provider:update", ["providerId": "echo", "enabled": false])
        #expect(ack["ok"] == true && ack["result"]?["enabled"] == false)
        let seen = try second.frame(within: .seconds(60)) {
            $0.type == "provider:update" && $0["payload"]?["enabled"] == false
        }
        #expect(seen["payload"]?["id"] == "echo" && seen["payload"]?["status"] == "inactive")

        let refused = try daemon.http("POST", "/api/v1/sessions/\(session)/messages", ["content": "more"])
        #expect(refused.status == 409 && refused.errorCode == "provider_disabled")
        let created = try daemon.http("POST", "/api/v1/sessions", ["providerId": "echo"])
        #expect(created.status == 409 && created.errorCode == "provider_disabled")
        // What runs goes on to its end.
        try daemon.settle(session)
        let end = try daemon.events(session).of("turn_completed").last
        #expect(end?["turnId"]?.stringValue == running && end?["data"]?["status"] == "completed")

        // Kept by the daemon, in a file of its own.
        let configuration = daemon.folder.read("hub/core/config.json")
        try daemon.restart()
        #expect(try daemon.call("GET", "/providers/echo")["enabled"] == false)
        let third = try daemon.client("third")
        #expect(try daemon.call("PATCH", "/providers/echo", ["enabled": true])["enabled"] == true)
        _ = try third.frame(within: .seconds(60)) { $0.type == "provider:update" && $0["payload"]?["enabled"] == true }
        #expect(agentText(try daemon.turn("back", in: session)).contains("back"))
        #expect(daemon.folder.read("hub/core/config.json") == configuration)
        #expect(daemon.folder.read("hub/logs/audit.log")?.contains("provider_disabled") == true)

        for (body, code) in [("{}", "missing_field"), (#"{"enabled":1}"#, "invalid_request")] {
            let answer = try daemon.http("PATCH", "/api/v1/providers/echo", bytes: Array(body.utf8))
            #expect(answer.status == 400 && answer.errorCode == code)
        }
        let bad = try third.request("provider:update", ["providerId": "nobody", "enabled": true])
        #expect(bad["error"]?["code"] == "provider_not_found")
    }

    @Test func whatTheFileSaysOfProvidersIsTakenUpLive() throws {
        let daemon = try TestDaemon.running()
        let client = try daemon.client("watcher")
        var configuration = try JSON.parse(try #require(daemon.folder.read("hub/core/config.json"))).objectValue ?? [:]
        func say(_ echo: JSON) throws {
            configuration["providers"] = ["echo": echo]
            try daemon.folder.write("hub/core/config.json", JSON.object(configuration).description)
        }
        try say(["enabled": false])
        _ = try client.frame(within: .seconds(60)) {
            $0.type == "provider:update" && $0["payload"]?["enabled"] == false
        }
        // A client's word holds until the file says something else.
        #expect(try daemon.call("PATCH", "/providers/echo", ["enabled": true])["enabled"] == true)
        try say(["enabled": true, "mode": "ask"])
        try eventually("the file is read") {
            try daemon.call("GET", "/settings")["providers"]?["echo"]?["mode"] == "ask"
        }
        #expect(try daemon.call("GET", "/providers/echo")["enabled"] == true)
        #expect(try daemon.record(try daemon.newSession())["mode"] == "ask")
    }

    @Test func aManifestIsTakenUpLiveAndAMistakeIsShownEverywhere() throws {
        let daemon = try TestDaemon.running()
        let client = try daemon.client("watcher")
        let manifest = #"{"adapter":"acp","command":["${self}"],"arguments":["echo-agent"],"name":"Mine"}"#
        try daemon.folder.write("hub/providers/mine/module.json", manifest)
        _ = try client.frame(within: .seconds(60)) { $0.type == "provider:update" && $0["payload"]?["id"] == "mine" }
        let session = try daemon.newSession("mine")
        #expect(agentText(try daemon.turn("hello", in: session)).contains("hello"))

        try daemon.folder.write("hub/providers/mine/module.json", #"{"adapter":"acp","command":["x"],"comand":["y"]}"#)
        let notice = try client.frame(within: .seconds(60)) { $0.type == "core:notification" }
        #expect(notice["payload"]?["message"]?.stringValue?.contains("module.json: comand: is not known") == true)
        let problem = try #require(try daemon.call("GET", "/providers")["problems"]?[0])
        #expect(problem["path"]?.stringValue == daemon.home + "/providers/mine/module.json")
        #expect(problem["key"] == "comand" && problem["reason"] == "is not known")
        #expect(try daemon.http("GET", "/status").json["providerProblems"]?[0] == problem)
        #expect(daemon.folder.read("hub/logs/core.log")?.contains("comand") == true)
        // Nothing is taken away.
        #expect(agentText(try daemon.turn("still here", in: session)).contains("still here"))
        #expect(try daemon.call("GET", "/providers/mine")["manifestProblem"] == problem)

        // Removed while its process runs: it stays until that has ended.
        try FileManager.default.removeItem(atPath: daemon.home + "/providers/mine/module.json")
        try eventually("the removal is noticed", within: .seconds(60)) {
            try daemon.call("GET", "/providers")["problems"]?[0]?["reason"]?.stringValue?.contains("removed") == true
        }
        #expect(agentText(try daemon.turn("and now", in: session)).contains("and now"))
        try daemon.call("POST", "/sessions/\(session)/stop")
        let removed = try client.frame(type: "provider:removed", within: .seconds(60))
        #expect(removed["payload"]?["id"] == "mine")
        #expect(try daemon.http("GET", "/api/v1/providers/mine").status == 404)
    }

    @Test func aModuleIsForNewSessionsAndTheRunningOnesGoOnAsTheyWere() throws {
        let daemon = try TestDaemon.running()
        let client = try daemon.client("watcher")
        func install(_ version: String, _ more: String = "") throws {
            let text =
                #"{"id":"mine","moduleVersion":"\#(version)","minimumCore":"0.1.0","name":"Mine \#(version)","adapter":"acp","#
                + #""command":["${self}"],"arguments":["echo-agent"],"environment":{"MODULE":"\#(version)"}\#(more)}"#
            try daemon.folder.layModule("mine", version, text)
            try daemon.folder.nameModule("mine", version)
        }
        func module() throws -> JSON? { try daemon.call("POST", "/providers/mine/check")["module"] }
        func modulesInUse() throws -> [String] {
            try daemon.children.compactMap { try environment(of: $0.pid)["MODULE"] }.sorted()
        }
        try install("1.0.0")
        _ = try client.frame(within: .seconds(60)) { $0.type == "provider:update" && $0["payload"]?["id"] == "mine" }
        #expect(try module() == ["version": "1.0.0", "source": "installed"])
        let old = try daemon.newSession("mine")
        #expect(agentText(try daemon.turn("hello", in: old)).contains("hello"))

        // Asked for, it is looked at once.
        try install("1.1.0")
        #expect(try module() == ["version": "1.1.0", "source": "installed"])
        #expect(agentText(try daemon.turn("still here", in: old)).contains("still here"))
        #expect(try modulesInUse() == ["1.0.0"])
        let new = try daemon.newSession("mine")
        #expect(agentText(try daemon.turn("hello", in: new)).contains("hello"))
        #expect(try modulesInUse() == ["1.0.0", "1.1.0"])

        try daemon.folder.write("hub/providers/mine/module.json", #"{"name":"Really mine"}"#)
        #expect(try module() == ["version": "1.1.0", "source": "person", "over": "installed"])
        // One that can't be used is shown, and takes nothing away.
        try install("1.2.0", #","spoons":1"#)
        let problem = try #require(try module()?["problem"])
        #expect(problem["key"] == "spoons" && problem["reason"] == "is not known")
        #expect(try daemon.call("GET", "/providers")["problems"]?[0] == problem)
        #expect(agentText(try daemon.turn("hello", in: try daemon.newSession("mine"))).contains("hello"))
        #expect(try daemon.call("GET", "/providers/echo")["module"]?["source"] == "bundled")
    }

    /// Each gets its own, as the kernel shows it: what one may know, no other does.
    @Test func noProcessHasASecretOfAnotherProvider() throws {
        let secrets = [
            "ANTHROPIC_API_KEY": "claudeCodeCli", "CLAUDE_CODE_OAUTH_TOKEN": "claudeCodeCli",
            "OPENAI_API_KEY": "codexCli", "CODEX_API_KEY": "codexCli", "GEMINI_API_KEY": "geminiCli",
            "GOOGLE_API_KEY": "geminiCli", "MINE_TOKEN": "mine", "AWS_SECRET_ACCESS_KEY": "nobody",
            "GITHUB_TOKEN": "nobody", "NPM_TOKEN": "nobody",
        ]
        let daemon = try TestDaemon(environment: secrets.mapValues { "secret of \($0)" })
        let agent = "#!/bin/sh\ncase \"$1\" in *version*) echo 99.0.0;; *) exec sleep 300;; esac\n"
        try writeProgram(daemon.folder.path + "/agent", agent)
        let mine = #"{"adapter":"acp","command":["x"],"passEnvironment":["MINE_*"],"isolatedHome":true}"#
        try daemon.folder.write("hub/providers/mine/module.json", mine)
        daemon.environment["XDG_RUNTIME_DIR"] = "/run/user/1"
        // The program stands in for each of them; everything else is as their manifests say.
        var configured: JSONObject = [:]
        let ids = ["claudeCodeCli", "codexCli", "geminiCli", "mine"]
        for id in ids { configured[id] = ["command": JSON(daemon.folder.path + "/agent")] }
        configured["mine"] = [
            "command": JSON(daemon.folder.path + "/agent"), "environment": ["CONFIGURED": "secret of mine"],
        ]
        try daemon.folder.write(
            "hub/core/config.json", JSON.object(["schemaVersion": 1, "providers": .object(configured)]).description)
        try daemon.start()
        let known = try daemon.call("GET", "/providers")["providers"]?.arrayValue?.compactMap { $0["id"]?.stringValue }
        for id in ids where known?.contains(id) == true {
            let before = Set(daemon.children.map(\.pid))
            let session = try daemon.newSession(id)
            try daemon.say("hello", in: session)
            var pid: Int32 = 0
            try eventually("\(id) runs", within: .seconds(60)) {
                pid = daemon.children.first { !before.contains($0.pid) && isAsleep($0.pid) }?.pid ?? 0
                return pid != 0
            }
            let environment = try environment(of: pid)
            let foreign = environment.filter { $0.value.hasPrefix("secret of") && $0.value != "secret of \(id)" }
            #expect(foreign.isEmpty, "\(id) has \(foreign)")
            let own = Set(environment.filter { $0.value == "secret of \(id)" }.keys)
            switch id {
            case "claudeCodeCli": #expect(own == ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"])
            case "mine":
                #expect(own == ["MINE_TOKEN", "CONFIGURED"])
                #expect(environment["HOME"] == daemon.home + "/providers/mine/home")
                #expect(environment["XDG_CONFIG_HOME"] == daemon.home + "/providers/mine/home/.config")
                #expect(environment["XDG_RUNTIME_DIR"] == nil)
                var information = stat()
                #expect(stat(daemon.home + "/providers/mine/home", &information) == 0)
                #expect(information.st_mode & 0o777 == 0o700)
            default: #expect(!own.isEmpty)
            }
            #expect(environment.allSatisfy { !$0.key.hasPrefix("CORE_") })
        }
        // What the configuration gives a provider isn't told to clients either.
        for path in ["/api/v1/providers", "/status", "/api/v1/settings"] {
            #expect(try !daemon.http("GET", path).text.contains("secret of"))
        }
        #expect(try !daemon.http("POST", "/api/v1/providers/claudeCodeCli/login", [:]).text.contains("secret of"))
    }

    private func isAsleep(_ pid: Int32) -> Bool {
        (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8))?.hasPrefix("sleep") == true
    }

    private func environment(of pid: Int32) throws -> [String: String] {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/environ"))
        var environment: [String: String] = [:]
        for entry in bytes.split(separator: 0) {
            let text = String(decoding: entry, as: UTF8.self)
            guard let equals = text.firstIndex(of: "=") else { continue }
            environment[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        return environment
    }
}
