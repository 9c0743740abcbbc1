package import Base
import HubProtocol
package import JSON

/// The turn of a person's message that failed or was interrupted, as long as nothing was said since: what `retry`
/// tries again.
package struct UnfinishedTurn: Equatable, Sendable {
    package internal(set) var turnId: String
    /// Who had it.
    package internal(set) var providerId: String
    /// Of its message, with the beginning of its text only.
    package internal(set) var message: SessionState.QueuedMessage
    package internal(set) var hasFailed: Bool
    /// What went wrong; nil when nobody said.
    package internal(set) var failure: FailureMark?
}

/// What is remembered of an error.
package struct FailureMark: Equatable, Sendable {
    package var code: String
    /// When another try makes sense, where the error says so.
    package var retryAt: Timestamp?

    /// A reset further off than this is none that anybody waits for.
    private static let farthest = 366.0 * 86_400

    init(code: String, retryAt: Timestamp? = nil) {
        self.code = code
        self.retryAt = retryAt
    }

    /// - Parameter record: an `error` event.
    init?(_ record: EventRecord) {
        // The provider goes on after this one.
        guard let code = record.data["code"]?.stringValue, code != "resume_failed" else { return nil }
        self.code = code
        let now = Double(record.timestamp.milliseconds) / 1000
        let reset = record.data["details"]?["resetsAt"]?.doubleValue
        guard let at = reset ?? record.data["retryAfter"]?.doubleValue.map({ now + $0 }), at.isFinite, at > 0,
            at - now < FailureMark.farthest
        else { return }
        // A second at least: what has passed already must not be tried in a circle.
        retryAt = Timestamp(milliseconds: Int64((max(at, now + 1) * 1000).rounded(.up)))
    }

    var json: JSON { [JSON(code), retryAt.map { .int($0.milliseconds) } ?? .null] }

    init?(_ json: JSON) {
        guard let code = json[0]?.stringValue else { return nil }
        self.code = code
        retryAt = json[1]?.intValue.map { Timestamp(milliseconds: Int64($0)) }
    }
}

/// A turn that waits for a time.
package struct ParkedTurn: Equatable, Sendable {
    package internal(set) var turnId: String
    package internal(set) var until: Timestamp
    package internal(set) var code: String
    /// It is tried again by itself then; else somebody has to say so.
    package internal(set) var isAutomatic: Bool

    package var record: JSON {
        [
            "turnId": JSON(turnId), "until": JSON(until.description), "code": JSON(code),
            "automatic": JSON(isAutomatic),
        ]
    }

    init(turnId: String, until: Timestamp, code: String, isAutomatic: Bool) {
        self.turnId = turnId
        self.until = until
        self.code = code
        self.isAutomatic = isAutomatic
    }

    /// - Parameter json: the data of a `parked` event, or what `record` made.
    init?(_ json: JSONObject) {
        guard let turnId = json["turnId"]?.stringValue, let until = json["until"]?.stringValue.flatMap(Timestamp.init)
        else { return nil }
        self.turnId = turnId
        self.until = until
        code = json["code"]?.stringValue ?? ""
        isAutomatic = json["automatic"]?.boolValue ?? false
    }
}

extension SessionState {
    /// The end of a turn that had a message: what is left to try again.
    mutating func noteEnd(of turn: RunningTurn, status: String?) {
        guard let message = turn.message, status != "completed" else { return }
        unfinished = UnfinishedTurn(
            turnId: turn.turnId, providerId: turn.providerId, message: message, hasFailed: status == "failed",
            failure: turn.failure)
    }

    /// A message is to be tried again: before all that wait.
    mutating func applyRetry(_ data: JSONObject) {
        guard let turnId = data["turnId"]?.stringValue, let last = unfinished else { return }
        var message = last.message
        message.retryOf = last.turnId
        message.turnId = turnId
        if let reason = data["reason"]?.stringValue, reason != RetryReason.person.rawValue {
            if !message.triedProviders.contains(last.providerId) { message.triedProviders.append(last.providerId) }
            message.hasResumed = message.hasResumed || reason == RetryReason.parked.rawValue
        } else {
            // A person who tries again wants all of it again.
            message.triedProviders = []
            message.hasResumed = false
        }
        queue.insert(message, at: 0)
        turnCount += 1
        unfinished = nil
        parked = nil
    }

    /// The named first, in this order, then the others as they were.
    mutating func applyOrder(_ turnIds: [String]) {
        var rest = queue
        var ordered: [QueuedMessage] = []
        for turnId in turnIds {
            guard let index = rest.firstIndex(where: { $0.turnId == turnId }) else { continue }
            ordered.append(rest.remove(at: index))
        }
        queue = ordered + rest
    }
}

/// Why a message is tried again.
package enum RetryReason: String, Sendable {
    case person
    /// With another provider.
    case fallback
    /// The time for which it was parked has come.
    case parked
}

extension SessionState.QueuedMessage {
    /// Without most of its text, which is in the message's own event.
    var shortened: Self {
        var message = self
        message.content = preview
        return message
    }

    var json: JSON {
        var object: JSONObject = [
            "turnId": JSON(turnId), "seq": JSON(seq), "content": JSON(content),
        ]
        object["clientMessageId"] = clientMessageId.map { JSON($0) }
        object["to"] = providerId.map { JSON($0) }
        if hasAttachments { object["attachments"] = true }
        object["retryOf"] = retryOf.map { JSON($0) }
        if !triedProviders.isEmpty { object["tried"] = JSON(triedProviders) }
        if hasResumed { object["resumed"] = true }
        return .object(object)
    }

    init?(_ json: JSON) {
        guard let turnId = json["turnId"]?.stringValue, let seq = json["seq"]?.intValue,
            let content = json["content"]?.stringValue
        else { return nil }
        self.init(
            turnId: turnId, seq: seq, content: content, clientMessageId: json["clientMessageId"]?.stringValue,
            providerId: json["to"]?.stringValue, hasAttachments: json["attachments"]?.boolValue ?? false)
        retryOf = json["retryOf"]?.stringValue
        triedProviders = json["tried"]?.arrayValue?.compactMap(\.stringValue) ?? []
        hasResumed = json["resumed"]?.boolValue ?? false
    }
}

extension UnfinishedTurn {
    var json: JSON {
        var object: JSONObject = [
            "turnId": JSON(turnId), "providerId": JSON(providerId), "message": message.json, "failed": JSON(hasFailed),
        ]
        object["failure"] = failure?.json
        return .object(object)
    }

    init?(_ json: JSON) {
        guard let turnId = json["turnId"]?.stringValue, let providerId = json["providerId"]?.stringValue,
            let message = json["message"].flatMap({ SessionState.QueuedMessage($0) })
        else { return nil }
        self.turnId = turnId
        self.providerId = providerId
        self.message = message
        hasFailed = json["failed"]?.boolValue ?? false
        failure = json["failure"].flatMap { FailureMark($0) }
    }
}
