import Base
import Installations
package import JSON
import Processes

/// What clients are shown of providers.
extension ProviderRegistry {
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
            "limits": .object(manifest.limits.json), "models": JSON(manifest.models), "modes": JSON(manifest.modes),
            "quota": quotas[manifest.id]?.json(at: .now) ?? .array([]),
        ]
        record["problem"] = problem.map { JSON($0) }
        record["executable"] = probe.executable.map { JSON($0) }
        record["minimumVersion"] = manifest.version?.minimum.map { JSON($0) }
        record["testedVersion"] = manifest.version?.tested.map { JSON($0) }
        if let login = manifest.login {
            record["login"] = ["hint": JSON(login.hint), "interactive": JSON(!login.command.isEmpty)]
        }
        record["installRecipes"] = .array(manifest.install.map { recipe in recipeJSON(recipe) })
        record["install"] = InstalledVersions(folder: folder(of: manifest.id)).description.map { .object($0) }
        record["operation"] = (installations[manifest.id]?.json ?? outcomes[manifest.id]).map { .object($0) }
        record["manifestProblem"] = store.problem(withOwn: manifest.id)?.json
        record["module"] = .object(module(manifest))
        return record
    }

    /// Which manifest is in force.
    private func module(_ manifest: ProviderManifest) -> JSONObject {
        var module: JSONObject = [:]
        module["version"] = manifest.moduleVersion.map { JSON($0.description) }
        if let origin = store.origins[manifest.id] {
            module["source"] = JSON(origin.source.rawValue)
            module["over"] = origin.over.map { JSON($0.rawValue) }
        }
        module["problem"] = store.problem(withInstalled: manifest.id)?.json
        return module
    }

    package var records: [JSONObject] { manifests.compactMap { record($0.id) } }

    private func recipeJSON(_ recipe: ProviderManifest.Recipe) -> JSON {
        [
            "id": JSON(recipe.id), "label": JSON(recipe.label), "requires": JSON(recipe.requires),
            "missing": JSON(missing(for: recipe)), "versions": JSON(recipe.pin != nil),
        ]
    }
}

extension ProviderLimits {
    /// Only what is known.
    var json: JSONObject {
        var object: JSONObject = [:]
        if !contextWindow.isEmpty {
            object["contextWindow"] = .object(
                JSONObject(members: contextWindow.sorted { $0.key < $1.key }.map { ($0.key, JSON($0.value)) }))
        }
        object["maxPromptBytes"] = maxPromptBytes.map { JSON($0) }
        object["maxConcurrent"] = maxConcurrent.map { JSON($0) }
        return object
    }
}
