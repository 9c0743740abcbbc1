import Foundation
import JSON
import TestSupport
import Testing

/// The daily look for new versions: a program beside the daemon's is asked, and what it says is shown.
@Suite(.timeLimit(.minutes(10))) struct UpdateCheckTests {
    private static let plan = """
        {"event":"plan","upToDate":false,"manifest":"https://example.org/manifest.json","signedBy":null,"components":[
        {"component":"core","from":"0.1.0","to":"9.9.9","package":"p","size":7,"download":6543210,"notes":"- faster"},
        {"component":"provider:echo","from":null,"to":"1.2.3","package":"q","size":1,"download":1}]}
        """.split(separator: "\n").joined()

    /// A daemon that runs from what looks like an installed release, beside it a `codeai-hub` that says this.
    private func daemon(_ script: String, settings: JSONObject = [:]) throws -> TestDaemon {
        let daemon = try TestDaemon(
            configuration: ["updates": .object(JSONObject(members: [("firstCheckSeconds", 0)]).merging(settings))],
            environment: ["ANTHROPIC_API_KEY": "secret", "HTTPS_PROXY": "http://127.0.0.1:9"])
        let folder = daemon.home + "/core/linux-x64/0.1.0"
        try writeProgram(
            folder + "/codeai-hub",
            "#!/bin/sh\necho \"$*\" >> '\(daemon.folder.path)/asked'\nenv > '\(daemon.folder.path)/env'\n\(script)\n")
        daemon.program = folder + "/codeai-hub-core"
        // By another process: one that a test starts meanwhile would hold a file open that is to be run.
        #expect(try run("cp", [TestDaemon.executable, daemon.program]).code == 0)
        for part in ["core/linux-x64/0.1.0", "core/linux-x64", "core"] { chmod(daemon.home + "/" + part, 0o700) }
        return daemon
    }

    private func update(_ daemon: TestDaemon) throws -> JSON? { try daemon.call("GET", "/status")["core"]?["update"] }

    @Test func itIsLookedForOnceADayAndSaidOnce() throws {
        let daemon = try daemon("echo '\(Self.plan)'")
        try daemon.start()
        var found: JSON?
        try eventually("it is found: \(daemon.log)") {
            found = try update(daemon)
            return found != nil
        }
        let components = found?["components"]?.arrayValue ?? []
        #expect(components.map { $0["component"] } == ["core", "provider:echo"])
        #expect(components[0]["to"] == "9.9.9" && components[0]["download"] == 6_543_210)
        #expect(components[0]["notes"] == "- faster")
        #expect(found?["error"] == nil)
        #expect(daemon.folder.read("asked") == "update --check --json --automatic\n")
        let environment = daemon.folder.read("env") ?? ""
        #expect(environment.contains("CODEAI_HUB_HOME=\(daemon.home)\n"))
        #expect(environment.contains("HTTPS_PROXY="))
        #expect(!environment.contains("ANTHROPIC") && !environment.contains("CORE_PORT"))

        // Nobody was there to hear it: the first who comes does, and no other.
        let client = try daemon.client("first")
        let told = try client.frame(within: .seconds(20)) { $0.type == "core:notification" }
        #expect(told["payload"]?["type"] == "update_available")
        #expect(told["payload"]?["message"]?.stringValue?.contains("codeai-hub update") == true)
        #expect(try daemon.tool(["status"]).text.contains("core 9.9.9 can be installed: codeai-hub update"))
        // Another start, another restart: still the same day.
        try daemon.restartItself()
        try daemon.stop()
        try daemon.start()
        let second = try daemon.client("second")
        usleep(1_500_000)
        #expect(daemon.folder.read("asked") == "update --check --json --automatic\n")
        #expect(try update(daemon)?["components"]?.arrayValue?.count == 2)
        try daemon.call("PATCH", "/settings", ["log": ["level": "debug"]])
        let frames = try second.collect { $0.type == "settings:update" }
        #expect(!frames.contains { $0.type == "core:notification" })

        // What has been installed since is no news.
        try daemon.folder.write("hub/installed-versions.json", #"{"core":"9.9.9"}"#)
        #expect(try update(daemon)?["components"]?.arrayValue?.map { $0["component"] } == ["provider:echo"])
    }

    @Test(arguments: [
        (#"echo '{"error":{"code":"unreachable","message":"no way there"}}'; exit 1"#, "unreachable"),
        ("echo nonsense", "check_failed"), ("exit 3", "check_failed"), ("kill -9 $$", "check_failed"),
        ("head -c 3000000 /dev/zero", "check_failed"), (#"echo '{"event":"plan","components":"x"}'"#, ""),
    ])
    func whatFailsIsShownAndNotTriedAgain(script: String, code: String) throws {
        let daemon = try daemon(script)
        try daemon.start()
        try eventually("it is tried: \(daemon.log)") { try update(daemon) != nil }
        #expect(try update(daemon)?["error"]?["code"]?.stringValue ?? "" == code)
        #expect(try update(daemon)?["components"]?.arrayValue?.isEmpty == true)
        usleep(300_000)
        #expect(daemon.folder.read("asked")?.split(separator: "\n").count == 1)
    }

    @Test func itCanBeSwitchedOff() throws {
        let off = try daemon("echo '\(Self.plan)'", settings: ["check": false])
        try off.start()
        // Nor does a program that was built here look.
        let built = try TestDaemon.running(configuration: ["updates": ["firstCheckSeconds": 0]])
        usleep(1_500_000)
        #expect(off.folder.read("asked") == nil)
        #expect(try update(off) == nil && update(built) == nil)
        #expect(built.folder.read("hub/core/updates.json") == nil)
    }

    /// A program that doesn't end doesn't outlive the daemon.
    @Test func itEndsWithTheDaemon() throws {
        let daemon = try daemon("exec sleep 300")
        try daemon.start()
        try eventually("it is asked") { daemon.folder.read("asked") != nil && !daemon.children.isEmpty }
        #expect(try daemon.stop().code == 0)
        try eventually("it is gone, too: \(daemon.survivors)") { daemon.survivors.isEmpty }
    }
}
