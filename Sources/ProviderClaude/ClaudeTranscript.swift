package import Base
import HubProtocol
import JSON
package import Providers

/// Reads the lines of a session's file that Claude Code keeps below `projects/` into events. Pure.
///
/// `user` and `assistant` lines hold what the stream holds, in other clothes: they are dressed for `ClaudeDecoder`, so
/// that an imported session looks as if it had been followed live. The turns are found here, since the file has none:
/// one begins with what the person said and ends before the next such line. Seen with Claude Code 2.1.329; lines of
/// other kinds become `custom`, the program's own bookkeeping is counted and left out.
package struct ClaudeTranscript: ArchiveReader {
    package private(set) var title: String?
    package private(set) var skipped: [String: Int] = [:]
    package var model: String? { decoder.model }

    private var decoder = ClaudeDecoder()
    private var turn: Turn?
    private var time: Timestamp?
    /// A title that a person gave outranks one that was made up.
    private var isTitleGiven = false
    private var totalCost = 0.0
    /// Reads the lines of a subagent, by its identifier, when its call's result has come.
    private let subagent: (String) -> [LineSplitter.Line]
    private var parent: String?
    private var subagentsRead: Set<String> = []

    private struct Turn {
        var begin: Timestamp?
        /// Of the last thing that happened in it.
        var end: Timestamp?
        var hasAnswer = false
        var isInterrupted = false
        var hasFailed = false
        var stopReason: String?
        /// By the API's message: its lines repeat it.
        var usage: [String: Usage] = [:]
        var contextUsed: Int?
        var costUsd: Double?
    }

    /// - Parameter subagent: the lines of a subagent's own file; empty when there is none.
    package init(subagent: @escaping (String) -> [LineSplitter.Line] = { _ in [] }) {
        self.subagent = subagent
    }

    package mutating func read(_ line: LineSplitter.Line, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        guard case .whole(let bytes) = line else {
            for event in decoder.decode(line).events { emit(time, .event(event)) }
            return
        }
        guard !bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) else { return }
        guard let json = try? JSON.parse(bytes), let type = json["type"]?.stringValue else {
            for event in decoder.decode(.whole(bytes)).events { emit(time, .event(event)) }
            return
        }
        time = json["timestamp"]?.stringValue.flatMap { Timestamp($0) } ?? time
        read(type, json, emit)
    }

    package mutating func finish(_ emit: (Timestamp?, ArchivedEvent) -> Void) {
        for event in decoder.end() { emit(time, .event(event)) }
        endTurn(emit)
    }

    private mutating func read(_ type: String, _ json: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        switch type {
        case "user": user(json, emit)
        case "assistant": assistant(json, emit)
        case "system": system(json, emit)
        case "attachment": attachment(json, emit)
        case "cost-state": noteCost(json)
        case "custom-title":
            title = json["customTitle"]?.stringValue ?? title
            isTitleGiven = true
            skip(type)
        case "ai-title", "summary":
            if !isTitleGiven { title = json["aiTitle"]?.stringValue ?? json["summary"]?.stringValue ?? title }
            skip(type)
        case _ where ClaudeTranscript.bookkeeping.contains(type): skip(type)
        default: emit(time, .event(.custom(type: type, data: ClaudeTranscript.bounded(json))))
        }
    }

    /// The program's own notes: its caches, its queue, what it restores at the next start.
    private static let bookkeeping: Set = [
        "queue-operation", "last-prompt", "mode", "permission-mode", "atis-latch", "tools-used", "api-request",
        "api-request-blob", "api-request-shape", "file-history-snapshot", "progress", "agent-name", "agent-color",
        "agent-setting", "tag", "pr-link", "worktree-state", "content-replacement", "marble-origami-commit",
        "marble-origami-snapshot", "speculation-accept", "attribution-snapshot", "task-summary",
    ]

    private mutating func skip(_ type: String) { skipped[type, default: 0] &+= 1 }

    /// What is kept of a line that nobody knows.
    private static func bounded(_ json: JSON) -> JSON {
        let text = json.serialize()
        guard text.count > ClaudeTranscript.customLimit else { return json }
        return [
            "bytes": JSON(text.count),
            "start": JSON(String(decoding: text.prefix(ClaudeDecoder.unparsedLimit), as: UTF8.self)),
        ]
    }

    private static let customLimit = 64 << 10

    // MARK: What the person said

    private mutating func user(_ json: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        let content = json["message"]?["content"]
        let blocks = content?.arrayValue ?? []
        let isResult = blocks.contains { $0["type"]?.stringValue == "tool_result" }
        guard !isResult else { return toolResults(json, blocks, emit) }
        guard parent == nil, json["isSidechain"]?.boolValue != true else { return side("user", json, emit) }
        guard let text = ClaudeTranscript.text(of: content) else { return decode("user", json, emit) }
        if text.hasPrefix("[Request interrupted by user") {
            turn?.isInterrupted = true
            turn?.end = time
        } else if text.hasPrefix("<local-command-caveat>") {
            skip("local-command-caveat")
        } else if let output = ClaudeTranscript.commandOutput(text) {
            turn?.end = time
            emit(time, .event(.status(type: "local_command", data: ["output": JSON(output)])))
        } else if json["origin"]?["kind"]?.stringValue == "task-notification" {
            begin(emit)
            emit(time, .event(.turnStarted(reason: "background_task")))
            system(text, json, emit)
        } else if json["isMeta"]?.boolValue == true || json["isCompactSummary"]?.boolValue == true {
            system(text, json, emit)
        } else {
            begin(emit)
            let command = ClaudeTranscript.command(text)
            // A command has no answer but what it prints.
            turn?.hasAnswer = command != nil
            emit(time, .prompt(text: command ?? text, nativeId: json["uuid"]?.stringValue))
        }
    }

    /// Said to the model by the program, not by the person.
    private mutating func system(_ text: String, _ json: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        guard !text.isEmpty else { return }
        say(text, as: "system", json, emit)
    }

    private mutating func say(
        _ text: String, as role: String, _ json: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void
    ) {
        let uuid = json["uuid"]?.stringValue
        let message = Message(itemId: uuid ?? decoder.anonymousItem(role), nativeId: uuid, role: role, text: text)
        emit(time, .event(.message(message)))
    }

    private mutating func begin(_ emit: (Timestamp?, ArchivedEvent) -> Void) {
        endTurn(emit)
        turn = Turn(begin: time, end: time)
        decoder.turn = .sent(uuid: "")
    }

    /// The text of a message; of what isn't text, a line that says so. Nil when it is no message.
    private static func text(of content: JSON?) -> String? {
        guard let content else { return nil }
        if let text = content.stringValue { return text }
        guard let blocks = content.arrayValue, !blocks.isEmpty else { return nil }
        var lines: [String] = []
        for block in blocks {
            switch block["type"]?.stringValue {
            case "text": lines.append(block["text"]?.stringValue ?? "")
            case "image", "document":
                let source = block["source"]
                let media = source?["media_type"]?.stringValue ?? block["type"]?.stringValue ?? ""
                lines.append("[\(media), \((source?["data"]?.stringValue?.utf8.count ?? 0) / 4 * 3) bytes]")
            default: return nil
            }
        }
        return lines.joined(separator: "\n")
    }

    /// `/name arguments` of a slash command.
    private static func command(_ text: String) -> String? {
        guard text.hasPrefix("<command-"), let name = element("command-name", of: text) else { return nil }
        let arguments = element("command-args", of: text) ?? ""
        return arguments.isEmpty ? name : name + " " + arguments
    }

    private static func commandOutput(_ text: String) -> String? {
        guard text.hasPrefix("<local-command-std") else { return nil }
        return element("local-command-stdout", of: text) ?? element("local-command-stderr", of: text)
    }

    private static func element(_ name: String, of text: String) -> String? {
        guard let open = text.firstRange(ofText: "<\(name)>"),
            let close = text[open.upperBound...].firstRange(ofText: "</\(name)>")
        else { return nil }
        return String(text[open.upperBound..<close.lowerBound])
    }

    // MARK: What Claude did

    private mutating func assistant(_ json: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        guard parent == nil, json["isSidechain"]?.boolValue != true else { return side("assistant", json, emit) }
        if json["isApiErrorMessage"]?.boolValue == true { return apiError(json, emit) }
        if turn == nil {
            begin(emit)
            emit(time, .event(.turnStarted(reason: "provider")))
        }
        turn?.hasAnswer = true
        if let message = json["message"] {
            if let name = message["model"]?.stringValue {
                decoder.noteModel(name)
                for event in decoder.takeOutput().events { emit(time, .event(event)) }
            }
            if let reason = message["stop_reason"]?.stringValue { turn?.stopReason = reason }
            if let id = message["id"]?.stringValue, let usage = message["usage"] { note(usage, of: id) }
        }
        decode("assistant", json, emit)
    }

    private mutating func note(_ json: JSON, of messageId: String) {
        func count(_ key: String) -> Int { max(0, json[key]?.intValue ?? 0) }
        let cached = count("cache_read_input_tokens")
        let input = count("input_tokens") &+ cached &+ count("cache_creation_input_tokens")
        guard turn?.usage.count ?? 0 < ClaudeDecoder.tableLimit else { return }
        turn?.usage[messageId] = Usage(input: input, output: count("output_tokens"), cached: cached)
        turn?.contextUsed = input &+ count("output_tokens")
    }

    private mutating func apiError(_ json: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        turn?.hasFailed = true
        turn?.end = time
        let texts = (json["message"]?["content"]?.arrayValue ?? []).compactMap { $0["text"]?.stringValue }
        let failure = ClaudeFailures.failure(
            status: json["apiErrorStatus"]?.intValue, type: json["apiErrorType"]?.stringValue,
            word: json["error"]?.stringValue, isQuota: json["apiError"]?.stringValue == "usage_limit_reached",
            message: texts.joined(separator: "\n"), subtype: "", quota: nil)
        emit(time, .event(.error(failure)))
    }

    private mutating func toolResults(
        _ json: JSON, _ blocks: [JSON], _ emit: (Timestamp?, ArchivedEvent) -> Void
    ) {
        // What a subagent did comes before the answer that its call got.
        if parent == nil, let agent = json["toolUseResult"]?["agentId"]?.stringValue,
            let id = blocks.first?["tool_use_id"]?.stringValue
        {
            // Once each: a line is small, what it refers to can be large.
            guard subagentsRead.insert(agent).inserted else { return decode("user", json, emit) }
            let before = time
            parent = id
            for line in subagent(agent) { read(line, emit) }
            parent = nil
            time = before
        }
        decode("user", json, emit)
    }

    /// A line of a subagent.
    private mutating func side(_ type: String, _ json: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        guard type == "assistant" || ClaudeTranscript.text(of: json["message"]?["content"]) == nil else {
            // What the subagent was told is in its call.
            return skip("subagent prompt")
        }
        if json["isApiErrorMessage"]?.boolValue == true {
            return emit(time, .event(.custom(type: "subagent_error", data: ClaudeTranscript.bounded(json))))
        }
        decode(type, json, emit)
    }

    /// Has the decoder take a line, in the words of the stream.
    private mutating func decode(_ type: String, _ json: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        guard let object = json.objectValue else { return }
        var line = object
        line["tool_use_result"] = object["toolUseResult"]
        line["parent_tool_use_id"] = parent.map { JSON($0) } ?? .null
        line["isSynthetic"] = object["isMeta"]
        if turn == nil, parent == nil {
            // A result whose call was before the part that is left.
            decoder.turn = .sent(uuid: "")
        }
        turn?.end = time
        for event in decoder.decode(transcript: .object(line), as: type) { emit(time, .event(event)) }
    }

    // MARK: What the program says

    private mutating func system(_ json: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        let subtype = json["subtype"]?.stringValue ?? ""
        switch subtype {
        case "local_command":
            let text = json["content"]?.stringValue ?? ""
            turn?.end = time
            let output = ClaudeTranscript.commandOutput(text) ?? text
            emit(time, .event(.status(type: "local_command", data: ["output": JSON(output)])))
        case "compact_boundary", "microcompact_boundary":
            var data = JSONObject()
            for (key, value) in json["compactMetadata"]?.objectValue ?? [:] { data[key] = value }
            emit(time, .event(.status(type: "compacted", data: data)))
        case "api_error":
            var data: JSONObject = [:]
            data["attempt"] = json["retryAttempt"]
            data["maxAttempts"] = json["maxRetries"]
            data["delayMs"] = json["retryInMs"]
            data["httpStatus"] = json["error"]?["status"]
            data["reason"] = json["error"]?["formatted"] ?? json["error"]?["message"]
            emit(time, .event(.status(type: "retrying", data: data)))
        case "turn_duration", "stop_hook_summary", "away_summary": skip("system \(subtype)")
        default:
            var data = JSONObject()
            for (key, value) in json.objectValue ?? [:] where !ClaudeTranscript.envelope.contains(key) {
                data[key] = value
            }
            emit(
                time, .event(.custom(type: "system:\(subtype)", data: ClaudeTranscript.bounded(.object(data)))))
        }
    }

    private static let envelope: Set = [
        "type", "subtype", "uuid", "parentUuid", "logicalParentUuid", "sessionId", "timestamp", "isSidechain",
        "userType", "entrypoint", "cwd", "version", "gitBranch", "slug",
    ]

    /// What was put into the model's context beside the conversation; of it only what the person said while Claude was
    /// at work.
    private mutating func attachment(_ json: JSON, _ emit: (Timestamp?, ArchivedEvent) -> Void) {
        let attachment = json["attachment"]
        guard attachment?["type"]?.stringValue == "queued_command",
            let text = ClaudeTranscript.text(of: attachment?["prompt"]), !text.isEmpty, parent == nil
        else { return skip("attachment") }
        say(text, as: "user", json, emit)
    }

    // MARK: Turns

    /// The sum over the session's life, written when the program ends: what it rose by is the last turn's.
    private mutating func noteCost(_ json: JSON) {
        skip("cost-state")
        guard let total = json["totalCostUSD"]?.doubleValue, total.isFinite, total >= 0 else { return }
        if total > totalCost, let known = turn { turn?.costUsd = (known.costUsd ?? 0) + total - totalCost }
        totalCost = total
    }

    private mutating func endTurn(_ emit: (Timestamp?, ArchivedEvent) -> Void) {
        guard let ended = turn else { return }
        turn = nil
        decoder.turn = .none
        var usage: Usage?
        if !ended.usage.isEmpty {
            var sum = Usage(costUsd: ended.costUsd, contextUsed: ended.contextUsed)
            for part in ended.usage.values {
                sum.input &+= part.input
                sum.output &+= part.output
                sum.cached &+= part.cached
            }
            usage = sum
        }
        // Ended in the middle: a call without a result, or a result that nothing was made of.
        let isCut = !decoder.tools.isEmpty || ended.stopReason == "tool_use" || !ended.hasAnswer
        decoder.tools = [:]
        let status: TurnStatus =
            ended.isInterrupted ? .interrupted : ended.hasFailed ? .failed : isCut ? .interrupted : .completed
        let duration = ended.begin.flatMap { begin in
            ended.end.map { Int(clamping: max(0, $0.milliseconds &- begin.milliseconds)) }
        }
        emit(
            ended.end ?? time,
            .event(
                .turnCompleted(
                    TurnOutcome(status: status, stopReason: ended.stopReason, usage: usage, durationMs: duration))))
    }
}
