extension ProviderRegistry {
    /// Where the provider's program keeps its own things, whether it is installed or not: what its adapter is, and the
    /// environment that it would be started with. Nil for a provider that there isn't.
    package func archiveSurroundings(of id: String) -> (adapter: String, environment: [String: String])? {
        manifest(id).map { ($0.adapter, environment(of: $0)) }
    }
}
