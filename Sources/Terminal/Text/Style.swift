import Base

/// How a piece of text looks.
struct Style: OptionSet, Hashable, Sendable {
    let rawValue: UInt32

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
    static let underline = Style(rawValue: 1024)
    static let strike = Style(rawValue: 2048)

    // What code is made of.
    static let code = Style(rawValue: 1 << 12)
    static let keyword = Style(rawValue: 1 << 13)
    static let literal = Style(rawValue: 1 << 14)
    static let number = Style(rawValue: 1 << 15)
    static let comment = Style(rawValue: 1 << 16)
    static let typeName = Style(rawValue: 1 << 17)

    /// At the beginning of a line: the rows into which the line is broken begin below what follows.
    static let hanging = Style(rawValue: 1 << 18)
    /// With `hanging`: stands before each of those rows, as the bar of a quotation does.
    static let repeated = Style(rawValue: 1 << 19)

    static let plain: Style = []

    /// What is seen of it; the others only say how lines are broken.
    fileprivate static let visible = Style(rawValue: (1 << 18) - 1)
}

/// What a terminal can show.
enum ColourDepth: Int, Comparable, Sendable {
    /// Text alone: a file, a pipe, a terminal that obeys no sequences.
    case off
    /// Bold, dim, underlined and the like: `NO_COLOR`, and terminals of one colour.
    case attributes
    case sixteen
    case many

    static func < (a: ColourDepth, b: ColourDepth) -> Bool { a.rawValue < b.rawValue }

    /// By `TERM`, `COLORTERM` and `NO_COLOR` (no-color.org), for output that goes to a terminal.
    static func of(environment: (String) -> String?, refused: Bool) -> ColourDepth {
        let term = environment("TERM") ?? ""
        if term.isEmpty || term == "dumb" { return .off }
        if refused || !(environment("NO_COLOR") ?? "").isEmpty || term.hasPrefix("vt") { return .attributes }
        let more = environment("COLORTERM") ?? ""
        return term.contains(text: "256color") || term.contains(text: "direct")
            || ["truecolor", "24bit"].contains(more)
            ? .many : .sixteen
    }
}

extension Style {
    /// The parameters of the SGR sequence (ECMA-48 section 8.3.117); empty for no looks.
    func codes(_ depth: ColourDepth) -> String {
        guard depth > .off, !isDisjoint(with: .visible) else { return "" }
        var codes: [String] = []
        for (style, code) in Style.attributes where contains(style) { codes.append(code) }
        if depth == .attributes {
            if contains(.comment) { codes.append("2") }
        } else {
            for (style, few, many) in Style.colours where contains(style) {
                codes.append(depth == .many ? many : few)
            }
        }
        return codes.joined(separator: ";")
    }

    private static let attributes: [(Style, String)] = [
        (.bold, "1"), (.dim, "2"), (.italic, "3"), (.underline, "4"), (.reverse, "7"), (.strike, "9"),
    ]

    /// With 16 colours, which the person's theme decides about, and with 256, where those of code are chosen so
    /// that they can be read on a dark and on a light ground.
    private static let colours: [(Style, few: String, many: String)] = [
        (.red, "31", "31"), (.green, "32", "32"), (.yellow, "33", "33"), (.blue, "34", "34"),
        (.magenta, "35", "35"), (.cyan, "36", "36"), (.code, "36", "38;5;67"), (.keyword, "35", "38;5;133"),
        (.literal, "32", "38;5;71"), (.number, "33", "38;5;136"), (.comment, "2", "38;5;244"),
        (.typeName, "36", "38;5;37"),
    ]
}
