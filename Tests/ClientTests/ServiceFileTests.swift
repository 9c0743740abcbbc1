import Client
import Testing

@testable import Terminal

/// Words in unit files, which systemd reads byte by byte.
@Suite struct ServiceFileTests {
    @Test(arguments: [
        ("/plain", "/plain"), ("/with space", "\"/with space\""), ("/100%", "/100%%"), ("/a\"b", "\"/a\\\"b\""),
        ("/a\\b", "\"/a\\\\b\""), ("", "\"\""),
        // To Swift a sign with an accent on it is another character.
        ("/100%\u{301}", "\"/100%%\u{301}\""), ("/a\"\u{301}b", "\"/a\\\"\u{301}b\""),
        ("/a\\\u{301}b", "\"/a\\\\\u{301}b\""), ("/a \u{301}b", "\"/a \u{301}b\""),
    ])
    func wordsAreQuoted(text: String, word: String) {
        #expect(Array(SystemdUnits.word(text).utf8) == Array(word.utf8))
    }
}
