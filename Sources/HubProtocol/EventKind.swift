/// What a durable event says. The same kind looks the same whichever provider it comes from.
package enum EventKind: String, Sendable, CaseIterable {
    case turnStarted = "turn_started"
    case turnCompleted = "turn_completed"
    case message
    case thinking
    case toolCall = "tool_call"
    case toolResult = "tool_result"
    case diff
    case plan
    case permissionRequested = "permission_requested"
    case permissionResolved = "permission_resolved"
    case questionRequested = "question_requested"
    case questionResolved = "question_resolved"
    case usage
    case quota
    case status
    case error
    case custom
}

/// Who said it.
package enum EventSource: String, Sendable {
    case user
    case agent
    case core
}
