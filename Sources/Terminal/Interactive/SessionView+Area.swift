import JSON

/// The rows below the output: what grows, what is asked, what is on its way, the input, the state.
extension SessionView {
    /// - Parameters:
    ///   - hint: stands in the place of what goes on.
    ///   - now: monotonic seconds.
    func area(editor: LineEditor, columns: Int, height: Int, now: Double, hint: String?) -> LiveArea {
        let input = editor.area(
            columns: columns, mark: requests.first?.takesMessage == true ? "because> " : "> ",
            maximumRows: max(1, min(10, height / 2)))
        var below: [StyledText] = []
        if let completion = editor.completion {
            below = completion.rows(columns: columns, limit: max(1, min(8, height / 3)))
        }
        below.append(statusRow(columns: columns))
        var above: [StyledText] = []
        if let request = requests.first {
            above += request.rows(columns: columns, limit: max(4, height - 6))
        }
        for message in sending.suffix(3) {
            let text = DisplayWidth.truncate(Sanitizer.cleanLine(message.text), to: columns - 14)
            above.append(StyledText("› \(text)  (sending)", .dim))
        }
        if let activity = activityRow(columns: columns, now: now, hint: hint) { above.append(activity) }
        // What grows gets the room that is left; of it, the end counts.
        let room = max(0, height - 3 - above.count - input.rows.count - below.count)
        let growing = renderer.preview(lines: requests.isEmpty ? 5 : 1).suffix(60)
            .flatMap { $0.wrapped(to: columns) }
        var area = LiveArea(rows: Array(growing.suffix(room)) + [""] + above)
        area.cursorRow = area.rows.count + input.cursorRow
        area.cursorColumn = input.cursorColumn
        area.rows += input.rows + below
        return area
    }

    private static let wheel: [Character] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]

    /// What goes on; nil when there is nothing to say.
    private func activityRow(columns: Int, now: Double, hint: String?) -> StyledText? {
        func row(_ text: String, _ style: Style) -> StyledText {
            StyledText(DisplayWidth.truncate(text, to: columns), style)
        }
        if let hint { return row(hint, .yellow) }
        if let connectionProblem { return row(connectionProblem, .yellow) }
        if !requests.isEmpty {
            return requests.count > 1 ? row("\(requests.count - 1) more wait for you", .yellow) : nil
        }
        if let turnSince {
            let seconds = max(0, Int(now - turnSince))
            let time = seconds > 0 ? " \(Clock.duration(seconds: Double(seconds)))" : ""
            let wheel = SessionView.wheel[seconds % SessionView.wheel.count]
            return StyledText("\(wheel) ", .cyan)
                + row("running\(time) · Esc interrupts", .dim)
        }
        if let parkedUntil { return row("parked until \(Clock.short(parkedUntil))", .yellow) }
        if let restsUntil {
            return row("the provider is started again at \(Clock.short(restsUntil))", .yellow)
        }
        return nil
    }

    /// The session's state on one row; where there isn't room for all, what matters least is left out.
    private func statusRow(columns: Int) -> StyledText {
        // The lower the rank, the longer it stays.
        var parts: [(rank: Int, text: String, style: Style)] = []
        func add(_ rank: Int, _ text: String, _ style: Style = .dim) { parts.append((rank, text, style)) }
        if connectionProblem != nil {
            add(0, "offline", .yellow)
        } else if !requests.isEmpty {
            add(0, "waiting for you", [.bold, .yellow])
        } else if isRunning {
            add(0, "running", .cyan)
        } else if parkedUntil != nil {
            add(0, "parked", .yellow)
        } else if status == "failed" {
            add(0, "failed", .red)
        } else {
            add(0, "ready", .green)
        }
        add(1, Sanitizer.cleanLine(provider))
        if !model.isEmpty { add(2, DisplayWidth.truncate(Sanitizer.cleanLine(model), to: 30)) }
        if !mode.isEmpty { add(3, DisplayWidth.truncate(Sanitizer.cleanLine(mode), to: 20)) }
        if !effort.isEmpty { add(8, "effort \(DisplayWidth.truncate(Sanitizer.cleanLine(effort), to: 12))") }
        if let contextShare, contextShare >= 0, contextShare < 10 {
            add(4, "context \(Int(contextShare * 100)) %", contextShare >= 0.8 ? .yellow : .dim)
        }
        if let costUsd, costUsd > 0, costUsd < 1e9 {
            add(5, (isCostEstimated ? "~" : "") + TurnSummary.money(costUsd))
        }
        if !queue.isEmpty { add(2, "\(queue.count) queued", .yellow) }
        if let placeInLine { add(2, "place \(placeInLine) in line", .yellow) }
        if isPaused { add(2, "paused: /resume", .yellow) }
        if !title.isEmpty { add(9, DisplayWidth.truncate(Sanitizer.cleanLine(title), to: 40)) }
        func width() -> Int { parts.reduce(-3) { $0 + DisplayWidth.of($1.text) + 3 } }
        while parts.count > 1, width() > columns, let worst = parts.map(\.rank).max(),
            let index = parts.lastIndex(where: { $0.rank == worst })
        {
            parts.remove(at: index)
        }
        var row = StyledText()
        for (index, part) in parts.enumerated() {
            if index > 0 { row.append(" · ", .dim) }
            row.append(parts.count == 1 ? DisplayWidth.truncate(part.text, to: columns) : part.text, part.style)
        }
        return row
    }
}
