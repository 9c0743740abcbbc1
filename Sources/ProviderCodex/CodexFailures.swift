package import HubProtocol
package import JSON
import Providers

/// What an error of Codex's means to a person: each `codexErrorInfo` as one of our codes.
package enum CodexFailures {
    static let provider = "Codex"

    /// - Parameters:
    ///   - error: a `TurnError`: `{message, codexErrorInfo, additionalDetails}`.
    ///   - quotaReset: when the window that is used up most is reset, seconds since 1970.
    package static func failure(_ error: JSON, quotaReset: Double?) -> Failure {
        let message = text(error["message"]?.stringValue ?? "no reason given")
        let info = error["codexErrorInfo"] ?? .null
        var failure = kind(info, message, quotaReset)
        if !info.isNull { failure.details["codexErrorInfo"] = info }
        for key in ["additionalDetails", "misalignment"] {
            if let value = error[key], !value.isNull { failure.details[key] = value }
        }
        return failure
    }

    private static func kind(_ info: JSON, _ message: String, _ quotaReset: Double?) -> Failure {
        switch info {
        case .string(let word): named(word, message, quotaReset)
        case .object(let object): carrying(object, message)
        default: .providerError(provider: provider, message: message)
        }
    }

    /// All words of `CodexErrorInfo`, as of 0.163.0.
    package static let words = [
        "contextWindowExceeded", "sessionBudgetExceeded", "usageLimitExceeded", "rateLimitExceeded", "flexUnavailable",
        "serverOverloaded", "cyberPolicy", "misalignmentPolicyViolation", "tooManyDenials", "internalServerError",
        "unauthorized", "badRequest", "threadRollbackFailed", "sandboxError", "other",
    ]

    private static func named(_ word: String, _ message: String, _ quotaReset: Double?) -> Failure {
        switch word {
        case "contextWindowExceeded": .contextExhausted(provider: provider, message: message)
        case "usageLimitExceeded", "sessionBudgetExceeded":
            .quotaExhausted(
                provider: provider, message: message, resetsAt: word == "usageLimitExceeded" ? quotaReset : nil)
        case "rateLimitExceeded":
            .rateLimited(provider: provider, message: message, retryAfter: retryAfter(message))
        case "serverOverloaded", "flexUnavailable": .overloaded(provider: provider, message: message)
        case "unauthorized": .authenticationFailed(provider: provider, message: message)
        // What is refused as such would be refused again.
        case "badRequest", "cyberPolicy", "misalignmentPolicyViolation", "tooManyDenials":
            .invalidRequest(provider: provider, message: message)
        case "other" where message.hasPrefix("invalid_request_error"):
            .invalidRequest(provider: provider, message: message)
        default: .providerError(provider: provider, message: message)
        }
    }

    /// All members of `CodexErrorInfo` that carry something, as of 0.163.0.
    package static let carriers = [
        "httpConnectionFailed", "responseStreamConnectionFailed", "responseStreamDisconnected",
        "responseTooManyFailedAttempts", "activeTurnNotSteerable",
    ]

    private static func carrying(_ object: JSONObject, _ message: String) -> Failure {
        if object["activeTurnNotSteerable"] != nil {
            return .invalidRequest(provider: provider, message: message)
        }
        let status = object.lazy.compactMap { $0.value["httpStatusCode"]?.intValue }.first
        switch status {
        case 401, 403: return .authenticationFailed(provider: provider, message: message)
        case 429: return .rateLimited(provider: provider, message: message, retryAfter: retryAfter(message))
        case 503, 529: return .overloaded(provider: provider, message: message)
        case .some(400), .some(404), .some(413), .some(422):
            return .invalidRequest(provider: provider, message: message)
        default: return .providerError(provider: provider, message: message)
        }
    }

    /// The words of an API's error, which Codex passes on as the JSON that it came in.
    private static func text(_ message: String) -> String {
        guard message.hasPrefix("{"), let error = (try? JSON.parse(message))?["error"],
            let words = error["message"]?.stringValue
        else { return message }
        guard let type = error["type"]?.stringValue else { return words }
        return "\(type): \(words)"
    }

    /// Seconds, from words such as `Please try again in 1.5s` or `in 2m30s`.
    package static func retryAfter(_ message: String) -> Double? {
        guard let start = message.firstIndex(afterWords: "try again in ") else { return nil }
        var rest = message[start...]
        var seconds = 0.0
        var hasAny = false
        while true {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            let trimmed = number.last == "." ? number.dropLast() : number
            guard let value = Double(String(trimmed)) else { break }
            rest = rest.dropFirst(trimmed.count)
            if rest.first == " " { rest = rest.dropFirst() }
            let unit = rest.prefix { $0.isLetter }
            switch unit {
            case "ms", "milliseconds": seconds += value / 1000
            case "s", "sec", "second", "seconds": seconds += value
            case "m", "min", "minute", "minutes": seconds += value * 60
            case "h", "hour", "hours": seconds += value * 3600
            case "d", "day", "days": seconds += value * 86_400
            default: return hasAny ? seconds : nil
            }
            hasAny = true
            rest = rest.dropFirst(unit.count)
            if rest.first == " " { rest = rest.dropFirst() }
        }
        return hasAny && seconds < 1e9 ? seconds : nil
    }
}

extension String {
    /// Where it goes on after the first of these words.
    fileprivate func firstIndex(afterWords words: String) -> String.Index? {
        var index = startIndex
        while index != endIndex {
            if self[index...].hasPrefix(words) { return self.index(index, offsetBy: words.count) }
            index = self.index(after: index)
        }
        return nil
    }
}
