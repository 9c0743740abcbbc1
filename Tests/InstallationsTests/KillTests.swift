import Base
import Foundation
import JSON
import TestSupport
import Testing

@testable import Installations

/// Whoever changes an installation is killed right before a single call that changes the file system: strace does so, at the
/// number it is told. What was in force before is afterwards, or what was to be; both are whole; and everything goes on.
@Suite(.timeLimit(.minutes(30))) struct KillTests {
    /// All that changes files, and what goes with it.
    private static let calls =
        "openat,mkdir,mkdirat,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,"
        + "symlink,symlinkat,link,linkat,chmod,fchmod,fchmodat,flock"

    private struct Scene: CustomTestStringConvertible, Sendable {
        var change: String
        /// Versions that were installed before, the last one in force; with a mark `!` it isn't confirmed.
        var before: [String]
        /// To be installed by the change; also by the installer that comes after the killed one.
        var new = "1.9.0"
        /// What may be in force afterwards.
        var allowed: Set<String>
        /// Cut short itself before, at a point of its own.
        var isCutTwice = false

        var testDescription: String {
            change + (isCutTwice ? " twice" : "") + " after \(before.joined(separator: ", "))"
        }
    }

    /// A call, by its name and which of those with this name it is.
    private struct Point {
        var name: String
        var ordinal: Int
    }

    private static let scenes = [
        Scene(change: "install", before: [], allowed: ["", "1.9.0"]),
        Scene(change: "install", before: ["1.0.0", "1.1.0", "1.2.0"], allowed: ["1.2.0", "1.9.0"]),
        Scene(change: "install", before: ["1.0.0", "1.1.0!"], allowed: ["1.1.0", "1.9.0"], isCutTwice: true),
        Scene(change: "roll-back", before: ["1.0.0", "1.1.0!"], allowed: ["1.0.0", "1.1.0"]),
        Scene(change: "confirm", before: ["1.0.0", "1.1.0!"], allowed: ["1.1.0"]),
        Scene(change: "start", before: ["1.0.0", "1.1.0!!!!"], allowed: ["1.0.0", "1.1.0"]),
        Scene(change: "settle", before: ["1.0.0", "1.1.0!"], allowed: ["1.0.0", "1.1.0"], isCutTwice: true),
        Scene(change: "discard 1.0.0", before: ["1.0.0", "1.1.0"], allowed: ["1.1.0"]),
    ]

    private static let seed = UInt64(environmentNumber("KILL_SEED", default: Int.random(in: 1..<1 << 40)))

    @Test(arguments: scenes) private func everythingIsAsBeforeOrAsAfter(_ scene: Scene) throws {
        let most = environmentNumber("KILL_POINTS", default: 16)
        var random = SeededGenerator(seed: KillTests.seed &+ UInt64(scene.testDescription.utf8.count))
        let stage = try Stage(scene.before, new: scene.new)
        let all = try stage.points(of: scene.change)
        #expect(all.count > 10)
        let points = all.count <= most ? all : Array(all.shuffled(using: &random).prefix(most))
        var counts = (deaths: 0, old: 0, new: 0)
        for point in points {
            let context = "seed \(KillTests.seed), \(scene.testDescription), \(point.name) number \(point.ordinal)"
            try stage.reset()
            if scene.isCutTwice {
                // First something else is left behind.
                let earlier = scene.change == "settle" ? "roll-back" : "install"
                let points = try stage.points(of: earlier)
                try stage.reset()
                _ = try stage.die(earlier, at: points.randomElement(using: &random)!)
            }
            guard try stage.die(scene.change, at: point) else { continue }
            counts.deaths += 1
            let found = try stage.inForce()
            #expect(scene.allowed.contains(found), "\(context): \(found) is in force")
            if scene.change == "install", found == scene.new, !scene.before.isEmpty {
                #expect(try stage.canGoBack(), "\(context): in force without a way back")
            }
            if found == scene.before.last.map(Stage.plain) ?? "" { counts.old += 1 } else { counts.new += 1 }
            try stage.check(context)
        }
        #expect(counts.deaths > points.count / 2)
        print(
            "killed at \(counts.deaths) of \(all.count) calls: \(scene.testDescription): \(counts.old) times as before, "
                + "\(counts.new) times as after, 0 broken (seed \(KillTests.seed))")
    }

    /// A home that can be made again as it was.
    private final class Stage {
        private let folder: TemporaryFolder
        private let home: InstallationHome
        private let before: [String]
        private let new: String
        private let package: Package

        static func plain(_ version: String) -> String { version.replacingOccurrences(of: "!", with: "") }

        init(_ before: [String], new: String) throws {
            folder = try TemporaryFolder("killed")
            home = InstallationHome(path: folder.path + "/hub")
            self.before = before
            self.new = new
            package = try TestRelease(new).smaller.package(in: folder.path)
            let pristine = InstallationHome(path: folder.path + "/pristine")
            let installer = try Installer(pristine)
            for mark in before {
                let release = TestRelease(Stage.plain(mark)).smaller
                try installer.unpack(release.package(in: folder.path))
                try installer.switchTo(release.version)
                let starts = mark.count(where: { $0 == "!" })
                if starts == 0 { try installer.confirm() }
                for _ in 1..<max(1, starts) {
                    _ = DaemonTrial(pristine, program: pristine.daemon(release.version)).begin()
                }
            }
        }

        func reset() throws {
            _ = try run("/bin/rm", ["-rf", home.path])
            _ = try run("/bin/cp", ["-a", folder.path + "/pristine", home.path])
        }

        private func words(_ change: String) -> [String] {
            let parts = change.split(separator: " ").map(String.init)
            return [TestDaemon.programs + "/TestPeer", "installation", parts[0], home.path]
                + (change == "install" ? [new, package.file] : Array(parts.dropFirst()))
        }

        /// The calls that it takes, from the first that has to do with the home.
        func points(of change: String) throws -> [Point] {
            try reset()
            let log = folder.path + "/calls"
            let result = try run("strace", ["-o", log, "-e", "trace=" + KillTests.calls] + words(change))
            guard result.code == 0 else { throw TestFailure("\(change): \(result.text)") }
            var counts: [String: Int] = [:]
            var points: [Point] = []
            for line in try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n") {
                guard let bracket = line.firstIndex(of: "("), line.first?.isLetter == true else { continue }
                let name = String(line[..<bracket])
                counts[name, default: 0] += 1
                guard !points.isEmpty || line.contains(home.path) else { continue }
                points.append(Point(name: name, ordinal: counts[name]!))
            }
            return points
        }

        /// - Returns: whether it died of it.
        func die(_ change: String, at point: Point) throws -> Bool {
            let result = try run(
                "strace",
                [
                    "-o", "/dev/null", "-e", "trace=" + point.name, "-e",
                    "inject=\(point.name):signal=SIGKILL:when=\(point.ordinal)",
                ] + words(change))
            return result.code == SIGKILL
        }

        func inForce() throws -> String {
            let text = folder.read("hub/installed-versions.json")
            guard let text else { return "" }
            return try JSON.parse(Array(text.utf8))["core"]?.stringValue ?? ""
        }

        func canGoBack() throws -> Bool {
            guard let trial = home.trial else { return false }
            return try trial.version.description == new && home.flaws(of: trial.previous) == []
        }

        /// What a killed installer must leave, and what everybody after it finds.
        func check(_ context: String) throws {
            // As it lies there: whoever starts a program now starts a whole one.
            if let version = home.installed() {
                #expect(try home.flaws(of: version) == [], "\(context)")
            }
            if let target = home.currentTarget, let version = Version(target) {
                #expect(try home.flaws(of: version) == [], "\(context): current")
            }
            if let trial = home.trial, trial.failure == nil, trial.version == home.installed() {
                #expect(try home.flaws(of: trial.previous) == [], "\(context): the one to go back to")
            }
            // The next one finds nothing that it stumbles over.
            let installer = try Installer(home)
            let wasUnsettled = home.isUnsettled
            let done = try installer.settle()
            #expect(wasUnsettled || done.allSatisfy { $0.hasSuffix(".new was removed") }, "\(context): \(done)")
            #expect(!home.isUnsettled, "\(context)")
            try tidy(context)
            try installer.unpack(package)
            try installer.switchTo(package.version)
            #expect(home.installed() == package.version, "\(context)")
            #expect(try home.flaws(of: package.version) == [], "\(context)")
            try installer.confirm()
            try tidy(context)
        }

        private func tidy(_ context: String) throws {
            if let version = home.installed() {
                #expect(home.currentTarget == version.description, "\(context)")
                #expect(try home.flaws(of: version) == [], "\(context)")
                #expect(home.trial.map { $0.version == version && $0.failure == nil } ?? true, "\(context)")
            }
            let names = [home.path, home.core, home.folder(of: .core)].flatMap { folderEntries($0) ?? [] }
            let left = names.filter { $0.hasPrefix(".") || $0.hasSuffix(".new") }
            #expect(left == [], "\(context)")
            #expect(home.versions().count == (folderEntries(home.folder(of: .core)) ?? []).count { Version($0) != nil })
        }
    }
}

extension TestRelease {
    /// Fast to unpack, and still in more than one write.
    var smaller: TestRelease {
        var release = self
        release.payload = 100_000
        return release
    }
}
