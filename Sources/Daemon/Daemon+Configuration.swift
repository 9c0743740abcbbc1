import API
import Base
import Configuration
import EventLog
import EventLoop
import HubProtocol
import JSON
import Providers
import Search
import Server
import Sessions

/// The configuration, while the daemon runs.
extension Daemon {
    /// Reads the file again when it has changed.
    func watchConfiguration() {
        let signature = FileSignature(configured.path)
        if configurationSeen == nil { configurationSeen = signature }
        // One that is being replaced is there again at the next look.
        if let signature, signature != configurationSeen { readConfiguration() }
        loop.schedule(after: .seconds(2)) { [self] in watchConfiguration() }
    }

    /// What can change at once does; a file that can't be used changes nothing.
    func readConfiguration() {
        configurationSeen = FileSignature(configured.path)
        let problemsBefore = configured.problems
        do throws(ConfigurationError) {
            let changes = try configured.readAgain()
            // A rewritten file is not news.
            configurationSeen = FileSignature(configured.path)
            applyConfiguration()
            announce(changes)
            if !problemsBefore.isEmpty {
                notify("info", "The configuration file can be used again; what it says is in force.")
            }
        } catch {
            guard error.problems != problemsBefore else { return }
            log.log(
                .error, "the configuration can't be used and is left as it was",
                ["problems": .array(error.problems.map(\.json))])
            notify("error", "The configuration file can't be used; what was in force stays so.\n\(error)")
        }
    }

    private func notify(_ level: String, _ message: String) {
        hub.broadcast("core:notification", ["level": JSON(level), "message": JSON(message)])
    }

    private func announce(_ changes: Configuration.Changes) {
        if let backup = configured.backup {
            log.log(.info, "the configuration was of an older version and was rewritten", ["backup": JSON(backup)])
        }
        log.log(
            .info, "the configuration was read again",
            ["changed": JSON(changes.adopted), "needsRestart": JSON(changes.waiting)])
        var update = settings
        update["changed"] = JSON(changes.adopted)
        hub.broadcast("settings:update", update)
    }

    /// Hands every part what concerns it. What the table calls live must come through here.
    private func applyConfiguration() {
        let configuration = configured.configuration
        Daemon.learnSecrets(redactor, configured)
        log.apply(level: configured.logLevel, rules: configured.logRules)
        audit.apply(rules: configured.logRules)
        server.limits = configured.server
        server.accessGuard.configuration = configured.access(
            token: server.accessGuard.configuration.token, port: identity.port)
        hub.limits = configured.hub
        hub.compressionThreshold = configuration.stream.compressMinBytes
        handler.maxClients = configuration.limits.maxClients
        handler.compresses = configuration.stream.compress
        service.settings = configured.sessions
        search?.timeLimit = configured.configuration.search.timeoutMs
        service.setBudget(configured.budget)
        service.store.backupsToKeep = configuration.backups.keep
        catalogue.defaults = configured.sessionDefaults
        catalogue.registry.limitInstallations(seconds: configuration.limits.installSeconds)
        catalogue.registry.reload(overrides: configured.providers)
        warnOfUnknownProviders()
    }

    // MARK: By clients

    func changeSettings(
        _ patch: JSONObject, by client: ClientIdentity, _ done: @escaping (Result<JSONObject, Failure>) -> Void
    ) {
        do throws(Failure) {
            let changes = try SettingsPatch.changes(of: patch) { catalogue.registry.manifest($0) != nil }
            guard !changes.isEmpty else { return done(.success(settings)) }
            try settingsWriter.write(changes, to: configured.file, on: loop) { [weak self] result in
                guard let self else { return }
                done(result.map { settingsWritten(changes, by: client) })
            }
        } catch {
            done(.failure(error))
        }
    }

    /// They stand in the file: they are taken up as any other change of it.
    private func settingsWritten(_ changes: [ConfigurationFile.Change], by client: ClientIdentity) -> JSONObject {
        audit.record(
            "settings_changed", by: client, sessionId: nil, details: ["keys": JSON(changes.map(\.key))])
        readConfiguration()
        // The newest word on a provider, also where the file said so all along and a client had switched it meanwhile.
        for change in changes where change.key.hasSuffix(".enabled") && change.key.hasPrefix("providers.") {
            let id = change.key.split(separator: ".")[1]
            if let isEnabled = change.value?.boolValue { try? catalogue.setEnabled(String(id), isEnabled) }
        }
        return settings
    }
}
