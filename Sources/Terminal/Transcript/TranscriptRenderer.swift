import Client
import JSON

/// Turns a session's events and chunks into text for people. Pure: frames in, text out; drawing it is somebody
/// else's work.
///
/// What it gives is final: each line is written once. What is still growing (an unfinished line or table, a thought, a
/// tool's output) is in `preview`, and comes as text when it is complete. What was shown of an item is known by bytes,
/// so that a reconnect, which sends the open items again, doubles nothing.
struct TranscriptRenderer {
    struct Options {
        /// Lines of one diff.
        var diffLines = 40
        /// Lines of one tool's result: a few more are shown as they are, of many the first and the last.
        var resultLines = 4
        /// Lines of a person's message; nil for all.
        var messageLines: Int?
        /// Lines of a thought; nil for all.
        var thinkingLines: Int?
        /// Columns of one line of a tool's call or result.
        var lineWidth = 160
        /// Columns that a table may take.
        var columns = 100
        /// Whether requests are shown when they come; the interactive client has a prompt for them, and shows here
        /// only what became of them.
        var showsRequests = true
        var showsThinking = true
        /// Whether Markdown gets its looks, or stays as it was written.
        var rendersMarkdown = false
        /// The interactive client: error's actions are named by its commands, and folded text can be asked for.
        var isInteractive = false
    }

    enum Block { case none, user, text, thinking, tool, notice, end }

    var options = Options()
    /// Requests that this client answered: their outcome is shown without a name.
    var ownAnswers: Set<String> = []
    var runningTurn: String?
    var folded = FoldedText()
    /// Items that grow, in the order in which they began.
    private(set) var growing: [GrowingItem] = []
    /// Titles of tool calls, by item, so that an update is shown only when it says something new.
    var titles: [String: String] = [:]
    /// Calls of subagents that run: whose text comes meanwhile is known when it is complete.
    var openAgents: Set<String> = []
    /// The item whose change of a file was shown last.
    var lastDiff: String?
    /// What an item belongs to, by item.
    private var parents: [String: String] = [:]
    /// What was asked by requests that are not shown, by requestId.
    var asked: [String: String] = [:]
    /// The items closed last: a delta that comes late must not show one again.
    private var closed: [String] = []

    // Writing; see TranscriptRenderer+Writing.
    var last = Block.none
    var isAtLineStart = true
    /// Before each line: what belongs to a subagent is indented.
    var margin = StyledText()
    var out = StyledText()

    static let growingItems = 64
    static let closedItems = 64
    static let knownItems = 4096

    init(options: Options = Options()) {
        self.options = options
    }

    // MARK: Ephemeral text

    /// A `stream:chunk`, or an entry of `open` in `core:state`, which is a chunk from the item's beginning.
    mutating func chunk(_ payload: JSON) -> StyledText {
        guard let id = payload["itemId"]?.stringValue, let text = payload["content"]?.stringValue,
            let kind = GrowingItem.Kind(rawValue: payload["kind"]?.stringValue ?? "message"),
            !closed.contains(id), kind != .thinking || options.showsThinking
        else { return "" }
        var index = growing.firstIndex { $0.id == id }
        if index == nil, growing.count < TranscriptRenderer.growingItems {
            growing.append(GrowingItem(id: id, kind: kind))
            index = growing.count - 1
        }
        guard let index, let fresh = growing[index].take(text, at: payload["offset"]?.intValue ?? 0) else { return "" }
        if growing[index].isOnScreen {
            grow(index, fresh)
        } else {
            growing[index].hold(fresh)
            showWaiting()
        }
        return take()
    }

    /// Adds to the message that is on the screen.
    private mutating func grow(_ index: Int, _ fresh: String) {
        if growing[index].markdown != nil {
            // Out of the array meanwhile, so that it is changed in place.
            var markdown = growing[index].markdown
            growing[index].markdown = nil
            if let finished = markdown?.feed(fresh) { write(finished) }
            growing[index].markdown = markdown
        } else {
            write(fresh)
        }
    }

    /// Of the messages that grow, the first is on the screen; the others follow when it is complete.
    private mutating func showWaiting() {
        guard openAgents.isEmpty, !growing.contains(where: \.isOnScreen),
            let index = growing.firstIndex(where: { $0.kind == .message })
        else { return }
        beginMessage()
        growing[index].isOnScreen = true
        if options.rendersMarkdown { growing[index].markdown = MarkdownStream(columns: options.columns) }
        grow(index, growing[index].takeHeld())
    }

    /// What is growing, as lines below the transcript: what will be final later may look otherwise by then.
    ///
    /// - Parameter lines: of each thought and output.
    func preview(lines: Int) -> [StyledText] {
        var rows: [StyledText] = []
        for item in growing {
            switch item.kind {
            case .message where !item.isOnScreen:
                if !openAgents.isEmpty { rows += item.lastLines(lines).map { outputRow($0) } }
            case .message:
                guard let text = item.markdown?.preview(), !text.isEmpty else { continue }
                rows += text.lines().dropLast()
            case .thinking:
                let last = item.lastLines(lines)
                guard !last.isEmpty else { continue }
                // As it will stand in the transcript.
                if rows.isEmpty, self.last != .none { rows.append("") }
                rows += last.enumerated().map { index, line in
                    StyledText(index == 0 ? "✻ " : "  ", [.dim, .hanging]) + StyledText(line, [.dim, .italic])
                }
            case .toolOutput:
                rows += item.lastLines(lines).map { outputRow($0) }
            }
        }
        return rows
    }

