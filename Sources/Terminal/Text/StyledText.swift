/// How a piece of text looks.
struct Style: OptionSet, Hashable, Sendable {
    let rawValue: UInt16

    static let bold = Style(rawValue: 1)
    static let dim = Style(rawValue: 2)
    static let italic = Style(rawValue: 4)
    static let red = Style(rawValue: 8)
    static let green = Style(rawValue: 16)
    static let yellow = Style(rawValue: 32)
    static let blue = Style(rawValue: 64)
    static let magenta = Style(rawValue: 128)
    static let cyan = Style(rawValue: 256)
    static let reverse = Style(rawValue: 512)
    static let plain: Style = []

    /// The parameters of the SGR sequence (ECMA-48 section 8.3.117).
    fileprivate var codes: String {
        let table: [(Style, String)] = [
            (.bold, "1"), (.dim, "2"), (.italic, "3"), (.reverse, "7"), (.red, "31"), (.green, "32"), (.yellow, "33"),
            (.blue, "34"), (.magenta, "35"), (.cyan, "36"),
        ]
        return table.filter { contains($0.0) }.map(\.1).joined(separator: ";")
    }
}

/// Text with looks: what all output is made of. It is cleaned where it becomes output, so that nothing that came from
/// outside can reach the terminal as it was.
struct StyledText: Equatable, Sendable, ExpressibleByStringLiteral {
    struct Span: Equatable, Sendable {
        var text: String
        var style: Style
    }

    private(set) var spans: [Span] = []

    init() {}

    init(_ text: String, _ style: Style = .plain) { append(text, style) }

    init(stringLiteral value: String) { self.init(value) }

    var isEmpty: Bool { spans.isEmpty }
    /// Without the looks, not cleaned.
    var plain: String { spans.map(\.text).joined() }

    mutating func append(_ text: String, _ style: Style = .plain) {
        guard !text.isEmpty else { return }
        if let last = spans.last, last.style == style {
            spans[spans.count - 1].text += text
        } else {
            spans.append(Span(text: text, style: style))
        }
    }

    mutating func append(_ other: StyledText) {
        for span in other.spans { append(span.text, span.style) }
    }

    static func + (a: StyledText, b: StyledText) -> StyledText {
        var result = a
        result.append(b)
        return result
    }

    /// What is written to the terminal or file.
    func output(colours: Bool) -> String {
        var result = ""
        for span in spans {
            let text = Sanitizer.clean(span.text)
            guard colours, !span.style.isEmpty else {
                result += text
                continue
            }
            // Each line on its own: a style held over a line's end colours the rest of the row in some terminals.
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            result += lines.map { $0.isEmpty ? "" : "\u{1b}[\(span.style.codes)m\($0)\u{1b}[0m" }
                .joined(separator: "\n")
        }
        return result
    }

    /// The lines, without their line feeds; cleaned first, so that no line holds another.
    func lines() -> [StyledText] {
        var lines = [StyledText()]
        for span in spans {
            var isFirst = true
            for part in Sanitizer.clean(span.text).split(separator: "\n", omittingEmptySubsequences: false) {
                if !isFirst { lines.append(StyledText()) }
                isFirst = false
                lines[lines.count - 1].append(String(part), span.style)
            }
        }
        return lines
    }
}
