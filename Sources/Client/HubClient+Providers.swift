import HubProtocol
import JSON

extension HubClient {
    /// The provider for a session of which nobody has said whose it is to be: Claude Code when it can be used at once,
    /// else the built-in agent, which needs no account.
    ///
    /// - Throws: as `call`.
    package func preferredProvider() async throws(HubError) -> String {
        let providers = try await call("GET", "/providers")["providers"]?.arrayValue ?? []
        guard var claude = providers.first(where: { $0["id"]?.stringValue == ProviderID.claude }) else {
            return ProviderID.echo
        }
        // A daemon that has just started may not have looked yet.
        if claude["installed"]?.boolValue == nil || claude["authenticated"]?.boolValue == nil {
            claude = (try? await call("POST", "/providers/\(ProviderID.claude)/check")) ?? claude
        }
        let isReady = claude["installed"]?.boolValue == true && claude["authenticated"]?.boolValue == true
        return isReady ? ProviderID.claude : ProviderID.echo
    }
}
