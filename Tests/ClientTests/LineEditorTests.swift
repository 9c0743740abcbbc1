import Testing

@testable import Terminal

struct KeyDecoderTests {
    @Test(
        "bytes make keys",
        arguments: [
            ("a", [Key.character("a")]), ("\r", [.enter]), ("\n", [.newline]), ("\t", [.tab]), ("\u{7f}", [.backspace]),
            ("\u{1}", [.control("a")]), ("\u{3}", [.control("c")]), ("\u{1a}", [.control("z")]),
            ("\u{1b}[A", [.up]), ("\u{1b}OB", [.down]), ("\u{1b}[1;5C", [.wordRight]), ("\u{1b}[3~", [.delete]),
            ("\u{1b}[H", [.home]), ("\u{1b}[4~", [.end]), ("\u{1b}b", [.wordLeft]), ("\u{1b}\r", [.newline]),
            ("é€😀", [.character("é"), .character("€"), .character("😀")]), ("\u{1b}[99;99z", [.unknown]),
            ("\u{1f}", [.control("_")]), ("\u{1b}[Z", [.backTab]), ("\u{1b}[13;2u", [.newline]),
            ("\u{1b}[27;2;13~", [.newline]), ("\u{1b}[13u", [.enter]),
            ("ab\u{1b}[D", [.character("a"), .character("b"), .left]),
            ("\u{1b}[200~two\rlines\u{1b}[201~x", [.paste("two\nlines"), .character("x")]),
            ("\u{1b}[200~\u{1b}[31m\u{1b}[201~", [.paste("␛[31m")]),
        ])
    func keys(text: String, expected: [Key]) {
        var decoder = KeyDecoder()
        #expect(decoder.feed(text.utf8) == expected)
        // The same, a byte at a time.
        var slow = KeyDecoder()
        #expect(text.utf8.flatMap { slow.feed([$0]) } == expected)
    }

    @Test("an escape followed by nothing is the key")
    func escape() {
        var decoder = KeyDecoder()
        #expect(decoder.feed([0x1b]).isEmpty)
        #expect(decoder.isWaiting)
        #expect(decoder.flush() == [.escape])
        #expect(!decoder.isWaiting)
    }

    @Test("bytes that are no UTF-8 don't hold the keys after them")
    func invalid() {
        var decoder = KeyDecoder()
        #expect(decoder.feed([0xff, 0x61, 0xc3, 0x62]) == [.unknown, .character("a"), .unknown, .character("b")])
    }

    @Test("an endless escape sequence is given up")
    func endless() {
        var decoder = KeyDecoder()
        _ = decoder.feed([0x1b, 0x5b] + [UInt8](repeating: 0x31, count: 100))
        #expect(decoder.feed("\rx".utf8).last == .character("x"))
    }
}

struct LineEditorTests {
    private func edited(_ keys: [Key]) -> LineEditor {
        var editor = LineEditor()
        for key in keys { _ = editor.handle(key) }
        return editor
    }

    private func typed(_ text: String) -> [Key] { text.map(Key.character) }

    @Test(
        "editing",
        arguments: [
            ([Key.left, .character("x")], "hello worlxd"), ([.home, .character("x")], "xhello world"),
            ([.home, .control("k")], ""), ([.control("w"), .character("x")], "hello x"),
            ([.control("u")], ""), ([.control("w"), .control("y"), .control("y")], "hello worldworld"),
            ([.wordLeft, .backspace], "helloworld"), ([.home, .delete], "ello world"),
            ([.home, .wordRight, .character("x")], "hellox world"), ([.home, .alt("d")], " world"),
            ([.backspace, .backspace], "hello wor"), ([.home, .backspace], "hello world"),
            ([.delete], "hello world"), ([.control("c")], ""), ([.paste("a\nb")], "hello worlda\nb"),
        ])
    func editing(keys: [Key], expected: String) {
        #expect(edited(typed("hello world") + keys).string == expected)
    }

    @Test("Enter hands the text on and clears it")
    func submit() {
        var editor = edited(typed("hi"))
        #expect(editor.handle(.enter) == .submit("hi"))
        #expect(editor.isEmpty)
    }

    @Test("Control-C and Control-D mean something only on an empty text")
    func empty() {
        var editor = LineEditor()
        #expect(editor.handle(.control("c")) == .interrupt)
        #expect(editor.handle(.control("d")) == .endOfInput)
        _ = editor.handle(.character("x"))
        #expect(editor.handle(.control("d")) == .ignored)
        #expect(editor.handle(.control("c")) == .changed)
    }

    @Test("history goes back and forth and keeps what was being written")
    func history() {
        var editor = LineEditor()
        for line in ["one", "two", "two", " "] {
            for key in typed(line) { _ = editor.handle(key) }
            _ = editor.handle(.enter)
        }
        for key in typed("draft") { _ = editor.handle(key) }
        var seen: [String] = []
        for key in [Key.up, .up, .up, .down, .down, .down] {
            _ = editor.handle(key)
            seen.append(editor.string)
        }
        #expect(seen == ["two", "one", "one", "two", "draft", "draft"])
    }

