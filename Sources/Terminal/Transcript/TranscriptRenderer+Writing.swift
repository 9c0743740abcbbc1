import JSON

/// How text gets onto lines, with empty ones between what differs.
extension TranscriptRenderer {
    func text(_ value: JSON?) -> String { RequestText.plain(value) }

    mutating func beginMessage() { block(.text) }

    /// Starts a block on a line of its own, with an empty line between blocks of different nature.
    mutating func block(_ kind: Block) {
        endLine()
        if last != .none, kind != last || kind == .text || kind == .user, !(kind == .notice && last == .tool) {
            let kept = margin
            margin = StyledText()
            write("\n")
            margin = kept
        }
        last = kind
    }

    mutating func endLine() {
        if !isAtLineStart { write("\n") }
    }

    mutating func line(_ text: String, _ style: Style = .plain) {
        write(text, style)
        endLine()
    }

    mutating func moreLines(_ count: Int, indent: String) {
        let hint = options.isInteractive ? " (Ctrl-O)" : ""
        line("\(indent)… \(count) more line\(count == 1 ? "" : "s")\(hint)", .dim)
    }

    mutating func write(_ text: StyledText) {
        for span in text.spans { write(span.text, span.style) }
    }

    mutating func write(_ text: String, _ style: Style = .plain) {
        guard let final = text.unicodeScalars.last else { return }
        if margin.isEmpty {
            out.append(text, style)
        } else {
            for (index, piece) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                if index > 0 {
                    if isAtLineStart { out.append(margin) }
                    out.append("\n")
                    isAtLineStart = true
                }
                guard !piece.isEmpty else { continue }
                if isAtLineStart { out.append(margin) }
                out.append(String(piece), style)
                isAtLineStart = false
            }
        }
        isAtLineStart = final == "\n"
    }

    mutating func take() -> StyledText {
        defer { out = StyledText() }
        return out
    }
}
