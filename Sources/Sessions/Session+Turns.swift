import Base
import EventLog
package import HubProtocol
package import JSON
import Providers
import Redaction

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

package enum MessageMode: String, Sendable, CaseIterable {
    /// Wait behind the running turn (the default).
    case queue
    /// Add to the running turn where its provider can, else wait behind it.
    case steer
    /// Refuse when a turn runs.
    case reject
}

/// A person's message as a client sent it.
package struct IncomingMessage: Sendable {
    package var content: String
    /// `{name?, mediaType, data | text | uri}` each, checked.
    package var attachments: [JSON]
    /// Makes sending again harmless.
    package var clientMessageId: String?
    package var mode: MessageMode
    /// The provider it is for, where the client says so; else the text may begin with a name.
    package var providerId: String?

    package init(
        _ content: String, attachments: [JSON] = [], clientMessageId: String? = nil, mode: MessageMode = .queue,
        providerId: String? = nil
    ) {
        self.content = content
        self.attachments = attachments
        self.clientMessageId = clientMessageId
        self.mode = mode
        self.providerId = providerId
    }
}

extension Session {
    /// Accepts a person's message: it is logged, and its turn begins at once or in its turn, or it joins the one that
    /// runs.
    ///
    /// - Throws: `payload_too_large`, `invalid_request` (empty), `busy` (mode `reject`, or the queue is full),
    ///   `budget_exceeded` (mode `reject`), `log_unavailable`, `provider_not_installed` and the like; nothing has changed then.
    package func accept(_ message: IncomingMessage, by client: ClientIdentity) throws(Failure) -> AcceptedMessage {
        try checkForm(message)
        if let clientMessageId = message.clientMessageId, let first = state.accepted[clientMessageId] {
            // Held in memory, it may yet be lost.
            if first.seq > log.committedSeq { try requireWritableLog() }
            let position = state.queue.firstIndex { $0.turnId == first.turnId }
            return AcceptedMessage(
                turnId: first.turnId, seq: first.seq, isQueued: position != nil, position: position.map { $0 + 1 },
                isDuplicate: true)
        }
        if let providerId = message.providerId, !state.providerIds.contains(providerId) {
            throw Failure(
                code: "invalid_request",
                message:
                    "\(providerId) does not take part in this session: \(state.providerIds.joined(separator: ", ")).",
                details: ["field": "providerId"])
        }
        let isBusy = state.runningTurn != nil || !state.queue.isEmpty
        if isBusy, message.mode == .reject {
            throw Failure(code: "busy", message: "A turn is running.", recoverable: true, actions: [.retryLater])
        }
        guard state.queue.count < settings.maxQueue else {
            throw Failure(
                code: "busy", message: "\(settings.maxQueue) messages are waiting already.", recoverable: true,
                actions: [.retryLater])
        }
        try service.requireRunning()
        try requireWritableLog()
        if message.mode == .reject, let use = service.exhaustedBudget(of: self) {
            throw use.failure(now: service.clock())
        }
        let addressed =
            message.providerId ?? MessageAddress.provider(of: message.content, among: state.providerIds)
        let target = addressed ?? state.providerId
        if let problem = service.providers.problem(with: target),
            // What runs goes on, whatever has become of the program and its manifest since.
            seats[target]?.listening == nil || problem.code == "provider_disabled",
            addressed != nil || fallback(after: [state.providerId], code: nil) == nil
        {
            throw problem
        }
        try requireFitting(message, target)

        if message.mode == .steer, let turn = steerableTurn(for: addressed) {
            return try steer(message, into: turn, by: client)
        }
        // Somebody is here again: what was held since a restart may go on.
        if !isHeldByBudget { releaseQueue(by: client) }
        let turnId = state.nextTurnId
        var data = eventData(of: message, by: client)
        data["to"] = addressed.map { JSON($0) }
        let record = append(
            EventDraft(
                .message, source: .user, turnId: turnId, itemId: "\(turnId).user",
                providerId: addressed ?? state.providerId, data: data))
        try requireKept(record)
        startNextTurn()
        announceChange()
        let position = state.queue.firstIndex { $0.turnId == turnId }
        return AcceptedMessage(
            turnId: turnId, seq: record.seq, isQueued: position != nil, position: position.map { $0 + 1 },
            isDuplicate: false)
    }

    /// What can be wrong with it in whichever session.
    private func checkForm(_ message: IncomingMessage) throws(Failure) {
        guard !message.content.isEmpty || !message.attachments.isEmpty else {
            throw Failure(code: "invalid_request", message: "The message is empty.")
        }
        guard message.content.utf8.count <= settings.maxMessageBytes else {
            throw Failure(
                code: "payload_too_large", message: "A message may have at most \(settings.maxMessageBytes) bytes.")
        }
        try MessageAttachments.check(message.attachments, maxBytes: settings.maxAttachmentBytes)
        if message.providerId?.isEmpty == true {
            throw Failure(code: "invalid_request", message: "providerId is empty.", details: ["field": "providerId"])
        }
    }