    @Test("up and down move within a text of several lines")
    func lines() {
        var editor = edited([.paste("first\nsecond\nx")])
        _ = editor.handle(.up)
        _ = editor.handle(.character("|"))
        #expect(editor.string == "first\ns|econd\nx")
        _ = editor.handle(.up)
        _ = editor.handle(.character("|"))
        #expect(editor.string == "fi|rst\ns|econd\nx")
    }

    @Test("a combining mark joins the character before it")
    func combining() {
        let editor = edited([.character("e"), .character("\u{301}"), .character("x")])
        #expect(editor.text.count == 2)
        #expect(editor.cursor == 2)
    }

    @Test("undo goes back word by word, over cuts and pastes")
    func undo() {
        var editor = edited(typed("one two") + [.control("w"), .paste("x")])
        var seen: [String] = []
        for _ in 0..<5 {
            _ = editor.handle(.control("_"))
            seen.append(editor.string)
        }
        #expect(seen == ["one ", "one two", "one", "", ""])
    }

    @Test("what is cut in one go is put back in one piece, and the one before it by Alt-Y")
    func cuts() {
        var editor = edited(typed("a b c") + [.control("w"), .control("w"), .control("y")])
        #expect(editor.string == "a b c")
        editor = edited(typed("one") + [.control("u")] + typed("two") + [.control("u"), .control("y"), .alt("y")])
        #expect(editor.string == "one")
        editor = edited(typed("ab cd") + [.control("t"), .home, .alt("u"), .alt("c")])
        #expect(editor.string == "AB Dc")
    }

    @Test("a large paste is one character, and whole when it is sent")
    func largePaste() {
        let pasted = (1...120).map { "line \($0)" }.joined(separator: "\n")
        var editor = edited(typed("see ") + [.paste(pasted), .character("!")])
        #expect(editor.text.count == 6)
        #expect(editor.area(columns: 60, mark: "> ", maximumRows: 5).rows.map(\.plain) == ["> see [pasted 120 lines]!"])
        #expect(editor.handle(.enter) == .submit("see " + pasted + "!"))
        #expect(editor.history[0] == "see " + pasted + "!")
        editor = edited([.paste(pasted), .backspace])
        #expect(editor.isEmpty)
        editor = edited([.paste(String(repeating: "y", count: 2000))])
        #expect(
            editor.area(columns: 60, mark: "> ", maximumRows: 5).rows.map(\.plain) == ["> [pasted 2000 characters]"])
        // Nobody can pretend to be one.
        #expect(edited([.paste("\u{f0000}x")]).string == "x")
    }

    @Test("a backslash before Enter begins a line")
    func continuation() {
        var editor = edited(typed("a\\"))
        #expect(editor.handle(.enter) == .changed)
        #expect(editor.string == "a\n")
        editor = edited(typed("a\\\\"))
        #expect(editor.handle(.enter) == .submit("a\\\\"))
    }

    @Test("Control-R finds what contains the text, older and newer, and gives up without a trace")
    func search() {
        var editor = LineEditor()
        editor.history = LineHistory(["fix parser", "other", "Fix lexer", "last"])
        for key in typed("draft") + [.control("r")] + typed("fix") { _ = editor.handle(key) }
        #expect(editor.string == "Fix lexer")
        _ = editor.handle(.control("r"))
        #expect(editor.string == "fix parser")
        _ = editor.handle(.control("s"))
        #expect(editor.string == "Fix lexer")
        #expect(editor.area(columns: 60, mark: "> ", maximumRows: 2).rows[0].plain == "(look for fix) Fix lexer")
        #expect(editor.handle(.enter) == .changed)
        #expect(editor.search == nil && editor.string == "Fix lexer")
        for key in [Key.control("r")] + typed("other") + [.control("g")] { _ = editor.handle(key) }
        #expect(editor.string == "Fix lexer")
    }

    @Test("a line that begins with a space is not kept")
    func secret() {
        var editor = edited(typed(" secret") + [.enter] + typed("open") + [.enter])
        #expect(editor.history.takeNew() == ["open"])
        #expect(editor.history.count == 1)
    }

    @Test("rows and cursor of wide and long text")
    func area() {
        let editor = edited(typed("日本語日本語") + [.left])
        let area = editor.area(columns: 10, mark: "> ", maximumRows: 8)
        #expect(area.rows.map(\.plain) == ["> 日本語", "  日本語"])
        #expect(area.cursorRow == 1)
        #expect(area.cursorColumn == 6)
    }

    @Test("of a long text the rows around the cursor are shown")
    func scrolling() {
        let editor = edited([.paste("1\n2\n3\n4\n5")])
        let area = editor.area(columns: 20, mark: "> ", maximumRows: 2)
        #expect(area.rows.map(\.plain) == ["  4", "  5"])
        #expect(area.cursorRow == 1)
    }
}
