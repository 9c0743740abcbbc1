package import JSON

/// What an adapter starts its provider's program with: the manifest and the configuration, resolved.
package struct ProviderLaunch: Equatable, Sendable {
    package var providerId: String
    /// For messages, for example `Claude Code`.
    package var name: String
    /// Absolute path.
    package var executable: String
    /// What the manifest and the configuration add to the arguments that the adapter itself gives.
    package var arguments: [String]
    /// The whole environment of the process.
    package var environment: [String: String]
    /// What the manifest says for this kind of adapter alone; the adapter checks it.
    package var options: JSONObject

    package init(
        providerId: String, name: String, executable: String, arguments: [String] = [],
        environment: [String: String] = [:], options: JSONObject = [:]
    ) {
        self.providerId = providerId
        self.name = name
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.options = options
    }
}
