package import ACPMessages
import Base
package import HubProtocol
import JSON
import Providers

/// What an agent's error means to a person.
///
/// ACP defines -32000 (authentication required) and -32002 (not found) beside JSON-RPC's own; agents add HTTP codes
/// (Gemini CLI: 429) and codes of their own (mistral-vibe: -31002 for a refused key), or only say it in words.
/// - Parameters:
///   - provider: its name, for the message.
///   - now: seconds since 1970; nil takes the clock's.
package func failure(of error: ACPError, provider: String, now: Double? = nil) -> Failure {
    var failure = kind(of: error, provider: provider, now: now ?? Double(Timestamp.now.milliseconds) / 1000)
    failure.details["code"] = JSON(error.code)
    failure.details["data"] = error.data
    return failure
}

private func kind(of error: ACPError, provider: String, now: Double) -> Failure {
    let message = error.message
    let words = message.lowercased()
    func says(_ parts: String...) -> Bool { parts.contains { words.contains(text: $0) } }
    func authentication() -> Failure { .authenticationFailed(provider: provider, message: message) }
    func overloaded() -> Failure {
        var failure = Failure.overloaded(provider: provider, message: message)
        failure.retryAfter = retryAfter(error)
        return failure
    }
    func rateLimited() -> Failure {
        .rateLimited(provider: provider, message: message, retryAfter: retryAfter(error))
    }
    func quotaExhausted() -> Failure {
        let wait = retryAfter(error)
        var failure = Failure.quotaExhausted(
            provider: provider, message: message, resetsAt: wait.map { now + $0 }, now: now)
        // As the agent said it, without the dust of going through a date and back.
        failure.retryAfter = wait
        return failure
    }
    let reason = (error.data?["reason"] ?? error.data?["type"])?.stringValue?.lowercased() ?? ""
    let status = (error.data?["status"] ?? error.data?["statusCode"])?.intValue ?? 0
    switch (error.code, status) {
    case (-32000, _), (-31002, _), (401, _), (403, _), (_, 401), (_, 403): return authentication()
    case (429, _), (_, 429):
        let isQuota = reason.contains(text: "quota") || says("quota", "usage limit", "daily limit")
        return isQuota ? quotaExhausted() : rateLimited()
    case (529, _), (503, _), (_, 529), (_, 503): return overloaded()
    default: break
    }
    if says("context length", "context window", "too many tokens", "prompt is too long") {
        return .contextExhausted(provider: provider, message: message)
    }
    if says("quota exceeded", "quota exhausted", "usage limit") { return quotaExhausted() }
    if says("rate limit", "too many requests") { return rateLimited() }
    if says("overloaded") { return overloaded() }
    if says("api key", "not logged in", "unauthorized", "authentication required") { return authentication() }
    switch error.code {
    case -32700, -32600, -32601, -32602, -32002, 400, 404:
        return .invalidRequest(provider: provider, message: message)
    default: return .providerError(provider: provider, message: message)
    }
}

/// Seconds, where the agent names them.
private func retryAfter(_ error: ACPError) -> Double? {
    let data = error.data
    let named = data?["retryAfter"] ?? data?["retry_after"] ?? data?["retryAfterSeconds"]
    let milliseconds = (data?["retryDelayMs"] ?? data?["retryAfterMs"])?.doubleValue
    guard let seconds = named?.doubleValue ?? milliseconds.map({ $0 / 1000 }), seconds >= 0, seconds < 1e9 else {
        return nil
    }
    return seconds
}
