package import Installations
package import JSON

/// What a provider is and how it is run: bundled, installed as a module of its own, overridable by
/// `providers/<id>/module.json` in the hub's home. Every member is described in doc/providers.md.
package struct ProviderManifest: Equatable, Sendable {
    package struct Version: Equatable, Sendable {
        /// What the program is called with to print its version.
        package var arguments: [String]
        /// An older one is not used.
        package var minimum: String?
        /// The one it was tested with.
        package var tested: String?
    }

    /// How to see, without asking anybody, whether the person is logged in. Any one of them is enough.
    package struct Authentication: Equatable, Sendable {
        package struct Setting: Equatable, Sendable {
            package var file: String
            package var key: String
        }

        /// Files that exist then.
        package var files: [String]
        /// Variables that are set then.
        package var environment: [String]
        /// JSON files that have a key then.
        package var settings: [Setting]
    }

    /// A way to install the program. It puts a whole tree into `${target}` and nothing anywhere else.
    package struct Recipe: Equatable, Sendable {
        package var id: String
        package var label: String
        /// Programs that have to be in PATH.
        package var requires: [String]
        package var command: [String]
        /// Added to the environment of all installations, which has no secrets of providers.
        package var environment: [String: String]
        /// What stands between the package's name and a version that was asked for, for example `==`; nil when the
        /// recipe can't install a certain version.
        package var pin: String?
    }

    package struct Login: Equatable, Sendable {
        package var command: [String]
        package var hint: String
    }

    package var id: String
    /// Of the manifest, not of the program; nil where a person's own names none.
    package var moduleVersion: Installations.Version?
    /// The oldest core that can use it.
    package var minimumCore: Installations.Version?
    package var name: String
    package var summary: String
    /// One of `adapters`.
    package var adapter: String
    /// Candidates, the first that exists is taken: a name looked up in PATH, or a path.
    package var command: [String]
    package var arguments: [String]
    package var environment: [String: String]
    /// Variables of the daemon's environment that it gets; `NAME_*` for a prefix.
    package var passEnvironment: [String]
    /// Its home folder is within its own folder, not the person's.
    package var isolatedHome: Bool
    package var version: Version?
    package var capabilities: JSONObject
    package var limits: ProviderLimits
    package var models: [String]
    package var modes: [String]
    /// Nil: it needs no login.
    package var authentication: Authentication?
    package var install: [Recipe]
    package var login: Login?
    package var isEnabled: Bool
    /// For the adapter of this kind alone, which knows and checks the keys.
    package var options: JSONObject

    /// The kinds of adapters that there are.
    package static let adapters = ["claude-stream-json", "codex-app-server", "acp"]
}

/// What a provider takes at most.
package struct ProviderLimits: Equatable, Sendable {
    /// Tokens that the context of a model holds, by the model's name; under `default` that of all others.
    package var contextWindow: [String: Int] = [:]
    /// UTF-8 bytes of a message.
    package var maxPromptBytes: Int?
    /// Turns of this provider at once, over all sessions.
    package var maxConcurrent: Int?

    package init() {}

    /// - Parameter model: nil for the provider's own default.
    package func contextWindow(of model: String?) -> Int? {
        model.flatMap { contextWindow[$0] } ?? contextWindow["default"]
    }
}

/// What is wrong with a manifest, and where.
package struct ManifestError: Error, Hashable, CustomStringConvertible, Sendable {
    /// The file, or `bundled <id>`.
    package var path: String
    /// The offending member, for example `version.minimum`; empty when it is the whole.
    package var key: String
    package var reason: String

    package init(path: String, key: String = "", reason: String) {
        self.path = path
        self.key = key
        self.reason = reason
    }

    package var description: String { key.isEmpty ? "\(path): \(reason)" : "\(path): \(key): \(reason)" }

    package var json: JSON { ["path": JSON(path), "key": JSON(key), "reason": JSON(reason)] }
}
