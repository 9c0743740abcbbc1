import Archives
import Base
import Downloads
import Foundation
import Installations
import JSON
import TestSupport
import Testing

@testable import Releases

/// A core that is version 2.0.0, has `agent` 1.0.0 and `other` 1.0.0 inside, and reads modules by a few members.
private struct FakeJudge: ModuleJudge {
    let home: InstallationHome
    /// What it says against every module.
    var refusal: String?

    func modules() throws(ReleaseError) -> ModulesInForce {
        let bundled = Version("1.0.0")!
        var present = ModulesInForce(
            core: Version("2.0.0")!, known: ["agent", "other"], versions: ["agent": bundled, "other": bundled])
        for id in ["agent", "other", "third"] {
            if let installed = home.installed(.provider(id)) {
                present.known.insert(id)
                present.versions[id] = max(installed, present.versions[id] ?? installed)
            }
        }
        return present
    }

    func check(_ file: String) throws(ReleaseError) -> (id: String, version: Version) {
        if let refusal { throw ReleaseError(.moduleUnusable, refusal) }
        guard let bytes = try? readFile(file), let json = try? JSON.parse(bytes), let id = json["id"]?.stringValue,
            let version = json["moduleVersion"]?.stringValue.flatMap({ Version($0) })
        else { throw ReleaseError(.moduleUnusable, "no module") }
        return (id, version)
    }
}

/// From a list of modules to one in force, and back.
@Suite struct ModuleFlowTests {
    private let folder: TemporaryFolder
    private let home: InstallationHome
    private let mirror: TestMirror
    private let events = Lock<[String]>([])

    init() throws {
        folder = try TemporaryFolder("modules")
        home = InstallationHome(path: folder.path + "/hub")
        mirror = try TestMirror(folder.path + "/mirror")
    }

    private func flow(refusal: String? = nil) -> ModuleFlow {
        var flow = ModuleFlow(
            home: home, downloader: Downloader(limits: DownloadLimits(), userAgent: "test"),
            judge: FakeJudge(home: home, refusal: refusal))
        flow.report = { event in events.withLock { $0.append(event.name) } }
        flow.keep = 1
        return flow
    }

    private func request(_ provider: String? = nil) throws -> ModuleFlow.Request {
        var request = ModuleFlow.Request(
            source: try ReleaseSource(mirror.path, manifest: "providers-manifest.json"),
            keys: try TrustedKeys(files: [mirror.keyFile]))
        request.provider = provider
        return request
    }

    @discardableResult
    private func install(_ provider: String? = nil, refusal: String? = nil) throws -> [ModuleFlow.Outcome] {
        let flow = flow(refusal: refusal)
        let plan = try flow.plan(try request(provider))
        return try plan.changes.map { try flow.apply($0, of: plan) }
    }

    private func code(_ body: () throws -> Void) -> String? {
        do { try body() } catch { return (error as? ReleaseError)?.code ?? "\(error)" }
        return nil
    }

    private func installed(_ id: String = "agent") -> String? { home.installed(.provider(id))?.description }

    private func names(_ id: String = "agent") -> [String] {
        folderEntries(home.folder(of: .provider(id))) ?? []
    }

    // MARK: Planning

    @Test func onlyWhatIsNewerThanWhatIsInForce() throws {
        try mirror.publish(module: "agent", "1.0.0")
        try mirror.publish(module: "other", "0.9.0")
        try mirror.publish(module: "third", "1.0.0")
        #expect(try flow().plan(try request()).isUpToDate)
        try mirror.publish(module: "agent", "1.1.0")
        let plan = try flow().plan(try request())
        let change = try #require(plan.changes.first)
        #expect(plan.changes.count == 1 && change.component == .provider("agent"))
        #expect(change.from == Version("1.0.0") && change.entry.version == Version("1.1.0"))
        #expect(plan.signedBy == mirror.key.name)
        #expect(!exists(home.path))
        // One that nobody has heard of is there for who asks.
        #expect(try flow().plan(try request("third")).changes.first?.from == nil)
        #expect(code { _ = try flow().plan(try request("nobody")) } == "version_missing")
    }

    @Test func oneForALaterCoreWaitsForIt() throws {
        try mirror.publish(module: "agent", "1.1.0") { $0["minimumCore"] = "2.1.0" }
        try mirror.publish(module: "other", "1.1.0") { $0["minimumCore"] = "2.0.0" }
        let plan = try flow().plan(try request())
        #expect(plan.changes.map(\.component) == [.provider("other")])
        #expect(plan.waiting.map(\.component) == [.provider("agent")])
        #expect(plan.json["waiting"]?[0]?["minimumCore"] == "2.1.0")
        #expect(code { _ = try flow().plan(try request("agent")) } == "core_too_old")
        // In the plan of an update that brings that core.
        var later = try request()
        later.core = Version("2.1.0")
        #expect(try flow().plan(later).changes.count == 2)
    }

