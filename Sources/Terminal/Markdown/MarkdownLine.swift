/// One line of Markdown outside of code and tables. Pure.
enum MarkdownLine {
    // MARK: Fences

    /// Three or more backticks or tildes, and the language.
    static func opens(_ line: String) -> MarkdownStream.Fence? {
        let indent = line.prefix { $0 == " " }.count
        let text = line.dropFirst(indent)
        guard indent <= 12, let mark = text.first, mark == "`" || mark == "~" else { return nil }
        let length = text.prefix { $0 == mark }.count
        let info = text.dropFirst(length)
        guard length >= 3, mark == "~" || !info.contains("`") else { return nil }
        let word = info.drop(while: \.isWhitespace).prefix { !$0.isWhitespace && $0 != "{" && $0 != "," }
        return MarkdownStream.Fence(
            mark: mark, length: length, indent: indent, highlighter: Highlighter(language: String(word)))
    }

    static func closes(_ line: String, _ fence: MarkdownStream.Fence) -> Bool {
        let text = line.drop { $0 == " " }
        let length = text.prefix { $0 == fence.mark }.count
        return length >= fence.length && text.dropFirst(length).allSatisfy(\.isWhitespace)
    }

    static func dropIndent(_ line: String, _ indent: Int) -> String {
        let spaces = line.prefix(indent).prefix { $0 == " " }.count
        return String(line.dropFirst(spaces))
    }

    // MARK: Lines of text

    static func styled(_ line: String, columns: Int, depth: Int = 0) -> StyledText {
        let indent = line.prefix { $0 == " " || $0 == "\t" }
            .reduce(0) { $0 + ($1 == "\t" ? 4 : 1) }
        let text = line.drop { $0 == " " || $0 == "\t" }
        if indent < 4, let level = heading(text) {
            let words = trimmedEnd(text.dropFirst(level), "#")
            let style: Style = level == 1 ? [.bold, .underline] : level == 2 ? .bold : [.bold, .italic]
            return MarkdownInline.styled(words, base: style)
        }
        if indent < 4, isRule(text) {
            return StyledText(String(repeating: "─", count: min(columns, 40)), .dim)
        }
        if text.first == ">", depth < 6 {
            let rest = text.dropFirst(text.dropFirst().first == " " ? 2 : 1)
            return StyledText("│ ", [.dim, .hanging, .repeated])
                + styled(String(rest), columns: columns, depth: depth + 1)
        }
        var result = StyledText(String(repeating: " ", count: min(indent, 16)), .hanging)
        guard let (mark, rest) = listItem(text) else {
            result.append(MarkdownInline.styled(String(text)))
            return result
        }
        result.append(mark + " ", [.cyan, .hanging])
        if let (box, words) = task(rest) {
            result.append(box + " ", .hanging)
            result.append(MarkdownInline.styled(words))
        } else {
            result.append(MarkdownInline.styled(String(rest)))
        }
        return result
    }

    private static func heading(_ text: Substring) -> Int? {
        let level = text.prefix { $0 == "#" }.count
        guard (1...6).contains(level) else { return nil }
        let next = text.dropFirst(level).first
        return next == nil || next == " " || next == "\t" ? level : nil
    }

    /// Without spaces around, and without the marks that may close a heading.
    private static func trimmedEnd(_ text: Substring, _ mark: Character) -> String {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        let unmarked = text.reversed().drop { $0 == mark }
        guard unmarked.count < text.count, unmarked.first?.isWhitespace ?? true else { return String(text) }
        return String(unmarked.drop(while: \.isWhitespace).reversed())
    }

    private static func isRule(_ text: Substring) -> Bool {
        guard let mark = text.first, mark == "-" || mark == "*" || mark == "_" else { return false }
        return text.allSatisfy { $0 == mark || $0 == " " } && text.filter { $0 == mark }.count >= 3
    }

    private static func listItem(_ text: Substring) -> (mark: String, rest: Substring)? {
        if let mark = text.first, mark == "-" || mark == "*" || mark == "+", text.dropFirst().first == " " {
            return ("•", text.dropFirst(2).drop { $0 == " " })
        }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let after = text.dropFirst(digits.count)
        guard (1...9).contains(digits.count), let mark = after.first, mark == "." || mark == ")",
            after.dropFirst().first == " "
        else { return nil }
        return (digits + String(mark), after.dropFirst(2).drop { $0 == " " })
    }

    private static func task(_ text: Substring) -> (box: String, rest: String)? {
        let box = text.prefix(3)
        guard text.dropFirst(3).first == " " else { return nil }
        switch box {
        case "[ ]": return ("☐", String(text.dropFirst(4)))
        case "[x]", "[X]": return ("☑", String(text.dropFirst(4)))
        default: return nil
        }
    }
}
