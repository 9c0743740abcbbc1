import EventLog
package import HubProtocol
import JSON
import Providers

/// What waits for its turn.
extension Session {
    /// Takes back a message that still waits.
    package func withdraw(_ turnId: String, by client: ClientIdentity) throws(Failure) {
        guard state.queue.contains(where: { $0.turnId == turnId }) else {
            throw Failure(code: "turn_not_queued", message: "No message with turn \(turnId.prefix(64)) is waiting.")
        }
        try requireWritableLog()
        appendStatus("withdrawn", ["turnId": JSON(turnId)], by: client)
        // Another provider may be next, one that needn't be waited for.
        startNextTurn()
        announceChange()
    }

    /// Has what waits come in another order: the named first, then the others as they are.
    ///
    /// - Throws: `turn_not_queued` when one doesn't wait (any more), `invalid_request` when one is named twice,
    ///   `log_unavailable`; nothing has changed then.
    package func reorderQueue(_ turnIds: [String], by client: ClientIdentity) throws(Failure) {
        guard Set(turnIds).count == turnIds.count, !turnIds.isEmpty else {
            throw Failure(
                code: "invalid_request", message: "order names at least one turn, and none twice.",
                details: ["field": "order"])
        }
        for turnId in turnIds where !state.queue.contains(where: { $0.turnId == turnId }) {
            throw Failure(code: "turn_not_queued", message: "No message with turn \(turnId.prefix(64)) is waiting.")
        }
        try requireWritableLog()
        appendStatus("queue_ordered", ["order": JSON(turnIds)], source: .user, by: client)
        startNextTurn()
        announceChange()
    }

    /// What waits goes on only when somebody says so.
    func hold(_ reason: String) {
        guard !state.isHeld else { return }
        appendStatus("queue_held", ["reason": JSON(reason)])
        announceChange()
    }

    /// Lets a held queue go on.
    func releaseQueue(by client: ClientIdentity?) {
        guard state.isHeld else { return }
        // Whoever says so now, knowing that the budget is used up, means it: for one turn.
        passesBudgetOnce = isHeldByBudget && !state.queue.isEmpty
        appendStatus("queue_released", by: client)
        startNextTurn()
        announceChange()
    }

    /// No turn begins any more until `resume`; the one that runs goes on. Messages are accepted and wait.
    package func pause(by client: ClientIdentity) throws(Failure) {
        guard !state.isPaused else { return }
        try requireWritableLog()
        appendStatus("paused", by: client)
        announceChange()
    }

    /// Ends a pause, lets a held queue go on, and gives up what was to be tried again later.
    package func resume(by client: ClientIdentity) {
        unpark(by: client)
        if state.isPaused { appendStatus("resumed", by: client) }
        releaseQueue(by: client)
        startNextTurn()
        announceChange()
    }

    /// Closes what a daemon that died left open. Called once, when the log has been read again.
    func closeAfterRestart() {
        let wasRunning = state.runningTurn != nil
        guard wasRunning || !state.pending.isEmpty || !state.openTools.isEmpty || !state.queue.isEmpty else { return }
        if wasRunning { appendStatus("recovered", ["reason": "the daemon stopped while a turn was running"]) }
        // Held before the turn ends: what waited was written for a conversation that was cut, so a person says whether
        // it still holds. Unless nothing was cut: the restart was planned, and waited for the turn.
        let goesOn = service.continuesQueues && !wasRunning
        if !state.queue.isEmpty, !goesOn { hold(Session.wasCutOff) }
        if wasRunning {
            finishTurn(TurnOutcome(status: .interrupted, stopReason: "daemon_restarted"), isSynthetic: true)
        }
        closeOpenThings(toolStatus: .cancelled)
        if goesOn { startNextTurn() }
    }

    /// Why what waited behind a turn that the daemon's end cut off is held.
    static let wasCutOff = "the daemon was restarted"
}
