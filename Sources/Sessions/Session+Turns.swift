import Base
import EventLog
package import HubProtocol
package import JSON
import Providers

/// What a client is told about a message it sent.
package struct AcceptedMessage: Equatable, Sendable {
    package var turnId: String
    package var seq: Int
    /// It waits behind a running turn or a held queue.
    package var isQueued: Bool
    /// 1 for the first that waits; nil when it doesn't.
    package var position: Int?
    /// The same `clientMessageId` was accepted before: this is the first result.
    package var isDuplicate: Bool

    package var json: JSONObject {
        var object: JSONObject = ["turnId": JSON(turnId), "seq": JSON(seq), "queued": JSON(isQueued)]
        object["position"] = position.map { JSON($0) }
        if isDuplicate { object["duplicate"] = true }
        return object
    }
}

package enum MessageMode: String, Sendable {
    /// Wait behind the running turn (the default).
    case queue
    /// Refuse when a turn runs.
    case reject
}

extension Session {
    /// Accepts a person's message: it is logged, and its turn begins at once or in its turn.
    ///
    /// - Throws: `payload_too_large`, `invalid_request` (empty), `busy` (mode `reject`, or the queue is full),
    ///   `log_unavailable`, `provider_not_installed` and the like; nothing has changed then.
    package func accept(
        _ content: String, clientMessageId: String?, mode: MessageMode, by client: ClientIdentity
    ) throws(Failure) -> AcceptedMessage {
        if let clientMessageId, let first = state.accepted[clientMessageId] {
            let position = state.queue.firstIndex { $0.turnId == first.turnId }
            return AcceptedMessage(
                turnId: first.turnId, seq: first.seq, isQueued: position != nil, position: position.map { $0 + 1 },
                isDuplicate: true)
        }
        guard !content.isEmpty else { throw Failure(code: "invalid_request", message: "The message is empty.") }
        guard content.utf8.count <= settings.maxMessageBytes else {
            throw Failure(
                code: "payload_too_large", message: "A message may have at most \(settings.maxMessageBytes) bytes.")
        }
        let isBusy = state.runningTurn != nil || !state.queue.isEmpty
        if isBusy, mode == .reject {
            throw Failure(code: "busy", message: "A turn is running.", recoverable: true, actions: [.retryLater])
        }
        guard state.queue.count < settings.maxQueue else {
            throw Failure(
                code: "busy", message: "\(settings.maxQueue) messages are waiting already.", recoverable: true,
                actions: [.retryLater])
        }
        try service.requireRunning()
        try requireWritableLog()
        if let problem = service.providers.problem(with: state.providerId) { throw problem }

        // Somebody is here again: what was held since a restart may go on.
        releaseQueue(by: client)
        let turnId = "t\(state.turnCount + 1)"
        var data: JSONObject = ["role": "user", "content": JSON(content), "by": client.json]
        data["clientMessageId"] = clientMessageId.map { JSON($0) }
        let record = append(
            EventDraft(
                .message, source: .user, turnId: turnId, itemId: "\(turnId).user", providerId: state.providerId,
                data: data))
        guard record.seq > 0 else {
            throw Session.logUnavailable(LogError(.inputOutput, "too much waits to be written"))
        }
        startNextTurn()
        announceChange()
        let position = state.queue.firstIndex { $0.turnId == turnId }
        return AcceptedMessage(
            turnId: turnId, seq: record.seq, isQueued: position != nil, position: position.map { $0 + 1 },
            isDuplicate: false)
    }

    /// Begins the turn of the message that has waited longest, if none runs.
    func startNextTurn() {
        guard state.runningTurn == nil, !state.isHeld, !isDeleted, !isProviderStopping,
            let next = state.queue.first, service.mayBegin(self)
        else { return }
        append(EventDraft(.turnStarted, source: .core, turnId: next.turnId, providerId: state.providerId))
        isInterrupting = false
        announceChange()
        log.afterCommit { [weak self] in
            self?.service.whenProvidersMayStart { self?.begin(next) }
        }
    }

    private func begin(_ message: SessionState.QueuedMessage) {
        // Much may have happened since the turn was written down.
        guard state.runningTurn?.turnId == message.turnId, !isDeleted, let provider = runningProvider() else { return }
        handedTurnId = message.turnId
        provider.send(Prompt(message.content), turnId: message.turnId)
        if isInterrupting { provider.interrupt() }
    }

    /// The provider's process, started if there is none. When it can't be made the turn has been closed.
    private func runningProvider() -> (any ProviderSession)? {
        if let provider { return provider }
        let start = ProviderStart(
            sessionId: id, workspace: state.workspace, model: state.model, mode: state.mode,
            resumeNativeSessionId: state.nativeSessionIds[state.providerId], knownCostUsd: state.costUsd)
        do throws(Failure) {
            let made = try service.providers.makeSession(state.providerId, start)
            attach(made)
            // It may have failed already.
            return provider
        } catch {
            closeTurn(error: error)
            return nil
        }
    }

