import Client
import JSON

/// Tells an editor a session: of each event of the log, and of each piece of what grows live, the `update`s of
/// `session/update` that say it. Pure.
///
/// A text that was shown while it grew is completed, not repeated, by the event that has the whole of it.
struct Narrator {
    /// The session's folder, absolute.
    let workspace: String
    let takesTerminalOutput: Bool
    /// What the session has cost so far.
    var costUsd: Double?
    /// The newest `available_commands_update`.
    var commands: JSONObject?
    var calls: [String: ToolStory] = [:]
    /// Calls that have ended in this turn, the oldest first, of which the content is still known: a change of theirs may follow.
    var ended: [String] = []
    /// Calls whose newest output hasn't been shown.
    var unshown: Set<String> = []
    private var lastUsage: JSONObject?
    /// Bytes of each growing text that the editor has.
    private var said: [String: Int] = [:]

    /// The most bytes of text in one update.
    static let pieceBytes = 32 << 10

    init(workspace: String, takesTerminalOutput: Bool) {
        self.workspace = workspace
        self.takesTerminalOutput = takesTerminalOutput
    }

    // MARK: What grows

    /// Of a `stream:chunk`.
    mutating func chunk(_ payload: JSON) -> [JSONObject] {
        guard let itemId = payload["itemId"]?.stringValue, let text = payload["content"]?.stringValue else { return [] }
        guard let kind = Narrator.textKinds[payload["kind"]?.stringValue ?? ""] else {
            return takeOutput(text, of: itemId)
        }
        // What lies between was left out for us, or said before we came: the whole text follows.
        let offset = payload["offset"]?.intValue ?? 0
        let before = said[itemId] ?? 0
        guard offset <= before else { return [] }
        let new = String(decoding: text.utf8.dropFirst(before - offset), as: UTF8.self)
        said[itemId] = max(before, offset + text.utf8.count)
        return Narrator.texts(kind, new, id: itemId)
    }

    /// Of an item of `core:state`'s `open`: all of it so far.
    mutating func catchUp(_ item: JSON) -> [JSONObject] {
        guard let itemId = item["itemId"]?.stringValue, let text = item["content"]?.stringValue,
            let kind = Narrator.textKinds[item["kind"]?.stringValue ?? ""]
        else { return [] }
        return rest(of: text, kind, itemId: itemId)
    }

    private static let textKinds = ["message": "agent_message_chunk", "thinking": "agent_thought_chunk"]

    private mutating func rest(of text: String, _ kind: String, itemId: String, meta: JSON? = nil) -> [JSONObject] {
        let before = said[itemId] ?? 0
        said[itemId] = max(before, text.utf8.count)
        guard before < text.utf8.count else { return [] }
        return Narrator.texts(
            kind, String(decoding: text.utf8.dropFirst(before), as: UTF8.self), id: itemId, meta: meta)
    }

    // MARK: Events

    /// - Parameter isReplay: it happened before; what only matters while it happens isn't told.
    mutating func updates(for event: LogEvent, isReplay: Bool) -> [JSONObject] {
        let data = event.data
        switch event.kind {
        case "message": return message(event)
        case "thinking":
            guard let text = data["content"]?.stringValue else { return [] }
            return rest(
                of: text, "agent_thought_chunk", itemId: event.itemId ?? "thought-\(event.seq)",
                meta: Narrator.parent(data))
        case "tool_call": return toolCall(event)
        case "tool_result": return toolResult(event)
        case "diff": return diff(event)
        case "plan": return plan(data)
        case "usage": return usage(data)
        case "error": return [Narrator.note("**Error:** \(data["message"]?.stringValue ?? "")")]
        case "question_requested" where isReplay: return question(data)
        case "question_resolved" where isReplay: return answer(data)
        case "status": return status(data)
        case "turn_completed":
            said = [:]
            calls = [:]
            ended = []
            unshown = []
            return []
        default: return []
        }
    }

    private mutating func message(_ event: LogEvent) -> [JSONObject] {
        guard let text = event.data["content"]?.stringValue else { return [] }
        guard event.data["role"]?.stringValue == "user" else {
            return rest(
                of: text, "agent_message_chunk", itemId: event.itemId ?? "message-\(event.seq)",
                meta: Narrator.parent(event.data))
        }
        let id = "prompt-\(event.seq)"
        let by = event.data["by"]?["name"].map { ["codeai-hub": ["by": $0]] as JSON }
        var updates = Narrator.texts("user_message_chunk", text, id: id, meta: by)
        for block in (event.data["attachments"]?.arrayValue ?? []).compactMap(EditorPrompt.block) {
            updates.append(["sessionUpdate": "user_message_chunk", "content": block, "messageId": JSON(id)])
        }
        return updates
    }

    private func plan(_ data: JSONObject) -> [JSONObject] {
        let statuses: Set = ["pending", "in_progress", "completed"]
        let priorities: Set = ["high", "medium", "low"]
        let entries = (data["entries"]?.arrayValue ?? []).map { entry -> JSON in
            let status = entry["status"]?.stringValue ?? ""
            let priority = entry["priority"]?.stringValue ?? ""
            return [
                "content": JSON(entry["content"]?.stringValue ?? ""),
                "priority": JSON(priorities.contains(priority) ? priority : "medium"),
                "status": JSON(statuses.contains(status) ? status : "pending"),
            ]
        }
        return [["sessionUpdate": "plan", "entries": .array(entries)]]
    }

