/// Builds the environment of a provider's process from an allowlist, so that the secrets of one provider never reach
/// another and nothing of the daemon's own leaks.
package enum ProviderEnvironment {
    /// Variables that every provider gets.
    package static let common: Set = [
        "HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "COLORTERM", "TMPDIR",
        "SSH_AUTH_SOCK", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy",
        "all_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
    ]
    package static let commonPrefixes = ["LC_", "XDG_"]
    /// Marks what belongs to a daemon: its value is the daemon's instance.
    package static let ownerVariable = "CODEAI_HUB_OWNER"

    /// - Parameters:
    ///   - inherited: the daemon's environment.
    ///   - passing: names, or prefixes ending in `*`, that this provider gets besides the common ones.
    ///   - additions: variables set for it, the later ones win.
    ///   - owner: the daemon's instance.
    package static func build(
        inherited: [String: String], passing: [String], additions: [[String: String]], owner: String
    ) -> [String: String] {
        let names = common.union(passing.filter { !$0.hasSuffix("*") })
        let prefixes = commonPrefixes + passing.filter { $0.hasSuffix("*") }.map { String($0.dropLast()) }
        var environment = inherited.filter { name, _ in
            names.contains(name) || prefixes.contains { !$0.isEmpty && name.hasPrefix($0) }
        }
        for addition in additions {
            for (name, value) in addition { environment[name] = value }
        }
        environment[ownerVariable] = owner
        return environment
    }
}
