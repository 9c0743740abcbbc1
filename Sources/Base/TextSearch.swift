// The standard library finds characters in text. What finds text in text comes with its regular expressions, a megabyte of
// program, and is slow: it compares characters, where bytes will do.

extension StringProtocol {
    /// Where a text stands first, byte for byte; nil when it doesn't, or is empty.
    package func firstRange(ofText text: String) -> Range<Index>? {
        guard let first = text.utf8.first else { return nil }
        var rest = utf8[...]
        while let start = rest.firstIndex(of: first) {
            rest = rest[start...]
            if rest.starts(with: text.utf8) { return start..<utf8.index(start, offsetBy: text.utf8.count) }
            rest = rest.dropFirst()
        }
        return nil
    }

    /// Whether a text stands in this one, byte for byte.
    package func contains(text: String) -> Bool { text.isEmpty || firstRange(ofText: text) != nil }

    /// With another text wherever one stood.
    package func replacing(text: String, with other: String) -> String {
        var result = ""
        var rest = self[...]
        while let found = rest.firstRange(ofText: text) {
            result += rest[..<found.lowerBound]
            result += other
            rest = rest[found.upperBound...]
        }
        return result + rest
    }
}
