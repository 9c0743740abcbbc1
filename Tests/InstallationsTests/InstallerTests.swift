import Base
import Foundation
import JSON
import TestSupport
import Testing

@testable import Installations

/// Unpacking, switching, going back, in a home that nobody disturbs.
@Suite struct InstallerTests {
    private let folder: TemporaryFolder
    private let home: InstallationHome

    init() throws {
        folder = try TemporaryFolder("installer")
        home = InstallationHome(path: folder.path + "/hub")
    }

    private func install(_ text: String, _ installer: Installer) throws {
        let release = TestRelease(text)
        try installer.unpack(release.package(in: folder.path))
        try installer.preflight(release.version)
        try installer.switchTo(release.version)
    }

    @Test func theFirstVersion() throws {
        let installer = try Installer(home)
        var steps: [Installer.Step] = []
        installer.onStep = { steps.append($0) }
        try install("1.2.0", installer)
        let version = try #require(Version("1.2.0"))
        #expect(home.installed() == version)
        #expect(home.versions() == [version])
        #expect(home.currentTarget == "1.2.0")
        #expect(try home.flaws(of: version) == [])
        // There is nothing to go back to.
        #expect(home.trial == nil)
        #expect(home.history.map(\.result) == [.installed])
        let record = try #require(home.record(of: version))
        #expect(
            record.files.map(\.path) == ["LICENSE", "THIRD-PARTY-LICENSES", "VERSION", "codeai-hub", "codeai-hub-core"])
        #expect(record.files.map(\.mode) == [0o644, 0o644, 0o644, 0o755, 0o755])
        // One file with two names.
        #expect(inode(home.daemon(version)) == inode(home.command(version)))
        #expect(mode(home.daemon(version)) == 0o755)
        #expect(mode(home.folder(of: version) + "/install.json") == 0o644)
        let isWhole = steps.contains {
            if case .unpacking(_, _, let done, let size) = $0 { done == size } else { false }
        }
        #expect(isWhole)
        #expect(steps.last == .switching(.core, from: nil, to: version))
        #expect(folderEntries(home.folder(of: .core)) == ["1.2.0", "current"])
    }

    @Test func anUpdateIsOnTrialUntilItIsConfirmed() throws {
        let installer = try Installer(home)
        try install("1.2.0", installer)
        try install("1.3.0", installer)
        #expect(home.installed()?.description == "1.3.0")
        let trial = try #require(home.trial)
        #expect(trial.version.description == "1.3.0")
        #expect(trial.previous.description == "1.2.0")
        try installer.confirm()
        #expect(home.trial == nil)
        #expect(home.history.map(\.result) == [.installed, .installed, .confirmed])
        #expect(home.history.last?.from?.description == "1.2.0")
        #expect(try installer.settle() == [])
    }

    @Test func aVersionThatFailsIsLeft() throws {
        let installer = try Installer(home)
        try install("1.2.0", installer)
        try install("1.3.0", installer)
        #expect(try installer.rollBack(reason: "it doesn't answer").description == "1.2.0")
        #expect(home.installed()?.description == "1.2.0")
        #expect(home.currentTarget == "1.2.0")
        #expect(home.trial == nil)
        #expect(home.history.last?.result == .rolledBack)
        #expect(home.history.last?.reason == "it doesn't answer")
        let reports = try #require(folderEntries(home.path + "/logs"))
        #expect(reports.count == 1)
        let report = try JSON.parse(readFile("\(home.path)/logs/\(reports[0])"))
        #expect(report["version"] == "1.3.0")
        #expect(report["rolledBackTo"] == "1.2.0")
        #expect(report["reason"] == "it doesn't answer")
    }

    @Test func anUpdateDuringATrialGoesBackToWhatWorked() throws {
        let installer = try Installer(home)
        for version in ["1.2.0", "1.3.0", "1.4.0"] { try install(version, installer) }
        #expect(home.trial?.previous.description == "1.2.0")
        #expect(try installer.rollBack(from: Version("1.4.0"), reason: "x").description == "1.2.0")
        // Somebody else was faster.
        #expect(try installer.rollBack(from: Version("1.4.0"), reason: "x").description == "1.2.0")
        #expect(home.history.count { $0.result == .rolledBack } == 1)
    }

    @Test func goingBackWithoutATrial() throws {
        let installer = try Installer(home)
        for version in ["1.2.0", "1.3.0", "1.4.0"] {
            try install(version, installer)
            try installer.confirm()
        }
        #expect(try installer.rollBack(reason: "wanted").description == "1.3.0")
        #expect(try installer.rollBack(to: Version("1.4.0"), reason: "wanted").description == "1.4.0")
        #expect { _ = try installer.rollBack(to: Version("9.0.0"), reason: "wanted") } throws: {
            isCode(.notInstalled, $0)
        }
        try installer.discard(#require(Version("1.3.0")))
        #expect(try installer.rollBack(reason: "wanted").description == "1.2.0")
        #expect { _ = try installer.discard(#require(Version("1.2.0"))) } throws: { isCode(.inUse, $0) }
        try installer.discard(#require(Version("1.4.0")))
        #expect { _ = try installer.rollBack(reason: "wanted") } throws: { isCode(.noPrevious, $0) }
    }

    @Test func oneInstallerAtATime() throws {
        try withExtendedLifetime(Installer(home)) {
            let error = #expect(throws: InstallationError.self) { try Installer(home) }
            #expect(error?.code == .installRunning)
            #expect(error?.message.contains("process \(getpid())") == true)
        }
        _ = try Installer(home)
    }

    @Test func whatIsThereIsNotUnpackedAgainUnlessItIsDamaged() throws {
        let installer = try Installer(home)
        let package = try TestRelease("1.2.0").package(in: folder.path)
        #expect(try installer.unpack(package))
        #expect(try !installer.unpack(package))
        let place = home.folder(of: package.version)
        try Data("changed".utf8).write(to: URL(fileURLWithPath: place + "/LICENSE"))
        #expect(try home.flaws(of: package.version) == ["LICENSE has another size"])
        #expect(try installer.unpack(package))
        #expect(try home.flaws(of: package.version) == [])
        chmod(place + "/codeai-hub", 0o777)
        #expect(try home.flaws(of: package.version).contains("codeai-hub can be changed by others"))
        try Data("x".utf8).write(to: URL(fileURLWithPath: place + "/more"))
        unlink(place + "/VERSION")
        let flaws = try home.flaws(of: package.version)
        #expect(flaws.contains("more was not installed"))
        #expect(flaws.contains("VERSION is missing"))
        #expect(!home.isWhole(package.version))
        #expect { _ = try installer.switchTo(package.version) } throws: { isCode(.notInstalled, $0) }
        #expect(try installer.unpack(package))
        #expect(try home.flaws(of: package.version) == [])
        #expect(folderEntries(home.folder(of: .core)) == ["1.2.0"])
    }

    @Test func othersInTheFileOfVersionsAreKept() throws {
        let installer = try Installer(home)
        try folder.write("hub/installed-versions.json", "{\"vscode\":\"1\",\"core\":\"1.0.0\",\"x\":{\"y\":[1]}}")
        try install("1.2.0", installer)
        let versions = try VersionsFile(home).read()
        #expect(versions.map(\.key) == ["vscode", "core", "x"])
        #expect(versions["x"]?["y"]?[0] == 1)
        // A version that isn't there is nothing to go back to.
        #expect(home.trial == nil)
    }

    private func inode(_ path: String) -> UInt64 {
        var information = stat()
        return stat(path, &information) == 0 ? UInt64(information.st_ino) : 0
    }

    private func mode(_ path: String) -> UInt32 {
        var information = stat()
        return stat(path, &information) == 0 ? UInt32(information.st_mode) & 0o777 : 0
    }
}

/// For `#expect(throws:)`: an error of this code, whatever it says.
func isCode(_ code: InstallationError.Code, _ error: any Error) -> Bool {
    (error as? InstallationError)?.code == code
}
