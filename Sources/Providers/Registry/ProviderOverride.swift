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

    func apply(to manifest: inout ProviderManifest) {
        manifest.isEnabled = enabled ?? manifest.isEnabled
        if let command { manifest.command = [command] }
        manifest.arguments = arguments ?? manifest.arguments
        manifest.environment.merge(environment) { _, configured in configured }
    }
}
