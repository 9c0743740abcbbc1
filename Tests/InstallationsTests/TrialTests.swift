import Base
import Foundation
import JSON
import TestSupport
import Testing

@testable import Installations

/// A version that has still to show that it works, as the daemon sees it.
@Suite struct TrialTests {
    private let folder: TemporaryFolder
    private let home: InstallationHome
    private let old = Version("1.0.0")!
    private let new = Version("1.1.0")!

    init() throws {
        folder = try TemporaryFolder("trial")
        home = InstallationHome(path: folder.path + "/hub")
        let installer = try Installer(home)
        for version in [old, new] {
            try installer.unpack(TestRelease(version.description).smaller.package(in: folder.path))
            try installer.switchTo(version)
        }
    }

    private func daemon(_ version: Version) -> DaemonTrial { DaemonTrial(home, program: home.daemon(version)) }

    @Test func theFourthStartGoesBack() throws {
        for start in 1...3 { #expect(daemon(new).begin() == .onTrial(starts: start)) }
        #expect(home.installed() == new)
        guard case .wentBack(let program, let reason) = daemon(new).begin() else {
            Issue.record("it didn't go back")
            return
        }
        #expect(program == home.daemon(old))
        #expect(reason.contains("3 times"))
        #expect(home.installed() == old)
        #expect(home.currentTarget == "1.0.0")
        #expect(home.trial == nil)
        #expect(home.history.last?.result == .rolledBack)
        #expect(folderEntries(home.path + "/logs")?.count == 1)
        #expect(daemon(old).begin() == .usual)
        #expect(daemon(new).begin() == .usual)
    }

    @Test func otherProgramsAreNotCounted() throws {
        #expect(daemon(old).begin() == .usual)
        #expect(DaemonTrial(home, program: TestDaemon.executable).begin() == .usual)
        #expect(DaemonTrial(home, program: "/nowhere").begin() == .usual)
        #expect(home.trial?.starts == 0)
        try daemon(old).confirm()
        daemon(old).takeBack()
        #expect(home.trial != nil)
        // By either of its names, and by whatever path.
        #expect(DaemonTrial(home, program: home.currentLink + "/codeai-hub").begin() == .onTrial(starts: 1))
    }

    @Test func aStartThatSaysNothingIsTakenBack() throws {
        for _ in 0..<10 {
            #expect(daemon(new).begin() == .onTrial(starts: 1))
            daemon(new).takeBack()
        }
        daemon(new).takeBack()
        #expect(home.trial?.starts == 0)
        #expect(try daemon(new).confirm() == new)
        #expect(try daemon(new).confirm() == nil)
        #expect(home.trial == nil)
        #expect(home.history.last?.result == .confirmed)
        #expect(home.installed() == new)
    }

    /// Killed between the trial of the next version and its coming into force.
    @Test func whatIsOnTrialStaysSoWhenTheNextNeverCame() throws {
        try Trial(version: Version("1.2.0")!, previous: old, since: .now).write(home)
        _ = try Installer(home).settle()
        #expect(home.installed() == new)
        #expect(home.trial?.version == new)
        #expect(home.trial?.previous == old)
        // What is known to work is not tried again.
        try Installer(home).confirm()
        try Trial(version: Version("1.2.0")!, previous: new, since: .now).write(home)
        _ = try Installer(home).settle()
        #expect(home.trial == nil)
    }

    @Test func asLongAsADaemonRunsThereIsNoReasonToGoBack() throws {
        for _ in 1...3 { _ = daemon(new).begin() }
        try holdingTheHome { #expect(daemon(new).begin() == .onTrial(starts: 4)) }
        #expect(home.installed() == new)
        guard case .wentBack = daemon(new).begin() else {
            Issue.record("it didn't go back")
            return
        }
    }

    @Test func withoutTheOldOneTheNewOneGoesOn() throws {
        unlink(home.daemon(old))
        for start in 1...6 { #expect(daemon(new).begin() == .onTrial(starts: start)) }
        #expect(home.installed() == new)
    }

    @Test func aProgramThatOthersMayChangeIsNotGoneBackTo() throws {
        for _ in 1...3 { _ = daemon(new).begin() }
        chmod(home.daemon(old), 0o777)
        #expect(daemon(new).begin() == .onTrial(starts: 4))
        chmod(home.daemon(old), 0o755)
        chmod(home.core, 0o777)
        #expect(daemon(new).begin() == .usual)
        chmod(home.core, 0o700)
        #expect(daemon(new).begin() == .wentBack(to: home.daemon(old), reason: try #require(reason)))
    }

    private var reason: String? { home.history.last?.reason }

    @Test(arguments: [
        "", "{", "[]", "{\"schema\":2}", #"{"schema":1,"component":"core","version":"../x","previous":"1.0.0"}"#,
    ])
    func whatMakesNoSenseIsNoTrial(_ text: String) throws {
        try folder.write("hub/core/trial.json", text)
        #expect(home.trial == nil)
        #expect(daemon(new).begin() == .usual)
        #expect(try Installer(home).settle().count == 1)
        #expect(!exists(home.trialFile))
        #expect(home.installed() == new)
    }

    /// Also one that isn't a file, and whatever the clock says.
    @Test(arguments: [Int64(-62_135_596_800_000), 0, 253_402_300_799_000])
    func theClockDoesNotMatter(_ milliseconds: Int64) throws {
        let now = Timestamp(milliseconds: milliseconds)
        let installer = try Installer(home)
        try installer.confirm(now: now)
        let next = TestRelease("1.2.0").smaller
        try installer.unpack(next.package(in: folder.path))
        try installer.switchTo(next.version, now: now)
        #expect(home.trial?.since == now)
        for start in 1...3 { #expect(daemon(next.version).begin(now: now) == .onTrial(starts: start)) }
        guard case .wentBack(let program, _) = daemon(next.version).begin(now: now) else {
            Issue.record("it didn't go back")
            return
        }
        #expect(program == home.daemon(new))
        #expect(try installer.settle() == [])
        // Twice at the same moment is twice.
        try installer.switchTo(next.version, now: now)
        try installer.rollBack(reason: "again", now: now)
        #expect(home.installed() == new)
        #expect(home.trial == nil)
        #expect(try installer.cleanUp(keep: 0).count == 2)
        #expect(home.versions() == [new])
    }

    /// What the kernel makes of a daemon's lock.
    private func holdingTheHome(_ body: () throws -> Void) throws {
        let file = open(home.core + "/core.lock", O_RDWR | O_CREAT, 0o600)
        defer { close(file) }
        try #require(flock(file, LOCK_EX | LOCK_NB) == 0)
        #expect(home.holdsDaemon)
        try body()
    }
}
