import JSON
import TestSupport
import Testing

@testable import EventLog

/// The quick look at a line and the parser agree on what is JSON.
@Suite struct LineScanTests {
    private func isObject(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { LineScan.isObject($0) } }

    @Test(arguments: [
        "{}", #"{"a":1}"#, #"{"a":[1,-0.5e+3,true,false,null,"é€😀\u00e9\n\"\\/"]}"#, #"{"a":{"b":{"c":[]}}}"#,
        #"{ "a" : [ 1 , 2 ] }"#,
        #"{"a":"\#(String(repeating: "x", count: 100))"}"#, "{\"\":0}",
    ])
    func isOne(text: String) {
        #expect(isObject(Array(text.utf8)))
    }

    @Test(arguments: [
        "", "{", "}", "[]", "1", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{"a":01}"#, #"{"a":1.}"#, #"{"a":-}"#,
        #"{"a":1e}"#, #"{"a":tru}"#,
        #"{"a":"x}"#, #"{"a":"\x"}"#, #"{"a":"\u00g0"}"#, "{\"a\":\"\t\"}", #"{"a":1} "#, #"{"a":1}{}"#, #"{a:1}"#,
        #"{"a":[1,]}"#,
        #"{"a":+1}"#, #"{"a":.5}"#, "{\"a\":\"\n\"}", #"{"a":nul"#, #"{"a":"\"#,
    ])
    func isNone(text: String) {
        #expect(!isObject(Array(text.utf8)))
    }

    /// Every bit of lines as they are, one at a time.
    @Test func agreesWithTheParserOnDamage() throws {
        var lines = [line(7, "a text with \"quotes\", \\ and é€😀\n"), line(1, String(repeating: "y", count: 50))]
        lines.append(Array(#"{"seq":3,"n":[1,2.5e-3,-0,{"x":null}],"t":true,"f":false,"s":"\u00e9\ud83d\ude00"}"#.utf8))
        var differing = 0
        for line in lines {
            let whole = Array(line.last == 0x0a ? line.dropLast() : line[...])
            #expect(isObject(whole))
            for bit in 0..<whole.count * 8 {
                var bytes = whole
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                let parsed = (try? JSON.parse(bytes))?.objectValue != nil
                let scanned = isObject(bytes)
                // The parser is stricter with numbers too large, members twice and lone surrogates; never the scan.
                if parsed, !scanned { Issue.record("\(String(decoding: bytes, as: UTF8.self))") }
                if parsed != scanned { differing += 1 }
            }
        }
        #expect(differing < 20)
    }

    @Test func depthHasAnEnd() {
        let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        #expect(!isObject(Array(#"{"a":\#(deep)}"#.utf8)))
    }
}
