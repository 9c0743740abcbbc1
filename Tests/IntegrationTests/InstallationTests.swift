import Foundation
import JSON
import TestSupport
import Testing

/// Installing providers through the real daemon: by the person's tool, beside running sessions, and through its death.
@Suite(.timeLimit(.minutes(4))) struct InstallationTests {
    /// A daemon with a provider whose recipe installs a program that is the echo agent.
    private func makeDaemon() throws -> TestDaemon {
        let daemon = try TestDaemon()
        try daemon.folder.write(
            "hub/providers/tool/module.json",
            """
            {"adapter":"acp","name":"Tool","command":["${install}/bin/tool"],"arguments":["${self}"],
             "version":{"arguments":["--version"],"minimum":"1.0"},
             "authentication":{"files":["${home}/.tool/login"]},
             "login":{"command":["${command}","login"],"hint":"Log in to it."},
             "install":[{"id":"script","command":["sh","${home}/recipe","${target}"]}]}
            """)
        try writeRecipe(daemon, "1.0")
        try daemon.start()
        return daemon
    }

    private func writeRecipe(_ daemon: TestDaemon, _ version: String, before: String = "") throws {
        try daemon.folder.write(
            "recipe",
            """
            echo beginning
            \(before)
            mkdir -p "$1/bin"
            cat > "$1/bin/tool" <<'END'
            #!/bin/sh
            case "$1" in
            --version) echo "\(version)";;
            login) mkdir -p "$HOME/.tool"; echo "$TERM" > "$HOME/.tool/login";;
            *) exec "$1" echo-agent;;
            esac
            END
            chmod +x "$1/bin/tool"
            """)
    }

    private func trees(_ daemon: TestDaemon) -> [String] {
        let path = daemon.home + "/providers/tool/versions"
        return ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }

    @Test func thePersonsToolInstallsLogsInAndRemoves() throws {
        let daemon = try makeDaemon()
        let client = try daemon.client("watcher")
        #expect(try daemon.tool(["providers"]).text.contains("not installed"))
        let installed = try daemon.tool(["providers", "install", "tool"])
        #expect(installed.code == 0, Comment(rawValue: installed.text))
        #expect(installed.text.contains("Tool 1.0 is installed."))
        let progress = try client.frame(within: .seconds(60)) {
            $0.type == "provider:progress" && $0["payload"]?["phase"] == "completed"
        }
        #expect(progress["payload"]?["providerId"] == "tool" && progress.seq == nil)
        let session = try daemon.newSession("tool")
        #expect(agentText(try daemon.turn("hello", in: session)).contains("hello"))

        // The login is the vendor's, with the terminal's environment; clients see it by themselves.
        #expect(try daemon.call("GET", "/providers/tool")["authenticated"] == false)
        let login = try daemon.call("POST", "/providers/tool/login")
        #expect(login["command"] == ["codeai-hub", "providers", "login", "tool"])
        let loggedIn = try daemon.tool(["providers", "login", "tool"], environment: ["TERM": "vt100", "SECRET": "x"])
        #expect(loggedIn.code == 0, Comment(rawValue: loggedIn.text))
        #expect(loggedIn.text.contains("Tool is logged in."))
        #expect(daemon.folder.read(".tool/login") == "vt100\n")
        _ = try client.frame(within: .seconds(60)) {
            $0.type == "provider:update" && $0["payload"]?["authenticated"] == true
        }
        try FileManager.default.removeItem(atPath: daemon.folder.path + "/.tool/login")
        _ = try client.frame(within: .seconds(60)) {
            $0.type == "provider:update" && $0["payload"]?["authenticated"] == false
        }

        let shown = try daemon.tool(["providers", "show", "tool", "--json"])
        #expect(try JSON.parse(shown.output)["install"]?["recipe"] == "script")
        #expect(try daemon.tool(["providers", "disable", "tool"]).text.contains("Tool is disabled."))
        #expect(try daemon.call("GET", "/providers/tool")["enabled"] == false)
        #expect(try daemon.tool(["providers", "enable", "tool"]).code == 0)

        // Removed: the session's process goes on, and its tree with it.
        #expect(try daemon.tool(["providers", "remove", "tool"]).code == 0)
        #expect(try daemon.call("GET", "/providers/tool")["installed"] == false)
        #expect(trees(daemon) == ["1"])
        try daemon.call("POST", "/sessions/\(session)/stop")
        try eventually("the tree is deleted", within: .seconds(60)) { trees(daemon).isEmpty }

        for (arguments, code) in [
            (["providers", "remove", "tool"], 1), (["providers", "install", "echo"], 1), (["providers", "show"], 2),
            (["providers", "frobnicate", "tool"], 2), (["providers", "login", "echo"], 1),
            (["providers", "enable", "nobody"], 1), (["providers", "list", "--recipe", "x"], 2),
        ] as [([String], Int32)] {
            let result = try daemon.tool(arguments)
            #expect(result.code == code, "\(arguments): \(result.text)")
        }
    }

    @Test func anUpdateLeavesRunningSessionsAndAFailedOneLeavesAll() throws {
        let daemon = try makeDaemon()
        #expect(try daemon.tool(["providers", "install", "tool"]).code == 0)
        let old = try daemon.newSession("tool")
        try daemon.turn("hello", in: old)
        let pids = Set(daemon.children.map(\.pid))
        try writeRecipe(daemon, "2.0")
        let other = try daemon.newSession()
        let updated = try daemon.tool(["providers", "install", "tool", "--json"])
        #expect(updated.code == 0 && updated.output.contains(#""version":"2.0""#), Comment(rawValue: updated.text))
        #expect(agentText(try daemon.turn("still the same", in: old)).contains("still the same"))
        #expect(pids.isSubset(of: Set(daemon.children.map(\.pid))))
        #expect(agentText(try daemon.turn("not disturbed", in: other)).contains("not disturbed"))
        #expect(trees(daemon) == ["1", "2"])

        try writeRecipe(daemon, "3.0", before: "echo the disk is full >&2; exit 28")
        let failed = try daemon.tool(["providers", "install", "tool"])
        #expect(failed.code == 1)
        #expect(failed.text.contains("ended with exit code 28: the disk is full"), Comment(rawValue: failed.text))
        #expect(try daemon.call("GET", "/providers/tool")["version"] == "2.0")
        try writeRecipe(daemon, "0.9")
        #expect(try daemon.tool(["providers", "install", "tool"]).text.contains("0.9 is too old"))
        let new = try daemon.newSession("tool")
        #expect(agentText(try daemon.turn("works", in: new)).contains("works"))
        try daemon.call("POST", "/sessions/\(old)/stop")
        try eventually("only what is in use is left: \(trees(daemon))", within: .seconds(60)) { trees(daemon) == ["2"] }
    }

    @Test func aDaemonKilledInTheMiddleLeavesTheOldOneAndNothingElse() throws {
        let daemon = try makeDaemon()
        #expect(try daemon.tool(["providers", "install", "tool"]).code == 0)
        // A part of it changes session and ignores what it is told, as installers' helpers may.
        try writeRecipe(
            daemon, "2.0",
            before:
                "setsid sh -c \"trap '' TERM HUP; sleep 301\" & mkdir \"$1/half\"; echo half > \"$1/half/file\"; sleep 302"
        )
        try daemon.call("POST", "/providers/tool/install", ["recipe": "script"])
        try eventually("it is half done", within: .seconds(60)) {
            FileManager.default.fileExists(atPath: daemon.home + "/providers/tool/versions/2/half/file")
        }
        try eventually("all of it runs", within: .seconds(60)) { daemon.children.count >= 3 }
        let half = daemon.children
        try daemon.restart()
        try eventually("what it had started is ended", within: .seconds(60)) {
            !half.contains { ProcessTable.isRunning($0) }
        }
        try eventually("what it had made is deleted", within: .seconds(60)) { trees(daemon) == ["1"] }
        try eventually("the old one is found", within: .seconds(60)) {
            try daemon.call("GET", "/providers/tool")["version"] == "1.0"
        }
        let record = try daemon.call("GET", "/providers/tool")
        #expect(record["status"] == "active" && record["operation"] == nil)
        let session = try daemon.newSession("tool")
        #expect(agentText(try daemon.turn("works", in: session)).contains("works"))
        // And it can be tried again.
        try writeRecipe(daemon, "2.0")
        #expect(try daemon.tool(["providers", "install", "tool"]).code == 0)
        #expect(try daemon.call("POST", "/providers/tool/uninstall")["installed"] == false)
    }

    @Test func aClientCancelsIt() throws {
        let daemon = try makeDaemon()
        let client = try daemon.client("watcher")
        try writeRecipe(daemon, "1.0", before: "sleep 300")
        let answer = try daemon.http("POST", "/api/v1/providers/tool/install", [:])
        #expect(answer.status == 202 && answer.json["operation"]?["phase"] == "installing")
        let again = try daemon.http("POST", "/api/v1/providers/tool/install", [:])
        #expect(again.status == 409 && again.errorCode == "busy")
        // One that connects now sees it run.
        #expect(try daemon.call("GET", "/providers/tool")["operation"]?["phase"] == "installing")
        #expect(try daemon.http("DELETE", "/api/v1/providers/tool/install").status == 202)
        let end = try client.frame(within: .seconds(60)) {
            $0.type == "provider:update" && $0["payload"]?["operation"]?["phase"] == "cancelled"
        }
        #expect(end["payload"]?["operation"]?["error"]?["code"] == "install_cancelled")
        #expect(try daemon.http("DELETE", "/api/v1/providers/tool/install").errorCode == "not_installing")
        try eventually("nothing is left", within: .seconds(60)) { trees(daemon).isEmpty && daemon.children.isEmpty }
        for body in [#"{"recipe":"x"}"#, #"{"version":"1"}"#, #"{"recipe":7}"#] {
            let answer = try daemon.http("POST", "/api/v1/providers/tool/install", bytes: Array(body.utf8))
            #expect(answer.status == 400 && answer.errorCode == "invalid_request", Comment(rawValue: body))
        }
    }

    @Test func controlCCancelsIt() throws {
        let daemon = try makeDaemon()
        try writeRecipe(daemon, "1.0", before: "sleep 300")
        let result = try daemon.tool(["providers", "install", "tool"]) { program in
            guard program.soFar.text.contains("beginning") else { return false }
            kill(program.pid, SIGINT)
            return true
        }
        #expect(result.code == 130, Comment(rawValue: result.text))
        #expect(result.text.contains("cancelled"), Comment(rawValue: result.text))
        #expect(try daemon.call("GET", "/providers/tool")["operation"]?["phase"] == "cancelled")
        try eventually("nothing is left", within: .seconds(60)) { trees(daemon).isEmpty && daemon.children.isEmpty }
    }

    /// The recipe that needs nothing but Python, for real: the wheel from the package index, the program run from it.
    @Test func theWheelBringsTheRealClaudeCode() throws {
        let environment = ProcessInfo.processInfo.environment
        let path = environment["PATH"] ?? ""
        let isThere = path.split(separator: ":").contains { FileManager.default.isExecutableFile(atPath: "\($0)/pip3") }
        try #require(isThere, "pip3 is missing: scripts/setup.sh --test installs it")
        let daemon = try TestDaemon()
        daemon.environment["PATH"] = path
        for (name, value) in environment where name.hasPrefix("PIP_") || name.lowercased().hasSuffix("_proxy") {
            daemon.environment[name] = value
        }
        // Downloaded once: 170 MB.
        daemon.environment["PIP_CACHE_DIR"] = (environment["HOME"] ?? "/root") + "/.cache/codeai-hub-test-tools/pip"
        try daemon.start()
        let installed = try daemon.tool(
            ["providers", "install", "claude", "--recipe", "pip", "--version", "0.2.186"])
        #expect(installed.code == 0, Comment(rawValue: installed.text))
        #expect(installed.text.contains("Claude Code 2.1.329 is installed."))
        let record = try daemon.call("GET", "/providers/claudeCodeCli")
        #expect(record["version"] == "2.1.329" && record["status"] == "active")
        #expect(
            record["executable"]?.stringValue?.hasPrefix(daemon.home + "/providers/claudeCodeCli/versions/1/") == true)
        #expect(try daemon.tool(["providers", "remove", "claude"]).code == 0)
        #expect(try daemon.call("GET", "/providers/claudeCodeCli")["installed"] == false)
    }
}
