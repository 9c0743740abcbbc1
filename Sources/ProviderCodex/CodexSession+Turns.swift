import EventLoop
import JSON
package import Providers

// Turns: sent, added to, interrupted; and the end of a thread that others outlive.
extension CodexSession {
    package func send(_ prompt: Prompt, turnId: String) {
        guard phase != .leaving, phase != .ended else { return }
        isInterrupting = false
        heldPrompt = prompt
        if phase == .ready { sendHeldPrompt() }
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
            emit(.turnCompleted(TurnOutcome(status: .failed, stopReason: "input_too_large")))
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
            emit(.turnCompleted(TurnOutcome(status: .failed, stopReason: "refused")))
            turnEnded(mayLinger: false)
        }
    }

    func turnEnded(mayLinger: Bool) {
        interruptTimer?.cancel()
        interruptTimer = nil
        hasAskedInterrupt = false
        isInterrupting = false
        if phase == .leaving { return unsubscribe() }
        // A command outlives the interrupt of its turn.
        if mayLinger, let server, let decoder {
            server.ask("thread/backgroundTerminals/clean", CodexInput.thread(decoder.threadId)) { _ in }
        }
        sendHeldPrompt()
    }

    package func steer(_ prompt: Prompt) -> Bool {
        guard phase == .ready, let server, let decoder, let turn = decoder.turn.id, !isInterrupting,
            fits(prompt, server)
        else { return false }
        self.decoder?.steered()
        server.ask("turn/steer", CodexInput.steer(decoder.threadId, turn: turn, prompt)) { [weak self] answer in
            guard let self, case .failure(let error) = answer else { return }
            self.decoder?.steerRefused()
            // The turn ended before Codex read it, or is one that takes nothing: said, since it was accepted here.
            let words: JSON = ["message": JSON("the added message was not taken: \(error.message)")]
            emit(.error(CodexFailures.failure(words, quotaReset: nil)))
        }
        return true
    }

    package func interrupt() {
        if heldPrompt != nil {
            heldPrompt = nil
            emit(.turnCompleted(TurnOutcome(status: .interrupted, stopReason: "not_sent")))
            return flush()
        }
        // An interrupt of an idle thread isn't answered, and would meet the next turn.
        guard phase == .ready, let server, isWorking, !isInterrupting else { return }
        isInterrupting = true
        interruptTimer = loop.schedule(after: server.limits.interruptTime) { [weak self] in self?.interruptTimedOut() }
        askInterrupt()
    }

    /// As soon as the turn is known to run.
    func askInterrupt() {
        guard !hasAskedInterrupt, let server, let decoder, let turn = decoder.turn.id else { return }
        hasAskedInterrupt = true
        server.ask("turn/interrupt", CodexInput.interrupt(decoder.threadId, turn: turn)) { _ in }
    }

    private func interruptTimedOut() {
        guard phase == .ready, isWorking else { return }
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
