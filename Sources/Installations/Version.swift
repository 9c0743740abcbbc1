/// A version as Semantic Versioning 2.0.0 has it: `1.4.0`, `2.0.0-rc.1`, `1.4.0+build.7`.
///
/// It becomes a part of paths, so that nothing else is one: at most 64 bytes of letters, digits, `.`, `-` and `+`, and it
/// begins with a digit.
package struct Version: Comparable, Hashable, Sendable, CustomStringConvertible {
    /// As it was written.
    package let description: String
    /// Major, minor, patch: digits without leading zeros, of any length.
    private let numbers: [Substring]
    /// Empty for a release.
    private let prerelease: [Substring]
    private let build: Substring

    /// Nil for anything that isn't a version.
    package init?(_ text: String) {
        guard (5...64).contains(text.utf8.count), text.utf8.allSatisfy(Version.isAllowed) else { return nil }
        var rest = text[...]
        var build: Substring?
        if let plus = rest.firstIndex(of: "+") {
            build = rest[rest.index(after: plus)...]
            rest = rest[..<plus]
        }
        var prerelease: [Substring] = []
        if let dash = rest.firstIndex(of: "-") {
            prerelease = Version.parts(rest[rest.index(after: dash)...])
            guard prerelease.allSatisfy({ !Version.isNumber($0) || Version.isCanonical($0) }) else { return nil }
            guard prerelease.allSatisfy(Version.isIdentifier) else { return nil }
            rest = rest[..<dash]
        }
        let numbers = Version.parts(rest)
        guard numbers.count == 3, numbers.allSatisfy({ Version.isNumber($0) && Version.isCanonical($0) }) else {
            return nil
        }
        if let build { guard Version.parts(build).allSatisfy(Version.isIdentifier) else { return nil } }
        description = text
        self.numbers = numbers
        self.prerelease = prerelease
        self.build = build ?? ""
    }

    /// Something before the release that has its numbers.
    package var isPrerelease: Bool { !prerelease.isEmpty }

    /// The precedence of section 11. Versions that differ in their build metadata alone, which have none among them, are
    /// ordered by it, so that equal ones are the same.
    package static func < (one: Version, other: Version) -> Bool {
        for (a, b) in zip(one.numbers, other.numbers) where a != b { return isLess(a, b) }
        guard one.prerelease == other.prerelease else {
            guard one.isPrerelease, other.isPrerelease else { return one.isPrerelease }
            for (a, b) in zip(one.prerelease, other.prerelease) where a != b { return isLess(a, b) }
            return one.prerelease.count < other.prerelease.count
        }
        return one.build.utf8.lexicographicallyPrecedes(other.build.utf8)
    }

    package static func == (one: Version, other: Version) -> Bool { one.description == other.description }

    package func hash(into hasher: inout Hasher) { hasher.combine(description) }

    /// Numbers by value, below words; words by their bytes.
    private static func isLess(_ a: Substring, _ b: Substring) -> Bool {
        switch (isNumber(a), isNumber(b)) {
        case (true, true) where a.utf8.count != b.utf8.count: a.utf8.count < b.utf8.count
        case (true, false): true
        case (false, true): false
        default: a.utf8.lexicographicallyPrecedes(b.utf8)
        }
    }

    private static func parts(_ text: Substring) -> [Substring] {
        text.split(separator: ".", omittingEmptySubsequences: false)
    }

    private static func isNumber(_ part: Substring) -> Bool {
        !part.isEmpty && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    /// Without leading zeros.
    private static func isCanonical(_ number: Substring) -> Bool { number == "0" || number.first != "0" }

    private static func isIdentifier(_ part: Substring) -> Bool {
        !part.isEmpty && !part.utf8.contains(UInt8(ascii: "+"))
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
        }
    }
}
