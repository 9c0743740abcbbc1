/// Light colouring of code, line by line: words, texts, numbers and comments by the family of the language. Pure.
///
/// It doesn't parse. What it takes for a comment or a text is right in nearly all code, and wrong nowhere in more than
/// colour. An unknown language stays as it is.
struct Highlighter: Equatable {
    private enum Family { case plain, c, hash, dashes, json, markup, diff }

    private let family: Family
    /// Within a comment or a text that goes over the line's end: what ends it, and how it looks.
    private var open: (end: [Character], style: Style)?

    static func == (a: Highlighter, b: Highlighter) -> Bool {
        a.family == b.family && a.open?.end == b.open?.end
    }

    /// - Parameter language: the word after the fence, such as `swift`.
    init(language: String) {
        family = Highlighter.families[language.lowercased()] ?? .plain
    }

    private static let families: [String: Family] = {
        let names: [(Family, String)] = [
            (
                .c,
                "c h cpp c++ cc hpp objc java js javascript jsx mjs ts typescript tsx swift go golang rust rs kotlin kt "
                    + "scala cs csharp php dart css scss less groovy zig proto solidity glsl graphql v d"
            ),
            (
                .hash,
                "python py py3 ruby rb sh bash zsh fish shell console perl pl r yaml yml toml ini conf make makefile "
                    + "dockerfile docker nix elixir ex cmake tcl julia jl awk nginx powershell ps1 properties env"
            ),
            (.dashes, "sql postgres mysql sqlite lua haskell hs elm ada vhdl"), (.json, "json jsonc json5 jsonl"),
            (.markup, "html xml svg vue xhtml plist"), (.diff, "diff patch"),
        ]
        var table: [String: Family] = [:]
        for (family, list) in names { for name in list.split(separator: " ") { table[String(name)] = family } }
        return table
    }()

    private static let keywords: Set<String> = Set(
        """
        abstract actor alias and any as assert associatedtype async await base begin bool boolean break by case catch \
        char class const constexpr continue def default defer deinit del delete do double done dyn elif else elsif end \
        enum esac except export extends extension extern fallthrough false fi final finally float fn for foreach from \
        func function get global go goto guard if impl implements import in include indirect init inline inout instanceof \
        int interface internal is isolated lambda lazy let local long loop match mod module mut mutating namespace new \
        nil none nonlocal not null nullptr of open operator or override package pass private property protected protocol \
        pub public raise readonly repeat require rescue return select self sendable set short signed sizeof some static \
        struct subscript super switch template then this throw throws trait true try type typealias typedef typeof \
        undefined union unless unowned unsafe unsigned until use using val var virtual void volatile weak when where \
        while with yield True False None Self create table insert into values update group order having join left right \
        inner outer on primary key index view drop alter add limit distinct
        """.split(separator: " ").map(String.init))

    // MARK: Lines

    mutating func line(_ line: String) -> StyledText {
        switch family {
        case .plain: return StyledText(line)
        case .diff:
            let style: Style =
                switch line.first {
                case "+": .green
                case "-": .red
                case "@": .cyan
                default: .plain
                }
            return StyledText(line, style)
        default: return scan(Array(line))
        }
    }

    private mutating func scan(_ text: [Character]) -> StyledText {
        var result = StyledText()
        var index = 0
        if let open {
            guard let end = Highlighter.find(open.end, in: text, from: 0, escapes: false) else {
                return StyledText(String(text), open.style)
            }
            result.append(String(text[..<end]), open.style)
            self.open = nil
            index = end
        }
        while index < text.count {
            if let comment = commentStart(text, index) {
                var end: Int?
                if case .until(let mark) = comment {
                    end = Highlighter.find(mark, in: text, from: index + 2, escapes: false)
                    if end == nil { open = (mark, .comment) }
                }
                result.append(String(text[index..<(end ?? text.count)]), .comment)
                index = end ?? text.count
                continue
            }
            index = token(text, index, &result)
        }
        return result
    }

    /// One text, word, number or sign; returns where the next begins.
    private mutating func token(_ text: [Character], _ start: Int, _ result: inout StyledText) -> Int {
        let character = text[start]
        if character == "\"" || character == "`" || character == "'" && quotesTexts(text, start) {
            return quoted(text, start, &result)
        }
        if character.isLetter || character == "_" || character == "@" && family == .c {
            var end = start + 1
            while end < text.count, text[end].isLetter || text[end].isNumber || text[end] == "_" { end += 1 }
            let word = String(text[start..<end])
            result.append(word, style(of: word, isTag: start > 0 && (text[start - 1] == "<" || text[start - 1] == "/")))
            return end
        }
        if character.isASCII, character.isNumber {
            var end = start + 1
            while end < text.count, text[end].isHexDigit || "._xXoO".contains(text[end]) { end += 1 }
            result.append(String(text[start..<end]), .number)
            return end
        }
        result.append(String(character))
        return start + 1
    }

    private mutating func quoted(_ text: [Character], _ start: Int, _ result: inout StyledText) -> Int {
        let mark = text[start]
        let triple = [mark, mark, mark]
        if mark != "`", family != .json, text[start...].starts(with: triple) {
            guard let end = Highlighter.find(triple, in: text, from: start + 3, escapes: true) else {
                open = (triple, .literal)
                result.append(String(text[start...]), .literal)
                return text.count
            }
            result.append(String(text[start..<end]), .literal)
            return end
        }
        let end = Highlighter.find([mark], in: text, from: start + 1, escapes: true)
        // A JavaScript template may go on in the next lines.
        if end == nil, mark == "`", family == .c { open = (["`"], .literal) }
        result.append(String(text[start..<(end ?? text.count)]), .literal)
        return end ?? text.count
    }

    /// Whether a single quote begins a text here, rather than being an apostrophe or a Rust lifetime.
    private func quotesTexts(_ text: [Character], _ start: Int) -> Bool {
        guard family != .json else { return false }
        if start > 0, text[start - 1].isLetter || text[start - 1].isNumber { return false }
        return text[(start + 1)...].contains("'")
    }

    private func style(of word: String, isTag: Bool) -> Style {
        if family == .markup { return isTag ? .keyword : .plain }
        if family == .json { return ["true", "false", "null"].contains(word) ? .keyword : .plain }
        if Highlighter.keywords.contains(family == .dashes ? word.lowercased() : word) { return .keyword }
        if word.first?.isUppercase == true, word.contains(where: \.isLowercase) { return .typeName }
        return .plain
    }

    private enum Comment {
        case toTheEnd
        case until([Character])
    }

    private func commentStart(_ text: [Character], _ at: Int) -> Comment? {
        func begins(_ mark: String) -> Bool { text[at...].starts(with: mark) }
        switch family {
        case .c, .json:
            if begins("//") { return .toTheEnd }
            return begins("/*") ? .until(["*", "/"]) : nil
        case .hash:
            guard text[at] == "#" else { return nil }
            // In a shell's `$#` and `${x#y}` it is none.
            return at == 0 || text[at - 1].isWhitespace ? .toTheEnd : nil
        case .dashes: return begins("--") ? .toTheEnd : nil
        case .markup: return begins("<!--") ? .until(["-", "-", ">"]) : nil
        case .plain, .diff: return nil
        }
    }

    /// Behind the mark.
    private static func find(_ mark: [Character], in text: [Character], from start: Int, escapes: Bool) -> Int? {
        var at = start
        while at + mark.count <= text.count {
            if escapes, text[at] == "\\" {
                at += 2
                continue
            }
            if text[at...].starts(with: mark) { return at + mark.count }
            at += 1
        }
        return nil
    }
}
