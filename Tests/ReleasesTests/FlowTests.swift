import Base
import Downloads
import Foundation
import Installations
import JSON
import TestSupport
import Testing

@testable import Releases

/// From a manifest to a version in force, with programs that are scripts and a daemon that does as it is told.
@Suite struct FlowTests {
    private let folder: TemporaryFolder
    private let home: InstallationHome
    private let mirror: TestMirror
    private let events = Lock<[ReleaseEvent]>([])

    init() throws {
        folder = try TemporaryFolder("releases")
        home = InstallationHome(path: folder.path + "/hub")
        mirror = try TestMirror(folder.path + "/mirror")
    }

    private var flow: ReleaseFlow {
        var flow = ReleaseFlow(home: home, downloader: Downloader(limits: DownloadLimits(), userAgent: "test"))
        flow.watch = .milliseconds(300)
        flow.silence = .milliseconds(1500)
        flow.report = { event in events.withLock { $0.append(event) } }
        return flow
    }

    private func request(_ source: String? = nil) throws -> ReleaseFlow.Request {
        ReleaseFlow.Request(
            source: try ReleaseSource(source ?? mirror.path), keys: try TrustedKeys(files: [mirror.keyFile]))
    }

    @discardableResult
    private func install(
        _ version: String, daemon: FakeDaemon? = nil, _ change: (inout ReleaseFlow) -> Void = { _ in }
    ) throws -> ReleaseFlow.Outcome {
        try mirror.publish(TestRelease(version))
        var flow = flow
        change(&flow)
        let plan = try flow.plan(try request())
        return try flow.apply(try #require(plan.changes.first), of: plan, daemon: daemon)
    }

    private func code(_ body: () throws -> Void) -> String? {
        do { try body() } catch { return (error as? ReleaseError)?.code ?? "\(error)" }
        return nil
    }

    // MARK: Planning

    @Test func whatWouldChange() throws {
        try mirror.publish(TestRelease("1.2.0"), notes: "- first")
        let plan = try flow.plan(try request())
        let change = try #require(plan.changes.first)
        #expect(plan.signedBy == mirror.key.name)
        #expect(change.from == nil)
        #expect(change.entry.version == Version("1.2.0"))
        #expect(change.download == change.entry.size)
        #expect(change.notes == "- first")
        #expect(!exists(home.path))
        _ = try flow.apply(change, of: plan, daemon: nil)
        #expect(try flow.plan(try request()).isUpToDate)
        try mirror.publish(TestRelease("1.3.0"))
        #expect(try flow.plan(try request()).changes.first?.from == Version("1.2.0"))
    }

    @Test func anOlderVersionIsRefusedUnlessItIsWanted() throws {
        try install("1.3.0")
        try mirror.publish(TestRelease("1.2.0"))
        #expect(code { _ = try flow.plan(try request()) } == "downgrade_refused")
        var wanted = try request()
        wanted.allowsDowngrade = true
        #expect(try flow.plan(wanted).changes.first?.entry.version == Version("1.2.0"))
    }

    @Test func anotherVersionLiesInAFolderOfItsOwn() throws {
        let older = try TestMirror(mirror.path + "/v1.2.0", key: mirror.key)
        try older.publish(TestRelease("1.2.0"))
        try mirror.publish(TestRelease("1.3.0"))
        var wanted = try request()
        for version in ["1.2.0", "1.3.0"] {
            wanted.version = Version(version)
            #expect(try flow.plan(wanted).changes.first?.entry.version == Version(version))
        }
        wanted.version = Version("1.4.0")
        #expect(code { _ = try flow.plan(wanted) } == "version_missing")
    }

    @Test func aPackageIsTakenByTheManifestBesideIt() throws {
        let package = try mirror.publish(TestRelease("1.2.0"))
        #expect(try flow.plan(try request(package.file)).changes.count == 1)
        #expect(try flow.plan(try request("file://" + mirror.manifest)).changes.count == 1)
        _ = try TestRelease("1.1.0").package(in: mirror.path)
        let other = package.file.replacingOccurrences(of: "1.2.0", with: "1.1.0")
        #expect(code { _ = try flow.plan(try request(other)) } == "version_missing")
        #expect(code { _ = try request(mirror.path + "/nothing") } == "source_invalid")
        #expect(code { _ = try request("http://example.com/") } == "source_invalid")
        #expect(code { _ = try request("ftp://example.com/") } == "source_invalid")
    }

    @Test func addressesOfVersions() throws {
        let source = try ReleaseSource(mirrors: [])
        #expect(
            try source.of(version: Version("1.2.3")!).manifests.map { "\($0)" } == [
                "https://github.com/OleynikAleksandr/CodeAI-Hub/releases/latest/download/manifest.json",
                "https://github.com/OleynikAleksandr/CodeAI-Hub/releases/download/v1.2.3/manifest.json",
            ])
        let other = try ReleaseSource("https://example.com/hub")
        #expect(
            try other.of(version: Version("1.2.3")!).manifests.map { "\($0)" } == [
                "https://example.com/hub/manifest.json", "https://example.com/hub/v1.2.3/manifest.json",
            ])
    }

    // MARK: Trust

    @Test func whoMustHaveSigned() throws {
        try mirror.publish(TestRelease("1.2.0"))
        let other = TestKey(9)
        try mirror.sign(with: other)
        #expect(code { _ = try flow.plan(try request()) } == "signature_wrong")
        // The right key's number over other bytes.
        try writeFile(mirror.manifest + ".sig", Array(mirror.key.signature(of: [1]).utf8))
        #expect(code { _ = try flow.plan(try request()) } == "signature_wrong")
        for text in ["", "x", "untrusted comment: x\nAAAA\n"] {
            try writeFile(mirror.manifest + ".sig", Array(text.utf8))
            #expect(code { _ = try flow.plan(try request()) } == "signature_wrong")
        }
        unlink(mirror.manifest + ".sig")
        #expect(code { _ = try flow.plan(try request()) } == "unsigned")
        var unsigned = try request()
        unsigned.allowsUnsigned = true
        #expect(try flow.plan(unsigned).signedBy == nil)
        // A wrong one is refused all the same.
        try mirror.sign(with: other)
        #expect(code { _ = try flow.plan(unsigned) } == "signature_wrong")
        // Nothing is believed of what isn't signed.
        try mirror.write(Array("{".utf8))
        try mirror.sign(with: other)
        #expect(code { _ = try flow.plan(try request()) } == "signature_wrong")
        try mirror.sign(with: mirror.key)
        #expect(code { _ = try flow.plan(try request()) } == "manifest_invalid")
    }

    @Test func whatIsNotSignedNamesNoOtherPlaces() throws {
        try mirror.publish(TestRelease("1.2.0"), baseUrl: ["https://example.com/x/"])
        // What lies beside a manifest here comes first.
        #expect(try flow.plan(try request()).changes.first?.mirrors.count == 2)
        unlink(mirror.manifest + ".sig")
        var unsigned = try request()
        unsigned.allowsUnsigned = true
        #expect(code { _ = try flow.plan(unsigned) } == "unsigned")
    }

    @Test func aMirrorThatWontDoIsLeftForTheNext() throws {
        let liar = try TestMirror(folder.path + "/liar", key: TestKey(9))
        try liar.publish(TestRelease("6.6.6"))
        try mirror.publish(TestRelease("1.2.0"))
        let mirrors = ["http://127.0.0.1:1/manifest.json", folder.path + "/liar", mirror.path]
        let request = ReleaseFlow.Request(
            source: try ReleaseSource(mirrors: mirrors), keys: try TrustedKeys(files: [mirror.keyFile]))
        #expect(try flow.plan(request).changes.first?.entry.version == Version("1.2.0"))
        let skipped = events.withLock { $0.filter { $0.name == "skipped" }.count }
        #expect(skipped == 2)
        // The one that answered says more than the one that is away.
        let bad = ReleaseFlow.Request(
            source: try ReleaseSource(mirrors: Array(mirrors.prefix(2))), keys: try TrustedKeys(files: [mirror.keyFile])
        )
        #expect(code { _ = try flow.plan(bad) } == "signature_wrong")
    }

    /// A mirror that has stopped, or is stopped by somebody, at what was rightly signed once.
    @Test func aMirrorThatIsBehindIsLeftForTheNext() throws {
        try install("1.2.0")
        let stale = try TestMirror(folder.path + "/stale", key: mirror.key)
        try stale.publish(TestRelease("1.1.0"))
        try mirror.publish(TestRelease("1.3.0"))
        let request = ReleaseFlow.Request(
            source: try ReleaseSource(mirrors: [stale.path, mirror.path]),
            keys: try TrustedKeys(files: [mirror.keyFile]))
        #expect(try flow.plan(request).changes.first?.entry.version == Version("1.3.0"))
    }

    /// Somebody looked at a plan for long, and somebody else has installed a newer version meanwhile.
    @Test func aPlanThatIsBehindIsNotCarriedOut() throws {
        try install("1.2.0")
        try mirror.publish(TestRelease("1.3.0"))
        let plan = try flow.plan(try request())
        let change = try #require(plan.changes.first)
        try install("1.4.0")
        #expect(code { _ = try flow.apply(change, of: plan, daemon: nil) } == "changed_meanwhile")
        #expect(home.installed() == Version("1.4.0"))
        #expect(home.versions() == [Version("1.2.0"), Version("1.4.0")])
        // The same one is no reason to complain.
        try mirror.publish(TestRelease("1.5.0"))
        let next = try flow.plan(try request())
        try install("1.5.0")
        let outcome = try flow.apply(try #require(next.changes.first), of: next, daemon: nil)
        #expect(outcome.to == nil)
    }

    @Test func keysThatCannotBeReadAreNotOverlooked() throws {
        try folder.write("none.pub", "x")
        #expect(code { _ = try TrustedKeys(files: [folder.path + "/none.pub"]) } == "key_invalid")
        #expect(code { _ = try TrustedKeys(files: [folder.path + "/missing.pub"]) } == "key_invalid")
        // The project's own.
        #expect(try !TrustedKeys(files: []).keys.isEmpty)
    }

    // MARK: Fetching

    @Test func sumsThatAreWrong() throws {
        let wrong: [(String, String)] = [
            ("sha1", String(repeating: "0", count: 40)), ("sha256", String(repeating: "0", count: 64)),
        ]
        for (member, value) in wrong {
            try mirror.publish(TestRelease("1.2.0")) { $0[member] = JSON(value) }
            let plan = try flow.plan(try request())
            let code = code { _ = try flow.apply(try #require(plan.changes.first), of: plan, daemon: nil) }
            #expect(["package_wrong_sum", "wrong_sum"].contains(code), "\(member): \(code ?? "")")
            #expect(home.installed() == nil)
        }
        for size in [1, 100_000_000] {
            try mirror.publish(TestRelease("1.2.0")) { $0["size"] = JSON(size) }
            let plan = try flow.plan(try request())
            let code = code { _ = try flow.apply(try #require(plan.changes.first), of: plan, daemon: nil) }
            #expect(["wrong_size", "too_large"].contains(code), "\(size): \(code ?? "")")
        }
        #expect(home.versions() == [])
    }

    @Test func whatWasFetchedIsUsedAgain() throws {
        let package = try mirror.publish(TestRelease("1.2.0"))
        try makeDirectories(home.downloads)
        let name = try #require(package.file.split(separator: "/").last.map(String.init))
        let bytes = try readFile(package.file)
        try writeFile(home.downloads + "/" + name, bytes)
        let plan = try flow.plan(try request())
        #expect(plan.changes.first?.download == 0)
        // It isn't looked for again.
        unlink(package.file)
        _ = try flow.apply(try #require(plan.changes.first), of: plan, daemon: nil)
        #expect(home.installed() == Version("1.2.0"))
        #expect(!events.withLock { $0.contains { $0.name == "downloading" } })
        // Other bytes in its place are not.
        try mirror.publish(TestRelease("1.3.0"))
        let next = try flow.plan(try request())
        let change = try #require(next.changes.first)
        try makeDirectories(home.downloads)
        try writeFile(
            home.downloads + "/" + change.entry.package, [UInt8](repeating: 0, count: change.entry.size))
        _ = try flow.apply(change, of: next, daemon: nil)
        #expect(home.installed() == Version("1.3.0"))
    }

    @Test func cancelledAtEveryStep() throws {
        try install("1.2.0")
        try mirror.publish(TestRelease("1.3.0"))
        let plan = try flow.plan(try request())
        let change = try #require(plan.changes.first)
        var codes: Set<String> = []
        for name in ["verifying", "unpacking", "preflight", "restarting", "watching"] {
            let isCancelled = Lock(false)
            var flow = flow
            flow.report = { event in if event.name == name { isCancelled.withLock { $0 = true } } }
            flow.isCancelled = { isCancelled.withLock { $0 } }
            let daemon = FakeDaemon(home, running: "1.2.0")
            codes.insert(code { _ = try flow.apply(change, of: plan, daemon: daemon) } ?? name)
            #expect(home.installed() == Version("1.2.0"), "\(name)")
            #expect(daemon.health()?.version == "1.2.0", "\(name)")
        }
        #expect(codes == ["cancelled"])
    }

    /// It has agreed to go over, and does so after somebody has changed their mind.
    @Test func cancelledBeforeTheDaemonHasGone() throws {
        try install("1.2.0")
        let isCancelled = Lock(false)
        let daemon = FakeDaemon(home, running: "1.2.0")
        daemon.bad = ("1.3.0", .slow)
        let code = code {
            _ = try install("1.3.0", daemon: daemon) { flow in
                flow.report = { event in if event.name == "restarting" { isCancelled.withLock { $0 = true } } }
                flow.isCancelled = { isCancelled.withLock { $0 } }
            }
        }
        #expect(code == "cancelled")
        #expect(daemon.did == ["restart 1.3.0", "restart 1.2.0"])
        #expect(daemon.health()?.version == "1.2.0")
        #expect(home.installed() == Version("1.2.0"))
    }

    // MARK: Going over

    @Test func theDaemonGoesOver() throws {
        try install("1.2.0")
        let daemon = FakeDaemon(home, running: "1.2.0")
        let outcome = try install("1.3.0", daemon: daemon)
        #expect(outcome.isRestarted)
        #expect(outcome.from == Version("1.2.0"))
        #expect(outcome.to == Version("1.3.0"))
        #expect(daemon.did == ["restart 1.3.0"])
        #expect(home.trial == nil)
        #expect(home.history.last?.result == .confirmed)
        let names = events.withLock { $0.map(\.name) }
        let expected = [
            "resolving", "verifying", "unpacking", "preflight", "switching", "restarting", "watching", "cleaned",
        ]
        #expect(expected.allSatisfy(names.contains), "\(names)")
    }

    @Test func withoutADaemonTheTrialWaitsForTheFirstStart() throws {
        try install("1.2.0")
        #expect(try install("1.3.0", daemon: FakeDaemon(home, running: nil)).isRestarted == false)
        #expect(home.trial?.version == Version("1.3.0"))
    }

    @Test(arguments: [
        (FakeDaemon.Behaviour.refuses, "refused", []), (.dies, "ended", ["start 1.2.0"]),
        (.hangs, "nothing", ["end 1.3.0", "start 1.2.0"]), (.diesLater, "ended", ["start 1.2.0"]),
        (.hangsLater, "nothing", ["end 1.3.0", "start 1.2.0"]), (.saysOther, "9.9.9", ["restart 1.2.0"]),
        (.startsAgainAndAgain, "again", ["restart 1.2.0"]),
    ]) func aVersionThatIsNotWellIsLeft(behaviour: FakeDaemon.Behaviour, reason: String, then: [String]) throws {
        try install("1.2.0")
        let daemon = FakeDaemon(home, running: "1.2.0")
        daemon.bad = ("1.3.0", behaviour)
        let error = #expect(throws: ReleaseError.self) {
            try install("1.3.0", daemon: daemon) { $0.watch = .seconds(2) }
        }
        #expect(error?.code == "rolled_back")
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
        #expect(daemon.did == ["restart 1.3.0"] + then)
        #expect(daemon.health()?.version == "1.2.0")
        #expect(home.installed() == Version("1.2.0"))
        #expect(home.trial == nil)
        #expect(home.history.last?.result == .rolledBack)
        #expect(folderEntries(home.path + "/logs")?.count == 1)
    }

    @Test func aVersionThatCannotRunIsNeverInForce() throws {
        try install("1.2.0")
        let daemon = FakeDaemon(home, running: "1.2.0")
        var broken = TestRelease("1.3.0")
        broken.claims = "1.2.9"
        try mirror.publish(broken)
        let plan = try flow.plan(try request())
        #expect(
            code { _ = try flow.apply(try #require(plan.changes.first), of: plan, daemon: daemon) }
                == "preflight_failed")
        #expect(home.installed() == Version("1.2.0"))
        #expect(daemon.did == [])
    }

    @Test func backToWhatWasThereBefore() throws {
        for version in ["1.2.0", "1.3.0", "1.4.0"] { try install(version) { $0.keep = 5 } }
        let daemon = FakeDaemon(home, running: "1.4.0")
        #expect(try flow.rollBack(to: nil, daemon: daemon).to == Version("1.3.0"))
        #expect(daemon.health()?.version == "1.3.0")
        #expect(try flow.rollBack(to: Version("1.2.0"), daemon: daemon).to == Version("1.2.0"))
        #expect(code { _ = try flow.rollBack(to: Version("1.2.0"), daemon: daemon) } == "version_missing")
        #expect(code { _ = try flow.rollBack(to: Version("7.0.0"), daemon: daemon) } == "version_missing")
        // One whose files were changed is no longer what was signed.
        let program = home.daemon(Version("1.4.0")!)
        var bytes = try readFile(program)
        bytes[bytes.count - 2] ^= 1
        try writeFile(program, bytes, mode: 0o755)
        #expect(code { _ = try flow.rollBack(to: Version("1.4.0"), daemon: daemon) } == "installation_damaged")
        #expect(home.installed() == Version("1.2.0"))
    }

    @Test func oldVersionsGo() throws {
        for minor in 1...5 {
            try install("1.\(minor).0")
            try Installer(home).confirm()
        }
        // The one on trial, the one to go back to, and two more.
        #expect(home.versions().map(\.description) == ["1.2.0", "1.3.0", "1.4.0", "1.5.0"])
        try install("1.6.0") { $0.keep = 0 }
        // On trial: the one to go back to stays.
        #expect(home.versions().map(\.description) == ["1.5.0", "1.6.0"])
    }

    @Test func oneInstallerAtATime() throws {
        try install("1.2.0")
        try mirror.publish(TestRelease("1.3.0"))
        let plan = try flow.plan(try request())
        try withExtendedLifetime(Installer(home)) {
            #expect(
                code { _ = try flow.apply(try #require(plan.changes.first), of: plan, daemon: nil) }
                    == "install_running")
        }
    }
}
