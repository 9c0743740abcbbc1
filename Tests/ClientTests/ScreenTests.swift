import Testing

@testable import Terminal

/// A terminal as far as `Screen` needs one.
private struct Emulator {
    var rows: [[Character]] = [[]]
    var row = 0
    var column = 0
    let height: Int

    init(height: Int) { self.height = height }

    var text: String { rows.map { String($0) }.joined(separator: "\n") }
    var cursor: (Int, Int) { (row, column) }

    mutating func write(_ text: String) {
        var scalars = Array(text.unicodeScalars)[...]
        while let scalar = scalars.popFirst() {
            switch scalar {
            case "\n":
                row += 1
                column = 0
                while rows.count <= row { rows.append([]) }
            case "\r": column = 0
            case "\u{1b}":
                _ = scalars.popFirst()
                var parameter = ""
                while let next = scalars.popFirst() {
                    if ("a"..."z").contains(next) || ("A"..."Z").contains(next) {
                        control(next, parameter)
                        break
                    }
                    parameter.unicodeScalars.append(next)
                }
            default:
                while rows[row].count <= column { rows[row].append(" ") }
                rows[row][column] = Character(scalar)
                column += 1
            }
        }
    }

    private mutating func control(_ final: Unicode.Scalar, _ parameter: String) {
        switch final {
        case "A":
            // A terminal can't go up into what has scrolled away.
            row = max(max(0, rows.count - height), row - (Int(parameter) ?? 1))
        case "C": column += Int(parameter) ?? 1
        case "J":
            rows[row] = Array(rows[row].prefix(column))
            rows.removeSubrange((row + 1)...)
        default: break
        }
    }
}

struct ScreenTests {
    private let area = LiveArea(rows: ["", "status", "> input"], cursorRow: 2, cursorColumn: 4)

    @Test("output goes above the live area, whichever pieces it comes in")
    func pieces() {
        let text = "first line\nsecond, a longer one that needs two rows\nthird unfinished"
        for size in [1, 3, 7, 100] {
            var screen = Screen(width: 30, height: 10, colours: .off)
            var terminal = Emulator(height: 10)
            terminal.write(screen.update("", area))
            var rest = text[...]
            while !rest.isEmpty {
                terminal.write(screen.update(StyledText(String(rest.prefix(size))), area))
                rest = rest.dropFirst(size)
            }
            #expect(
                terminal.text
                    == "first line\nsecond, a longer one that\nneeds two rows\nthird unfinished\n\nstatus\n> input")
            #expect(terminal.cursor == (6, 4))
        }
    }

    @Test("the live area is replaced, not repeated")
    func redraw() {
        var screen = Screen(width: 40, height: 10, colours: .off)
        var terminal = Emulator(height: 10)
        terminal.write(screen.update("done\n", area))
        for index in 0..<20 {
            terminal.write(
                screen.update(
                    "",
                    LiveArea(rows: ["question", StyledText("status \(index)"), "> "], cursorRow: 2, cursorColumn: 2)))
        }
        #expect(terminal.text == "done\nquestion\nstatus 19\n> ")
        terminal.write(screen.finish())
        #expect(terminal.text == "done\n")
    }

    @Test("a live area higher than the screen shows its end")
    func small() {
        var screen = Screen(width: 40, height: 4, colours: .off)
        var terminal = Emulator(height: 4)
        let rows = (1...10).map { StyledText("row \($0)") }
        for _ in 0..<3 {
            terminal.write(screen.update("", LiveArea(rows: rows, cursorRow: 9, cursorColumn: 0)))
        }
        #expect(terminal.text == "row 8\nrow 9\nrow 10")
    }

    @Test("a long stream without a line end leaves nothing behind")
    func endless() {
        var screen = Screen(width: 21, height: 5, colours: .off)
        var terminal = Emulator(height: 5)
        for index in 0..<100 { terminal.write(screen.update(StyledText("word\(index % 10) "), area)) }
        let words = terminal.text.split(whereSeparator: { $0 == " " || $0 == "\n" }).filter { $0.hasPrefix("word") }
        #expect(words.count == 100)
    }
}
