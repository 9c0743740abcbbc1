package import HubProtocol
import JSON

/// What an agent's error means to a person.
///
/// ACP defines -32000 (authentication required) and -32002 (not found) beside JSON-RPC's own; agents add HTTP codes
/// (Gemini CLI: 429) and codes of their own (mistral-vibe: -31002 for a refused key), or only say it in words.
package func failure(of error: ACPError) -> Failure {
    let words = error.message.lowercased()
    func says(_ parts: String...) -> Bool { parts.contains { words.contains($0) } }
    var details: JSONObject = ["code": JSON(error.code)]
    details["data"] = error.data
    func failure(
        _ code: String, recoverable: Bool, retryAfter: Double? = nil, _ actions: [RecoveryAction] = []
    ) -> Failure {
        Failure(
            code: code, message: error.message, recoverable: recoverable, retryAfter: retryAfter, actions: actions,
            details: details)
    }
    let reason = (error.data?["reason"] ?? error.data?["type"])?.stringValue?.lowercased() ?? ""
    let status = error.data?["status"]?.intValue ?? error.data?["statusCode"]?.intValue ?? 0
    switch (error.code, status) {
    case (-32000, _), (-31002, _), (401, _), (403, _), (_, 401), (_, 403):
        return failure("authentication_failed", recoverable: true, [.login, .switchProvider])
    case (429, _), (_, 429):
        if reason.contains("quota") || says("quota", "usage limit", "daily limit") {
            return failure(
                "quota_exhausted", recoverable: true, retryAfter: retryAfter(error), [.switchProvider, .retryLater])
        }
        return failure(
            "rate_limited", recoverable: true, retryAfter: retryAfter(error), [.retryLater, .switchProvider])
    case (529, _), (503, _), (_, 529), (_, 503):
        return failure("overloaded", recoverable: true, retryAfter: retryAfter(error), [.retry, .switchProvider])
    default: break
    }
    if says("context length", "context window", "too many tokens", "prompt is too long") {
        return failure("context_exhausted", recoverable: true, [.switchProvider])
    }
    if says("quota exceeded", "quota exhausted", "usage limit") {
        return failure(
            "quota_exhausted", recoverable: true, retryAfter: retryAfter(error), [.switchProvider, .retryLater])
    }
    if says("rate limit", "too many requests") {
        return failure(
            "rate_limited", recoverable: true, retryAfter: retryAfter(error), [.retryLater, .switchProvider])
    }
    if says("overloaded") { return failure("overloaded", recoverable: true, [.retry, .switchProvider]) }
    if says("api key", "not logged in", "unauthorized", "authentication required") {
        return failure("authentication_failed", recoverable: true, [.login, .switchProvider])
    }
    switch error.code {
    case -32700, -32600, -32601, -32602, -32002, 400, 404: return failure("invalid_request", recoverable: false)
    default: return failure("provider_error", recoverable: true, [.retry, .switchProvider])
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

extension String {
    /// The standard library finds characters in strings, but no strings before macOS 13.
    fileprivate func contains(_ part: String) -> Bool {
        let part = Array(part.utf8)
        let text = Array(utf8)
        guard !part.isEmpty, part.count <= text.count else { return part.isEmpty }
        return (0...text.count - part.count).contains { text[$0...].starts(with: part) }
    }
}
