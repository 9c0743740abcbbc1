import API
import Base
import EventLog
import EventLoop
import Glibc
import HubProtocol
import JSON
import Processes
import Providers
import Search
import Server
import Sessions
import WebSocket

/// A restart: another program takes this one's place in the same process, and goes on with its sockets and its lock.
/// Nobody is turned away meanwhile: what comes waits in the kernel.
extension Daemon {
    /// Tries the program first; only when it would run is anything ended.
    func restart(graceMs: Int?, by client: String, answer: @escaping (Result<JSONObject, Failure>) -> Void) {
        if let successor { return answer(.success(restarting(successor))) }
        guard !isStopping else {
            return answer(.failure(Failure(code: "shutting_down", message: "The daemon is being stopped.")))
        }
        restartAnswers.append(answer)
        // Somebody else has just asked for the same.
        guard restartAnswers.count == 1 else { return }
        let candidate: String
        do throws(Failure) {
            candidate = try Successor.program(home: home, own: program)
        } catch {
            return refuseRestart(error)
        }
        Successor.tryOut(candidate, launch.arguments, on: loop) { [self] result in
            switch result {
            case .failure(let failure): refuseRestart(failure)
            case .success where isStopping:
                refuseRestart(Failure(code: "shutting_down", message: "The daemon is being stopped."))
            case .success(let successor):
                for answer in takeRestartAnswers() { answer(.success(restarting(successor))) }
                beginRestart(successor, grace: graceMs.map { .milliseconds($0) } ?? configured.grace, by: client)
            }
        }
    }

    private func restarting(_ successor: Successor) -> JSONObject {
        [
            "restarting": true, "version": JSON(successor.version), "program": JSON(successor.program),
            "instanceId": JSON(identity.instanceId),
        ]
    }

    private func refuseRestart(_ failure: Failure) {
        log.log(.error, "no restart", ["problem": JSON(failure.message)])
        for answer in takeRestartAnswers() { answer(.failure(failure)) }
    }

    private func takeRestartAnswers() -> [(Result<JSONObject, Failure>) -> Void] {
        defer { restartAnswers = [] }
        return restartAnswers
    }

    /// Ends in the order of a stop, without closing the door. Clients are served until the last process has ended.
    private func beginRestart(_ successor: Successor, grace: Duration, by client: String) {
        self.successor = successor
        isStopping = true
        let reason = "restart asked by \(client)"
        log.log(
            .info, "restarting",
            ["reason": JSON(reason), "program": JSON(successor.program), "version": JSON(successor.version)])
        notifier?.restarts(within: grace + Daemon.hangLimit)
        hub.broadcast("core:restarting", ["reason": JSON(reason), "version": JSON(successor.version)])
        updates?.stop()
        catalogue.registry.stopWatching()
        catalogue.registry.endInstallations()
        // Whatever hangs is left behind.
        loop.schedule(after: grace + Daemon.hangTime) { [self] in
            guard self.successor != nil else { return exitNow(1) }
            log.log(.error, "restarting without waiting any longer")
            subreaper.killAll()
            finishRestart()
        }
        service.stopAll(grace: grace, keepingQueues: true) { [self] in
            subreaper.killAdopted()
            guard self.successor != nil else { return closeDown(reason: "stopped while restarting") }
            hub.closeAll(reason: "the daemon restarts", code: .serviceRestart)
            server.prepareHandOver(grace: .seconds(2), farewell: .milliseconds(100)) { [self] in finishRestart() }
        }
    }

    /// Whoever wants a stop while the restart is under way gets it.
    func turnRestartIntoStop(_ reason: String) {
        guard successor != nil else { return }
        successor = nil
        notifier?.stops(within: configured.grace + Daemon.hangLimit)
        log.log(.info, "stopping in place of restarting", ["reason": JSON(reason)])
        service.giveUpQueues()
        hub.broadcast("core:shutdown", ["reason": JSON(reason)])
        endpoint.remove()
    }

    private func finishRestart() {
        // Asked to stop in the last moment.
        guard successor != nil else { return closeDown(reason: "stopped while restarting") }
        search?.stop()
        service.drafts.flush()
        let isComplete = service.store.stop()
        log.log(isComplete ? .info : .error, "handing over", ["logsComplete": JSON(isComplete)])
        marker?.end()
        loop.stop()
    }

    /// The end of this program.
    func goOn(with successor: Successor) -> Never {
        let estate = server.release()
        // A thread that still reads or writes could do so to a socket that gets its descriptor's number.
        settingsWriter.stop()
        diagnosticsWorker?.stop()
        let isAlone = Inheritance.isAlone()
        let will = Inheritance.Will(
            lock: instance.file, activated: estate.listening.filter(activated.contains),
            listening: estate.listening.filter { !activated.contains($0) },
            connections: isAlone ? estate.connections : [])
        notifier?.handsOver()
        Inheritance.pass(will, to: successor.program, launch.arguments) { error in
            // Through a file of its own: by now the descriptor of the old one may be another's.
            configured.log(in: home, redactor).log(.error, "the old program goes on", ["problem": JSON("\(error)")])
        }
    }
}
