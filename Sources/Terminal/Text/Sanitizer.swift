/// Makes text that somebody else wrote harmless for a terminal.
///
/// An agent, or a file it read, can say anything, escape sequences included: those could rewrite what is on the
/// screen, set the window's title, or answer in the user's name. Line feeds and tabs stay; every other control
/// character becomes a visible sign, and what turns the direction of text around, or hides it, is replaced too.
enum Sanitizer {
    static func clean(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f || $0 == 0x0a || $0 == 0x09 }) { return text }
        var result = String.UnicodeScalarView()
        var scalars = text.unicodeScalars.makeIterator()
        var held: Unicode.Scalar? = scalars.next()
        while let scalar = held {
            held = scalars.next()
            // The CR of a line's end is part of that end.
            if scalar == "\r", held == "\n" { continue }
            if let replacement = replace(scalar) { result.append(replacement) }
        }
        return String(result)
    }

    /// As `clean`, on one line: line ends and tabs become spaces.
    static func cleanLine(_ text: String) -> String {
        String(clean(text).map { $0 == "\n" || $0 == "\t" ? " " : $0 })
    }

    private static func replace(_ scalar: Unicode.Scalar) -> Unicode.Scalar? {
        switch scalar.value {
        case 0x0a, 0x09: scalar
        // The control pictures: U+241B for ESC.
        case 0..<0x20: Unicode.Scalar(0x2400 + scalar.value)
        case 0x7f: "\u{2421}"
        // C1: some terminals take U+009B for the beginning of an escape sequence.
        case 0x80..<0xa0: "\u{fffd}"
        case 0x2028, 0x2029: "\n"
        case 0x200e, 0x200f, 0x061c, 0x202a...0x202e, 0x2066...0x2069: "\u{fffd}"
        // Tag characters: invisible copies of ASCII.
        case 0xe0000...0xe007f: nil
        default: scalar
        }
    }
}
