import API
import Configuration
import EventLoop
import Glibc
import Installations
import JSON
import Sessions

/// New versions of the program.
extension Daemon {
    /// Only of an installed release: whoever built it knows better.
    func watchUpdates() {
        guard let tool = UpdateCheck.tool(beside: program, home: home.path) else { return }
        updates = UpdateCheck(
            UpdateCheck.Surroundings(
                file: home.updates, installedVersions: home.installation.versionsFile, home: home.path, tool: tool,
                environment: launch.environment,
                settings: { [unowned self] in
                    let updates = configured.configuration.updates
                    return (updates.check && !isStopping, updates.firstCheckSeconds)
                },
                hasClients: { [unowned self] in hub.clientCount > 0 },
                announce: { [unowned self] in hub.broadcast("core:notification", $0) }, log: log), loop: loop)
    }

    /// Somebody is there who may not have heard of a new version. First they get what they came for.
    func clientCame() {
        guard updates != nil else { return }
        loop.schedule(after: .seconds(1)) { [weak self] in self?.updates?.announce() }
    }

    var update: JSONObject? { updates?.report }
}
