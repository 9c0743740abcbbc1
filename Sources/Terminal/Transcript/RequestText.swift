import JSON

/// Words for what an agent asks, and for other open-ended values.
enum RequestText {
    /// Tool and title of a permission request, on one line.
    static func title(_ data: JSONObject) -> String {
        let tool = Sanitizer.cleanLine(data["tool"]?.stringValue ?? "")
        let title = Sanitizer.cleanLine(data["title"]?.stringValue ?? "")
        if title.isEmpty { return tool }
        // Many titles begin with the tool's name already.
        return tool.isEmpty || title == tool || title.hasPrefix(tool + " ") ? title : "\(tool)  \(title)"
    }

    /// What exactly would be done: the arguments, each on its lines.
    static func details(_ data: JSONObject, limit: Int, width: Int) -> [String] {
        var rows: [String] = []
        if let reason = data["reason"]?.stringValue { rows.append(reason) }
        for (name, value) in data["args"]?.objectValue ?? [:] {
            let text = plain(value)
            // What the title says already need not be said again.
            if text == data["title"]?.stringValue { continue }
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            rows.append("\(name): \(lines.first ?? "")")
            rows += lines.dropFirst().map { "  \($0)" }
        }
        let shown = rows.prefix(limit).map { DisplayWidth.truncate(Sanitizer.cleanLine($0), to: width) }
        return rows.count > limit ? shown + ["… \(rows.count - limit) more lines"] : shown
    }

    /// A change of a file that is asked for, as a difference; nil when the arguments are none.
    static func changes(_ data: JSONObject) -> [StyledText]? {
        guard let args = data["args"]?.objectValue,
            let path = (args["file_path"] ?? args["path"])?.stringValue,
            let new = (args["new_string"] ?? args["content"] ?? args["newText"])?.stringValue
        else { return nil }
        let diff = LineDiff(old: (args["old_string"] ?? args["oldText"])?.stringValue, new: new)
        var rows = [StyledText("± \(Sanitizer.cleanLine(path))  +\(diff.added) -\(diff.removed)", .bold)]
        rows += diff.lines.flatMap { DiffText.line($0, width: .max).lines().dropLast() }
        // What else would be done is said, too.
        let known = ["file_path", "path", "new_string", "content", "newText", "old_string", "oldText"]
        for (name, value) in args where !known.contains(name) {
            rows.append(StyledText("\(Sanitizer.cleanLine(name)): \(Sanitizer.cleanLine(plain(value)))", .dim))
        }
        return rows
    }

    static func answers(_ answers: JSON?) -> String {
        let texts = (answers?.objectValue ?? [:]).map { _, value in
            value.arrayValue.map { $0.map { plain($0) }.joined(separator: ", ") } ?? plain(value)
        }
        return texts.isEmpty ? "" : ": " + Sanitizer.cleanLine(texts.joined(separator: "; "))
    }

    /// Text as it is; content blocks (`{type: text, text}`) as their texts; anything else as JSON.
    static func plain(_ value: JSON?) -> String {
        switch value {
        case nil, .null?: return ""
        case .string(let text)?: return text
        case .array(let blocks)? where !blocks.isEmpty:
            let texts = blocks.compactMap { $0["text"]?.stringValue ?? $0["content"]?["text"]?.stringValue }
            return texts.count == blocks.count ? texts.joined(separator: "\n") : JSON.array(blocks).description
        case let other?:
            return other["text"]?.stringValue ?? other.description
        }
    }
}
