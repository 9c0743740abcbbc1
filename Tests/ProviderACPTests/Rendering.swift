import HubProtocol
import JSON
import Providers

/// An event on one line, for comparisons that people read.
func render(_ event: NormalizedEvent) -> String {
    func line(_ parts: String?...) -> String { parts.compactMap { $0 }.joined(separator: " ") }
    func quoted(_ text: String) -> String { JSON(text).description }
    func member(_ name: String, _ value: (some CustomStringConvertible)?) -> String? { value.map { "\(name)=\($0)" } }
    switch event {
    case .sessionReady(let ready):
        return line(
            "ready", ready.nativeSessionId, member("model", ready.model), member("mode", ready.mode),
            "models=\(ready.availableModels.joined(separator: ","))",
            "modes=\(ready.availableModes.joined(separator: ","))")
    case .turnStarted(let reason): return "turnStarted \(reason)"
    case .chunk(let id, let kind, let text): return "chunk \(id) \(kind.rawValue) \(quoted(text))"
    case .message(let message):
        return line(
            "message", message.itemId, message.role, quoted(message.text), member("parent", message.parentItemId),
            message.isPartial ? "partial" : nil)
    case .thinking(let id, _, let text, let parent):
        return line("thinking", id, quoted(text), member("parent", parent))
    case .toolCall(let call):
        return line(
            "toolCall", call.itemId, call.name, call.toolKind, call.status.rawValue, quoted(call.title),
            call.arguments.description, member("parent", call.parentItemId))
    case .toolResult(let result):
        return line(
            "toolResult", result.itemId, result.status.rawValue, result.content.description,
            member("exit", result.exitCode), member("parent", result.parentItemId))
    case .diff(let diff):
        return line("diff", diff.itemId, diff.path, diff.oldText.map(quoted), "->", diff.newText.map(quoted))
    case .plan(let id, let entries):
        return line("plan", id, entries.map { "\($0.status):\($0.content)" }.joined(separator: ", "))
    case .permissionRequested(let request):
        return line(
            "permission", request.requestId, member("item", request.itemId), request.toolName, quoted(request.title),
            request.arguments.description,
            request.options.map { "\($0.optionId)/\($0.kind.rawValue)/\($0.label)" }.joined(separator: ", "))
    case .questionRequested(let request):
        let questions = request.questions.map { question in
            "\(question.id):\(quoted(question.text))[\(question.options.map(\.label).joined(separator: "|"))]"
                + (question.allowsMultiple ? "*" : "") + (question.allowsOther ? "+" : "")
        }
        return line("question", request.requestId, questions.joined(separator: ", "))
    case .requestWithdrawn(let id): return "withdrawn \(id)"
    case .usage(let usage): return "usage \(usage.json.map { "\($0.key)=\($0.value)" }.joined(separator: " "))"
    case .quota(let quota): return "quota \(quota.status)"
    case .status(let type, let data):
        // Lists of commands are long and their agent's business.
        return type == "commands"
            ? "status commands \(data["commands"]?.arrayValue?.count ?? -1)" : "status \(type) \(JSON.object(data))"
    case .error(let failure):
        return line("error", failure.code, quoted(failure.message), member("retryAfter", failure.retryAfter))
    case .custom(let type, let data): return "custom \(type) \(data)"
    case .turnCompleted(let outcome):
        let usage = outcome.usage.map { $0.json.map { "\($0.key)=\($0.value)" }.joined(separator: " ") }
        return line("turnCompleted", outcome.status.rawValue, outcome.stopReason, usage)
    }
}
