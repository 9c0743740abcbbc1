import Base
import EventLog
import HubProtocol
import JSON

/// What was said in a session, written down for a provider that wasn't there.
struct CarriedContext: Equatable {
    /// What the provider is told before the person's message.
    var text: String
    /// The providers whose turns are told.
    var providerIds: [String]
    /// Turns that are in it, also shortened ones.
    var turns: Int
    /// Of these, those whose tool results were cut.
    var shortened: Int
    /// Turns for which there was no room.
    var omitted: Int
    /// It says everything up to this event.
    var through: Int

    /// What the log says about it: the person sees what the provider was told, and what not.
    var json: JSONObject {
        [
            "from": JSON(providerIds), "through": JSON(through), "turns": JSON(turns), "shortened": JSON(shortened),
            "omitted": JSON(omitted), "bytes": JSON(text.utf8.count),
        ]
    }

    /// - Parameters:
    ///   - records: of the log, in order; the oldest may be missing.
    ///   - isComplete: whether the records begin where the log does, or where the provider's knowledge ends.
    ///   - limit: bytes of the text.
    ///   - isTold: whether the provider has to be told a turn of this provider that ended with this event.
    /// - Returns: nil when there is nothing to tell.
    init?(
        _ records: [EventRecord], isComplete: Bool, limit: Int, name: (String) -> String,
        isTold: (_ providerId: String, _ end: Int) -> Bool
    ) {
        let all = ContextTurn.turns(in: records)
        let turns = all.filter { $0.end > 0 && isTold($0.providerId, $0.end) }
        guard let newest = turns.last else { return nil }
        var left = max(1024, limit)
        var parts: [String] = []
        shortened = 0
        // From the newest backwards: as much as fits whole, then in short, then not at all.
        for turn in turns.reversed() {
            var part = turn.text(name: name, resultLimit: .max)
            if part.utf8.count > left {
                part = turn.text(name: name, resultLimit: 1024)
                // The newest is told in any case, if need be with its middle missing.
                if part.utf8.count > left, parts.isEmpty { part = part.withoutMiddle(left) }
                guard part.utf8.count <= left else { break }
                shortened += 1
            }
            left -= part.utf8.count
            parts.append(part)
        }
        self.turns = parts.count
        // Turns are numbered: those before the first that was read are known by its number.
        let unread = isComplete ? 0 : (turns.first?.number ?? 1) - 1
        omitted = turns.count - parts.count + unread
        through = newest.end
        providerIds = []
        for turn in turns.suffix(parts.count) where !providerIds.contains(turn.providerId) {
            providerIds.append(turn.providerId)
        }
        let names = providerIds.map(name).joined(separator: ", ")
        var note = "What follows was said and done in this conversation and this workspace with \(names), "
        note += "without you. It is done already: don't do it again, go on from there."
        if omitted > 0 { note += " \(omitted) earlier turns are left out for want of room." }
        if shortened > 0 { note += " Long tool results of \(shortened) turns are cut." }
        let body = parts.reversed().joined(separator: "\n").replacing(text: "</conversation", with: "<\\/conversation")
        text = "<conversation>\n\(note)\n\n\(body)</conversation>\n\nNow the person says to you:"
    }
}

/// The events of one turn, to be told.
private struct ContextTurn {
    var turnId: String
    var providerId: String
    /// The event that ended it; 0 while it runs.
    var end = 0
    var records: [EventRecord] = []

    /// Turns are called `t1`, `t2`, ... Imported ones may be called anything: the number is of a size to count with.
    var number: Int? { Int(turnId.dropFirst()).map { min(max(1, $0), 1 << 32) } }

    /// In the order in which they ended.
    static func turns(in records: [EventRecord]) -> [ContextTurn] {
        var turns: [String: ContextTurn] = [:]
        for record in records {
            guard let turnId = record.turnId else { continue }
            let providerId = record.draft.providerId ?? ""
            turns[turnId, default: ContextTurn(turnId: turnId, providerId: providerId)].records.append(record)
            // A message that waited may have been begun by another provider than it was accepted for.
            if record.kind == .turnStarted { turns[turnId]?.providerId = providerId }
            if record.kind == .turnCompleted { turns[turnId]?.end = record.seq }
        }
        return turns.values.sorted { $0.end < $1.end }
    }

    func text(name: (String) -> String, resultLimit: Int) -> String {
        var lines: [String] = []
        for record in records {
            let data = record.data
            // What a subagent said is in its tool's result.
            guard data["parentItemId"] == nil else { continue }
            switch record.kind {
            case .message:
                let speaker =
                    switch data["role"]?.stringValue {
                    case "user": record.draft.source == .user ? "Person" : "System"
                    case "assistant": name(providerId)
                    default: "System"
                    }
                lines.append("\(speaker): \(data["content"]?.stringValue ?? "")")
                for attachment in data["attachments"]?.arrayValue ?? [] {
                    let title = attachment["name"]?.stringValue ?? attachment["mediaType"]?.stringValue ?? "a file"
                    lines.append("(with it: \(title))")
                }
            case .toolCall:
                lines.append("[\(data["name"]?.stringValue ?? "tool"): \(data["title"]?.stringValue ?? "")]")
            case .toolResult:
                let content = data["content"].map(ContextTurn.text(of:)) ?? ""
                let status = data["status"]?.stringValue ?? "completed"
                lines.append("[\(status)] \(content.withoutMiddle(resultLimit))")
            case .diff: lines.append("[changed \(data["path"]?.stringValue ?? "a file")]")
            case .plan:
                let entries = (data["entries"]?.arrayValue ?? []).map { entry in
                    "- [\(entry["status"]?.stringValue ?? "")] \(entry["content"]?.stringValue ?? "")"
                }
                lines.append("[plan]\n\(entries.joined(separator: "\n"))")
            case .permissionResolved:
                guard data["optionKind"]?.stringValue?.hasPrefix("reject") == true else { continue }
                lines.append("[the person refused this]")
            case .questionResolved:
                guard let answers = data["answers"] else { continue }
                lines.append("[the person answered: \(String(decoding: answers.serialize(), as: UTF8.self))]")
            case .error: lines.append("[error: \(data["message"]?.stringValue ?? "")]")
            case .turnCompleted:
                guard let status = data["status"]?.stringValue, status != "completed" else { continue }
                lines.append("[this turn \(status == "failed" ? "failed" : "was interrupted")]")
            case .turnStarted, .thinking, .permissionRequested, .questionRequested, .usage, .quota, .status, .custom:
                continue
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The text of a tool's result, which may be blocks.
    private static func text(of content: JSON) -> String {
        switch content {
        case .string(let text): return text
        case .array(let blocks):
            return blocks.map { $0["text"]?.stringValue ?? "(\($0["type"]?.stringValue ?? "content"))" }
                .joined(separator: "\n")
        default: return String(decoding: content.serialize(), as: UTF8.self)
        }
    }
}

extension String {
    /// At most so many bytes, by leaving out the middle and saying so.
    fileprivate func withoutMiddle(_ limit: Int) -> String {
        guard utf8.count > limit else { return self }
        let gap = "\n[... \(utf8.count - limit) bytes left out ...]\n"
        let part = max(0, (limit - gap.utf8.count) / 2)
        var end = utf8.index(startIndex, offsetBy: part)
        while end > startIndex, utf8[end] & 0xc0 == 0x80 { utf8.formIndex(before: &end) }
        var start = utf8.index(endIndex, offsetBy: -part)
        while start < endIndex, utf8[start] & 0xc0 == 0x80 { utf8.formIndex(after: &start) }
        return "\(self[..<end])\(gap)\(self[start...])"
    }
}
