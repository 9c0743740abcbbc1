import Foundation
import JSON
import TestSupport
import Testing

/// Diagnostics, backups and restores with the person's tool and the real daemon.
@Suite(.timeLimit(.minutes(10))) struct BackupTests {
    private func json(_ daemon: TestDaemon, _ arguments: [String]) throws -> JSON {
        let result = try daemon.tool(arguments + ["--json"])
        guard result.code == 0, let line = result.output.split(separator: "\n").last else {
            throw TestFailure("\(arguments): \(result)")
        }
        return try JSON.parse(String(line))
    }

    private func tar(_ arguments: String...) throws -> String {
        try run("tar", arguments).output
    }

    @Test func diagnosticsHelpAndTellNothing() throws {
        let secret = "planted-configured-secret-3e1f"
        let daemon = try TestDaemon(
            configuration: ["providers": ["echo": ["environment": ["ECHO_NOTE": JSON(secret)]]]],
            environment: ["SOME_API_TOKEN": "planted-inherited-92aa"])
        try daemon.start()
        let session = try daemon.newSession("echo", ["title": "unmistakable-title"])
        try daemon.turn("[[text:unmistakable-words]]", in: session)
        try daemon.restart()
        let file = daemon.folder.path + "/d.tar.bz2"
        #expect(try json(daemon, ["diagnostics", "-o", file])["file"]?.stringValue == file)
        let names = try tar("-tjf", file).split(separator: "\n").map(String.init)
        for part in [
            "versions.json", "config.json", "status.json", "metrics.txt", "system.json", "home.json", "logs/core.log",
            "logs/audit.log", "logs/crash-",
        ] {
            #expect(names.contains { $0.hasPrefix("codeai-hub-diagnostics/" + part) }, "\(part) is not in \(names)")
        }
        #expect(names == names.sorted())
        let all = try tar("-xjOf", file)
        let token = try #require(daemon.token)
        for words in [secret, "planted-inherited", token, "unmistakable-words", "unmistakable-title"] {
            #expect(!all.contains(words), "it has \(words)")
        }
        #expect(all.contains("\"ECHO_NOTE\":\"[secret]\"") && all.contains("SOME_API_TOKEN"))
        let status = try JSON.parse(try tar("-xjOf", file, "codeai-hub-diagnostics/status.json"))
        #expect(status["sessions"]?["idle"] == 1)
        let system = try JSON.parse(try tar("-xjOf", file, "codeai-hub-diagnostics/system.json"))
        #expect(
            (system["diskFreeBytes"]?.intValue ?? 0) > 0 && system["kernel"]?.stringValue?.hasPrefix("Linux") == true)
        #expect(system["limits"]?["Max open files"] != nil, "\(system)")
        // Without a client library, and while others are served.
        let raw = try daemon.http("GET", "/api/v1/diagnostics")
        #expect(raw.status == 200 && raw.body.starts(with: Array("BZh9".utf8)))
        #expect(raw["Content-Disposition"]?.contains("codeai-hub-diagnostics-") == true)
    }

    @Test func aBackupOfARunningDaemonComesBack() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession("echo", ["title": "Kept"])
        try daemon.turn("[[text:before]][[usage:10,5,0.5]]", in: session)
        // While something is said.
        let other = try daemon.newSession()
        try daemon.say("[[stream:100000x100@2000]]", in: other)
        let made = try json(daemon, ["backup"])
        let file = try #require(made["file"]?.stringValue)
        #expect(made["sessions"] == 2 && file.hasPrefix(daemon.home + "/backups/backup-"))
        try daemon.call("POST", "/sessions/\(other)/stop")
        let events = try daemon.events(session)

        try daemon.turn("[[text:after]]", in: session)
        let later = try daemon.newSession()
        let refused = try daemon.tool(["restore", file])
        #expect(refused.code == 1 && refused.text.contains("--stop"), "\(refused)")
        let restored = try daemon.tool(["restore", file, "--stop"])
        #expect(restored.code == 0, "\(restored)")
        _ = try daemon.waitForExit()
        try daemon.start()
        #expect(try daemon.events(session) == events)
        #expect(try daemon.record(session)["title"] == "Kept")
        #expect(try daemon.http("GET", "/api/v1/sessions/\(later)").status == 404)
        #expect(try daemon.record(other)["status"] != nil)
        let listed = try json(daemon, ["backup", "--list"])["backups"]?.arrayValue ?? []
        let kinds = Set(listed.compactMap { $0["kind"]?.stringValue })
        #expect(kinds.isSuperset(of: ["backup", "restore"]), "\(listed)")
        // It goes on, and both acts are in the audit.
        try daemon.turn("[[text:on]]", in: session)
        let audit = daemon.folder.read("hub/logs/audit.log") ?? ""
        #expect(audit.contains("\"action\":\"backup\"") && audit.contains("\"action\":\"restore\""))
    }

    @Test func aDeletedSessionComesBack() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession("echo", ["title": "Not lost"])
        try daemon.turn("[[text:hello]]", in: session)
        let events = try daemon.events(session)
        _ = try daemon.http("DELETE", "/api/v1/sessions/\(session)")
        let listed = try json(daemon, ["backup", "--list"])["backups"]?.arrayValue ?? []
        #expect(listed.first?["sessionId"]?.stringValue == session && listed.first?["title"] == "Not lost")
        #expect(try json(daemon, ["restore", "--session", String(session.prefix(8))])["id"]?.stringValue == session)
        #expect(try Array(daemon.events(session).prefix(events.count)) == events)
        #expect(agentText(try daemon.turn("[[text:again]]", in: session)) == "again")
        let unknown = try daemon.tool(["restore", "--session", "nothing"])
        #expect(unknown.code == 1 && unknown.text.contains("backup --list"))
    }

    /// Killed at any moment, a restore leaves the old state or the new one.
    @Test func aKilledRestoreIsFinishedOrForgotten() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession("echo", ["title": "old"])
        try daemon.turn("[[large:3000000]]", in: session)
        let file = daemon.folder.path + "/b.tar.bz2"
        #expect(try daemon.tool(["backup", "-o", file]).code == 0)
        try daemon.call("PATCH", "/sessions/\(session)", ["title": "new"])
        try daemon.stop()
        var titles: Set<String> = []
        for round in 0..<12 {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: TestDaemon.programs + "/codeai-hub")
            process.arguments = ["restore", file]
            process.environment = daemon.environment
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            usleep(UInt32(round * 15_000))
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            try daemon.start()
            let title = try daemon.record(session)["title"]?.stringValue ?? "?"
            titles.insert(title)
            #expect(["old", "new"].contains(title))
            #expect(try daemon.events(session).count > 2)
            try daemon.call("PATCH", "/sessions/\(session)", ["title": "new"])
            try daemon.stop()
        }
        #expect(titles.contains("new"))
    }
}
