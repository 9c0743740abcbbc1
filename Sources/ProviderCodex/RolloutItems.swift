import Base
import JSON
import Providers

/// Rollouts name things otherwise than the app-server does: what they hold is put into its words, so that both look
/// the same.
enum RolloutItems {
    /// An item of the app-server's kind; nil for one that is no work of a tool.
    static func item(_ item: JSON) -> JSON? {
        guard let type = item["type"]?.stringValue, let first = type.first else { return nil }
        let name = first.lowercased() + type.dropFirst()
        guard CodexItems.tools.contains(name), var object = camelCased(item).objectValue else { return nil }
        object["type"] = JSON(name)
        if let words = item["command"]?.arrayValue { object["command"] = JSON(commandLine(words)) }
        if let changes = item["changes"]?.objectValue { object["changes"] = .array(changes.map(change)) }
        // What is in another place there.
        for key in ["parsedCmd", "duration", "cwd", "stdout", "stderr"] { object[key] = nil }
        if let cwd = item["cwd"]?.stringValue {
            object["cwd"] = JSON(cwd.hasPrefix("file://") ? String(cwd.dropFirst(7)) : cwd)
        }
        if let actions = item["parsed_cmd"]?.arrayValue {
            object["commandActions"] = .array(
                actions.map { ["type": $0["type"] ?? "unknown", "command": $0["cmd"] ?? ""] })
        }
        return .object(object)
    }

    /// The same of the events of earlier versions.
    static func item(ofEnd event: JSON) -> JSON? {
        guard var object = event.objectValue else { return nil }
        switch event["type"]?.stringValue {
        case "exec_command_end":
            object["type"] = "CommandExecution"
            object["status"] = event["exit_code"]?.intValue == 0 ? "completed" : "failed"
            object["aggregated_output"] = event["aggregated_output"] ?? event["formatted_output"] ?? event["stdout"]
        case "patch_apply_end":
            object["type"] = "FileChange"
            object["status"] = event["success"]?.boolValue == false ? "failed" : "completed"
        default: return nil
        }
        for key in ["call_id", "turn_id", "interaction_input", "formatted_output", "success"] { object[key] = nil }
        return item(.object(object))
    }

    private static func change(_ change: (key: String, value: JSON)) -> JSON {
        let type = change.value["type"]?.stringValue ?? "update"
        var kind: JSONObject = ["type": JSON(type)]
        if let target = change.value["move_path"], !target.isNull { kind["movePath"] = target }
        return [
            "path": JSON(change.key), "kind": .object(kind),
            "diff": (type == "update" ? change.value["unified_diff"] : change.value["content"]) ?? "",
        ]
    }

    /// The words of a command as one would write them.
    private static func commandLine(_ words: [JSON]) -> String {
        words.compactMap(\.stringValue).map { word in
            let isPlain =
                !word.isEmpty
                && word.utf8.allSatisfy { byte in
                    switch byte {
                    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                    default: "-_./=:,@+%".utf8.contains(byte)
                    }
                }
            return isPlain
                ? word
                : "'"
                    + word.split(separator: "'", omittingEmptySubsequences: false)
                    .joined(separator: "'\\''") + "'"
        }.joined(separator: " ")
    }

    /// Members in the app-server's style, all the way down.
    static func camelCased(_ json: JSON, depth: Int = 0) -> JSON {
        guard depth < 16 else { return json }
        switch json {
        case .string(let word) where depth == 0: return JSON(liveName(word))
        case .array(let elements): return .array(elements.map { camelCased($0, depth: depth + 1) })
        case .object(let object):
            var result = JSONObject()
            for (key, value) in object { result[liveName(key)] = camelCased(value, depth: depth + 1) }
            return .object(result)
        default: return json
        }
    }

    /// Names of methods stay as they are.
    private static func liveName(_ name: String) -> String {
        name.utf8.contains(UInt8(ascii: "/")) ? name : camelCase(name)
    }

    // MARK: Calls as the model makes them

    static func kind(_ name: String) -> String {
        switch name {
        case "exec_command", "shell", "shell_command", "local_shell", "write_stdin", "container.exec": "execute"
        case "apply_patch": "edit"
        case "update_plan": "think"
        case "view_image", "read_file": "read"
        case "list_dir", "grep_files": "search"
        default: "other"
        }
    }

    static func title(_ name: String, _ arguments: JSON) -> String {
        let words = (arguments["command"]?.arrayValue).map(commandLine)
        let text =
            arguments["cmd"]?.stringValue ?? arguments["command"]?.stringValue ?? words
            ?? (name == "update_plan" ? "Update the plan" : nil)
        return CodexItems.oneLine(text ?? name, limit: 200)
    }

    /// The text that the model was given, and the exit code it tells of.
    static func output(_ output: JSON) -> (String, Int?) {
        var text = output.stringValue ?? (output["content"]?.stringValue).map { $0 } ?? ""
        if let parts = output.arrayValue { text = parts.compactMap { $0["text"]?.stringValue }.joined(separator: "\n") }
        // Earlier versions: the text is JSON with the output in it.
        if text.hasPrefix("{"), let json = try? JSON.parse(text), let inner = json["output"]?.stringValue {
            return (inner, json["metadata"]?["exit_code"]?.intValue)
        }
        for mark in ["Process exited with code ", "Exit code: "] {
            guard let range = text.prefix(512).firstRange(ofText: mark) else { continue }
            let digits = text[range.upperBound...].prefix { $0.isASCII && ($0.isNumber || $0 == "-") }
            let body = text.firstRange(ofText: "\nOutput:\n").map { String(text[$0.upperBound...]) } ?? text
            return (body, Int(digits))
        }
        // It goes on in the background.
        if text.hasPrefix("Chunk ID:"), let start = text.prefix(512).firstRange(ofText: "\nOutput:\n") {
            return (String(text[start.upperBound...]), nil)
        }
        return (text, nil)
    }

    static func plan(_ arguments: JSON) -> [PlanEntry]? {
        guard let steps = arguments["plan"]?.arrayValue else { return nil }
        return steps.map { step in
            let status = step["status"]?.stringValue ?? "pending"
            return PlanEntry(
                content: step["step"]?.stringValue ?? "",
                status: ["pending", "in_progress", "completed"].contains(status) ? status : "pending")
        }
    }
}
