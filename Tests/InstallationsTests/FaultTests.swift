import Archives
import Base
import Foundation
import JSON
import TestSupport
import Testing

@testable import Installations

/// What goes wrong while something is installed: nothing has changed then.
@Suite struct InstallFaultTests {
    private let folder: TemporaryFolder
    private let home: InstallationHome
    private let old = Version("1.0.0")!

    init() throws {
        folder = try TemporaryFolder("faults")
        home = InstallationHome(path: folder.path + "/hub")
        let installer = try Installer(home)
        try installer.unpack(TestRelease("1.0.0").smaller.package(in: folder.path))
        try installer.switchTo(old)
    }

    private func expectUnchanged(_ context: String = "") throws {
        #expect(home.installed() == old, "\(context)")
        #expect(home.currentTarget == "1.0.0", "\(context)")
        #expect(home.trial == nil, "\(context)")
        #expect(folderEntries(home.folder(of: .core)) == ["1.0.0", "current"], "\(context)")
        #expect(try home.flaws(of: old) == [], "\(context)")
    }

    private func expectRefusal(_ code: InstallationError.Code, _ package: Package, _ context: String = "") throws {
        let error = #expect(throws: InstallationError.self, "\(context)") { try Installer(home).unpack(package) }
        #expect(error?.code == code, "\(context): \(error?.message ?? "")")
        #expect(error?.message.isEmpty == false)
        try expectUnchanged(context)
    }

    // MARK: Packages

    @Test func anotherSizeOrSum() throws {
        let package = try TestRelease("1.1.0").smaller.package(in: folder.path)
        var wrong = package
        wrong.size += 1
        try expectRefusal(.wrongSize, wrong)
        wrong = package
        wrong.sha256[0] ^= 1
        try expectRefusal(.wrongSum, wrong)
        wrong = package
        wrong.sha1?[19] ^= 1
        try expectRefusal(.wrongSum, wrong)
        wrong = package
        wrong.unpackedSize = 1000
        try expectRefusal(.packageTooLarge, wrong)
        wrong = package
        wrong.file += ".gone"
        try expectRefusal(.inputOutput, wrong)
    }

