package import HubProtocol
import Processes

/// How programs are found, and what they are started with.
extension ProviderRegistry {
    /// The provider's own folder, which nobody else's provider is told of.
    func folder(of id: String) -> String { "\(surroundings.hubHome)/providers/\(id)" }

    /// The home folder that the provider's program sees.
    func home(of manifest: ProviderManifest) -> String {
        manifest.isolatedHome ? "\(folder(of: manifest.id))/home" : surroundings.environment["HOME"] ?? "/"
    }

    /// - Parameters:
    ///   - install: the tree that `${install}` means; nil for the one in use.
    ///   - more: placeholders of this occasion only.
    func placeholders(
        _ manifest: ProviderManifest, install: String? = nil, _ more: [String: String] = [:]
    ) -> Placeholders {
        let folder = folder(of: manifest.id)
        let versions = InstalledVersions(folder: folder)
        var values = [
            "self": surroundings.program, "home": home(of: manifest), "provider": folder,
            // Not by way of the link: what runs must stay with the tree it was started from.
            "install": install ?? versions.current ?? versions.none,
        ]
        values.merge(more) { $1 }
        return Placeholders(values: values, variables: inherited(manifest))
    }

    /// What the provider gets of the daemon's environment.
    private func inherited(_ manifest: ProviderManifest) -> [String: String] {
        ProviderEnvironment.build(
            inherited: surroundings.environment, passing: manifest.passEnvironment,
            isolatedHome: manifest.isolatedHome ? home(of: manifest) : nil, additions: [], owner: surroundings.owner)
    }

    func executable(of manifest: ProviderManifest, install: String? = nil) -> String? {
        let searchPath = manifest.environment["PATH"] ?? ProviderEnvironment.searchPath(surroundings.environment)
        let placeholders = placeholders(manifest, install: install)
        for candidate in manifest.command {
            let name = placeholders.expand(candidate)
            if let path = ExecutableLookup.find(name, searchPath: searchPath) { return path }
        }
        return nil
    }

    func environment(of manifest: ProviderManifest, executable: String? = nil) -> [String: String] {
        let placeholders = placeholders(manifest)
        var additions = manifest.environment.mapValues { placeholders.expand($0) }
        if let executable, let tree = InstalledVersions(folder: folder(of: manifest.id)).tree(of: executable) {
            additions[InstalledVersions.treeVariable] = tree
        }
        return ProviderEnvironment.build(
            inherited: surroundings.environment, passing: manifest.passEnvironment,
            isolatedHome: manifest.isolatedHome ? home(of: manifest) : nil, additions: [additions],
            owner: surroundings.owner)
    }

    /// How the provider's program is started now.
    /// - Throws: `provider_not_found`, `provider_disabled`, `provider_not_installed` or `provider_too_old`.
    package func launch(_ id: String) throws(Failure) -> ProviderLaunch {
        let manifest = try known(id)
        guard manifest.isEnabled else {
            throw Failure(
                code: "provider_disabled", message: "\(manifest.name) is disabled: enable it or switch the provider.",
                actions: [.switchProvider])
        }
        let executable = try installedExecutable(of: manifest)
        if let minimum = manifest.version?.minimum, let version = probes[manifest.id]?.version,
            !ProviderVersion.isAtLeast(minimum, version)
        {
            throw Failure(
                code: "provider_too_old",
                message: "\(manifest.name) \(version) is too old: install \(minimum) or later.",
                actions: [.install, .switchProvider])
        }
        let placeholders = placeholders(manifest)
        return ProviderLaunch(
            providerId: manifest.id, name: manifest.name, executable: executable,
            arguments: manifest.arguments.map { placeholders.expand($0) },
            environment: environment(of: manifest, executable: executable), options: manifest.options)
    }

    func installedExecutable(of manifest: ProviderManifest) throws(Failure) -> String {
        if let executable = executable(of: manifest) { return executable }
        let placeholders = placeholders(manifest)
        throw .providerNotInstalled(
            provider: manifest.name, lookedFor: manifest.command.map { placeholders.expand($0) })
    }

    /// How the vendor's own login is run in the person's terminal.
    /// - Throws: `provider_not_found`, `provider_not_installed`, `no_login` when it has none.
    package func loginLaunch(_ id: String) throws(Failure) -> ProviderLaunch {
        var manifest = try known(id)
        manifest.passEnvironment += ProviderEnvironment.ofTerminals
        guard let login = manifest.login, !login.command.isEmpty else {
            throw Failure(
                code: "no_login",
                message: manifest.login.map { "\(manifest.name): \($0.hint)" } ?? "\(manifest.name) needs no login.")
        }
        let program = try installedExecutable(of: manifest)
        let placeholders = placeholders(manifest, ["command": program])
        var words = login.command.map { placeholders.expand($0) }
        let name = words.removeFirst()
        var environment = environment(of: manifest, executable: program)
        // It belongs to the person in their terminal: a daemon that starts has not to end it.
        environment[ProviderEnvironment.ownerVariable] = nil
        guard let executable = ExecutableLookup.find(name, searchPath: ProviderEnvironment.searchPath(environment))
        else { throw .providerNotInstalled(provider: manifest.name, lookedFor: [name]) }
        prepareFolders(of: manifest)
        return ProviderLaunch(
            providerId: manifest.id, name: manifest.name, executable: executable, arguments: words,
            environment: environment)
    }
}
