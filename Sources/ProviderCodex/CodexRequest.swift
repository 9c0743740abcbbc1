package import JSON
package import Providers

/// A request of Codex's that waits for its answer, and how each answer is put.
package struct CodexRequest: Equatable, Sendable {
    /// One of the decisions that a request offers.
    package struct Choice: Equatable, Sendable {
        package var optionId: String
        package var label: String
        package var kind: PermissionOptionKind
        /// The whole answer that it comes to.
        package var answer: JSON
    }

    package enum Kind: Equatable, Sendable {
        /// - Parameter cancelled: the answer when nobody decides.
        case permission([Choice], cancelled: JSON)
        case questions
        case form(CodexForm)
    }

    package var requestId: String
    /// The server's own identifier.
    package var id: JSON
    package var threadId: String
    package var kind: Kind

    package var options: [PermissionOption] {
        guard case .permission(let choices, _) = kind else { return [] }
        return choices.map { PermissionOption(optionId: $0.optionId, label: $0.label, kind: $0.kind) }
    }

    /// The `result` of the answer.
    package func reply(_ decision: PermissionDecision) -> JSON {
        guard case .permission(let choices, let cancelled) = kind else { return reply(answers: nil) }
        guard case .option(let id) = decision, let choice = choices.first(where: { $0.optionId == id }) else {
            return cancelled
        }
        return choice.answer
    }

    /// - Parameter answers: by question; nil: declined.
    package func reply(answers: JSONObject?) -> JSON {
        switch kind {
        case .permission(_, let cancelled): return cancelled
        case .form(let form): return form.reply(answers)
        case .questions:
            var given = JSONObject()
            for (question, answer) in answers ?? [:] {
                let words = answer.arrayValue?.map(CodexForm.text) ?? [CodexForm.text(answer)]
                given[question] = ["answers": JSON(words)]
            }
            return ["answers": .object(given)]
        }
    }
}

/// The decisions that Codex offers about a command or a change of files.
enum CodexDecisions {
    /// What is offered when a request doesn't say: all that the protocol has for every request.
    static let usual: [JSON] = ["accept", "acceptForSession", "decline", "cancel"]

    /// Exactly what was offered, in that order; and to decline, which Codex takes always though it often only offers to
    /// cancel. A decision that this adapter can't put into words isn't offered.
    static func choices(_ offered: [JSON]?) -> [CodexRequest.Choice] {
        var choices: [CodexRequest.Choice] = []
        for decision in offered ?? usual {
            guard let choice = choice(decision), !choices.contains(where: { $0.optionId == choice.optionId }) else {
                continue
            }
            choices.append(choice)
        }
        if !choices.contains(where: { $0.optionId == "decline" }), let decline = choice("decline") {
            let index = choices.firstIndex { $0.optionId == "cancel" } ?? choices.count
            choices.insert(decline, at: index)
        }
        return choices
    }

    private static func choice(_ decision: JSON) -> CodexRequest.Choice? {
        func make(_ id: String, _ label: String, _ kind: PermissionOptionKind) -> CodexRequest.Choice {
            CodexRequest.Choice(optionId: id, label: label, kind: kind, answer: ["decision": decision])
        }
        if let word = decision.stringValue {
            switch word {
            case "accept": return make(word, "Allow once", .allowOnce)
            case "acceptForSession": return make(word, "Allow in this session", .allowAlways)
            case "decline": return make(word, "Reject", .rejectOnce)
            case "cancel": return make(word, "Reject and stop the turn", .rejectOnce)
            default: return nil
            }
        }
        if let words = decision["acceptWithExecpolicyAmendment"]?["execpolicy_amendment"]?.arrayValue {
            let command = words.compactMap(\.stringValue).joined(separator: " ")
            return make(
                "acceptWithExecpolicyAmendment", "Always allow commands that begin with `\(command)`", .allowAlways)
        }
        if let rule = decision["applyNetworkPolicyAmendment"]?["network_policy_amendment"],
            let host = rule["host"]?.stringValue, let action = rule["action"]?.stringValue
        {
            switch action {
            case "allow": return make("applyNetworkPolicyAmendment:allow:\(host)", "Always allow \(host)", .allowAlways)
            case "deny": return make("applyNetworkPolicyAmendment:deny:\(host)", "Never allow \(host)", .rejectAlways)
            default: return nil
            }
        }
        return nil
    }
}
