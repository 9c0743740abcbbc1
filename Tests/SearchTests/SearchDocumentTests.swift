import Base
import EventLog
import HubProtocol
import JSON
import Testing

@testable import Search

@Suite struct SearchDocumentTests {
    private func document(_ draft: EventDraft, limit: Int = 1 << 16) -> SearchDocument? {
        let record = EventRecord(seq: 3, timestamp: Timestamp(milliseconds: 5), id: "x", draft: draft)
        var line: [UInt8] = []
        record.serialize(into: &line)
        let found = line.withUnsafeBytes { SearchDocument(line: $0, limit: limit) }
        #expect(found == SearchDocument(record, limit: limit))
        return found
    }

    @Test func whatIsSearched() {
        let message = document(SearchFixture.message(" a\n\nb\tc\u{0}\u{2}d "))
        #expect(message?.text == "a b c d")
        #expect(message?.kind == .userMessage)
        #expect(message?.seq == 3)
        #expect(document(SearchFixture.message("x", role: "assistant"))?.kind == .assistantMessage)
        #expect(document(SearchFixture.message("x", role: "system")) == nil)
        #expect(document(SearchFixture.message("  ")) == nil)
        let call = document(
            EventDraft(
                .toolCall, source: .agent,
                data: [
                    "name": "Bash", "title": "ls -l", "args": ["command": "ls -l", "more": ["deep", 1, ["x": "end"]]],
                ]))
        #expect(call?.text == "Bash ls -l deep end")
        #expect(call?.kind == .toolCall)
        let error = document(EventDraft(.error, source: .core, data: ["code": "overloaded", "message": "Too much."]))
        #expect(error?.text == "overloaded Too much.")
        for type in ["created", "renamed", "title"] {
            let title = document(EventDraft(.status, source: .core, data: ["type": JSON(type), "title": "T"]))
            #expect(title?.kind == .title)
        }
        #expect(document(EventDraft(.status, source: .core, data: ["type": "model", "title": "T"])) == nil)
        #expect(document(EventDraft(.thinking, source: .agent, data: ["content": "secret"])) == nil)
        #expect(document(EventDraft(.toolResult, source: .agent, data: ["content": "output"])) == nil)
    }

    @Test(arguments: 0..<14)
    func aCutLeavesWholeCharacters(limit: Int) {
        let text = document(SearchFixture.message("aé日🙂 z"), limit: limit)?.text ?? ""
        #expect("aé日🙂 z".hasPrefix(text))
        #expect(text.utf8.count <= limit)
    }

    @Test func linesComeInPieces() {
        var bytes: [UInt8] = []
        for seq in 1...40 {
            let draft =
                seq % 3 == 0
                ? EventDraft(.toolResult, source: .agent, data: ["content": JSON(String(repeating: "x", count: 3000))])
                : SearchFixture.message("word\(seq)" + String(repeating: " y", count: seq % 5 == 0 ? 900 : 0))
            EventRecord(seq: seq, timestamp: .now, id: "x", draft: draft).serialize(into: &bytes)
            bytes.append(0x0a)
        }
        let torn = Array("{\"seq\":41,".utf8)
        for size in [1, 7, 100, 1000, bytes.count + 100] {
            var scan = LineScan(offset: 10, limit: 1500)
            var words: [String] = []
            let all = bytes + torn
            for start in stride(from: 0, to: all.count, by: size) {
                all[start..<min(all.count, start + size)].withUnsafeBytes { piece in
                    scan.feed(piece) { line in
                        SearchDocument(line: line, limit: 100).map { words.append(String($0.text.prefix(6))) }
                    }
                }
            }
            // Too long are those with 900 times two bytes more.
            let expected = (1...40).filter { $0 % 3 != 0 && $0 % 5 != 0 }.map { String("word\($0) ".prefix(6)) }
            #expect(words.map { $0.trimmed } == expected.map(\.trimmed))
            #expect(scan.consumed == 10 + bytes.count)
        }
    }
}

extension String {
    fileprivate var trimmed: String { String(prefix { $0 != " " }) }
}
