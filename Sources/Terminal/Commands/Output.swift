import Client
import Glibc
import JSON

/// Standard output and standard error of a command.
struct Output: Sendable {
    let colours: ColourDepth
    let isJSON: Bool
    private let isTerminal: Bool

    init(_ invocation: Invocation) {
        isTerminal = isatty(STDOUT_FILENO) == 1
        isJSON = invocation.isJSON
        colours =
            isTerminal
            ? ColourDepth.of(environment: environmentVariable, refused: invocation.has("no-color")) : .off
    }

    func print(_ text: StyledText) {
        TerminalDevice.write(text.output(colours: colours))
    }

    /// One line of JSON. On a terminal its text is cleaned too: JSON escapes only some control characters.
    func print(json: JSON) {
        let text = json.description
        TerminalDevice.write((isTerminal ? Sanitizer.clean(text) : text) + "\n")
    }

    /// To standard error.
    func note(_ text: String) {
        TerminalDevice.write(Sanitizer.clean(text) + "\n", to: STDERR_FILENO)
    }

    func report(_ failure: CommandFailure) {
        if isJSON {
            print(json: ["error": ["code": JSON(failure.code), "message": JSON(failure.message)]])
        } else {
            note("codeai-hub: \(failure.message)")
        }
    }

    /// Columns under their heads, as wide as what is in them; the last is cut at the terminal's edge.
    func print(table heads: [String], _ rows: [[String]]) {
        let cleaned = rows.map { $0.map(Sanitizer.cleanLine) }
        var widths = heads.map(DisplayWidth.of)
        for row in cleaned {
            for (index, cell) in row.enumerated() where index < widths.count {
                widths[index] = max(widths[index], min(48, DisplayWidth.of(cell)))
            }
        }
        let limit = isTerminal ? TerminalDevice.size.width : Int.max
        func line(_ cells: [String], _ style: Style) -> StyledText {
            var text = ""
            for (index, cell) in cells.enumerated() where index < widths.count {
                let isLast = index == widths.count - 1
                text +=
                    isLast
                    ? cell : DisplayWidth.pad(DisplayWidth.truncate(cell, to: widths[index]), to: widths[index] + 2)
            }
            return StyledText(DisplayWidth.truncate(text, to: limit) + "\n", style)
        }
        print(line(heads, .dim))
        for row in cleaned { print(line(row, .plain)) }
    }
}
