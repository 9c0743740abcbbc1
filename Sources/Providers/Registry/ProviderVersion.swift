/// Version numbers as programs print them.
package enum ProviderVersion {
    /// The first thing in a text that looks like one, for example `2.1.329` in `2.1.329 (Claude Code)`.
    package static func find(in text: String) -> String? {
        for word in text.split(whereSeparator: { $0.isWhitespace || $0 == "(" || $0 == ")" || $0 == "," }) {
            let word = word.first == "v" ? word.dropFirst() : word
            let numbers = word.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            if numbers.contains("."), numbers.first?.isNumber == true { return String(word.prefix(64)) }
        }
        return nil
    }

    /// Compares number by number; what follows the numbers (`-beta.1`) doesn't count.
    package static func isAtLeast(_ minimum: String, _ version: String) -> Bool {
        let (wanted, found) = (numbers(minimum), numbers(version))
        for index in 0..<max(wanted.count, found.count) {
            let a = index < wanted.count ? wanted[index] : 0
            let b = index < found.count ? found[index] : 0
            if a != b { return b > a }
        }
        return true
    }

    private static func numbers(_ text: String) -> [Int] {
        text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }.split(separator: ".").map { Int($0) ?? 0 }
    }
}
