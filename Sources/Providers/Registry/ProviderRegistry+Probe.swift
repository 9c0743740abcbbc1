import Base
import JSON
import Processes
import Redaction

/// What programs say about themselves, and whether the person is logged in.
extension ProviderRegistry {
    struct Probe: Equatable {
        var executable: String?
        var version: String?
        var problem: String?
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
        watched[manifest.id] = watch(manifest)
        checksBegun += 1
        let check = checksBegun
        latestCheck[manifest.id] = check
        guard let executable = executable(of: manifest) else {
            return finish(manifest.id, check, Probe(problem: "not installed"), completion)
        }
        probe(executable, manifest) { [weak self] probe in self?.finish(manifest.id, check, probe, completion) }
    }

    /// Asks a program for its version.
    func probe(_ executable: String, _ manifest: ProviderManifest, _ completion: @escaping (Probe) -> Void) {
        var probe = Probe(executable: executable)
        guard let version = manifest.version else { return completion(probe) }
        prepareFolders(of: manifest)
        VersionProbe.run(
            ProcessSpecification(
                executable: executable, arguments: version.arguments,
                environment: environment(of: manifest, executable: executable)),
            timeout: ProviderRegistry.probeTime, on: loop
        ) { [redactor = surroundings.redactor] result in
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
                probe.problem = redactor.clean(problem.reason)
            }
            completion(probe)
        }
    }

    private func finish(_ id: String, _ check: Int, _ probe: Probe, _ completion: () -> Void) {
        // The manifest may have been removed meanwhile, and what a later look found is not undone by a slow answer to an
        // earlier one.
        if manifest(id) != nil, latestCheck[id] == check {
            probes[id] = probe
            onChange(id)
        }
        completion()
    }

    /// Makes the folders that the provider's program is told of, for this user alone.
    func prepareFolders(of manifest: ProviderManifest) {
        // What can't be made is said by the program that misses it.
        try? makeDirectories(manifest.isolatedHome ? home(of: manifest) : folder(of: manifest.id))
    }

    /// Whether the person seems to be logged in, as far as that can be seen without asking.
    package func isAuthenticated(_ id: String) -> Bool {
        guard let manifest = manifest(id) else { return false }
        guard let authentication = manifest.authentication else { return true }
        let environment = environment(of: manifest)
        if authentication.environment.contains(where: { !(environment[$0] ?? "").isEmpty }) { return true }
        let placeholders = placeholders(manifest)
        if authentication.files.contains(where: { ProviderFiles.exists(placeholders.expand($0)) }) { return true }
        return authentication.settings.contains { setting in
            let value = ProviderFiles.json(placeholders.expand(setting.file))?[setting.key]
            return value != nil && value != .null && value != ""
        }
    }
}
