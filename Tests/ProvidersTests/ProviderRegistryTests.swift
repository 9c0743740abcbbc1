import EventLoop
import Foundation
import HubProtocol
import JSON
import Providers
import TestSupport
import Testing

struct ProviderRegistryTests {
    /// Runs `body` with a registry on a loop's own thread and gives back what it hands on.
    private func withRegistry<T: Sendable>(
        _ folder: TemporaryFolder, overrides: [String: ProviderOverride] = [:], environment: [String: String] = [:],
        _ body: @escaping @Sendable (ProviderRegistry, _ done: @escaping (T) -> Void) -> Void
    ) throws -> T {
        let loop = try EventLoop.startThread(name: "registry")
        defer { loop.stop() }
        let results = Results<T>()
        var variables = ["HOME": folder.path, "PATH": folder.path + "/bin:/usr/bin:/bin"]
        variables.merge(environment) { _, new in new }
        let surroundings = ProviderRegistry.Surroundings(
            hubHome: folder.path + "/hub", program: "/opt/hub/codeai-hub-core", environment: variables, owner: "o")
        loop.submit {
            let registry = ProviderRegistry(surroundings: surroundings, overrides: overrides, loop: loop)
            body(registry) { result in
                withExtendedLifetime(registry) {}
                results.set(result)
            }
        }
        return try #require(results.wait())
    }

    private final class Results<T: Sendable>: @unchecked Sendable {
        private let condition = NSCondition()
        private var value: T?

        func set(_ value: T) {
            condition.withLock {
                self.value = value
                condition.signal()
            }
        }

        func wait() -> T? {
            condition.lock()
            defer { condition.unlock() }
            let deadline = Date() + 20
            while value == nil, condition.wait(until: deadline) {}
            return value
        }
    }

    private func program(_ folder: TemporaryFolder, _ name: String, _ script: String) throws {
        try writeProgram(folder.path + "/bin/" + name, "#!/bin/sh\n" + script)
    }

    private func module(_ folder: TemporaryFolder, _ id: String, _ text: String) throws {
        let path = folder.path + "/hub/providers/" + id
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try text.write(toFile: path + "/module.json", atomically: true, encoding: .utf8)
    }

