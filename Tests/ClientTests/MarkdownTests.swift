import Testing

@testable import Terminal

struct MarkdownTests {
    private func rendered(_ text: String, columns: Int = 60) -> StyledText {
        var stream = MarkdownStream(columns: columns)
        return stream.feed(text) + stream.finish()
    }

    private static let document = """
        # A title
        Some **bold**, *italic*, `code` and ~~old~~ text.\r

        - one
          - two *deep*
        1. first
        - [x] done
        - [ ] to do

        > quoted **text**

        ```swift
        let x = "a" // why
        /* over
           lines */ return 1
        ```

        | a | bb |
        |---|---:|
        | 1 | 22 |
        | *x* | y \\| z |
        after [a link](https://example.org) and 日本 👍
        ---
        last | line
        """

    @Test("what it makes of what models write")
    func document() {
        #expect(
            rendered(MarkdownTests.document).plain == """
                A title
                Some bold, italic, code and old text.

                • one
                  • two deep
                1. first
                • ☑ done
                • ☐ to do

                │ quoted text

                  let x = "a" // why
                  /* over
                     lines */ return 1

                a │    bb
                ──┼──────
                1 │    22
                x │ y | z
                after a link (https://example.org) and 日本 👍
                ────────────────────────────────────────
                last | line

                """)
    }

    @Test("the same, however it is cut", arguments: [1, 2, 3, 5, 7, 16, 61])
    func pieces(size: Int) {
        let whole = rendered(MarkdownTests.document)
        var stream = MarkdownStream(columns: 60)
        var text = StyledText()
        var rest = MarkdownTests.document.unicodeScalars[...]
        while !rest.isEmpty {
            text.append(stream.feed(String(String.UnicodeScalarView(rest.prefix(size)))))
            rest = rest.dropFirst(size)
        }
        text.append(stream.finish())
        #expect(text == whole)
    }

    @Test("what is shown of a line that grows is what the line will be")
    func preview() {
        var stream = MarkdownStream(columns: 60)
        #expect(stream.feed("done\n**half").plain == "done\n")
        #expect(stream.preview().plain == "**half\n")
        #expect(stream.feed(" bold**").isEmpty)
        #expect(stream.preview() == StyledText("half bold", .bold) + StyledText("\n"))
        #expect(stream.preview() == stream.finish())
    }

    @Test(
        "marks that are none",
        arguments: [
            "2 * 3 * 4", "snake_case_name", "a ** b", "`open", "[text] (x)", "x < y > z", "5 ~~ 6", "\\*no\\*", "*",
            "**", "![", "[a](b", "#hash", "-dash", "1.5 is", "~~", "|",
        ])
    func literal(text: String) {
        #expect(rendered(text).plain == text.replacing("\\*", with: "*") + "\n")
    }

    @Test("emphasis within emphasis")
    func nested() {
        let text = rendered("**a *b* c** ***d*** __e__ _f_")
        #expect(text.plain == "a b c d e f\n")
        #expect(text.spans[1] == .init(text: "b", style: [.bold, .italic]))
    }

    @Test("a table that is wider than the screen is broken within its cells", arguments: [20, 30, 50])
    func wideTable(columns: Int) {
        let text = rendered(
            """
            | name | what it is about, at length |
            |------|-----------------------------|
            | one | a cell with many more words than would ever fit into one row of it |
            """, columns: columns)
        for line in text.lines() { #expect(DisplayWidth.of(line.plain) <= columns) }
        #expect(text.plain.contains("ever"))
    }

    @Test("a fence that is not closed, one within another, and one of tildes")
    func fences() {
        #expect(rendered("```\na\n").plain == "  a\n")
        #expect(rendered("````\n```\n````\nb").plain == "  ```\nb\n")
        #expect(rendered("~~~ sh\necho `x`\n~~~").plain == "  echo `x`\n")
        #expect(rendered("- x\n  ```\n  y\n  ```\n").plain == "• x\n    y\n")
    }

    @Test("no input takes it long or leaves an escape", .timeLimit(.minutes(10)))
    func hostile() {
        let pieces = ["*", "_", "`", "[", "](", "~~", "> ", "|", "\\", "\u{1b}[31m", "**a ", "```"]
        for piece in pieces {
            let text = rendered(String(repeating: piece, count: 20_000))
            #expect(!text.output(colours: .off).contains("\u{1b}"))
        }
        let long = String(repeating: "a", count: 300_000)
        #expect(rendered(long).plain.filter { $0 == "a" }.count == 300_000)
    }
}

