/// A table of Markdown, which is laid out when all its rows are known. Pure.
struct MarkdownTable {
    private enum Alignment { case left, right, centre }

    private let alignments: [Alignment]
    private let head: [StyledText]
    private var body: [[StyledText]] = []
    private let columns: Int
    private var bytes = 0

    /// What one table holds; rows after that begin another with the same head.
    private static let rowLimit = 500
    private static let byteLimit = 128 << 10
    private static let cellLimit = 32

    static func isRow(_ line: String) -> Bool {
        line.contains("|") && line.drop(while: \.isWhitespace).first != ">"
    }

    /// Nil when the second line is none that follows a table's head.
    init?(head: String, delimiter: String, columns: Int) {
        let marks = MarkdownTable.cells(delimiter)
        guard delimiter.contains("-"), delimiter.contains("|"), !marks.isEmpty,
            marks.allSatisfy({ mark in
                mark.contains("-") && mark.allSatisfy { $0 == "-" || $0 == ":" }
                    && mark.dropFirst().dropLast().allSatisfy { $0 == "-" }
            })
        else { return nil }
        let names = MarkdownTable.cells(head)
        guard names.count == marks.count, names.count <= MarkdownTable.cellLimit else { return nil }
        alignments = marks.map { mark in
            mark.count > 1 && mark.hasPrefix(":") && mark.hasSuffix(":")
                ? .centre : mark.hasSuffix(":") ? .right : .left
        }
        self.head = names.map { MarkdownInline.styled($0, base: .bold) }
        self.columns = columns
    }

    var emptied: MarkdownTable {
        var table = self
        table.body = []
        table.bytes = 0
        return table
    }

    /// False when it is full.
    mutating func add(_ line: String) -> Bool {
        guard body.count < MarkdownTable.rowLimit, bytes < MarkdownTable.byteLimit else { return false }
        var cells = MarkdownTable.cells(line).prefix(head.count).map { MarkdownInline.styled($0) }
        while cells.count < head.count { cells.append(StyledText()) }
        body.append(cells)
        bytes += line.utf8.count
        return true
    }

    /// The cells between the bars, without the spaces around them; `\|` is a bar within one.
    private static func cells(_ line: String) -> [String] {
        var cells: [String] = []
        var cell = ""
        var isEscaped = false
        for character in line {
            if isEscaped {
                cell += character == "|" ? "|" : "\\" + String(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "|" {
                cells.append(cell)
                cell = ""
            } else {
                cell.append(character)
            }
        }
        if isEscaped { cell += "\\" }
        cells.append(cell)
        func isBlank(_ text: String?) -> Bool { text?.allSatisfy(\.isWhitespace) ?? true }
        if cells.count > 1, isBlank(cells.first) { cells.removeFirst() }
        if cells.count > 1, isBlank(cells.last) { cells.removeLast() }
        return cells.map { cell in
            var text = cell.drop(while: \.isWhitespace)
            while text.last?.isWhitespace == true { text.removeLast() }
            return String(text)
        }
    }

    // MARK: Layout

    func rows() -> [StyledText] {
        let widths = self.widths()
        var rows = line(head, widths)
        var rule = ""
        for (index, width) in widths.enumerated() {
            rule += (index == 0 ? "" : "─┼─") + String(repeating: "─", count: width)
        }
        rows.append(StyledText(rule, .dim))
        for cells in body { rows += line(cells, widths) }
        return rows
    }

    /// As wide as what is in them; where that is too much, the widest give way.
    private func widths() -> [Int] {
        var widths = head.map { MarkdownTable.width($0) }
        for cells in body {
            for (index, cell) in cells.enumerated() { widths[index] = max(widths[index], MarkdownTable.width(cell)) }
        }
        widths = widths.map { max(1, $0) }
        let room = max(widths.count * 4, columns - 3 * (widths.count - 1))
        var excess = widths.reduce(0, +) - room
        while excess > 0, let widest = widths.max(), let index = widths.firstIndex(of: widest) {
            let second = widths.filter { $0 < widest }.max() ?? 0
            let count = widths.filter { $0 == widest }.count
            // Down to the next one's width, or as far as needed.
            let step = max(1, min(widest - max(second, 4), excess / count))
            guard widest > 4 else { break }
            widths[index] -= step
            excess -= step
        }
        return widths
    }

    private static func width(_ text: StyledText) -> Int { DisplayWidth.of(Sanitizer.cleanLine(text.plain)) }

    private func line(_ cells: [StyledText], _ widths: [Int]) -> [StyledText] {
        let wrapped = zip(cells, widths).map { cell, width in cell.wrapped(to: width) }
        let height = wrapped.map(\.count).max() ?? 1
        return (0..<height).map { row in
            var line = StyledText()
            for (index, width) in widths.enumerated() {
                if index > 0 { line.append(" │ ", .dim) }
                let text = row < wrapped[index].count ? wrapped[index][row] : StyledText()
                let free = max(0, width - MarkdownTable.width(text))
                let before =
                    switch alignments[index] {
                    case .left: 0
                    case .right: free
                    case .centre: free / 2
                    }
                line.append(String(repeating: " ", count: before))
                line.append(text)
                let isLast = index == widths.count - 1
                if !isLast { line.append(String(repeating: " ", count: free - before)) }
            }
            return line
        }
    }
}
