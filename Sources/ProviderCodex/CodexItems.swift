import JSON

/// How Codex's own items are shown as tool calls.
package enum CodexItems {
    /// The items of a thread that are work of a tool, as of 0.163.0.
    package static let tools: Set = [
        "commandExecution", "fileChange", "mcpToolCall", "dynamicToolCall", "collabAgentToolCall", "webSearch",
        "imageView", "imageGeneration", "sleep",
    ]

    static func name(_ item: JSON) -> String {
        switch item["type"]?.stringValue {
        case "mcpToolCall":
            [item["server"]?.stringValue, item["tool"]?.stringValue].compactMap { $0 }.joined(separator: ".")
        case "dynamicToolCall":
            [item["namespace"]?.stringValue, item["tool"]?.stringValue].compactMap { $0 }.joined(separator: ".")
        case "collabAgentToolCall": item["tool"]?.stringValue ?? "collabAgentToolCall"
        case let type: type ?? "tool"
        }
    }

    /// One line for people.
    static func title(_ item: JSON) -> String {
        func text(_ key: String) -> String? { item[key]?.stringValue }
        let title: String? =
            switch item["type"]?.stringValue {
            case "commandExecution": commandTitle(item)
            case "fileChange": changesTitle(item["changes"]?.arrayValue ?? [])
            case "collabAgentToolCall": text("prompt")
            case "webSearch": webTitle(item)
            case "imageView": text("path").map { "View \($0)" }
            case "imageGeneration": text("revisedPrompt").map { "Draw \($0)" }
            case "sleep": item["durationMs"]?.doubleValue.map { "Wait \($0 / 1000) s" }
            default: nil
            }
        return oneLine(title ?? name(item), limit: 200)
    }

    /// ACP's tool kinds, and `agent`.
    static func kind(_ item: JSON) -> String {
        switch item["type"]?.stringValue {
        case "commandExecution": commandKind(item["commandActions"]?.arrayValue ?? [])
        case "fileChange":
            item["changes"]?.arrayValue?.allSatisfy { $0["kind"]?["type"]?.stringValue == "delete" } == true
                && item["changes"]?.arrayValue?.isEmpty == false ? "delete" : "edit"
        case "collabAgentToolCall": "agent"
        case "webSearch": "fetch"
        case "imageView": "read"
        case "sleep": "think"
        default: "other"
        }
    }

    /// What the tool was called with.
    static func arguments(_ item: JSON) -> JSON {
        switch item["type"]?.stringValue {
        case "mcpToolCall", "dynamicToolCall": return item["arguments"] ?? [:]
        default:
            var arguments = JSONObject()
            for (key, value) in item.objectValue ?? [:] where !outcome.contains(key) && !value.isNull {
                arguments[key] = value
            }
            return .object(arguments)
        }
    }

    /// Members that tell how a call went, not what was called.
    private static let outcome: Set = [
        "type", "id", "status", "aggregatedOutput", "exitCode", "durationMs", "processId", "result", "results",
        "agentsStates", "savedPath", "failure", "pluginId", "scriptPath", "source", "commandActions", "environmentId",
    ]

    /// The command without the shell that it is handed to.
    static func commandTitle(_ item: JSON) -> String? {
        if let actions = item["commandActions"]?.arrayValue, actions.count == 1,
            let command = actions[0]["command"]?.stringValue
        {
            return command
        }
        guard let command = item["command"]?.stringValue else { return nil }
        let words = command.split(separator: " ", maxSplits: 2)
        guard words.count == 3, words[0].hasSuffix("sh"), words[1] == "-lc" || words[1] == "-c" else { return command }
        let inner = words[2]
        guard inner.count >= 2, inner.first == "'", inner.last == "'" else { return String(inner) }
        return String(inner.dropFirst().dropLast())
    }

    /// A command that only looks is not one that does.
    private static func commandKind(_ actions: [JSON]) -> String {
        let types = Set(actions.map { $0["type"]?.stringValue ?? "unknown" })
        if types == ["read"] { return "read" }
        return !types.isEmpty && types.isSubset(of: ["search", "listFiles"]) ? "search" : "execute"
    }

    private static func changesTitle(_ changes: [JSON]) -> String? {
        guard let first = changes.first, let path = first["path"]?.stringValue else { return nil }
        guard changes.count == 1 else { return "Change \(changes.count) files" }
        switch first["kind"]?["type"]?.stringValue {
        case "add": return "Write \(path)"
        case "delete": return "Delete \(path)"
        default: return "Edit \(path)"
        }
    }

    private static func webTitle(_ item: JSON) -> String? {
        let action = item["action"]
        switch action?["type"]?.stringValue {
        case "openPage": return action?["url"]?.stringValue.map { "Open \($0)" }
        case "findInPage": return action?["pattern"]?.stringValue.map { "Find \($0)" }
        default:
            let query = item["query"]?.stringValue ?? action?["query"]?.stringValue
            return query.map { $0.isEmpty ? "Search the web" : "Search \($0)" }
        }
    }

    static func oneLine(_ text: String, limit: Int) -> String {
        let line = text.prefix { !$0.isNewline }
        let isCut = line.endIndex != text.endIndex
        guard line.count > limit else { return isCut ? line + " …" : String(line) }
        return line.prefix(limit) + "…"
    }
}
