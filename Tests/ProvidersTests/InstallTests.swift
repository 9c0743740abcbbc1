import EventLoop
import Foundation
import HubProtocol
import JSON
import TestSupport
import Testing

@testable import Providers

/// Recipes carried out by scripts that do what the real ones do, and what can go wrong with them.
@Suite(.timeLimit(.minutes(3))) struct InstallTests {
    /// A provider whose recipe is the script `recipe` of the fixture, called with the tree and the pin.
    private func fixture(
        _ recipe: String, more: String = "", environment: [String: String] = [:], installSeconds: Double = 60
    ) throws -> RegistryFixture {
        let folder = try TemporaryFolder("install")
        try folder.write(
            "hub/providers/tool/module.json",
            """
            {"adapter":"acp","command":["${install}/bin/tool"],"version":{"arguments":["--version"],"minimum":"2.0"},
             "install":[\(more){"id":"script","command":["recipe","${target}","${pin}"],"pin":"=="}]}
            """)
        let fixture = try RegistryFixture(folder, environment: environment, installSeconds: installSeconds)
        try fixture.program("recipe", recipe)
        return fixture
    }

    /// A recipe that installs a program of this version.
    private func makes(_ version: String) -> String {
        """
        mkdir -p "$1/bin"
        printf '#!/bin/sh\\n[ "$1" = run ] && exec sleep 300\\necho \(version)\\n' > "$1/bin/tool"
        chmod +x "$1/bin/tool"
        echo "made \(version)"

        """
    }

    private func install(_ fixture: RegistryFixture, _ recipe: String? = nil, version: String? = nil) throws -> JSON? {
        let operation = try fixture.registry.install("tool", recipe: recipe, version: version)
        try fixture.until("the installation ends: \(fixture.record("tool"))") {
            let now = fixture.record("tool")["operation"]
            return now?["id"] == operation["id"] && now?["finishedAt"] != nil
        }
        // The check of what is in use now follows.
        let count = fixture.changes.count
        fixture.registry.check("tool")
        try fixture.until("the check ends") { fixture.changes.count > count }
        return fixture.record("tool")["operation"]
    }

    private func trees(_ fixture: RegistryFixture) -> [String] {
        fixture.names(fixture.hub + "/providers/tool/versions")
    }

    @Test func whateverLiesBesideATreeATreeIsMade() throws {
        let folder = try TemporaryFolder("install")
        let versions = InstalledVersions(folder: folder.path)
        #expect(try versions.makeTree().hasSuffix("/versions/1"))
        for name in ["9223372036854775807", "-9223372036854775808", "x", "+7"] {
            try FileManager.default.createDirectory(
                atPath: folder.path + "/versions/" + name, withIntermediateDirectories: false)
        }
        #expect(try versions.makeTree().hasSuffix("/versions/8"))
    }

    @Test func whatIsInstalledIsInUseWhenItHasSaidItsVersion() throws {
        let fixture = try fixture("echo looking; echo 'half 50%'; sleep 0.3\n" + makes("2.1"))
        #expect(fixture.record("tool")["installed"] == false)
        let operation = try install(fixture)
        #expect(operation?["phase"] == "completed")
        let record = fixture.record("tool")
        #expect(record["installed"] == true && record["version"] == "2.1" && record["status"] == "active")
        #expect(record["install"]?["version"] == "2.1" && record["install"]?["recipe"] == "script")
        // Not by way of the link, which may lead elsewhere tomorrow.
        #expect(record["executable"]?.stringValue == fixture.hub + "/providers/tool/versions/1/bin/tool")
        let launch = try fixture.registry.launch("tool")
        #expect(launch.environment["CODEAI_HUB_TREE"] == fixture.hub + "/providers/tool/versions/1")
        #expect(fixture.progress.contains { $0.phase == .installing && $0.percent == 50 })
        #expect(fixture.progress.last?.phase == .completed)
        let log = fixture.folder.read("hub/providers/tool/install.log")
        #expect(log?.contains("made 2.1") == true && log?.contains("completed") == true)
        let attributes = try FileManager.default.attributesOfItem(atPath: fixture.hub + "/providers/tool/versions/1")
        #expect((attributes[.posixPermissions] as? Int) == 0o700)
    }

    @Test func anUpdateLeavesWhatRunsAlone() throws {
        let fixture = try fixture(makes("2.1"))
        _ = try install(fixture)
        let launch = try fixture.registry.launch("tool")
        let session = try RunningProgram(launch.executable, ["run"], environment: launch.environment)
        try fixture.program("recipe", makes("2.2"))
        #expect(try install(fixture)?["phase"] == "completed")
        #expect(fixture.record("tool")["version"] == "2.2")
        fixture.registry.sweepVersions()
        for _ in 0..<10 { fixture.loop.turn(waitingAtMost: .milliseconds(20)) }
        #expect(trees(fixture) == ["1", "2"])
        #expect(session.isRunning)
        kill(session.pid, SIGKILL)
        try fixture.until("it has ended") { !session.isRunning }
        fixture.registry.look()
        try fixture.until("the old tree is deleted") { trees(fixture) == ["2"] }
    }

    @Test(
        "What goes wrong leaves the old one",
        arguments: [
            ("echo no space >&2; exit 7", "ended with exit code 7: no space"),
            ("true", "put no program where the manifest looks for one (bin/tool)"),
            ("mkdir $1/bin; echo x > $1/bin/tool", "put no program"),
            ("mkdir $1/bin; printf '#!/bin/sh\\necho 1.9' > $1/bin/tool; chmod +x $1/bin/tool", "1.9 is too old"),
            ("mkdir $1/bin; printf '#!/bin/sh\\nexit 1' > $1/bin/tool; chmod +x $1/bin/tool", "ended with exit code 1"),
            ("mkdir $1/bin; printf '#!/bin/sh\\n' > $1/bin/tool; chmod +x $1/bin/tool", "prints no version"),
            ("kill -9 $$", "ended with signal 9"),
        ])
    func failures(_ recipe: String, _ reason: String) throws {
        let fixture = try fixture(makes("2.1"))
        _ = try install(fixture)
        try fixture.program("recipe", recipe)
        let operation = try install(fixture)
        #expect(operation?["phase"] == "failed")
        #expect(operation?["error"]?["code"] == "install_failed")
        let message = operation?["error"]?["message"]?.stringValue ?? ""
        #expect(message.contains(reason), Comment(rawValue: message))
        #expect(fixture.record("tool")["version"] == "2.1" && fixture.record("tool")["status"] == "active")
        try fixture.until("what was begun is deleted") { trees(fixture) == ["1"] }
        // It can be repeated.
        try fixture.program("recipe", makes("2.3"))
        #expect(try install(fixture)?["phase"] == "completed")
        #expect(fixture.record("tool")["version"] == "2.3")
    }

    @Test func itCanBeCancelledWithAllItHasStarted() throws {
        let fixture = try fixture("trap '' TERM; (trap '' TERM; echo $$ > \"$HOME/pid\"; sleep 300) & wait; sleep 300")
        _ = try fixture.registry.install("tool", recipe: nil, version: nil)
        try fixture.until("it has begun") { fixture.exists(fixture.folder.path + "/pid") }
        #expect(fixture.code { _ = try fixture.registry.install("tool", recipe: nil, version: nil) } == "busy")
        #expect(fixture.code { try fixture.registry.uninstall("tool") } == "busy")
        try fixture.registry.cancelInstall("tool")
        try fixture.until("it is cancelled") { fixture.record("tool")["operation"]?["phase"] == "cancelled" }
        #expect(fixture.record("tool")["operation"]?["error"]?["code"] == "install_cancelled")
        #expect(fixture.code { try fixture.registry.cancelInstall("tool") } == "not_installing")
        try fixture.until("nothing is left of it") { trees(fixture) == [] }
    }

    @Test func itMayNotTakeForEver() throws {
        let fixture = try fixture("sleep 300", installSeconds: 0.2)
        let operation = try install(fixture)
        #expect(operation?["phase"] == "failed")
        #expect(operation?["error"]?["message"]?.stringValue?.contains("limits.installSeconds") == true)
    }

    @Test func whatIsMissingIsNamedAndTheNextRecipeTaken() throws {
        let fixture = try fixture(
            makes("2.1"), more: #"{"id":"forge","requires":["no-such-forge"],"command":["no-such-forge"]},"#)
        #expect(fixture.record("tool")["installRecipes"]?[0]?["missing"] == ["no-such-forge"])
        do {
            _ = try fixture.registry.install("tool", recipe: "forge", version: nil)
            Issue.record("a recipe that can't be carried out was begun")
        } catch {
            #expect(error.code == "install_requirement_missing")
            #expect(error.message.contains("no-such-forge") && error.message.contains("script"))
        }
        #expect(try install(fixture)?["recipe"] == "script")
        #expect(
            fixture.code { _ = try fixture.registry.install("echo", recipe: nil, version: nil) } == "no_install_recipe")
        #expect(
            fixture.code { _ = try fixture.registry.install("tool", recipe: "x", version: nil) } == "invalid_request")
        #expect(
            fixture.code { _ = try fixture.registry.install("nobody", recipe: nil, version: nil) }
                == "provider_not_found")
    }

    @Test func aVersionIsNothingButAVersion() throws {
        let fixture = try fixture("echo \"$2\" > \"$HOME/pin\"\n" + makes("2.1"))
        _ = try install(fixture, version: "2.1.0-rc.1")
        #expect(fixture.folder.read("pin") == "==2.1.0-rc.1\n")
        _ = try install(fixture)
        #expect(fixture.folder.read("pin") == "\n")
        for version in ["", "--index-url=http://x", "1; rm -rf /", "1 2", "../1", "x", "1\n2", "$(id)"] {
            let code = fixture.code { _ = try fixture.registry.install("tool", recipe: nil, version: version) }
            #expect(code == "invalid_request", Comment(rawValue: version))
        }
    }

    @Test func whatIsRemovedIsDeletedWhenNothingRunsFromIt() throws {
        let fixture = try fixture(makes("2.1"))
        #expect(fixture.code { try fixture.registry.uninstall("tool") } == "not_installed")
        _ = try install(fixture)
        try fixture.registry.uninstall("tool")
        #expect(fixture.code { _ = try fixture.registry.launch("tool") } == "provider_not_installed")
        try fixture.until("its tree is deleted") { trees(fixture) == [] }
        try fixture.until("that is told") { fixture.record("tool")["installed"] == false }
        _ = try install(fixture)
        #expect(fixture.record("tool")["installed"] == true)
    }

    @Test func aRecipeGetsNoSecretOfAnyProvider() throws {
        let fixture = try fixture(
            "env > \"$HOME/env\"\n" + makes("2.1"),
            environment: [
                "ANTHROPIC_API_KEY": "s1", "OPENAI_API_KEY": "s2", "GEMINI_API_KEY": "s3", "HTTPS_PROXY": "http://p:1",
                "PIP_INDEX_URL": "http://i",
            ])
        _ = try install(fixture)
        let environment = fixture.folder.read("env") ?? ""
        #expect(!environment.contains("=s"))
        #expect(environment.contains("HTTPS_PROXY=http://p:1") && environment.contains("PIP_INDEX_URL=http://i"))
    }

    @Test func endlessOutputIsBounded() throws {
        let fixture = try fixture("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end\n" + makes("2.1"))
        #expect(try install(fixture)?["line"] == "made 2.1")
        let size = (fixture.folder.read("hub/providers/tool/install.log") ?? "").utf8.count
        #expect(size > 1 << 20 && size < (1 << 20) + 1000)
    }

    @Test func aLinkToElsewhereIsNotOurs() throws {
        let fixture = try fixture(makes("2.1"))
        try writeProgram(fixture.folder.path + "/elsewhere/bin/tool", "#!/bin/sh\necho 9.0\n")
        symlink(fixture.folder.path + "/elsewhere", fixture.hub + "/providers/tool/current")
        let versions = InstalledVersions(folder: fixture.hub + "/providers/tool")
        #expect(versions.current == nil)
        #expect(fixture.code { _ = try fixture.registry.launch("tool") } == "provider_not_installed")
        #expect(
            versions.tree(of: fixture.hub + "/providers/tool/versions/12/bin/x") == versions.folder + "/versions/12")
        #expect(versions.tree(of: "/usr/bin/x") == nil)
    }
}