    @Test func theBundledManifestsAreThoseInAssets() throws {
        let folder = try TemporaryFolder()
        let ids = try withRegistry(folder) { registry, done in
            done(registry.manifests.map(\.id) + registry.problems.map(\.description))
        }
        #expect(ids.contains("claudeCodeCli") && ids.contains("echo"))
        // Built in are links to these; one that nobody linked would be missing from the binary.
        let assets = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "../../assets/providers")
        let files = try FileManager.default.contentsOfDirectory(atPath: assets.path).filter {
            // The list of their packages.
            $0.hasSuffix(".json") && $0 != "manifest.json"
        }
        #expect(Set(files.map { String($0.dropLast(5)) }) == Set(ids))
    }

    @Test func aProgramInPathIsFoundAskedAndRecorded() throws {
        let folder = try TemporaryFolder()
        try program(folder, "claude", "echo '2.1.329 (Claude Code)'")
        let record: JSONObject = try withRegistry(folder, environment: ["ANTHROPIC_API_KEY": "k"]) { registry, done in
            registry.check("claude") { done(registry.record("claudeCodeCli")!) }
        }
        #expect(record["status"] == "active" && record["installed"] == true && record["version"] == "2.1.329")
        #expect(record["authenticated"] == true && record["problem"] == nil)
        #expect(record["capabilities"]?["resume"] == true)
    }

    @Test(
        "A version that can't be used is told",
        arguments: [
            ("echo 1.0.9", "too old"), ("echo hello", "prints no version"),
            ("echo broken >&2; exit 3", "exit code 3 broken"),
        ])
    func badVersions(_ script: String, _ problem: String) throws {
        let folder = try TemporaryFolder()
        try program(folder, "claude", script)
        let record: JSONObject = try withRegistry(folder) { registry, done in
            registry.check("claudeCodeCli") { done(registry.record("claudeCodeCli")!) }
        }
        #expect(record["status"] == "inactive")
        #expect(record["problem"]?.stringValue?.contains(problem) == true)
    }

    @Test func whatIsNotInstalledSaysSo() throws {
        let folder = try TemporaryFolder()
        let (code, record): (String, JSONObject) = try withRegistry(folder, environment: ["PATH": "/nonexistent"]) {
            registry, done in
            let record = registry.record("claudeCodeCli")!
            do throws(Failure) {
                _ = try registry.launch("claude")
                done(("none", record))
            } catch {
                done((error.code, record))
            }
        }
        #expect(code == "provider_not_installed")
        #expect(record["installed"] == false && record["problem"] == "not installed")
    }

    @Test func aLoginIsSeenInItsFiles() throws {
        let folder = try TemporaryFolder()
        func isAuthenticated() throws -> Bool {
            try withRegistry(folder) { registry, done in done(registry.isAuthenticated("claudeCodeCli")) }
        }
        #expect(try !isAuthenticated())
        try FileManager.default.createDirectory(atPath: folder.path + "/.claude", withIntermediateDirectories: true)
        let settings = folder.path + "/.claude/settings.json"
        try "not json".write(toFile: settings, atomically: true, encoding: .utf8)
        #expect(try !isAuthenticated())
        try #"{"apiKeyHelper":"/bin/key"}"#.write(toFile: settings, atomically: true, encoding: .utf8)
        #expect(try isAuthenticated())
        try FileManager.default.removeItem(atPath: settings)
        try "{}".write(toFile: folder.path + "/.claude/.credentials.json", atomically: true, encoding: .utf8)
        #expect(try isAuthenticated())
    }

    @Test func aModuleInTheHomeOverridesAndAdds() throws {
        let folder = try TemporaryFolder()
        try program(folder, "other", "echo 3.0")
        try module(
            folder, "claudeCodeCli", #"{"name":"My Claude","command":["other"],"environment":{"A":"${provider}/x"}}"#)
        try module(folder, "goose", #"{"adapter":"acp","command":["other"],"arguments":["acp"]}"#)
        try module(folder, "broken", #"{"adapter":"acp","command":["other"],"nmae":"x"}"#)
        try module(folder, "named", #"{"id":"different","adapter":"acp","command":["other"]}"#)
        let (launch, goose, problems): (ProviderLaunch?, ProviderLaunch?, [ManifestError]) = try withRegistry(folder) {
            registry, done in
            done((try? registry.launch("claude"), try? registry.launch("goose"), registry.problems))
        }
        #expect(launch?.name == "My Claude")
        #expect(launch?.executable == folder.path + "/bin/other")
        #expect(launch?.environment["A"] == folder.path + "/hub/providers/claudeCodeCli/x")
        #expect(goose?.arguments == ["acp"])
        #expect(problems.map(\.key) == ["nmae", "id"])
    }

    @Test func aBrokenModuleLeavesTheBundledOne() throws {
        let folder = try TemporaryFolder()
        try module(folder, "echo", #"{"command":"#)
        let (ids, problems): ([String], [String]) = try withRegistry(folder) { registry, done in
            done((registry.manifests.map(\.id), registry.problems.map(\.path)))
        }
        #expect(ids.contains("echo"))
        #expect(problems == [folder.path + "/hub/providers/echo/module.json"])
    }

    @Test func theConfigurationHasTheLastWord() throws {
        let folder = try TemporaryFolder()
        try program(folder, "mine", "echo 3.0")
        let overrides = [
            "claudeCodeCli": ProviderOverride(
                command: folder.path + "/bin/mine", arguments: ["--debug"],
                environment: ["CLAUDE_CODE_MAX_RETRIES": "9"]),
            "echo": ProviderOverride(enabled: false),
        ]
        let (launch, code): (ProviderLaunch?, String) = try withRegistry(folder, overrides: overrides) {
            registry, done in
            let launch = try? registry.launch("claude")
            do throws(Failure) {
                _ = try registry.launch("echo")
                done((launch, "none"))
            } catch {
                done((launch, error.code))
            }
        }
        #expect(launch?.executable == folder.path + "/bin/mine" && launch?.arguments == ["--debug"])
        #expect(
            launch?.environment["CLAUDE_CODE_MAX_RETRIES"] == "9" && launch?.environment["DISABLE_AUTOUPDATER"] == "1")
        #expect(code == "provider_disabled")
    }

    @Test func echoIsTheDaemonItself() throws {
        let folder = try TemporaryFolder()
        let manifest = try withRegistry(folder) { registry, done in done(registry.manifest("echo")!) }
        #expect(manifest.command == ["${self}"] && manifest.adapter == "acp" && manifest.authentication == nil)
    }

    @Test func whoIsUnknownIsUnknown() throws {
        let folder = try TemporaryFolder()
        let code = try withRegistry(folder) { registry, done in
            do throws(Failure) {
                _ = try registry.makeSession("nobody", ProviderStart(sessionId: "s", workspace: "/"))
                done("none")
            } catch {
                done(error.code)
            }
        }
        #expect(code == "provider_not_found")
    }
}
