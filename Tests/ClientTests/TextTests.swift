import Testing

@testable import Terminal

struct SanitizerTests {
    @Test(
        "nothing reaches the terminal that it would obey",
        arguments: [
            ("plain\ttext\n", "plain\ttext\n"), ("\u{1b}[31mred", "␛[31mred"), ("\u{1b}]0;title\u{7}", "␛]0;title␇"),
            ("a\rb", "a␍b"), ("a\r\nb", "a\nb"), ("\u{9b}31m", "\u{fffd}31m"), ("\u{7f}\u{0}", "␡␀"),
            ("abc\u{202e}def", "abc\u{fffd}def"), ("\u{2066}x\u{2069}", "\u{fffd}x\u{fffd}"),
            ("a\u{2028}b", "a\nb"), ("x\u{e0041}y", "xy"), ("日本 é 👩‍💻", "日本 é 👩‍💻"),
        ])
    func clean(text: String, expected: String) {
        #expect(Sanitizer.clean(text) == expected)
        #expect(StyledText(text, .red).output(colours: .off) == expected)
    }

    @Test("no output has an escape that is not this program's own")
    func gate() {
        let hostile = String(String.UnicodeScalarView((0...0x2100).compactMap(Unicode.Scalar.init)))
        let text = StyledText(hostile, .bold).output(colours: .sixteen)
        #expect(text.replacing("\u{1b}[1m", with: "").replacing("\u{1b}[0m", with: "").contains("\u{1b}") == false)
    }
}

struct WidthTests {
    @Test(
        "columns",
        arguments: [
            ("abc", 3), ("日本", 4), ("é", 1), ("e\u{301}", 1), ("👍", 2), ("👩‍💻", 2), ("❤️", 2), ("한", 2), ("…", 1), ("", 0),
            ("🇩🇪", 2),
        ])
    func width(text: String, expected: Int) {
        #expect(DisplayWidth.of(text) == expected)
    }

    @Test("cutting never goes beyond the width", arguments: 0..<12)
    func truncate(width: Int) {
        #expect(DisplayWidth.of(DisplayWidth.truncate("a日本語bc", to: width)) <= width)
    }

    @Test(
        "wrapping",
        arguments: [
            ("one two three", 7, ["one two", "three"]), ("one two", 7, ["one two"]),
            ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
            ("  indented line here", 12, ["  indented", "line here"]), ("日本語日本", 5, ["日本", "語日", "本"]), ("", 5, [""]),
            ("a\tb", 10, ["a    b"]), ("word   ", 4, ["word", "  "]),
        ])
    func wrap(text: String, width: Int, rows: [String]) {
        #expect(StyledText(text).wrapped(to: width).map(\.plain) == rows)
    }
}

struct LineDiffTests {
    @Test("only what changed, and a little around it")
    func middle() {
        let old = (1...20).map { "line \($0)" }
        var new = old
        new[9] = "changed"
        let diff = LineDiff(old: old.joined(separator: "\n"), new: new.joined(separator: "\n"))
        #expect(
            diff.lines == [
                .skipped(7), .same("line 8"), .same("line 9"), .removed("line 10"), .added("changed"),
                .same("line 11"), .same("line 12"), .skipped(8),
            ])
        #expect((diff.added, diff.removed) == (1, 1))
    }

    @Test("a new file, a removed one, and none")
    func whole() {
        #expect(LineDiff(old: nil, new: "a\nb\n").lines == [.added("a"), .added("b")])
        #expect(LineDiff(old: "a", new: nil).lines == [.removed("a")])
        #expect(LineDiff(old: "a\nb", new: "a\nb").lines.isEmpty)
    }

    @Test("any diff keeps the old and the new text", arguments: 0..<20)
    func rebuild(seed: Int) {
        let old = (0..<seed).map { "l\(($0 * 7 + seed) % 5)" }
        let new = (0..<(20 - seed)).map { "l\(($0 * 3 + seed) % 5)" }
        let diff = LineDiff(old: old.joined(separator: "\n"), new: new.joined(separator: "\n"))
        #expect(new.count - old.count == diff.added - diff.removed)
    }
}
