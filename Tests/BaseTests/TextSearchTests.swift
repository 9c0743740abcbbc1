import Base
import Testing

@Suite struct TextSearchTests {
    @Test(arguments: [
        ("abcabc", "abc", 0), ("xabc", "abc", 1), ("aaab", "aab", 1), ("abab", "bb", nil), ("ab", "abc", nil),
        ("", "a", nil),
        ("abc", "", nil), ("привет", "вет", 6), ("é", "e", nil), ("a\r\n\r\nb", "\r\n\r\n", 1), ("a\r\nb", "\nb", 2),
    ]) func aTextIsFound(text: String, part: String, place: Int?) {
        let found = text.firstRange(ofText: part)
        #expect(found.map { text.utf8.distance(from: text.startIndex, to: $0.lowerBound) } == place)
        #expect(found.map { String(text[$0]) == part } ?? true)
        #expect(text.contains(text: part) == (place != nil || part.isEmpty))
        // In a part of a longer one, as well.
        let longer = part + text + part
        let inside = longer[longer.utf8.index(longer.startIndex, offsetBy: part.utf8.count)...].dropLast(part.count)
        #expect(inside.contains(text: part) == text.contains(text: part))
    }

    @Test func aTextIsReplaced() {
        #expect("a|b||c".replacing(text: "|", with: "\\|") == "a\\|b\\|\\|c")
        #expect("aaaa".replacing(text: "aa", with: "a") == "aa")
        #expect("abc".replacing(text: "x", with: "y") == "abc")
        #expect("abc".replacing(text: "", with: "y") == "abc")
    }
}
