import Base
package import HubProtocol
import JSON

// The failures that every adapter reports the same way. Their codes are the contract with clients; that a turn was
// interrupted is no failure.
extension Failure {
    /// Not logged in, or the API refused the key (401, 403).
    package static func authenticationFailed(provider: String, message: String) -> Failure {
        Failure(
            code: "authentication_failed",
            message:
                "\(provider) is not logged in or its key was refused: \(message.withoutStop). Log in, or switch the provider.",
            recoverable: true, actions: [.login, .switchProvider])
    }

    /// Too many requests (429) without a quota being used up.
    /// - Parameter retryAfter: seconds.
    package static func rateLimited(provider: String, message: String, retryAfter: Double?) -> Failure {
        Failure(
            code: "rate_limited",
            message: "\(provider) is being asked too often: \(message.withoutStop). Try again a little later.",
            recoverable: true, retryAfter: retryAfter, actions: [.retryLater, .switchProvider])
    }

    /// The account's allowance is used up.
    /// - Parameter resetsAt: seconds since 1970; in the details, and as `retryAfter` counted from now.
    package static func quotaExhausted(
        provider: String, message: String, resetsAt: Double?, now: Double = Double(Timestamp.now.milliseconds) / 1000
    ) -> Failure {
        Failure(
            code: "quota_exhausted",
            message:
                "\(provider)'s quota is used up: \(message.withoutStop). Switch the provider, or go on when it is reset.",
            recoverable: true, retryAfter: resetsAt.map { max(0, $0 - now) },
            actions: [.switchProvider, .retryLater],
            details: resetsAt.map { ["resetsAt": JSON($0)] } ?? [:])
    }

    /// The provider has no capacity at the moment (529).
    package static func overloaded(provider: String, message: String) -> Failure {
        Failure(
            code: "overloaded", message: "\(provider) is overloaded: \(message.withoutStop). Try again a little later.",
            recoverable: true, actions: [.retryLater, .switchProvider])
    }

    /// Any other failure on the provider's side.
    package static func providerError(provider: String, message: String) -> Failure {
        Failure(
            code: "provider_error",
            message: "\(provider) failed: \(message.withoutStop). Try again, or switch the provider.",
            recoverable: true, actions: [.retry, .switchProvider])
    }

    /// The conversation no longer fits the model's context.
    package static func contextExhausted(provider: String, message: String) -> Failure {
        Failure(
            code: "context_exhausted",
            message:
                "The conversation is too long for \(provider): \(message.withoutStop). Compact it or start a new session.",
            recoverable: false, actions: [.switchProvider])
    }

    /// The provider does not accept what was asked of it.
    package static func invalidRequest(provider: String, message: String) -> Failure {
        Failure(
            code: "invalid_request", message: "\(provider) does not accept the request: \(message.withoutStop).",
            recoverable: false)
    }

    /// The provider's process ended while it was needed.
    /// - Parameter errorTail: the last of its stderr.
    package static func providerCrashed(provider: String, exit: String, errorTail: String) -> Failure {
        Failure(
            code: "provider_crashed", message: "\(provider) ended unexpectedly (\(exit)). Send the message again.",
            recoverable: true, actions: [.retry, .switchProvider],
            details: ["exit": JSON(exit), "stderr": JSON(errorTail)])
    }

    /// The provider's process could not be started, or ended before it was ready.
    package static func providerStartFailed(
        provider: String, reason: String, errorTail: String = ""
    ) -> Failure {
        Failure(
            code: "provider_start_failed", message: "\(provider) could not be started: \(reason.withoutStop).",
            recoverable: true,
            actions: [.retry, .switchProvider], details: errorTail.isEmpty ? [:] : ["stderr": JSON(errorTail)])
    }

    package static func providerNotInstalled(provider: String, lookedFor: [String]) -> Failure {
        Failure(
            code: "provider_not_installed",
            message: "\(provider) is not installed (looked for \(lookedFor.joined(separator: ", "))). "
                + "Install it, or set its command in the configuration.",
            recoverable: true, actions: [.install, .switchProvider])
    }

    /// The provider no longer knows its session; the adapter goes on with a new one that lacks what was said before.
    package static func resumeFailed(provider: String, message: String) -> Failure {
        Failure(
            code: "resume_failed",
            message: "\(provider) could not resume its session: \(message.withoutStop). "
                + "A new one is started; it does not know what was said before.",
            recoverable: true)
    }
}

extension String {
    /// Without the full stop or line end that it may have, to go on within a sentence.
    fileprivate var withoutStop: Substring {
        var text = self[...]
        while let last = text.last, last == "." || last.isWhitespace { text = text.dropLast() }
        return text
    }
}
