import Base
import Foundation
import JSON
import TestSupport
import Testing

@testable import Installations

/// A change of an installation that is cut short.
struct Scene: CustomTestStringConvertible, Sendable {
    var change: String
    /// Versions that were installed before, the last one in force; with a mark `!` it isn't confirmed.
    var before: [String]
    /// To be installed by the change; also by the installer that comes after the killed one.
    var new = "1.9.0"
    /// What may be in force afterwards.
    var allowed: Set<String>
    /// Cut short itself before, at a point of its own.
    var isCutTwice = false
    /// In force once the change has said that it is done.
    var after: String

    /// Whether what was in force before, and is again, has still to show that it works.
    func isOnTrial(_ found: String) -> Bool {
        change == "install" && before.last.map { $0.hasSuffix("!") && Stage.plain($0) == found } == true
    }

    /// Whether what was in force before was left.
    func isLeft(_ found: String) -> Bool { ["roll-back", "start", "settle"].contains(change) && found == after }

    var testDescription: String {
        change + (isCutTwice ? " twice" : "") + " after \(before.joined(separator: ", "))"
    }
}

/// A call, by its name and which of those with this name it is.
struct Point {
    var name: String
    var ordinal: Int
}

extension Scene {
    static let all = [
        Scene(change: "install", before: [], allowed: ["", "1.9.0"], after: "1.9.0"),
        Scene(
            change: "install", before: ["1.0.0", "1.1.0", "1.2.0"], allowed: ["1.2.0", "1.9.0"], after: "1.9.0"),
        Scene(change: "install", before: ["1.0.0", "1.1.0!"], allowed: ["1.1.0", "1.9.0"], after: "1.9.0"),
        Scene(
            change: "install", before: ["1.0.0", "1.1.0!"], allowed: ["1.1.0", "1.9.0"], isCutTwice: true,
            after: "1.9.0"),
        Scene(change: "roll-back", before: ["1.0.0", "1.1.0!"], allowed: ["1.0.0", "1.1.0"], after: "1.0.0"),
        Scene(change: "confirm", before: ["1.0.0", "1.1.0!"], allowed: ["1.1.0"], after: "1.1.0"),
        Scene(change: "start", before: ["1.0.0", "1.1.0!!!!"], allowed: ["1.0.0", "1.1.0"], after: "1.0.0"),
        Scene(
            change: "settle", before: ["1.0.0", "1.1.0!"], allowed: ["1.0.0", "1.1.0"], isCutTwice: true,
            after: "1.0.0"),
        Scene(change: "discard 1.0.0", before: ["1.0.0", "1.1.0"], allowed: ["1.1.0"], after: "1.1.0"),
    ]
}

/// A home that can be made again as it was.
final class Stage {
    /// All calls that change files, and what goes with it.
    static let calls =
        "openat,mkdir,mkdirat,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,"
        + "symlink,symlinkat,link,linkat,chmod,fchmod,fchmodat,flock"

    private let folder: TemporaryFolder
    private let home: InstallationHome
    private let before: [String]
    private let new: String
    private let package: Package
    private let module: Package

    static func plain(_ version: String) -> String { version.replacingOccurrences(of: "!", with: "") }

    init(_ before: [String], new: String) throws {
        folder = try TemporaryFolder("killed")
        home = InstallationHome(path: folder.path + "/hub")
        self.before = before
        self.new = new
        package = try TestRelease(new).smaller.package(in: folder.path)
        module = try TestRelease.module(.provider("x"), #require(Version("1.0.0")), in: folder.path)
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
        let more =
            switch change {
            case "install": [new, package.file]
            case "module": ["1.0.0", module.file]
            default: Array(parts.dropFirst())
            }
        return [TestDaemon.programs + "/TestPeer", "installation", parts[0], home.path] + more
    }

    /// All that it does to files, call by call, for `DiskModel`.
    func recording(of change: String) throws -> (disk: DiskModel, calls: [Substring]) {
        try reset()
        let disk = try DiskModel(home.path)
        let log = folder.path + "/calls"
        let result = try run(
            "strace", ["-y", "-xx", "-s", "1000000", "-o", log, "-e", "trace=" + Stage.calls] + words(change))
        guard result.code == 0 else { throw TestFailure("\(change): \(result.text)") }
        return (disk, try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n"))
    }

    /// Has on the disk what a loss of power left.
    func lose(_ disk: DiskModel, using random: inout some RandomNumberGenerator) throws {
        _ = try run("/bin/rm", ["-rf", home.path])
        try disk.lose(using: &random)
    }

    /// The calls that it takes, from the first that has to do with the home.
    func points(of change: String) throws -> [Point] {
        try reset()
        let log = folder.path + "/calls"
        let result = try run("strace", ["-o", log, "-e", "trace=" + Stage.calls] + words(change))
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

    /// Where the link leads to.
    var linked: String? { home.currentTarget }
    /// Whether something is on trial.
    var isTried: Bool { home.trial != nil }

    func canGoBack() throws -> Bool {
        guard let trial = home.trial else { return false }
        return try trial.version.description == new && home.flaws(of: trial.previous) == []
    }

    /// A provider's module that is in force is there, if any is.
    func checkModule(_ context: String, isDone: Bool) throws {
        let version = home.installed(module.component)
        if isDone { #expect(version == module.version, "\(context)") }
        if let version { #expect(try home.flaws(of: version, module.component) == [], "\(context)") }
    }

    /// What an installer that was cut short must leave, and what everybody after it finds.
    /// - Parameters:
    ///   - isOnTrial: what was in force before was, and still is.
    ///   - isLeft: what was in force before was left for the one before that.
    func check(_ context: String, isOnTrial: Bool, isLeft: Bool) throws {
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
        if home.trial == nil, before.last?.hasSuffix("!") == true,
            home.installed()?.description == before.last.map(Stage.plain)
        {
            #expect(home.history.last?.result == .confirmed, "\(context): nobody will know that it worked")
        }
        // A service manager starts what the link leads to: when that is on trial, its start has to count.
        if let trial = home.trial, trial.failure == nil, home.currentTarget == trial.version.description {
            #expect(home.installed() == trial.version, "\(context): the link is ahead")
        }
        // The next one finds nothing that it stumbles over.
        let installer = try Installer(home)
        let wasUnsettled = home.isUnsettled
        let done = try installer.settle()
        #expect(wasUnsettled || done.allSatisfy { $0.hasSuffix(".new was removed") }, "\(context): \(done)")
        #expect(!home.isUnsettled, "\(context)")
        if isLeft { #expect(home.history.last?.result == .rolledBack, "\(context): nobody will know why") }
        if isOnTrial {
            #expect(home.trial?.version == home.installed(), "\(context): its trial is lost")
            #expect(home.trial.map { home.isWhole($0.previous) } == true, "\(context): without a way back")
        }
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

extension TestRelease {
    /// Fast to unpack, and still in more than one write.
    var smaller: TestRelease {
        var release = self
        release.payload = 100_000
        return release
    }
}
