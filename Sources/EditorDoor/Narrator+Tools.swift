import Client
import JSON

/// A tool call as the editor has been told of it. An update of its content replaces the whole of it.
struct ToolStory {
    var kind: String
    var diffs: [JSON] = []
    var paths: [String] = []
    /// What it put out, when it has ended.
    var result: [JSON] = []
    /// The end of what it has put out so far.
    var output = ""
    /// Whether output was shown in pieces.
    var hasStreamed = false
    /// Its output has a terminal of its own in the editor.
    var hasTerminal = false

    /// Diffs say what an edit did better than the tool's own words.
    var content: JSON {
        let isEdit = ["edit", "delete", "move"].contains(kind)
        return .array(isEdit && !diffs.isEmpty ? diffs : diffs + result)
    }
}

extension Narrator {
    /// Of a tool's output, the end is shown while it runs, and so much when it has ended.
    private static let liveOutputBytes = 16 << 10
    private static let resultBytes = 1 << 20
    /// Ended calls of a turn whose content is kept.
    private static let keptCalls = 16
    private static let kinds: Set = ["read", "edit", "delete", "move", "search", "execute", "think", "fetch"]

    mutating func toolCall(_ event: LogEvent) -> [JSONObject] {
        let data = event.data
        let id = event.itemId ?? "call-\(event.seq)"
        let isNew = calls[id] == nil
        let named = data["toolKind"]?.stringValue ?? ""
        let kind = Narrator.kinds.contains(named) ? named : "other"
        var call = calls[id] ?? ToolStory(kind: kind)
        call.kind = kind
        call.paths = paths(in: data["args"])
        var update: JSONObject = [
            "sessionUpdate": isNew ? "tool_call" : "tool_call_update", "toolCallId": JSON(id),
            "title": data["title"] ?? data["name"] ?? "", "kind": JSON(kind),
            "status": data["status"]?.stringValue == "pending" ? "pending" : "in_progress",
        ]
        update["rawInput"] = data["args"]
        if !call.paths.isEmpty { update["locations"] = Narrator.locations(call.paths) }
        var meta: JSONObject = [:]
        meta["tool_name"] = data["name"]
        if let parent = data["parentItemId"] { meta["codeai-hub"] = ["parentToolCallId": parent] }
        if isNew, kind == "execute", takesTerminalOutput {
            call.hasTerminal = true
            update["content"] = [["type": "terminal", "terminalId": JSON(id)]]
            meta["terminal_info"] = ["terminal_id": JSON(id), "cwd": JSON(workspace)]
        }
        update["_meta"] = .object(meta)
        calls[id] = call
        return [update]
    }

    mutating func toolResult(_ event: LogEvent) -> [JSONObject] {
        let id = event.itemId ?? "call-\(event.seq)"
        var updates: [JSONObject] = []
        if calls[id] == nil {
            calls[id] = ToolStory(kind: "other")
            updates.append([
                "sessionUpdate": "tool_call", "toolCallId": JSON(id), "title": "Tool", "kind": "other",
                "status": "in_progress",
            ])
        }
        guard var call = calls[id] else { return updates }
        unshown.remove(id)
        let text = Narrator.text(event.data["content"])
        call.result = Narrator.content(
            event.data["content"], fenced: ["execute", "read", "search"].contains(call.kind))
        call.output = ""
        var update: JSONObject = [
            "sessionUpdate": "tool_call_update", "toolCallId": JSON(id),
            "status": event.data["status"]?.stringValue == "completed" ? "completed" : "failed",
        ]
        if let code = event.data["exitCode"] { update["rawOutput"] = ["exitCode": code] }
        if call.hasTerminal {
            var meta: JSONObject = [:]
            if !call.hasStreamed, let text, !text.isEmpty {
                meta["terminal_output"] = ["terminal_id": JSON(id), "data": JSON(Narrator.clipped(text))]
            }
            meta["terminal_exit"] = [
                "terminal_id": JSON(id), "exit_code": event.data["exitCode"] ?? .null, "signal": .null,
            ]
            update["_meta"] = .object(meta)
        } else {
            update["content"] = call.content
        }
        calls[id] = call
        ended.append(id)
        forgetContents()
        return updates + [update]
    }

    /// A turn may have thousands of calls: of those that ended long ago, what they put out isn't kept.
    private mutating func forgetContents() {
        while ended.count > Narrator.keptCalls {
            let id = ended.removeFirst()
            calls[id]?.result = []
            calls[id]?.diffs = []
        }
    }

    mutating func diff(_ event: LogEvent) -> [JSONObject] {
        guard let path = event.data["path"]?.stringValue.map(absolute) else { return [] }
        let id = event.itemId ?? "diff-\(event.seq)"
        let blocks = Narrator.diffs(event.data, path: path)
        guard var call = calls[id] else {
            calls[id] = ToolStory(kind: "edit", diffs: blocks, paths: [path])
            return [
                [
                    "sessionUpdate": "tool_call", "toolCallId": JSON(id), "title": JSON("Edit \(path)"),
                    "kind": "edit", "status": "completed", "content": .array(blocks),
                    "locations": Narrator.locations([path]),
                ]
            ]
        }
        call.diffs += blocks
        if !call.paths.contains(path) { call.paths.append(path) }
        calls[id] = call
        return [
            [
                "sessionUpdate": "tool_call_update", "toolCallId": JSON(id), "content": call.content,
                "locations": Narrator.locations(call.paths),
            ]
        ]
    }