    private func requireFitting(_ message: IncomingMessage, _ providerId: String) throws(Failure) {
        guard let limit = service.providers.limits(of: providerId).maxPromptBytes, message.content.utf8.count > limit
        else { return }
        throw Failure(
            code: "payload_too_large",
            message: "A message to \(service.providers.name(of: providerId)) may have at most \(limit) bytes.")
    }

    private func eventData(of message: IncomingMessage, by client: ClientIdentity) -> JSONObject {
        var data: JSONObject = ["role": "user", "content": JSON(message.content), "by": client.json]
        data["clientMessageId"] = message.clientMessageId.map { JSON($0) }
        if !message.attachments.isEmpty { data["attachments"] = .array(message.attachments) }
        return data
    }

    private func requireKept(_ record: EventRecord) throws(Failure) {
        guard record.seq > 0 else {
            throw Session.logUnavailable(LogError(.inputOutput, "too much waits to be written"))
        }
    }

    // MARK: Adding to a turn

    /// The running turn, if its provider can be told more and is the one that is addressed.
    private func steerableTurn(for addressed: String?) -> SessionState.RunningTurn? {
        guard let turn = state.runningTurn, !isInterrupting, (addressed ?? turn.providerId) == turn.providerId,
            let seat = runningSeat, seat.handedTurnId == turn.turnId, seat.listening?.capabilities.steer == true
        else { return nil }
        return turn
    }

    private func steer(
        _ message: IncomingMessage, into turn: SessionState.RunningTurn, by client: ClientIdentity
    ) throws(Failure) -> AcceptedMessage {
        var data = eventData(of: message, by: client)
        data["steer"] = true
        let record = append(
            EventDraft(.message, source: .user, turnId: turn.turnId, providerId: turn.providerId, data: data))
        try requireKept(record)
        log.afterCommit { [weak self] in
            guard let self, !isDeleted else { return }
            let prompt = Prompt(
                MessageAddress.provider(of: message.content, among: state.providerIds) == nil
                    ? message.content : MessageAddress.textWithoutName(message.content),
                attachments: message.attachments.compactMap(MessageAttachments.attachment))
            if state.runningTurn?.turnId == turn.turnId, runningSeat?.listening?.steer(prompt) == true { return }
            // The turn ended meanwhile, or its provider can't take it just now: a turn of its own, then.
            queueSteered(message, seq: record.seq, providerId: turn.providerId)
        }
        return AcceptedMessage(
            turnId: turn.turnId, seq: record.seq, isQueued: false, position: nil, isDuplicate: false)
    }

    private func queueSteered(_ message: IncomingMessage, seq: Int, providerId: String) {
        var data: JSONObject = [
            "turnId": JSON(state.nextTurnId), "messageSeq": JSON(seq), "content": JSON(message.content),
        ]
        data["clientMessageId"] = message.clientMessageId.map { JSON($0) }
        if !message.attachments.isEmpty { data["attachments"] = true }
        appendStatus("steer_queued", data, of: providerId)
        startNextTurn()
        announceChange()
    }

    // MARK: Beginning

    /// Begins the turn of the message that has waited longest, if none runs.
    func startNextTurn() {
        guard state.runningTurn == nil, !state.isHeld, !state.isPaused, !isDeleted, let next = state.queue.first
        else { return }
        let seat = seat(next.providerId ?? state.providerId)
        guard !seat.isStopping, !waitsForRest(next, seat), service.mayBegin(self, with: seat.providerId),
            budgetAllows(turnId: next.turnId)
        else { return }
        append(turnStarted(next, seat))
        isInterrupting = false
        announceChange()
        log.afterCommit { [weak self] in
            self?.service.whenProvidersMayStart { self?.begin(next, seat) }
        }
    }

    func turnStarted(_ message: SessionState.QueuedMessage, _ seat: ProviderSeat) -> EventDraft {
        EventDraft(
            .turnStarted, source: .core, turnId: message.turnId, providerId: seat.providerId,
            data: message.retryOf.map { ["retryOf": JSON($0)] } ?? [:])
    }

    private func begin(_ message: SessionState.QueuedMessage, _ seat: ProviderSeat) {
        // Much may have happened since the turn was written down.
        guard state.runningTurn?.turnId == message.turnId, !isDeleted else { return }
        let isNew = seat.provider == nil
        var prompt: Prompt
        do throws(Failure) {
            prompt = try self.prompt(for: message)
            if isNew {
                try start(seat)
            } else if let refusal = service.providers.problem(with: seat.providerId),
                refusal.code == "provider_disabled"
            {
                // Disabled while the message waited: a turn that ran then goes on to its end, this one is a new one.
                throw refusal
            }
        } catch {
            service.health.trialEnded(seat.providerId, in: id)
            if error.isOfProcess { noteFailure(of: seat) }
            return closeTurn(error: error)
        }
        // It may have failed already.
        guard let provider = seat.provider, state.runningTurn?.turnId == message.turnId else { return }
        prompt.context = carryContext(to: seat.providerId)
        seat.handedTurnId = message.turnId
        provider.send(prompt, turnId: message.turnId)
        if isInterrupting { provider.interrupt() }
    }

