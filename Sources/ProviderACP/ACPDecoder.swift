package import JSON
package import Providers

/// Makes normalised events of what an ACP agent says: pure, one per process.
///
/// ACP streams text in chunks that have no end of their own. A message or thought stays open, its chunks carrying one
/// `itemId`, until something of another kind begins or the turn ends; then comes the event with the whole text.
package struct ACPDecoder: Sendable {
    /// Text that is longer is cut into several items, so that a runaway agent doesn't take all memory.
    package static let maximumItemBytes = 16 * 1024 * 1024

    struct OpenText: Sendable {
        var isThought: Bool
        var role: String
        var itemId: String
        var nativeId: String?
        var parentItemId: String?
        var text: String
    }

    /// Stands before the identifiers of what is said outside a turn that was sent.
    private let epoch: String
    private let tokensAreCumulative: Bool
    /// Before every identifier of this turn, so that they stay unique when the agent is started again.
    private(set) var prefix: String
    private var itemCount = 0
    private var unsentTurns = 0
    private var open: OpenText?
    var tools = ToolCalls()
    private(set) var usage: UsageMeter
    /// What is left of the prompt that the agent may say back.
    private var expectedEcho: [UInt8] = []
    /// Whether more may follow in the same piece: some agents write what was attached behind the prompt.
    private var echoMayGoOn = false
    private var title: String?
    private var settings: (mode: String?, model: String?, effort: String?) = (nil, nil, nil)

    /// - Parameters:
    ///   - epoch: differs for each start of the agent within a session.
    ///   - knownCostUsd: what the session has cost before, when it is resumed.
    package init(epoch: String, tokensAreCumulative: Bool = true, resumes: Bool = false, knownCostUsd: Double? = nil) {
        self.epoch = epoch
        self.tokensAreCumulative = tokensAreCumulative
        prefix = epoch + "."
        usage = UsageMeter(resumes: resumes, knownCostUsd: knownCostUsd)
    }

    // MARK: Turns

    /// - Parameters:
    ///   - prompt: the text of it, which the agent may say back.
    ///   - hasAttachments: whether there is more to it than text.
    package mutating func beginTurn(_ turnId: String, prompt: String, hasAttachments: Bool = false) {
        prefix = turnId + "."
        itemCount = 0
        expectedEcho = Array(prompt.utf8)
        echoMayGoOn = hasAttachments
    }

    /// A turn that the agent began by itself.
    package mutating func beginUnsentTurn() {
        unsentTurns += 1
        prefix = "\(epoch)-\(unsentTurns)."
        itemCount = 0
        expectedEcho = []
    }

    /// Ends what is open, and the turn.
    /// - Parameter result: the agent's answer to the prompt, if it gave one.
    package mutating func endTurn(
        _ status: TurnStatus, stopReason: String?, result: JSON? = nil, into events: inout [NormalizedEvent]
    ) {
        closeText(isPartial: status == .interrupted, into: &events)
        tools.closeAll(status, into: &events)
        expectedEcho = []
        let outcome = TurnOutcome(
            status: status, stopReason: stopReason,
            usage: usage.endTurn(result, isCumulative: tokensAreCumulative, model: settings.model))
        events.append(.turnCompleted(outcome))
    }

    /// The process is gone: keeps the text that was being said. The turn and its tools are the session layer's to close.
    package mutating func abandon(into events: inout [NormalizedEvent]) {
        closeText(isPartial: true, into: &events)
    }

    package var hasOpenTools: Bool { tools.hasOpen }

    /// A new identifier within this turn.
    mutating func identifier(_ letter: String) -> String {
        itemCount += 1
        return "\(prefix)\(letter)\(itemCount)"
    }

    // MARK: Updates

    /// Whether an update is part of a conversation, rather than news about the session's state.
    package static func isConversation(_ update: JSON) -> Bool {
        switch update["sessionUpdate"]?.stringValue {
        case "available_commands_update", "current_mode_update", "config_option_update", "usage_update",
            "session_info_update":
            false
        default: true
        }
    }

    /// Whether a user's message is our own prompt, said back.
    package func isEcho(_ update: JSON) -> Bool {
        guard let text = update["content"]?["text"]?.stringValue else { return false }
        guard !expectedEcho.isEmpty else { return false }
        return expectedEcho.starts(with: text.utf8) || echoMayGoOn && text.utf8.starts(with: expectedEcho)
    }

    /// Takes an update of a history that is being replayed: only what it says about the present counts.
    package mutating func replayed(_ update: JSON, into events: inout [NormalizedEvent]) {
        switch update["sessionUpdate"]?.stringValue {
        case "usage_update": usage.takeBaseline(update)
        case "available_commands_update", "current_mode_update", "config_option_update":
            self.update(update, into: &events)
        case "session_info_update": title = update["title"]?.stringValue ?? title
        default: break
        }
    }

    /// Takes the `update` of a `session/update`.
    package mutating func update(_ update: JSON, into events: inout [NormalizedEvent]) {
        let kind = update["sessionUpdate"]?.stringValue ?? ""
        switch kind {
        case "agent_message_chunk": text(update, kind, isThought: false, role: "assistant", into: &events)
        case "agent_thought_chunk": text(update, kind, isThought: true, role: "assistant", into: &events)
        case "user_message_chunk":
            if isEcho(update), let said = update["content"]?["text"]?.stringValue {
                expectedEcho.removeFirst(min(said.utf8.count, expectedEcho.count))
            } else {
                text(update, kind, isThought: false, role: "user", into: &events)
            }
        case "tool_call", "tool_call_update":
            guard update["toolCallId"]?.stringValue != nil else { return custom(kind, update, into: &events) }
            closeText(into: &events)
            tools.update(update, prefix: prefix, into: &events)
        case "plan": plan(update, update["entries"], id: "plan", into: &events)
        case "plan_update": plan(update, update["plan"]?["entries"], id: planId(update), into: &events)
        case "plan_removed":
            closeText(into: &events)
            events.append(.plan(itemId: prefix + (update["planId"]?.stringValue ?? "plan"), entries: []))
        case "usage_update":
            if let changed = usage.take(update) { events.append(.usage(changed)) }
        case "available_commands_update":
            events.append(.status(type: "commands", data: ["commands": update["availableCommands"] ?? []]))
        case "current_mode_update": setMode(update["currentModeId"]?.stringValue, into: &events)
        case "config_option_update":
            var changed = AgentSettings()
            changed.takeOptions(update["configOptions"])
            setMode(changed.mode.current, into: &events)
            setModel(changed.model.current, into: &events)
            setEffort(changed.effort.current, into: &events)
        case "session_info_update":
            guard let title = update["title"]?.stringValue, title != self.title else { return }
            self.title = title
            events.append(.status(type: "title", data: ["title": JSON(title)]))
        default: custom(kind.isEmpty ? "session_update" : kind, update, into: &events)
        }
    }

    /// Says that the mode is another one, unless that is known.
    package mutating func setMode(_ mode: String?, into events: inout [NormalizedEvent]) {
        guard let mode, mode != settings.mode else { return }
        settings.mode = mode
        events.append(.status(type: "mode_changed", data: ["mode": JSON(mode)]))
    }

    package mutating func setModel(_ model: String?, into events: inout [NormalizedEvent]) {
        guard let model, model != settings.model else { return }
        settings.model = model
        events.append(.status(type: "model_changed", data: ["model": JSON(model)]))
    }

    package mutating func setEffort(_ effort: String?, into events: inout [NormalizedEvent]) {
        guard let effort, effort != settings.effort else { return }
        settings.effort = effort
        events.append(.status(type: "effort_changed", data: ["effort": JSON(effort)]))
    }

    /// The earlier session could not be taken up: totals start anew.
    package mutating func forgetHistory() {
        usage = UsageMeter(resumes: false, knownCostUsd: nil)
    }

    /// What the session began with: nothing to tell.
    package mutating func know(mode: String?, model: String?, effort: String? = nil) {
        settings = (mode, model, effort)
    }

    // MARK: What we do for the agent

    /// A file was written for the agent.
    package mutating func wrote(
        _ path: String, oldText: String?, newText: String, into events: inout [NormalizedEvent]
    ) {
        closeText(into: &events)
        let call = tools.call(changing: path)
        let diff = FileDiff(
            itemId: call.map { tools.itemId(of: $0, prefix: prefix) } ?? identifier("f"), path: path, oldText: oldText,
            newText: newText)
        if let call { tools.wrote(diff, by: call) }
        events.append(.diff(diff))
    }

    /// A terminal was made for the agent.
    /// - Parameter limit: how much of what its command says is kept, in bytes.
    package mutating func openTerminal(
        _ id: String, command: String, arguments: [String], folder: String, limit: Int,
        into events: inout [NormalizedEvent]
    ) {
        tools.openTerminal(id, limit: limit)
        closeText(into: &events)
        var data: JSONObject = ["terminalId": JSON(id), "command": JSON(command), "cwd": JSON(folder)]
        if !arguments.isEmpty { data["args"] = JSON(arguments) }
        events.append(.status(type: "terminal_started", data: data))
    }

    package mutating func terminal(_ id: String, said text: String, into events: inout [NormalizedEvent]) {
        tools.terminal(id, said: text, into: &events)
    }

    package mutating func terminal(_ id: String, ended exit: JSONObject, into events: inout [NormalizedEvent]) {
        tools.terminal(id, exitedWith: exit["exitCode"]?.intValue)
        events.append(.status(type: "terminal_ended", data: (["terminalId": JSON(id)] as JSONObject).merging(exit)))
    }

    /// What a terminal's command has said so far.
    package mutating func terminalOutput(_ id: String) -> (text: String, isTruncated: Bool)? {
        guard let text = tools.transcripts[id]?.text() else { return nil }
        return (text, tools.transcripts[id]?.isTruncated ?? false)
    }

    package mutating func releaseTerminal(_ id: String, into events: inout [NormalizedEvent]) {
        guard let (text, isTruncated) = tools.releaseTerminal(id) else { return }
        let data: JSONObject = ["terminalId": JSON(id), "output": JSON(text), "truncated": JSON(isTruncated)]
        events.append(.status(type: "terminal_output", data: data))
    }
    private func custom(_ type: String, _ data: JSON, into events: inout [NormalizedEvent]) {
        events.append(.custom(type: type, data: data))
    }

    // MARK: Text

    private mutating func text(
        _ update: JSON, _ kind: String, isThought: Bool, role: String, into events: inout [NormalizedEvent]
    ) {
        guard let piece = ACPContent.text(update["content"]) else { return custom(kind, update, into: &events) }
        if role == "assistant" { tools.closeRejected(into: &events) }
        let nativeId = update["messageId"]?.stringValue
        let parent = ToolCalls.parentId(update).map { tools.itemId(of: $0, prefix: prefix) }
        let continues =
            open.map {
                $0.isThought == isThought && $0.role == role && $0.parentItemId == parent
                    && (nativeId == nil || $0.nativeId == nativeId)
                    && $0.text.utf8.count < ACPDecoder.maximumItemBytes
            } ?? false
        if !continues {
            closeText(into: &events)
            open = OpenText(
                isThought: isThought, role: role, itemId: identifier(isThought ? "k" : "m"), nativeId: nativeId,
                parentItemId: parent, text: "")
        }
        guard !piece.isEmpty else { return }
        open?.text += piece
        // What is said in the user's name is no growing text of the agent's.
        guard role == "assistant", let itemId = open?.itemId else { return }
        events.append(.chunk(itemId: itemId, kind: isThought ? .thinking : .message, text: piece))
    }

    /// Ends the open message or thought: its whole text becomes an event.
    mutating func closeText(isPartial: Bool = false, into events: inout [NormalizedEvent]) {
        guard let text = open else { return }
        open = nil
        guard !text.text.isEmpty else { return }
        if text.isThought {
            events.append(
                .thinking(
                    itemId: text.itemId, nativeId: text.nativeId, text: text.text, parentItemId: text.parentItemId))
        } else {
            events.append(
                .message(
                    Message(
                        itemId: text.itemId, nativeId: text.nativeId, role: text.role, text: text.text,
                        parentItemId: text.parentItemId, isPartial: isPartial)))
        }
    }

    // MARK: Plans

    private mutating func plan(_ update: JSON, _ entries: JSON?, id: String, into events: inout [NormalizedEvent]) {
        guard let entries = entries?.arrayValue else {
            return custom(update["sessionUpdate"]?.stringValue ?? "plan", update, into: &events)
        }
        let plan = entries.compactMap { entry in
            entry["content"]?.stringValue.map {
                PlanEntry(
                    content: $0, status: entry["status"]?.stringValue ?? "pending",
                    priority: entry["priority"]?.stringValue)
            }
        }
        closeText(into: &events)
        events.append(.plan(itemId: prefix + id, entries: plan))
    }

    private func planId(_ update: JSON) -> String { update["plan"]?["planId"]?.stringValue ?? "plan" }
}
