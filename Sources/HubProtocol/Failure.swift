package import JSON

/// Something a client can offer to do about an error.
package struct RecoveryAction: Equatable, Sendable {
    package var id: String
    package var label: String

    package init(id: String, label: String) {
        self.id = id
        self.label = label
    }

    package static let retry = RecoveryAction(id: "retry", label: "Try again")
    package static let retryLater = RecoveryAction(id: "retry_later", label: "Try again later")
    package static let switchProvider = RecoveryAction(id: "switch_provider", label: "Switch provider")
    package static let login = RecoveryAction(id: "login", label: "Log in")
    package static let install = RecoveryAction(id: "install", label: "Install")
    package static let continueOnce = RecoveryAction(id: "continue_once", label: "Go on for one turn")
    package static let raiseBudget = RecoveryAction(id: "raise_budget", label: "Raise the session's budget")
}

/// An error as clients see it, in an `error` event as in an answer: a stable code, a sentence that says what to do,
/// and whether and when trying again makes sense.
package struct Failure: Error, Equatable, Sendable {
    /// Stable, lower case with underscores, for example `rate_limited`.
    package var code: String
    package var message: String
    package var recoverable: Bool
    /// Seconds until another try makes sense.
    package var retryAfter: Double?
    package var actions: [RecoveryAction]
    /// What belongs to this code only, for example the exit code and the tail of stderr of a crash.
    package var details: JSONObject

    package init(
        code: String, message: String, recoverable: Bool = false, retryAfter: Double? = nil,
        actions: [RecoveryAction] = [], details: JSONObject = [:]
    ) {
        self.code = code
        self.message = message
        self.recoverable = recoverable
        self.retryAfter = retryAfter
        self.actions = actions
        self.details = details
    }

    package var json: JSONObject {
        var object: JSONObject = [
            "code": JSON(code), "message": JSON(message), "recoverable": JSON(recoverable),
        ]
        if let retryAfter { object["retryAfter"] = JSON(retryAfter) }
        object["actions"] = .array(actions.map { ["id": JSON($0.id), "label": JSON($0.label)] })
        if !details.isEmpty { object["details"] = .object(details) }
        return object
    }
}