    /// What the provider is told: the message, its attachments read from the log, and its text too when it is tried
    /// again.
    private func prompt(for message: SessionState.QueuedMessage) throws(Failure) -> Prompt {
        var prompt = Prompt(message.content)
        if message.hasAttachments || message.retryOf != nil {
            let record: EventRecord?
            do throws(LogError) {
                record = try log.record(message.seq)
            } catch {
                throw Session.logUnavailable(error)
            }
            guard let record, let content = record.data["content"]?.stringValue else {
                throw Session.logUnavailable(LogError(.inputOutput, "the message's event \(message.seq) is damaged"))
            }
            prompt.text = content
            prompt.attachments = (record.data["attachments"]?.arrayValue ?? [])
                .compactMap(MessageAttachments.attachment)
        }
        // The name by which a provider was addressed is not part of what it is told.
        if let addressed = message.providerId,
            MessageAddress.provider(of: prompt.text, among: state.providerIds) == addressed
        {
            prompt.text = MessageAddress.textWithoutName(prompt.text)
        }
        return prompt
    }

    // MARK: Ending

    /// Asks for the running turn to end. Idle: does nothing.
    /// - Returns: whether a turn is being interrupted.
    package func interrupt(by client: ClientIdentity) -> Bool {
        guard state.runningTurn != nil else { return interruptResting(by: client) }
        guard !isInterrupting else { return true }
        isInterrupting = true
        appendStatus("interrupt_requested", by: client)
        whenKeptOrLogFails { [weak self] in
            guard let self, isInterrupting, let provider = runningSeat?.listening else { return }
            provider.interrupt()
        }
        return true
    }

    /// Ends a turn from our side: what is open is closed, the error said, the outcome written.
    func closeTurn(error: Failure?, status: TurnStatus = .failed, stopReason: String? = nil) {
        guard let turn = state.runningTurn else { return }
        if let error {
            append(
                EventDraft(
                    .error, source: .core, turnId: turn.turnId, providerId: turn.providerId,
                    data: service.redactor.cleanError(error.json)))
        }
        finishTurn(TurnOutcome(status: status, stopReason: stopReason), isSynthetic: true)
    }

    /// Writes the end of the running turn, after closing whatever it left open.
    func finishTurn(_ outcome: TurnOutcome, isSynthetic: Bool) {
        guard let turn = state.runningTurn else { return }
        closeOpenThings(of: turn.providerId, toolStatus: outcome.status == .interrupted ? .cancelled : .failed)
        let spent = outcome.usage.map { priced($0, of: turn.providerId) }
        let elapsed = Int(service.clock().milliseconds - turn.startedAt.milliseconds)
        let data = outcome.json(spent: spent, durationMs: max(0, elapsed))
        append(
            EventDraft(
                .turnCompleted, source: isSynthetic ? .core : .agent, turnId: turn.turnId, providerId: turn.providerId,
                isSynthetic: isSynthetic, data: data))
        let mayRecover = !isInterrupting
        isInterrupting = false
        dismissLeaving()
        // What failed once, for want of a login or a quota, would fail for all that waits: a person decides, unless
        // the configuration has.
        if outcome.status == .failed, !(mayRecover && recover(from: turn.turnId)), !state.queue.isEmpty {
            hold("the turn before failed")
        }
        service.turnFinished(self, outcome)
        startNextTurn()
        announceChange()
    }

    /// Closes requests, tools and streaming text that a turn's end leaves open.
    /// - Parameter providerId: whose; nil: everybody's.
    func closeOpenThings(of providerId: String? = nil, toolStatus: ToolStatus) {
        func isMeant(_ owner: String?) -> Bool { providerId == nil || owner == nil || owner == providerId }
        for request in state.pending where isMeant(request.providerId) {
            resolveCancelled(request)
            // A provider that still waits for it (for a task in the background) must not wait for ever.
            if request.isQuestion {
                provider(of: request)?.answerQuestion(request.requestId, answers: nil)
            } else {
                provider(of: request)?.answerPermission(request.requestId, .cancelled, message: nil)
            }
        }
        for tool in state.openTools where isMeant(tool.providerId) {
            append(tool.closing(toolStatus))
        }
        // What clients have seen stream is kept, even though the provider never finished it.
        for item in openItems.takeAll(where: isMeant) where item.kind != .toolOutput && !item.text.isEmpty {
            let kind: EventKind = item.kind == .thinking ? .thinking : .message
            var data: JSONObject = ["content": JSON(item.text), "partial": true]
            if kind == .message { data["role"] = "assistant" }
            append(
                EventDraft(
                    kind, source: .agent, turnId: item.turnId, itemId: item.itemId, providerId: item.providerId,
                    isSynthetic: true, data: data))
        }
    }
}
