import ACPMessages
import HubProtocol
import JSON
import Providers

/// Turns, and what interrupts them.
extension ACPSession {
    /// Sends the next prompt when it can be sent.
    func pump() {
        guard phase == .ready, !isStopping, let nativeSessionId, !queue.isEmpty else { return }
        // A setting that was asked for first is to hold for the prompt.
        let isSetting = outstanding.values.contains { purpose in
            switch purpose {
            case .mode, .model, .effort: true
            default: false
            }
        }
        guard !isSetting else { return }
        switch turn {
        case .sent: return
        case .unsent: endOvertakenTurn()
        case nil: break
        }
        let (prompt, turnId) = queue.removeFirst()
        let capabilities = promptCapabilities
        decodeInPlace { decoder, _ in
            decoder.beginTurn(
                turnId, prompt: prompt.text(capabilities), hasAttachments: !prompt.attachments.isEmpty)
        }
        let id = request(
            "session/prompt",
            ["sessionId": JSON(nativeSessionId), "prompt": .array(prompt.contentBlocks(capabilities))], .prompt)
        turn = .sent(request: id, isCancelling: false)
    }

    func promptAnswered(_ result: JSON) {
        let reason = result["stopReason"]?.stringValue ?? "end_turn"
        switch reason {
        case "cancelled": endSentTurn(.interrupted, stopReason: reason, result)
        case "refusal":
            emit(
                .error(
                    .providerError(
                        provider: configuration.name, message: "the agent refuses to go on with this prompt")))
            endSentTurn(.failed, stopReason: reason, result)
        // `max_tokens` and `max_turn_requests` too: the turn has ended in order, and its reason says why so early.
        default: endSentTurn(.completed, stopReason: reason, result)
        }
    }

    func promptFailed(_ error: ACPError) {
        // Some agents answer a cancelled prompt with the error that the cancellation caused in them.
        if case .sent(_, isCancelling: true)? = turn { return endSentTurn(.interrupted, stopReason: "cancelled", nil) }
        let failure = failure(of: error, provider: configuration.name)
        let isLoginRefused = failure.code == "authentication_failed"
        emit(.error(isLoginRefused ? withMethods(failure) : failure))
        endSentTurn(.failed, stopReason: "error", nil)
        if isLoginRefused { rest() }
    }

    private func endSentTurn(_ status: TurnStatus, stopReason: String, _ result: JSON?) {
        disarm(.cancel)
        withdrawAll()
        turn = nil
        mayReplay = false
        // A prompt that failed may have left nothing behind that could be taken up.
        if status != .failed { hasHistory = true }
        terminals?.endTurn(isInterrupted: status == .interrupted)
        decodeInPlace { $0.endTurn(status, stopReason: stopReason, result: result, into: &$1) }
        pump()
    }

    func interruptTurn() {
        switch turn {
        case .sent(let request, isCancelling: false):
            guard let nativeSessionId else { return }
            turn = .sent(request: request, isCancelling: true)
            transport.write(ACPMessage.notification("session/cancel", ["sessionId": JSON(nativeSessionId)]))
            // The protocol: a client that cancels answers all pending requests as cancelled.
            withdrawAll()
            arm(.cancel, configuration.cancelTimeout) { session in
                session.isEnding = true
                session.transport.terminate()
            }
        case .sent: break
        case .unsent:
            guard let nativeSessionId else { return }
            transport.write(ACPMessage.notification("session/cancel", ["sessionId": JSON(nativeSessionId)]))
            endUnsentTurn(.interrupted, stopReason: "cancelled")
        case nil:
            // Not even sent yet: nothing of it has happened.
            for (_, turnId) in queue {
                decodeInPlace { decoder, events in
                    decoder.beginTurn(turnId, prompt: "")
                    decoder.endTurn(.interrupted, stopReason: "cancelled", into: &events)
                }
            }
            queue.removeAll()
        }
    }

    // MARK: Turns that nobody sent

    func beginUnsentTurn() {
        turn = .unsent
        decodeInPlace { decoder, _ in decoder.beginUnsentTurn() }
        emit(.turnStarted(reason: "background"))
    }

    /// Something more has come of it: wait on.
    func stillTalking() {
        arm(.quiet, configuration.quietPeriod) { session in
            guard session.turn == .unsent else { return }
            // Quiet, but not done: a tool runs, or a person is asked.
            if !session.waiting.isEmpty || session.decoder.hasOpenTools { return session.stillTalking() }
            session.endUnsentTurn(.completed, stopReason: nil)
        }
    }

    /// A prompt comes while the agent is saying something of its own: the turn that runs now is the prompt's, so that
    /// this one's end is told as a status.
    private func endOvertakenTurn() {
        disarm(.quiet)
        withdrawAll()
        turn = nil
        var made: [NormalizedEvent] = []
        decoder.endTurn(.completed, stopReason: nil, into: &made)
        for event in made {
            if case .turnCompleted(let outcome) = event {
                var data: JSONObject = ["status": JSON(outcome.status.rawValue)]
                data["usage"] = outcome.usage.map { .object($0.json) }
                emit(.status(type: "background_turn_completed", data: data))
            } else {
                emit(event)
            }
        }
    }

    private func endUnsentTurn(_ status: TurnStatus, stopReason: String?) {
        disarm(.quiet)
        withdrawAll()
        terminals?.endTurn(isInterrupted: status == .interrupted)
        turn = nil
        decodeInPlace { $0.endTurn(status, stopReason: stopReason, into: &$1) }
    }

    // MARK: Requests of the agent

    private func withdrawAll() {
        for (requestId, request) in waiting {
            answerCancelled(request)
            emit(.requestWithdrawn(requestId: requestId))
        }
        waiting.removeAll()
    }

    func answerCancelled(_ request: Waiting) {
        switch request {
        case .permission(let id, _, _): transport.write(ACPMessage.answer(id, ACPSession.cancelledOutcome))
        case .question(let id, _): transport.write(ACPMessage.answer(id, ["action": "cancel"]))
        }
    }
}
