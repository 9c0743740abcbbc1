package import Base

extension Installer {
    /// Has an earlier version of a component that is no program be in force again, or none.
    ///
    /// - Parameters:
    ///   - version: nil: none, which for a provider's module means the one inside the core.
    ///   - reason: for people.
    /// - Throws: `notInstalled`, and what the system says.
    package func takeBack(
        _ component: Component, to version: Version?, reason: String, now: Timestamp = .now
    ) throws(InstallationError) {
        if let version, !home.isWhole(version, component) {
            throw InstallationError(.notInstalled, "\(component) \(version) is not installed, or not whole")
        }
        try home.changingState { () throws(InstallationError) in
            let versions = VersionsFile(home)
            guard let before = try versions.version(of: component), before != version else { return }
            try versions.set(component, version)
            try History(home).add(
                HistoryEntry(component, before, from: version, at: now, .rolledBack, reason: reason))
        }
    }
}
