package import JSON
package import Providers

/// What an agent's question asks for, kept to translate the answers back.
package struct ElicitationForm: Equatable, Sendable {
    /// The schema's properties by name.
    let properties: JSONObject

    /// The answer's content: labels made values again, numbers and truth values given their types.
    package func content(_ answers: JSONObject) -> JSONObject {
        var content: JSONObject = [:]
        for (name, schema) in properties {
            guard let answer = answers[name], !answer.isNull else { continue }
            content[name] = ElicitationForm.value(answer, schema)
        }
        return content
    }

    private static func value(_ answer: JSON, _ schema: JSON) -> JSON {
        switch schema["type"]?.stringValue {
        case "array":
            let options = ElicitationForm.options(schema["items"])
            return .array((answer.arrayValue ?? [answer]).map { option(named: $0, options) })
        case "boolean":
            guard let text = answer.stringValue?.lowercased() else { return answer }
            return JSON(text == "yes" || text == "true")
        case "integer": return answer.stringValue.flatMap { Int($0) }.map { JSON($0) } ?? answer
        case "number": return answer.stringValue.flatMap { Double($0) }.map { JSON($0) } ?? answer
        default:
            // Several could be chosen of one: the first counts.
            return option(named: answer[0] ?? answer, options(schema))
        }
    }

    private static func option(named answer: JSON, _ options: [(label: String, value: String, JSON?)]) -> JSON {
        options.first { answer == JSON($0.label) }.map { JSON($0.value) } ?? answer
    }

    /// The choices that a property offers, titled or plain.
    fileprivate static func options(_ schema: JSON?) -> [(label: String, value: String, description: JSON?)] {
        if let titled = (schema?["oneOf"] ?? schema?["anyOf"])?.arrayValue {
            return titled.compactMap { option in
                option["const"]?.stringValue.map { (option["title"]?.stringValue ?? $0, $0, option["description"]) }
            }
        }
        return (schema?["enum"]?.arrayValue ?? []).compactMap { $0.stringValue }.map { ($0, $0, nil) }
    }
}

extension ACPDecoder {
    /// Takes the parameters of `session/request_permission`.
    ///
    /// Some agents tell of the tool call for the first time here: it gets its event first.
    package mutating func permission(_ params: JSON, into events: inout [NormalizedEvent]) -> PermissionRequest? {
        guard let toolCall = params["toolCall"]?.objectValue, let id = toolCall["toolCallId"]?.stringValue,
            let offered = params["options"]?.arrayValue
        else { return nil }
        closeText(into: &events)
        // A status here says that the call waits, which the request itself says better.
        var described = toolCall
        described["status"] = tools[id] == nil ? "pending" : nil
        if tools[id]?.isClosed != true { tools.update(.object(described), prefix: prefix, into: &events) }
        let state = tools[id]
        var seen: Set<String> = []
        let options = offered.compactMap { option -> PermissionOption? in
            guard let optionId = option["optionId"]?.stringValue, seen.insert(optionId).inserted else { return nil }
            // An unknown kind counts as a refusal: nothing must grant it that doesn't know what it is.
            let kind = option["kind"]?.stringValue.flatMap { PermissionOptionKind(rawValue: $0) } ?? .rejectOnce
            return PermissionOption(optionId: optionId, label: option["name"]?.stringValue ?? optionId, kind: kind)
        }
        let call = state?.call
        return PermissionRequest(
            requestId: identifier("p"), itemId: call?.itemId, nativeId: id, toolName: call?.name ?? id,
            title: call?.title ?? id, arguments: ACPDecoder.arguments(state), options: options,
            reason: state.flatMap { $0.text.isEmpty ? nil : $0.text })
    }

    /// What is asked about: the tool's arguments, or the change it would make when it tells only that.
    private static func arguments(_ state: ToolCalls.State?) -> JSON {
        guard let state else { return [:] }
        guard state.call.arguments == [:], !state.diffs.isEmpty else { return state.call.arguments }
        let changes = state.diffs.map { diff -> JSON in
            var change: JSONObject = ["path": JSON(diff.path)]
            change["oldText"] = diff.oldText.map { JSON($0) }
            change["newText"] = diff.newText.map { JSON($0) }
            return .object(change)
        }
        return changes.count == 1 ? changes[0] : ["changes": .array(changes)]
    }

    /// Takes the parameters of `elicitation/create` in form mode (ACP, stable since July 2026).
    package mutating func question(
        _ params: JSON, into events: inout [NormalizedEvent]
    ) -> (request: QuestionRequest, form: ElicitationForm)? {
        guard params["mode"]?.stringValue == "form", let schema = params["requestedSchema"],
            let properties = (schema["properties"] ?? [:]).objectValue, let message = params["message"]?.stringValue
        else { return nil }
        closeText(into: &events)
        var questions = properties.map { name, property in
            ACPDecoder.question(name, property, message: properties.count == 1 ? message : nil)
        }
        // Nothing to fill in: only whether to go on.
        if questions.isEmpty {
            questions = [
                Question(id: "", text: message, options: [QuestionOption(label: "Continue")], allowsOther: false)
            ]
        }
        let native = params["toolCallId"]?.stringValue
        let request = QuestionRequest(
            requestId: identifier("q"), itemId: native.map { tools.itemId(of: $0, prefix: prefix) }, nativeId: native,
            questions: questions, body: properties.count > 1 ? message : nil)
        return (request, ElicitationForm(properties: properties))
    }

    private static func question(_ name: String, _ property: JSON, message: String?) -> Question {
        let title = property["title"]?.stringValue
        let text = message ?? property["description"]?.stringValue ?? title ?? name
        let isMultiple = property["type"]?.stringValue == "array"
        var options = ElicitationForm.options(isMultiple ? property["items"] : property).map {
            QuestionOption(label: $0.label, description: $0.description?.stringValue)
        }
        if property["type"]?.stringValue == "boolean" {
            options = [QuestionOption(label: "Yes"), QuestionOption(label: "No")]
        }
        return Question(
            id: name, header: title == text ? nil : title, text: text, options: options, allowsMultiple: isMultiple,
            allowsOther: options.isEmpty)
    }
}
