/// The environment of a provider's process, built from an allowlist, so that the secrets of one provider never reach
/// another and nothing of the daemon's own leaks.
package enum ProviderEnvironment {
    /// Variables that every provider gets.
    package static let common: Set = [
        "HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "COLORTERM", "TMPDIR",
        "SSH_AUTH_SOCK", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy",
        "all_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
    ]
    package static let commonPrefixes = ["LC_", "XDG_"]
    /// What package managers are configured with; only installations get it.
    package static let ofInstallers = ["PIP_*", "NPM_CONFIG_*", "npm_config_*", "UV_*", "PYENV_ROOT", "NVM_DIR"]
    /// What a login in the person's terminal needs to open their browser.
    package static let ofTerminals = [
        "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "BROWSER", "DBUS_SESSION_BUS_ADDRESS", "SSH_TTY",
        "SSH_CONNECTION", "TERM_PROGRAM", "WSL_DISTRO_NAME", "WSL_INTEROP",
    ]
    /// Marks what belongs to a daemon: its value is the daemon's instance.
    package static let ownerVariable = "CODEAI_HUB_OWNER"

    /// - Parameters:
    ///   - inherited: the daemon's environment.
    ///   - passing: names, or prefixes ending in `*`, that this provider gets besides the common ones.
    ///   - isolatedHome: the home folder that it is given instead of the person's, and all that is by default below it.
    ///   - additions: variables set for it, the later ones win.
    ///   - owner: the daemon's instance.
    package static func build(
        inherited: [String: String], passing: [String], isolatedHome: String? = nil, additions: [[String: String]],
        owner: String
    ) -> [String: String] {
        let names = common.union(passing.filter { !$0.hasSuffix("*") })
        let prefixes = commonPrefixes + passing.filter { $0.hasSuffix("*") }.map { String($0.dropLast()) }
        var environment = inherited.filter { name, _ in
            names.contains(name) || prefixes.contains { !$0.isEmpty && name.hasPrefix($0) }
        }
        if let isolatedHome {
            // Those of the person lead out of it: to their settings, and to the sockets of their keyring.
            for name in environment.keys where name.hasPrefix("XDG_") { environment[name] = nil }
            environment["HOME"] = isolatedHome
            environment["XDG_CONFIG_HOME"] = isolatedHome + "/.config"
            environment["XDG_CACHE_HOME"] = isolatedHome + "/.cache"
            environment["XDG_DATA_HOME"] = isolatedHome + "/.local/share"
            environment["XDG_STATE_HOME"] = isolatedHome + "/.local/state"
        }
        for addition in additions {
            for (name, value) in addition { environment[name] = value }
        }
        environment[ownerVariable] = owner
        return environment
    }

    /// Where programs are looked for.
    static func searchPath(_ environment: [String: String]) -> String {
        environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    }
}
