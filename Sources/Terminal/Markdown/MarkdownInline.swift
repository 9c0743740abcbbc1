/// Emphasis, code and links within a line of Markdown. Pure.
///
/// A mark without its counterpart stays as it is. How far, and how much in all, is looked for counterparts is bounded, so
/// that no line takes more than linear time; beyond that, marks stay marks.
struct MarkdownInline {
    private let text: [Character]
    private var index = 0
    private var plain = ""
    private var result = StyledText()
    private let base: Style
    private let depth: Int
    /// Characters that may still be looked at in search of counterparts.
    private var budget: Int

    private static let reach = 2000
    private static let lineBudget = 200_000
    private static let deepest = 6

    static func styled(_ text: String, base: Style = .plain) -> StyledText {
        var budget = lineBudget
        return styled(Array(text)[...], base, depth: 0, &budget)
    }

    private static func styled(
        _ text: ArraySlice<Character>, _ base: Style, depth: Int, _ budget: inout Int
    ) -> StyledText {
        var parser = MarkdownInline(text: Array(text), base: base, depth: depth, budget: budget)
        parser.run()
        budget = parser.budget
        return parser.result
    }

    private init(text: [Character], base: Style, depth: Int, budget: Int) {
        self.budget = budget
        self.text = text
        self.base = base
        self.depth = depth
    }

    private mutating func run() {
        while index < text.count {
            if depth < MarkdownInline.deepest, budget > 0, takeSpecial() { continue }
            plain.append(text[index])
            index += 1
        }
        flush()
    }

    private mutating func flush() {
        result.append(plain, base)
        plain = ""
    }

    private mutating func emit(_ inner: StyledText, next: Int) {
        flush()
        result.append(inner)
        index = next
    }

    private mutating func takeSpecial() -> Bool {
        switch text[index] {
        case "\\":
            guard index + 1 < text.count, text[index + 1].isASCII,
                text[index + 1].isPunctuation || text[index + 1].isSymbol
            else { return false }
            plain.append(text[index + 1])
            index += 2
            return true
        case "`": return takeCode()
        case "*", "_": return takeEmphasis()
        case "~": return takeStrike()
        case "!":
            guard index + 1 < text.count, text[index + 1] == "[" else { return false }
            return takeLink(at: index + 1, isImage: true)
        case "[": return takeLink(at: index, isImage: false)
        default: return false
        }
    }

    private func run(at start: Int) -> Int {
        var end = start
        while end < text.count, text[end] == text[start] { end += 1 }
        return end - start
    }

    // MARK: Code

    private mutating func codeEnd(at start: Int, _ length: Int) -> Int? {
        var at = start + length
        let limit = min(text.count, at + MarkdownInline.reach)
        defer { budget -= at - start }
        while at < limit {
            guard text[at] == "`" else {
                at += 1
                continue
            }
            let found = run(at: at)
            if found == length { return at }
            at += found
        }
        return nil
    }

    private mutating func takeCode() -> Bool {
        let length = run(at: index)
        guard let end = codeEnd(at: index, length) else {
            // The whole run, so that its rest is not tried as a shorter one.
            plain += String(text[index..<index + length])
            index += length
            return true
        }
        var inner = text[index + length..<end]
        if inner.count > 2, inner.first == " ", inner.last == " " { inner = inner.dropFirst().dropLast() }
        emit(StyledText(String(inner), base.union(.code)), next: end + length)
        return true
    }

    // MARK: Emphasis

    private mutating func takeEmphasis() -> Bool {
        let mark = text[index]
        let length = run(at: index)
        let opens =
            index + length < text.count && !text[index + length].isWhitespace
            && (mark == "*" || index == 0 || !(text[index - 1].isLetter || text[index - 1].isNumber))
        if opens, length <= 3 {
            for count in stride(from: length, through: 1, by: -1) {
                guard let end = emphasisEnd(mark, from: index + count, count) else { continue }
                let style: Style = count == 1 ? .italic : count == 2 ? .bold : [.bold, .italic]
                let inner = MarkdownInline.styled(
                    text[index + count..<end], base.union(style), depth: depth + 1, &budget)
                emit(inner, next: end + count)
                return true
            }
        }
        plain += String(text[index..<index + length])
        index += length
        return true
    }

    /// Where a run of the mark closes what was opened with `count` of them.
    private mutating func emphasisEnd(_ mark: Character, from start: Int, _ count: Int) -> Int? {
        var at = start
        let limit = min(text.count, start + MarkdownInline.reach)
        defer { budget -= at - start }
        while at < limit {
            switch text[at] {
            case "\\": at += 2
            case "`":
                let length = run(at: at)
                at = codeEnd(at: at, length).map { $0 + length } ?? at + length
            case mark:
                let length = run(at: at)
                let after = at + length < text.count ? text[at + length] : " "
                let isClosing =
                    at > start && !text[at - 1].isWhitespace
                    && (mark == "*" || !(after.isLetter || after.isNumber))
                let fits = count == 1 ? length == 1 || length == 3 : length >= count
                if isClosing, fits { return at + (length - count) }
                at += length
            default: at += 1
            }
        }
        return nil
    }

    private mutating func takeStrike() -> Bool {
        guard run(at: index) == 2, index + 2 < text.count, !text[index + 2].isWhitespace else { return false }
        let start = index
        var at = start + 3
        let limit = min(text.count - 1, at + MarkdownInline.reach)
        defer { budget -= at - start }
        while at < limit {
            if text[at] == "~", text[at + 1] == "~" {
                let inner = MarkdownInline.styled(text[index + 2..<at], base.union(.strike), depth: depth + 1, &budget)
                emit(inner, next: at + 2)
                return true
            }
            at += 1
        }
        return false
    }

    // MARK: Links

    /// `[text](target)`: the text, and the target where it says something else: what a link leads to is not hidden.
    private mutating func takeLink(at open: Int, isImage: Bool) -> Bool {
        guard let close = bracketEnd(from: open + 1), close + 1 < text.count, text[close + 1] == "(" else {
            return false
        }
        var end = close + 2
        var level = 1
        let limit = min(text.count, end + MarkdownInline.reach)
        defer { budget -= end - close }
        while end < limit {
            if text[end] == "(" { level += 1 }
            if text[end] == ")" {
                level -= 1
                if level == 0 { break }
            }
            end += 1
        }
        guard end < limit else { return false }
        let inside = text[close + 2..<end].drop(while: \.isWhitespace)
        // A title may follow the target.
        var target = String(inside.prefix { !$0.isWhitespace })
        if target.hasPrefix("<"), target.hasSuffix(">") { target = String(target.dropFirst().dropLast()) }
        let words = text[open + 1..<close]
        var inner = MarkdownInline.styled(words, base.union(.underline), depth: depth + 1, &budget)
        if isImage { inner = StyledText("image: ", base.union(.dim)) + inner }
        if String(words) != target, !target.isEmpty { inner.append(" (\(target))", base.union(.dim)) }
        emit(inner, next: end + 1)
        return true
    }

    private mutating func bracketEnd(from start: Int) -> Int? {
        var level = 1
        var at = start
        let limit = min(text.count, start + MarkdownInline.reach)
        defer { budget -= at - start }
        while at < limit {
            switch text[at] {
            case "\\": at += 1
            case "[": level += 1
            case "]":
                level -= 1
                if level == 0 { return at }
            default: break
            }
            at += 1
        }
        return nil
    }
}
