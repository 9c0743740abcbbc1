import HubProtocol
import TestSupport
import Testing

@testable import Search

@Suite struct SearchQueryTests {
    @Test(arguments: [
        ("one", #""one" *"#),
        ("one two", #""one" AND "two" *"#),
        (#"say "two words" again"#, #""say" AND "two words" AND "again" *"#),
        (#"the "end"#, #""the" AND "end""#),
        ("go a", #""go" AND "a""#),
        ("a_b-c.d", #""a_b-c.d""#),
        ("file.swift", #""file.swift" *"#),
        ("one ---", #""one" *"#),
        ("NEAR(a b) OR text:x*", #""NEAR(a" AND "b)" AND "OR" AND "text:x*""#),
        ("größe", #""größe" *"#),
        ("a\u{0}b", #""a" AND "b""#),
    ])
    func wordsAreQuoted(text: String, terms: String) throws {
        #expect(try SearchQuery(text).terms == terms)
    }

    @Test(arguments: ["", "   ", "---", "\"\"", "🙂", "*"])
    func whatHasNoWordFindsNothing(text: String) throws { #expect(try SearchQuery(text).terms == "") }

    @Test func whatIsTooLongIsRefused() throws {
        #expect(throws: Failure.self) { try SearchQuery(String(repeating: "a", count: 1025)) }
        // As many words as fit.
        let fixture = try SearchFixture()
        try fixture.say("a b", in: "a")
        try fixture.settle()
        #expect(try fixture.found(String(repeating: "a ", count: 512)) == ["a#1"])
        #expect(try fixture.found(String(repeating: "\"b\"", count: 341)) == ["a#1"])
    }

    /// Whatever somebody types is looked for, and never understood as anything else.
    @Test func nothingIsSyntax() throws {
        let fixture = try SearchFixture()
        try fixture.say("plain words here", in: "a")
        try fixture.settle()
        let pieces = [
            "\"", "*", "(", ")", "OR", "AND", "NOT", "NEAR", "text", ":", "session", "s1", "^", "+", "-", "{", "}", "'",
            ";", "--", "/*", "\u{0}", "\u{2}", ",", "plain", "wor", " ", " ", "\\", "%", "é", "日本",
        ]
        var random = SeededGenerator(seed: 7)
        for _ in 0..<400 {
            let text = (0..<Int.random(in: 1...8, using: &random)).map { _ in pieces.randomElement(using: &random)! }
                .joined()
            let answer = try fixture.answer(SearchRequest(SearchQuery(text)))
            guard case .success = answer else { throw TestFailure("\(text.debugDescription): \(answer)") }
        }
        // The column of sessions isn't one that people search.
        #expect(try fixture.search("s1").matches.isEmpty)
        #expect(try fixture.search("session:s1").matches.isEmpty)
        #expect(fixture.notices == [])
    }
}
