import JSON
import Providers

// What Claude asks of us: permissions, questions, approval of a plan.
extension ClaudeDecoder {
    mutating func controlRequest(_ json: JSON) {
        guard let id = json["request_id"]?.stringValue, let request = json["request"],
            let subtype = request["subtype"]?.stringValue
        else { return custom("control_request", json) }
        guard subtype == "can_use_tool", let tool = request["tool_name"]?.stringValue else {
            output.effects.append(.unsupportedRequest(requestId: id, subtype: subtype))
            return custom("control_request:\(subtype)", request)
        }
        let input = request["input"] ?? [:]
        let itemId = request["tool_use_id"]?.stringValue
        switch tool {
        case "AskUserQuestion":
            let questions = (input["questions"]?.arrayValue ?? []).compactMap(ClaudeDecoder.question)
            guard !questions.isEmpty else { fallthrough }
            output.effects.append(
                .requested(ClaudeRequest(requestId: id, kind: .question, input: input, questions: questions)))
            emit(
                .questionRequested(
                    QuestionRequest(requestId: id, itemId: itemId, nativeId: itemId, questions: questions)))
        case "ExitPlanMode":
            let pending = ClaudeRequest(requestId: id, kind: .planApproval, input: input)
            // The request itself comes without the plan; the call may have it, else it is in a file of Claude's.
            let arguments = itemId.flatMap { tools[$0]?.arguments }
            let question = QuestionRequest(
                requestId: id, itemId: itemId, nativeId: itemId, purpose: "plan_approval",
                questions: [ClaudeRequest.planQuestion],
                body: input["plan"]?.stringValue ?? arguments?["plan"]?.stringValue)
            if question.body == nil {
                output.effects.append(.planNeeded(pending, question))
            } else {
                output.effects.append(.requested(pending))
                emit(.questionRequested(question))
            }
        default:
            let choices = ClaudePermissions.choices(request["permission_suggestions"]?.arrayValue ?? [])
            output.effects.append(
                .requested(ClaudeRequest(requestId: id, kind: .permission(choices), input: input)))
            emit(
                .permissionRequested(
                    PermissionRequest(
                        requestId: id, itemId: itemId, nativeId: itemId, toolName: tool,
                        title: ClaudeTools.title(tool, input), arguments: input,
                        options: ClaudePermissions.options(choices),
                        reason: request["decision_reason"]?.stringValue ?? request["description"]?.stringValue)))
        }
    }

    /// The answers are keyed by the question's text, so that is its identifier.
    private static func question(_ json: JSON) -> Question? {
        guard let text = json["question"]?.stringValue else { return nil }
        let options = (json["options"]?.arrayValue ?? []).compactMap { option -> QuestionOption? in
            guard let label = option["label"]?.stringValue ?? option.stringValue else { return nil }
            return QuestionOption(label: label, description: option["description"]?.stringValue)
        }
        return Question(
            id: text, header: json["header"]?.stringValue, text: text, options: options,
            allowsMultiple: json["multiSelect"]?.boolValue ?? false)
    }
}
