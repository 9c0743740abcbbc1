/// What is below the finished output: redrawn whenever anything changes.
struct LiveArea: Equatable {
    var rows: [StyledText] = []
    /// Where the cursor stands, counted from the first of `rows`.
    var cursorRow = 0
    var cursorColumn = 0
}

/// Output that scrolls away above, and a live area that stays below it. Pure: gives the text to write to a terminal.
///
/// The terminal's own scroll-back is the history: finished rows are written once and never touched again. Only the
/// last, unfinished row of output belongs to what is redrawn.
struct Screen {
    private(set) var width: Int
    private(set) var height: Int
    var colours: ColourDepth
    /// The unfinished last line of output.
    private var open = StyledText()
    private var area = LiveArea()
    /// The row of the cursor, counted from the first row that is redrawn.
    private var cursorRow = 0
    private var drawnRows: [StyledText] = []

    init(width: Int, height: Int, colours: ColourDepth) {
        self.width = max(10, width)
        self.height = max(3, height)
        self.colours = colours
    }

    /// The last column stays free: writing there leaves the cursor in a place on which terminals disagree.
    var columns: Int { width - 1 }

    /// Adds output above, and draws the live area below it.
    mutating func update(_ text: StyledText, _ area: LiveArea) -> String {
        // Shown at once by terminals that can (mode 2026), so that nothing flickers.
        var result = "\u{1b}[?2026h\u{1b}[?25l" + erase()
        var lines = (open + text).lines()
        open = lines.removeLast()
        for line in lines {
            for row in line.wrapped(to: columns) { result += row.output(colours: colours) + "\n" }
        }
        var rows = open.wrapped(to: columns)
        // Rows that are full do not change any more; keeping them would let the live area outgrow the screen.
        while rows.count > 1 { result += rows.removeFirst().output(colours: colours) + "\n" }
        open = rows[0]
        self.area = area
        return result + draw() + "\u{1b}[?25h\u{1b}[?2026l"
    }

    /// The window has another size: the terminal may have wrapped the rows anew, each on its own.
    mutating func resize(width: Int, height: Int) -> String {
        self.width = max(10, width)
        self.height = max(3, height)
        cursorRow =
            drawnRows.prefix(cursorRow).reduce(0) { rows, row in
                rows + max(1, (DisplayWidth.of(row.plain) + self.width - 1) / self.width)
            }
        return update("", area)
    }

    /// Leaves the output, without the live area, and the cursor on a line of its own below.
    mutating func finish() -> String {
        var result = erase()
        if !open.isEmpty { result += open.output(colours: colours) + "\n" }
        open = StyledText()
        area = LiveArea()
        drawnRows = []
        cursorRow = 0
        return result
    }

    private func erase() -> String {
        "\r" + (cursorRow > 0 ? "\u{1b}[\(cursorRow)A" : "") + "\u{1b}[J"
    }

    private mutating func draw() -> String {
        var rows = area.rows
        var cursor = area.cursorRow
        // A terminal with few rows: the end, where the input is, counts.
        let room = max(1, height - 1)
        if rows.count > room {
            cursor -= rows.count - room
            rows.removeFirst(rows.count - room)
        }
        if !open.isEmpty, rows.count < height {
            rows.insert(open, at: 0)
            cursor += 1
        }
        cursor = max(0, min(cursor, rows.count - 1))
        drawnRows = rows
        var result = rows.map { $0.output(colours: colours) }.joined(separator: "\n")
        let up = rows.count - 1 - cursor
        result += "\r" + (up > 0 ? "\u{1b}[\(up)A" : "")
        if area.cursorColumn > 0 { result += "\u{1b}[\(min(area.cursorColumn, columns))C" }
        cursorRow = cursor
        return result
    }
}
