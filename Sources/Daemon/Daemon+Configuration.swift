import API
import Base
import Configuration
import EventLoop
import JSON
import Providers
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
        do throws(ConfigurationError) {
            let needsRestart = try configured.readAgain()
            Daemon.learnSecrets(redactor, configured)
            log.apply(level: configured.logLevel, rules: configured.logRules)
            audit.apply(rules: configured.logRules)
            service.setBudget(configured.budget)
            catalogue.defaults = configured.sessionDefaults
            catalogue.registry.reload(overrides: configured.providers)
            hub.broadcast("settings:update", settings)
            log.log(.info, "the configuration was read again", ["needsRestart": JSON(needsRestart)])
        } catch {
            log.log(.error, "the configuration can't be used and is left as it was", ["problem": JSON("\(error)")])
        }
    }
}
