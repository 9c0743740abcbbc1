extension StyledText {
    private typealias Cell = (character: Character, style: Style)

    /// Breaks one line (without line feeds) into rows of at most `width` columns: at spaces where possible, and within
    /// a word that is longer than a row. Tabs become four spaces. What is `hanging` at the line's beginning is as wide
    /// in all rows.
    ///
    /// Greedy: all rows but the last stay as they are when the line grows.
    func wrapped(to width: Int) -> [StyledText] {
        let width = max(2, width)
        let margin = hangingMargin(at: width)
        let marginWidth = margin.reduce(0) { $0 + DisplayWidth.of($1.character) }
        var rows: [StyledText] = []
        var row: [Cell] = []
        var used = 0
        var lastSpace: Int?

        func text(_ cells: some Sequence<Cell>) -> StyledText {
            var text = StyledText()
            for cell in cells { text.append(String(cell.character), cell.style) }
            return text
        }

        for span in spans {
            for original in span.text {
                let pieces: [Character] = original == "\t" ? [" ", " ", " ", " "] : [original]
                for character in pieces {
                    let columns = DisplayWidth.of(character)
                    if used + columns > width, !row.isEmpty {
                        if character == " " {
                            // The space at a break is not shown.
                            rows.append(text(row))
                            row = margin
                            used = marginWidth
                            lastSpace = nil
                            continue
                        }
                        if let space = lastSpace {
                            rows.append(text(row[..<space]))
                            row = margin + row[(space + 1)...]
                        } else {
                            rows.append(text(row))
                            row = margin
                        }
                        used = row.reduce(0) { $0 + DisplayWidth.of($1.character) }
                        lastSpace = nil
                    }
                    // Indentation is no place to break at, nor is what hangs.
                    if character == " ", !span.style.contains(.hanging),
                        row.contains(where: { $0.character != " " && !$0.style.contains(.hanging) })
                    {
                        lastSpace = row.count
                    }
                    row.append((character, span.style))
                    used += columns
                }
            }
        }
        rows.append(text(row))
        return rows
    }

    /// What stands before each row but the first.
    private func hangingMargin(at width: Int) -> [Cell] {
        var margin: [Cell] = []
        var used = 0
        for span in spans {
            guard span.style.contains(.hanging) else { break }
            for character in span.text {
                let columns = DisplayWidth.of(character)
                used += columns
                // Some room must be left for the text itself.
                guard used <= width / 2 else { return [] }
                if span.style.contains(.repeated) {
                    margin.append((character, span.style))
                } else {
                    margin += [Cell](repeating: (" ", .hanging), count: columns)
                }
            }
        }
        return margin
    }
}
