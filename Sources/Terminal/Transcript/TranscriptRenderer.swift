import Client
import JSON

/// Turns a session's events and chunks into text for people. Pure: frames in, text out; drawing it is somebody
/// else's work.
///
/// A streamed item is shown as it grows; the event that closes it adds only what has not been shown. What is shown is
/// known by bytes, so that a reconnect, which sends the open items again, doubles nothing.
struct TranscriptRenderer {
    struct Options {
        /// Lines of one diff.
        var diffLines = 40
        /// Lines of one tool's result.
        var resultLines = 4
        /// Columns of one line of a tool's call or result.
        var lineWidth = 160
        /// Whether requests are shown when they come; the interactive client has a prompt for them, and shows here
        /// only what became of them.
        var showsRequests = true
        var showsThinking = true
        /// Whether the commands that carry out an error's actions are named: those of the interactive client.
        var offersCommands = false
    }

    private enum Block { case none, user, text, thinking, tool, notice, end }

    var options = Options()
    /// Requests that this client answered: their outcome is shown without a name.
    var ownAnswers: Set<String> = []
    private(set) var runningTurn: String?
    private var last = Block.none
    private var isAtLineStart = true
    /// The item whose text is growing on the screen.
    private var live: String?
    /// UTF-8 bytes shown of items that are not closed.
    private var shown: [String: Int] = [:]
    /// Text of items that grow while another one is on the screen.
    private var waiting: [(item: String, kind: String, text: String)] = []
    private var titles: [String: String] = [:]
    /// What was asked by requests that are not shown, by requestId.
    private var asked: [String: String] = [:]
    /// The items closed last: a delta that comes late must not show one again.
    private var closed: [String] = []
    private var out = StyledText()

    static let waitingItems = 64
    static let closedItems = 64

    init(options: Options = Options()) {
        self.options = options
    }

    // MARK: Ephemeral text

    /// A `stream:chunk`, or an entry of `open` in `core:state`, which is a chunk from the item's beginning.
    mutating func chunk(_ payload: JSON) -> StyledText {
        guard let item = payload["itemId"]?.stringValue, let text = payload["content"]?.stringValue else { return "" }
        let kind = payload["kind"]?.stringValue ?? "message"
        guard kind == "message" || kind == "thinking" && options.showsThinking else { return "" }
        let offset = payload["offset"]?.intValue ?? 0
        guard !closed.contains(item) else { return "" }
        let known = shown[item] ?? 0
        // Text that is missing in front comes with the event that closes the item.
        guard offset >= 0, offset <= known else { return "" }
        guard let fresh = TranscriptRenderer.suffix(of: text, from: known - offset), !fresh.isEmpty else { return "" }
        if let live, live != item {
            hold(item, kind, fresh)
            shown[item] = known + fresh.utf8.count
            return ""
        }
        if live == nil { begin(kind) }
        live = item
        shown[item] = known + fresh.utf8.count
        write(fresh, kind == "thinking" ? .dim : .plain)
        return take()
    }

    private mutating func hold(_ item: String, _ kind: String, _ text: String) {
        if let index = waiting.firstIndex(where: { $0.item == item }) {
            waiting[index].text += text
        } else if waiting.count < TranscriptRenderer.waitingItems {
            waiting.append((item, kind, text))
        }
    }

    /// The part of `text` after `bytes` of UTF-8; nil when that is no character's boundary or beyond the end.
    private static func suffix(of text: String, from bytes: Int) -> String? {
        guard bytes > 0 else { return text }
        guard let index = text.utf8.index(text.utf8.startIndex, offsetBy: bytes, limitedBy: text.utf8.endIndex)
        else { return nil }
        return index.samePosition(in: text.unicodeScalars).map { String(text[$0...]) }
    }

    // MARK: Events

    mutating func event(_ event: LogEvent) -> StyledText {
        let data = event.data
        switch event.kind {
        case "turn_started": runningTurn = event.turnId
        case "turn_completed": completed(event)
        case "message": message(event)
        case "thinking":
            if options.showsThinking {
                close(event.itemId, "thinking", text(data["content"]), .dim)
            }
        case "tool_call": toolCall(event)
        case "tool_result": toolResult(event)
        case "diff": diff(data)
        case "plan": plan(data)
        case "permission_requested": permission(data)
        case "permission_resolved": resolved(data, isPermission: true)
        case "question_requested": question(data)
        case "question_resolved": resolved(data, isPermission: false)
        case "quota": quota(data)
        case "status": status(data)
        case "error": error(data)
        default: break
        }
        showWaiting()
        return take()
    }

