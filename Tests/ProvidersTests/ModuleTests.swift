import Foundation
import HubProtocol
import JSON
import TestSupport
import Testing

@testable import Providers

/// Provider modules that were installed without a release of the core.
@Suite(.timeLimit(.minutes(2))) struct ModuleTests {
    @Test func aNewerOneIsInForceAtOnceAndTheEarlierOneWhenItIsNamedAgain() throws {
        let fixture = try RegistryFixture()
        #expect(fixture.record("claude")["module"] == ["version": "1.0.0", "source": "bundled"])
        try fixture.installModule("claudeCodeCli", "1.1.0", ["name": "Claude Code 1.1"])
        fixture.registry.look()
        #expect(fixture.registry.manifest("claude")?.name == "Claude Code 1.1")
        #expect(fixture.record("claude")["module"] == ["version": "1.1.0", "source": "installed"])
        #expect(fixture.changes.contains("claudeCodeCli"))

        try fixture.installModule("claudeCodeCli", "1.2.0-rc.1", ["name": "Claude Code 1.2"])
        fixture.registry.look()
        #expect(fixture.registry.manifest("claude")?.name == "Claude Code 1.2")
        try fixture.name("claudeCodeCli", "1.1.0")
        fixture.registry.look()
        #expect(fixture.registry.manifest("claude")?.name == "Claude Code 1.1")
        // A start finds the same.
        #expect(try RegistryFixture(fixture.folder).registry.manifest("claude")?.name == "Claude Code 1.1")

        try fixture.name("claudeCodeCli", nil)
        fixture.registry.look()
        #expect(fixture.registry.manifest("claude")?.name == "Claude Code")
        #expect(fixture.record("claude")["module"] == ["version": "1.0.0", "source": "bundled"])
        #expect(fixture.problems.isEmpty && fixture.removals.isEmpty)
    }

    @Test("A core that brings a newer one has it in force", arguments: ["1.0.0", "0.9.0", "1.0.0-beta"])
    func older(_ version: String) throws {
        let fixture = try RegistryFixture()
        try fixture.installModule("codexCli", version, ["name": "Older"])
        fixture.registry.look()
        #expect(fixture.registry.manifest("codex")?.name == "Codex")
        #expect(fixture.record("codex")["module"] == ["version": "1.0.0", "source": "bundled"])
        #expect(fixture.registry.problems.isEmpty)
    }

    @Test func thePersonsOwnHoldsOverEveryModule() throws {
        let fixture = try RegistryFixture()
        try fixture.module("claudeCodeCli", #"{"name":"Mine"}"#)
        fixture.registry.look()
        #expect(fixture.record("claude")["module"] == ["version": "1.0.0", "source": "person", "over": "bundled"])
        // What is under it changes, its file doesn't.
        try fixture.installModule("claudeCodeCli", "1.1.0", ["name": "Theirs", "description": "newer"])
        fixture.registry.look()
        let manifest = try #require(fixture.registry.manifest("claude"))
        #expect(manifest.name == "Mine" && manifest.summary == "newer")
        #expect(fixture.record("claude")["module"] == ["version": "1.1.0", "source": "person", "over": "installed"])
        try FileManager.default.removeItem(atPath: fixture.modulePath("claudeCodeCli"))
        for _ in 0..<2 { fixture.registry.look() }
        #expect(fixture.registry.manifest("claude")?.name == "Theirs")
    }

    @Test func aProviderMayBeAModuleAlone() throws {
        let fixture = try RegistryFixture()
        let text = #"{"id":"tiny","moduleVersion":"0.1.0","adapter":"acp","command":["x"]}"#
        try fixture.lay("tiny", "0.1.0", text)
        try fixture.name("tiny", "0.1.0")
        fixture.registry.look()
        #expect(fixture.record("tiny")["module"] == ["version": "0.1.0", "source": "installed"])
        // A person's own needs not be complete.
        try fixture.module("tiny", #"{"name":"Mine"}"#)
        fixture.registry.look()
        #expect(fixture.registry.manifest("tiny")?.name == "Mine")
        fixture.inUse = ["tiny"]
        try fixture.name("tiny", nil)
        for _ in 0..<3 { fixture.registry.look() }
        #expect(fixture.registry.manifest("tiny")?.name == "Mine")
        #expect(fixture.record("tiny")["module"]?["problem"]?["reason"]?.stringValue?.contains("was removed") == true)
        fixture.inUse = []
        fixture.registry.look()
        #expect(fixture.removals == ["tiny"])
        // What it changed is gone: it can't stand alone.
        #expect(fixture.registry.problems.map(\.key) == ["adapter"])
    }

    /// What each does to a module that would be good.
    private static let harm: [(String, @Sendable (RegistryFixture, String) throws -> Void, String)] = [
        ("another byte", { try append("{}", to: $1 + "/module.json", $0) }, "not what was installed"),
        ("no record", { _, folder in unlink(folder + "/install.json") }, "incomplete"),
        ("no module", { _, folder in unlink(folder + "/module.json") }, "incomplete"),
        ("no folder", { try FileManager.default.removeItem(atPath: $1) }, "can't be looked at"),
        (
            "a record of something else",
            { fixture, folder in
                let text = try String(contentsOfFile: folder + "/install.json", encoding: .utf8)
                try text.replacingOccurrences(of: "provider:claudeCodeCli", with: "provider:codexCli")
                    .write(toFile: folder + "/install.json", atomically: true, encoding: .utf8)
            }, "not what was installed"
        ),
        (
            "a record without sums",
            { _, folder in
                try #"{"component":"provider:claudeCodeCli","version":"1.1.0","files":[]}"#
                    .write(toFile: folder + "/install.json", atomically: true, encoding: .utf8)
                chmod(folder + "/install.json", 0o600)
            }, "not what was installed"
        ),
        ("a file that others may change", { _, folder in chmod(folder + "/module.json", 0o666) }, "other users"),
        ("a folder that others may change", { _, folder in chmod(folder, 0o777) }, "other users"),
        (
            "a link",
            { _, folder in
                rename(folder, folder + ".real")
                symlink(folder + ".real", folder)
            }, "symbolic link"
        ),
        (
            "a version that is none", { fixture, _ in try fixture.name("claudeCodeCli", "../1.1.0") },
            "must be a version"
        ),
    ]

    private static func append(_ text: String, to path: String, _ fixture: RegistryFixture) throws {
        let before = try String(contentsOfFile: path, encoding: .utf8)
        try (before + text).write(toFile: path, atomically: true, encoding: .utf8)
        chmod(path, 0o600)
    }

    @Test("One that isn't as it was installed leaves the bundled one in force", arguments: harm.indices)
    func harmed(_ index: Int) throws {
        let (what, harm, reason) = ModuleTests.harm[index]
        let fixture = try RegistryFixture()
        try fixture.installModule("claudeCodeCli", "1.1.0", ["name": "Newer"])
        try harm(fixture, fixture.moduleFolder("claudeCodeCli", "1.1.0"))
        fixture.registry.look()
        try expectBundled(fixture, reason, what)
        // A start finds the same.
        let again = try RegistryFixture(fixture.folder)
        #expect(again.registry.manifest("claude")?.name == "Claude Code")
        #expect(again.registry.problems.count == 1)
    }

    @Test(
        "One that this core can't use leaves the bundled one in force",
        arguments: [
            (["minimumCore": "0.2.0", "adapter": "telepathy", "spoons": 1], "is 0.2.0, this core is 0.1.0"),
            (["adapter": "telepathy"], "must be one of"), (["spoons": 1], "is not known"),
            (["id": "codexCli"], "must be claudeCodeCli"), (["moduleVersion": "1.1.1"], "must be 1.1.0"),
            (["moduleVersion": "1.1"], "must be a version"), (["moduleVersion": nil], "is missing"),
            (["command": ["${steal}"]], "placeholder"),
        ] as [(JSONObject, String)])
    func unusable(_ changes: JSONObject, _ reason: String) throws {
        let fixture = try RegistryFixture()
        try fixture.installModule("claudeCodeCli", "1.1.0", changes.merging(["name": "Newer"]))
        fixture.registry.look()
        try expectBundled(fixture, reason, "\(changes)")
    }

    private func expectBundled(_ fixture: RegistryFixture, _ reason: String, _ what: String) throws {
        #expect(fixture.registry.manifest("claude")?.name == "Claude Code", "\(what)")
        let module = try #require(fixture.record("claude")["module"])
        #expect(module["source"] == "bundled" && module["version"] == "1.0.0", "\(what)")
        let said = module["problem"]?["reason"]?.stringValue ?? "nothing"
        #expect(said.contains(reason), "\(what): \(said)")
        #expect(fixture.problems.count == 1, "\(what)")
        #expect(fixture.registry.problems.count == 1)
        fixture.registry.look()
        #expect(fixture.problems.count == 1)
        #expect(fixture.changes.contains("claudeCodeCli"))
    }

    @Test func oneThatTurnsBadLaterTakesNothingAway() throws {
        let fixture = try RegistryFixture()
        try fixture.installModule("claudeCodeCli", "1.1.0", ["name": "Newer"])
        fixture.registry.look()
        try "{".write(
            toFile: fixture.moduleFolder("claudeCodeCli", "1.1.0") + "/module.json", atomically: true, encoding: .utf8)
        fixture.registry.look()
        #expect(fixture.registry.manifest("claude")?.name == "Newer")
        #expect(fixture.record("claude")["module"]?["problem"] != nil)
        try fixture.installModule("claudeCodeCli", "1.1.0", ["name": "Newest"])
        fixture.registry.look()
        #expect(fixture.registry.manifest("claude")?.name == "Newest")
        #expect(fixture.registry.problems.isEmpty)
    }

    @Test func whatIsInsideTheCoreHasNoModule() throws {
        let fixture = try RegistryFixture()
        try fixture.installModule("echo", "9.0.0", ["name": "Evil"])
        fixture.registry.look()
        #expect(fixture.registry.manifest("echo")?.name == "Echo")
        #expect(fixture.registry.problems.first?.reason.contains("can't be a module") == true)
    }

    @Test("A list that can't be read is a problem, and what it said holds", arguments: ["{", "[]", ""])
    func list(_ text: String) throws {
        let fixture = try RegistryFixture()
        try fixture.installModule("claudeCodeCli", "1.1.0", ["name": "Newer"])
        fixture.registry.look()
        let path = fixture.hub + "/installed-versions.json"
        let good = try Data(contentsOf: URL(filePath: path))
        try fixture.folder.write("hub/installed-versions.json", text)
        fixture.registry.look()
        #expect(fixture.problems.map(\.path) == [path])
        #expect(fixture.registry.manifest("claude")?.name == "Newer")
        try good.write(to: URL(filePath: path))
        fixture.registry.look()
        #expect(fixture.registry.problems.isEmpty)
    }

    @Test func eachBundledOneSaysItsVersionAndTheCoreItNeeds() throws {
        let fixture = try RegistryFixture()
        for manifest in fixture.registry.manifests {
            #expect(manifest.moduleVersion != nil && manifest.minimumCore != nil, "\(manifest.id)")
        }
    }

    @Test func aFileIsCheckedAsAModuleBeforeItIsInstalled() throws {
        let fixture = try RegistryFixture()
        let path = fixture.folder.path + "/module.json"
        func reason(_ changes: JSONObject) throws -> String {
            try fixture.folder.write("module.json", JSON.object(try fixture.bundled("codexCli", changes)).description)
            do throws(ManifestError) {
                return "\(try ProviderManifest(module: path, core: "0.1.0").id)"
            } catch {
                return error.reason
            }
        }
        #expect(try reason([:]) == "codexCli")
        #expect(try reason(["minimumCore": "9.0.0"]).contains("is 9.0.0"))
        #expect(try reason(["moduleVersion": nil]) == "is missing")
        #expect(try reason(["id": "echo"]).contains("can't be a module"))
        unlink(path)
        #expect(throws: ManifestError.self) { try ProviderManifest(module: path, core: "0.1.0") }
    }
}
