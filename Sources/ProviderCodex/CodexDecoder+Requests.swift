import Base
import JSON
import Providers

// What Codex asks of us: approvals, permissions, questions, and a few things that need nobody.
extension CodexDecoder {
    /// The requests of the server that are answered, as of 0.163.0.
    package static let handledRequests = [
        "item/commandExecution/requestApproval", "item/fileChange/requestApproval",
        "item/permissions/requestApproval", "item/tool/requestUserInput", "mcpServer/elicitation/request",
        "item/tool/call", "currentTime/read",
    ]

    mutating func request(_ id: JSON, _ method: String, _ params: JSON) {
        guard waiting.count < CodexDecoder.tableLimit else {
            return output.effects.append(.unsupported(id: id, method: method))
        }
        switch method {
        case "item/commandExecution/requestApproval": commandApproval(id, params)
        case "item/fileChange/requestApproval": changeApproval(id, params)
        case "item/permissions/requestApproval": permissions(id, params)
        case "item/tool/requestUserInput": questions(id, method, params)
        case "mcpServer/elicitation/request": elicitation(id, method, params)
        case "item/tool/call":
            // We offer no tools of our own.
            let text: JSON = ["type": "inputText", "text": "This client has no such tool."]
            output.effects.append(.answer(id: id, result: ["contentItems": [text], "success": false]))
            custom(method, params)
        case "currentTime/read":
            output.effects.append(
                .answer(id: id, result: ["currentTimeAt": .int(Timestamp.now.milliseconds / 1000)]))
        default:
            output.effects.append(.unsupported(id: id, method: method))
            custom(method, params)
        }
    }

    private mutating func pend(_ id: JSON, _ params: JSON, _ kind: CodexRequest.Kind) -> CodexRequest {
        let request = CodexRequest(
            requestId: "\(epoch)-\(id.stringValue ?? id.description)", id: id,
            threadId: params["threadId"]?.stringValue ?? threadId, kind: kind)
        waiting.append(request)
        output.effects.append(.requested(request))
        return request
    }

    private mutating func ask(
        _ request: CodexRequest, item: String?, tool: String, title: String, _ arguments: JSON, reason: JSON?
    ) {
        emit(
            .permissionRequested(
                PermissionRequest(
                    requestId: request.requestId, itemId: item, nativeId: item, toolName: tool, title: title,
                    arguments: arguments, options: request.options, reason: reason?.stringValue)))
    }

    // MARK: Permissions

    private mutating func commandApproval(_ id: JSON, _ params: JSON) {
        let choices = CodexDecisions.choices(params["availableDecisions"]?.arrayValue)
        let request = pend(id, params, .permission(choices, cancelled: ["decision": "cancel"]))
        let item = params["itemId"]?.stringValue
        var arguments = JSONObject()
        for key in ["command", "cwd", "additionalPermissions", "networkApprovalContext"] {
            if let value = params[key], !value.isNull { arguments[key] = value }
        }
        if let kind = params["kind"], kind != "command" { arguments["kind"] = kind }
        let host = params["networkApprovalContext"]?["host"]?.stringValue
        let known = item.flatMap { open[$0]?.item }
        let title =
            params["command"]?.stringValue == nil
            ? host.map { "Connect to \($0)" } ?? known.map(CodexItems.title) ?? "Run a command"
            : CodexItems.oneLine(CodexItems.commandTitle(params) ?? "", limit: 200)
        ask(
            request, item: item, tool: "commandExecution", title: title, .object(arguments), reason: params["reason"])
    }

    private mutating func changeApproval(_ id: JSON, _ params: JSON) {
        let choices = CodexDecisions.choices(params["availableDecisions"]?.arrayValue)
        let request = pend(id, params, .permission(choices, cancelled: ["decision": "cancel"]))
        let item = params["itemId"]?.stringValue
        // The changes themselves came with the item.
        let known = item.flatMap { open[$0]?.item } ?? ["type": "fileChange"]
        var arguments = CodexItems.arguments(known).objectValue ?? [:]
        if let root = params["grantRoot"], !root.isNull { arguments["grantRoot"] = root }
        ask(
            request, item: item, tool: "fileChange", title: CodexItems.title(known), .object(arguments),
            reason: params["reason"])
    }

