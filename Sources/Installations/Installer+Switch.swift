package import Base
import Glibc

/// Which version is in force.
extension Installer {
    /// Puts a version in force. For the core with the one before as the one to go back to: the new one is on trial until
    /// it is confirmed.
    ///
    /// - Throws: `notInstalled`, and what the system says; the old version is in force then, or `settle` ends what was begun.
    package func switchTo(
        _ version: Version, of component: Component = .core, now: Timestamp = .now
    ) throws(InstallationError) {
        guard home.isWhole(version, component) else {
            throw InstallationError(.notInstalled, "\(component) \(version) is not installed, or not whole")
        }
        try home.changingState { () throws(InstallationError) in
            let versions = VersionsFile(home)
            // A word in the place of a module's version is nothing that has to be kept.
            let before = component == .core ? try versions.version(of: component) : home.installed(component)
            guard before != version else {
                if component == .core { try home.pointCurrent(at: version) }
                return
            }
            onStep(.switching(component, from: before, to: version))
            guard component == .core else {
                try versions.set(component, version)
                return try History(home).add(HistoryEntry(component, version, from: before, at: now, .installed))
            }
            if let previous = lastGood(before), previous != version {
                try Trial(version: version, previous: previous, since: now).write(home)
            } else {
                try removeDurably(home.trialFile)
            }
            try home.putInForce(version)
            try History(home).add(HistoryEntry(.core, version, from: before, at: now, .installed))
        }
    }

    /// What to go back to. A version that is on trial itself has shown nothing yet.
    private func lastGood(_ before: Version?) -> Version? {
        var candidates = [before]
        if let trial = home.trial, trial.version == before { candidates.insert(trial.previous, at: 0) }
        return candidates.compactMap { $0 }.first { home.isWhole($0) }
    }

    /// The version on trial works.
    package func confirm(now: Timestamp = .now) throws(InstallationError) {
        try home.changingState { () throws(InstallationError) in
            guard let trial = home.trial, trial.failure == nil, home.installed() == trial.version else { return }
            try home.endTrial(trial, now: now)
        }
    }

    /// Leaves the version of the core that is in force.
    ///
    /// - Parameters:
    ///   - failed: the version that is to be left; nothing is done when another one is in force, as after a daemon that has
    ///     gone back by itself. Nil: whichever is in force.
    ///   - version: where to; nil: the one that the trial names, else the one that was in force before, else the next older
    ///     one.
    ///   - reason: for people.
    /// - Returns: the version that is in force now.
    /// - Throws: `noPrevious`, `notInstalled`, and what the system says; then `settle` ends what was begun.
    @discardableResult
    package func rollBack(
        from failed: Version? = nil, to version: Version? = nil, reason: String, now: Timestamp = .now
    ) throws(InstallationError) -> Version {
        try home.changingState { () throws(InstallationError) in
            let versions = VersionsFile(home)
            guard let present = try versions.version(of: .core) else {
                throw InstallationError(.notInstalled, "no version is installed in \(home.path)")
            }
            let failed = failed ?? present
            guard failed == present else { return present }
            guard let target = version ?? before(failed) else {
                throw InstallationError(.noPrevious, "there is no version to go back to from \(failed)")
            }
            guard home.isWhole(target) else {
                throw InstallationError(.notInstalled, "version \(target) is not installed, or not whole")
            }
            guard target != failed else {
                throw InstallationError(.noPrevious, "version \(target) is in force already")
            }
            onStep(.goingBack(from: failed, to: target, reason: reason))
            var trial = Trial(version: failed, previous: target, since: now)
            if let open = home.trial, open.version == failed { (trial.since, trial.starts) = (open.since, open.starts) }
            trial.failure = Trial.Failure(reason: reason, at: now)
            try trial.write(home)
            try home.finishGoingBack(trial)
            return target
        }
    }

    /// The version to go back to from one; nil when there is none.
    private func before(_ version: Version) -> Version? {
        if let trial = home.trial, trial.version == version, home.isWhole(trial.previous) { return trial.previous }
        let there = home.versions().filter { $0 != version }
        let entered = home.history.last { $0.component == .core && $0.version == version && $0.result == .installed }
        if let from = entered?.from, there.contains(from) { return from }
        return there.last { $0 < version }
    }
}
