import Foundation
import HubProtocol
import JSON
import TestSupport
import Testing

@testable import Providers

/// Manifests that change while the daemon runs.
@Suite(.timeLimit(.minutes(2))) struct ManifestReloadTests {
    private let good = #"{"adapter":"acp","command":["agent"],"name":"First"}"#

    @Test func oneThatIsAddedIsThereWithoutARestart() throws {
        let fixture = try RegistryFixture()
        try fixture.program("agent", "echo 1.0")
        fixture.registry.look()
        #expect(fixture.registry.manifest("mine") == nil)
        try fixture.module("mine", good)
        fixture.registry.look()
        #expect(fixture.registry.manifest("mine")?.name == "First")
        #expect(fixture.changes.contains("mine"))
        #expect(try fixture.registry.launch("mine").executable == fixture.folder.path + "/bin/agent")
        try fixture.module("mine", #"{"adapter":"acp","command":["agent"],"name":"Second","arguments":["x"]}"#)
        fixture.registry.look()
        #expect(try fixture.registry.launch("mine").name == "Second")
        // Nothing changed: nothing is told.
        try fixture.until("the checks end") { fixture.record("mine")["installed"] == true }
        fixture.changes = []
        fixture.registry.look()
        #expect(fixture.changes == [])
    }

    @Test func aSlowAnswerDoesNotUndoWhatALaterLookFound() throws {
        let fixture = try RegistryFixture()
        try fixture.program("agent", "sleep 1; echo 1.0")
        try fixture.module("mine", #"{"adapter":"acp","command":["agent"],"version":{"arguments":["--version"]}}"#)
        fixture.registry.look()
        var answers = 0
        fixture.registry.check("mine") { answers += 1 }
        unlink(fixture.folder.path + "/bin/agent")
        fixture.registry.check("mine") { answers += 1 }
        try fixture.until("both have answered") { answers == 2 }
        #expect(fixture.record("mine")["installed"] == false)
    }

    @Test(
        "A broken one never takes a working provider away",
        arguments: [
            #"{"adapter":"acp","comm"#, "", #"{"adapter":"acp","command":["agent"],"nmae":"x"}"#,
            #"{"adapter":"telnet","command":["agent"]}"#, "[]",
        ])
    func broken(_ text: String) throws {
        let fixture = try RegistryFixture()
        try fixture.program("agent", "echo 1.0")
        try fixture.module("mine", good)
        fixture.registry.look()
        try fixture.module("mine", text)
        fixture.registry.look()
        #expect(try fixture.registry.launch("mine").name == "First")
        #expect(fixture.problems.count == 1)
        #expect(fixture.problems.first?.path == fixture.modulePath("mine"))
        #expect(fixture.record("mine")["manifestProblem"]?["reason"]?.stringValue?.isEmpty == false)
        fixture.registry.look()
        #expect(fixture.problems.count == 1)
        // Put right again, the problem is gone.
        try fixture.module("mine", good.replacingOccurrences(of: "First", with: "Third"))
        fixture.registry.look()
        #expect(fixture.registry.problems.isEmpty)
        #expect(fixture.registry.manifest("mine")?.name == "Third")
        #expect(fixture.record("mine")["manifestProblem"] == nil)
    }

    @Test func aRemovedOneStaysAsLongAsItsProcessesRun() throws {
        let fixture = try RegistryFixture()
        try fixture.module("mine", good)
        fixture.registry.look()
        fixture.inUse = ["mine"]
        try FileManager.default.removeItem(atPath: fixture.modulePath("mine"))
        for _ in 0..<3 { fixture.registry.look() }
        #expect(fixture.registry.manifest("mine")?.name == "First")
        #expect(fixture.problems.map(\.path) == [fixture.modulePath("mine")])
        #expect(fixture.removals == [])
        fixture.inUse = []
        fixture.registry.look()
        #expect(fixture.registry.manifest("mine") == nil)
        #expect(fixture.removals == ["mine"])
        #expect(fixture.registry.problems.isEmpty)
    }

    @Test func oneThatIsAwayForAMomentIsNotMissed() throws {
        let fixture = try RegistryFixture()
        try fixture.module("mine", good)
        fixture.registry.look()
        try FileManager.default.removeItem(atPath: fixture.modulePath("mine"))
        fixture.registry.look()
        try fixture.module("mine", good)
        fixture.registry.look()
        #expect(fixture.removals == [] && fixture.registry.manifest("mine") != nil)
    }

    @Test func aRemovedOverrideGivesTheBundledOneBack() throws {
        let fixture = try RegistryFixture()
        let bundled = fixture.registry.manifest("echo")?.name
        try fixture.module("echo", #"{"name":"Mine"}"#)
        fixture.registry.look()
        #expect(fixture.registry.manifest("echo")?.name == "Mine")
        try FileManager.default.removeItem(atPath: fixture.modulePath("echo"))
        for _ in 0..<2 { fixture.registry.look() }
        #expect(fixture.registry.manifest("echo")?.name == bundled)
        #expect(fixture.removals == [])
    }

    @Test func onesThatOthersCouldHaveWrittenAreRefused() throws {
        let fixture = try RegistryFixture()
        try fixture.module("a", good)
        try fixture.module("b", good)
        try fixture.module("c", good)
        try fixture.module("claude", good)
        chmod(fixture.modulePath("a"), 0o664)
        chmod(fixture.hub + "/providers/b", 0o777)
        try FileManager.default.moveItem(atPath: fixture.modulePath("c"), toPath: fixture.folder.path + "/c.json")
        symlink(fixture.folder.path + "/c.json", fixture.modulePath("c"))
        fixture.registry.look()
        let ids = fixture.registry.manifests.map(\.id)
        #expect(!ids.contains("a") && !ids.contains("b") && !ids.contains("c") && !ids.contains("claude"))
        let reasons = fixture.registry.problems.map(\.reason)
        #expect(reasons.count == 4)
        #expect(reasons[0].contains("changed by other users") && reasons[1].contains("changed by other users"))
        #expect(reasons[2].contains("symbolic link") && reasons[3].contains("short for claudeCodeCli"))
        // Put right: in force.
        chmod(fixture.modulePath("a"), 0o600)
        fixture.registry.look()
        #expect(fixture.registry.manifest("a") != nil)
    }

    @Test func anotherProgramIsAskedAgain() throws {
        let fixture = try RegistryFixture()
        try fixture.program("claude", "echo 2.1.0")
        fixture.registry.look()
        fixture.registry.check("claude")
        try fixture.until("the version is known") { fixture.record("claude")["version"] == "2.1.0" }
        try fixture.program("claude", "echo 2.2.0")
        fixture.registry.look()
        try fixture.until("the new version is known") { fixture.record("claude")["version"] == "2.2.0" }
        try FileManager.default.removeItem(atPath: fixture.folder.path + "/bin/claude")
        fixture.registry.look()
        try fixture.until("it is gone") { fixture.record("claude")["installed"] == false }
    }

    @Test func aLoginIsToldWhenItHappens() throws {
        let fixture = try RegistryFixture()
        fixture.registry.look()
        fixture.changes = []
        try fixture.folder.write(".claude/.credentials.json", "{}")
        fixture.registry.look(alsoAtPrograms: false)
        #expect(fixture.changes == ["claudeCodeCli"])
        #expect(fixture.record("claude")["authenticated"] == true)
        // Refreshed tokens are no news.
        try fixture.folder.write(".claude/.credentials.json", "{\"a\":1}")
        fixture.registry.look(alsoAtPrograms: false)
        #expect(fixture.changes == ["claudeCodeCli"])
        try FileManager.default.removeItem(atPath: fixture.folder.path + "/.claude/.credentials.json")
        fixture.registry.look(alsoAtPrograms: false)
        #expect(fixture.changes.count == 2)
        #expect(fixture.record("claude")["authenticated"] == false)
    }
}

/// Enabling and disabling, and what of it lasts.
struct ProviderToggleTests {
    @Test func itLastsAndTheConfigurationFileIsNotTouched() throws {
        let fixture = try RegistryFixture()
        try fixture.registry.setEnabled("echo", false)
        #expect(fixture.changes == ["echo"])
        #expect(fixture.code { _ = try fixture.registry.launch("echo") } == "provider_disabled")
        #expect(fixture.record("echo")["status"] == "inactive" && fixture.record("echo")["problem"] == "disabled")
        let attributes = try FileManager.default.attributesOfItem(atPath: fixture.hub + "/core/state.json")
        #expect((attributes[.posixPermissions] as? Int) == 0o600)
        #expect(fixture.names(fixture.hub + "/core") == ["state.json"])
        let again = try RegistryFixture(fixture.folder)
        #expect(again.registry.manifest("echo")?.isEnabled == false)
        try again.registry.setEnabled("echo", true)
        #expect(try RegistryFixture(fixture.folder).registry.manifest("echo")?.isEnabled == true)
        #expect(fixture.code { try fixture.registry.setEnabled("nobody", true) } == "provider_not_found")
    }

    @Test func theLaterDecisionHolds() throws {
        let folder = try TemporaryFolder("toggles")
        func isEnabled(_ configured: Bool?) throws -> Bool? {
            let overrides = ["echo": ProviderOverride(enabled: configured)]
            return try RegistryFixture(folder, overrides: overrides).registry.manifest("echo")?.isEnabled
        }
        let disabled = ["echo": ProviderOverride(enabled: false)]
        try RegistryFixture(folder, overrides: disabled).registry.setEnabled("echo", true)
        // A client's decision over what the file says,
        #expect(try isEnabled(false) == true)
        // until the file says something else.
        try RegistryFixture(folder, overrides: [:]).registry.setEnabled("echo", false)
        #expect(try isEnabled(nil) == false)
        #expect(try isEnabled(false) == false)
        #expect(try RegistryFixture(folder, overrides: disabled).registry.manifest("echo")?.isEnabled == false)
    }

    @Test(arguments: ["", "[]", "{\"providers\":7}", "{\"providers\":{\"echo\":{\"enabled\":0}}}", "\u{0}"])
    func aDamagedFileCountsAsEmpty(_ text: String) throws {
        let folder = try TemporaryFolder("toggles")
        try folder.write("hub/core/state.json", text)
        let fixture = try RegistryFixture(folder)
        #expect(fixture.registry.manifest("echo")?.isEnabled == true)
        try fixture.registry.setEnabled("echo", false)
        #expect(try RegistryFixture(folder).registry.manifest("echo")?.isEnabled == false)
    }

    @Test func ofEachWindowTheNewestWordCounts() throws {
        let fixture = try RegistryFixture()
        let later = Date().timeIntervalSince1970 + 1000
        fixture.registry.note(Quota(status: "allowed", resetsAt: later, window: "five_hour"), of: "echo")
        fixture.registry.note(
            Quota(status: "warning", resetsAt: later, window: "seven_day", utilization: 0.8), of: "echo")
        fixture.registry.note(Quota(status: "rejected", resetsAt: later, window: "five_hour"), of: "echo")
        fixture.registry.note(Quota(status: "rejected", resetsAt: 1000, window: "long_ago"), of: "echo")
        let windows = fixture.record("echo")["quota"]?.arrayValue ?? []
        #expect(windows.map { $0["window"] } == ["five_hour", "seven_day"])
        #expect(windows.map { $0["status"] } == ["rejected", "warning"])
        let count = fixture.changes.count
        fixture.registry.note(Quota(status: "rejected", resetsAt: later, window: "five_hour"), of: "echo")
        #expect(fixture.changes.count == count)
    }
}