    // MARK: Live output

    /// A piece of a running tool's output: shown at once in a terminal, else with what gathers until `takeOutput()`.
    mutating func takeOutput(_ text: String, of id: String) -> [JSONObject] {
        guard var call = calls[id] else { return [] }
        defer { calls[id] = call }
        call.hasStreamed = true
        if call.hasTerminal {
            return [
                [
                    "sessionUpdate": "tool_call_update", "toolCallId": JSON(id),
                    "_meta": ["terminal_output": ["terminal_id": JSON(id), "data": JSON(text)]],
                ]
            ]
        }
        call.output += text
        let surplus = call.output.utf8.count - Narrator.liveOutputBytes
        // Cut seldom: each cut copies.
        if surplus > Narrator.liveOutputBytes {
            call.output = String(decoding: call.output.utf8.dropFirst(surplus), as: UTF8.self)
        }
        unshown.insert(id)
        return []
    }

    var hasOutputToShow: Bool { !unshown.isEmpty }

    mutating func takeOutput() -> [JSONObject] {
        defer { unshown = [] }
        return unshown.sorted().compactMap { id in
            guard let call = calls[id] else { return nil }
            return [
                "sessionUpdate": "tool_call_update", "toolCallId": JSON(id), "status": "in_progress",
                "content": [Narrator.block(Narrator.fenced(call.output))],
            ]
        }
    }

    // MARK: Content

    static func block(_ text: String) -> JSON {
        ["type": "content", "content": ["type": "text", "text": JSON(text)]]
    }

    /// A result's text, when it is one.
    private static func text(_ content: JSON?) -> String? {
        guard let blocks = content?.arrayValue else { return content?.stringValue }
        let texts = blocks.compactMap { $0["type"] == "text" ? $0["text"]?.stringValue : nil }
        return texts.isEmpty ? nil : texts.joined(separator: "\n")
    }

    private static func content(_ content: JSON?, fenced isFenced: Bool) -> [JSON] {
        func shown(_ text: String) -> JSON { block(isFenced ? fenced(clipped(text)) : clipped(text)) }
        switch content {
        case .string(let text)?: return text.isEmpty ? [] : [shown(text)]
        case .array(let blocks)?:
            return blocks.compactMap { part in
                switch part["type"]?.stringValue {
                case "text": part["text"]?.stringValue.map(shown)
                case "resource_link", "resource", "audio": ["type": "content", "content": part]
                case "image": image(part).map { ["type": "content", "content": $0] }
                default: shown(part.description)
                }
            }
        case .null?, nil: return []
        case let other?: return [shown(other.description)]
        }
    }

    /// An image as ACP has it, also of one as the Messages API has it.
    private static func image(_ part: JSON) -> JSON? {
        let data = (part["data"] ?? part["source"]?["data"])?.stringValue
        let type = (part["mimeType"] ?? part["source"]?["media_type"])?.stringValue
        guard let data, let type else { return nil }
        return ["type": "image", "data": JSON(data), "mimeType": JSON(type)]
    }

    private static func clipped(_ text: String) -> String {
        guard text.utf8.count > resultBytes else { return text }
        let start = pieces(of: text, of: resultBytes)[0]
        return "\(start)\n[\(text.utf8.count - start.utf8.count) bytes more are in the session's log]"
    }

    /// As code, so that nothing in it is taken for Markdown.
    static func fenced(_ text: String) -> String {
        var longest = 2
        var run = 0
        for byte in text.utf8 {
            run = byte == UInt8(ascii: "`") ? run + 1 : 0
            longest = max(longest, run)
        }
        let fence = String(repeating: "`", count: longest + 1)
        return "\(fence)\n\(text)\(text.hasSuffix("\n") ? "" : "\n")\(fence)"
    }

    /// The log has old and new text, or a unified diff, of which each hunk becomes one.
    private static func diffs(_ data: JSONObject, path: String) -> [JSON] {
        func diff(_ old: JSON?, _ new: String) -> JSON {
            var object: JSONObject = ["type": "diff", "path": JSON(path), "newText": JSON(new)]
            if let old, !old.isNull { object["oldText"] = old }
            return .object(object)
        }
        if let new = data["newText"]?.stringValue { return [diff(data["oldText"], new)] }
        if let unified = data["unified"]?.stringValue {
            let hunks = UnifiedDiff.hunks(unified)
            if !hunks.isEmpty { return hunks.map { diff(JSON($0.old), $0.new) } }
            return [block(fenced(unified))]
        }
        // Deleted, or not told.
        return data["oldText"].map { [diff($0, "")] } ?? []
    }

    // MARK: Paths

    private func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : workspace + "/" + path }

    private func paths(in arguments: JSON?) -> [String] {
        for name in ["file_path", "path", "notebook_path", "filePath", "abs_path"] {
            if let path = arguments?[name]?.stringValue, !path.isEmpty { return [absolute(path)] }
        }
        return []
    }

    private static func locations(_ paths: [String]) -> JSON { .array(paths.map { ["path": JSON($0)] }) }
}
