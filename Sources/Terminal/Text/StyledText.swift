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

    /// The same with one more look.
    func adding(_ style: Style) -> StyledText {
        var result = StyledText()
        for span in spans { result.append(span.text, span.style.union(style)) }
        return result
    }

    /// What is written to the terminal or file.
    func output(colours: ColourDepth) -> String {
        var result = ""
        for span in spans {
            let text = Sanitizer.clean(span.text)
            let codes = span.style.codes(colours)
            guard !codes.isEmpty else {
                result += text
                continue
            }
            // Each line on its own: a style held over a line's end colours the rest of the row in some terminals.
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            result += lines.map { $0.isEmpty ? "" : "\u{1b}[\(codes)m\($0)\u{1b}[0m" }.joined(separator: "\n")
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
