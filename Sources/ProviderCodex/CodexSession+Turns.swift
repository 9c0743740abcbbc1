import EventLoop
import JSON
package import Providers

// Turns: sent, added to, interrupted; and the end of a thread that others outlive.
extension CodexSession {
    package func send(_ prompt: Prompt, turnId: String) {
        guard phase != .leaving, phase != .ended else { return }
        isInterrupting = false
        heldPrompt = prompt
        if phase == .ready, heldOutcome == nil { sendHeldPrompt() }
    }

    func sendHeldPrompt() {
        guard phase == .ready, let server, let decoder, decoder.turn == .none, let prompt = heldPrompt else { return }
        heldPrompt = nil
        let params = CodexInput.turn(
            decoder.threadId, prompt, overrides, model: decoder.model, effort: decoder.effort,
            collaboration: collaboration)
        guard fits(prompt, server) else {
            emit(
                .error(
                    .invalidRequest(
                        provider: launch.name, message: "the message is too large, or Codex doesn't read its input")))
            turnCompleted(TurnOutcome(status: .failed, stopReason: "input_too_large"))
            return flush()
        }
        collaboration = overrides.mode?.collaboration ?? collaboration
        overrides = CodexInput.Overrides()
        self.decoder?.beginTurn()
        turnNumber += 1
        let number = turnNumber
        server.ask("turn/start", params) { [weak self] in self?.turnAnswered($0, number) }
    }

    private func fits(_ prompt: Prompt, _ server: CodexServer) -> Bool {
        var bytes = prompt.contextAndText.utf8.count
        for attachment in prompt.attachments {
            switch attachment.content {
            case .data(let text), .text(let text), .link(let text): bytes += text.utf8.count
            }
        }
        return bytes <= server.limits.inputBytes - server.queuedInputBytes
    }

    private func turnAnswered(_ answer: Result<JSON, CodexError>, _ number: Int) {
        guard number == turnNumber, phase != .ended, let decoder, case .sent = decoder.turn else { return }
        switch answer {
        case .success(let result):
            if let id = result["turn"]?["id"]?.stringValue { self.decoder?.turnAccepted(id: id) }
        case .failure(let error):
            self.decoder?.endTurn()
            let words: JSON = [
                "message": JSON(error.message), "codexErrorInfo": error.data?["codexErrorInfo"] ?? "badRequest",
            ]
            emit(.error(CodexFailures.failure(words, quotaReset: nil)))
            turnCompleted(TurnOutcome(status: .failed, stopReason: "refused"))
            turnEnded()
        }
    }

    func turnEnded() {
        interruptTimer?.cancel()
        interruptTimer = nil
        hasAskedInterrupt = false
        isInterrupting = false
        if phase == .leaving { return unsubscribe() }
        sendHeldPrompt()
    }

    /// A command outlives the interrupt of its turn.
    func endCommands() {
        guard let server, let decoder else { return }
        server.ask("thread/backgroundTerminals/clean", CodexInput.thread(decoder.threadId)) { _ in }
    }

    package func steer(_ prompt: Prompt) -> Bool {
        guard phase == .ready, let server, let decoder, let turn = decoder.turn.id, !isInterrupting,
            fits(prompt, server)
        else { return false }
        self.decoder?.steered()
        openAdditions += 1
        server.ask("turn/steer", CodexInput.steer(decoder.threadId, turn: turn, prompt)) { [weak self] answer in
            guard let self else { return }
            openAdditions -= 1
            if case .failure = answer {
                // The turn ended before Codex read it, or is one that nothing can be added to.
                self.decoder?.steerRefused()
                lateAdditions.append(prompt)
            }
            settleAdditions()
        }
        return true
    }

    /// A turn, or a part of one, has ended: that is told as soon as everything added to it is settled.
    func turnCompleted(_ outcome: TurnOutcome) {
        var outcome = outcome
        if let held = heldOutcome {
            outcome.usage = outcome.usage.map { $0.added(to: held.usage) } ?? held.usage
            outcome.durationMs = (held.durationMs ?? 0) &+ (outcome.durationMs ?? 0)
        }
        heldOutcome = outcome
        if openAdditions == 0, lateAdditions.isEmpty || outcome.status != .completed { tellHeldOutcome() }
    }

    private func tellHeldOutcome() {
        guard let outcome = heldOutcome else { return }
        heldOutcome = nil
        for _ in lateAdditions {
            emit(
                .error(
                    .invalidRequest(provider: launch.name, message: "the turn ended before an added message was read")))
        }
        lateAdditions = []
        emit(.turnCompleted(outcome))
    }

    func settleAdditions() {
        guard openAdditions == 0, let outcome = heldOutcome, decoder?.turn == CodexDecoder.Turn.none else { return }
        guard outcome.status == .completed, phase == .ready, !isInterrupting, !lateAdditions.isEmpty else {
            tellHeldOutcome()
            return turnEnded()
        }
        let data: JSONObject = [
            "reason": "steered", "messages": JSON(lateAdditions.count), "status": JSON(outcome.status.rawValue),
        ]
        emit(.status(type: "turn_extended", data: data))
        var prompt = lateAdditions.removeFirst()
        for more in lateAdditions {
            prompt.text += "\n\n" + more.contextAndText
            prompt.attachments += more.attachments
        }
        lateAdditions = []
        heldPrompt = prompt
        sendHeldPrompt()
    }

    package func interrupt() {
        if heldPrompt != nil {
            heldPrompt = nil
            emit(.turnCompleted(TurnOutcome(status: .interrupted, stopReason: "not_sent")))
            return flush()
        }
        // Between two parts of a turn: there is no second one then. What was added may never be answered for.
        if heldOutcome != nil, !isWorking, !isInterrupting {
            isInterrupting = true
            awaitInterrupt()
        }
        // An interrupt of an idle thread isn't answered, and would meet the next turn.
        guard phase == .ready, isWorking, !isInterrupting else { return }
        isInterrupting = true
        awaitInterrupt()
        askInterrupt()
    }

    private func awaitInterrupt() {
        guard let server else { return }
        interruptTimer = loop.schedule(after: server.limits.interruptTime) { [weak self] in self?.interruptTimedOut() }
    }

    /// As soon as the turn is known to run.
    func askInterrupt() {
        guard !hasAskedInterrupt, let server, let decoder, let turn = decoder.turn.id else { return }
        hasAskedInterrupt = true
        server.ask("turn/interrupt", CodexInput.interrupt(decoder.threadId, turn: turn)) { _ in }
    }

    private func interruptTimedOut() {
        guard phase == .ready, isWorking || heldOutcome != nil else { return }
        emit(.status(type: "interrupt_escalated", data: ["reason": "no answer to the interrupt"]))
        flush()
        server?.terminate()
    }

    // MARK: Leaving

    /// Ends what the thread does, and lets go of it; the server goes on for others.
    func closeThread() {
        guard let server, decoder != nil else { return left() }
        leaveTimer = loop.schedule(after: server.limits.interruptTime) { [weak self] in
            // A server that doesn't end its commands has to end itself.
            self?.server?.terminate()
        }
        guard isWorking else { return unsubscribe() }
        isInterrupting = true
        askInterrupt()
    }

    private func unsubscribe() {
        guard let server, let decoder else { return left() }
        let thread = CodexInput.thread(decoder.threadId)
        server.ask("thread/backgroundTerminals/clean", thread) { [weak self] _ in
            self?.server?.ask("thread/unsubscribe", thread) { [weak self] _ in
                guard let self, phase == .leaving else { return }
                left()
            }
        }
    }
}
