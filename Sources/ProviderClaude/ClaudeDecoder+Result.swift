import Base
import HubProtocol
import JSON
import Providers

// The end of a turn: what it cost, how it ended, and why it failed if it did.
extension ClaudeDecoder {
    mutating func result(_ json: JSON) {
        let errors = (json["errors"]?.arrayValue ?? []).compactMap(\.stringValue)
        if nativeSessionId == nil, let message = errors.first(where: { $0.hasPrefix("No conversation found") }) {
            output.effects.append(.resumeFailed(message))
            return
        }
        for key in threads.keys.sorted() where key.isEmpty || tools[key] == nil { flushOpenBlocks(of: key) }
        let usage = usage(json)
        let wasInterrupted = isInterrupted(json)
        let failure = wasInterrupted ? nil : failure(json, errors)
        apiError = nil
        retryDelay = nil
        if failure == nil { quotaRejection = nil }
        let isOther = isOtherTurns(json)
        if !isOther { noticeActivity() }
        emit(.usage(usage))
        if let failure { emit(.error(failure)) }
        if isOther { return endOtherTurn(json, usage) }
        let reason =
            wasInterrupted || failure != nil
            ? json["terminal_reason"]?.stringValue : json["stop_reason"]?.stringValue
        endTurn(
            TurnOutcome(
                status: wasInterrupted ? .interrupted : failure == nil ? .completed : .failed,
                stopReason: reason ?? json["terminal_reason"]?.stringValue, usage: usage,
                durationMs: json["duration_ms"]?.intValue),
            answered: Set((json["user_message_uuids"]?.arrayValue ?? []).compactMap(\.stringValue)))
    }

    private func isInterrupted(_ json: JSON) -> Bool {
        if json["terminal_reason"]?.stringValue?.hasPrefix("aborted") == true { return true }
        return isInterrupting && json["subtype"]?.stringValue == "error_during_execution"
    }

    // MARK: Usage

    /// This turn's share. `input` counts what was read from and written to the cache too.
    private mutating func usage(_ json: JSON) -> Usage {
        var usage = Usage()
        if let models = json["model_usage_since_last_result"]?.objectValue {
            var cost = 0.0
            usage.model = mainModel(models)
            for (_, model) in models {
                let cached = model["cacheReadInputTokens"]?.intValue ?? 0
                usage.input &+= (model["inputTokens"]?.intValue ?? 0) &+ cached
                usage.input &+= model["cacheCreationInputTokens"]?.intValue ?? 0
                usage.output &+= model["outputTokens"]?.intValue ?? 0
                usage.cached &+= cached
                cost += model["costUSD"]?.doubleValue ?? 0
            }
            usage.costUsd = cost
        } else {
            let cached = json["usage"]?["cache_read_input_tokens"]?.intValue ?? 0
            usage.input = (json["usage"]?["input_tokens"]?.intValue ?? 0) &+ cached
            usage.input &+= json["usage"]?["cache_creation_input_tokens"]?.intValue ?? 0
            usage.output = json["usage"]?["output_tokens"]?.intValue ?? 0
            usage.cached = cached
            if let total = json["total_cost_usd"]?.doubleValue, let known = knownCost {
                // A total that fell starts anew: the conversation was replaced.
                usage.costUsd = total >= known ? total - known : total
            }
        }
        usage.model = usage.model ?? model
        knownCost = json["total_cost_usd"]?.doubleValue ?? knownCost
        usage.contextUsed = contextUsed
        let windows = json["modelUsage"]?.objectValue
        usage.contextWindow =
            model.flatMap { windows?[$0]?["contextWindow"]?.intValue }
            ?? windows?.compactMap { $0.value["contextWindow"]?.intValue }.max()
        return usage
    }

    /// The conversation's own model, or the one that most was spent on; others worked on the side.
    private func mainModel(_ models: JSONObject) -> String? {
        if let model, models[model] != nil { return model }
        return models.max { ($0.value["costUSD"]?.doubleValue ?? 0) < ($1.value["costUSD"]?.doubleValue ?? 0) }?.key
    }

    // MARK: Failures

    private func failure(_ json: JSON, _ errors: [String]) -> Failure? {
        let subtype = json["subtype"]?.stringValue ?? ""
        guard apiError != nil || json["is_error"]?.boolValue == true || subtype.hasPrefix("error") else { return nil }
        let message =
            apiError?.message ?? json["result"]?.stringValue
            ?? (errors.isEmpty ? subtype : errors.joined(separator: "\n"))
        return ClaudeFailures.failure(
            status: json["api_error_status"]?.intValue ?? apiError?.status,
            type: json["api_error_type"]?.stringValue ?? apiError?.type, word: apiError?.word,
            isQuota: json["api_error"]?.stringValue == "usage_limit_reached", message: message, subtype: subtype,
            quota: quotaRejection, retryAfter: retryDelay)
    }
}

enum ClaudeFailures {
    static let provider = "Claude Code"

    /// - Parameters:
    ///   - status: the API's HTTP status, when there was an answer.
    ///   - type: the API's `error.type`.
    ///   - retryAfter: seconds that Claude Code itself waited before it last tried again.
    ///   - word: Claude Code's own word for it (`authentication_failed`, `rate_limit`, `billing_error`, ...).
    static func failure(
        status: Int?, type: String?, word: String?, isQuota: Bool, message: String, subtype: String, quota: Quota?,
        retryAfter: Double? = nil
    ) -> Failure {
        if isQuota || (status == 429 && quota != nil) {
            return .quotaExhausted(provider: provider, message: message, resetsAt: quota?.resetsAt)
        }
        if word == "billing_error" || type == "billing_error" {
            return .quotaExhausted(provider: provider, message: message, resetsAt: nil)
        }
        if status == 401 || status == 403 || type == "authentication_error" || word == "authentication_failed" {
            return .authenticationFailed(provider: provider, message: message)
        }
        if status == 429 || type == "rate_limit_error" {
            return .rateLimited(provider: provider, message: message, retryAfter: retryAfter)
        }
        if status == 529 || type == "overloaded_error" { return .overloaded(provider: provider, message: message) }
        let text = message.lowercased()
        if text.contains(text: "prompt is too long") || text.contains(text: "context window")
            || text.contains(text: "context limit")
        {
            return .contextExhausted(provider: provider, message: message)
        }
        if let status, (400..<500).contains(status) {
            return .invalidRequest(provider: provider, message: message)
        }
        var failure = Failure.providerError(provider: provider, message: message)
        if let status { failure.details["httpStatus"] = JSON(status) }
        if !subtype.isEmpty, subtype != "success" { failure.details["reason"] = JSON(subtype) }
        return failure
    }
}
