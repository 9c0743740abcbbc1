import Base
import EventLoop
import HubProtocol
import JSON
import TestSupport
import Testing

@testable import Search

/// Random operations on logs and index, compared with a search that simply looks at everything.
@Suite(.timeLimit(.minutes(10))) struct SearchModelTests {
    private struct Entry {
        var id: String
        var seq: Int
        var second: Int64
        var words: [String]

        func has(_ terms: [[String]]) -> Bool {
            terms.enumerated().allSatisfy { index, phrase in
                let isPrefix = index == terms.count - 1 && phrase.count == 1 && phrase[0].count >= 3
                return words.indices.contains { start in
                    start + phrase.count <= words.count
                        && phrase.indices.allSatisfy { offset in
                            let word = words[start + offset]
                            return isPrefix ? word.hasPrefix(phrase[offset]) : word == phrase[offset]
                        }
                }
            }
        }
    }

    private static let vocabulary = [
        "read", "reader", "reading", "write", "writer", "file", "files", "a", "be", "bee", "module", "mod", "übung",
        "x1",
        "x12", "naïve",
    ]

    @Test(arguments: 0..<12)
    func theIndexFindsWhatIsThere(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let fixture = try SearchFixture()
        var model: [Entry] = []
        var lastSeq: [String: Int] = [:]
        let ids = (0..<8).map { "s\($0)" }
        var second: Int64 = 1_700_000_000

        func draft(_ words: [String]) -> EventDraft {
            SearchFixture.message(words.joined(separator: [" ", "\n", ", ", "_"].randomElement(using: &random)!))
        }
        func append(_ count: Int, to id: String) throws {
            // Clocks go back, too.
            second += Int64.random(in: -20...60, using: &random)
            var drafts: [EventDraft] = []
            for _ in 0..<count {
                let words = (0..<Int.random(in: 1...7, using: &random)).map { _ in
                    SearchModelTests.vocabulary.randomElement(using: &random)!
                }
                lastSeq[id, default: 0] += 1
                drafts.append(draft(words))
                model.append(Entry(id: id, seq: lastSeq[id]!, second: second, words: words))
            }
            try fixture.append(drafts, to: id, at: Timestamp(milliseconds: second * 1000))
        }
        func forget(_ id: String) {
            model.removeAll { $0.id == id }
            lastSeq[id] = nil
        }

        for _ in 0..<60 {
            let id = ids.randomElement(using: &random)!
            switch Int.random(in: 0..<12, using: &random) {
            case 0..<6: try append(Int.random(in: 1...40, using: &random), to: id)
            case 6:
                forget(id)
                fixture.delete(id)
            case 7 where lastSeq[id] != nil:
                // As if a backup had been put back.
                forget(id)
                fixture.delete(id)
                try append(Int.random(in: 1...20, using: &random), to: id)
            case 8: fixture.restart()
            case 9: try fixture.settle()
            default: for _ in 0..<5 { fixture.loop.turn(waitingAtMost: .milliseconds(1)) }
            }
        }
        try fixture.settle()
        for _ in 0..<60 {
            var terms: [[String]] = []
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let length = Bool.random(using: &random) ? 1 : 2
                terms.append((0..<length).map { _ in SearchModelTests.vocabulary.randomElement(using: &random)! })
            }
            let text = terms.map { $0.count > 1 ? "\"\($0.joined(separator: " "))\"" : $0[0] }.joined(separator: " ")
            let only = Int.random(in: 0..<3, using: &random) == 0 ? ids.randomElement(using: &random)! : nil
            let expected = model.filter { ($0.id == only || only == nil) && $0.has(terms) }
            let found = try fixture.found(text, in: only, page: Int.random(in: 1...30, using: &random))
            #expect(Set(found) == Set(expected.map { "\($0.id)#\($0.seq)" }), "\(text) in \(only ?? "all")")
            #expect(found.count == expected.count)
            // By time, the newest first.
            let seconds = Dictionary(uniqueKeysWithValues: model.map { ("\($0.id)#\($0.seq)", $0.second) })
            let order = found.compactMap { seconds[$0] }
            #expect(order == order.sorted(by: >))
        }
        #expect(fixture.notices == [])
    }
}
