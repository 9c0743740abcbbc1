import JSON

/// What one provider has of a session's conversation: its own session, and how much of what was said with others it
/// was told.
package struct ProviderMemory: Equatable, Sendable {
    /// The provider's own session, by which it is resumed.
    package private(set) var nativeSessionId: String?
    /// The event with which that began. It knows the turns it had itself since then.
    package private(set) var since = 0
    /// It was told what others said up to this event.
    package private(set) var toldThrough = 0
    /// The end of its last turn.
    package private(set) var lastTurnEnd = 0
    /// The end of its last turn in a native session that is gone.
    package private(set) var forgottenThrough = 0
    /// What its turns in the native session cost, as far as they said: for providers that report a running total.
    package private(set) var costUsd = 0.0
    /// The native session belongs to the session that this one was forked from, and is to be forked, too.
    package private(set) var isOfOrigin = false
    /// What it is being told in a turn that hasn't ended: when the turn fails, nobody knows whether it heard it.
    private var telling: Telling?

    private struct Telling: Equatable {
        var turnId: String?
        var through: Int
    }

    package init() {}

    /// The provider reported its session.
    mutating func opened(_ nativeId: String, at seq: Int) {
        guard nativeId != nativeSessionId else { return }
        // A fork knows what its origin knew.
        if !isOfOrigin {
            since = seq
            toldThrough = 0
            forgottenThrough = lastTurnEnd
            costUsd = 0
        }
        isOfOrigin = false
        nativeSessionId = nativeId
    }

    /// The provider no longer has its session: from now on it is a stranger.
    mutating func forget() {
        nativeSessionId = nil
        isOfOrigin = false
        toldThrough = 0
        forgottenThrough = lastTurnEnd
    }

    mutating func tell(through seq: Int, in turnId: String?) { telling = Telling(turnId: turnId, through: seq) }

    mutating func turnEnded(_ turnId: String?, at seq: Int, hasFailed: Bool, costUsd: Double?) {
        lastTurnEnd = seq
        spent(costUsd)
        guard let told = telling, told.turnId == turnId else { return }
        telling = nil
        if !hasFailed { toldThrough = max(toldThrough, told.through) }
    }

    /// It reported costs, in a turn or beside them.
    mutating func spent(_ costUsd: Double?) { self.costUsd += costUsd ?? 0 }

    /// This session begins as the copy of another: its providers go on from forks of their sessions there.
    mutating func becomeFork() { isOfOrigin = nativeSessionId != nil }

    /// The native session that this session alone goes on with.
    var ownSessionId: String? { isOfOrigin ? nil : nativeSessionId }

    /// Whether it has to be told a turn that ended with this event.
    func misses(turnEndedAt seq: Int, isOwn: Bool) -> Bool {
        seq > toldThrough && (nativeSessionId == nil || !isOwn || seq < since)
    }

    /// Whether it has to be told any of its own turns.
    var hasForgotten: Bool { (nativeSessionId == nil ? lastTurnEnd : forgottenThrough) > toldThrough }

    var json: JSON {
        var object: JSONObject = [
            "since": JSON(since), "told": JSON(toldThrough), "end": JSON(lastTurnEnd),
            "forgotten": JSON(forgottenThrough), "cost": JSON(costUsd), "origin": JSON(isOfOrigin),
        ]
        object["native"] = nativeSessionId.map { JSON($0) }
        if let telling {
            object["telling"] = [telling.turnId.map { JSON($0) } ?? .null, JSON(telling.through)]
        }
        return .object(object)
    }

    init(_ json: JSON) {
        nativeSessionId = json["native"]?.stringValue
        since = json["since"]?.intValue ?? 0
        toldThrough = json["told"]?.intValue ?? 0
        lastTurnEnd = json["end"]?.intValue ?? 0
        forgottenThrough = json["forgotten"]?.intValue ?? 0
        costUsd = json["cost"]?.doubleValue ?? 0
        isOfOrigin = json["origin"]?.boolValue ?? false
        if let through = json["telling"]?[1]?.intValue {
            telling = Telling(turnId: json["telling"]?[0]?.stringValue, through: through)
        }
    }
}

extension SessionState {
    /// Whether something was said in this conversation that the provider doesn't know.
    func hasNews(for providerId: String) -> Bool {
        let memory = memories[providerId] ?? ProviderMemory()
        return memory.hasForgotten
            || memories.contains { $0.key != providerId && $0.value.lastTurnEnd > memory.toldThrough }
    }
}
