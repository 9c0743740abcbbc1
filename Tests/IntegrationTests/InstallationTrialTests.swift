import Client
import Foundation
import Glibc
import Installations
import JSON
import TestSupport
import Testing

/// A new version of the daemon that has still to show that it works: the real daemon in its own place of a home. About 20 s,
/// of which 10 are the time after which a version counts as one that works.
@Suite(.timeLimit(.minutes(10))) struct InstallationTrialTests {
    private static let old = "1.0.0"
    private static let new = "1.1.0"

    /// A home in which the new version is on trial. The old one is a script that notes what it was started for, and goes on
    /// as the real daemon.
    private func onTrial(_ arguments: String = #""$@""#) throws -> (TestDaemon, InstallationHome) {
        let daemon = try TestDaemon()
        let home = InstallationHome(path: daemon.home)
        let note = "#!/bin/sh\necho \"$$ $LISTEN_FDS $*\" >> \"\(daemon.folder.path)/old.ran\"\n"
        try install(Self.old, in: home) { path in
            try writeProgram(path, note + "exec \"\(TestDaemon.executable)\" \(arguments)\n")
            chmod(path, 0o755)
        }
        try install(Self.new, in: home) { path in
            try FileManager.default.copyItem(atPath: TestDaemon.executable, toPath: path)
        }
        try daemon.folder.write("hub/installed-versions.json", #"{"core":"\#(Self.new)"}"#)
        try daemon.folder.write(
            "hub/core/trial.json",
            #"{"schema":1,"component":"core","version":"\#(Self.new)","previous":"\#(Self.old)","starts":0,"#
                + #""since":"2026-01-01T00:00:00.000Z"}"#)
        symlink(Self.new, home.currentLink)
        daemon.program = home.daemon(try #require(Version(Self.new)))
        return (daemon, home)
    }

    /// As an installer leaves it, as far as names and sizes go.
    private func install(_ text: String, in home: InstallationHome, _ make: (String) throws -> Void) throws {
        let version = try #require(Version(text))
        let folder = home.folder(of: version)
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try make(home.daemon(version))
        try FileManager.default.linkItem(atPath: home.daemon(version), toPath: home.command(version))
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/VERSION"))
        let files = try ["codeai-hub", "codeai-hub-core", "VERSION"].map { name -> JSON in
            let size = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")[.size] as? Int
            return ["path": JSON(name), "size": JSON(size ?? -1), "sha256": "", "mode": "0755"]
        }
        let record: JSON = [
            "schema": 1, "component": "core", "version": JSON(text), "installedAt": "2026-01-01T00:00:00.000Z",
            "files": .array(files),
        ]
        try Data(record.serialize()).write(to: URL(fileURLWithPath: folder + "/install.json"))
    }

    private func expectGoneBack(_ home: InstallationHome, _ daemon: TestDaemon) throws {
        #expect(home.installed()?.description == Self.old)
        #expect(home.currentTarget == Self.old)
        #expect(home.trial == nil)
        #expect(home.history.last?.result == .rolledBack)
        #expect(home.history.last?.reason?.contains("started 3 times") == true)
        let reports = try FileManager.default.contentsOfDirectory(atPath: home.path + "/logs")
            .filter { $0.hasPrefix("crash-") }.compactMap { daemon.folder.read("hub/logs/" + $0) }
        #expect(reports.contains { $0.contains("rolledBackTo") })
    }

    @Test func aVersionThatWorksIsConfirmed() throws {
        let (daemon, home) = try onTrial()
        // Ended by somebody in time, again and again: that is nothing against it.
        for _ in 0..<4 {
            try daemon.start()
            #expect(home.trial?.starts == 1)
            try daemon.stop()
            #expect(home.trial?.starts == 0)
        }
        try daemon.start()
        let other = try TestDaemon()
        other.environment = daemon.environment
        other.program = daemon.program
        for _ in 0..<4 { #expect(try other.runToEnd().code == 3) }
        #expect(home.trial?.starts == 1)
        try eventually("it is confirmed", within: .seconds(30)) { home.trial == nil }
        #expect(home.history.last?.result == .confirmed)
        #expect(home.installed()?.description == Self.new)
        try eventually("it says so") {
            daemon.folder.read("hub/logs/core.log")?.contains("this version works") == true
        }
        // From now on it may die as often as it likes.
        for _ in 0..<5 {
            _ = try daemon.kill()
            try daemon.start()
        }
        #expect(home.installed()?.description == Self.new)
        #expect(daemon.folder.read("old.ran") == nil)
    }

    /// It serves, and dies; what a service manager has passed on goes to the old one, in the same process.
    @Test func aVersionThatDiesIsLeft() throws {
        let (daemon, home) = try onTrial()
        for start in 1...3 {
            try daemon.start()
            #expect(home.trial?.starts == start)
            _ = try daemon.kill()
        }
        let (socket, port) = try Self.listener()
        defer { Glibc.close(socket) }
        daemon.descriptors = [socket]
        try daemon.start()
        try expectGoneBack(home, daemon)
        #expect(daemon.folder.read("old.ran") == "\(daemon.pid) 1 \(daemon.arguments.joined(separator: " "))\n")
        #expect(daemon.port == port)
        #expect(try daemon.http("GET", "/health").status == 200)
        // A restart stays with it.
        daemon.descriptors = []
        #expect(try daemon.restartItself()["program"]?.stringValue == home.daemon(try #require(Version(Self.old))))
        try daemon.stop()
    }

    /// A person who wants to talk notices nothing of a version that doesn't start but a moment.
    @Test func theFirstClientGetsTheOldOne() async throws {
        let (daemon, home) = try onTrial(#"--config "$CODEAI_HUB_HOME/good.json""#)
        try daemon.folder.write("hub/good.json", #"{"server":{"port":0}}"#)
        try daemon.folder.write("hub/core/config.json", "{ oops")
        var launcher = DaemonLauncher(home: HubHome(path: daemon.home), executable: daemon.program)
        // Four starts, on a busy machine.
        launcher.patience = .seconds(60)
        let started = try await launcher.ensureRunning()
        let pid = try #require(started.endpoint.pid)
        defer {
            kill(pid, SIGTERM)
            waitpid(pid, nil, 0)
        }
        #expect(started.started)
        try expectGoneBack(home, daemon)
        #expect(daemon.folder.read("old.ran") == "\(pid)  \n")
    }

    private static func listener() throws -> (Int32, UInt16) {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, length) == 0 && listen(fd, 16) == 0 && getsockname(fd, $0, &length) == 0
            }
        }
        guard isBound else { throw TestFailure("no socket") }
        return (fd, UInt16(bigEndian: address.sin_port))
    }
}
