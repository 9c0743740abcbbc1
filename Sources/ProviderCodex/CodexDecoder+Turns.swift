import HubProtocol
import JSON
import Providers

// How turns begin and end, what they cost, and why they fail.
extension CodexDecoder {
    mutating func turnStarted(_ params: JSON) {
        guard let id = params["turn"]?["id"]?.stringValue else { return custom("turn/started", params) }
        if isForeign(params) { return subagent("subagent_turn_started", params) }
        switch turn {
        case .sent(nil):
            turn = .sent(id: id)
            output.effects.append(.turnRuns)
        case .sent(id), .unsolicited(id): output.effects.append(.turnRuns)
        case .none:
            turn = .unsolicited(id: id)
            saidFailure = nil
            emit(.turnStarted(reason: "provider"))
            output.effects.append(.turnRuns)
        default: custom("turn/started", params)
        }
    }

    mutating func turnCompleted(_ params: JSON) {
        guard let ended = params["turn"], let id = ended["id"]?.stringValue else {
            return custom("turn/completed", params)
        }
        if isForeign(params) {
            let thread = params["threadId"]?.stringValue
            closeAll(.failed) { $0.threadId == thread }
            return subagent("subagent_turn_completed", params)
        }
        guard turn != .none, turn.id == nil || turn.id == id else { return custom("turn/completed", params) }
        let status: TurnStatus
        switch ended["status"]?.stringValue {
        case "completed": status = .completed
        case "interrupted": status = .interrupted
        default: status = .failed
        }
        let mayLinger = status == .interrupted && open.values.contains { $0.type == "commandExecution" }
        closeAll(status) { _ in true }
        withdrawAll()
        if let diff = turnDiff, !diff.isEmpty {
            emit(.status(type: "turn_diff", data: ["unified": JSON(diff)]))
        }
        turnDiff = nil
        let error = ended["error"] ?? .null
        if status == .failed, saidFailure == nil {
            say(error.isNull ? ["message": "the turn failed without a reason"] : error)
        }
        saidFailure = nil
        hasCompacted = false
        awaitedMessages = 0
        let spent = usage.endTurn(model: model)
        if let spent { emit(.usage(spent)) }
        turn = .none
        emit(
            .turnCompleted(
                TurnOutcome(
                    status: status, stopReason: stopReason(ended, error), usage: spent,
                    durationMs: ended["durationMs"]?.intValue)))
        output.effects.append(.turnEnded(mayLinger: mayLinger))
    }

    /// Codex's own word.
    private func stopReason(_ turn: JSON, _ error: JSON) -> String? {
        let info = error["codexErrorInfo"]
        return info?.stringValue ?? info?.objectValue?.first?.key ?? turn["status"]?.stringValue
    }

    private mutating func subagent(_ type: String, _ params: JSON) {
        var data: JSONObject = ["threadId": params["threadId"] ?? .null]
        data["parentItemId"] = parent(of: params).map { JSON($0) }
        for key in ["status", "error", "durationMs"] {
            if let value = params["turn"]?[key], !value.isNull { data[key] = value }
        }
        emit(.status(type: type, data: data))
    }

    // MARK: Failures

    mutating func failed(_ params: JSON) {
        guard let error = params["error"], error["message"]?.stringValue != nil else { return custom("error", params) }
        if isForeign(params) { return status("subagent_error", params) }
        guard params["willRetry"]?.boolValue == true else { return say(error) }
        // What was streamed before the connection broke comes again, as another item.
        let thread = threadId
        closeStreams { $0.threadId == thread }
        var data: JSONObject = ["reason": error["message"] ?? .null]
        let info = error["codexErrorInfo"]
        if let status = info?.objectValue?.first?.value["httpStatusCode"]?.intValue {
            data["httpStatus"] = JSON(status)
        }
        if let details = error["additionalDetails"], !details.isNull { data["details"] = details }
        let (attempt, maximum) = CodexDecoder.attempt(error["message"]?.stringValue ?? "")
        data["attempt"] = attempt.map { JSON($0) }
        data["maxAttempts"] = maximum.map { JSON($0) }
        emit(.status(type: "retrying", data: data))
    }

    /// Once for a turn: `error` and the turn's end tell the same.
    private mutating func say(_ error: JSON) {
        guard saidFailure != error else { return }
        saidFailure = error
        if error["codexErrorInfo"]?.stringValue == "usageLimitExceeded", let rejected = limits.rejected() {
            emit(.quota(rejected))
        }
        emit(.error(CodexFailures.failure(error, quotaReset: limits.reset)))
    }

