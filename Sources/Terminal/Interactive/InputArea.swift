extension LineEditor {
    /// The rows of the text being written, with a mark before the first, and the cursor's place in them.
    func area(columns: Int, mark: String, maximumRows: Int, placeholder: String = "") -> LiveArea {
        var mark = mark
        if let search {
            let found = search.match != nil || search.query.isEmpty ? "" : ", nothing"
            mark = "(look for \(DisplayWidth.truncate(Sanitizer.cleanLine(search.query), to: 20))\(found)) "
        }
        let indent = DisplayWidth.of(mark)
        var rows: [StyledText] = [""]
        var width = 0
        var place = (row: 0, column: 0)
        for (index, character) in text.enumerated() {
            let label = label(of: character)
            let shown = label ?? (character == "\t" ? "    " : String(character))
            let columnsNeeded = character == "\n" ? 0 : DisplayWidth.of(shown)
            if character != "\n", width + columnsNeeded > columns - indent - 1, width > 0 {
                rows.append("")
                width = 0
            }
            if index == cursor { place = (rows.count - 1, width) }
            if character == "\n" {
                rows.append("")
                width = 0
            } else {
                rows[rows.count - 1].append(shown, label == nil ? .plain : [.cyan])
                width += columnsNeeded
            }
        }
        if cursor == text.count { place = (rows.count - 1, width) }
        if text.isEmpty, !placeholder.isEmpty {
            rows = [StyledText(DisplayWidth.truncate(placeholder, to: columns - indent - 1), .dim)]
        }
        let first = max(0, min(place.row - maximumRows + 1, rows.count - maximumRows))
        let visible = rows[first..<min(rows.count, first + maximumRows)]
        let blank = String(repeating: " ", count: indent)
        var area = LiveArea()
        for (offset, row) in visible.enumerated() {
            area.rows.append(StyledText(offset + first == 0 ? mark : blank, [.bold, .cyan]) + row)
        }
        area.cursorRow = place.row - first
        area.cursorColumn = indent + place.column
        return area
    }
}
