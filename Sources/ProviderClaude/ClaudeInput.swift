import JSON
import Providers

/// The lines that go to Claude's stdin. One that it can't read ends the process, so they are made here only.
enum ClaudeInput {
    static func user(_ prompt: Prompt, uuid: String) -> JSON {
        [
            "type": "user", "message": ["role": "user", "content": ClaudePrompt.content(prompt)],
            "parent_tool_use_id": nil,
            "session_id": "", "uuid": JSON(uuid),
        ]
    }

    static func control(_ subtype: String, id: String, _ members: JSONObject = [:]) -> JSON {
        let request: JSONObject = ["subtype": JSON(subtype)]
        return ["type": "control_request", "request_id": JSON(id), "request": .object(request.merging(members))]
    }

    static func reply(to requestId: String, _ response: JSON) -> JSON {
        [
            "type": "control_response",
            "response": ["subtype": "success", "request_id": JSON(requestId), "response": response],
        ]
    }

    static func refusal(of requestId: String, _ reason: String) -> JSON {
        [
            "type": "control_response",
            "response": ["subtype": "error", "request_id": JSON(requestId), "error": JSON(reason)],
        ]
    }

    static func line(_ json: JSON) -> [UInt8] {
        var bytes = json.serialize()
        bytes.append(0x0a)
        return bytes
    }

    /// - Parameters:
    ///   - newSession: the identifier that a new conversation gets, or a fork.
    ///   - resume: the conversation to go on with; with `newSession` as well, to fork from.
    ///   - extra: what the manifest and the configuration add, at the end, where it overrides.
    static func arguments(
        newSession: String?, resume: String?, model: String?, mode: String?, effort: String?, extra: [String]
    ) -> [String] {
        var arguments = [
            "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose",
            "--include-partial-messages", "--permission-prompt-tool", "stdio",
        ]
        if let newSession { arguments += ["--session-id", newSession] }
        // With `=`, so that no identifier can ever be read as an option.
        if let resume { arguments.append("--resume=\(resume)") }
        if resume != nil, newSession != nil { arguments.append("--fork-session") }
        if let model { arguments.append("--model=\(model)") }
        if let mode { arguments.append("--permission-mode=\(mode)") }
        if let effort { arguments.append("--effort=\(effort)") }
        return arguments + extra
    }
}
