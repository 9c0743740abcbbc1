import API
import JSON
import Providers
import Sessions

extension Daemon {
    /// Clients see at once what becomes of providers.
    func announceProviders() {
        let registry = catalogue.registry
        let announce = { [weak self] (providerId: String) in
            guard let self, let record = catalogue.record(providerId) else { return }
            hub.broadcast("provider:update", record)
        }
        registry.onChange = announce
        service.health.onChange = announce
        registry.onRemoval = { [weak self] in self?.hub.broadcast("provider:removed", ["id": JSON($0)]) }
        registry.onProgress = { [weak self] providerId, progress in
            var payload: JSONObject = ["providerId": JSON(providerId)]
            for (key, value) in progress.json { payload[key] = value }
            self?.hub.broadcast("provider:progress", payload, isEphemeral: true)
            self?.note(progress, of: providerId)
        }
        registry.onProblem = { [weak self] in self?.report($0) }
        registry.isInUse = { [weak self] providerId in
            self?.service.loaded.values.contains { $0.processes.contains { $0.providerId == providerId } } ?? false
        }
        for problem in registry.problems { report(problem) }
        warnOfUnknownProviders()
    }

    func warnOfUnknownProviders() {
        let registry = catalogue.registry
        for providerId in service.settings.fallback where registry.manifest(providerId) == nil {
            log.log(.warn, "sessions.fallback names a provider that there isn't", ["providerId": JSON(providerId)])
        }
        for providerId in configured.providers.keys.sorted() where registry.manifest(providerId) == nil {
            log.log(.warn, "the configuration names a provider that there isn't", ["providerId": JSON(providerId)])
        }
    }

    private func report(_ problem: ManifestError) {
        log.log(.warn, "a provider's manifest is not usable", problem.json.objectValue ?? [:])
        hub.broadcast("core:notification", ["level": "warn", "message": JSON("\(problem)")])
    }
}
