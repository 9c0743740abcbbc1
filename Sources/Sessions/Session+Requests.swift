import EventLog
package import HubProtocol
package import JSON
import Providers

extension Session {
    /// The option that a client chose, or nil to cancel. The first valid answer wins.
    ///
    /// - Throws: `already_resolved`, `request_not_found`, `invalid_request` (no such option), `log_unavailable`.
    package func answerPermission(
        _ requestId: String, optionId: String?, message: String?, by client: ClientIdentity
    ) throws(Failure) -> JSONObject {
        let request = try pendingRequest(requestId, isQuestion: false)
        var data: JSONObject = ["requestId": JSON(requestId)]
        let decision: PermissionDecision
        if let optionId {
            let options = request.data["options"]?.arrayValue ?? []
            guard let option = options.first(where: { $0["optionId"]?.stringValue == optionId }) else {
                let offered = options.compactMap { $0["optionId"]?.stringValue }.joined(separator: ", ")
                throw Failure(
                    code: "invalid_request", message: "The request offers no option \(optionId); it offers: \(offered)."
                )
            }
            data["outcome"] = "selected"
            data["optionId"] = JSON(optionId)
            data["optionKind"] = option["kind"]
            decision = .option(optionId)
        } else {
            data["outcome"] = "cancelled"
            decision = .cancelled
        }
        try requireWritableLog()
        data["by"] = client.json
        appendResolution(of: request, data)
        log.afterCommit { [weak self] in
            self?.provider(of: request)?.answerPermission(requestId, decision, message: message)
        }
        announceChange()
        data["by"] = nil
        return data
    }

    /// The answers to a question by question id, or nil to decline.
    ///
    /// - Throws: as `answerPermission`; `invalid_request` also when a question is left without an answer.
    package func answerQuestion(
        _ requestId: String, answers: JSONObject?, by client: ClientIdentity
    ) throws(Failure) -> JSONObject {
        let request = try pendingRequest(requestId, isQuestion: true)
        var data: JSONObject = ["requestId": JSON(requestId), "outcome": answers == nil ? "declined" : "answered"]
        if let answers {
            try check(answers, against: request.data["questions"]?.arrayValue ?? [])
            data["answers"] = .object(answers)
        }
        try requireWritableLog()
        data["by"] = client.json
        appendResolution(of: request, data)
        log.afterCommit { [weak self] in
            self?.provider(of: request)?.answerQuestion(requestId, answers: answers)
        }
        announceChange()
        data["by"] = nil
        return data
    }

    private func check(_ answers: JSONObject, against questions: [JSON]) throws(Failure) {
        for question in questions {
            guard let id = question["id"]?.stringValue else { continue }
            if question["other"]?.boolValue == false { try checkOffered(answers[id], in: question) }
            switch answers[id] {
            case .string(_)?: break
            case .array(let several)? where question["multiple"]?.boolValue == true:
                guard several.allSatisfy({ $0.stringValue != nil }) else {
                    throw Failure(code: "invalid_request", message: "The answers to \"\(id)\" must be strings.")
                }
            case nil: throw Failure(code: "missing_field", message: "The question \"\(id)\" has no answer.")
            default: throw Failure(code: "invalid_request", message: "The answer to \"\(id)\" must be a string.")
            }
        }
        let known = Set(questions.compactMap { $0["id"]?.stringValue })
        for (key, _) in answers where !known.contains(key) {
            throw Failure(code: "invalid_request", message: "There is no question \"\(key)\".")
        }
    }

    /// Where nothing else is allowed, only what was offered counts.
    private func checkOffered(_ answer: JSON?, in question: JSON) throws(Failure) {
        let labels = (question["options"]?.arrayValue ?? []).compactMap { $0["label"]?.stringValue }
        let given = answer?.arrayValue ?? (answer.map { [$0] } ?? [])
        guard !labels.isEmpty, let wrong = given.compactMap(\.stringValue).first(where: { !labels.contains($0) })
        else { return }
        throw Failure(
            code: "invalid_request",
            message: "\"\(wrong.prefix(80))\" is not offered; offered are: \(labels.joined(separator: ", ")).")
    }

    private func pendingRequest(
        _ requestId: String, isQuestion: Bool
    ) throws(Failure) -> SessionState.PendingRequest {
        if let request = state.pending.first(where: { $0.requestId == requestId }) {
            guard request.isQuestion == isQuestion else {
                throw Failure(
                    code: "invalid_request",
                    message: request.isQuestion
                        ? "The request is a question; answer it as one."
                        : "The request is a permission; answer it with one of its options.")
            }
            return request
        }
        guard state.resolvedRequests.contains(requestId) else {
            throw Failure(code: "request_not_found", message: "There is no request \(requestId) in this session.")
        }
        throw Failure(code: "already_resolved", message: "The request was already resolved.")
    }

    private func appendResolution(
        of request: SessionState.PendingRequest, _ data: JSONObject
    ) {
        append(request.resolution(data, source: .user))
    }

    /// Who asked, if it still listens.
    func provider(of request: SessionState.PendingRequest) -> (any ProviderSession)? {
        seats[request.providerId ?? state.providerId]?.listening
    }

    /// Closes a request that nobody can answer any more.
    func resolveCancelled(_ request: SessionState.PendingRequest) { append(request.cancellation) }
}
