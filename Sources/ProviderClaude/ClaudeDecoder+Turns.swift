import JSON
import Providers

// Which turn runs, what was added to it while it ran, and when it has ended.
//
// Claude Code keeps a queue of its own. A message that comes while it works is put before the model at the next tool
// boundary of the running turn, and the `result` then names both messages; when no boundary comes, the message is
// answered after the turn, with a `result` of its own. To the person it was one turn all the same, so ours goes on until
// every message added to it is answered.
extension ClaudeDecoder {
    /// A message that was added to the running turn.
    struct Addition: Equatable, Sendable {
        var uuid: String
        /// The beginning of it, for people.
        var text: String
        /// The model has it before it: the next result is also of this one.
        var isRead = false
    }

    /// A user message with this `uuid` goes out now.
    package mutating func beginTurn(uuid: String) {
        isOtherTurnRunning = turn == .unsolicited
        turn = .sent(uuid: uuid)
        hasStarted = false
        isInterrupting = false
        additions = []
        heldOutcome = nil
    }

    /// Whether a message can be added to the turn that runs. Not before Claude has come to the turn's own message: it
    /// would be answered with the turn that runs before ours.
    package var takesAdditions: Bool {
        guard reportsMessageStates, !isInterrupting, additions.count < ClaudeDecoder.additionLimit else { return false }
        switch turn {
        case .none: return false
        case .sent: return hasStarted && withdrawal == nil
        case .unsolicited: return true
        }
    }

    /// A user message with this `uuid` goes out now, to be added to the turn that runs.
    package mutating func addToTurn(uuid: String, text: String) {
        additions.append(Addition(uuid: uuid, text: ClaudeTools.oneLine(text, limit: 200)))
    }

    /// Whether something that we sent may still lie in Claude's queue.
    package var hasQueuedMessages: Bool {
        if case .sent = turn, !hasStarted { return true }
        return additions.contains { !$0.isRead }
    }

    /// Whether Claude has this message of ours, read or not.
    package func isPending(_ uuid: String) -> Bool {
        turn == .sent(uuid: uuid) || additions.contains { $0.uuid == uuid }
    }

    /// What became of a message that we sent. Told more than once, it is the same as once.
    package mutating func noteMessage(_ uuid: String, _ state: String) {
        switch state {
        case "queued": reportsMessageStates = true
        case "started":
            reportsMessageStates = true
            if turn == .sent(uuid: uuid) {
                hasStarted = true
                isOtherTurnRunning = false
            }
            markRead(uuid)
        case "completed": markRead(uuid)
        case "cancelled", "discarded", "refused":
            if turn == .sent(uuid: uuid) {
                // One that had begun is closed by its result.
                if !hasStarted { withdraw(state) }
            } else if let index = additions.firstIndex(where: { $0.uuid == uuid }) {
                dropAddition(at: index, state)
                if additions.isEmpty, let outcome = heldOutcome { finishTurn(outcome) }
            }
        default: break
        }
    }

    private mutating func markRead(_ uuid: String) {
        if let index = additions.firstIndex(where: { $0.uuid == uuid }) { additions[index].isRead = true }
    }

    private mutating func dropAddition(at index: Int, _ state: String) {
        let addition = additions.remove(at: index)
        // What the model has read isn't lost.
        guard !addition.isRead else { return }
        emit(.status(type: "steer_withdrawn", data: ["content": JSON(addition.text), "reason": JSON(state)]))
    }

    /// Our message was taken out of the queue before Claude came to it; no result follows.
    private mutating func withdraw(_ state: String) {
        guard withdrawal == nil else { return }
        let outcome = TurnOutcome(
            status: isInterrupting || state == "cancelled" ? .interrupted : .failed,
            stopReason: state == "cancelled" ? "withdrawn" : state)
        if isOtherTurnRunning {
            // That one is being interrupted, too, and its end still comes: it is no turn of its own to anybody.
            withdrawal = outcome
        } else {
            finishTurn(outcome)
        }
    }

    /// Closes the turn that runs, or has it go on with what was added to it and is not yet answered.
    /// - Parameter answered: the messages that Claude's result is of.
    mutating func endTurn(_ outcome: TurnOutcome, answered: Set<String>) {
        var outcome = outcome
        if let held = heldOutcome {
            outcome.usage = outcome.usage.map { $0.added(to: held.usage) } ?? held.usage
            outcome.durationMs = (held.durationMs ?? 0) &+ (outcome.durationMs ?? 0)
        }
        additions.removeAll { $0.isRead || answered.contains($0.uuid) }
        if outcome.status == .interrupted {
            while !additions.isEmpty { dropAddition(at: 0, "interrupted") }
        }
        guard !additions.isEmpty else { return finishTurn(outcome) }
        heldOutcome = outcome
        emit(
            .status(
                type: "turn_extended",
                data: ["reason": "steered", "messages": JSON(additions.count), "status": JSON(outcome.status.rawValue)])
        )
    }

    /// A turn that isn't ours has ended while our message waited behind it.
    mutating func endOtherTurn(_ json: JSON, _ usage: Usage) {
        isOtherTurnRunning = false
        emit(
            .status(
                type: "background_turn_completed",
                data: ["origin": json["origin"] ?? .null, "usage": .object(usage.json)]))
        if let outcome = withdrawal { finishTurn(outcome) }
    }

    private mutating func finishTurn(_ outcome: TurnOutcome) {
        turn = .none
        hasStarted = false
        isInterrupting = false
        isOtherTurnRunning = false
        additions = []
        heldOutcome = nil
        withdrawal = nil
        emit(.turnCompleted(outcome))
        output.effects.append(.turnEnded)
    }

    /// Whether the result is of another turn than the one that runs for us: one that a background task began.
    func isOtherTurns(_ json: JSON) -> Bool {
        var ours: [String]
        switch turn {
        case .none: return false
        case .sent(let uuid): ours = heldOutcome == nil ? [uuid] : []
        case .unsolicited:
            guard heldOutcome != nil else { return false }
            ours = []
        }
        ours += additions.map(\.uuid)
        if let answered = json["user_message_uuids"]?.arrayValue {
            return !answered.contains { $0.stringValue.map(ours.contains) ?? false }
        }
        if let answered = json["user_message_uuid"]?.stringValue { return !ours.contains(answered) }
        return json["origin"]?["kind"]?.stringValue == "task-notification"
    }

    /// The main thread does something: when no turn is known to run, one has begun that nobody sent.
    mutating func noticeActivity() {
        switch turn {
        case .none:
            turn = .unsolicited
            emit(.turnStarted(reason: wakeReason ?? "provider"))
            wakeReason = nil
        case .sent:
            // Claude says so when it comes to our message: until then, what happens belongs to another turn.
            if reportsMessageStates, !hasStarted { isOtherTurnRunning = true }
        case .unsolicited: break
        }
    }
}
