import Base
import EventLog
import HubProtocol
import JSON
import Providers

/// Makes a log of the events of a provider's own file: numbers its turns and closes what it left open.
struct NativeImport {
    let builder: LogBuilder<SessionState>
    private let providerId: String
    private var time: Timestamp

    init(_ builder: LogBuilder<SessionState>) {
        self.builder = builder
        providerId = builder.header.providerId
        time = builder.header.createdAt
    }

    mutating func take(_ timestamp: Timestamp?, _ event: ArchivedEvent) throws(LogError) {
        if let timestamp, NativeImport.isWritable(timestamp) { time = timestamp }
        switch event {
        case .prompt(let text, let nativeId):
            try endTurn(TurnOutcome(status: .completed), isSynthetic: true)
            let turnId = builder.state.nextTurnId
            try append(
                EventDraft(
                    .message, source: .user, turnId: turnId, itemId: "\(turnId).user", providerId: providerId,
                    nativeId: nativeId, data: ["role": "user", "content": JSON(text)]))
            try append(EventDraft(.turnStarted, source: .core, turnId: turnId, providerId: providerId))
        case .event(.turnStarted(let reason)):
            guard builder.state.runningTurn == nil else { return }
            try append(
                EventDraft(
                    .turnStarted, source: .agent, turnId: builder.state.nextTurnId, providerId: providerId,
                    data: ["reason": JSON(reason)]))
        case .event(.turnCompleted(let outcome)): try endTurn(outcome, isSynthetic: false)
        case .event(let event):
            if let draft = event.draft(providerId: providerId, turnId: builder.state.runningTurn?.turnId) {
                try append(draft)
            }
        }
    }

    /// Opens the log. The native session comes first: what follows is what its provider knows.
    mutating func begin(_ session: ArchivedSession) throws(LogError) {
        var created: JSONObject = ["type": "created"]
        created["title"] = session.title.map { JSON($0) }
        try append(EventDraft(.status, source: .core, providerId: providerId, data: created))
        try append(
            EventDraft(
                .status, source: .agent, providerId: providerId,
                data: ["type": "native_session", "nativeSessionId": JSON(session.nativeSessionId)]))
    }

    /// Closes what is open, and says where it all came from.
    mutating func finish(
        _ session: ArchivedSession, model: String?, skipped: [String: Int], at now: Timestamp, by client: ClientIdentity
    ) throws(LogError) {
        try endTurn(TurnOutcome(status: .interrupted, stopReason: "imported"), isSynthetic: true)
        if let model {
            try append(
                EventDraft(
                    .status, source: .agent, providerId: providerId,
                    data: ["type": "model_changed", "model": JSON(model)]))
        }
        time = max(time, now)
        var counts = JSONObject()
        for (type, count) in skipped.sorted(by: { $0.key < $1.key }) { counts[type] = JSON(count) }
        var from: JSONObject = [
            "providerId": JSON(providerId), "nativeSessionId": JSON(session.nativeSessionId),
            "bytes": JSON(session.bytes),
        ]
        from["version"] = session.version.map { JSON($0) }
        try append(
            EventDraft(
                .status, source: .core, providerId: providerId,
                data: ["type": "imported", "from": .object(from), "skipped": .object(counts), "by": client.json]))
    }

    private mutating func endTurn(_ outcome: TurnOutcome, isSynthetic: Bool) throws(LogError) {
        guard let turn = builder.state.runningTurn else { return }
        for tool in builder.state.openTools {
            try append(tool.closing(outcome.status == .failed ? .failed : .cancelled))
        }
        try append(
            EventDraft(
                .turnCompleted, source: isSynthetic ? .core : .agent, turnId: turn.turnId, providerId: providerId,
                isSynthetic: isSynthetic,
                data: outcome.json(
                    spent: outcome.usage?.unpriced,
                    durationMs: Int(clamping: max(0, time.milliseconds &- turn.startedAt.milliseconds)))))
    }

    private func append(_ draft: EventDraft) throws(LogError) { try builder.append(draft, at: time) }

    /// Years of four digits, as every reader of the log expects.
    static func isWritable(_ timestamp: Timestamp) -> Bool {
        (-62_135_596_800_000...253_402_300_799_999).contains(timestamp.milliseconds)
    }
}

extension Usage {
    /// As the provider told it: what turns elsewhere cost is not estimated afterwards.
    fileprivate var unpriced: JSONObject {
        var data: JSONObject = ["usage": .object(json)]
        data["costUsd"] = costUsd.map { JSON($0) }
        return data
    }
}
