package import Base
import Glibc

/// Removing all of it.
extension Installer {
    /// What a home has at its top. What else is there is somebody else's, and stays with the home.
    private static let places = ["core", "sessions", "providers", "logs", "backups", "installed-versions.json"]

    /// Removes every version, and with the data also what was ever said.
    ///
    /// The person's program works until almost all of it is gone, so that what is cut short can be done again.
    /// - Parameters:
    ///   - keepData: leaves sessions, the configuration, what providers have, logs and backups.
    ///   - links: of the person's; others are left alone.
    /// - Throws: `daemonRuns`, `homeShared`; nothing has changed then.
    package func uninstall(
        keepData: Bool, links: [CommandLink] = [], now: Timestamp = .now
    ) throws(InstallationError) {
        guard !home.holdsDaemon else {
            throw InstallationError(.daemonRuns, "a daemon runs on \(home.path): stop it first (codeai-hub stop)")
        }
        guard keepData || !isSharedFolder else {
            throw InstallationError(
                .homeShared,
                "\(home.path) is the folder of more than this program: uninstall --keep-data, and remove by hand what is left"
            )
        }
        let installed = home.installed()
        let versions = (folderEntries(home.folder(of: .core)) ?? []).compactMap { Version($0) }
        try removeDurably(home.trialFile)
        removeTree(home.downloads)
        for version in versions where version != installed {
            onStep(.removing(.core, version))
            try remove(version, .core)
        }
        if keepData {
            try removeModules()
            if let installed {
                try History(home).add(HistoryEntry(.core, installed, at: now, .uninstalled))
                try VersionsFile(home).set(.core, nil)
            }
            if try VersionsFile(home).read().isEmpty { try removeDurably(home.versionsFile) }
            sweepState()
        } else {
            removeData()
        }
        for link in links { try link.remove() }
        if let installed { onStep(.removing(.core, installed)) }
        removeTree(home.folder(of: .core))
        guard !keepData else { return }
        unlink(home.versionsFile)
        unlink(home.versionsFile + Installer.damagedSuffix)
        removeTree(home.core)
        // Unless something is in it that isn't ours.
        rmdir(home.path)
    }

    /// The person's own folder, or one above it: `logs` and `backups` there could be anybody's.
    private var isSharedFolder: Bool {
        guard let own = realpath(homeDirectory(), nil), let hub = realpath(home.path, nil) else { return false }
        defer {
            free(own)
            free(hub)
        }
        let path = String(cString: hub)
        return path == "/" || (String(cString: own) + "/").hasPrefix(path + "/")
    }

    private func removeModules() throws(InstallationError) {
        for name in try VersionsFile(home).read().map(\.key) {
            guard let component = Component(name), component != .core else { continue }
            try VersionsFile(home).set(component, nil)
        }
        for id in folderEntries(home.path + "/providers") ?? [] where Component.isIdentifier(id) {
            removeTree(home.folder(of: .provider(id)))
        }
    }

    private func removeData() {
        for place in Installer.places where place != "core" && home.path + "/" + place != home.versionsFile {
            removeTree(home.path + "/" + place)
        }
        for name in folderEntries(home.core) ?? [] where name != home.platform && name != "install.lock" {
            removeTree(home.core + "/" + name)
        }
    }
}
