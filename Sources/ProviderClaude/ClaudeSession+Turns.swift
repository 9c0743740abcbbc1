import Base
import EventLoop
import HubProtocol
import JSON
import Processes
package import Providers

// Messages on their way to Claude, and interrupts.
extension ClaudeSession {
    package func send(_ prompt: Prompt, turnId: String) {
        switch phase {
        case .idle, .starting, .ready: break
        case .stopping, .ended: return
        }
        message = (prompt, randomUUID(), false)
        if phase == .ready { sendHeldMessage() }
    }

    func sendHeldMessage() {
        guard let message, !message.isWritten, let child else { return }
        let prompt = knowsNothing ? firstPrompt(message.prompt) : message.prompt
        let line = ClaudeInput.line(ClaudeInput.user(prompt, uuid: message.uuid))
        guard hasRoom(for: line) else {
            self.message = nil
            return emit([
                .error(
                    .invalidRequest(
                        provider: launch.name,
                        message: "the message of \(line.count) bytes is too large, or Claude doesn't read its input")),
                .turnCompleted(TurnOutcome(status: .failed, stopReason: "input_too_large")),
            ])
        }
        self.message?.isWritten = true
        decoder.beginTurn(uuid: message.uuid)
        child.write(line)
    }

    /// What the conversation begins with that stands in for one that couldn't be resumed: all that was said there.
    private func firstPrompt(_ prompt: Prompt) -> Prompt {
        knowsNothing = false
        var prompt = prompt
        prompt.context = delegate?.contextForNewConversation(of: self) ?? prompt.context
        return prompt
    }

    /// Claude puts it before the model at the next tool boundary, or answers it after what it says now; either way
    /// within the turn.
    package func steer(_ prompt: Prompt) -> Bool {
        guard phase == .ready, interruptTimer == nil, decoder.takesAdditions else { return false }
        let uuid = randomUUID()
        let line = ClaudeInput.line(ClaudeInput.user(prompt, uuid: uuid))
        guard hasRoom(for: line) else { return false }
        decoder.addToTurn(uuid: uuid, text: prompt.text)
        child?.write(line)
        return true
    }

    private func hasRoom(for line: [UInt8]) -> Bool {
        line.count <= limits.inputBytes - (child?.queuedInputBytes ?? 0)
    }

    package func interrupt() {
        if let message, !message.isWritten {
            self.message = nil
            return emit([.turnCompleted(TurnOutcome(status: .interrupted, stopReason: "not_sent"))])
        }
        guard phase == .ready || message != nil, decoder.turn != .none, interruptTimer == nil else { return }
        decoder.isInterrupting = true
        askForInterrupt()
        interruptTimer = loop.schedule(after: limits.interruptTime) { [weak self] in self?.interruptTimedOut() }
    }

    /// Claude takes back by itself what it has asked for and not got an answer to. What lies in its queue would start
    /// by itself as soon as the turn has ended, so it goes along; notices of background tasks stay when nothing of ours
    /// is there.
    private func askForInterrupt() {
        ask(.interrupt, "interrupt", decoder.hasQueuedMessages ? ["cancel_queued": true] : [:])
    }

    func interruptAnswered(_ response: JSON) {
        for uuid in (response["cancelled"]?.arrayValue ?? []).compactMap(\.stringValue) {
            noteMessage(uuid, "cancelled")
        }
        // An older version leaves the queue alone: then each is taken back by name.
        for uuid in (response["still_queued"]?.arrayValue ?? []).compactMap(\.stringValue) {
            ask(.withdrawal(uuid: uuid), "cancel_async_message", ["message_uuid": JSON(uuid)])
        }
    }

    func withdrawalAnswered(_ uuid: String, _ response: JSON) {
        if response["cancelled"]?.boolValue == true { return noteMessage(uuid, "cancelled") }
        // It began meanwhile: then it can be interrupted like any other.
        if interruptTimer != nil, decoder.turn != .none { askForInterrupt() }
    }

    private func noteMessage(_ uuid: String, _ state: String) {
        decoder.noteMessage(uuid, state)
        take(decoder.takeOutput())
    }

    private func interruptTimedOut() {
        guard decoder.turn != .none, phase != .ended else { return }
        emit([.status(type: "interrupt_escalated", data: ["reason": "no answer to the interrupt"])])
        isEnding = true
        child?.terminate(limits.teardown)
    }

    func turnEnded() {
        message = nil
        interruptTimer?.cancel()
        interruptTimer = nil
    }
}
