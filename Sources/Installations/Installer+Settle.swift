import Base
import Glibc

/// Putting in order what was cut short.
extension Installer {
    /// Of a file of versions that made no sense and was put aside.
    static let damagedSuffix = ".damaged"

    /// Ends what an installer before this one has begun, or takes it back: going back is gone through with, a trial whose
    /// version never came into force is dropped, `current` follows the file of versions, what was half unpacked or half
    /// removed goes. A trial that is open stays so.
    ///
    /// - Returns: what was done, for people; empty when all was in order.
    @discardableResult
    package func settle() throws(InstallationError) -> [String] {
        var done: [String] = []
        try home.changingState { () throws(InstallationError) in
            done += try settleState()
            done += sweepState()
        }
        for component in components { done += sweepVersions(of: component) }
        return done
    }

    /// Those with a folder for versions.
    private var components: [Component] {
        [.core]
            + (folderEntries(home.path + "/providers") ?? []).filter(Component.isIdentifier).map { .provider($0) }
            .filter { isDirectory(home.folder(of: $0)) }
    }

    private func settleState() throws(InstallationError) -> [String] {
        var done: [String] = []
        let versions = VersionsFile(home)
        do throws(InstallationError) {
            _ = try versions.version(of: .core)
        } catch {
            guard error.code == .damaged else { throw error }
            let aside = home.versionsFile + Installer.damagedSuffix
            guard rename(home.versionsFile, aside) == 0 else {
                throw InstallationError(.current("rename \(home.versionsFile)"))
            }
            done.append("\(error.message): it was put aside as \(aside)")
        }
        if exists(home.trialFile) {
            if let trial = home.trial, trial.failure != nil, home.isWhole(trial.previous) {
                try home.finishGoingBack(trial)
                done.append("going back from \(trial.version) to \(trial.previous) was cut short and is complete now")
            } else if let trial = home.trial, trial.failure == nil, let installed = home.installed(),
                installed != trial.version, installed != trial.previous, home.isWhole(trial.previous)
            {
                // Its own trial had made room for that of the next version, which didn't come into force.
                try Trial(version: installed, previous: trial.previous, since: trial.since).write(home)
                done.append("\(installed) is on trial again, \(trial.version) never was")
            } else if home.trial == nil || home.trial?.failure != nil || home.trial?.version != home.installed() {
                try removeDurably(home.trialFile)
                done.append("a trial that never began was dropped")
            }
        }
        restoreMoved()
        if let installed = home.installed(), home.canRun(installed) {
            if home.currentTarget != installed.description {
                try home.pointCurrent(at: installed)
                done.append("current leads to \(installed) now")
            }
            return done
        }
        return done + (try replaceLost())
    }

    /// The version that is in force can't be started, or none ever was: the next best one.
    private func replaceLost() throws(InstallationError) -> [String] {
        let whole = home.versions()
        let lost = home.installed()
        guard lost != nil || home.currentTarget != nil else { return [] }
        let linked = home.currentTarget.flatMap { Version($0) }
        // The one that the link leads to was in force, even when a file of it is damaged.
        guard let next = linked.flatMap({ home.canRun($0) ? $0 : nil }) ?? whole.last else { return [] }
        // Its trial would be about a version that isn't there.
        try removeDurably(home.trialFile)
        try home.putInForce(next)
        return ["version \(lost.map(\.description) ?? "?") can't be started: \(next) is in force now"]
    }

    /// Where two names can't be exchanged in one step, the old folder may have been moved and the new one not.
    private func restoreMoved() {
        for component in components {
            let folder = home.folder(of: component)
            for name in folderEntries(folder) ?? [] where name.hasPrefix(".removing-") {
                let version = String(name.dropFirst(".removing-".utf8.count))
                guard Version(version) == home.installed(component), !exists("\(folder)/\(version)") else { continue }
                rename("\(folder)/\(name)", "\(folder)/\(version)")
            }
        }
    }

    /// What was written and not yet in its place when its writer was killed.
    @discardableResult
    func sweepState() -> [String] {
        var done: [String] = []
        for path in [home.versionsFile, home.trialFile, home.historyFile] {
            let name = path.dropFirst(parent(path).count + 1) + "."
            for entry in folderEntries(parent(path)) ?? [] where entry.hasPrefix(name) && entry.hasSuffix(".new") {
                if unlink("\(parent(path))/\(entry)") == 0 { done.append("\(entry) was removed") }
            }
        }
        return done
    }

    private func sweepVersions(of component: Component) -> [String] {
        let folder = home.folder(of: component)
        return (folderEntries(folder) ?? []).filter { $0.hasPrefix(".staging-") || $0.hasPrefix(".removing-") }
            .map { name in
                removeTree("\(folder)/\(name)")
                return "\(name) was removed"
            }
    }

    // MARK: Cleaning up

    /// Removes versions that nobody needs any more, and packages.
    ///
    /// Kept are the version in force, the one that a trial would go back to, the one that was in force before, the `keep`
    /// newest others, and every one that a process runs from.
    /// - Returns: the versions that were removed.
    @discardableResult
    package func cleanUp(keep: Int, of component: Component = .core) throws(InstallationError) -> [Version] {
        var others = (folderEntries(home.folder(of: component)) ?? []).compactMap { Version($0) }.sorted()
        let installed = home.installed(component)
        // Without one in force nothing is known about what is needed.
        guard let installed else { return [] }
        var kept: Set<Version> = [installed]
        if component == .core, let trial = home.trial { kept.formUnion([trial.version, trial.previous]) }
        others.removeAll(where: kept.contains)
        // Whole ones first: a damaged one is nothing to go back to.
        let whole = others.filter { home.isWhole($0, component) }
        let before = home.history.last { $0.component == component && $0.version == installed && $0.from != nil }?.from
        let ranked = whole.filter { $0 == before } + whole.filter { $0 != before }.reversed()
        kept.formUnion(ranked.prefix(max(0, keep)))
        var removed: [Version] = []
        for version in others where !kept.contains(version) && processes(of: version, component).isEmpty {
            onStep(.removing(component, version))
            try remove(version, component)
            removed.append(version)
        }
        if component == .core {
            removeTree(home.downloads)
            removeBootstraps()
        }
        return removed
    }

    /// What a killed `install.sh` has left, which is as large as a release: a folder with its process's number.
    private func removeBootstraps() {
        for name in folderEntries(home.core) ?? [] where name.hasPrefix(".bootstrap-") {
            guard let pid = pid_t(name.dropFirst(".bootstrap-".utf8.count)), pid > 1, kill(pid, 0) != 0, errno == ESRCH
            else { continue }
            removeTree("\(home.core)/\(name)")
        }
    }

    /// Removes a version that isn't in force: one that has failed its preflight, for example.
    /// - Throws: `inUse` while it is in force or a process runs from it.
    package func discard(_ version: Version, of component: Component = .core) throws(InstallationError) {
        guard home.installed(component) != version else {
            throw InstallationError(.inUse, "version \(version) is in force")
        }
        try requireUnused(version, component)
        try remove(version, component)
    }

    /// In one step for everybody who looks; then piece by piece.
    func remove(_ version: Version, _ component: Component) throws(InstallationError) {
        let folder = home.folder(of: version, component)
        let aside = Installer.aside(folder)
        removeTree(aside)
        guard rename(folder, aside) == 0 || errno == ENOENT else {
            throw InstallationError(.current("rename \(folder) to \(aside)"))
        }
        // Else a loss of power could bring the name back, with half of what was in it.
        try filing { () throws(SystemError) in try synchronize(folder: parent(folder)) }
        removeTree(aside)
    }
}