    /// From `Reconnecting... 2/5`.
    private static func attempt(_ message: String) -> (Int?, Int?) {
        guard let word = message.split(separator: " ").last(where: { $0.contains("/") }) else { return (nil, nil) }
        let parts = word.split(separator: "/")
        guard parts.count == 2 else { return (nil, nil) }
        return (Int(parts[0]), Int(parts[1]))
    }

    // MARK: Plans, usage, quota

    mutating func plan(_ params: JSON) {
        guard let steps = params["plan"]?.arrayValue else { return custom("turn/plan/updated", params) }
        let entries = steps.map { step in
            let word = step["status"]?.stringValue
            return PlanEntry(
                content: step["step"]?.stringValue ?? "",
                status: word == "inProgress" ? "in_progress" : word == "completed" ? "completed" : "pending")
        }
        emit(.plan(itemId: parent(of: params), entries: entries))
        if let text = params["explanation"]?.stringValue, !text.isEmpty {
            emit(.status(type: "plan_explained", data: ["text": JSON(text)]))
        }
    }

    mutating func tokenUsage(_ params: JSON) {
        guard let report = params["tokenUsage"], let total = report["total"] else {
            return custom("thread/tokenUsage/updated", params)
        }
        let last = report["last"] ?? [:]
        if isForeign(params) { return usage.addAgent(UsageMeter.Tokens(last)) }
        let isOfTurn = turn.id != nil && params["turnId"]?.stringValue == turn.id
        usage.take(
            total: UsageMeter.Tokens(total), last: UsageMeter.Tokens(last), isOfTurn: isOfTurn)
        usage.contextUsed = last["totalTokens"]?.intValue ?? usage.contextUsed
        usage.contextWindow = report["modelContextWindow"]?.intValue ?? usage.contextWindow
    }

    mutating func rateLimits(_ params: JSON) {
        guard let snapshot = params["rateLimits"] else { return custom("account/rateLimits/updated", params) }
        for quota in limits.take(snapshot) { emit(.quota(quota)) }
        if let account = limits.takeAccount(snapshot) { emit(.status(type: "account_limits", data: account)) }
    }

    // MARK: The thread

    mutating func threadNotification(_ method: String, _ params: JSON) {
        switch method {
        case "thread/started":
            guard let thread = params["thread"], let id = thread["id"]?.stringValue, id != threadId else { return }
            // One of its own, or of those that work for it.
            let parent = thread["parentThreadId"]?.stringValue
            if agents[id] != nil || parent.map({ $0 == threadId || agents[$0] != nil }) ?? false {
                adopt(id, call: nil)
                var data: JSONObject = ["threadId": JSON(id)]
                for key in ["agentNickname", "agentRole", "model"] {
                    if let value = thread[key], !value.isNull { data[key] = value }
                }
                emit(.status(type: "subagent_started", data: data))
            } else {
                custom(method, params)
            }
        case "thread/closed":
            if isForeign(params) { custom(method, params) } else { status("thread_closed", [:]) }
        case "thread/status/changed":
            if params["status"]?["type"]?.stringValue == "systemError" { status("thread_error", params) }
        case "thread/settings/updated":
            guard let settings = params["threadSettings"] else { return custom(method, params) }
            if !isForeign(params) { settingsChanged(settings) }
        default:
            status("model_fallback", params)
            if let model = params["toModel"]?.stringValue, !isForeign(params) { noteModel(model) }
        }
    }

    private mutating func settingsChanged(_ settings: JSON) {
        if let name = settings["model"]?.stringValue { noteModel(name) }
        let newMode = CodexMode.of(settings)?.name
        if newMode != mode {
            mode = newMode
            // Of its own making, by the configuration of the person or by an approval.
            emit(.status(type: "mode_changed", data: ["mode": JSON(newMode ?? "custom")]))
        }
        let newEffort = settings["effort"]?.stringValue
        if newEffort != effort {
            effort = newEffort
            emit(.status(type: "effort_changed", data: ["effort": newEffort.map { JSON($0) } ?? .null]))
        }
    }

    private mutating func noteModel(_ name: String) {
        guard name != model else { return }
        model = name
        emit(.status(type: "model_changed", data: ["model": JSON(name)]))
    }
}
