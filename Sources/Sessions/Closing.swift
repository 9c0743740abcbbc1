import HubProtocol
import JSON
import Providers

// The events that close what was left open, wherever that happens: in a live session, in a copy, in an import.

extension SessionState.PendingRequest {
    func resolution(_ data: JSONObject, source: EventSource, isSynthetic: Bool = false) -> EventDraft {
        EventDraft(
            isQuestion ? .questionResolved : .permissionResolved, source: source, turnId: turnId, itemId: itemId,
            providerId: providerId, nativeId: nativeId, isSynthetic: isSynthetic, data: data)
    }

    /// Nobody can answer it any more.
    var cancellation: EventDraft {
        resolution(
            ["requestId": JSON(requestId), "outcome": "cancelled"], source: .core, isSynthetic: true)
    }
}

extension SessionState.OpenTool {
    /// Its result never came.
    func closing(_ status: ToolStatus) -> EventDraft {
        EventDraft(
            .toolResult, source: .core, turnId: turnId, itemId: itemId, providerId: providerId, nativeId: nativeId,
            isSynthetic: true, data: ["status": JSON(status.rawValue), "content": ""])
    }
}

extension TurnOutcome {
    /// The data of `turn_completed`.
    /// - Parameters:
    ///   - spent: usage and cost, as they are logged.
    ///   - measured: milliseconds, where the provider doesn't tell.
    func json(spent: JSONObject?, durationMs measured: Int) -> JSONObject {
        var data: JSONObject = ["status": JSON(status.rawValue)]
        data["stopReason"] = stopReason.map { JSON($0) }
        if let spent { data = data.merging(spent) }
        data["durationMs"] = JSON(durationMs ?? measured)
        return data
    }
}
