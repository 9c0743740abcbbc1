import Foundation
import Installations
import JSON
import TestSupport
import Testing

/// Providers' modules, from a mirror to a daemon that runs: about 15 s.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ModuleUpdateTests {
    private let daemon: TestDaemon
    private let mirror: TestMirror

    init() throws {
        daemon = try TestDaemon.running()
        mirror = try TestMirror(daemon.folder.path + "/mirror")
    }

    private struct Answer {
        var code: Int32
        var lines: [JSON]
        var last: JSON { lines.last ?? .null }
        var error: String? { last["error"]?["code"]?.stringValue }
    }

    private func providers(_ words: [String]) throws -> Answer {
        let run = try daemon.tool(["providers"] + words + ["--json"])
        let lines = try run.output.split(separator: "\n").map { try JSON.parse(String($0)) }
        PrintedLines.add(lines)
        return Answer(code: run.code, lines: lines)
    }

    private func update(_ words: [String] = ["--yes"]) throws -> Answer {
        try providers(["update"] + words + ["--from", mirror.path, "--key", mirror.keyFile])
    }

    private func module() throws -> JSON? { try daemon.call("POST", "/providers/mine/check")["module"] }

    private func modulesInUse() throws -> [String] {
        try daemon.children.compactMap { entry in
            let text = try Data(contentsOf: URL(filePath: "/proc/\(entry.pid)/environ"))
            let words = text.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            return words.first { $0.hasPrefix("MODULE=") }.map { String($0.dropFirst(7)) }
        }.sorted()
    }

    private func says(_ words: String, in session: String) throws -> Bool {
        agentText(try daemon.turn(words, in: session)).contains(words)
    }

    @Test func oneComesWithoutARestartAndGoesBack() throws {
        try mirror.publish(module: "mine", "1.0.0")
        // Nobody has heard of it: only who asks gets it.
        #expect(try update().last == ["event": "done", "upToDate": true, "modules": []])
        let first = try update(["mine", "--yes"])
        #expect(first.code == 0)
        #expect(
            first.last["modules"]?[0] == ["component": "provider:mine", "from": .null, "to": "1.0.0"], "\(first.last)")
        let old = try daemon.newSession("mine")
        #expect(try says("hello", in: old))
        let instance = try daemon.http("GET", "/health").json["instanceId"]

        try mirror.publish(module: "mine", "1.1.0")
        let plan = try update(["--check"])
        #expect(plan.code == 0 && plan.lines.count == 1)
        let change = plan.last["components"]?[0]
        #expect(change?["component"] == "provider:mine" && change?["from"] == "1.0.0" && change?["to"] == "1.1.0")
        #expect(try update([]).error == "confirmation_needed")
        #expect(try module() == ["version": "1.0.0", "source": "installed"])

        #expect(try update().code == 0)
        #expect(try module() == ["version": "1.1.0", "source": "installed"])
        let new = try daemon.newSession("mine")
        #expect(try says("new here", in: new))
        #expect(try says("still here", in: old))
        #expect(try modulesInUse() == ["1.0.0", "1.1.0"])
        #expect(try daemon.http("GET", "/health").json["instanceId"] == instance)

        // One that breaks its provider stays, is told, and goes back when somebody says so.
        try mirror.publish(module: "mine", "1.2.0", TestMirror.module("mine", "1.2.0", ["command": ["/no/such/agent"]]))
        let breaking = try update()
        #expect(breaking.code == 0 && breaking.last["modules"]?[0]?["problem"] == "not installed", "\(breaking.last)")
        #expect(try says("and still", in: old))
        let refused = try daemon.http("POST", "/api/v1/sessions", ["providerId": "mine"])
        #expect(refused.errorCode == "provider_not_installed")
        let back = try providers(["rollback", "mine"])
        #expect(back.code == 0 && back.last["modules"]?[0]?["to"] == "1.1.0", "\(back.last)")
        #expect(try module() == ["version": "1.1.0", "source": "installed"])
        #expect(try says("again", in: try daemon.newSession("mine")))

        // The person's own stays in force over what comes.
        try daemon.folder.write("hub/providers/mine/module.json", #"{"name":"Really mine"}"#)
        try mirror.publish(module: "mine", "1.3.0")
        #expect(try update().code == 0)
        #expect(try module() == ["version": "1.3.0", "source": "person", "over": "installed"])
        #expect(try daemon.call("GET", "/providers/mine")["name"] == "Really mine")
        let shown = try daemon.tool(["providers", "show", "mine"])
        #expect(shown.output.contains("your own, over 1.3.0"))
    }

    @Test func whatTheCoreRefusesNeverIsInForce() throws {
        try mirror.publish(module: "claudeCodeCli", "7.0.0", TestMirror.module("claudeCodeCli", "7.0.0", ["spoons": 1]))
        let answer = try update()
        #expect(answer.code == 1 && answer.error == "module_unusable", "\(answer.last)")
        #expect(answer.last["error"]?["message"]?.stringValue?.contains("spoons: is not known") == true)
        let later = TestMirror.module("claudeCodeCli", "7.0.0", ["minimumCore": "99.0.0", "spoons": 1])
        try mirror.publish(module: "claudeCodeCli", "7.0.0", later)
        #expect(try update().last["error"]?["message"]?.stringValue?.contains("is 99.0.0") == true)
        try mirror.publish(module: "claudeCodeCli", "7.0.0", later) { $0["minimumCore"] = "99.0.0" }
        #expect(try update(["claude", "--yes"]).error == "core_too_old")
        unlink(mirror.modulesManifest + ".sig")
        #expect(try update().error == "unsigned")
        #expect(try daemon.call("GET", "/providers/claudeCodeCli")["module"]?["source"] == "bundled")
    }

    /// At random moments; whatever was done by then, one of the two is in force, whole.
    @Test func killedAtAnyMomentOneOfTheTwoIsInForce() throws {
        let home = InstallationHome(path: daemon.home)
        try mirror.publish(module: "mine", "1.0.0")
        let begin = ContinuousClock.now
        #expect(try update(["mine", "--yes"]).code == 0)
        let whole = ContinuousClock.now - begin
        var before = "1.0.0"
        for round in 1...10 {
            let next = "1.\(round).0"
            try mirror.publish(module: "mine", next)
            let words = ["providers", "update", "mine", "--yes", "--from", mirror.path, "--key", mirror.keyFile]
            let program = try RunningProgram(
                TestDaemon.programs + "/codeai-hub", words, environment: daemon.environment, in: daemon.folder.path)
            usleep(UInt32.random(in: 0...UInt32(whole / .microseconds(1))))
            kill(program.pid, SIGKILL)
            try eventually("it is gone", within: .seconds(60)) { !program.isRunning }
            let version = try #require(home.installed(.provider("mine")))
            #expect(["\(version)" == before, "\(version)" == next].contains(true))
            #expect(try home.flaws(of: version, .provider("mine")) == [])
            #expect(try module() == ["version": JSON("\(version)"), "source": "installed"])
            before = "\(version)"
        }
        try mirror.publish(module: "mine", "2.0.0")
        let last = try update()
        #expect(last.last["modules"]?[0]?["to"] == "2.0.0", "\(last.last)")
        let names = try FileManager.default.contentsOfDirectory(atPath: home.folder(of: .provider("mine")))
        #expect(!names.contains { $0.hasPrefix(".") })
    }
}
