import Base
import Foundation
import TestSupport
import Testing

@testable import Installations

/// What is removed, and what never is.
@Suite struct RemovalTests {
    private let folder: TemporaryFolder
    private let home: InstallationHome

    init() throws {
        folder = try TemporaryFolder("removal")
        home = InstallationHome(path: folder.path + "/hub")
        let installer = try Installer(home)
        for text in ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"] {
            let release = TestRelease(text).smaller
            try installer.unpack(release.package(in: folder.path))
            try installer.switchTo(release.version)
            if text != "1.4.0" { try installer.confirm() }
        }
    }

    private var versions: [String] { home.versions().map(\.description) }

    @Test func theNewestAreKept() throws {
        let installer = try Installer(home)
        try folder.write("hub/core/downloads/x.part", "x")
        let removed = try installer.cleanUp(keep: 2)
        // 1.3.0 is what the trial would go back to.
        #expect(removed.map(\.description) == ["1.0.0"])
        try installer.confirm()
        #expect(try installer.cleanUp(keep: 1).map(\.description) == ["1.1.0", "1.2.0"])
        #expect(versions == ["1.3.0", "1.4.0"])
        #expect(try installer.cleanUp(keep: 0).map(\.description) == ["1.3.0"])
        #expect(versions == ["1.4.0"])
        #expect(!exists(home.downloads))
    }

    /// What a killed install.sh has left, and one that runs.
    @Test func whatTheScriptHasLeftGoes() throws {
        let process = try RunningProgram("/bin/true", [])
        _ = process.wait()
        for pid in [process.pid, getpid()] { try folder.write("hub/core/.bootstrap-\(pid)/codeai-hub", "x") }
        try folder.write("hub/core/.bootstrap-mine", "x")
        try Installer(home).cleanUp(keep: 0)
        let left = folderEntries(home.core)?.filter { $0.hasPrefix(".bootstrap-") }
        #expect(left == [".bootstrap-\(getpid())", ".bootstrap-mine"].sorted())
    }

    @Test func theOneBeforeIsKeptFirst() throws {
        let installer = try Installer(home)
        try installer.confirm()
        try installer.rollBack(to: Version("1.1.0"), reason: "wanted")
        // 1.4.0 was in force before.
        #expect(try installer.cleanUp(keep: 1).map(\.description) == ["1.0.0", "1.2.0", "1.3.0"])
    }

    @Test func whatAProcessRunsFromStays() throws {
        let version = try #require(Version("1.0.0"))
        let program = home.folder(of: version) + "/sleep"
        try FileManager.default.copyItem(atPath: "/bin/sleep", toPath: program)
        let process = try RunningProgram(program, ["60"])
        let installer = try Installer(home)
        try eventually("it runs") { installer.processes(of: version) == [process.pid] }
        try installer.confirm()
        #expect(try installer.cleanUp(keep: 0).map(\.description) == ["1.1.0", "1.2.0", "1.3.0"])
        let error = #expect(throws: InstallationError.self) { try installer.discard(version) }
        #expect(error?.code == .inUse)
        #expect(error?.message.contains("process \(process.pid)") == true)
        // It is damaged by the file that was put there, and stays all the same.
        let again = #expect(throws: InstallationError.self) {
            try installer.unpack(TestRelease("1.0.0").smaller.package(in: folder.path))
        }
        #expect(again?.code == .inUse)
        kill(process.pid, SIGKILL)
        _ = process.wait()
        #expect(try installer.unpack(TestRelease("1.0.0").smaller.package(in: folder.path)))
        #expect(try home.flaws(of: version) == [])
    }

    /// `codeai-hub install` mends the version that it is a program of.
    @Test func whoeverMendsAVersionMayRunFromIt() throws {
        let package = try TestRelease("1.0.0").smaller.package(in: folder.path)
        let program = home.folder(of: package.version) + "/codeai-hub"
        unlink(program)
        try FileManager.default.copyItem(atPath: TestDaemon.programs + "/TestPeer", toPath: program)
        let mended = try run(program, ["installation", "install", home.path, "1.0.0", package.file])
        #expect(mended.output == "done\n", Comment(rawValue: mended.text))
        #expect(try home.flaws(of: package.version) == [])
    }

    @Test func theLinkOfThePerson() throws {
        let bin = folder.path + "/bin"
        let link = CommandLink(home, in: bin)
        #expect(try link.make() == .made)
        #expect(try link.make() == .wasThere)
        let said = try run(link.path, ["--version"])
        #expect(said.output == "codeai-hub 1.4.0\n")
        try Installer(home).rollBack(reason: "x")
        #expect(try run(link.path, ["--version"]).output == "codeai-hub 1.3.0\n")
        // One of ours that leads elsewhere is set right.
        unlink(link.path)
        symlink(home.command(Version("1.0.0")!), link.path)
        #expect(try link.make() == .made)
        #expect(try link.remove())
        #expect(try !link.remove())
        // What others have put there is left alone.
        for other in ["file", "link"] {
            if other == "file" { try folder.write("bin/codeai-hub", "x") } else { symlink("/bin/true", link.path) }
            #expect(try link.make() == .taken)
            #expect(try !link.remove())
            #expect(exists(link.path))
            unlink(link.path)
        }
    }

    @Test func uninstallingKeepsWhatIsThePersons() throws {
        try folder.write("hub/sessions/a.jsonl", "said")
        try folder.write("hub/core/config.json", "{}")
        try folder.write(
            "hub/installed-versions.json", "{\"core\":\"1.4.0\",\"provider:x\":\"1.0.0\",\"vscode\":\"1\"}")
        try folder.write("hub/providers/x/modules/1.0.0/module.json", "{}")
        try folder.write("hub/providers/x/module.json", "{}")
        let link = CommandLink(home, in: folder.path + "/bin")
        _ = try link.make()
        try Installer(home).uninstall(keepData: true, links: [link])
        #expect(folder.read("hub/sessions/a.jsonl") == "said")
        #expect(folder.read("hub/core/config.json") == "{}")
        #expect(folder.read("hub/providers/x/module.json") == "{}")
        #expect(folder.read("hub/installed-versions.json") == "{\"vscode\":\"1\"}\n")
        #expect(!exists(home.folder(of: .core)))
        #expect(!exists(home.path + "/providers/x/modules"))
        #expect(!exists(link.path))
        #expect(home.history.last?.result == .uninstalled)
        // And again, from nothing.
        let installer = try Installer(home)
        try installer.unpack(TestRelease("1.0.0").smaller.package(in: folder.path))
        try installer.switchTo(#require(Version("1.0.0")))
        #expect(versions == ["1.0.0"])
    }

    /// What was cut short leaves nothing behind when it is done again, wherever that was.
    @Test(arguments: ["{}", "{\"core\":\"1.4.0\"}", nil]) func uninstallingAgain(versions: String?) throws {
        if let versions { try folder.write("hub/installed-versions.json", versions) } else { unlink(home.versionsFile) }
        try folder.write("hub/sessions/a.jsonl", "said")
        try folder.write("hub/installed-versions.json.123.new", "{")
        try folder.write("hub/core/installs.json.123.new", "{")
        try Installer(home).uninstall(keepData: true)
        #expect(folderEntries(home.path)?.sorted() == ["core", "sessions"])
        #expect(Set(folderEntries(home.core) ?? []).isSubset(of: ["install.lock", "installs.json"]))
    }

    @Test func uninstallingAll() throws {
        try folder.write("hub/sessions/a.jsonl", "said")
        try folder.write("hub/core/config.json", "{}")
        try folder.write("hub/installed-versions.json.damaged", "{")
        try Installer(home).uninstall(keepData: false)
        #expect(!exists(home.path))
        _ = try Installer(home)
        // What is called so in a person's own folder needs not be ours.
        for own in [home.path, home.path + "/below"] {
            try folder.write("hub/below/logs", "x")
            try folder.write("hub/backups/holiday.jpg", "x")
            let refused = try run(
                TestDaemon.programs + "/TestPeer", ["installation", "uninstall", home.path], environment: ["HOME": own])
            #expect(refused.output.contains("home_shared"), Comment(rawValue: refused.text))
            #expect(folder.read("hub/backups/holiday.jpg") == "x")
        }
        removeTree(home.path + "/below")
        try folder.write("hub/not-ours", "x")
        try Installer(home).uninstall(keepData: false)
        #expect(folderEntries(home.path) == ["not-ours"])
    }

    @Test func aRunningDaemonComesFirst() throws {
        let file = open(home.core + "/core.lock", O_RDWR | O_CREAT, 0o600)
        defer { close(file) }
        try #require(flock(file, LOCK_EX | LOCK_NB) == 0)
        let error = #expect(throws: InstallationError.self) { try Installer(home).uninstall(keepData: true) }
        #expect(error?.code == .daemonRuns)
        #expect(versions.count == 5)
    }

    @Test func modulesOfProviders() throws {
        let component = Component.provider("claudeCodeCli")
        let installer = try Installer(home)
        for text in ["1.0.0", "1.1.0"] {
            let version = try #require(Version(text))
            try installer.unpack(TestRelease.module(component, version, in: folder.path))
            try installer.switchTo(version, of: component)
        }
        #expect(home.installed(component)?.description == "1.1.0")
        #expect(home.versions(of: component).count == 2)
        #expect(exists(home.path + "/providers/claudeCodeCli/modules/1.1.0/module.json"))
        #expect(try installer.cleanUp(keep: 0, of: component).map(\.description) == ["1.0.0"])
        #expect(home.trial?.version.description == "1.4.0")
        #expect(versions.count == 5)
    }
}
