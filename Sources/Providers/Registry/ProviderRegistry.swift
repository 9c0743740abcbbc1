import Base
package import EventLoop
package import HubProtocol
import Installations
import JSON
import Processes
package import Redaction

/// The providers that there are, what is known about each, and how a conversation with one is made. Loop-confined.
///
/// What belongs to it by subject: how programs are found and started in `+Launch`, what they say about themselves in
/// `+Probe`, noticing changes on disk in `+Watch`, installing in `+Install`, what clients are shown in `+Record`.
package final class ProviderRegistry {
    /// Where things are.
    package struct Surroundings: Sendable {
        /// The hub's home, absolute.
        package var hubHome: String
        /// The daemon's own program, for `${self}`.
        package var program: String
        /// The daemon's environment.
        package var environment: [String: String]
        /// The daemon's instance, which marks the processes that belong to it.
        package var owner: String
        /// Seconds that an installation may take.
        package var installSeconds = 1800.0
        /// Keeps secrets out of what installations and version probes print.
        package var redactor = Redactor()
        /// This core's version, which modules may ask for; nil where that doesn't matter.
        package var coreVersion: String?

        package init(hubHome: String, program: String, environment: [String: String], owner: String) {
            self.hubHome = hubHome
            self.program = program
            self.environment = environment
            self.owner = owner
        }
    }

    /// Makes a conversation with a provider whose manifest names this adapter.
    package typealias Factory = (ProviderLaunch, ProviderStart, EventLoop) -> any ProviderSession

    /// How long `--version` may take.
    package static let probeTime = Duration.seconds(15)

    /// The manifests in force, with what the configuration and the toggles say.
    package internal(set) var manifests: [ProviderManifest] = []
    /// Manifests that could not be used; an earlier state of the file or the bundled one stands in where there is one.
    package var problems: [ManifestError] { store.problems.map(\.error) }
    /// Called when what is known about a provider has changed.
    package var onChange: (_ providerId: String) -> Void = { _ in }
    /// Called when there is a provider no longer.
    package var onRemoval: (_ providerId: String) -> Void = { _ in }
    /// Called with each problem that was not there before.
    package var onProblem: (ManifestError) -> Void = { _ in }
    /// Called while an installation goes on, at most ten times a second for each.
    package var onProgress: (_ providerId: String, InstallProgress) -> Void = { _, _ in }
    /// Whether a session's process runs on a provider.
    package var isInUse: (_ providerId: String) -> Bool = { _ in false }

    private(set) var surroundings: Surroundings
    let loop: EventLoop
    var store: ManifestStore
    var overrides: [String: ProviderOverride] = [:]
    var toggles: ProviderToggles
    var probes: [String: Probe] = [:]
    var checksBegun = 0
    /// Of each provider the number of the check that was begun last.
    var latestCheck: [String: Int] = [:]
    var watched: [String: Watched] = [:]
    var sweep: LoopTimer?
    var installations: [String: Installation] = [:]
    var outcomes: [String: JSONObject] = [:]
    /// Trees that are being deleted, and those that could not be.
    var removing: Set<String> = []
    var identifiers = ULIDGenerator()
    private var factories: [String: Factory] = [:]
    private(set) var quotas: [String: QuotaWindows] = [:]

    package init(surroundings: Surroundings, overrides: [String: ProviderOverride] = [:], loop: EventLoop) {
        self.surroundings = surroundings
        self.loop = loop
        self.overrides = overrides
        store = ManifestStore(home: surroundings.hubHome, core: surroundings.coreVersion.flatMap { Version($0) })
        toggles = ProviderToggles(path: "\(surroundings.hubHome)/core/state.json")
        manifests = effectiveManifests()
        for manifest in manifests { probes[manifest.id] = Probe(executable: executable(of: manifest)) }
    }

    /// Seconds that an installation begun from now on may take.
    package func limitInstallations(seconds: Double) { surroundings.installSeconds = seconds }

    package func register(_ adapter: String, _ factory: @escaping Factory) { factories[adapter] = factory }

    // MARK: Manifests

    /// Takes in changed manifests, and overrides when the configuration has changed. Conversations that run go on as
    /// they were started.
    package func reload(overrides: [String: ProviderOverride]? = nil) {
        if let overrides { self.overrides = overrides }
        let (problemsBefore, originsBefore) = (Set(store.problems), store.origins)
        let hasChanged = store.refresh(isInUse: isInUse)
        guard hasChanged || overrides != nil else { return }
        let before = manifests
        manifests = effectiveManifests()
        for manifest in manifests where !before.contains(manifest) {
            // Shown at once; the version follows when the program has said it.
            let executable = executable(of: manifest)
            if probes[manifest.id]?.executable != executable { probes[manifest.id] = Probe(executable: executable) }
            onChange(manifest.id)
            check(manifest.id)
        }
        for manifest in before where self.manifest(manifest.id) == nil {
            probes[manifest.id] = nil
            watched[manifest.id] = nil
            onRemoval(manifest.id)
        }
        let problems = Set(store.problems)
        for problem in problems.subtracting(problemsBefore) { onProblem(problem.error) }
        for manifest in before where manifests.contains(manifest) {
            let isTold =
                store.origins[manifest.id] == originsBefore[manifest.id]
                && !problems.symmetricDifference(problemsBefore).contains { $0.id == manifest.id }
            if !isTold { onChange(manifest.id) }
        }
    }

    private func effectiveManifests() -> [ProviderManifest] {
        store.manifests.map { manifest in
            var manifest = manifest
            overrides[manifest.id]?.apply(to: &manifest)
            manifest.isEnabled = toggles.isEnabled(manifest.id, otherwise: manifest.isEnabled)
            return manifest
        }
    }

    package func manifest(_ id: String) -> ProviderManifest? {
        let id = ProviderID.resolve(id)
        return manifests.first { $0.id == id }
    }

    /// The manifest of a provider that somebody named.
    /// - Throws: `provider_not_found`.
    func known(_ id: String) throws(Failure) -> ProviderManifest {
        guard let manifest = manifest(id) else {
            throw Failure(
                code: "provider_not_found",
                message: "There is no provider \(id.prefix(64)); GET /providers lists those there are.")
        }
        return manifest
    }

    /// Enables or disables a provider, for good: it is kept in `core/state.json`. Turns that run on a disabled one go
    /// on to their end, new ones are refused.
    /// - Throws: `provider_not_found`, `internal_error` when it can't be kept.
    package func setEnabled(_ id: String, _ isEnabled: Bool) throws(Failure) {
        let id = try known(id).id
        guard let index = manifests.firstIndex(where: { $0.id == id }) else { return }
        let said = overrides[id]?.enabled ?? store.manifests.first { $0.id == id }?.isEnabled ?? true
        do throws(SystemError) {
            try toggles.set(id, isEnabled, over: said)
        } catch {
            throw Failure(code: "internal_error", message: "It could not be kept: \(error).")
        }
        guard manifests[index].isEnabled != isEnabled else { return }
        manifests[index].isEnabled = isEnabled
        onChange(id)
    }

    // MARK: Conversations

    /// Nil when conversations with the provider can be started; else why not.
    package func problem(with id: String) -> Failure? {
        do throws(Failure) {
            _ = try launch(id)
            return nil
        } catch {
            return error
        }
    }

    /// A conversation, not yet started.
    /// - Throws: as `launch`, or `unknown_adapter`.
    package func makeSession(_ id: String, _ start: ProviderStart) throws(Failure) -> any ProviderSession {
        let launch = try launch(id)
        guard let manifest = manifest(id), let factory = factories[manifest.adapter] else {
            throw Failure(code: "unknown_adapter", message: "No adapter speaks the language of \(id).")
        }
        prepareFolders(of: manifest)
        return factory(launch, start, loop)
    }

    /// Remembers what a conversation told about the provider's quota.
    package func note(_ quota: Quota, of id: String) {
        if quotas[id, default: QuotaWindows()].note(quota, at: .now) { onChange(id) }
    }

    /// What the provider takes at most, as its manifest says; nil where it says nothing.
    package func limits(of id: String) -> ProviderLimits { manifest(id)?.limits ?? ProviderLimits() }
}
