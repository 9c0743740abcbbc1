import JSON

/// What agents ask, and what was answered.
extension TranscriptRenderer {
    mutating func permission(_ data: JSONObject) {
        guard options.showsRequests else {
            if let id = data["requestId"]?.stringValue { asked[id] = RequestText.title(data) }
            return
        }
        block(.notice)
        write("? Permission needed: ", [.bold, .yellow])
        write(RequestText.title(data) + "\n", .bold)
        for row in RequestText.details(data, limit: 8, width: options.lineWidth) { line("    " + row, .dim) }
        for option in data["options"]?.arrayValue ?? [] {
            line("    \(text(option["optionId"])): \(text(option["label"]))")
        }
    }

    mutating func question(_ data: JSONObject) {
        if options.showsRequests || data["body"]?.stringValue != nil { block(.notice) }
        if let body = data["body"]?.stringValue {
            line("? The plan:", [.bold, .yellow])
            var markdown = MarkdownStream(columns: options.columns)
            write(options.rendersMarkdown ? markdown.feed(body) + markdown.finish() : StyledText(body))
            endLine()
        }
        guard options.showsRequests else {
            if let id = data["requestId"]?.stringValue {
                asked[id] = (data["questions"]?.arrayValue ?? []).map { Sanitizer.cleanLine(text($0["text"])) }
                    .joined(separator: " ")
            }
            return
        }
        for question in data["questions"]?.arrayValue ?? [] {
            write("? ", [.bold, .yellow])
            line(Sanitizer.cleanLine(text(question["text"])), .bold)
            for (index, option) in (question["options"]?.arrayValue ?? []).enumerated() {
                let description = option["description"]?.stringValue.map { ": \($0)" } ?? ""
                line("    \(index + 1) \(Sanitizer.cleanLine(text(option["label"]) + description))")
            }
        }
    }

    mutating func resolved(_ data: JSONObject, isPermission: Bool) {
        // Between a tool's call and its result no line stands empty.
        block(last == .tool ? .tool : .notice)
        let id = data["requestId"]?.stringValue ?? ""
        if let title = asked.removeValue(forKey: id), !title.isEmpty {
            write("? ", .yellow)
            line(DisplayWidth.truncate(title, to: options.lineWidth), .bold)
        }
        let who: String =
            if ownAnswers.contains(id) { "" } else {
                data["by"]?["name"]?.stringValue.map { " by \(Sanitizer.cleanLine($0))" } ?? ""
            }
        let outcome = data["outcome"]?.stringValue ?? ""
        switch (outcome, data["optionKind"]?.stringValue ?? data["optionId"]?.stringValue) {
        case ("selected", "allow_once"): line("  ✓ allowed once\(who)", .green)
        case ("selected", "allow_always"): line("  ✓ always allowed\(who)", .green)
        case ("selected", "reject_once"), ("selected", "reject_always"): line("  ✗ rejected\(who)", .red)
        case ("selected", let option): line("  ✓ answered \(Sanitizer.cleanLine(option ?? ""))\(who)", .green)
        case ("answered", _):
            line("  ✓ answered\(who)\(RequestText.answers(data["answers"]))", .green)
        default: line("  – \(isPermission ? "permission" : "question") \(Sanitizer.cleanLine(outcome))\(who)", .dim)
        }
    }
}
