import Base
package import Downloads
import Glibc
package import Installations

/// The way from a manifest to a daemon that runs as what the manifest offers, and back when it doesn't.
///
/// Whatever ends it, at any point: the version that was there works, or the new one does. Calls block their thread.
package struct ReleaseFlow {
    package let home: InstallationHome
    package let downloader: Downloader
    package var report: (ReleaseEvent) -> Void = { _ in }
    /// Asked at every step, and while bytes come.
    package var isCancelled: () -> Bool = { false }
    /// How long a daemon that was restarted is watched.
    package var watch = Duration.seconds(10)
    /// How long it may answer nothing while it starts.
    package var silence = Duration.seconds(10)
    /// Older versions that stay, beside the one in use.
    package var keep = 2

    package init(home: InstallationHome, downloader: Downloader) {
        self.home = home
        self.downloader = downloader
    }

    // MARK: Planning

    package struct Request {
        package var source: ReleaseSource
        package var keys: TrustedKeys
        package var allowsUnsigned = false
        package var allowsDowngrade = false
        /// Nil: the one of the manifest.
        package var version: Version?
        /// Where what lies at the source was brought from, which is then said in its place; nil: it is the place.
        package var origin: ReleaseSource?

        package init(source: ReleaseSource, keys: TrustedKeys) {
            self.source = source
            self.keys = keys
        }
    }

    /// What would change. Changes nothing.
    package func plan(_ request: Request) throws(ReleaseError) -> ReleasePlan {
        let fetcher = ManifestFetcher(
            downloader: downloader, keys: request.keys, allowsUnsigned: request.allowsUnsigned,
            isCancelled: isCancelled, report: report)
        let source = try request.version.map { version throws(ReleaseError) in try request.source.of(version: version) }
        let installed = try installing { () throws(InstallationError) in
            try VersionsFile(home).version(of: .core)
        }
        let (document, found) = try fetcher.fetch((source ?? request.source).manifests) {
            (document) throws(ReleaseError) in
            let manifest = try Manifest(document.bytes)
            let entry = try self.entry(of: manifest, request)
            // Also a mirror that has stopped at an old release is left for the next.
            if let installed, entry.version < installed, !request.allowsDowngrade {
                throw ReleaseError(
                    .downgrade,
                    "\(entry.version) is older than \(installed), which is installed: codeai-hub install "
                        + "--allow-downgrade takes it all the same, codeai-hub rollback goes back to a version that "
                        + "was here before")
            }
            return (manifest, entry)
        }
        let (manifest, entry) = found
        try checkCancelled()
        let mirrors = try document.mirrors(of: entry.package, manifest.baseURLs)
        let place = request.origin?.manifests.first ?? document.location
        var plan = ReleasePlan(manifest: "\(place)", signedBy: document.signedBy, changes: [])
        // What lacks something is mended by installing it again.
        if installed == entry.version, home.isWhole(entry.version) { return plan }
        plan.changes.append(
            ReleasePlan.Change(
                component: .core, from: installed, entry: entry, mirrors: mirrors,
                download: packages.missing(entry), signedBy: document.signedBy, notes: manifest.notes))
        return plan
    }

    private func entry(of manifest: Manifest, _ request: Request) throws(ReleaseError) -> ManifestEntry {
        guard let entry = manifest.platforms[home.platform] else {
            let others = manifest.platforms.keys.sorted().joined(separator: ", ")
            throw ReleaseError(
                .platformMissing,
                "there is no release for \(home.platform)" + (others.isEmpty ? "" : ", only for \(others)"))
        }
        guard request.version == nil || request.version == entry.version else {
            let wanted = request.version.map { "\($0)" } ?? ""
            throw ReleaseError(.versionMissing, "version \(wanted) isn't there; the manifest has \(entry.version)")
        }
        guard request.source.package == nil || request.source.package == entry.package else {
            throw ReleaseError(
                .versionMissing,
                "the manifest beside \(request.source.package ?? "") is that of another package, \(entry.package)")
        }
        return entry
    }

    private var packages: PackageFetcher {
        PackageFetcher(downloader: downloader, home: home, report: report, isCancelled: isCancelled)
    }

    // MARK: Carrying out

    package struct Outcome: Sendable {
        package var from: Version?
        /// Nil when there was nothing to do.
        package var to: Version?
        /// Whether a daemon went over to the new version.
        package var isRestarted: Bool

        package init(from: Version?, to: Version?, isRestarted: Bool = false) {
            self.from = from
            self.to = to
            self.isRestarted = isRestarted
        }
    }

    /// Carries the core's part of a plan out.
    ///
    /// - Parameter daemon: nil: one that runs is left as it is, and is the new version from its next start on.
    /// - Throws: also `rolledBack`, when the new version was tried and didn't stand.
    package func apply(
        _ change: ReleasePlan.Change, of plan: ReleasePlan, daemon: (any DaemonControl)?
    ) throws(ReleaseError) -> Outcome {
        let installer = try installing { () throws(InstallationError) in try Installer(home) }
        // What somebody has agreed to is a change from this version, not from what others have installed meanwhile.
        if let present = home.installed(), present != change.from {
            if present == change.entry.version, home.isWhole(present) { return Outcome(from: present, to: nil) }
            throw ReleaseError(
                .changed, "version \(present) has come into force meanwhile: nothing was changed; try again")
        }
        _ = try installing { () throws(InstallationError) in try installer.settle() }
        try installing { () throws(InstallationError) in
            try installer.requireRoom(
                download: packages.missing(change.entry), package: change.entry.size,
                unpacked: change.entry.unpackedSize)
        }
        let file = try packages.fetch(change.entry, component: change.component, mirrors: change.mirrors)
        try checkCancelled()
        report(.unpacking(component: change.component, version: change.entry.version))
        let entry = change.entry
        try installing { () throws(InstallationError) in
            _ = try installer.unpack(
                Package(
                    component: change.component, version: entry.version, file: file, size: entry.size,
                    sha1: entry.sha1, sha256: entry.sha256, unpackedSize: entry.unpackedSize, source: plan.manifest,
                    signedBy: plan.signedBy))
        }
        let outcome: Outcome
        do throws(ReleaseError) { outcome = try activate(entry.version, installer, daemon) } catch {
            // One that has never run is nothing to keep; one that is in force again isn't removed by this.
            if error.code == InstallationError.Code.preflightFailed.rawValue { try? installer.discard(entry.version) }
            throw error
        }
        report(.cleaned(cleanUp(installer)))
        return outcome
    }

    /// Goes over to a version that is installed already.
    ///
    /// - Parameter version: nil: the one before the present one.
    /// - Throws: `versionMissing`, and as `apply`.
    package func rollBack(to version: Version?, daemon: (any DaemonControl)?) throws(ReleaseError) -> Outcome {
        let installer = try installing { () throws(InstallationError) in try Installer(home) }
        _ = try installing { () throws(InstallationError) in try installer.settle() }
        let installed = try installing { () throws(InstallationError) in try VersionsFile(home).version(of: .core) }
        let there = home.versions().filter { $0 != installed }
        guard let wanted = version ?? before(installed, there) else {
            throw ReleaseError(.versionMissing, "there is no version to go back to")
        }
        guard wanted != installed else { throw ReleaseError(.versionMissing, "\(wanted) is the version in use") }
        guard there.contains(wanted) else {
            let names = there.isEmpty ? "no other" : there.map(\.description).joined(separator: ", ")
            throw ReleaseError(.versionMissing, "\(wanted) isn't installed; there is \(names)")
        }
        let flaws = try installing { () throws(InstallationError) in try home.flaws(of: wanted) }
        if let flaw = flaws.first {
            throw ReleaseError(
                code: InstallationError.Code.damaged.rawValue, "\(wanted) isn't as it was installed: \(flaw)")
        }
        return try activate(wanted, installer, daemon)
    }

    /// The one that was in use before, and is still there; else the newest that is older.
    private func before(_ installed: Version?, _ there: [Version]) -> Version? {
        let entry = home.history.last { $0.component == .core && $0.version == installed && $0.result == .installed }
        if let from = entry?.from, there.contains(from) { return from }
        return there.last { version in installed.map { version < $0 } ?? true }
    }

    private func activate(
        _ version: Version, _ installer: Installer, _ daemon: (any DaemonControl)?
    ) throws(ReleaseError) -> Outcome {
        let installed = try installing { () throws(InstallationError) in try VersionsFile(home).version(of: .core) }
        report(.preflight(component: .core, version: version))
        try installing { () throws(InstallationError) in try installer.preflight(version) }
        try checkCancelled()
        report(.switching(component: .core, from: installed, to: version))
        try installing { () throws(InstallationError) in try installer.switchTo(version) }
        var outcome = Outcome(from: installed, to: version, isRestarted: false)
        guard let daemon, let running = daemon.health() else { return outcome }
        try goOver(to: version, running, installer, daemon)
        outcome.isRestarted = true
        return outcome
    }

    // MARK: The daemon

    /// Restarts the daemon, watches it, and goes back when it isn't well.
    private func goOver(
        to version: Version, _ running: DaemonHealth, _ installer: Installer, _ daemon: any DaemonControl
    ) throws(ReleaseError) {
        report(.restarting(turns: running.turns))
        do throws(ReleaseError) { try daemon.restart() } catch {
            // It has tried the new version, and goes on as it is.
            try goBack(installer, from: version, reason: error.message, nil)
            throw ReleaseError(
                .rolledBack, "the daemon refused version \(version), and all is as before: \(error.message)")
        }
        do throws(DaemonWatch.Failing) {
            try DaemonWatch(
                daemon: daemon, before: running.instanceId, version: "\(version)", duration: watch,
                longestSilence: silence, report: report, isCancelled: isCancelled
            ).run()
        } catch {
            try goBack(installer, from: version, reason: error.reason, daemon, before: running.instanceId)
            throw error.isCancelled
                ? ReleaseError(.cancelled, "cancelled; version \(running.version) runs again")
                : ReleaseError(.rolledBack, "version \(version) was taken back: \(error.reason)")
        }
        try installing { () throws(InstallationError) in try installer.confirm() }
    }

    /// - Parameters:
    ///   - daemon: what has to go back, too; nil when it never left.
    ///   - before: its instance when it was asked to go over.
    private func goBack(
        _ installer: Installer, from version: Version, reason: String, _ daemon: (any DaemonControl)?,
        before: String = ""
    ) throws(ReleaseError) {
        report(.rolledBack(reason: reason))
        do throws(InstallationError) {
            // Started again and again, the daemon goes back by itself; once is enough.
            if home.installed() == version { try installer.rollBack(reason: reason) }
        } catch {
            throw ReleaseError(
                .restartFailed, "\(reason); and there is no going back: \(error.message)")
        }
        guard let daemon else { return }
        let old = home.installed().map(\.description)
        if let health = successor(of: before, daemon) {
            if health.version == old { return }
            if (try? daemon.restart()) != nil, waits(for: old, daemon) { return }
        }
        if daemon.isHeld { daemon.end() }
        try daemon.start()
    }

    /// The daemon, once it has done what it agreed to: it still goes over when its turns have ended.
    private func successor(of instance: String, _ daemon: any DaemonControl) -> DaemonHealth? {
        let clock = SuspendingClock()
        let deadline = clock.now + DaemonWatch.longestGrace
        while let health = daemon.health() {
            guard health.instanceId == instance, clock.now < deadline else { return health }
            usleep(50_000)
        }
        return nil
    }

    private func waits(for version: String?, _ daemon: any DaemonControl) -> Bool {
        let clock = SuspendingClock()
        let deadline = clock.now + .seconds(30)
        while clock.now < deadline {
            if let health = daemon.health(), health.version == version { return true }
            guard daemon.isHeld else { return false }
        }
        return false
    }

    // MARK: Helpers

    /// What can't be removed is removed the next time: no reason to call an update failed.
    private func cleanUp(_ installer: Installer) -> [Version] {
        (try? installer.cleanUp(keep: keep)) ?? []
    }

    private func checkCancelled() throws(ReleaseError) {
        if isCancelled() { throw ReleaseError(.cancelled, "cancelled; nothing was changed") }
    }
}

/// Runs what installs, and turns its errors into those of releases.
func installing<Value>(_ body: () throws(InstallationError) -> Value) throws(ReleaseError) -> Value {
    do throws(InstallationError) { return try body() } catch {
        throw ReleaseError(code: error.code.rawValue, error.message)
    }
}
