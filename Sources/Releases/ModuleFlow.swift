import Base
package import Downloads
import Glibc
package import Installations
import JSON

/// The way of providers' modules into a home: manifests of providers that are in force without a release of the core.
///
/// Nothing is restarted and nothing is watched: a daemon takes a module up by itself, for conversations that begin from
/// then on. Whatever ends it, at any point: the module that was in force is, or the new one. Calls block their thread.
package struct ModuleFlow {
    package let home: InstallationHome
    package let downloader: Downloader
    package let judge: any ModuleJudge
    package var report: (ReleaseEvent) -> Void = { _ in }
    /// Asked at every step, and while bytes come.
    package var isCancelled: () -> Bool = { false }
    /// Older modules of a provider that stay, beside the one in use.
    package var keep = 2

    /// Of all that a module's package unpacks to: a manifest has a few kilobytes.
    package static let largestModule = 1 << 20
    /// What may be in a module's package.
    package static let files: Set = ["module.json", "README.md", "LICENSE"]

    package init(home: InstallationHome, downloader: Downloader, judge: any ModuleJudge) {
        self.home = home
        self.downloader = downloader
        self.judge = judge
    }

    // MARK: Planning

    package struct Request {
        /// Of `providers-manifest.json`.
        package var source: ReleaseSource
        package var keys: TrustedKeys
        package var allowsUnsigned = false
        /// Nil: all providers that the core knows.
        package var provider: String?
        /// The core that will use them, where it isn't the present one.
        package var core: Version?

        package init(source: ReleaseSource, keys: TrustedKeys) {
            self.source = source
            self.keys = keys
        }
    }

    /// What would change: each module that is newer than the one in force. Changes nothing.
    ///
    /// - Throws: also `versionMissing` and `coreTooOld`, of a provider that was asked for.
    package func plan(_ request: Request) throws(ReleaseError) -> ReleasePlan {
        let fetcher = ManifestFetcher(
            downloader: downloader, keys: request.keys, allowsUnsigned: request.allowsUnsigned,
            isCancelled: isCancelled, report: report)
        let (document, manifest) = try fetcher.fetch(request.source.manifests) {
            (document) throws(ReleaseError) in try ProvidersManifest(document.bytes)
        }
        try checkCancelled()
        let present = try judge.modules()
        let core = request.core ?? present.core
        var plan = ReleasePlan(manifest: "\(document.location)", signedBy: document.signedBy, changes: [])
        for (id, entry) in try offers(manifest, request, present) {
            if let minimum = entry.minimumCore, core < minimum {
                guard request.provider == nil else {
                    throw ReleaseError(
                        .coreTooOld,
                        "the module \(entry.version) of \(id) needs the core \(minimum), and this is \(core): codeai-hub update"
                    )
                }
                plan.waiting.append(
                    ReleasePlan.Waiting(component: .provider(id), version: entry.version, core: minimum))
                continue
            }
            plan.changes.append(
                ReleasePlan.Change(
                    component: .provider(id), from: present.versions[id], entry: entry,
                    mirrors: try document.mirrors(of: entry.package, manifest.baseURLs),
                    download: packages.missing(entry), signedBy: document.signedBy))
        }
        return plan
    }

    private func offers(
        _ manifest: ProvidersManifest, _ request: Request, _ present: ModulesInForce
    ) throws(ReleaseError) -> [(String, ManifestEntry)] {
        var offers = manifest.providers.filter { Component.isIdentifier($0.key) }
        if let provider = request.provider {
            guard let entry = offers[provider] else {
                let others = offers.keys.sorted().joined(separator: ", ")
                throw ReleaseError(
                    .versionMissing, "there is no module of \(provider)" + (others.isEmpty ? "" : ", only of \(others)")
                )
            }
            offers = [provider: entry]
        } else if let package = request.source.package {
            offers = offers.filter { $0.value.package == package }
            guard !offers.isEmpty else {
                throw ReleaseError(.versionMissing, "the manifest beside \(package) is that of other packages")
            }
        } else {
            // One that nobody has heard of here is installed when it is asked for.
            offers = offers.filter { present.known.contains($0.key) }
        }
        return offers.sorted { $0.key < $1.key }.filter { id, entry in
            present.versions[id].map { $0 < entry.version } ?? true
        }
    }

    private var packages: PackageFetcher {
        PackageFetcher(downloader: downloader, home: home, report: report, isCancelled: isCancelled)
    }

    // MARK: Carrying out

    package struct Outcome: Sendable {
        package var provider: String
        package var from: Version?
        /// Nil: the one that the core has inside.
        package var to: Version?

        package init(provider: String, from: Version?, to: Version?) {
            self.provider = provider
            self.from = from
            self.to = to
        }
    }

    /// Carries a change of a plan out.
    ///
    /// - Throws: what fetching, unpacking and checking throw. The module that was in force is then.
    package func apply(_ change: ReleasePlan.Change, of plan: ReleasePlan) throws(ReleaseError) -> Outcome {
        guard case .provider(let id) = change.component else {
            throw ReleaseError(.versionMissing, "\(change.component) is no provider's module")
        }
        let installer = try begin()
        let entry = change.entry
        let file = try packages.fetch(entry, component: change.component, mirrors: change.mirrors)
        defer { unlink(file) }
        try checkCancelled()
        report(.unpacking(component: change.component, version: entry.version))
        let package = Package(
            component: change.component, version: entry.version, file: file, size: entry.size, sha1: entry.sha1,
            sha256: entry.sha256, unpackedSize: min(entry.unpackedSize ?? .max, ModuleFlow.largestModule),
            source: plan.manifest, signedBy: plan.signedBy)
        let isNew = try installing { () throws(InstallationError) in try installer.unpack(package) }
        do throws(ReleaseError) {
            try check(entry.version, of: id)
            try checkCancelled()
        } catch {
            if isNew { try? installer.discard(entry.version, of: change.component) }
            throw error
        }
        report(.switching(component: change.component, from: change.from, to: entry.version))
        try installing { () throws(InstallationError) in
            try installer.switchTo(entry.version, of: change.component)
        }
        report(.cleaned((try? installer.cleanUp(keep: keep, of: change.component)) ?? []))
        return Outcome(provider: id, from: change.from, to: entry.version)
    }

    /// Whether a version that was unpacked is a module that the core can use.
    private func check(_ version: Version, of id: String) throws(ReleaseError) {
        let component = Component.provider(id)
        report(.preflight(component: component, version: version))
        let strange = (home.record(of: version, component)?.files ?? []).map(\.path).filter {
            !ModuleFlow.files.contains($0)
        }
        guard strange.isEmpty else {
            throw ReleaseError(
                .moduleUnusable, "the package has what no module has: \(strange.joined(separator: ", "))")
        }
        let identity = try judge.check(home.folder(of: version, component) + "/module.json")
        guard identity.id == id, identity.version == version else {
            throw ReleaseError(
                .moduleUnusable,
                "the package of \(id) \(version) has the module \(identity.version) of \(identity.id) in it")
        }
    }

    // MARK: Going back

    /// Goes back to a module that was in force before.
    ///
    /// - Parameter version: nil: the one before the present one; the one inside the core when there was none.
    /// - Throws: `versionMissing`, `moduleUnusable`, and what the installer throws.
    package func rollBack(_ id: String, to version: Version?) throws(ReleaseError) -> Outcome {
        let component = Component.provider(id)
        let installer = try begin()
        let installed = try installing { () throws(InstallationError) in try VersionsFile(home).version(of: component) }
        guard let installed else {
            throw ReleaseError(
                .versionMissing, "no module of \(id) is installed: its manifest is the one inside the core")
        }
        let there = home.versions(of: component).filter { $0 != installed }
        if let version, !there.contains(version) {
            let names = there.isEmpty ? "no other" : there.map(\.description).joined(separator: ", ")
            throw ReleaseError(.versionMissing, "the module \(version) of \(id) isn't installed; there is \(names)")
        }
        let entry = home.history.last {
            $0.component == component && $0.version == installed && $0.result == .installed
        }
        let target = version ?? entry?.from.flatMap { there.contains($0) ? $0 : nil }
        if let target {
            let flaws = try installing { () throws(InstallationError) in try home.flaws(of: target, component) }
            if let flaw = flaws.first {
                throw ReleaseError(
                    code: InstallationError.Code.damaged.rawValue,
                    "the module \(target) of \(id) isn't as it was installed: \(flaw)")
            }
            try check(target, of: id)
        }
        try installing { () throws(InstallationError) in
            try installer.takeBack(component, to: target, reason: "asked for")
        }
        return Outcome(provider: id, from: installed, to: target)
    }

    // MARK: Helpers

    private func begin() throws(ReleaseError) -> Installer {
        try installing { () throws(InstallationError) in
            let installer = try Installer(home)
            try installer.settle()
            return installer
        }
    }

    private func checkCancelled() throws(ReleaseError) {
        if isCancelled() { throw ReleaseError(.cancelled, "cancelled; nothing was changed") }
    }
}

/// What is asked of the core that is to use modules.
package protocol ModuleJudge {
    /// Its version, and the modules that it has.
    func modules() throws(ReleaseError) -> ModulesInForce
    /// Which module a file has.
    /// - Throws: `moduleUnusable`, with the reason, when this core can't use it.
    func check(_ file: String) throws(ReleaseError) -> (id: String, version: Version)
}

/// The modules that a core has in force, whatever the person's own files say over them.
package struct ModulesInForce: Equatable, Sendable {
    package var core: Version
    /// All providers that could have a module.
    package var known: Set<String>
    /// Those whose manifest says its version.
    package var versions: [String: Version]

    package init(core: Version, known: Set<String>, versions: [String: Version]) {
        self.core = core
        self.known = known
        self.versions = versions
    }
}

extension ReleaseSource {
    /// A file beside each of the manifests.
    package func beside(_ name: String) throws(ReleaseError) -> ReleaseSource {
        try ReleaseSource(
            mirrors: manifests.map { location in
                let text = location.description
                return text.lastIndex(of: "/").map { text[...$0] + name } ?? text
            })
    }
}
