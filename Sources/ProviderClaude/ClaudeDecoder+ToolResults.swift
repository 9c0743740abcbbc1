import JSON
import Providers

// `user` lines: tool results, and texts that Claude Code says on the user's behalf.
extension ClaudeDecoder {
    mutating func user(_ json: JSON) {
        guard let content = json["message"]?["content"] else { return custom("user", json) }
        if let text = content.stringValue { return userText(text, json) }
        guard let blocks = content.arrayValue else { return custom("user", json) }
        var texts: [String] = []
        for block in blocks {
            switch block["type"]?.stringValue {
            case "tool_result": toolResult(block, json)
            case "text": texts.append(block["text"]?.stringValue ?? "")
            default: custom("user", block)
            }
        }
        if !texts.isEmpty { userText(texts.joined(separator: "\n"), json) }
    }

    private mutating func userText(_ text: String, _ json: JSON) {
        if text.hasPrefix("[Request interrupted by user") || text.isEmpty { return }
        let uuid = json["uuid"]?.stringValue
        if case .sent(let sent) = turn, sent == uuid { return }
        if json["isReplay"]?.boolValue == true {
            guard let output = ClaudeDecoder.localCommandOutput(text) else { return }
            // `set_model` and the like are answered by a control response as well.
            if output.hasPrefix("Set model to") { return }
            return emit(.status(type: "local_command", data: ["output": JSON(output)]))
        }
        emit(
            .message(
                Message(
                    itemId: uuid ?? anonymousItem("user"), nativeId: uuid,
                    role: json["isSynthetic"]?.boolValue == true ? "system" : "user", text: text,
                    parentItemId: json["parent_tool_use_id"]?.stringValue)))
    }

    /// What stands between `<local-command-stdout>` and its end.
    private static func localCommandOutput(_ text: String) -> String? {
        for name in ["local-command-stdout", "local-command-stderr"] {
            let (start, end) = ("<\(name)>", "</\(name)>")
            if text.hasPrefix(start), text.hasSuffix(end), text.utf8.count >= start.utf8.count + end.utf8.count {
                return String(text.dropFirst(start.count).dropLast(end.count))
            }
        }
        return nil
    }

    private mutating func toolResult(_ block: JSON, _ json: JSON) {
        guard let id = block["tool_use_id"]?.stringValue else { return custom("user", block) }
        let record = tools.removeValue(forKey: id)
        flushOpenBlocks(of: id)
        let details = json["tool_use_result"] ?? .null
        let meta = json["tool_result_meta"]?.arrayValue?.first { $0["id"]?.stringValue == id }
        let isError = block["is_error"]?.boolValue ?? false
        let status: ToolStatus =
            meta?["non_execution_kind"]?.stringValue == "user-rejected" ? .cancelled : isError ? .failed : .completed
        let content = ClaudeDecoder.plainContent(block["content"] ?? "")
        emit(
            .toolResult(
                ToolResult(
                    itemId: id, nativeId: id, status: status, content: content,
                    exitCode: ClaudeDecoder.exitCode(record?.name, status, content, details),
                    parentItemId: json["parent_tool_use_id"]?.stringValue)))
        guard status == .completed, let record else { return }
        for diff in ClaudeDiffs.diffs(itemId: id, tool: record.name, arguments: record.arguments, result: details) {
            emit(.diff(diff))
        }
        if let entries = taskList.apply(tool: record.name, arguments: record.arguments, result: details) {
            emit(.plan(itemId: id, entries: entries))
        }
    }

    /// Text where there is only text, the blocks as they are where there is more (images).
    private static func plainContent(_ content: JSON) -> JSON {
        guard let blocks = content.arrayValue else { return content }
        var texts: [String] = []
        for block in blocks {
            guard block["type"]?.stringValue == "text", let text = block["text"]?.stringValue else { return content }
            texts.append(text)
        }
        return .string(texts.joined(separator: "\n"))
    }

    /// Claude Code tells a command's exit code only in words, and only when it isn't 0.
    private static func exitCode(_ tool: String?, _ status: ToolStatus, _ content: JSON, _ details: JSON) -> Int? {
        guard tool == "Bash" else { return nil }
        switch status {
        case .completed:
            guard details["stdout"] != nil, details["backgroundTaskId"] == nil,
                details["interrupted"]?.boolValue != true
            else { return nil }
            return 0
        case .failed:
            guard let text = content.stringValue, text.hasPrefix("Exit code ") else { return nil }
            return Int(text.dropFirst(10).prefix { $0.isASCII && $0.isNumber })
        default: return nil
        }
    }
}
