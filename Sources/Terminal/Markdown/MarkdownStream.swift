/// Markdown as it comes in: pieces of text in, finished lines out. Pure.
///
/// What comes out depends on the text alone, not on where it was cut into pieces. A line is finished with its line
/// feed, a table with the first line after it; `preview` shows the rest as it would be finished now.
///
/// It knows what models write (CommonMark's headings, lists, quotations, fenced code, emphasis, links, and GitHub's
/// tables, task lists and strikethrough), line by line: emphasis that goes over a line's end and headings underlined
/// with `===` stay as they are.
struct MarkdownStream {
    private enum State {
        case text
        case code(Fence)
        case table(MarkdownTable)
    }

    struct Fence {
        var mark: Character
        var length: Int
        var indent: Int
        var highlighter: Highlighter
    }

    /// Columns that a table may take.
    let columns: Int
    private var state = State.text
    /// The line that has no line feed yet.
    private var partial = ""
    /// A line that is the head of a table when the next one says so.
    private var possibleHead: String?
    private var blankLines = 0
    private var isFirst = true
    private var out = StyledText()

    /// Bytes of a line; a longer one is shown in several.
    static let lineLimit = 64 << 10

    init(columns: Int) {
        self.columns = max(20, columns)
    }

    /// Takes a piece; returns the lines that it finishes, each with its line feed.
    mutating func feed(_ text: String) -> StyledText {
        // By bytes: as characters, a CR and the LF of the next piece would become one.
        var rest = Substring(text)
        while let end = rest.utf8.firstIndex(of: 0x0a) {
            take(rest[..<end])
            endLine()
            rest = rest[rest.utf8.index(after: end)...]
        }
        take(rest)
        defer { out = StyledText() }
        return out
    }

    /// The text has ended: what is left.
    mutating func finish() -> StyledText {
        if !partial.isEmpty { endLine() }
        if let head = possibleHead { emit(line: head) }
        possibleHead = nil
        if case .table(let table) = state { emit(table) }
        state = .text
        defer { out = StyledText() }
        return out
    }

    /// What `finish` would give now.
    func preview() -> StyledText {
        var copy = self
        // Of an endless line only the end is looked at: it is drawn often.
        if partial.utf8.count > 8192 {
            copy.partial = String(decoding: partial.utf8.suffix(8192), as: UTF8.self)
        }
        return copy.finish()
    }

    // MARK: Lines

    private mutating func take(_ piece: Substring) {
        partial += piece
        while partial.utf8.count > MarkdownStream.lineLimit {
            var cut = partial.utf8.index(partial.utf8.startIndex, offsetBy: MarkdownStream.lineLimit)
            while cut.samePosition(in: partial.unicodeScalars) == nil { cut = partial.utf8.index(before: cut) }
            let rest = String(partial[cut...])
            partial = String(partial[..<cut])
            endLine()
            partial = rest
        }
    }

    private mutating func endLine() {
        var line = partial
        partial = ""
        if line.utf8.last == 0x0d { line.unicodeScalars.removeLast() }
        if case .code(var fence) = state {
            if MarkdownLine.closes(line, fence) {
                state = .text
            } else {
                let text = fence.highlighter.line(MarkdownLine.dropIndent(line, fence.indent))
                state = .code(fence)
                write(StyledText(String(repeating: " ", count: fence.indent + 2), .hanging) + text)
            }
            return
        }
        if case .table(var table) = state {
            if MarkdownTable.isRow(line) {
                // What doesn't fit any more goes into a table of its own.
                if !table.add(line) {
                    emit(table)
                    table = table.emptied
                    _ = table.add(line)
                }
                state = .table(table)
                return
            }
            emit(table)
            state = .text
        }
        if let head = possibleHead {
            possibleHead = nil
            if let table = MarkdownTable(head: head, delimiter: line, columns: columns) {
                state = .table(table)
                return
            }
            emit(line: head)
        }
        if MarkdownTable.isRow(line) {
            possibleHead = line
        } else {
            emit(line: line)
        }
    }

    private mutating func emit(line: String) {
        if line.allSatisfy(\.isWhitespace) {
            blankLines += 1
        } else if let fence = MarkdownLine.opens(line) {
            state = .code(fence)
        } else {
            write(MarkdownLine.styled(line, columns: columns))
        }
    }

    private mutating func emit(_ table: MarkdownTable) {
        for row in table.rows() { write(row) }
    }

    /// Several empty lines become one; those at the beginning and at the end go.
    private mutating func write(_ line: StyledText) {
        if blankLines > 0, !isFirst { out.append("\n") }
        blankLines = 0
        isFirst = false
        out.append(line)
        out.append("\n")
    }
}
