import JSON

/// What a `status` event says to the person who reads along; those of use to programs only have no sentence.
enum StatusText {
    static func sentence(_ data: JSONObject) -> String? {
        func value(_ key: String) -> String { Sanitizer.cleanLine(RequestText.plain(data[key])) }
        return switch data["type"]?.stringValue {
        case "renamed": "renamed: \(value("title"))"
        case "model": "model: \(value("model"))"
        case "mode": "mode: \(value("mode"))"
        case "queue_held": "the queue is held (\(value("reason"))): /resume lets it go on"
        case "queue_released": "the queue goes on"
        case "queue_ordered": "the queue was put in another order"
        case "retry" where data["reason"] == "parked": "trying again, as was said"
        case "retry" where data["reason"] == "person": "trying again"
        case "parked" where data["automatic"] == true:
            "parked: it is tried again at \(Clock.short(value("until")))"
        case "parked": "parked until \(Clock.short(value("until"))), then somebody has to try again"
        case "unparked": "it is no longer tried again by itself"
        case "provider_backoff": "the provider failed and is started again at \(Clock.short(value("until")))"
        case "fallback": "\(value("from")) failed (\(value("code"))): trying \(value("to"))"
        case "provider_switched": "\(value("to")) answers from now on"
        case "context_carried": carriedContext(data)
        case "forked": "a copy of session \(Sanitizer.cleanLine(RequestText.plain(data["from"]?["sessionId"])))"
        case "imported": "imported"
        case "paused": "paused"
        case "resumed": "no longer paused"
        case "withdrawn": "a queued message was taken back"
        case "recovered": "the daemon was started again (\(value("reason")))"
        default: nil
        }
    }

    /// How much the agent was told of the turns that others had, and what it was not.
    private static func carriedContext(_ data: JSONObject) -> String {
        func count(_ key: String, _ noun: String) -> String {
            let number = data[key]?.intValue ?? 0
            return "\(number) \(noun)\(number == 1 ? "" : "s")"
        }
        let from = (data["from"]?.arrayValue ?? []).map { Sanitizer.cleanLine(RequestText.plain($0)) }
        var text = "it was told \(count("turns", "turn")) of \(from.joined(separator: ", "))"
        if data["shortened"]?.intValue ?? 0 > 0 { text += ", \(count("shortened", "turn")) of them shortened" }
        if data["omitted"]?.intValue ?? 0 > 0 { text += "; \(count("omitted", "turn")) left out for want of room" }
        return text
    }
}
