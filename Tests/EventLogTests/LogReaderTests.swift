import EventLog
import HubProtocol
import JSON
import TestSupport
import Testing

@Suite struct LogReaderTests {
    @Test func readsWhatWasWritten() {
        let contents = LogContents(logBytes("s1", ["a", "b\nc", "\u{2028}ü"]))
        #expect(contents.header == header("s1"))
        #expect(contents.records.map(\.seq) == [1, 2, 3])
        #expect(contents.records.map { $0.data["content"]?.stringValue } == ["a", "b\nc", "\u{2028}ü"])
        #expect(contents.damages.isEmpty)
        #expect(contents.gaps.isEmpty)
        #expect(contents.torn == nil)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var body: [[UInt8]]
        var seqs: [Int]
        var damages: [LogReader.Damage.Reason] = []
        var gaps: [Int] = []
        var torn = false
        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(name: "empty", body: [], seqs: []),
        Case(
            name: "no JSON", body: [line(1, "a"), Array("garbage\n".utf8), line(2, "b")], seqs: [1, 2],
            damages: [.notJSON]),
        Case(
            name: "a damaged line accounts for its number",
            body: [line(1, "a"), Array("{\"seq\":2,\u{1}\n".utf8), line(3, "c")], seqs: [1, 3], damages: [.notJSON]),
        Case(
            name: "not UTF-8", body: [line(1, "a"), [0xff, 0xfe, 0x0a], line(2, "b")], seqs: [1, 2],
            damages: [.notJSON]),
        Case(name: "an empty line", body: [line(1, "a"), [0x0a], line(2, "b")], seqs: [1, 2], damages: [.notJSON]),
        Case(
            name: "NULs before a line",
            body: [line(1, "a"), [UInt8](repeating: 0, count: 100) + line(2, "b"), line(3, "c")],
            seqs: [1, 3], damages: [.notJSON]),
        Case(
            name: "no record", body: [line(1, "a"), Array("{\"seq\":2,\"x\":1}\n".utf8), line(3, "c")], seqs: [1, 3],
            damages: [.notARecord]),
        Case(
            name: "not as we write it", body: [line(1, "a"), [0x20] + line(2, "b"), line(3, "c")], seqs: [1, 3],
            damages: [.notCanonical]),
        Case(name: "a gap", body: [line(1, "a"), line(4, "d"), line(5, "e")], seqs: [1, 4, 5], gaps: [1]),
        Case(name: "a gap at the end", body: [line(1, "a"), line(4, "d")], seqs: [1, 4], gaps: [1]),
        Case(name: "a gap at the beginning", body: [line(3, "a"), line(4, "d")], seqs: [3, 4], gaps: [0]),
        Case(
            name: "twice", body: [line(1, "a"), line(2, "b"), line(2, "b"), line(3, "c")], seqs: [1, 2, 3],
            damages: [.sequence]),
        Case(
            name: "backward", body: [line(1, "a"), line(2, "b"), line(3, "c"), line(1, "a"), line(4, "d")],
            seqs: [1, 2, 3, 4], damages: [.sequence]),
        Case(
            name: "one wrong digit costs one line",
            body: [line(1, "a"), line(92, "b"), line(3, "c"), line(4, "d")], seqs: [1, 3, 4], damages: [.sequence]),
        Case(
            name: "a wrong digit before damage",
            body: [line(1, "a"), line(92, "b"), Array("x\n".utf8), line(4, "d"), line(5, "e")], seqs: [1, 4, 5],
            damages: [.notJSON, .sequence]),
        Case(name: "torn", body: [line(1, "a"), line(2, "b").dropLast(5)], seqs: [1], torn: true),
        Case(name: "only the LF is missing", body: [line(1, "a"), line(2, "b").dropLast()], seqs: [1], torn: true),
        Case(name: "NULs at the end", body: [line(1, "a"), [0, 0, 0, 0]], seqs: [1], torn: true),
        Case(
            name: "a number beyond all limits",
            body: [
                line(1, "a"),
                Array(
                    #"{"seq":9223372036854775807,"ts":"2026-11-21T10:00:00.123Z","id":"x","kind":"message","source":"user","data":{}}"#
                        .utf8) + [0x0a], line(2, "b"),
            ],
            seqs: [1, 2], damages: [.notCanonical]),
        Case(name: "CR before LF", body: [line(1, "a").dropLast() + [0x0d, 0x0a], line(2, "b")], seqs: [1, 2]),
    ]

