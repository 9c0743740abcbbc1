import Base
import Client
import Foundation
import Installations
import JSON
import TestSupport
import Testing

/// The real programs, packed, installed, updated under a client, rolled back and removed.
@Suite(.serialized, .timeLimit(.minutes(5))) struct UpdateTests {
    @Test func aLifeOfAnInstallation() async throws {
        let (old, new) = (RealReleases.versions[0], RealReleases.versions[1])
        let mirrors = try RealReleases.shared.get().mirrors
        let hub = try InstalledHub()
        let clock = ContinuousClock()

        // Nothing is there yet.
        #expect(try hub.ask(["update", "--check"]).error == "not_installed")
        let begin = clock.now
        let first = try hub.ask(["install", "--from", mirrors[0].path, "--key", mirrors[0].keyFile])
        print("releases: installed from a folder in \(clock.now - begin)")
        #expect(first.code == 0, "\(first.last)")
        #expect(first.last["to"]?.stringValue == old)
        #expect(first.last["command"]?.stringValue == hub.command)
        #expect(try hub.problem() == nil)
        #expect(try hub.tool(["--version"], program: hub.command).output == "codeai-hub \(old)\n")

        // Its own command starts its own daemon.
        let started = try hub.tool(["start", "--json"], program: hub.command)
        #expect(started.code == 0, "\(started.text)")
        try hub.waits(forVersion: old)
        let client = try HubClient(home: HubHome(path: hub.home))
        let session = try await client.call(
            "POST", "/sessions", bodyText: #"{"providerId":"echo","workspace":"\#(hub.folder.path)"}"#)
        let id = try #require(try JSON.parse(session)["id"]?.stringValue)
        let follower = try await Follower(client, id)
        try await say("[[text:before]]", id, client)

        // Somebody works while it is updated.
        try await say("[[stall:1]][[text:meanwhile]]", id, client)
        try await say("[[text:queued]]", id, client)
        let check = try hub.ask(["update", "--check"] + from(mirrors[1]), program: hub.command)
        #expect(check.lines.count == 1)
        #expect(check.last["upToDate"] == false)
        #expect(check.last["components"]?[0]?["from"]?.stringValue == old)
        #expect(check.last["components"]?[0]?["to"]?.stringValue == new)
        let unasked = try hub.ask(["update"] + from(mirrors[1]), program: hub.command)
        #expect(unasked.error == "confirmation_needed")
        // In a session of the daemon itself nobody is ended, nor waited for, for it: that would be this command.
        let agents = ["CODEAI_HUB_OWNER=" + hub.home, hub.command]
        let within = try hub.ask(agents + ["update", "--yes"] + from(mirrors[1]), program: "/usr/bin/env")
        #expect(within.code == 0, "\(within.lines)")
        #expect(within.last["restarted"] == false)
        #expect(hub.installed == new)
        try hub.waits(forVersion: old)
        #expect(try hub.ask(agents + ["rollback"], program: "/usr/bin/env").code == 0)
        #expect(hub.installed == old)
        let updated = try hub.ask(["update", "--yes", "--watch", "1"] + from(mirrors[1]), program: hub.command)
        #expect(updated.code == 0, "\(updated.lines)")
        #expect(updated.last["restarted"] == true)
        for event in ["plan", "unpacking", "preflight", "switching", "restarting", "watching", "cleaned", "done"] {
            #expect(updated.has(event), "\(event)")
        }
        try hub.waits(forVersion: new)
        #expect(hub.installation.trial == nil)
        #expect(hub.installation.history.last?.result == .confirmed)
        let up = try hub.ask(["update", "--yes"] + from(mirrors[1]), program: hub.command)
        #expect(up.last["upToDate"] == true)
        // A module that won't do leaves the core as it is, and is no success.
        let module = TestMirror.module("claudeCodeCli", "7.0.0", ["spoons": 1])
        try mirrors[1].publish(module: "claudeCodeCli", "7.0.0", module)
        let bad = try hub.ask(["update", "--yes"] + from(mirrors[1]), program: hub.command)
        #expect(bad.code == 1 && bad.last["event"] == "done", "\(bad.last)")
        #expect(bad.last["modules"]?[0]?["error"]?["code"] == "module_unusable")
        try FileManager.default.removeItem(atPath: mirrors[1].modulesManifest)

        // Nothing was lost on the way, and nothing came twice.
        try await say("[[text:after]]", id, client)
        let log = try await settled(id, client)
        try await follower.waits(for: log.count)
        let seqs = await follower.seqs(id)
        #expect(seqs == Array(1...log.count), "\(seqs)")
        for text in ["before", "queued", "after"] {
            #expect(log.contains { $0["data"]?["content"]?.description.contains(text) == true }, "\(text)")
        }
        print("releases: a client's gap in an update was \(await follower.gaps)")

        // And back.
        let back = try hub.ask(["rollback", "--watch", "1"], program: hub.command)
        #expect(back.code == 0, "\(back.last)")
        #expect(back.last["to"]?.stringValue == old)
        try hub.waits(forVersion: old)
        #expect(try await settled(id, client).count >= log.count)

        // Data stays when that is asked for; then nothing does.
        #expect(try hub.ask(["uninstall", "--keep-data"], program: hub.command).error == "confirmation_needed")
        let removed = try hub.ask(["uninstall", "--keep-data", "--yes"], program: hub.command)
        #expect(removed.code == 0, "\(removed.last)")
        #expect(removed.last["stopped"] == true)
        #expect(FileManager.default.fileExists(atPath: hub.home + "/sessions/\(id).jsonl"))
        #expect(hub.installation.versions().isEmpty)
        #expect(lstatExists(hub.command) == false)
        client.close()
        await follower.close()
        #expect(try hub.ask(["install"] + from(mirrors[1])).code == 0)
        #expect(try hub.ask(["uninstall", "--yes"], program: hub.command).code == 0)
        #expect(!FileManager.default.fileExists(atPath: hub.home))
    }

    /// A version that isn't well under a daemon that is.
    @Test func versionsThatAreNotWell() throws {
        let old = RealReleases.versions[0]
        let mirror = try RealReleases.shared.get().mirrors[0]
        let hub = try InstalledHub()
        #expect(try hub.ask(["install"] + from(mirror)).code == 0)
        #expect(try hub.tool(["start"], program: hub.command).code == 0)
        try hub.waits(forVersion: old)
        let real = hub.installation.daemon(try #require(Version(old)))
        // Says the right version, and dies once it has.
        let dying = hub.folder.path + "/dying"
        try FileManager.default.copyItem(atPath: real, toPath: dying)
        let stamp = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../scripts/release/stamp.sh").path
        #expect(try run(stamp, [dying, "9.1.3"]).code == 0)
        let cases: [(daemon: String, check: String, reason: String)] = [
            ("exit 7", "exit 0", "ended"),
            ("exit 0", "echo unwilling >&2; exit 1", "unwilling"),
            ("exec sleep 600", "exit 0", "nothing"),
            ("(sleep 0.8; kill -9 $$) & exec \(dying) \"$@\"", "exit 0", "ended"),
            ("exec \(real) \"$@\"", "exit 0", old),
        ]
        let bad = try TestMirror(hub.folder.path + "/bad")
        for (index, broken) in cases.enumerated() {
            var release = TestRelease("9.1.\(index)")
            (release.daemon, release.check) = (broken.daemon, broken.check)
            try bad.publish(release)
            let answer = try hub.ask(
                ["update", "--yes", "--watch", "2"] + from(bad), program: hub.installation.command(Version(old)!))
            #expect(answer.code == 1)
            #expect(answer.error == (broken.check == "exit 0" ? "rolled_back" : "preflight_failed"), "\(answer.last)")
            #expect(answer.last["error"]?["message"]?.stringValue?.contains(broken.reason) ?? false, "\(answer.last)")
            #expect(hub.installed == old, "\(broken.daemon)")
            try hub.waits(forVersion: old)
            #expect(try hub.tool(["status"], program: hub.command).code == 0)
        }
        let reports = try FileManager.default.contentsOfDirectory(atPath: hub.home + "/logs").filter {
            $0.hasPrefix("crash-")
        }
        #expect(reports.count >= 4, "\(reports)")
        #expect(try hub.tool(["stop"], program: hub.command).code == 0)
    }

    /// What was printed is what the schema says.
    @Test func linesAreAsTheSchemaSays() throws {
        let hub = try InstalledHub()
        let mirror = try TestMirror(hub.folder.path + "/mirror")
        try mirror.publish(TestRelease("1.2.0"), notes: "- new")
        _ = try hub.ask(["install", "--from", mirror.path, "--key", mirror.keyFile])
        let lines = PrintedLines.all
        #expect(lines.count > 5)
        let schema = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../assets/schema/install-events.schema.json").path
        try hub.folder.write("lines", lines.joined(separator: "\n"))
        let script = """
            import json, sys, jsonschema_rs
            schema = jsonschema_rs.validator_for(json.load(open(sys.argv[1])))
            for line in open(sys.argv[2]):
                for error in schema.iter_errors(json.loads(line)): sys.exit(f"{line}: {error}")
            """
        let python = try #require(ProcessInfo.processInfo.environment["CODEAI_HUB_TEST_PYTHON"])
        let result = try run(python, ["-c", script, schema, hub.folder.path + "/lines"])
        #expect(result.code == 0, "\(result.text)")
    }

    /// What doc/installing.md shows to authors of extensions.
    @Test func theExampleOfTheDocumentation() throws {
        let hub = try InstalledHub()
        let mirror = try TestMirror(hub.folder.path + "/mirror")
        try mirror.publish(TestRelease("1.2.0"))
        #expect(try hub.ask(["install"] + from(mirror)).code == 0)
        try mirror.publish(TestRelease("1.3.0"))
        let example = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../doc/examples/python/update.py").path
        let path = TestDaemon.programs + ":/usr/bin:/bin"
        let environment = hub.environment.merging(["PATH": path]) { $1 }
        func run() throws -> String {
            let result = try TestSupport.run(
                "python3", [example] + from(mirror), environment: environment, in: hub.folder.path)
            #expect(result.code == 0, "\(result.text)")
            return result.output
        }
        let said = try run()
        #expect(said.contains("core 1.2.0 -> 1.3.0"))
        #expect(said.hasSuffix("1.3.0 is installed\n"))
        #expect(try run() == "up to date\n")
    }

    private func from(_ mirror: TestMirror) -> [String] { ["--from", mirror.path, "--key", mirror.keyFile] }

    private func lstatExists(_ path: String) -> Bool {
        var information = stat()
        return lstat(path, &information) == 0
    }

    private func say(_ text: String, _ session: String, _ client: HubClient) async throws {
        try await client.call("POST", "/sessions/\(session)/messages", ["content": JSON(text)])
    }

    /// The session's events once nothing runs and nothing waits.
    private func settled(_ session: String, _ client: HubClient) async throws -> [JSON] {
        for _ in 0..<1000 {
            let record = try await client.call("GET", "/sessions/\(session)")
            if record["turn"]?.isNull != false, record["queue"]?.arrayValue?.isEmpty != false { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        return try await client.call("GET", "/sessions/\(session)/events?limit=1000")["events"]?.arrayValue ?? []
    }
}

/// A client that stays, notes what comes, and for how long it was away.
private actor Follower {
    private let stream: HubStream
    private var seen: [String: [Int]] = [:]
    private(set) var gaps: [Duration] = []
    private var left: ContinuousClock.Instant?

    init(_ client: HubClient, _ session: String) async throws {
        var options = StreamOptions()
        options.resume = [session: 0]
        stream = try await client.openStream(options)
        Task { await self.follow() }
    }

    private func follow() async {
        for await event in stream.events {
            switch event {
            case .reconnecting: left = left ?? .now
            case .connected:
                if let left { gaps.append(.now - left) }
                left = nil
            case .frame(let frame):
                if let seq = frame.seq, let session = frame.sessionId { seen[session, default: []].append(seq) }
            default: break
            }
        }
    }

    func seqs(_ session: String) -> [Int] { seen[session] ?? [] }

    func waits(for count: Int) async throws {
        for _ in 0..<500 where (seen.values.map(\.count).max() ?? 0) < count {
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func close() { stream.close() }
}
