package import EventLoop
package import HubProtocol
package import JSON
import Processes

/// What the configuration file says about one provider. It is the only place besides manifests that names programs.
package struct ProviderOverride: Equatable, Sendable {
    package var enabled: Bool?
    package var command: String?
    package var arguments: [String]?
    package var environment: [String: String]

    package init(
        enabled: Bool? = nil, command: String? = nil, arguments: [String]? = nil, environment: [String: String] = [:]
    ) {
        self.enabled = enabled
        self.command = command
        self.arguments = arguments
        self.environment = environment
    }
}

/// The providers that there are, what is known about each, and how a conversation with one is made. Loop-confined.
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

    package private(set) var manifests: [ProviderManifest] = []
    /// Manifests that could not be used; the bundled one stands in where there is one.
    package private(set) var problems: [ManifestError] = []
    /// Called when what is known about a provider has changed.
    package var onChange: (_ providerId: String) -> Void = { _ in }

    private let surroundings: Surroundings
    private let loop: EventLoop
    private var overrides: [String: ProviderOverride] = [:]
    private var factories: [String: Factory] = [:]
    private var probes: [String: Probe] = [:]
    private var quotas: [String: Quota] = [:]

    private struct Probe {
        var executable: String?
        var version: String?
        var problem: String?
    }

    package init(surroundings: Surroundings, overrides: [String: ProviderOverride] = [:], loop: EventLoop) {
        self.surroundings = surroundings
        self.loop = loop
        reload(overrides: overrides)
    }

    package func register(_ adapter: String, _ factory: @escaping Factory) { factories[adapter] = factory }

    // MARK: Manifests

    /// Reads all manifests anew: bundled ones, then `providers/<id>/module.json` over them.
    package func reload(overrides: [String: ProviderOverride]? = nil) {
        if let overrides { self.overrides = overrides }
        manifests = []
        problems = []
        var objects: [String: JSONObject] = [:]
        var order: [String] = []
        for (id, bytes) in BundledManifests.all {
            guard let object = (try? JSON.parse(bytes))?.objectValue else { continue }
            objects[id] = object
            order.append(id)
        }
        for folder in ProviderFiles.folders(in: "\(surroundings.hubHome)/providers") {
            let path = "\(surroundings.hubHome)/providers/\(folder)/module.json"
            do {
                guard let bytes = try ProviderFiles.read(path) else { continue }
                guard let object = try JSON.parse(bytes).objectValue else {
                    throw ManifestError(path: path, key: "", reason: "must be an object")
                }
                if let id = object["id"]?.stringValue, id != folder {
                    throw ManifestError(path: path, key: "id", reason: "must be the folder's name, \(folder)")
                }
                // What it leaves out is as in the bundled one.
                let merged = (objects[folder] ?? ["id": JSON(folder)]).merging(object)
                _ = try ProviderManifest(.object(merged), path: path)
                if objects[folder] == nil { order.append(folder) }
                objects[folder] = merged
            } catch let error as ManifestError {
                problems.append(error)
            } catch {
                problems.append(ManifestError(path: path, key: "", reason: "\(error)"))
            }
        }
        for id in order {
            guard let object = objects[id] else { continue }
            do throws(ManifestError) {
                var manifest = try ProviderManifest(.object(object), path: "bundled \(id)")
                apply(self.overrides[id], to: &manifest)
                manifests.append(manifest)
            } catch {
                problems.append(error)
            }
        }
        for manifest in manifests { probes[manifest.id] = Probe(executable: executable(of: manifest)) }
    }

    private func apply(_ override: ProviderOverride?, to manifest: inout ProviderManifest) {
        guard let override else { return }
        manifest.isEnabled = override.enabled ?? manifest.isEnabled
        if let command = override.command { manifest.command = [command] }
        manifest.arguments = override.arguments ?? manifest.arguments
        manifest.environment.merge(override.environment) { _, configured in configured }
    }

    package func manifest(_ id: String) -> ProviderManifest? {
        let id = ProviderID.resolve(id)
        return manifests.first { $0.id == id }
    }

    package func setEnabled(_ id: String, _ isEnabled: Bool) {
        guard let index = manifests.firstIndex(where: { $0.id == id }) else { return }
        manifests[index].isEnabled = isEnabled
        overrides[id, default: ProviderOverride()].enabled = isEnabled
        onChange(id)
    }

    // MARK: Programs

    private func expand(_ text: String, _ manifest: ProviderManifest) -> String {
        let home = surroundings.environment["HOME"] ?? "/"
        var result = ""
        var rest = text[...]
        while let open = rest.firstRange(of: "${"), let close = rest[open.upperBound...].firstIndex(of: "}") {
            result += rest[..<open.lowerBound]
            switch rest[open.upperBound..<close] {
            case "self": result += surroundings.program
            case "home": result += home
            case "provider": result += "\(surroundings.hubHome)/providers/\(manifest.id)"
            case "claudeConfig": result += surroundings.environment["CLAUDE_CONFIG_DIR"] ?? "\(home)/.claude"
            case "command": result += probes[manifest.id]?.executable ?? manifest.command.first ?? ""
            default: result += rest[open.lowerBound...close]
            }
            rest = rest[rest.index(after: close)...]
        }
        return result + rest
    }

    private func executable(of manifest: ProviderManifest) -> String? {
        let searchPath =
            manifest.environment["PATH"] ?? surroundings.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        for candidate in manifest.command {
            if let path = ExecutableLookup.find(expand(candidate, manifest), searchPath: searchPath) { return path }
        }
        return nil
    }

    private func environment(of manifest: ProviderManifest) -> [String: String] {
        let additions = manifest.environment.mapValues { expand($0, manifest) }
        return ProviderEnvironment.build(
            inherited: surroundings.environment, passing: manifest.passEnvironment, additions: [additions],
            owner: surroundings.owner)
    }

    /// How the provider's program is started now.
    /// - Throws: `provider_not_found`, `provider_disabled`, `provider_not_installed` or `provider_too_old`.
    package func launch(_ id: String) throws(Failure) -> ProviderLaunch {
        guard let manifest = manifest(id) else {
            throw Failure(
                code: "provider_not_found", message: "There is no provider \(id); GET /providers lists those there are."
            )
        }
        guard manifest.isEnabled else {
            throw Failure(
                code: "provider_disabled", message: "\(manifest.name) is disabled: enable it or switch the provider.",
                actions: [.switchProvider])
        }
        guard let executable = executable(of: manifest) else {
            throw .providerNotInstalled(
                provider: manifest.name, lookedFor: manifest.command.map { expand($0, manifest) })
        }
        if let minimum = manifest.version?.minimum, let version = probes[manifest.id]?.version,
            !ProviderVersion.isAtLeast(minimum, version)
        {
            throw Failure(
                code: "provider_too_old",
                message: "\(manifest.name) \(version) is too old: install \(minimum) or later.",
                actions: [.install, .switchProvider])
        }
        return ProviderLaunch(
            providerId: manifest.id, name: manifest.name, executable: executable,
            arguments: manifest.arguments.map { expand($0, manifest) }, environment: environment(of: manifest),
            options: manifest.options)
    }

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
        return factory(launch, start, loop)
    }

    // MARK: What is known

    /// Remembers what a conversation told about the provider's quota.
    package func note(_ quota: Quota, of id: String) {
        guard quotas[id] != quota else { return }
        quotas[id] = quota
        onChange(id)
    }

    /// Looks for all programs and asks each for its version.
    package func checkAll(_ completion: @escaping () -> Void = {}) {
        var left = manifests.count
        guard left > 0 else { return completion() }
        for manifest in manifests {
            check(manifest.id) {
                left -= 1
                if left == 0 { completion() }
            }
        }
    }

    /// Looks for the program and asks it for its version; `completion` comes on the loop, within `probeTime`.
    package func check(_ id: String, _ completion: @escaping () -> Void = {}) {
        guard let manifest = manifest(id) else { return completion() }
        var probe = Probe(executable: executable(of: manifest))
        guard let executable = probe.executable else {
            probe.problem = "not installed"
            return finish(manifest.id, probe, completion)
        }
        guard let version = manifest.version else { return finish(manifest.id, probe, completion) }
        VersionProbe.run(
            ProcessSpecification(
                executable: executable, arguments: version.arguments, environment: environment(of: manifest)),
            timeout: ProviderRegistry.probeTime, on: loop
        ) { [weak self] result in
            switch result {
            case .success(let text):
                probe.version = ProviderVersion.find(in: text)
                if let found = probe.version {
                    if let minimum = version.minimum, !ProviderVersion.isAtLeast(minimum, found) {
                        probe.problem = "version \(found) is too old, \(minimum) is the oldest that works"
                    }
                } else {
                    probe.problem = "prints no version"
                }
            case .failure(let problem):
                probe.problem = problem.reason
            }
            self?.finish(manifest.id, probe, completion)
        }
    }

    private func finish(_ id: String, _ probe: Probe, _ completion: () -> Void) {
        probes[id] = probe
        onChange(id)
        completion()
    }

    /// Whether the person seems to be logged in, as far as that can be seen without asking.
    package func isAuthenticated(_ id: String) -> Bool {
        guard let manifest = manifest(id) else { return false }
        guard let authentication = manifest.authentication else { return true }
        let environment = environment(of: manifest)
        if authentication.environment.contains(where: { !(environment[$0] ?? "").isEmpty }) { return true }
        if authentication.files.contains(where: { ProviderFiles.exists(expand($0, manifest)) }) { return true }
        return authentication.settings.contains { setting in
            let value = ProviderFiles.json(expand(setting.file, manifest))?[setting.key]
            return value != nil && value != .null && value != ""
        }
    }

    /// The record that `GET /providers` shows; nil when there is no such provider.
    package func record(_ id: String) -> JSONObject? {
        guard let manifest = manifest(id) else { return nil }
        let probe = probes[manifest.id] ?? Probe()
        let isInstalled = probe.executable != nil
        let isAuthenticated = isAuthenticated(manifest.id)
        let problem =
            !manifest.isEnabled
            ? "disabled"
            : probe.problem
                ?? (!isInstalled ? "not installed" : isAuthenticated ? nil : manifest.login?.hint ?? "not logged in")
        let isActive = manifest.isEnabled && isInstalled && probe.problem == nil
        var record: JSONObject = [
            "id": JSON(manifest.id), "name": JSON(manifest.name), "description": JSON(manifest.summary),
            "status": JSON(isActive ? "active" : "inactive"), "enabled": JSON(manifest.isEnabled),
            "installed": JSON(isInstalled), "version": probe.version.map { JSON($0) } ?? .null,
            "authenticated": JSON(isAuthenticated), "capabilities": .object(manifest.capabilities),
            "models": JSON(manifest.models), "modes": JSON(manifest.modes),
            "quota": quotas[manifest.id].map { .object($0.json) } ?? .null,
        ]
        record["problem"] = problem.map { JSON($0) }
        return record
    }

    package var records: [JSONObject] { manifests.compactMap { record($0.id) } }
}