struct HighlighterTests {
    private func styles(_ language: String, _ lines: [String]) -> [[String: Style]] {
        var highlighter = Highlighter(language: language)
        return lines.map { line in
            Dictionary(highlighter.line(line).spans.map { ($0.text, $0.style) }, uniquingKeysWith: { a, _ in a })
        }
    }

    @Test("words, texts, numbers, comments")
    func swift() {
        let line = styles("swift", ["let Name = \"a // b\" + 0x1F // end"])[0]
        #expect(line["let"] == .keyword)
        #expect(line["Name"] == .typeName)
        #expect(line["\"a // b\""] == .literal)
        #expect(line["0x1F"] == .number)
        #expect(line["// end"] == .comment)
    }

    @Test("what goes over lines")
    func overLines() {
        let comment = styles("c", ["a /* b", "c", "d */ e"])
        #expect(comment[1]["c"] == .comment && comment[2]["d */"] == .comment && comment[2][" e"] == .plain)
        let text = styles("python", ["x = \"\"\"a", "# no comment", "b\"\"\" # one"])
        #expect(text[1]["# no comment"] == .literal && text[2]["# one"] == .comment)
    }

    @Test("apostrophes, shells, unknown languages")
    func others() {
        #expect(styles("sh", ["echo ${#x} # say"])[0]["# say"] == .comment)
        #expect(styles("rust", ["fn f<'a>(x: &'a str)"])[0]["fn"] == .keyword)
        #expect(styles("klingon", ["let x = 1"])[0] == ["let x = 1": .plain])
        #expect(styles("diff", ["+a", "-b"]).map { $0.values.first } == [.green, .red])
    }

    @Test("the text stays what it was", arguments: ["swift", "python", "json", "html", "sql", "sh", ""])
    func whole(language: String) {
        var highlighter = Highlighter(language: language)
        for line in ["a 'b\\", "\"", "`x", "'''", "\"\"\"", "/*", "<!--", "0x", "@a #b --c //d */ -->", "é日本👍"] {
            #expect(highlighter.line(line).plain == line)
        }
    }
}

struct ColourTests {
    @Test(
        "what a terminal can show",
        arguments: [
            ("xterm-256color", "", "", ColourDepth.many), ("xterm", "truecolor", "", .many),
            ("xterm", "", "", .sixteen),
            ("linux", "", "", .sixteen), ("dumb", "truecolor", "", .off), ("", "", "", .off),
            ("xterm-256color", "", "1", .attributes), ("vt100", "", "", .attributes),
        ])
    func depth(term: String, colorterm: String, refused: String, expected: ColourDepth) {
        let environment = ["TERM": term, "COLORTERM": colorterm, "NO_COLOR": refused]
        #expect(ColourDepth.of(environment: { environment[$0] }, refused: false) == expected)
    }

    @Test("looks by depth")
    func looks() {
        let text = StyledText("x", [.bold, .keyword, .hanging])
        #expect(text.output(colours: .many) == "\u{1b}[1;38;5;133mx\u{1b}[0m")
        #expect(text.output(colours: .sixteen) == "\u{1b}[1;35mx\u{1b}[0m")
        #expect(text.output(colours: .attributes) == "\u{1b}[1mx\u{1b}[0m")
        #expect(text.output(colours: .off) == "x")
        #expect(StyledText("x", .hanging).output(colours: .many) == "x")
    }

    @Test("rows begin below what hangs")
    func hanging() {
        let text = StyledText("│ ", [.hanging, .repeated]) + StyledText("1. ", .hanging) + StyledText("one two three")
        #expect(text.wrapped(to: 12).map(\.plain) == ["│ 1. one two", "│    three"])
    }
}
