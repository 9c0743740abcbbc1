package import HubProtocol
import JSON

/// What somebody looks for, made safe: nothing of it reaches SQLite but as quoted words.
///
/// Words stand for themselves, all of them must be there, in any order; what is in double quotes is a phrase. Case and
/// accents don't count. The last word, unless it is quoted, may be the beginning of a longer one once it has three
/// characters.
package struct SearchQuery: Equatable, Sendable {
    /// Characters (scalars) of a query.
    package static let lengthLimit = 1024
    /// Characters from which on the last word is taken for a beginning: shorter ones begin too many words.
    static let prefixLength = 3

    /// The terms in the language of FTS5; empty when there is no word, and so nothing to be found.
    let terms: String

    /// - Throws: `invalid_request` for a text that is too long.
    package init(_ text: String) throws(Failure) {
        guard text.unicodeScalars.count <= SearchQuery.lengthLimit else {
            throw Failure(
                code: "invalid_request", message: "q may have \(SearchQuery.lengthLimit) characters (code points).",
                details: ["field": "q"])
        }
        var found: [(text: String, isPhrase: Bool)] = []
        var isQuoted = false
        // An odd quote at the end closes itself.
        for part in text.split(separator: "\"", omittingEmptySubsequences: false) {
            if isQuoted {
                if SearchQuery.hasWord(part) { found.append((String(part), true)) }
            } else {
                for word in part.unicodeScalars.split(whereSeparator: { $0.properties.isWhitespace || $0.value < 0x20 })
                where SearchQuery.hasWord(Substring(word)) {
                    found.append((String(word), false))
                }
            }
            isQuoted.toggle()
        }
        guard let last = found.last else {
            terms = ""
            return
        }
        let isPrefix =
            !last.isPhrase && SearchQuery.endsInWord(last.text)
            && SearchQuery.lengthOfLastWord(last.text) >= SearchQuery.prefixLength
        terms =
            found.map { SearchQuery.quoted($0.text) }.joined(separator: " AND ") + (isPrefix ? " *" : "")
    }

    private static func quoted(_ text: String) -> String {
        // A quote can't be in it; anything below a space would be no part of a word.
        "\"" + String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 ? " " : $0 })) + "\""
    }

    /// As the tokenizer sees it: letters, numbers and private characters make words (and marks go on with them).
    private static func isOfWord(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber, .privateUse:
            true
        default: false
        }
    }

    private static func hasWord(_ text: Substring) -> Bool { text.unicodeScalars.contains(where: isOfWord) }
    private static func endsInWord(_ text: String) -> Bool { text.unicodeScalars.last.map(isOfWord) ?? false }
    private static func lengthOfLastWord(_ text: String) -> Int {
        text.unicodeScalars.reversed().prefix(while: isOfWord).count
    }

    /// The whole expression.
    /// - Parameter session: the number of the only session to look in.
    func expression(session: Int64?) -> String {
        let words = "{text} : (\(terms))"
        return session.map { "session : \"\(SearchQuery.token(ofSession: $0))\" AND \(words)" } ?? words
    }

    /// The word that all documents of a session have in a column of their own.
    static func token(ofSession number: Int64) -> String { "s\(number)" }
}