    /// A line of this client's own, for example about the connection.
    mutating func notice(_ text: String, _ style: Style = .dim) -> StyledText {
        block(.notice)
        line(text, style)
        return take()
    }

    private mutating func message(_ event: LogEvent) {
        let content = text(event.data["content"])
        switch event.data["role"]?.stringValue {
        case "user":
            // A subagent's prompt is the tool call's business.
            guard event.data["parentItemId"]?.stringValue == nil else { return }
            block(.user)
            let isQueued = runningTurn != nil && event.turnId != runningTurn
            for (index, row) in content.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                write(index == 0 ? "› " : "  ", [.bold, .cyan])
                write(String(row), .bold)
                if index == 0, isQueued { write("  (queued)", .dim) }
                write("\n")
            }
        case "system":
            block(.notice)
            line(content, .dim)
        default:
            close(event.itemId, "message", content, .plain)
            if event.data["partial"]?.boolValue == true { line("[cut off]", .dim) }
        }
    }

    /// Shows what has not been shown of an item that is complete now.
    private mutating func close(_ item: String?, _ kind: String, _ content: String, _ style: Style) {
        let known = item.flatMap { shown[$0] } ?? 0
        if let item {
            shown[item] = nil
            waiting.removeAll { $0.item == item }
            closed.append(item)
            if closed.count > TranscriptRenderer.closedItems { closed.removeFirst() }
        }
        if let item, item == live {
            live = nil
            if let rest = TranscriptRenderer.suffix(of: content, from: known) {
                write(rest, style)
            } else {
                // The final text is another one than what was streamed; the final one counts.
                begin(kind)
                write(content, style)
            }
        } else if !content.isEmpty {
            begin(kind)
            write(content, style)
        }
        endLine()
    }

    /// The next item that grew meanwhile takes the screen.
    private mutating func showWaiting() {
        guard live == nil, !waiting.isEmpty else { return }
        let next = waiting.removeFirst()
        begin(next.kind)
        live = next.item
        write(next.text, next.kind == "thinking" ? .dim : .plain)
    }

    private mutating func completed(_ event: LogEvent) {
        let data = event.data
        runningTurn = nil
        live = nil
        shown = [:]
        waiting = []
        titles = [:]
        block(.end)
        switch data["status"]?.stringValue {
        case "interrupted": line("■ interrupted", .yellow)
        case "failed": line("✗ the turn failed", .red)
        default: break
        }
        let summary = TurnSummary.text(data)
        if !summary.isEmpty { line(summary, .dim) }
    }

    private mutating func toolCall(_ event: LogEvent) {
        let name = event.data["name"]?.stringValue ?? ""
        let title = Sanitizer.cleanLine(event.data["title"]?.stringValue ?? "")
        let item = event.itemId ?? ""
        // An update of the same call is shown when it says something new.
        guard titles[item] != name + title else { return }
        titles[item] = name + title
        block(.tool)
        let indent = event.data["parentItemId"]?.stringValue == nil ? "" : "  "
        write(indent + "● ", .cyan)
        // Many titles begin with the tool's name.
        let rest = title.hasPrefix(name) ? String(title.dropFirst(name.count)) : "  " + title
        write(name, .bold)
        if rest != "  " { write(DisplayWidth.truncate(name.isEmpty ? title : rest, to: options.lineWidth)) }
        write("\n")
    }

    private mutating func toolResult(_ event: LogEvent) {
        let data = event.data
        let status = data["status"]?.stringValue ?? "completed"
        let style: Style = status == "failed" ? .red : .dim
        let lines = text(data["content"]).split(separator: "\n").map(String.init)
        block(.tool)
        let indent = data["parentItemId"]?.stringValue == nil ? "  " : "    "
        var head = status == "completed" ? "" : status
        if let code = data["exitCode"]?.intValue, code != 0 { head += (head.isEmpty ? "" : ", ") + "exit \(code)" }
        var rows = lines.prefix(options.resultLines).map { DisplayWidth.truncate($0, to: options.lineWidth) }
        if !head.isEmpty { rows.insert(head, at: 0) }
        if rows.isEmpty { rows = ["(no output)"] }
        if lines.count > options.resultLines { rows.append("… \(lines.count - options.resultLines) more lines") }
        for (index, row) in rows.enumerated() { line(indent + (index == 0 ? "└ " : "  ") + row, style) }
    }

    private mutating func diff(_ data: JSONObject) {
        block(.tool)
        let path = Sanitizer.cleanLine(data["path"]?.stringValue ?? "")
        if let unified = data["unified"]?.stringValue {
            line("  ± \(path)", .bold)
            unifiedDiff(unified)
            return
        }
        let diff = LineDiff(old: data["oldText"]?.stringValue, new: data["newText"]?.stringValue)
        write("  ± \(path)  ", .bold)
        write("+\(diff.added)", .green)
        write(" ")
        write("-\(diff.removed)", .red)
        write("\n")
        for row in diff.lines.prefix(options.diffLines) {
            switch row {
            case .same(let text): line("      " + DisplayWidth.truncate(text, to: options.lineWidth), .dim)
            case .added(let text): line("    + " + DisplayWidth.truncate(text, to: options.lineWidth), .green)
            case .removed(let text): line("    - " + DisplayWidth.truncate(text, to: options.lineWidth), .red)
            case .skipped(let count): line("      … \(count) lines", .dim)
            }
        }
        moreLines(diff.lines.count)
    }

    private mutating func unifiedDiff(_ text: String) {
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
        moreLines(rows.count)
    }

    private mutating func moreLines(_ count: Int) {
        if count > options.diffLines { line("      … \(count - options.diffLines) more lines", .dim) }
    }

    private mutating func plan(_ data: JSONObject) {
        block(.notice)
        line("Plan", .bold)
        for entry in data["entries"]?.arrayValue ?? [] {
            let content = Sanitizer.cleanLine(text(entry["content"]))
            switch entry["status"]?.stringValue {
            case "completed": line("  ☑ \(content)", .dim)
            case "in_progress": line("  ▶ \(content)", .cyan)
            default: line("  ☐ \(content)")
            }
        }
    }

    private mutating func permission(_ data: JSONObject) {
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

    private mutating func question(_ data: JSONObject) {
        if options.showsRequests || data["body"]?.stringValue != nil { block(.notice) }
        if let body = data["body"]?.stringValue {
            line("? The plan:", [.bold, .yellow])
            line(body)
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

    private mutating func resolved(_ data: JSONObject, isPermission: Bool) {
        block(.notice)
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

    private mutating func quota(_ data: JSONObject) {
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

    private mutating func status(_ data: JSONObject) {
        guard let sentence = StatusText.sentence(data) else { return }
        block(.notice)
        line("· \(sentence)", .dim)
    }

    private mutating func error(_ data: JSONObject) {
        block(.notice)
        write("✗ ", .red)
        write(Sanitizer.cleanLine(text(data["message"])), .red)
        write("  (\(Sanitizer.cleanLine(text(data["code"]))))\n", .dim)
        if let seconds = data["retryAfter"]?.doubleValue, seconds > 0, seconds < 1e8 {
            line("    try again in \(Clock.duration(seconds: seconds))", .dim)
        }
        let actions = (data["actions"]?.arrayValue ?? []).compactMap { action -> String? in
            guard let label = action["label"]?.stringValue else { return nil }
            guard options.offersCommands, let command = SlashCommand.carryingOut(action["id"]?.stringValue ?? "") else {
                return label
            }
            return "\(label): \(command)"
        }
        if !actions.isEmpty { line("    \(Sanitizer.cleanLine(actions.joined(separator: " · ")))", .dim) }
    }

    // MARK: Writing

    private func text(_ value: JSON?) -> String { RequestText.plain(value) }

    private mutating func begin(_ kind: String) {
        if kind == "thinking" {
            block(.thinking)
            write("✻ ", .dim)
        } else {
            block(.text)
        }
    }

    /// Starts a block on a line of its own, with an empty line between blocks of different nature.
    private mutating func block(_ kind: Block) {
        endLine()
        if last != .none, kind != last || kind == .text || kind == .user, !(kind == .notice && last == .tool) {
            write("\n")
        }
        last = kind
    }

    private mutating func endLine() {
        if !isAtLineStart { write("\n") }
    }

    private mutating func line(_ text: String, _ style: Style = .plain) {
        write(text, style)
        endLine()
    }

    private mutating func write(_ text: String, _ style: Style = .plain) {
        guard let final = text.unicodeScalars.last else { return }
        isAtLineStart = final == "\n"
        out.append(text, style)
    }

    private mutating func take() -> StyledText {
        defer { out = StyledText() }
        return out
    }
}
