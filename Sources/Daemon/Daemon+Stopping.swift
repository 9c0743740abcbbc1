import API
import EventLog
import EventLoop
import Glibc
import JSON
import Processes
import Providers
import Search
import Server
import Sessions
import WebSocket

/// How the daemon ends: told to, in a hurry, or by itself.
extension Daemon {
    /// After the grace: whatever hangs then is left behind.
    static let hangTime = Duration.seconds(10)
    /// What is told to a service manager, so that it doesn't lose patience before the daemon does.
    static let hangLimit = hangTime + .seconds(5)

    func shutDown(graceMs: Int?, by client: String) {
        stop(grace: graceMs.map { .milliseconds($0) } ?? configured.grace, reason: "asked by \(client)")
    }

    /// Stops in order: nothing new is begun, providers end, clients are told, logs are complete.
    func stop(grace: Duration, reason: String) {
        guard !isStopping else { return turnRestartIntoStop(reason) }
        isStopping = true
        log.log(.info, "stopping", ["reason": JSON(reason)])
        notifier?.stops(within: grace + Daemon.hangLimit)
        hub.broadcast("core:shutdown", ["reason": JSON(reason)])
        endpoint.remove()
        updates?.stop()
        catalogue.registry.stopWatching()
        catalogue.registry.endInstallations()
        // Whatever hangs, the daemon ends.
        loop.schedule(after: grace + Daemon.hangTime) { [self] in exitNow(1) }
        service.stopAll(grace: grace) { [self] in closeDown(reason: reason) }
    }

    /// The last part: clients go, logs are complete.
    func closeDown(reason: String) {
        hub.closeAll(reason: reason, code: .goingAway)
        server.shutdown(grace: .seconds(2)) { [self] in
            subreaper.killAdopted()
            search?.stop()
            service.drafts.flush()
            let isComplete = service.store.stop()
            log.log(isComplete ? .info : .error, "stopped", ["logsComplete": JSON(isComplete)])
            marker?.end()
            loop.stop()
        }
    }

    func exitNow(_ code: Int32) {
        endpoint.remove()
        log.log(.warn, "stopped at once", ["code": .int(Int64(code))])
        marker?.end()
        subreaper.killAll()
        exit(code)
    }

    /// Without clients and without work the daemon ends by itself; the next client starts it again.
    func watchIdleness() {
        guard !isStopping, !launch.isService else { return }
        guard let wait = configured.idleShutdown else {
            // That may change.
            idleSince = nil
            loop.schedule(after: .seconds(1)) { [self] in watchIdleness() }
            return
        }
        let isIdle = server.connectionCount == 0 && service.isQuiet && !catalogue.registry.isInstalling
        if !isIdle { idleSince = nil } else if idleSince == nil { idleSince = loop.now }
        if let idleSince, loop.now - idleSince >= wait { return stop(grace: configured.grace, reason: "idle") }
        loop.schedule(after: min(.seconds(1), max(wait, .milliseconds(10)))) { [self] in watchIdleness() }
    }
}