    private mutating func permissions(_ id: JSON, _ params: JSON) {
        let wanted = params["permissions"] ?? [:]
        func choice(_ id: String, _ label: String, _ kind: PermissionOptionKind, _ answer: JSON) -> CodexRequest.Choice
        {
            CodexRequest.Choice(optionId: id, label: label, kind: kind, answer: answer)
        }
        let nothing: JSON = ["permissions": [:], "scope": "turn"]
        let request = pend(
            id, params,
            .permission(
                [
                    choice("turn", "Allow in this turn", .allowOnce, ["permissions": wanted, "scope": "turn"]),
                    choice(
                        "session", "Allow in this session", .allowAlways,
                        ["permissions": wanted, "scope": "session"]),
                    choice("decline", "Reject", .rejectOnce, nothing),
                ], cancelled: nothing))
        ask(
            request, item: params["itemId"]?.stringValue, tool: "permissions", title: "More permissions",
            ["permissions": wanted, "cwd": params["cwd"] ?? .null], reason: params["reason"])
    }

    // MARK: Questions

    private mutating func questions(_ id: JSON, _ method: String, _ params: JSON) {
        let questions = (params["questions"]?.arrayValue ?? []).compactMap { json -> Question? in
            guard let key = json["id"]?.stringValue, let text = json["question"]?.stringValue else { return nil }
            let options = (json["options"]?.arrayValue ?? []).compactMap { option in
                option["label"]?.stringValue.map {
                    QuestionOption(label: $0, description: option["description"]?.stringValue)
                }
            }
            return Question(
                id: key, header: json["header"]?.stringValue, text: text, options: options,
                allowsOther: options.isEmpty || json["isOther"]?.boolValue == true)
        }
        guard !questions.isEmpty else {
            output.effects.append(.answer(id: id, result: ["answers": [:]]))
            return custom(method, params)
        }
        let request = pend(id, params, .questions)
        let item = params["itemId"]?.stringValue
        emit(
            .questionRequested(
                QuestionRequest(requestId: request.requestId, itemId: item, nativeId: item, questions: questions)))
    }

    private mutating func elicitation(_ id: JSON, _ method: String, _ params: JSON) {
        let message = params["message"]?.stringValue ?? ""
        let mode = params["mode"]?.stringValue
        if mode == "url", let url = params["url"]?.stringValue {
            return ask(id, params, CodexForm(message: message, url: url))
        }
        if let form = CodexForm(message: message, schema: params["requestedSchema"]) { return ask(id, params, form) }
        guard mode == "form" else {
            // A proof of who the person is: this client has none.
            output.effects.append(.answer(id: id, result: ["action": "decline", "content": nil]))
            return custom(method, params)
        }
        // A form without fields asks for leave: Codex itself does so before it calls a tool of an MCP server.
        let meta = params["_meta"]
        func choice(_ id: String, _ label: String, _ kind: PermissionOptionKind, _ answer: JSON) -> CodexRequest.Choice
        {
            CodexRequest.Choice(optionId: id, label: label, kind: kind, answer: answer)
        }
        var choices = [
            choice("accept", "Allow once", .allowOnce, ["action": "accept", "content": [:]])
        ]
        let scopes = meta?["persist"]?.arrayValue ?? meta?["persist"].map { [$0] } ?? []
        for (scope, label) in [("session", "Allow in this session"), ("always", "Always allow")]
        where scopes.contains(.string(scope)) {
            choices.append(
                choice(
                    scope, label, .allowAlways,
                    ["action": "accept", "content": [:], "_meta": ["persist": JSON(scope)]]))
        }
        choices.append(choice("decline", "Reject", .rejectOnce, ["action": "decline", "content": nil]))
        choices.append(
            choice("cancel", "Reject and stop", .rejectOnce, ["action": "cancel", "content": nil]))
        let request = pend(
            id, params, .permission(choices, cancelled: ["action": "cancel", "content": nil]))
        ask(
            request, item: nil, tool: params["serverName"]?.stringValue ?? "mcp",
            title: CodexItems.oneLine(message, limit: 200), meta?["tool_params"] ?? [:],
            reason: meta?["tool_description"])
    }

    private mutating func ask(_ id: JSON, _ params: JSON, _ form: CodexForm) {
        let request = pend(id, params, .form(form))
        emit(.questionRequested(QuestionRequest(requestId: request.requestId, questions: form.questions)))
    }

    // MARK: Ends

    mutating func requestResolved(_ params: JSON) {
        guard let index = waiting.firstIndex(where: { $0.id == params["requestId"] }) else { return }
        withdraw(waiting.remove(at: index))
    }

    /// A turn that ends takes its questions with it.
    mutating func withdrawAll() {
        let all = waiting
        waiting = []
        for request in all { withdraw(request) }
    }

    private mutating func withdraw(_ request: CodexRequest) {
        emit(.requestWithdrawn(requestId: request.requestId))
        output.effects.append(.resolved(requestId: request.requestId))
    }
}