    /// Also one whose sums are those of what is there: cut off, or with other bits.
    @Test func aDamagedPackage() throws {
        let package = try TestRelease("1.1.0").smaller.package(in: folder.path)
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: package.file)))
        var random = SeededGenerator(seed: 5)
        func expectDamage(_ damaged: [UInt8], _ context: String) throws {
            try Data(damaged).write(to: URL(fileURLWithPath: package.file))
            var announced = package
            announced.size = damaged.count
            announced.sha256 = TestRelease.sha256(damaged)
            announced.sha1 = nil
            try expectRefusal(.packageDamaged, announced, context)
        }
        for _ in 0..<20 {
            let count = Int.random(in: 0..<bytes.count, using: &random)
            try expectDamage(Array(bytes[..<count]), "cut to \(count)")
            var flipped = bytes
            flipped[Int.random(in: 0..<bytes.count - 8, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            try expectDamage(flipped, "flipped")
        }
    }

    @Test(
        arguments: [
            ("../escape", InstallationError.Code.packageUnsafe), ("/tmp/escape", .packageUnsafe),
            ("a/../../escape", .packageUnsafe), ("install.json", .packageUnsafe), ("Install.JSON", .packageUnsafe),
            ("a b", .packageUnsafe), ("ä", .packageUnsafe), ("a\u{301}", .packageUnsafe), ("version", .packageUnsafe),
            ("LICENSE/x", .packageUnsafe), ("1/2/3/4/5/6/7/8/9", .packageUnsafe), ("a\\b", .packageUnsafe),
        ])
    func aHostileName(_ name: String, _ code: InstallationError.Code) throws {
        var release = TestRelease("1.1.0").smaller
        release.more = [(TarEntry(path: name, size: 0, permissions: 0o644, modified: 0), [1])]
        try expectRefusal(code, release.package(in: folder.path), name)
        #expect(!exists(folder.path + "/escape"))
        #expect(!exists(home.core + "/escape"))
        #expect(!exists("/tmp/escape"))
    }

    @Test func aLinkToWhatIsNotInIt() throws {
        for target in ["nothing", "../1.0.0/VERSION", "/etc/passwd", "more"] {
            var release = TestRelease("1.1.0").smaller
            release.more = [
                (TarEntry(path: "link", kind: .hardLink(to: target), size: 0, permissions: 0o644, modified: 0), [])
            ]
            try expectRefusal(.packageUnsafe, release.package(in: folder.path), target)
        }
    }

    @Test func tooMuch() throws {
        var release = TestRelease("1.1.0").smaller
        release.more = (0..<1000).map {
            (TarEntry(path: "more/\($0)", size: 0, permissions: 0o644, modified: 0), [])
        }
        try expectRefusal(.packageTooLarge, release.package(in: folder.path))
        release.more = [
            (TarEntry(path: "bomb", size: 0, permissions: 0o644, modified: 0), [UInt8](repeating: 0, count: 20 << 20))
        ]
        var package = try release.package(in: folder.path)
        package.unpackedSize = 1 << 20
        try expectRefusal(.packageTooLarge, package)
    }

    /// Folders and modes: what others may do with files isn't the package's to say.
    @Test func modesAreOurs() throws {
        var release = TestRelease("1.1.0").smaller
        release.more = [
            (TarEntry(path: "share", kind: .folder, size: 0, permissions: 0o777, modified: 0), []),
            (TarEntry(path: "share/a", size: 0, permissions: 0o777, modified: 0), [1]),
            (TarEntry(path: "share/deep/b", size: 0, permissions: 0o666, modified: 0), [2]),
        ]
        try Installer(home).unpack(release.package(in: folder.path))
        #expect(try home.flaws(of: release.version) == [])
        let record = try #require(home.record(of: release.version))
        #expect(record.files.first { $0.path == "share/a" }?.mode == 0o755)
        #expect(record.files.first { $0.path == "share/deep/b" }?.mode == 0o644)
    }

    @Test func whatIsMissing() throws {
        let package = try TestRelease("1.1.0").smaller.package(in: folder.path)
        var archive: [UInt8] = []
        var writer = TarWriter { bytes throws(ArchiveError) in archive.append(contentsOf: bytes) }
        try writer.add(TarEntry(path: "codeai-hub", size: 0, permissions: 0o755, modified: 0), [1, 2, 3])
        try writer.add(TarEntry(path: "VERSION", size: 0, permissions: 0o644, modified: 0), [1])
        try writer.finish()
        try Data(archive).write(to: URL(fileURLWithPath: package.file))
        var announced = package
        (announced.size, announced.sha1, announced.sha256) = (archive.count, nil, TestRelease.sha256(archive))
        try expectRefusal(.packageIncomplete, announced)
    }

    // MARK: Preflight

    @Test(arguments: ["claims", "check", "dies", "hangs", "says too much", "is no program"])
    func aVersionThatCantRun(_ what: String) throws {
        var release = TestRelease("1.1.0").smaller
        switch what {
        case "claims": release.claims = "1.0.0"
        case "check": release.check = "echo 'no such key: x' >&2; exit 5"
        case "dies": release.check = "kill -SEGV $$"
        case "hangs": release.check = "sleep 100 & sleep 100"
        case "says too much": release.check = "yes; exit 0"
        default: break
        }
        let installer = try Installer(home)
        try installer.unpack(release.package(in: folder.path))
        if what == "is no program" {
            for name in Component.core.programs {
                try Data([1, 2, 3]).write(to: URL(fileURLWithPath: home.folder(of: release.version) + "/" + name))
            }
        }
        let began = ContinuousClock.now
        let error = #expect(throws: InstallationError.self) {
            try installer.preflight(release.version, patience: .seconds(2))
        }
        #expect(ContinuousClock.now - began < .seconds(30))
        #expect(error?.code == .preflightFailed)
        let message = error?.message ?? ""
        switch what {
        case "claims": #expect(message.contains("says \"codeai-hub-core 1.0.0\""), "\(message)")
        case "check": #expect(message.contains("code 5: no such key: x"), "\(message)")
        case "dies": #expect(message.contains("signal 11"), "\(message)")
        case "hangs", "says too much": #expect(message.contains("has not ended after 2 seconds"), "\(message)")
        default: #expect(message.contains("can't be run"), "\(message)")
        }
        // Nothing of it is left running.
        #expect(installer.processes(of: release.version) == [])
        try installer.discard(release.version)
        try expectUnchanged(what)
    }

    // MARK: The home

    @Test func aHomeThatOthersMayChange() throws {
        chmod(home.core, 0o770)
        let error = #expect(throws: InstallationError.self) { _ = try Installer(home) }
        #expect(error?.code == .homeNotTrusted)
        chmod(home.core, 0o700)
        chmod(folder.path, 0o777)
        let second = #expect(throws: InstallationError.self) { _ = try Installer(home) }
        #expect(second?.code == .homeNotTrusted)
        chmod(folder.path, 0o700)
        try expectUnchanged()
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give a folder away"))
    func aHomeOfSomebodyElse() throws {
        chown(home.core, 12345, 12345)
        let error = #expect(throws: InstallationError.self) { _ = try Installer(home) }
        #expect(error?.code == .homeNotTrusted)
        chown(home.core, 0, 0)
    }

    @Test func noRoom() throws {
        let installer = try Installer(home)
        let error = #expect(throws: InstallationError.self) {
            try installer.requireRoom(download: 1 << 60, package: 1, unpacked: 1)
        }
        #expect(error?.code == .diskFull)
        #expect(error?.message.contains("MiB are needed") == true)
        try installer.requireRoom(download: 1, package: 1, unpacked: 1)
    }

    /// A limit on files strikes at every size: the package's own file, `install.json`, the state files.
    @Test func aLimitOnTheSizeOfFiles() throws {
        let package = try TestRelease("1.1.0").smaller.package(in: folder.path)
        var refused = 0
        for kibibytes in [0, 1, 2, 4, 8, 16, 32, 64, 96] {
            let result = try run(
                "/bin/bash",
                [
                    "-c", "ulimit -f \(kibibytes); exec \"$@\"", "bash", TestDaemon.programs + "/TestPeer",
                    "installation", "install", home.path, "1.1.0", package.file,
                ])
            // The limit is on the peer's words as well.
            #expect(result.code == 3, "\(kibibytes) KiB: \(result.code) \(result.text)")
            if result.output.contains("file_too_large") { refused += 1 }
            try Installer(home).settle()
            try expectUnchanged("\(kibibytes) KiB")
        }
        #expect(refused > 5)
    }

    /// A real file system without room, and one that can't be written, where they can be mounted.
    @Test(.enabled(if: geteuid() == 0, "only root can mount a file system"))
    func aFullFileSystem() throws {
        let place = folder.path + "/small"
        try FileManager.default.createDirectory(
            atPath: place, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        guard try run("mount", ["-t", "tmpfs", "-o", "size=1m,mode=700", "none", place]).code == 0 else {
            print("installation tests: no file system can be mounted here")
            return
        }
        defer { _ = try? run("umount", ["--lazy", place]) }
        let home = InstallationHome(path: place + "/hub")
        try FileManager.default.createDirectory(atPath: place + "/hub", withIntermediateDirectories: true)
        chmod(home.path, 0o700)
        let package = try TestRelease("1.1.0").smaller.package(in: folder.path)
        do {
            let installer = try Installer(home)
            let early = #expect(throws: InstallationError.self) { try installer.unpack(package) }
            #expect(early?.code == .diskFull)
            try fillUp(place, home, installer, package)
            try installer.unpackWithoutLookingAtTheRoom(package)
            try installer.switchTo(package.version)
        }
        try #require(try run("mount", ["-o", "remount,ro", place]).code == 0)
        let late = #expect(throws: InstallationError.self) { _ = try Installer(home) }
        #expect(late?.code == .readOnly, "\(late?.message ?? "")")
        #expect(home.installed() == package.version)
        #expect(try home.flaws(of: package.version) == [])
        #expect(DaemonTrial(home, program: home.daemon(package.version)).begin() == .usual)
    }

    /// The disk gets full only while it is worked on, with less and less room.
    private func fillUp(
        _ place: String, _ home: InstallationHome, _ installer: Installer, _ package: Package
    ) throws {
        var codes: [InstallationError.Code] = []
        for filled in stride(from: 880, through: 1020, by: 10) {
            // As much of it as there is room for.
            let file = open(place + "/filler", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
            try? writeAll([UInt8](repeating: 1, count: filled << 10), to: file, "filler")
            close(file)
            do throws(InstallationError) {
                try installer.unpackWithoutLookingAtTheRoom(package)
                try installer.switchTo(package.version)
            } catch {
                codes.append(error.code)
            }
            unlink(place + "/filler")
            try installer.settle()
            if let version = home.installed() { #expect(try home.flaws(of: version) == []) }
            #expect((folderEntries(home.folder(of: .core)) ?? []).filter { $0.hasPrefix(".") } == [])
            removeTree(home.folder(of: .core))
            unlink(home.versionsFile)
            try makeDirectories(home.folder(of: .core))
        }
        #expect(codes.count > 3)
        #expect(codes.allSatisfy { $0 == .diskFull }, "\(codes)")
    }

    // MARK: Others

    @Test func manyInstallersAtOnce() throws {
        let packages = try ["1.1.0", "1.2.0", "1.3.0"].map { try TestRelease($0).smaller.package(in: folder.path) }
        for _ in 0..<4 {
            let running = try (0..<6).map { number in
                let package = packages[number % packages.count]
                return try RunningProgram(
                    TestDaemon.programs + "/TestPeer",
                    ["installation", "install", home.path, package.version.description, package.file])
            }
            let results = running.map { $0.wait() }
            #expect(results.contains { $0.code == 0 })
            for result in results where result.code != 0 {
                #expect(result.code == 3)
                #expect(result.output.hasPrefix("install_running"), "\(result.text)")
            }
            let version = try #require(home.installed())
            #expect(try home.flaws(of: version) == [])
            #expect(home.currentTarget == version.description)
            let installer = try Installer(home)
            #expect(try installer.settle() == [])
            try installer.confirm()
        }
    }

    /// A version whose programs work isn't left for a file that nobody starts; one that can't be started is.
    @Test func whatIsDamagedAndWhatIsLost() throws {
        let installer = try Installer(home)
        let package = try TestRelease("1.1.0").smaller.package(in: folder.path)
        try installer.unpack(package)
        try installer.switchTo(package.version)
        unlink(home.folder(of: package.version) + "/LICENSE")
        #expect(try installer.settle() == [])
        #expect(home.installed() == package.version)
        try folder.write("hub/installed-versions.json", "{")
        #expect(try installer.settle().count == 3)
        #expect(home.installed() == package.version)
        unlink(home.daemon(package.version))
        #expect(try !installer.settle().isEmpty)
        #expect(home.installed() == old)
        #expect(home.currentTarget == "1.0.0")
        #expect(home.trial == nil)
    }

    @Test func filesOfVersionsThatMakeNoSense() throws {
        for text in ["", "{", "[1]", "{\"core\":7}", "{\"core\":\"../../x\"}", "{\"core\":\"9.9.9\"}"] {
            try folder.write("hub/installed-versions.json", text)
            let installer = try Installer(home)
            #expect(try !installer.settle().isEmpty)
            #expect(home.installed() == old, "\(text)")
            #expect(try installer.settle() == [])
        }
    }
}

extension Installer {
    fileprivate func unpackWithoutLookingAtTheRoom(_ package: Package) throws(InstallationError) {
        checksRoom = false
        defer { checksRoom = true }
        try unpack(package)
    }
}
