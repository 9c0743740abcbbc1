package import JSON
package import Providers

/// The parameters of what is asked of `codex app-server`. They are made here only, and a test holds each against the
/// schema that the program generates.
package enum CodexInput {
    package static func initialize(version: String) -> JSONObject {
        [
            "clientInfo": ["name": "codeai_hub", "title": "CodeAI Hub", "version": JSON(version)],
            "capabilities": [
                // For ending commands that outlive their turn, and for plan mode.
                "experimentalApi": true,
                "optOutNotificationMethods": JSON(CodexDecoder.ignoredMethods),
            ],
        ]
    }

    /// - Parameter mode: nil leaves it to the person's own configuration.
    package static func start(workspace: String, model: String?, mode: CodexMode?) -> JSONObject {
        thread(["cwd": JSON(workspace)], model, mode)
    }

    package static func resume(_ threadId: String, workspace: String, model: String?, mode: CodexMode?) -> JSONObject {
        thread(["threadId": JSON(threadId), "cwd": JSON(workspace), "excludeTurns": true], model, mode)
    }

    package static func fork(_ threadId: String, workspace: String, model: String?, mode: CodexMode?) -> JSONObject {
        thread(["threadId": JSON(threadId), "cwd": JSON(workspace), "excludeTurns": true], model, mode)
    }

    private static func thread(_ base: JSONObject, _ model: String?, _ mode: CodexMode?) -> JSONObject {
        var params = base
        params["model"] = model.map { JSON($0) }
        params["approvalPolicy"] = mode.map { JSON($0.approvalPolicy) }
        params["sandbox"] = mode.map { JSON($0.sandbox) }
        return params
    }

    /// What is to be different from this turn on.
    package struct Overrides: Equatable, Sendable {
        package var model: String?
        package var effort: String?
        package var mode: CodexMode?

        package init(model: String? = nil, effort: String? = nil, mode: CodexMode? = nil) {
            self.model = model
            self.effort = effort
            self.mode = mode
        }
    }

    /// - Parameters:
    ///   - model: what runs now; a collaboration mode can't be named without one.
    ///   - collaboration: what Codex is in now.
    package static func turn(
        _ threadId: String, _ prompt: Prompt, _ overrides: Overrides, model: String?, effort: String?,
        collaboration: String
    ) -> JSONObject {
        var params: JSONObject = ["threadId": JSON(threadId), "input": input(prompt)]
        params["model"] = overrides.model.map { JSON($0) }
        params["effort"] = overrides.effort.map { JSON($0) }
        if let mode = overrides.mode {
            params["approvalPolicy"] = JSON(mode.approvalPolicy)
            params["sandboxPolicy"] = ["type": JSON(mode.sandboxPolicy)]
        }
        let wanted = overrides.mode?.collaboration ?? collaboration
        // It takes precedence over model and effort, so it has to name them as well.
        if wanted != collaboration || wanted != "default" && overrides != Overrides(),
            let model = overrides.model ?? model
        {
            params["collaborationMode"] = [
                "mode": JSON(wanted),
                "settings": [
                    "model": JSON(model),
                    "reasoning_effort": (overrides.effort ?? effort).map { JSON($0) } ?? .null,
                    // Its own for that mode.
                    "developer_instructions": nil,
                ],
            ]
        }
        return params
    }

    package static func steer(_ threadId: String, turn: String, _ prompt: Prompt) -> JSONObject {
        ["threadId": JSON(threadId), "expectedTurnId": JSON(turn), "input": input(prompt)]
    }

    package static func interrupt(_ threadId: String, turn: String) -> JSONObject {
        ["threadId": JSON(threadId), "turnId": JSON(turn)]
    }

    package static func thread(_ threadId: String) -> JSONObject { ["threadId": JSON(threadId)] }

    package static func input(_ prompt: Prompt) -> JSON {
        var items: [JSON] = []
        let text = prompt.plainText { !$0.isImage }
        items.append(["type": "text", "text": JSON(text), "text_elements": []])
        for attachment in prompt.attachments where attachment.isImage {
            guard case .data(let base64) = attachment.content else { continue }
            items.append(["type": "image", "url": JSON("data:\(attachment.mediaType);base64,\(base64)")])
        }
        return .array(items)
    }
}