    private func outputRow(_ line: String) -> StyledText {
        StyledText("  │ " + DisplayWidth.truncate(Sanitizer.cleanLine(line), to: options.lineWidth), .dim)
    }

    // MARK: Events

    mutating func event(_ event: LogEvent) -> StyledText {
        let data = event.data
        setMargin(event)
        switch event.kind {
        case "turn_started": runningTurn = event.turnId
        case "turn_completed": completed(event)
        case "message": message(event)
        case "thinking": thinking(event)
        case "tool_call": toolCall(event)
        case "tool_result": toolResult(event)
        case "diff": diff(event)
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
        margin = StyledText()
        showWaiting()
        return take()
    }

    /// A line of this client's own, for example about the connection.
    mutating func notice(_ text: String, _ style: Style = .dim) -> StyledText {
        block(.notice)
        line(text, style)
        return take()
    }

    /// The newest text that was shown in part, whole.
    mutating func unfold() -> StyledText {
        guard let (title, text) = folded.takeNewest() else { return "" }
        block(.notice)
        line("── \(title)", [.bold])
        for row in text.split(separator: "\n", omittingEmptySubsequences: false) {
            line("  " + String(row), .dim)
        }
        return take()
    }

    /// What a subagent does stands below the call that started it.
    private mutating func setMargin(_ event: LogEvent) {
        guard let parent = event.data["parentItemId"]?.stringValue else { return }
        if let item = event.itemId, parents.count < TranscriptRenderer.knownItems { parents[item] = parent }
        var depth = 1
        var at = parent
        while depth < 4, let next = parents[at], next != at {
            depth += 1
            at = next
        }
        margin = StyledText(String(repeating: "  │ ", count: depth), [.dim, .hanging, .repeated])
    }

    // MARK: Texts

    private mutating func message(_ event: LogEvent) {
        let content = text(event.data["content"])
        switch event.data["role"]?.stringValue {
        case "user":
            // A subagent's prompt is the tool call's business.
            guard margin.isEmpty else { return }
            block(.user)
            let isQueued = runningTurn != nil && event.turnId != runningTurn
            var rows = content.split(separator: "\n", omittingEmptySubsequences: false)
            var hidden = 0
            if let limit = options.messageLines, rows.count > limit + 1 {
                folded.add("message", content)
                hidden = rows.count - limit
                rows.removeLast(hidden)
            }
            for (index, row) in rows.enumerated() {
                write(index == 0 ? "› " : "  ", [.bold, .cyan, .hanging])
                write(String(row), .bold)
                if index == 0, isQueued { write("  (queued)", .dim) }
                write("\n")
            }
            if hidden > 0 { moreLines(hidden, indent: "  ") }
        case "system":
            block(.notice)
            line(content, .dim)
        default:
            closeMessage(event.itemId, content)
            if event.data["partial"]?.boolValue == true { line("[cut off]", .dim) }
        }
    }

    /// Shows what has not been shown of a message that is complete now.
    private mutating func closeMessage(_ id: String?, _ content: String) {
        let item = remove(id)
        if let item, item.isOnScreen {
            if let rest = GrowingItem.suffix(of: content, from: item.bytes) {
                if var markdown = item.markdown {
                    write(markdown.feed(rest))
                    write(markdown.finish())
                } else {
                    write(rest)
                }
                return endLine()
            }
            // The final text is another one than what was streamed; the final one counts.
            if var markdown = item.markdown { write(markdown.finish()) }
        }
        guard !content.isEmpty else { return }
        beginMessage()
        if options.rendersMarkdown {
            var markdown = MarkdownStream(columns: options.columns)
            write(markdown.feed(content))
            write(markdown.finish())
        } else {
            write(content)
        }
        endLine()
    }

    private mutating func thinking(_ event: LogEvent) {
        _ = remove(event.itemId)
        let content = text(event.data["content"])
        guard options.showsThinking, !content.isEmpty else { return }
        block(.thinking)
        var lines = content.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var hidden = 0
        if let limit = options.thinkingLines {
            lines.removeAll { $0.allSatisfy(\.isWhitespace) }
            if lines.count > limit + 1 {
                folded.add("thought", content)
                hidden = lines.count - limit
                lines.removeLast(hidden)
            }
        }
        for (index, row) in lines.enumerated() {
            write(index == 0 ? "✻ " : "  ", [.dim, .hanging])
            line(row, [.dim, .italic])
        }
        if hidden > 0 { moreLines(hidden, indent: "  ") }
    }

    /// Takes an item out of what grows; a delta that comes late must not show it again.
    @discardableResult
    mutating func remove(_ id: String?) -> GrowingItem? {
        guard let id else { return nil }
        closed.append(id)
        if closed.count > TranscriptRenderer.closedItems { closed.removeFirst() }
        return growing.firstIndex { $0.id == id }.map { growing.remove(at: $0) }
    }

    private mutating func completed(_ event: LogEvent) {
        let data = event.data
        // What was cut off without an event of its own.
        for item in growing where item.isOnScreen {
            if var markdown = item.markdown { write(markdown.finish()) }
        }
        runningTurn = nil
        growing = []
        openAgents = []
        titles = [:]
        parents = [:]
        block(.end)
        switch data["status"]?.stringValue {
        case "interrupted": line("■ interrupted", .yellow)
        case "failed": line("✗ the turn failed", .red)
        default: break
        }
        let summary = TurnSummary.text(data)
        if !summary.isEmpty { line(summary, .dim) }
    }
}
