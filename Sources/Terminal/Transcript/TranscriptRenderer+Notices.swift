import JSON

/// Quotas, changes of the session, errors.
extension TranscriptRenderer {
    mutating func quota(_ data: JSONObject) {
        let status = data["status"]?.stringValue
        guard status == "warning" || status == "rejected" else { return }
        block(.notice)
        var text = status == "rejected" ? "! the quota is used up" : "! the quota is nearly used up"
        if let used = data["utilization"]?.doubleValue, used >= 0, used < 1000 {
            text += " (\(Int(used <= 1 ? used * 100 : used)) %)"
        }
        if let window = data["window"]?.stringValue { text += ", window \(Sanitizer.cleanLine(window))" }
        if let reset = data["resetsAt"]?.intValue { text += ", resets \(Clock.text(seconds: reset))" }
        line(text, .yellow)
    }

    mutating func status(_ data: JSONObject) {
        guard let sentence = StatusText.sentence(data) else { return }
        block(.notice)
        line("· \(sentence)", .dim)
    }

    mutating func error(_ data: JSONObject) {
        block(.notice)
        write("✗ ", .red)
        write(Sanitizer.cleanLine(text(data["message"])), .red)
        write("  (\(Sanitizer.cleanLine(text(data["code"]))))\n", .dim)
        if let seconds = data["retryAfter"]?.doubleValue, seconds > 0, seconds < 1e8 {
            line("    try again in \(Clock.duration(seconds: seconds))", .dim)
        }
        let actions = (data["actions"]?.arrayValue ?? []).compactMap { action -> String? in
            guard let label = action["label"]?.stringValue else { return nil }
            guard options.isInteractive, let command = SlashCommand.carryingOut(action["id"]?.stringValue ?? "") else {
                return label
            }
            return "\(label): \(command)"
        }
        if !actions.isEmpty { line("    \(Sanitizer.cleanLine(actions.joined(separator: " · ")))", .dim) }
    }
}
