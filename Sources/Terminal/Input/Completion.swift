/// What Tab offers for the word before the cursor.
struct Completion: Equatable {
    struct Candidate: Equatable {
        /// Takes the word's place.
        var word: String
        /// What is said about it.
        var help: String
        /// Whether a space follows: there is nothing to add to the word itself.
        var isWhole = true
    }

    /// Where the word begins in the text.
    var start: Int
    var candidates: [Candidate]
    /// The one that stands in the text.
    var chosen: Int?
}

extension LineEditor {
    /// Tab: what all candidates have in common, then one after the other.
    mutating func complete(_ offered: Completion?) -> Outcome {
        if completion?.chosen != nil { return step(1) }
        guard let offered, !offered.candidates.isEmpty, offered.start <= cursor else { return .ignored }
        let word = String(text[offered.start..<cursor])
        if offered.candidates.count == 1 {
            let only = offered.candidates[0]
            let whole = only.word + (only.isWhole ? " " : "")
            completion = nil
            guard word != whole else { return .ignored }
            return put(whole, at: offered.start)
        }
        let common = LineEditor.commonPrefix(offered.candidates.map(\.word))
        if common.count > word.count, common.lowercased().hasPrefix(word.lowercased()) {
            return put(common, at: offered.start)
        }
        completion = offered
        return step(1)
    }

    /// The next candidate, or the one before.
    mutating func step(_ direction: Int) -> Outcome {
        guard var completion, !completion.candidates.isEmpty else { return .ignored }
        let count = completion.candidates.count
        let next = completion.chosen.map { ($0 + direction + count) % count } ?? (direction > 0 ? 0 : count - 1)
        completion.chosen = next
        let outcome = put(completion.candidates[next].word, at: completion.start)
        self.completion = completion
        return outcome
    }

    private mutating func put(_ word: String, at start: Int) -> Outcome {
        remember(.other)
        text.replaceSubrange(start..<cursor, with: Array(word))
        cursor = start + Array(word).count
        return .changed
    }

    static func commonPrefix(_ words: [String]) -> String {
        guard var common = words.first else { return "" }
        for word in words { while !word.hasPrefix(common) { common.removeLast() } }
        return common
    }
}
