import Base
import Glibc

extension Configuration {
    /// The configuration that is in force, and where it comes from.
    package struct Loaded: Sendable {
        package var configuration: Configuration
        /// Keys that a flag or the environment sets, whatever the file says, with what does.
        package var overridden: [String: String] = [:]
        /// The copy of a file that was of an older version and has been rewritten.
        package var backup: String?
    }

    /// The configuration that is in force: flag before environment before file before default. A missing file is
    /// written with the defaults (mode 0600, atomically); one of an older version is rewritten.
    ///
    /// - Parameters:
    ///   - flags: texts by key, for example `server.port`: `"9000"`.
    ///   - createsMissing: false for a file that somebody named: it must be there.
    ///   - backups: where the file of an older version is kept; nil: it is read, but not rewritten.
    /// - Throws: everything wrong with the file, or with the environment and the flags.
    package static func load(
        path: String, environment: [String: String], flags: [String: String] = [:], createsMissing: Bool = true,
        backups: String? = nil, chain: MigrationChain = .current
    ) throws(ConfigurationError) -> Loaded {
        let file = ConfigurationFile(path)
        var loaded = Loaded(configuration: Configuration())
        if let text = try file.read() {
            loaded.configuration = try parse(text, source: path, chain: chain)
            if let backups { loaded.backup = try file.migrate(text, backups: backups, chain: chain) }
        } else if createsMissing {
            _ = try file.replace(nil, with: firstFile)
        } else {
            throw file.failure("is not there")
        }
        loaded.overridden = try loaded.configuration.apply(environment: environment, flags: flags)
        return loaded
    }
}