    @Test func whereTheListLies() throws {
        let standard = try ReleaseSource(mirrors: []).beside("providers-manifest.json")
        #expect(
            standard.manifests.map { "\($0)" } == [
                "https://github.com/OleynikAleksandr/CodeAI-Hub/releases/latest/download/providers-manifest.json"
            ])
    }

    // MARK: Installing

    @Test func itIsInForceWithWhereItCameFrom() throws {
        try mirror.publish(module: "agent", "1.1.0")
        let outcome = try #require(try install().first)
        #expect(outcome.provider == "agent" && outcome.from == Version("1.0.0") && outcome.to == Version("1.1.0"))
        #expect(installed() == "1.1.0")
        let record = try #require(home.record(of: Version("1.1.0")!, .provider("agent")))
        #expect(record.signedBy == mirror.key.name && record.files.map(\.path) == ["module.json"])
        #expect(home.history.map(\.component) == [.provider("agent")])
        #expect(folderEntries(home.downloads) == [])
        #expect(
            events.withLock { $0 }.filter { $0 != "downloading" }
                == ["resolving", "verifying", "unpacking", "preflight", "switching", "cleaned"])
        // The one before and the one in force stay.
        for version in ["1.2.0", "1.3.0"] {
            try mirror.publish(module: "agent", version)
            try install()
        }
        #expect(names() == ["1.2.0", "1.3.0"])
        #expect(try install().isEmpty)
    }

    @Test func aDamagedOneIsMended() throws {
        try mirror.publish(module: "agent", "1.1.0")
        try install()
        let path = home.folder(of: Version("1.1.0")!, .provider("agent")) + "/module.json"
        try writeFile(path, [])
        // As the core has it, which doesn't believe it.
        let flow = flow()
        var plan = try flow.plan(try request())
        #expect(plan.isUpToDate)
        try writeFile(home.versionsFile, Array(#"{"provider:agent":7,"mine":1}"#.utf8))
        plan = try flow.plan(try request())
        _ = try flow.apply(try #require(plan.changes.first), of: plan)
        #expect(installed() == "1.1.0")
        #expect(try home.flaws(of: Version("1.1.0")!, .provider("agent")).isEmpty)
        #expect(try VersionsFile(home).read()["mine"] == 1)
    }

    private static func file(_ path: String, bytes: Int = 3) -> (TarEntry, [UInt8]) {
        (
            TarEntry(path: path, size: 0, permissions: 0o644, modified: 0),
            (0..<bytes).map { UInt8(truncatingIfNeeded: $0) }
        )
    }

    /// What each publishes instead of a module.
    private static let harm: [(String, @Sendable (TestMirror) throws -> Void, Set<String>)] = [
        (
            "another SHA-256", { try $0.publish(module: "agent", "1.2.0") { $0["sha256"] = JSON(digits(64)) } },
            ["wrong_sum", "package_wrong_sum"]
        ),
        (
            "another SHA-1", { try $0.publish(module: "agent", "1.2.0") { $0["sha1"] = JSON(digits(40)) } },
            ["wrong_sum", "package_wrong_sum"]
        ),
        ("no sum", { try $0.publish(module: "agent", "1.2.0") { $0["sha256"] = "" } }, ["manifest_invalid"]),
        ("another size", { try $0.publish(module: "agent", "1.2.0") { $0["size"] = 7 } }, ["wrong_size", "wrong_sum"]),
        (
            "a path for a version", { try $0.publish(module: "agent", "1.2.0") { $0["version"] = "../1.2.0" } },
            ["manifest_invalid"]
        ),
        (
            "a wrong signature",
            {
                try $0.publish(module: "agent", "1.2.0")
                try $0.signModules(with: TestKey(9))
            }, ["signature_wrong"]
        ),
        (
            "no signature",
            {
                try $0.publish(module: "agent", "1.2.0")
                unlink($0.modulesManifest + ".sig")
            }, ["unsigned"]
        ),
        (
            "no module", { try $0.publish(module: "agent", "1.2.0", name: nil) },
            ["package_damaged", "package_incomplete"]
        ),
        (
            "a module of another name", { try $0.publish(module: "agent", "1.2.0", name: "Module.json") },
            ["package_incomplete"]
        ),
        (
            "a program beside it", { try $0.publish(module: "agent", "1.2.0", more: [file("run.sh")]) },
            ["module_unusable"]
        ),
        (
            "a folder beside it", { try $0.publish(module: "agent", "1.2.0", more: [file("bin/README.md")]) },
            ["module_unusable"]
        ),
        (
            "far too much", { try $0.publish(module: "agent", "1.2.0", more: [file("README.md", bytes: 2 << 20)]) },
            ["package_too_large"]
        ),
        (
            "a record of its own", { try $0.publish(module: "agent", "1.2.0", more: [file("install.json")]) },
            ["package_unsafe"]
        ),
        (
            "another provider's", { try $0.publish(module: "agent", "1.2.0", TestMirror.module("other", "1.2.0")) },
            ["module_unusable"]
        ),
        (
            "another version", { try $0.publish(module: "agent", "1.2.0", TestMirror.module("agent", "9.0.0")) },
            ["module_unusable"]
        ),
        ("no JSON", { try $0.publish(module: "agent", "1.2.0", "{") }, ["module_unusable"]),
    ]

    private static func digits(_ count: Int) -> String { String(repeating: "0", count: count) }

    @Test("What is no module leaves the one in force", arguments: harm.indices)
    func harmed(_ index: Int) throws {
        let (what, publish, codes) = Self.harm[index]
        try mirror.publish(module: "agent", "1.1.0")
        try install()
        try publish(mirror)
        let found = code { try install() } ?? "nothing"
        #expect(codes.contains(found), "\(what): \(found)")
        #expect(installed() == "1.1.0" && names() == ["1.1.0"], "\(what)")
        #expect(try home.flaws(of: Version("1.1.0")!, .provider("agent")).isEmpty)
        // Nothing of it is in the way of a good one.
        unlink(mirror.modulesManifest)
        try mirror.publish(module: "agent", "1.2.0")
        try install()
        #expect(installed() == "1.2.0")
    }

    @Test func oneThatTheCoreRefusesIsNotInForce() throws {
        try mirror.publish(module: "agent", "1.1.0")
        #expect(code { try install(refusal: "spoons: is not known") } == "module_unusable")
        #expect(installed() == nil && names() == [])
        try install()
        #expect(installed() == "1.1.0")
    }

    @Test("Ended at any step, the old one is in force or the new one", arguments: 0..<8)
    func cancelled(_ step: Int) throws {
        try mirror.publish(module: "agent", "1.1.0")
        try install()
        try mirror.publish(module: "agent", "1.2.0")
        var flow = flow()
        let asked = Lock(0)
        flow.isCancelled = {
            asked.withLock { count in
                count += 1
                return count > step
            }
        }
        let found = code {
            let plan = try flow.plan(try request())
            _ = try flow.apply(try #require(plan.changes.first), of: plan)
        }
        #expect([nil, "cancelled"].contains(found), "\(found ?? "")")
        let version = try #require(installed())
        #expect(version == (found == nil ? "1.2.0" : "1.1.0"))
        #expect(try home.flaws(of: Version(version)!, .provider("agent")).isEmpty)
        #expect(!names().contains { $0.hasPrefix(".") })
    }

    @Test func oneInstallerAtATime() throws {
        try mirror.publish(module: "agent", "1.1.0")
        let other = try Installer(home)
        #expect(code { try install() } == "install_running")
        withExtendedLifetime(other) {}
    }

    // MARK: Going back

    @Test func backToTheOneBeforeAndAtLastToTheOneInside() throws {
        for version in ["1.1.0", "1.2.0"] {
            try mirror.publish(module: "agent", version)
            try install()
        }
        let first = try flow().rollBack("agent", to: nil)
        #expect(first.from == Version("1.2.0") && first.to == Version("1.1.0") && installed() == "1.1.0")
        let second = try flow().rollBack("agent", to: nil)
        #expect(second.to == nil && installed() == nil)
        #expect(home.history.last?.result == .rolledBack)
        #expect(code { _ = try flow().rollBack("agent", to: nil) } == "version_missing")
        // Both are still there.
        #expect(names() == ["1.1.0", "1.2.0"])
    }

    @Test func aCertainOneWhenItIsWhole() throws {
        for version in ["1.1.0", "1.2.0"] {
            try mirror.publish(module: "agent", version)
            try install()
        }
        #expect(code { _ = try flow().rollBack("agent", to: Version("1.0.5")) } == "version_missing")
        #expect(code { _ = try flow(refusal: "no").rollBack("agent", to: Version("1.1.0")) } == "module_unusable")
        try writeFile(
            home.folder(of: Version("1.1.0")!, .provider("agent")) + "/module.json",
            Array(TestMirror.module("agent", "1.1.1").utf8))
        #expect(code { _ = try flow().rollBack("agent", to: Version("1.1.0")) } == "installation_damaged")
        #expect(installed() == "1.2.0")
    }
}
