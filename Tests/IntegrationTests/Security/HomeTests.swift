import Foundation
import JSON
import TestSupport
import Testing

/// The folder that everything is in: whoever else could change what is there is kept out, or the daemon doesn't start.
@Suite(.timeLimit(.minutes(10))) struct HomeTests {
    private func folder(_ daemon: TestDaemon, _ name: String, mode: Int = 0o700) throws {
        try FileManager.default.createDirectory(
            atPath: daemon.home + name, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        guard chmod(daemon.home + name, mode_t(mode)) == 0 else { throw TestFailure("chmod") }
    }

    /// Every folder of the home, and every way in which others could write to it.
    @Test(arguments: [0o777, 0o770, 0o772, 0o1777])
    func foldersOfOthersAreNotUsed(mode: Int) throws {
        for name in ["", "/core", "/sessions", "/providers", "/logs", "/backups"] {
            let daemon = try TestDaemon()
            try folder(daemon, name, mode: mode)
            let exit = try daemon.runToEnd()
            let comment = Comment(rawValue: "\(name) \(String(mode, radix: 8)): \(exit)")
            #expect(exit.code == 5, comment)
            #expect(exit.log.contains(daemon.home + name), comment)
        }
    }

    /// In a folder that anybody may write to, anybody can put another home in the place of this one.
    @Test func aHomeInAFolderOfOthersIsNotUsed() throws {
        let daemon = try TestDaemon()
        let shared = daemon.folder.path + "/shared"
        try FileManager.default.createDirectory(atPath: shared + "/deep/hub", withIntermediateDirectories: true)
        daemon.environment["CODEAI_HUB_HOME"] = shared + "/deep/hub"
        for path in [shared + "/deep/hub", shared + "/deep", shared] { #expect(chmod(path, 0o700) == 0) }
        #expect(chmod(shared, 0o777) == 0)
        let exit = try daemon.runToEnd()
        #expect(exit.code == 5)
        #expect(exit.log.contains("chmod go-w \(shared)"))
        // A sticky one, as /tmp, is all right: only owners can rename there.
        #expect(chmod(shared, 0o1777) == 0)
        let checked = try run(TestDaemon.executable, ["--check-config"], environment: daemon.environment)
        #expect(checked.code == 0, Comment(rawValue: checked.errors))
        // By way of a symbolic link it is the same folder.
        #expect(chmod(shared, 0o777) == 0)
        #expect(symlink(shared + "/deep", daemon.folder.path + "/link") == 0)
        daemon.environment["CODEAI_HUB_HOME"] = daemon.folder.path + "/link/hub"
        #expect(try run(TestDaemon.executable, ["--check-config"], environment: daemon.environment).code == 5)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func whatBelongsToOthersIsNotUsed() throws {
        for name in ["", "/core", "/sessions", "/providers"] {
            let daemon = try TestDaemon()
            try folder(daemon, name)
            #expect(lchown(daemon.home + name, 23_458, 23_458) == 0)
            let exit = try daemon.runToEnd()
            #expect(exit.code == 5, Comment(rawValue: "\(name): \(exit)"))
        }
        // A log of somebody else is not read, the configuration of somebody else not followed.
        let daemon = try TestDaemon.running()
        daemon.hasHonestLogs = false
        let session = try daemon.newSession()
        try daemon.stop()
        #expect(lchown(daemon.home + "/sessions/\(session).jsonl", 23_458, 23_458) == 0)
        try daemon.start()
        #expect(try daemon.http("GET", "/api/v1/sessions/\(session)").status == 404)
        #expect(try daemon.call("GET", "/status").description.contains("untrusted_file"))
        try daemon.stop()
        #expect(lchown(daemon.home + "/core/config.json", 23_458, 23_458) == 0)
        #expect(try daemon.runToEnd().code == 5)
    }

    /// A link in the place of a file: what it points to is neither read, nor written, nor removed.
    @Test func linksInThePlaceOfFilesAreNotFollowed() throws {
        let daemon = try TestDaemon.running()
        daemon.hasHonestLogs = false
        let session = try daemon.newSession()
        try daemon.turn("[[text:a]]", in: session)
        let token = try #require(daemon.token)
        try daemon.stop()
        let names = [
            "core/token", "core/core.lock", "core/endpoint.json", "core/usage.jsonl", "core/prices.json",
            "logs/core.log",
            "logs/audit.log", "sessions/\(session).jsonl", "sessions/index.jsonl", "sessions/index.jsonl.tmp",
            "sessions/\(session).jsonl.part", "sessions/\(session).jsonl.quarantine",
        ]
        for name in names {
            let victim = daemon.folder.path + "/victim"
            let text = "a file of mine, with \(name)\n"
            try daemon.folder.write("victim", text)
            let path = daemon.home + "/" + name
            let kept = FileManager.default.contents(atPath: path)
            try? FileManager.default.removeItem(atPath: path)
            #expect(symlink(victim, path) == 0)
            let comment = Comment(rawValue: name)
            if name == "core/core.lock" {
                #expect(try daemon.runToEnd().code != 0, comment)
            } else {
                try daemon.start()
                if !name.hasPrefix("sessions/\(session)") || name.hasSuffix("part") {
                    try daemon.turn("[[text:b]]", in: try daemon.newSession())
                }
                // Neither is what it points to told to anybody.
                for path in ["/status", "/api/v1/sessions", "/api/v1/settings", "/api/v1/usage"] {
                    #expect(try !daemon.http("GET", path).text.contains("a file of mine"), comment)
                }
                try daemon.stop()
            }
            #expect(daemon.folder.read("victim") == text, comment)
            try? FileManager.default.removeItem(atPath: path)
            if let kept {
                _ = FileManager.default.createFile(atPath: path, contents: kept, attributes: [.posixPermissions: 0o600])
            }
        }
        #expect(daemon.token == token)
        try daemon.start()
        #expect(agentText(try daemon.events(session)) == "a")
    }

    /// Other things in the place of files: nothing waits for them, nothing breaks.
    @Test func pipesAndFoldersInThePlaceOfFiles() throws {
        let daemon = try TestDaemon.running()
        daemon.hasHonestLogs = false
        let session = try daemon.newSession()
        try daemon.stop()
        for name in ["core/token", "logs/core.log", "logs/audit.log", "sessions/index.jsonl", "core/usage.jsonl"] {
            for isFolder in [false, true] {
                let path = daemon.home + "/" + name
                let kept = FileManager.default.contents(atPath: path)
                try? FileManager.default.removeItem(atPath: path)
                #expect((isFolder ? mkdir(path, 0o700) : mkfifo(path, 0o600)) == 0)
                let comment = Comment(rawValue: "\(name), \(isFolder ? "a folder" : "a pipe")")
                // It starts, or says in a second what is wrong.
                if name == "core/token", isFolder {
                    let exit = try daemon.runToEnd()
                    #expect(exit.code != 0, comment)
                } else {
                    try daemon.start()
                    #expect(try daemon.http("GET", "/api/v1/sessions/\(session)").status == 200, comment)
                    try daemon.stop()
                }
                try? FileManager.default.removeItem(atPath: path)
                if let kept {
                    _ = FileManager.default.createFile(
                        atPath: path, contents: kept, attributes: [.posixPermissions: 0o600])
                }
            }
        }
    }

    /// What clients believe, too: an address or a token that somebody else put there.
    @Test func clientsDoNotBelieveAnOpenHome() throws {
        let daemon = try TestDaemon.running()
        func status() throws -> ProgramRun { try daemon.tool(["status", "--json"]) }
        #expect(try status().code == 0)
        #expect(chmod(daemon.home + "/core", 0o777) == 0)
        let open = try status()
        #expect(open.code != 0)
        #expect(open.text.contains("writable by other users"))
        #expect(chmod(daemon.home + "/core", 0o700) == 0)
        #expect(chmod(daemon.folder.path, 0o777) == 0)
        let above = try status()
        #expect(above.code != 0)
        #expect(above.text.contains(daemon.folder.path))
        #expect(chmod(daemon.folder.path, 0o700) == 0)
        #expect(try status().code == 0)
    }
}
