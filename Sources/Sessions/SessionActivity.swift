package import EventLog
import HubProtocol
package import JSON
import Redaction

/// What the sessions have done since the daemon started, counted for metrics. Derived from the records as they are
/// appended, so that nothing is counted that isn't in a log.
package struct SessionActivity: Sendable {
    package struct Outcome: Hashable, Comparable, Sendable {
        package var providerId: String
        /// A turn's status, how a process ended, or an error's code.
        package var name: String

        package init(providerId: String, name: String) {
            self.providerId = providerId
            self.name = name
        }

        package static func < (a: Outcome, b: Outcome) -> Bool { (a.providerId, a.name) < (b.providerId, b.name) }
    }

    /// Ended turns by `completed`, `interrupted`, `failed`.
    package internal(set) var turns: [Outcome: Int] = [:]
    /// How long they took, by provider.
    package internal(set) var turnDurations: [String: LatencyHistogram] = [:]
    /// Errors by code; those that are not `knownCodes` are counted as `other`: names that agents make up would grow
    /// without end.
    package internal(set) var errors: [Outcome: Int] = [:]
    package internal(set) var processStarts: [String: Int] = [:]
    /// `requested`, `exited` (by itself), `signaled`.
    package internal(set) var processEnds: [Outcome: Int] = [:]

    package static let knownCodes: Set<String> = [
        "authentication_failed", "budget_exceeded", "log_unavailable", "overloaded", "provider_crashed",
        "provider_disabled", "provider_not_installed", "provider_start_failed", "provider_too_old",
        "provider_unavailable", "quota_exhausted", "rate_limited", "resume_failed",
    ]

    /// Upper bounds in seconds: from an answer in a word to an afternoon's work.
    private static let turnBounds: [Double] = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600]

    package init() {}

    mutating func turnEnded(_ providerId: String, status: String, milliseconds: Int) {
        turns[Outcome(providerId: providerId, name: status), default: 0] += 1
        turnDurations[providerId, default: LatencyHistogram(bounds: SessionActivity.turnBounds)]
            .record(nanoseconds: Int64(min(max(0, milliseconds), 1 << 40)) * 1_000_000)
    }

    mutating func failed(_ providerId: String, code: String) {
        let name = SessionActivity.knownCodes.contains(code) ? code : "other"
        errors[Outcome(providerId: providerId, name: name), default: 0] += 1
    }

    /// A thing that an operator wants to know of: which, and its identifiers, durations and codes. Never content.
    package struct Event: Sendable {
        package enum Kind: String, Sendable {
            case turnStarted = "a turn started"
            case turnEnded = "a turn ended"
            case processStarted = "a provider's process started"
            case processEnded = "a provider's process ended"
        }

        package var kind: Kind
        package var fields: JSONObject
    }
}

extension SessionService {
    /// Looks at what was just appended.
    /// - Parameter failure: what the running turn had against it before.
    func note(_ record: EventRecord, in session: Session, failure: FailureMark?) {
        guard record.seq > 0 else { return }
        let providerId = record.draft.providerId ?? session.state.providerId
        func tell(_ kind: SessionActivity.Event.Kind, _ more: [(String, JSON?)]) {
            var fields: JSONObject = ["sessionId": JSON(session.id), "providerId": JSON(providerId)]
            fields["turnId"] = record.turnId.map { JSON($0) }
            for (key, value) in more { fields[key] = value }
            onActivity(SessionActivity.Event(kind: kind, fields: fields))
        }
        switch record.kind {
        case .turnStarted: tell(.turnStarted, [("retryOf", record.data["retryOf"])])
        case .turnCompleted:
            let status = record.data["status"]?.stringValue ?? "completed"
            let duration = record.data["durationMs"]
            activity.turnEnded(providerId, status: status, milliseconds: duration?.intValue ?? 0)
            tell(
                .turnEnded,
                [
                    ("status", JSON(status)), ("stopReason", record.data["stopReason"]), ("durationMs", duration),
                    ("code", status == "failed" ? failure.map { JSON($0.code) } : nil),
                ])
        case .error: activity.failed(providerId, code: record.data["code"]?.stringValue ?? "")
        case .status where record.data["type"] == "process_started":
            activity.processStarts[providerId, default: 0] += 1
            tell(.processStarted, [("pid", record.data["pid"])])
        case .status where record.data["type"] == "process_exited":
            let name =
                record.data["requested"] == true ? "requested" : record.data["signal"] == nil ? "exited" : "signaled"
            activity.processEnds[.init(providerId: providerId, name: name), default: 0] += 1
            tell(
                .processEnded,
                ["requested", "exitCode", "signal"].map { ($0, record.data[$0]) })
        default: break
        }
    }

    // MARK: Decisions

    /// The request that a record about to be appended resolves.
    func requestAnswered(by draft: EventDraft, in session: Session) -> SessionState.PendingRequest? {
        guard draft.kind == .permissionResolved || draft.kind == .questionResolved,
            let requestId = draft.data["requestId"]?.stringValue
        else { return nil }
        return session.state.pending.first { $0.requestId == requestId }
    }

    /// Every decision, those of the daemon itself included: what a turn's end leaves unanswered counts as cancelled.
    func auditDecision(on request: SessionState.PendingRequest, _ resolution: JSONObject, in session: Session) {
        var details: JSONObject = ["requestId": JSON(request.requestId)]
        details["turnId"] = request.turnId.map { JSON($0) }
        details["providerId"] = request.providerId.map { JSON($0) }
        if request.isQuestion {
            details["questionsSha256"] = JSON(digest(request.data["questions"] ?? .null))
            details["outcome"] = resolution["outcome"]
            details["answersSha256"] = resolution["answers"].map { JSON(digest($0)) }
        } else {
            details["tool"] = request.data["tool"] ?? .null
            details["argsSha256"] = JSON(digest(request.data["args"] ?? .null))
            details["outcome"] = resolution["outcome"]
            details["optionId"] = resolution["optionId"]
            details["optionKind"] = resolution["optionKind"]
        }
        audit(
            request.isQuestion ? "question" : "permission", by: resolution["by"].flatMap { ClientIdentity($0) },
            session: session, details: details)
    }

    // MARK: Counts

    /// How many sessions have each status.
    package var statusCounts: [SessionState.Status: Int] {
        var counts = storedCounts
        for session in loaded.values { counts[session.state.status, default: 0] += 1 }
        return counts
    }

    /// What waits for a person: permissions and questions.
    package var pendingCounts: (permissions: Int, questions: Int) {
        var counts = (permissions: 0, questions: 0)
        for session in loaded.values {
            for request in session.state.pending {
                if request.isQuestion { counts.questions += 1 } else { counts.permissions += 1 }
            }
        }
        return counts
    }

    /// Messages that wait for their turn, in sessions that are loaded.
    package var queuedCount: Int { loaded.values.reduce(0) { $0 + $1.state.queue.count } }
}

extension EventDraft {
    /// An error that a provider reported, without the secrets it may quote.
    func cleaned(by redactor: Redactor) -> EventDraft {
        var draft = self
        draft.data = redactor.cleanError(data)
        return draft
    }
}
