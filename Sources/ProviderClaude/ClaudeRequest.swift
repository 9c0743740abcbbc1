package import JSON
package import Providers

/// A request of Claude's that waits for its answer, and how each answer is put.
package struct ClaudeRequest: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case permission([ClaudePermissions.Choice])
        case question
        case planApproval
    }

    package var requestId: String
    package var kind: Kind
    /// What the tool was called with; an allowed call gets it back.
    package var input: JSON
    package var questions: [Question]

    package init(requestId: String, kind: Kind, input: JSON, questions: [Question] = []) {
        self.requestId = requestId
        self.kind = kind
        self.input = input
        self.questions = questions
    }

    static let approve = "Approve"
    static let keepPlanning = "Keep planning"
    /// What is asked about a plan. Another answer than these two is passed on as what to change.
    static let planQuestion = Question(
        id: "decision", header: "Plan", text: "Approve this plan and let Claude start?",
        options: [
            QuestionOption(label: approve, description: "Leave plan mode and carry it out"),
            QuestionOption(label: keepPlanning, description: "Stay in plan mode"),
        ])

    /// The `response` of the control response.
    package func reply(_ decision: PermissionDecision, message: String?) -> JSON {
        guard case .option(let optionId) = decision, case .permission(let choices) = kind else {
            return ClaudeRequest.deny("The request was cancelled; nobody allowed it.")
        }
        switch optionId {
        case ClaudePermissions.allowOnce:
            return ["behavior": "allow", "updatedInput": input]
        case _ where choices.contains { $0.optionId == optionId }:
            let updates = choices.filter { $0.optionId == optionId }.map(\.suggestion)
            return ["behavior": "allow", "updatedInput": input, "updatedPermissions": .array(updates)]
        default:
            return ClaudeRequest.deny(message ?? "The user did not allow this.")
        }
    }

    /// - Parameter answers: by question; nil: declined.
    package func reply(answers: JSONObject?) -> JSON {
        guard let answers else { return ClaudeRequest.deny("The user declined to answer.") }
        switch kind {
        case .planApproval:
            let words =
                answers["decision"].map(ClaudeRequest.text) ?? answers.first.map { ClaudeRequest.text($0.value) }
            switch words?.lowercased() {
            case "approve", "yes", "true": return ["behavior": "allow", "updatedInput": input]
            case nil, "", ClaudeRequest.keepPlanning.lowercased():
                return ClaudeRequest.deny("The user wants you to keep planning.")
            default: return ClaudeRequest.deny(words ?? "")
            }
        case .question, .permission:
            var object = input.objectValue ?? [:]
            var given: JSONObject = [:]
            for (question, answer) in answers { given[question] = .string(ClaudeRequest.text(answer)) }
            object["answers"] = .object(given)
            return ["behavior": "allow", "updatedInput": .object(object)]
        }
    }

    /// Several chosen options go as one text, the way Claude Code's own dialog gives them.
    private static func text(_ answer: JSON) -> String {
        switch answer {
        case .string(let text): text
        case .array(let parts): parts.map(text).joined(separator: ", ")
        default: answer.description
        }
    }

    private static func deny(_ message: String) -> JSON { ["behavior": "deny", "message": JSON(message)] }
}

/// The choices that a permission request offers.
package enum ClaudePermissions {
    /// A rule that Claude suggested, to be echoed back when it is chosen.
    package struct Choice: Equatable, Sendable {
        package var optionId: String
        package var label: String
        package var suggestion: JSON
    }

    static let allowOnce = "allow_once"
    static let rejectOnce = "reject_once"

    static func options(_ choices: [Choice]) -> [PermissionOption] {
        var options = [PermissionOption(optionId: allowOnce, label: "Allow once", kind: .allowOnce)]
        for choice in choices {
            options.append(PermissionOption(optionId: choice.optionId, label: choice.label, kind: .allowAlways))
        }
        options.append(PermissionOption(optionId: rejectOnce, label: "Reject", kind: .rejectOnce))
        return options
    }

    /// One choice for each suggestion: who allows one command for good has not agreed to all edits as well. A
    /// suggestion that can't be put into words isn't offered.
    static func choices(_ suggestions: [JSON]) -> [Choice] {
        var choices: [Choice] = []
        for suggestion in suggestions {
            guard let label = label(suggestion) else { continue }
            let optionId = choices.isEmpty ? "allow_always" : "allow_always_\(choices.count + 1)"
            choices.append(Choice(optionId: optionId, label: label, suggestion: suggestion))
        }
        return choices
    }

    private static func label(_ suggestion: JSON) -> String? {
        let whole = scope(suggestion["destination"]?.stringValue)
        switch suggestion["type"]?.stringValue {
        case "addRules", "replaceRules":
            guard suggestion["behavior"]?.stringValue ?? "allow" == "allow" else { return nil }
            let rules = (suggestion["rules"]?.arrayValue ?? []).compactMap { rule -> String? in
                guard let tool = rule["toolName"]?.stringValue else { return nil }
                return rule["ruleContent"]?.stringValue.map { "\(tool)(\($0))" } ?? tool
            }
            return rules.isEmpty ? nil : "Always allow \(rules.joined(separator: ", ")) \(whole)"
        case "addDirectories":
            let folders = (suggestion["directories"]?.arrayValue ?? []).compactMap(\.stringValue)
            return folders.isEmpty ? nil : "Allow access to \(folders.joined(separator: ", ")) \(whole)"
        case "setMode":
            guard let mode = suggestion["mode"]?.stringValue else { return nil }
            return mode == "acceptEdits" ? "Allow all file edits \(whole)" : "Switch to mode \(mode) \(whole)"
        default:
            return nil
        }
    }

    private static func scope(_ destination: String?) -> String {
        switch destination {
        case "session", nil: "in this session"
        case "localSettings": "in this project, for you"
        case "projectSettings": "in this project, for everybody"
        case "userSettings": "in all your projects"
        case .some(let other): "(\(other))"
        }
    }
}
