import JSON
import Providers

extension ClaudeDecoder {
    mutating func system(_ json: JSON) {
        guard let subtype = json["subtype"]?.stringValue else { return custom("system", json) }
        switch subtype {
        case "init": initialized(json)
        case "status": sessionStatus(json)
        case "api_retry":
            retryDelay = json["retry_delay_ms"]?.doubleValue.map { $0 / 1000 }
            var data: JSONObject = [:]
            data["attempt"] = json["attempt"]
            data["maxAttempts"] = json["max_retries"]
            data["delayMs"] = json["retry_delay_ms"]
            data["httpStatus"] = json["error_status"]
            data["reason"] = json["error"]
            emit(.status(type: "retrying", data: data))
        case "task_started", "task_progress", "task_updated", "task_notification":
            backgroundTask(subtype, json)
        case "background_tasks_changed":
            let tasks = (json["tasks"]?.arrayValue ?? []).map { $0.objectValue.map { .object($0.camelCased) } ?? $0 }
            emit(.status(type: "background_tasks", data: ["tasks": .array(tasks)]))
        case "compact_boundary":
            emit(.status(type: "compacted", data: (json["compact_metadata"]?.objectValue ?? [:]).camelCased))
        case "thinking_tokens", "hook_started", "hook_progress": break
        case "hook_response": status("hook", json)
        case _ where ClaudeDecoder.statusSubtypes.contains(subtype): status(subtype, json)
        default: custom("system:\(subtype)", json)
        }
    }

    /// Subtypes that say something about the session's state and need no treatment of their own.
    private static let statusSubtypes: Set = [
        "permission_denied", "permission_retry", "model_fallback", "model_refusal_fallback",
        "model_refusal_no_fallback", "model_consent_fallback", "informational", "notification", "local_command",
        "session_state_changed", "session_title_changed", "turn_duration", "memory_saved", "memory_recall",
        "stop_hook_summary", "plugin_install", "task_summary", "post_turn_summary", "session_writes_lost",
        "scheduled_task_fire", "instruction_size_warning", "files_persisted", "per_turn_effort_changed",
        "mirror_error", "vcs_state_changed",
    ]

    private mutating func initialized(_ json: JSON) {
        let isFirst = nativeSessionId == nil
        nativeSessionId = json["session_id"]?.stringValue ?? nativeSessionId
        guard isFirst, let nativeSessionId else {
            if let model = json["model"]?.stringValue { noteModel(model) }
            if let mode = json["permissionMode"]?.stringValue { noteMode(mode) }
            return
        }
        model = json["model"]?.stringValue
        mode = json["permissionMode"]?.stringValue
        var details: JSONObject = [:]
        details["version"] = json["claude_code_version"]
        details["cwd"] = json["cwd"]
        details["tools"] = json["tools"]
        details["mcpServers"] = json["mcp_servers"]
        details["slashCommands"] = json["slash_commands"]
        details["apiKeySource"] = json["apiKeySource"]
        details["effort"] = effort.map { JSON($0) }
        emit(
            .sessionReady(
                SessionReady(
                    nativeSessionId: nativeSessionId, model: model, mode: mode, availableModels: catalogue.models,
                    availableModes: ClaudeDecoder.modes, availableEfforts: catalogue.efforts(of: model),
                    details: details)))
        output.effects.append(.conversationStarted)
    }

    /// The permission modes of Claude Code 2.1.329.
    package static let modes = ["default", "acceptEdits", "plan", "auto", "dontAsk", "bypassPermissions"]

    private mutating func sessionStatus(_ json: JSON) {
        if let mode = json["permissionMode"]?.stringValue { noteMode(mode) }
        if json["compact_result"] != nil || json["compact_error"] != nil {
            var data: JSONObject = [:]
            data["result"] = json["compact_result"]
            data["error"] = json["compact_error"]
            return emit(.status(type: "compaction_finished", data: data))
        }
        switch json["status"]?.stringValue {
        case nil, "requesting": break
        case "compacting": emit(.status(type: "compacting", data: [:]))
        case .some(let other): emit(.status(type: "activity", data: ["activity": JSON(other)]))
        }
    }

    private mutating func backgroundTask(_ subtype: String, _ json: JSON) {
        if subtype == "task_notification" { wakeReason = "background_task" }
        var data: JSONObject = ["event": JSON(String(subtype.dropFirst("task_".count)))]
        for (key, value) in json.objectValue ?? [:] {
            switch key {
            case "type", "subtype", "uuid", "session_id": break
            case "patch":
                for (key, value) in value.objectValue ?? [:] { data[camelCase(key)] = value }
            case "tool_use_id": data["itemId"] = value
            default: data[camelCase(key)] = value
            }
        }
        emit(.status(type: "background_task", data: data))
    }
}

extension JSONObject {
    fileprivate var camelCased: JSONObject {
        var result = JSONObject()
        for (key, value) in self { result[camelCase(key)] = value }
        return result
    }
}