    /// Asks for the running turn to end. Idle: does nothing.
    /// - Returns: whether a turn is being interrupted.
    package func interrupt(by client: ClientIdentity) -> Bool {
        guard state.runningTurn != nil else { return false }
        guard !isInterrupting else { return true }
        isInterrupting = true
        appendStatus("interrupt_requested", by: client)
        whenKeptOrLogFails { [weak self] in
            guard let self, isInterrupting, let provider = listeningProvider else { return }
            provider.interrupt()
        }
        return true
    }

    /// Ends a turn from our side: what is open is closed, the error said, the outcome written.
    func closeTurn(error: Failure?, status: TurnStatus = .failed, stopReason: String? = nil) {
        guard let turn = state.runningTurn else { return }
        if let error {
            append(
                EventDraft(.error, source: .core, turnId: turn.turnId, providerId: state.providerId, data: error.json))
        }
        finishTurn(TurnOutcome(status: status, stopReason: stopReason), isSynthetic: true)
    }

    /// Writes the end of the running turn, after closing whatever it left open.
    func finishTurn(_ outcome: TurnOutcome, isSynthetic: Bool) {
        guard let turn = state.runningTurn else { return }
        closeOpenThings(toolStatus: outcome.status == .interrupted ? .cancelled : .failed)
        var data: JSONObject = ["status": JSON(outcome.status.rawValue)]
        data["stopReason"] = outcome.stopReason.map { JSON($0) }
        if let usage = outcome.usage {
            data["usage"] = .object(usage.json)
            data["costUsd"] = usage.costUsd.map { JSON($0) }
        }
        let elapsed = Int(service.clock().milliseconds - turn.startedAt.milliseconds)
        data["durationMs"] = JSON(outcome.durationMs ?? max(0, elapsed))
        append(
            EventDraft(
                .turnCompleted, source: isSynthetic ? .core : .agent, turnId: turn.turnId, providerId: state.providerId,
                isSynthetic: isSynthetic, data: data))
        isInterrupting = false
        // What failed once, for want of a login or a quota, would fail for all that waits: a person decides.
        if outcome.status == .failed, !state.queue.isEmpty { hold("the turn before failed") }
        service.turnFinished(self, outcome)
        startNextTurn()
        announceChange()
    }

    /// Closes requests, tools and streaming text that a turn's end leaves open.
    func closeOpenThings(toolStatus: ToolStatus) {
        for request in state.pending {
            resolveCancelled(request)
            // A provider that still waits for it (for a task in the background) must not wait for ever.
            if request.isQuestion {
                listeningProvider?.answerQuestion(request.requestId, answers: nil)
            } else {
                listeningProvider?.answerPermission(request.requestId, .cancelled, message: nil)
            }
        }
        for tool in state.openTools {
            append(
                EventDraft(
                    .toolResult, source: .core, turnId: tool.turnId, itemId: tool.itemId, providerId: state.providerId,
                    nativeId: tool.nativeId, isSynthetic: true,
                    data: ["status": JSON(toolStatus.rawValue), "content": ""]))
        }
        // What clients have seen stream is kept, even though the provider never finished it.
        for item in openItems.takeAll() where item.kind != .toolOutput && !item.text.isEmpty {
            let kind: EventKind = item.kind == .thinking ? .thinking : .message
            var data: JSONObject = ["content": JSON(item.text), "partial": true]
            if kind == .message { data["role"] = "assistant" }
            append(
                EventDraft(
                    kind, source: .agent, turnId: item.turnId, itemId: item.itemId, providerId: state.providerId,
                    isSynthetic: true, data: data))
        }
    }

    // MARK: The queue

    /// Takes back a message that still waits.
    package func withdraw(_ turnId: String, by client: ClientIdentity) throws(Failure) {
        guard state.queue.contains(where: { $0.turnId == turnId }) else {
            throw Failure(code: "turn_not_queued", message: "No message with turn \(turnId) is waiting.")
        }
        try requireWritableLog()
        appendStatus("withdrawn", ["turnId": JSON(turnId)], by: client)
        announceChange()
    }

    /// What waits goes on only when somebody says so.
    func hold(_ reason: String) {
        guard !state.isHeld else { return }
        appendStatus("queue_held", ["reason": JSON(reason)])
        announceChange()
    }

    /// Lets a held queue go on.
    package func releaseQueue(by client: ClientIdentity?) {
        guard state.isHeld else { return }
        appendStatus("queue_released", by: client)
        startNextTurn()
        announceChange()
    }

    /// Closes what a daemon that died left open. Called once, when the log has been read again.
    func closeAfterRestart() {
        let wasRunning = state.runningTurn != nil
        guard wasRunning || !state.pending.isEmpty || !state.openTools.isEmpty || !state.queue.isEmpty else { return }
        if wasRunning { appendStatus("recovered", ["reason": "the daemon stopped while a turn was running"]) }
        // Held before the turn ends: what waited was written for a conversation that was cut, so a person says whether
        // it still holds.
        if !state.queue.isEmpty { hold("the daemon was restarted") }
        if wasRunning {
            finishTurn(TurnOutcome(status: .interrupted, stopReason: "daemon_restarted"), isSynthetic: true)
        } else {
            closeOpenThings(toolStatus: .cancelled)
        }
    }
}
