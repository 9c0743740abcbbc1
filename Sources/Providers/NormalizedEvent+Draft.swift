package import HubProtocol
package import JSON

extension NormalizedEvent {
    /// The durable event that this becomes in the log; nil for what is not logged as such (chunks) or what the session
    /// layer writes itself because more belongs to it (turns, requests).
    package func draft(providerId: String, turnId: String?) -> EventDraft? {
        func draft(
            _ kind: EventKind, itemId: String? = nil, nativeId: String? = nil, _ data: JSONObject
        ) -> EventDraft {
            EventDraft(
                kind, source: .agent, turnId: turnId, itemId: itemId, providerId: providerId, nativeId: nativeId,
                data: data)
        }
        switch self {
        case .message(let message):
            var data: JSONObject = ["role": JSON(message.role), "content": JSON(message.text)]
            data["parentItemId"] = message.parentItemId.map { JSON($0) }
            if message.isPartial { data["partial"] = true }
            return draft(.message, itemId: message.itemId, nativeId: message.nativeId, data)
        case .thinking(let itemId, let nativeId, let text, let parent):
            var data: JSONObject = ["content": JSON(text)]
            data["parentItemId"] = parent.map { JSON($0) }
            return draft(.thinking, itemId: itemId, nativeId: nativeId, data)
        case .toolCall(let call):
            var data: JSONObject = [
                "name": JSON(call.name), "title": JSON(call.title), "toolKind": JSON(call.toolKind),
                "args": call.arguments, "status": JSON(call.status.rawValue),
            ]
            data["parentItemId"] = call.parentItemId.map { JSON($0) }
            return draft(.toolCall, itemId: call.itemId, nativeId: call.nativeId, data)
        case .toolResult(let result):
            var data: JSONObject = ["status": JSON(result.status.rawValue), "content": result.content]
            data["exitCode"] = result.exitCode.map { JSON($0) }
            data["parentItemId"] = result.parentItemId.map { JSON($0) }
            return draft(.toolResult, itemId: result.itemId, nativeId: result.nativeId, data)
        case .diff(let diff):
            var data: JSONObject = ["path": JSON(diff.path)]
            data["oldText"] = diff.oldText.map { JSON($0) }
            data["newText"] = diff.newText.map { JSON($0) }
            data["unified"] = diff.unified.map { JSON($0) }
            return draft(.diff, itemId: diff.itemId, data)
        case .plan(let itemId, let entries):
            return draft(.plan, itemId: itemId, ["entries": .array(entries.map { .object($0.json) })])
        case .usage(let usage):
            return draft(.usage, usage.json)
        case .quota(let quota):
            return draft(.quota, quota.json)
        case .status(let type, let data):
            return draft(.status, (["type": JSON(type)] as JSONObject).merging(data))
        case .error(let failure):
            return draft(.error, failure.json)
        case .custom(let type, let data):
            return draft(.custom, ["providerId": JSON(providerId), "type": JSON(type), "data": data])
        case .sessionReady, .turnStarted, .chunk, .permissionRequested, .questionRequested, .requestWithdrawn,
            .turnCompleted:
            return nil
        }
    }
}

extension PlanEntry {
    package var json: JSONObject {
        var object: JSONObject = ["content": JSON(content), "status": JSON(status)]
        object["priority"] = priority.map { JSON($0) }
        return object
    }
}

extension Usage {
    package var json: JSONObject {
        var object: JSONObject = ["input": JSON(input), "output": JSON(output), "cached": JSON(cached)]
        object["costUsd"] = costUsd.map { JSON($0) }
        object["contextUsed"] = contextUsed.map { JSON($0) }
        object["contextWindow"] = contextWindow.map { JSON($0) }
        object["model"] = model.map { JSON($0) }
        return object
    }
}

extension Quota {
    package var json: JSONObject {
        var object: JSONObject = ["status": JSON(status)]
        object["resetsAt"] = resetsAt.map { JSON($0) }
        object["window"] = window.map { JSON($0) }
        object["utilization"] = utilization.map { JSON($0) }
        return object
    }
}

extension PermissionRequest {
    package var json: JSONObject {
        var object: JSONObject = [
            "requestId": JSON(requestId), "tool": JSON(toolName), "title": JSON(title), "args": arguments,
            "options": .array(
                options.map {
                    ["optionId": JSON($0.optionId), "label": JSON($0.label), "kind": JSON($0.kind.rawValue)]
                }),
        ]
        object["reason"] = reason.map { JSON($0) }
        return object
    }
}

extension QuestionRequest {
    package var json: JSONObject {
        var object: JSONObject = [
            "requestId": JSON(requestId), "purpose": JSON(purpose),
            "questions": .array(questions.map { .object($0.json) }),
        ]
        object["body"] = body.map { JSON($0) }
        return object
    }
}

extension Question {
    package var json: JSONObject {
        var object: JSONObject = [
            "id": JSON(id), "text": JSON(text), "multiple": JSON(allowsMultiple), "other": JSON(allowsOther),
            "options": .array(
                options.map { option in
                    var object: JSONObject = ["label": JSON(option.label)]
                    object["description"] = option.description.map { JSON($0) }
                    return .object(object)
                }),
        ]
        object["header"] = header.map { JSON($0) }
        return object
    }
}
