extension StyledText {
    /// Breaks one line (without line feeds) into rows of at most `width` columns: at spaces where possible, and within
    /// a word that is longer than a row. Tabs become four spaces.
    ///
    /// Greedy: all rows but the last stay as they are when the line grows.
    func wrapped(to width: Int) -> [StyledText] {
        let width = max(2, width)
        var rows: [StyledText] = []
        var row: [(character: Character, style: Style)] = []
        var used = 0
        var lastSpace: Int?

        func text(_ cells: some Sequence<(character: Character, style: Style)>) -> StyledText {
            var text = StyledText()
            for cell in cells { text.append(String(cell.character), cell.style) }
            return text
        }

        for span in spans {
            for original in span.text {
                let pieces: [Character] = original == "\t" ? [" ", " ", " ", " "] : [original]
                for character in pieces {
                    let columns = DisplayWidth.of(character)
                    if used + columns > width {
                        if character == " " {
                            // The space at a break is not shown.
                            rows.append(text(row))
                            row = []
                            used = 0
                            lastSpace = nil
                            continue
                        }
                        if let space = lastSpace {
                            rows.append(text(row[..<space]))
                            row = Array(row[(space + 1)...])
                        } else {
                            rows.append(text(row))
                            row = []
                        }
                        used = row.reduce(0) { $0 + DisplayWidth.of($1.character) }
                        lastSpace = nil
                    }
                    // Indentation is no place to break at.
                    if character == " ", row.contains(where: { $0.character != " " }) { lastSpace = row.count }
                    row.append((character, span.style))
                    used += columns
                }
            }
        }
        rows.append(text(row))
        return rows
    }
}
