package import Base
import HubProtocol
import JSON
package import Providers

/// Reads the lines of a rollout, the file in which Codex keeps a thread, into events. Pure.
///
/// A rollout says most things twice: as what the model was sent (`response_item`) and as what happened (`event_msg`).
/// Words and reasoning are taken from the former, which every version writes; the work of tools from the latter where
/// it is there, since only that tells outcomes, and then looks as if it had been followed live. Seen with Codex 0.163.0;
/// lines of other kinds become `custom`, the program's own bookkeeping is counted and left out.
package struct RolloutReader: ArchiveReader {
    package private(set) var title: String?
    package private(set) var model: String?
    package private(set) var skipped: [String: Int] = [:]

    private var time: Timestamp?
    private var turn = Turn()
    /// Whether the file has the marks of turns; those of the first versions don't.
    private var hasTasks = false
    /// Calls whose outcome has not come yet, in order.
    private var calls: [Call] = []
    /// Calls that were told whole: what else is said about them is told already.
    private var told: Set<String> = []
    /// Sent to the model in the person's name: theirs, unless an event says so first.
    private var heldPrompt: (text: String, nativeId: String?, time: Timestamp?)?
    private var anonymousItems = 0
    private var totals = Usage()

    private struct Turn {
        var isOpen = false
        var hasFailed = false
        var usage: Usage?
        var totalsBefore = Usage()
        var contextUsed: Int?
        var contextWindow: Int?
    }

    private struct Call {
        var id: String
        var name: String
        var arguments: JSON
        var time: Timestamp?
    }

    /// More open calls than any real turn has.
    private static let tableLimit = 4096
    private static let customLimit = 64 << 10

    package init() {}

    package mutating func read(_ line: LineSplitter.Line, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        switch line {
        case .tooLong(let start, let length):
            custom(
                "oversized_line", ["bytes": JSON(length), "start": JSON(String(decoding: start, as: UTF8.self))], emit)
        case .whole(let bytes):
            guard !bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) else { return }
            guard let json = try? JSON.parse(bytes), let type = json["type"]?.stringValue else {
                let start = String(decoding: bytes.prefix(8192), as: UTF8.self)
                return custom("unparsed_line", ["bytes": JSON(bytes.count), "text": JSON(start)], emit)
            }
            time = json["timestamp"]?.stringValue.flatMap { Timestamp($0) } ?? time
            read(type, json["payload"] ?? .null, emit)
        }
    }

    package mutating func finish(_ emit: (Timestamp?, ArchivedEvent) -> Void) {
        releasePrompt(emit)
        endTurn(TurnOutcome(status: hasTasks ? .interrupted : .completed), emit)
    }

    private mutating func read(_ type: String, _ payload: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        switch type {
        case "response_item": item(payload, emit)
        case "event_msg": event(payload, emit)
        case "turn_context": if let name = payload["model"]?.stringValue { note(model: name, emit) }
        case "token_usage_record": turn.usage = RolloutReader.usage(payload["turn_token_usage"]) ?? turn.usage
        case "compacted": emit(time, .event(.status(type: "compacted", data: [:])))
        case "session_meta", "world_state", "ghost_snapshot", "inter_agent_communication": skip(type)
        default: custom(type, payload, emit)
        }
    }

    // MARK: What the model was sent and said

    private mutating func item(_ item: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        let type = item["type"]?.stringValue ?? ""
        let id = item["id"]?.stringValue
        switch type {
        case "message":
            let text = RolloutReader.text(of: item["content"])
            switch item["role"]?.stringValue {
            case "assistant":
                guard !text.isEmpty else { return }
                activity(emit)
                emit(
                    time, .event(.message(Message(itemId: id ?? anonymousItem("message"), nativeId: id, text: text))))
            case "user" where !RolloutReader.isContext(item, text):
                releasePrompt(emit)
                heldPrompt = (text, id, time)
            default: skip("context")
            }
        case "reasoning":
            let parts = item["summary"]?.arrayValue ?? []
            let text = parts.compactMap { $0["text"]?.stringValue }.joined(separator: "\n\n")
            guard !text.isEmpty else { return skip(type) }
            activity(emit)
            emit(
                time,
                .event(
                    .thinking(itemId: id ?? anonymousItem("reasoning"), nativeId: nil, text: text, parentItemId: nil))
            )
        case "function_call", "custom_tool_call", "local_shell_call":
            activity(emit)
            let text = item["arguments"]?.stringValue ?? item["input"]?.stringValue ?? ""
            let arguments =
                type == "local_shell_call"
                ? item["action"] ?? [:] : (try? JSON.parse(text)) ?? ["input": JSON(text)]
            begin(
                Call(
                    id: item["call_id"]?.stringValue ?? id ?? anonymousItem("call"),
                    name: item["name"]?.stringValue ?? "shell", arguments: arguments, time: time), emit)
        case "function_call_output", "custom_tool_call_output":
            guard let id = item["call_id"]?.stringValue else { return custom(type, item, emit) }
            output(of: id, item["output"] ?? "", emit)
        case "web_search_call", "image_generation_call", "tool_search_call":
            activity(emit)
            let itemId = id ?? anonymousItem("call")
            let action = item["action"] ?? [:]
            let name = String(type.dropLast("_call".count))
            emit(
                time,
                .event(
                    .toolCall(
                        ToolCall(
                            itemId: itemId, nativeId: id, name: name,
                            title: CodexItems.oneLine(action["query"]?.stringValue ?? name, limit: 200),
                            toolKind: type == "web_search_call" ? "fetch" : "other", arguments: action))))
            let hasFailed = item["status"]?.stringValue == "failed"
            emit(
                time,
                .event(
                    .toolResult(
                        ToolResult(
                            itemId: itemId, nativeId: id, status: hasFailed ? .failed : .completed, content: ""))))
        case "ghost_snapshot", "compaction", "other", "tool_search_output": skip(type)
        default: custom("response_item:\(type)", item, emit)
        }
    }

    private static func text(of content: JSON?) -> String {
        if let text = content?.stringValue { return text }
        return (content?.arrayValue ?? []).compactMap { part -> String? in
            if let text = part["text"]?.stringValue { return text }
            switch part["type"]?.stringValue {
            case "input_image", "image", "local_image", "localImage": return "[image]"
            default: return nil
            }
        }.joined(separator: "\n")
    }

    /// Put into the conversation by the program, though in the person's name.
    private static func isContext(_ item: JSON, _ text: String) -> Bool {
        if let kinds = item["internal_chat_message_metadata_passthrough"]?["content_item_kinds"]?.arrayValue {
            return !kinds.contains { $0.stringValue?.hasPrefix("user.") == true }
        }
        let marks = [
            "<environment_context>", "<user_instructions>", "# AGENTS.md instructions", "<turn_aborted>", "<skill>",
            "<subagent_notification>", "<user_shell_command>", "<permissions instructions>", "<INSTRUCTIONS>",
        ]
        return text.isEmpty || marks.contains { text.hasPrefix($0) }
    }

    // MARK: What happened

    private mutating func event(_ event: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        let type = event["type"]?.stringValue ?? ""
        switch type {
        case "user_message":
            prompt(event["message"]?.stringValue ?? RolloutReader.text(of: event["content"]), nil, emit)
        case "item_completed": completed(event["item"] ?? .null, emit)
        case "exec_command_end", "patch_apply_end":
            guard let id = event["call_id"]?.stringValue, let item = RolloutItems.item(ofEnd: event) else {
                return skip(type)
            }
            outcome(id, item, emit)
        case "task_started", "turn_started":
            hasTasks = true
            releasePrompt(emit)
            endTurn(TurnOutcome(status: .interrupted), emit)
            turn.contextWindow = event["model_context_window"]?.intValue
        case "task_complete", "turn_complete":
            releasePrompt(emit)
            if let error = event["error"], !error.isNull { fail(error, emit) }
            endTurn(
                TurnOutcome(
                    status: turn.hasFailed ? .failed : .completed, durationMs: event["duration_ms"]?.intValue), emit)
        case "turn_aborted":
            releasePrompt(emit)
            let reason = event["reason"]?.stringValue
            endTurn(
                TurnOutcome(status: .interrupted, stopReason: reason, durationMs: event["duration_ms"]?.intValue), emit)
        case "error": fail(event, emit)
        case "token_count": count(event["info"] ?? .null)
        case "thread_name_updated": title = event["thread_name"]?.stringValue ?? title
        case _ where RolloutReader.repeated.contains(type): skip(type)
        default: custom("event_msg:\(type)", event, emit)
        }
    }

    /// Said elsewhere in the file, or about the program itself.
    private static let repeated: Set = [
        "agent_message", "agent_reasoning", "agent_reasoning_raw_content", "agent_reasoning_section_break",
        "thread_settings_applied", "context_compacted", "exec_command_begin", "patch_apply_begin",
        "mcp_tool_call_begin", "mcp_tool_call_end", "web_search_begin", "web_search_end", "turn_diff",
        "session_configured",
        "item_started", "thread_goal_updated", "undo_completed", "image_generation_end", "view_image_tool_call",
    ]

    private mutating func completed(_ item: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        let type = item["type"]?.stringValue ?? ""
        switch type {
        case "UserMessage":
            prompt(RolloutReader.text(of: item["content"]), item["id"]?.stringValue, emit)
        case "AgentMessage", "Reasoning": skip(type)
        case "ContextCompaction": skip(type)
        default:
            guard let id = item["id"]?.stringValue, let converted = RolloutItems.item(item) else {
                return custom("item_completed:\(type)", item, emit)
            }
            outcome(id, converted, emit)
        }
    }

    private mutating func prompt(
        _ text: String, _ nativeId: String?, _ emit: (Timestamp?, ArchivedEvent) -> Void
    ) {
        // The same as what was held, said by an event.
        heldPrompt = nil
        guard !text.isEmpty else { return }
        if turn.isOpen, hasTasks {
            // Added to the turn while it ran.
            let itemId = nativeId ?? anonymousItem("user")
            return emit(
                time, .event(.message(Message(itemId: itemId, nativeId: nativeId, role: "user", text: text))))
        }
        endTurn(TurnOutcome(status: .completed), emit)
        turn.isOpen = true
        turn.totalsBefore = totals
        emit(time, .prompt(text: text, nativeId: nativeId))
    }

    private mutating func releasePrompt(_ emit: (Timestamp?, ArchivedEvent) -> Void) {
        guard let held = heldPrompt else { return }
        let now = time
        time = held.time
        prompt(held.text, held.nativeId, emit)
        time = now
    }

    /// The agent does something: when no turn runs, one has begun that nobody sent.
    private mutating func activity(_ emit: (Timestamp?, ArchivedEvent) -> Void) {
        releasePrompt(emit)
        guard !turn.isOpen else { return }
        turn.isOpen = true
        turn.totalsBefore = totals
        emit(time, .event(.turnStarted(reason: "provider")))
    }

    private mutating func note(model name: String, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        if let known = model, known != name {
            emit(time, .event(.status(type: "model_changed", data: ["model": JSON(name)])))
        }
        model = name
    }

    private mutating func fail(_ error: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        guard !turn.hasFailed else { return }
        turn.hasFailed = true
        let words: JSON = [
            "message": error["message"] ?? "no reason given",
            "codexErrorInfo": RolloutItems.camelCased(error["codex_error_info"] ?? .null),
        ]
        emit(time, .event(.error(CodexFailures.failure(words, quotaReset: nil))))
    }

    // MARK: Tools

    private mutating func begin(_ call: Call, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        guard !told.contains(call.id) else { return }
        if calls.count >= RolloutReader.tableLimit { emitCall(calls.removeFirst(), emit) }
        calls.append(call)
    }

    private mutating func take(_ id: String) -> Call? {
        calls.firstIndex { $0.id == id }.map { calls.remove(at: $0) }
    }

    private mutating func markTold(_ id: String) {
        if told.count >= RolloutReader.tableLimit { told.removeAll() }
        told.insert(id)
    }

    /// A call as the model made it, where nothing tells what it became.
    private func emitCall(_ call: Call, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        emit(
            call.time,
            .event(
                .toolCall(
                    ToolCall(
                        itemId: call.id, nativeId: call.id, name: call.name,
                        title: RolloutItems.title(call.name, call.arguments),
                        toolKind: RolloutItems.kind(call.name), arguments: call.arguments))))
    }

    /// What the model was told about its call.
    private mutating func output(of id: String, _ output: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        guard !told.contains(id) else { return }
        activity(emit)
        let call = take(id)
        if let call { emitCall(call, emit) }
        markTold(id)
        let (text, exitCode) = RolloutItems.output(output)
        let hasFailed = exitCode.map { $0 != 0 } ?? text.hasPrefix("unsupported call")
        let isAborted = text.hasSuffix("aborted by user")
        emit(
            time,
            .event(
                .toolResult(
                    ToolResult(
                        itemId: id, nativeId: id, status: isAborted ? .cancelled : hasFailed ? .failed : .completed,
                        content: JSON(text), exitCode: exitCode))))
        if call?.name == "update_plan", !hasFailed, let entries = RolloutItems.plan(call?.arguments ?? [:]) {
            emit(time, .event(.plan(itemId: id, entries: entries)))
        }
    }

    /// What became of a call, in the words of the app-server.
    private mutating func outcome(_ id: String, _ item: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        guard !told.contains(id) else { return }
        activity(emit)
        let call = take(id)
        markTold(id)
        emit(
            call?.time ?? time,
            .event(
                .toolCall(
                    ToolCall(
                        itemId: id, nativeId: id, name: CodexItems.name(item), title: CodexItems.title(item),
                        toolKind: CodexItems.kind(item), arguments: CodexItems.arguments(item)))))
        let word = item["status"]?.stringValue
        let status: ToolStatus = word == "interrupted" ? .cancelled : word == "completed" ? .completed : .failed
        if status == .completed {
            for change in item["changes"]?.arrayValue ?? [] {
                emit(time, .event(.diff(CodexDecoder.diff(change, itemId: id))))
            }
        }
        emit(
            time,
            .event(
                .toolResult(
                    ToolResult(
                        itemId: id, nativeId: id, status: status,
                        content: item["aggregatedOutput"] ?? item["result"] ?? "",
                        exitCode: item["exitCode"]?.intValue))))
    }

    // MARK: Turns

    private mutating func count(_ info: JSON) {
        if let total = RolloutReader.usage(info["total_token_usage"]) { totals = total }
        turn.contextUsed = info["last_token_usage"]?["total_tokens"]?.intValue ?? turn.contextUsed
        turn.contextWindow = info["model_context_window"]?.intValue ?? turn.contextWindow
    }

    private static func usage(_ json: JSON?) -> Usage? {
        guard let json, !json.isNull else { return nil }
        func count(_ key: String) -> Int { max(0, json[key]?.intValue ?? 0) }
        return Usage(input: count("input_tokens"), output: count("output_tokens"), cached: count("cached_input_tokens"))
    }

    private mutating func endTurn(_ outcome: TurnOutcome, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        defer { turn = Turn() }
        for call in calls { emitCall(call, emit) }
        calls = []
        guard turn.isOpen else { return }
        var outcome = outcome
        var usage =
            turn.usage
            ?? Usage(
                input: max(0, totals.input &- turn.totalsBefore.input),
                output: max(0, totals.output &- turn.totalsBefore.output),
                cached: max(0, totals.cached &- turn.totalsBefore.cached))
        usage.contextUsed = turn.contextUsed
        usage.contextWindow = turn.contextWindow
        if usage.input > 0 || usage.output > 0 { outcome.usage = usage }
        emit(time, .event(.turnCompleted(outcome)))
    }

    // MARK: The rest

    private mutating func skip(_ type: String) { skipped[type, default: 0] &+= 1 }

    private func custom(_ type: String, _ json: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        let text = json.serialize()
        guard text.count > RolloutReader.customLimit else { return emit(time, .event(.custom(type: type, data: json))) }
        let start = String(decoding: text.prefix(8192), as: UTF8.self)
        emit(time, .event(.custom(type: type, data: ["bytes": JSON(text.count), "start": JSON(start)])))
    }

    private mutating func anonymousItem(_ kind: String) -> String {
        anonymousItems &+= 1
        return "\(kind):\(anonymousItems)"
    }
}
