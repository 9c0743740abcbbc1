import Base
import CLinux
import Glibc
import JSON

/// Where the versions of a home lie, and which one is in force: what can be known without changing anything.
package struct InstallationHome: Equatable, Sendable {
    /// Of the home, absolute.
    package let path: String
    /// `linux-x64`, as in the names of releases.
    package let platform: String

    package init(path: String, platform: String = InstallationHome.currentPlatform) {
        self.path = path
        self.platform = platform
    }

    package static var currentPlatform: String {
        #if arch(x86_64)
            let processor = "x64"
        #else
            let processor = "arm64"
        #endif
        #if os(Linux)
            return "linux-" + processor
        #else
            return "darwin-" + processor
        #endif
    }

    // MARK: Places

    /// Component -> version: what is in force. The truth; everything else follows it.
    package var versionsFile: String { path + "/installed-versions.json" }
    package var core: String { path + "/core" }
    /// Held by whoever installs.
    package var installLock: String { core + "/install.lock" }
    package var trialFile: String { core + "/trial.json" }
    package var historyFile: String { core + "/installs.json" }
    /// Packages, and parts of them.
    package var downloads: String { core + "/downloads" }
    /// The symbolic link to the version that is in force.
    package var currentLink: String { folder(of: .core) + "/current" }

    /// The folder that holds a component's versions.
    package func folder(of component: Component) -> String {
        switch component {
        case .core: "\(core)/\(platform)"
        case .provider(let id): "\(path)/providers/\(id)/modules"
        }
    }

    package func folder(of version: Version, _ component: Component = .core) -> String {
        "\(folder(of: component))/\(version)"
    }

    /// The daemon's program of a version.
    package func daemon(_ version: Version) -> String { folder(of: version) + "/codeai-hub-core" }
    /// The person's program of a version.
    package func command(_ version: Version) -> String { folder(of: version) + "/codeai-hub" }

    // MARK: Facts

    /// The version that is in force; nil when none is, and when the file that says so can't be read.
    package func installed(_ component: Component = .core) -> Version? {
        (try? VersionsFile(self).read())?[component.description]?.stringValue.flatMap { Version($0) }
    }

    /// The versions that are there, whole as far as names and sizes tell, in their order.
    package func versions(of component: Component = .core) -> [Version] {
        (folderEntries(folder(of: component)) ?? []).compactMap { Version($0) }
            .filter { isWhole($0, component) }.sorted()
    }

    /// Whether a version's folder has the files that were installed, by name and size.
    package func isWhole(_ version: Version, _ component: Component = .core) -> Bool {
        guard let record = record(of: version, component) else { return false }
        return record.looksWhole(in: folder(of: version, component))
    }

    /// Whether a version's programs can be started, whatever else of it is damaged.
    func canRun(_ version: Version) -> Bool {
        let sizes = record(of: version)?.files.map { ($0.path, $0.size) } ?? []
        return Component.core.programs.allSatisfy { name in
            var information = stat()
            guard lstat("\(folder(of: version))/\(name)", &information) == 0 else { return false }
            let isWhole = sizes.first { $0.0 == name }.map { $0.1 == Int(information.st_size) }
            return information.st_mode & S_IFMT == S_IFREG && information.st_mode & 0o100 != 0 && isWhole != false
        }
    }

    /// What was installed as a version; nil when that isn't known.
    package func record(of version: Version, _ component: Component = .core) -> InstallRecord? {
        let record = InstallRecord.read(folder(of: version, component))
        return record?.version == version && record?.component == component ? record : nil
    }

    /// Reads every file of a version.
    /// - Returns: what isn't as it was installed; empty when all is.
    /// - Throws: `notInstalled` when there is no such version.
    package func flaws(of version: Version, _ component: Component = .core) throws(InstallationError) -> [String] {
        let folder = folder(of: version, component)
        guard exists(folder) else { throw InstallationError(.notInstalled, "\(component) \(version) is not installed") }
        guard let record = record(of: version, component) else { return ["install.json is missing or makes no sense"] }
        return record.flaws(in: folder)
    }

    /// The trial that is open, or a roll back that isn't complete.
    package var trial: Trial? { Trial.read(self) }

    /// Whether something was cut short that `Installer.settle` puts in order: by a few looks at names, without a lock.
    package var isUnsettled: Bool {
        guard let names = folderEntries(folder(of: .core)) else { return false }
        if names.contains(where: { $0.hasPrefix(".staging-") || $0.hasPrefix(".removing-") }) { return true }
        if exists(trialFile), trial.map({ $0.failure != nil || $0.version != installed() }) ?? true { return true }
        return !names.isEmpty && currentTarget != installed()?.description
    }

    /// What happened to installations, oldest first.
    package var history: [HistoryEntry] { History(self).read() }

    /// Whether a daemon holds the home.
    package var holdsDaemon: Bool {
        let file = open(core + "/core.lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return false }
        defer { close(file) }
        // Taken for a moment only, and shared, so that two who ask don't see each other.
        return flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    // MARK: Trust

    /// Refuses a home in which somebody else could put a program in our place.
    /// - Throws: `homeNotTrusted`.
    package func requireTrusted() throws(InstallationError) {
        for folder in [path, core, folder(of: .core)] {
            var information = stat()
            guard stat(folder, &information) == 0 else {
                if errno == ENOENT { continue }
                throw InstallationError(.current("look at \(folder)"))
            }
            guard information.st_mode & S_IFMT == S_IFDIR else {
                throw InstallationError(.homeNotTrusted, "\(folder) is no folder")
            }
            guard information.st_uid == geteuid() else {
                throw InstallationError(.homeNotTrusted, "\(folder) belongs to another user")
            }
            guard information.st_mode & 0o022 == 0 else {
                throw InstallationError(.homeNotTrusted, "others may write to \(folder): run chmod go-w on it")
            }
        }
        if let ancestor = untrustedAncestor(of: path) {
            throw InstallationError(
                .homeNotTrusted, "others may write to \(ancestor), and put something in the place of \(path)")
        }
    }

    /// Refuses a program that somebody else could have put there.
    /// - Throws: `homeNotTrusted`, `notInstalled`.
    package static func requireOwn(_ program: String) throws(InstallationError) {
        for path in [program, parent(program)] {
            var information = stat()
            guard stat(path, &information) == 0 else {
                throw InstallationError(.notInstalled, "\(SystemError.current("stat \(path)"))")
            }
            guard information.st_uid == getuid() || information.st_uid == 0, information.st_mode & 0o022 == 0 else {
                throw InstallationError(.homeNotTrusted, "others than this user may write to \(path)")
            }
        }
    }
}
