import API
import EventLoop
import HubProtocol
import JSON
import ProviderACP
import ProviderClaude
import ProviderCodex
import Providers
import Sessions

/// The providers, as the sessions and the API know them.
final class Catalogue: ProviderSource, ProviderDirectory, ArchiveSource {
    let registry: ProviderRegistry
    /// What the configuration says about new sessions.
    var defaults: [String: SessionState.Choice] = [:]
    /// How its processes fare: a member of its record.
    var health: (_ providerId: String) -> JSONObject = { _ in [:] }

    init(registry: ProviderRegistry) {
        self.registry = registry
        registry.register("claude-stream-json") { launch, start, loop in
            ClaudeSession(launch: launch, start: start, loop: loop)
        }
        let codexServers = CodexServers()
        registry.register("codex-app-server") { launch, start, loop in
            CodexSession(launch: launch, start: start, servers: codexServers, loop: loop)
        }
        registry.register("acp") { launch, start, loop in
            ACPSession(
                start, configuration: ACPConfiguration(launch, clientVersion: Version.current), loop: loop)
        }
    }

    func problem(with providerId: String) -> Failure? { registry.problem(with: providerId) }

    func makeSession(_ providerId: String, _ start: ProviderStart) throws(Failure) -> any ProviderSession {
        try registry.makeSession(providerId, start)
    }

    func canFork(_ providerId: String) -> Bool {
        registry.manifest(providerId)?.capabilities["fork"]?.boolValue ?? false
    }

    func name(of providerId: String) -> String { registry.manifest(providerId)?.name ?? providerId }

    func limits(of providerId: String) -> ProviderLimits { registry.limits(of: providerId) }

    func defaults(of providerId: String) -> SessionState.Choice { defaults[providerId] ?? SessionState.Choice() }

    var archiveProviderIds: [String] { registry.manifests.map(\.id).filter { archive(of: $0) != nil } }

    func archive(of providerId: String) -> (any SessionArchive)? {
        guard let surroundings = registry.archiveSurroundings(of: providerId) else { return nil }
        switch surroundings.adapter {
        case "claude-stream-json": return ClaudeArchive(environment: surroundings.environment)
        case "codex-app-server": return CodexArchive(environment: surroundings.environment)
        default: return nil
        }
    }

    func note(_ quota: Quota, of providerId: String) { registry.note(quota, of: providerId) }

    var problems: [JSON] { registry.problems.map(\.json) }

    var records: [JSON] { registry.manifests.compactMap { record($0.id).map { .object($0) } } }

    func record(_ providerId: String) -> JSONObject? {
        guard var record = registry.record(providerId) else { return nil }
        record["health"] = .object(health(record["id"]?.stringValue ?? providerId))
        return record
    }

    func check(_ providerId: String, _ done: @escaping (Result<JSONObject, Failure>) -> Void) {
        registry.reload()
        registry.check(providerId) { [self] in
            if let record = record(providerId) { done(.success(record)) } else { done(.failure(Self.missing)) }
        }
    }

    private static let missing = Failure(
        code: "provider_not_found", message: "There is no such provider; GET /providers lists those there are.")

    func setEnabled(_ providerId: String, _ isEnabled: Bool) throws(Failure) {
        try registry.setEnabled(providerId, isEnabled)
    }

    func install(_ providerId: String, recipe: String?, version: String?) throws(Failure) -> JSONObject {
        try registry.install(providerId, recipe: recipe, version: version)
    }

    func cancelInstall(_ providerId: String) throws(Failure) { try registry.cancelInstall(providerId) }

    func uninstall(_ providerId: String) throws(Failure) { try registry.uninstall(providerId) }

    /// Not the vendor's command with its environment, which may hold secrets: the person's tool finds those itself.
    func login(_ providerId: String) throws(Failure) -> JSONObject {
        _ = try registry.loginLaunch(providerId)
        return [
            "command": ["codeai-hub", "providers", "login", JSON(providerId)],
            "hint": JSON(registry.manifest(providerId)?.login?.hint ?? ""),
        ]
    }
}
