import Client
import JSON

/// What agents do: tool calls, their results, changes of files, plans.
extension TranscriptRenderer {
    mutating func toolCall(_ event: LogEvent) {
        let name = event.data["name"]?.stringValue ?? ""
        let title = Sanitizer.cleanLine(event.data["title"]?.stringValue ?? "")
        let item = event.itemId ?? ""
        let isAgent = event.data["toolKind"]?.stringValue == "agent" || ["Agent", "Task"].contains(name)
        if isAgent, openAgents.count < TranscriptRenderer.growingItems {
            openAgents.insert(item)
        }
        // An update of the same call is shown when it says something new.
        guard titles[item] != name + title else { return }
        if titles.count < TranscriptRenderer.knownItems { titles[item] = name + title }
        block(.tool)
        write("● ", [.cyan, .hanging])
        // Many titles begin with the tool's name.
        let rest = title.hasPrefix(name) ? String(title.dropFirst(name.count)) : "  " + title
        write(name, .bold)
        if rest != "  " { write(DisplayWidth.truncate(name.isEmpty ? title : rest, to: options.lineWidth)) }
        write("\n")
    }

    mutating func toolResult(_ event: LogEvent) {
        let data = event.data
        let status = data["status"]?.stringValue ?? "completed"
        let style: Style = status == "failed" ? .red : .dim
        let content = text(data["content"])
        let lines = content.split(separator: "\n").map(String.init)
        remove(event.itemId)
        if let item = event.itemId { openAgents.remove(item) }
        block(.tool)
        var head = status == "completed" ? "" : status
        if let code = data["exitCode"]?.intValue, code != 0 { head += (head.isEmpty ? "" : ", ") + "exit \(code)" }
        var rows: [(text: String, style: Style)] = []
        if !head.isEmpty { rows.append((head, style)) }
        if lines.count > options.resultLines + 1 {
            // The beginning says what it is, the end how it went.
            let first = (options.resultLines + 1) / 2
            let hint = options.isInteractive ? " (Ctrl-O)" : ""
            rows += lines.prefix(first).map { ($0, style) }
            rows.append(("… \(lines.count - options.resultLines) more lines\(hint)", .dim))
            rows += lines.suffix(options.resultLines - first).map { ($0, style) }
            folded.add(titles[event.itemId ?? ""] ?? "result", content)
        } else {
            rows += lines.map { ($0, style) }
        }
        if rows.isEmpty {
            // What was changed is to be seen above.
            if let item = event.itemId, item == lastDiff { return }
            rows = [("(no output)", style)]
        }
        for (index, row) in rows.enumerated() {
            write(index == 0 ? "  └ " : "    ", [.dim, .hanging])
            line(DisplayWidth.truncate(row.text, to: options.lineWidth), row.style)
        }
    }

    // MARK: Changes of files

    mutating func diff(_ event: LogEvent) {
        let data = event.data
        block(.tool)
        lastDiff = event.itemId
        let path = Sanitizer.cleanLine(data["path"]?.stringValue ?? "")
        if let unified = data["unified"]?.stringValue {
            line("  ± \(path)", .bold)
            unifiedDiff(path, unified)
            return
        }
        let diff = LineDiff(old: data["oldText"]?.stringValue, new: data["newText"]?.stringValue)
        write("  ± \(path)  ", .bold)
        write("+\(diff.added)", .green)
        write(" ")
        write("-\(diff.removed)", .red)
        write("\n")
        for row in diff.lines.prefix(options.diffLines) { write(DiffText.line(row, width: options.lineWidth)) }
        guard diff.lines.count > options.diffLines else { return }
        moreLines(diff.lines.count - options.diffLines, indent: "      ")
        folded.add(path, diff.lines.map { DiffText.line($0, width: .max).plain }.joined())
    }

    private mutating func unifiedDiff(_ path: String, _ text: String) {
        let rows = text.split(separator: "\n", omittingEmptySubsequences: false)
        for row in rows.prefix(options.diffLines) {
            let style: Style =
                switch row.first {
                case "+": .green
                case "-": .red
                case "@": .cyan
                default: .dim
                }
            line("    " + DisplayWidth.truncate(String(row), to: options.lineWidth), style)
        }
        guard rows.count > options.diffLines else { return }
        moreLines(rows.count - options.diffLines, indent: "      ")
        folded.add(path, text)
    }

    // MARK: Plans

    mutating func plan(_ data: JSONObject) {
        block(.notice)
        let entries = data["entries"]?.arrayValue ?? []
        let done = entries.filter { $0["status"]?.stringValue == "completed" }.count
        write("Plan", .bold)
        if done > 0 { write("  \(done) of \(entries.count)", .dim) }
        write("\n")
        for entry in entries {
            let content = Sanitizer.cleanLine(text(entry["content"]))
            switch entry["status"]?.stringValue {
            case "completed":
                write("  ☑ ", [.green, .hanging])
                line(content, .dim)
            case "in_progress":
                write("  ▶ ", [.cyan, .hanging])
                line(content, [.bold, .cyan])
            default:
                write("  ☐ ", .hanging)
                line(content)
            }
        }
    }
}

/// Lines of a difference as they look.
enum DiffText {
    /// With its line feed.
    static func line(_ line: LineDiff.Line, width: Int) -> StyledText {
        func cut(_ text: String) -> String { width == .max ? text : DisplayWidth.truncate(text, to: width) }
        return switch line {
        case .same(let text): StyledText("      \(cut(text))\n", .dim)
        case .added(let text): StyledText("    + \(cut(text))\n", .green)
        case .removed(let text): StyledText("    - \(cut(text))\n", .red)
        case .skipped(let count): StyledText("      … \(count) lines\n", .dim)
        }
    }
}