    @Test(arguments: cases, [1, 3, 64, Int.max])
    func table(_ test: Case, pieceSize: Int) {
        let contents = LogContents(logBytes("s1", []) + test.body.joined(), pieceSize: pieceSize)
        #expect(contents.records.map(\.seq) == test.seqs)
        #expect(contents.damages.map(\.reason) == test.damages)
        #expect(contents.gaps.map(\.after) == test.gaps)
        #expect((contents.torn != nil) == test.torn)
    }

    @Test func kindOfANewerVersionIsCustom() {
        let text =
            #"{"seq":1,"ts":"2026-11-21T10:00:00.123Z","id":"x","kind":"hologram","source":"agent","data":{"a":1},"new":[]}"#
        let contents = LogContents(logBytes("s1", []) + Array(text.utf8) + [0x0a])
        #expect(contents.records.first?.kind == .custom)
        #expect(contents.records.first?.data["type"] == "hologram")
    }

    @Test func aLineOverTheLimitIsSkippedWhole() {
        let long = line(2, String(repeating: "x", count: 5000))
        let bytes = logBytes("s1", ["a"]) + long + line(3, "c")
        for pieceSize in [1, 100, 4096, Int.max] {
            let contents = LogContents(bytes, pieceSize: pieceSize, lineLimit: 1000)
            #expect(contents.records.map(\.seq) == [1, 3])
            #expect(contents.damages.map(\.reason) == [.tooLong])
            #expect(contents.damages.first?.range.count == long.count)
        }
    }

    /// Cut anywhere, what is left is exactly the lines that are whole.
    @Test func truncatedAtEveryByte() {
        let bytes = logBytes("s1", ["first", "", "dritte Zeile: ä€😀", "{\"seq\":1,\"x\"}"])
        let whole = LogContents(bytes)
        let ends = bytes.indices.filter { bytes[$0] == 0x0a }.map { $0 + 1 }
        for length in 0...bytes.count {
            let contents = LogContents(Array(bytes[..<length]))
            let lines = ends.prefix { $0 <= length }.count
            if lines == 0 {
                #expect(contents.header == nil)
                continue
            }
            #expect(contents.records == Array(whole.records.prefix(lines - 1)))
            #expect(contents.damages.isEmpty)
            #expect(contents.torn == (ends[lines - 1] == length ? nil : ends[lines - 1]..<length))
        }
    }

    /// Whatever byte changes to whatever, at most the line it is in is lost, or two where it was the end of one.
    @Test func anyByteFlipped() {
        let bytes = logBytes("s1", (1...12).map { "event \($0)" })
        let whole = LogContents(bytes)
        let headerEnd = (bytes.firstIndex(of: 0x0a) ?? 0) + 1
        for offset in headerEnd..<bytes.count {
            let lineIndex = bytes[headerEnd..<offset].count { $0 == 0x0a }
            for bit in 0..<8 {
                var damaged = bytes
                damaged[offset] ^= 1 << bit
                let contents = LogContents(damaged)
                let spared = whole.records.filter {
                    $0.seq != lineIndex + 1 && !(bytes[offset] == 0x0a && $0.seq == lineIndex + 2)
                }
                let found = Set(contents.records.map(\.seq))
                for record in spared where !contents.records.contains(record) {
                    Issue.record("byte \(offset) bit \(bit) cost event \(record.seq); left: \(found)")
                }
                #expect(contents.records.map(\.seq) == contents.records.map(\.seq).sorted())
                #expect(found.count == contents.records.count)
            }
        }
    }

    @Test func arbitraryBytesNeverTrap() {
        var random = SeededGenerator(seed: 1)
        let good = logBytes("s1", ["a", "b", "c", "d"])
        for _ in 0..<2000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
                case 1:
                    let a = Int.random(in: bytes.indices, using: &random)
                    bytes.removeSubrange(a..<min(bytes.count, a + Int.random(in: 0...9, using: &random)))
                    if bytes.isEmpty { bytes = good }
                default: bytes.insert(0x0a, at: Int.random(in: bytes.indices, using: &random))
                }
            }
            let whole = LogContents(bytes)
            let pieces = LogContents(bytes, pieceSize: Int.random(in: 1...50, using: &random))
            #expect(whole.records == pieces.records)
            #expect(whole.damages.map(\.range) == pieces.damages.map(\.range))
            #expect(whole.torn == pieces.torn)
        }
    }
}
