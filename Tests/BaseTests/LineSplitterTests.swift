import Base
import Testing

@Suite struct LineSplitterTests {
    private func split(_ text: String, limit: Int, pieces: Int) -> [LineSplitter.Line] {
        var splitter = LineSplitter(limit: limit)
        var lines: [LineSplitter.Line] = []
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + pieces)
            splitter.feed(Array(bytes[start..<end])) { lines.append($0) }
            #expect(splitter.pendingBytes <= bytes.count)
            start = end
        }
        splitter.finish { lines.append($0) }
        #expect(splitter.pendingBytes == 0)
        return lines
    }

    private func whole(_ text: String) -> LineSplitter.Line { .whole(Array(text.utf8)) }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func lines(pieces: Int) {
        #expect(split("a\nbc\r\n\n\r\nlast", limit: 100, pieces: pieces) == ["a", "bc", "", "", "last"].map(whole))
        #expect(split("", limit: 100, pieces: pieces).isEmpty)
        #expect(split("a\rb\n", limit: 100, pieces: pieces) == [whole("a\rb")])
    }

    @Test(arguments: [1, 2, 5, 100, 10_000], [4, 200, 300, 1000])
    func tooLongLinesAreSkippedWhole(pieces: Int, limit: Int) {
        let long = String(repeating: "x", count: 3000)
        let fits = String(repeating: "y", count: limit)
        let over = String(repeating: "z", count: limit + 1)
        let lines = split("\(fits)\n\(over)\n\(long)\nok\n\(long)", limit: limit, pieces: pieces)
        #expect(
            lines == [
                whole(fits), .tooLong(start: Array(over.utf8.prefix(256)), length: limit + 1),
                .tooLong(start: Array(long.utf8.prefix(256)), length: 3000), whole("ok"),
                .tooLong(start: Array(long.utf8.prefix(256)), length: 3000),
            ])
    }

    @Test func holdsNoMoreThanTheLimit() {
        var splitter = LineSplitter(limit: 1000)
        for _ in 0..<10_000 {
            splitter.feed([UInt8](repeating: 0x61, count: 100)) { _ in Issue.record("a line before its end") }
        }
        #expect(splitter.pendingBytes == 1_000_000)
        var lines: [LineSplitter.Line] = []
        splitter.feed(Array("\nnext\n".utf8)) { lines.append($0) }
        #expect(lines == [.tooLong(start: [UInt8](repeating: 0x61, count: 256), length: 1_000_000), whole("next")])
    }
}
