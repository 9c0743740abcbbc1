import API
import Base
import Configuration
import EventLog
import EventLoop
import Glibc
import JSON
import Providers
import Redaction
import Server
import Sessions

/// What the daemon tells its operator: the log, the audit, crash reports, its own vitals.
extension Daemon {
    /// Everything that must not be read by others, as far as this process knows it.
    static func collectSecrets(
        _ redactor: Redactor, token: String, settings: Settings, environment: [String: String]
    ) {
        redactor.add(token)
        redactor.add(environment: environment, isPrivate: false)
        learnSecrets(redactor, settings)
    }

    /// Also after the configuration has changed; what was secret before stays so.
    static func learnSecrets(_ redactor: Redactor, _ settings: Settings) {
        for provider in settings.configuration.providers.values {
            redactor.add(environment: provider.environment, isPrivate: true)
        }
    }

    /// Says what became of the daemon before, and that this one is there.
    func beginLife() {
        if let remains = LifeMarker.left(at: home.marker) {
            ownVitals.followsCrash = true
            let report = CrashReports(folder: home.logs, redactor: redactor)
                .write(remains, log: log.path, keep: configured.configuration.log.keep)
            var fields: JSONObject = ["lastSignOfLife": JSON(remains.lastSign.description)]
            fields["pid"] = remains.description["pid"]
            fields["signal"] = remains.signal.map { JSON($0) }
            fields["report"] = report.map { JSON($0) }
            log.log(.error, "the daemon before this one died without being able to say so", fields)
        }
        marker = LifeMarker(
            path: home.marker,
            [
                "version": JSON(identity.version), "instanceId": JSON(identity.instanceId),
                "pid": .int(Int64(identity.pid)), "startedAt": JSON(identity.startedAt.description),
                "bootId": JSON(CrashReports.bootId),
            ])
        giveSignOfLife()
    }

    private func giveSignOfLife() {
        marker?.touch()
        loop.schedule(after: LifeMarker.interval) { [weak self] in self?.giveSignOfLife() }
    }

    /// Lets the operator see what happens: never what is said.
    func keepJournal() {
        let log = log
        service.onActivity = { event in log.log(.info, event.kind.rawValue, event.fields) }
        hub.onClient = { [unowned self] client, isHere in
            if isHere { clientCame() }
            log.log(.debug, isHere ? "a client came" : "a client left", client.json.objectValue ?? [:])
        }
        let audit = audit
        server.onRefusal = { refusal in
            audit.record(refusal)
            log.log(
                .debug, "a request was refused", ["reason": JSON(refusal.code), "peer": JSON(refusal.peer)])
        }
        watchTurns()
    }

    // MARK: Turns of the loop

    private func watchTurns() {
        loop.onTurn = { [unowned self] nanoseconds in
            ownVitals.loopTurns.record(nanoseconds: nanoseconds)
            let limit = configured.configuration.log.slowTurnMs
            guard limit > 0, nanoseconds >= Int64(limit) * 1_000_000 else { return }
            ownVitals.slowTurns += 1
            warnOfSlowTurn(milliseconds: Int(nanoseconds / 1_000_000))
        }
    }

    /// At most one line in so long: on a machine that is overloaded there would be nothing else.
    private static let slowTurnInterval = Duration.seconds(10)

    private func warnOfSlowTurn(milliseconds: Int) {
        slowestTurn = max(slowestTurn, milliseconds)
        guard slowTurnTimer == nil else { return }
        let before = ownVitals.slowTurns - 1
        slowTurnTimer = loop.schedule(after: slowTurnsTold == 0 ? .zero : Daemon.slowTurnInterval) { [weak self] in
            guard let self else { return }
            log.log(
                .warn, "turns of the loop took long",
                ["turns": JSON(ownVitals.slowTurns - before), "longestMs": JSON(slowestTurn)])
            slowTurnsTold += 1
            slowestTurn = 0
            slowTurnTimer = nil
        }
    }

    /// Of an installation that has begun or ended; what it prints in between is progress.
    func note(_ progress: InstallProgress, of providerId: String) {
        var fields: JSONObject = ["providerId": JSON(providerId), "operationId": JSON(progress.operationId)]
        switch progress.phase {
        case .installing, .verifying:
            guard installing.insert(progress.operationId).inserted else { return }
            log.log(.info, "an installation began", fields)
        case .completed, .failed, .cancelled:
            installing.remove(progress.operationId)
            let outcome = progress.phase.rawValue
            ownVitals.installations[.init(providerId: providerId, outcome: outcome), default: 0] += 1
            fields["outcome"] = JSON(outcome)
            log.log(progress.phase == .failed ? .warn : .info, "an installation ended", fields)
        }
    }
}