    /// The context that is in use. What the session has cost so far is known when the turn has ended.
    private mutating func usage(_ data: JSONObject) -> [JSONObject] {
        guard let used = data["contextUsed"]?.intValue, let size = data["contextWindow"]?.intValue, used >= 0, size >= 0
        else { return [] }
        let update: JSONObject = ["sessionUpdate": "usage_update", "used": JSON(used), "size": JSON(size)]
        lastUsage = update
        return [update]
    }

    var usageWithCost: JSONObject? {
        guard var update = lastUsage, let costUsd else { return nil }
        update["cost"] = ["amount": JSON(costUsd), "currency": "USD"]
        return update
    }

    /// What a person who reads along has to know.
    private func status(_ data: JSONObject) -> [JSONObject] {
        func name(_ key: String) -> String { data[key]?.stringValue ?? "?" }
        switch data["type"]?.stringValue {
        case "provider_switched": return [Narrator.note("*From here on: \(name("to")), before: \(name("from")).*")]
        case "fallback": return [Narrator.note("*\(name("from")) failed (\(name("code"))): \(name("to")) tries it.*")]
        case "parked": return [Narrator.note("*This is tried again at \(name("until")).*")]
        case "paused": return [Narrator.note("*The session is paused: no turn begins before it is resumed.*")]
        default: return []
        }
    }

    private func question(_ data: JSONObject) -> [JSONObject] {
        var lines = (data["questions"]?.arrayValue ?? []).map { "**Question:** \($0["text"]?.stringValue ?? "")" }
        if let body = data["body"]?.stringValue { lines.insert(body, at: 0) }
        return [Narrator.note(lines.joined(separator: "\n\n"))]
    }

    private func answer(_ data: JSONObject) -> [JSONObject] {
        let answers = (data["answers"]?.objectValue ?? [:]).map { _, value in
            value.stringValue ?? (value.arrayValue ?? []).compactMap(\.stringValue).joined(separator: ", ")
        }
        let text = answers.isEmpty ? data["outcome"]?.stringValue ?? "" : answers.joined(separator: "; ")
        return [Narrator.note("**Answer:** \(text)")]
    }

    // MARK: Words

    /// Something that isn't the agent's.
    static func note(_ text: String) -> JSONObject {
        [
            "sessionUpdate": "agent_message_chunk", "content": ["type": "text", "text": JSON("\n\n\(text)\n\n")],
            "_meta": ["codeai-hub": ["note": true]],
        ]
    }

    static func texts(_ kind: String, _ text: String, id: String, meta: JSON? = nil) -> [JSONObject] {
        pieces(of: text, of: pieceBytes).map { piece in
            var update: JSONObject = [
                "sessionUpdate": JSON(kind), "content": ["type": "text", "text": JSON(piece)], "messageId": JSON(id),
            ]
            update["_meta"] = meta
            return update
        }
    }

    /// Cuts a text into parts of at most so many bytes, between characters.
    static func pieces(of text: String, of size: Int) -> [String] {
        guard text.utf8.count > size else { return text.isEmpty ? [] : [text] }
        var pieces: [String] = []
        var rest = Array(text.utf8)[...]
        while rest.count > size {
            var end = rest.startIndex + size
            // Not within the bytes of a character: those that go on begin with the bits 10.
            while end > rest.startIndex + 1, rest[end] & 0xc0 == 0x80 { end -= 1 }
            pieces.append(String(decoding: rest[..<end], as: UTF8.self))
            rest = rest[end...]
        }
        pieces.append(String(decoding: rest, as: UTF8.self))
        return pieces
    }

    static func parent(_ data: JSONObject) -> JSON? {
        data["parentItemId"].map { ["codeai-hub": ["parentToolCallId": $0]] }
    }

    // MARK: Beside the conversation

    /// The daemon's or the agent's word for the end of a turn that ended well.
    static func stopReason(_ native: String?) -> String {
        switch native {
        case "max_tokens", "max_turn_requests", "refusal", "end_turn": native ?? "end_turn"
        case "max_turns", "error_max_turns": "max_turn_requests"
        default: "end_turn"
        }
    }

    static func tokens(_ usage: JSON?) -> JSON? {
        guard let input = usage?["input"]?.intValue, let output = usage?["output"]?.intValue, input >= 0, output >= 0
        else { return nil }
        return [
            "totalTokens": JSON(input + output), "inputTokens": JSON(input), "outputTokens": JSON(output),
            "cachedReadTokens": JSON(max(0, usage?["cached"]?.intValue ?? 0)),
        ]
    }

    /// What an ACP agent said about its slash commands; what an editor would choke on is left out.
    static func commands(_ json: JSON?) -> JSONObject? {
        guard let commands = json?.arrayValue else { return nil }
        let valid = commands.filter { $0["name"]?.stringValue != nil && $0["description"]?.stringValue != nil }
        return ["sessionUpdate": "available_commands_update", "availableCommands": .array(valid)]
    }

    /// The same of an agent that tells only their names.
    static func commands(named json: JSON?) -> JSONObject? {
        guard let names = json?.arrayValue?.compactMap(\.stringValue), !names.isEmpty else { return nil }
        return [
            "sessionUpdate": "available_commands_update",
            "availableCommands": .array(names.map { ["name": JSON($0), "description": JSON("/\($0)")] }),
        ]
    }
}
