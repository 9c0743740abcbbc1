import ACPMessages
import Client
import JSON

/// A permission or question that the agent waits for.
struct PendingRequest {
    let requestId: String
    let itemId: String?
    let isQuestion: Bool
    let data: JSONObject
    /// The editor's dialog.
    var dialog: Int?
    /// The editor can't ask this, or can't be asked any more: somebody else has to answer.
    var isElsewhere = false
}

/// What the agent asks is asked in the editor, as everywhere: the first answer counts.
extension DoorSession {
    func note(request data: JSONObject, itemId: String?, isQuestion: Bool) {
        guard let requestId = data["requestId"]?.stringValue, !pending.contains(where: { $0.requestId == requestId })
        else { return }
        pending.append(PendingRequest(requestId: requestId, itemId: itemId, isQuestion: isQuestion, data: data))
        if isLive { askEditor() }
    }

    /// Somebody answered, or nobody can any more.
    func resolved(_ data: JSONObject) {
        guard let index = pending.firstIndex(where: { $0.requestId == data["requestId"]?.stringValue }) else { return }
        let request = pending.remove(at: index)
        guard let dialog = request.dialog else { return }
        door.editor.withdraw(dialog)
        // For editors that don't know how to take a request back, but close a dialog when its tool goes on.
        guard !request.isQuestion else { return }
        let isAllowed = data["optionKind"]?.stringValue?.hasPrefix("allow") == true
        tell([
            "sessionUpdate": "tool_call_update", "toolCallId": JSON(request.itemId ?? request.requestId),
            "status": isAllowed ? "in_progress" : "failed",
        ])
    }

    func withdrawAll() {
        for request in pending { if let dialog = request.dialog { door.editor.withdraw(dialog) } }
        pending = []
    }

    /// Shows the dialogs that are not shown yet.
    func askEditor() {
        for index in pending.indices where pending[index].dialog == nil && !pending[index].isElsewhere {
            let request = pending[index]
            pending[index].dialog = request.isQuestion ? askQuestion(request) : askPermission(request)
            pending[index].isElsewhere = pending[index].dialog == nil
        }
    }

    private func askPermission(_ request: PendingRequest) -> Int {
        let options = (request.data["options"]?.arrayValue ?? []).map { option -> JSON in
            [
                "optionId": option["optionId"] ?? "", "name": option["label"] ?? "",
                "kind": option["kind"] ?? "reject_once",
            ]
        }
        return ask(request, options: options) { [weak self] optionId in
            self?.answer(request, ["optionId": JSON(optionId)])
        }
    }

    /// `session/request_permission` with options of whatever meaning.
    private func ask(
        _ request: PendingRequest, options: [JSON], title: String? = nil, _ chosen: @escaping (String) -> Void
    ) -> Int {
        var call: JSONObject = [
            "toolCallId": JSON(request.itemId ?? request.requestId), "status": "pending",
            "title": title.map { JSON($0) } ?? request.data["title"] ?? request.data["tool"] ?? "",
        ]
        call["rawInput"] = request.data["args"]
        if let reason = request.data["reason"]?.stringValue {
            call["content"] = [["type": "content", "content": ["type": "text", "text": JSON(reason)]]]
        }
        return door.editor.ask(
            "session/request_permission",
            ["sessionId": JSON(id), "toolCall": .object(call), "options": .array(options)]
        ) { [weak self] result in
            self?.noteDialogClosed(request)
            guard let outcome = (try? result.get())?["outcome"] else { return self?.leaveToOthers(request) ?? () }
            switch outcome["outcome"]?.stringValue {
            case "selected":
                let optionId = outcome["optionId"]?.stringValue ?? ""
                guard options.contains(where: { $0["optionId"]?.stringValue == optionId }) else {
                    return self?.leaveToOthers(request) ?? ()
                }
                chosen(optionId)
            case "cancelled": self?.answer(request, ["outcome": request.isQuestion ? "declined" : "cancelled"])
            default: self?.leaveToOthers(request)
            }
        }
    }

    /// - Returns: nil when the editor has no means to answer it.
    private func askQuestion(_ request: PendingRequest) -> Int? {
        guard let form = QuestionForm(request.data) else {
            leaveToOthers(request)
            return nil
        }
        if let body = form.body { tell(Narrator.note(body)) }
        if door.capabilities.takesForms {
            var params: JSONObject = [
                "sessionId": JSON(id), "mode": "form", "message": JSON(form.message), "requestedSchema": form.schema,
            ]
            params["toolCallId"] = request.itemId.map { JSON($0) }
            return door.editor.ask("elicitation/create", params) { [weak self] result in
                self?.noteDialogClosed(request)
                guard let answer = try? result.get() else { return self?.leaveToOthers(request) ?? () }
                switch answer["action"]?.stringValue {
                case "accept":
                    self?.answer(request, ["answers": .object(form.answers(answer["content"]?.objectValue ?? [:]))])
                case "decline", "cancel": self?.answer(request, ["outcome": "declined"])
                default: self?.leaveToOthers(request)
                }
            }
        }
        guard let options = form.options else {
            leaveToOthers(request)
            return nil
        }
        return ask(request, options: options, title: form.message) { [weak self] optionId in
            guard let answers = form.answers(chosen: optionId) else {
                return self?.answer(request, ["outcome": "declined"]) ?? ()
            }
            self?.answer(request, ["answers": .object(answers)])
        }
    }

    private func noteDialogClosed(_ request: PendingRequest) {
        guard let index = pending.firstIndex(where: { $0.requestId == request.requestId }) else { return }
        pending[index].dialog = nil
        pending[index].isElsewhere = true
    }

    private func leaveToOthers(_ request: PendingRequest) {
        let what = request.isQuestion ? "a question" : "a permission"
        let title = (request.data["title"] ?? request.data["questions"]?[0]?["text"])?.stringValue ?? ""
        let command = request.isQuestion ? "answer" : "approve"
        note("The agent waits for \(what): \(title) Answer it in another client, or: `codeai-hub \(command) \(id)`")
    }

    private func answer(_ request: PendingRequest, _ body: JSONObject) {
        let kind = request.isQuestion ? "questions" : "permissions"
        let path = "/sessions/\(id)/\(kind)/\(PathPart.encode(request.requestId))"
        door.link.call("POST", path, .object(body)) { [weak self] result in
            // Refused means that somebody else was faster, or that it is over: the log says which.
            guard case .failure(let error) = result, error.status == nil || error.status == 400 else { return }
            self?.note("The answer didn't reach the agent: \(error.message)")
            self?.leaveToOthers(request)
        }
    }
}
