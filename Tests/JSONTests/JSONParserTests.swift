import JSON
import Testing

/// After the case groups of JSONTestSuite: what every parser must accept (`y_`), refuse (`n_`), and what RFC 8259
/// leaves open (`i_`), where the expected answer is what we have decided.
@Suite struct JSONParserTests {
    static let accepted: [(String, JSON)] = [
        ("[]", []), ("{}", [:]), (" [ ] ", []), ("\t\r\n{ } \n", [:]), ("null", nil), ("true", true), ("false", false),
        ("0", 0), ("-0", 0), ("1", 1), ("-1", -1), ("123456789", 123_456_789), ("\"\"", ""), ("\"a\"", "a"),
        ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
        ("999999999999999999", 999_999_999_999_999_999), ("1000000000000000000", 1_000_000_000_000_000_000),
        ("9223372036854775808", .double(9_223_372_036_854_775_808)),
        ("123456789012345678901234567890", .double(123_456_789_012_345_677_877_719_597_056)),
        ("0.5", 0.5), ("-0.0", .double(-0.0)), ("1e2", .double(100)), ("1E+2", .double(100)), ("1e-2", .double(0.01)),
        ("0e0", .double(0)), ("1.5e3", .double(1500)), ("0.1", 0.1), ("5e-324", .double(.leastNonzeroMagnitude)),
        ("1e-400", .double(0)), ("1.7976931348623157e308", .double(.greatestFiniteMagnitude)),
        ("[1,2]", [1, 2]), ("[[],{}]", [[], [:]]), ("{\"a\":1,\"b\":[null]}", ["a": 1, "b": [nil]]),
        ("{\"\":0}", ["": 0]), ("{\"a\":1,\"a\":2}", ["a": 2]), ("{\"a\\u0000b\":1}", ["a\0b": 1]),
        ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{c}\n\r\t"), ("\"\\u0041\\u00e9\\u20AC\"", "Aé€"),
        ("\"\\uD83D\\uDE00\"", "😀"), ("\"é€😀\"", "é€😀"), ("\"\\u0000\"", "\0"), ("\"\u{7f}\"", "\u{7f}"),
        ("\"\u{2028}\u{2029}\"", "\u{2028}\u{2029}"), ("\"\\uFFFF\u{10FFFF}\"", "\u{FFFF}\u{10FFFF}"),
        ("\"\\\\u0041\"", "\\u0041"), ("\"\\u0022\"", "\""),
        // Lone surrogates: agents that cut text at 16-bit units send them.
        ("\"\\uD83D\"", "\u{FFFD}"), ("\"\\uDE00\"", "\u{FFFD}"), ("\"\\uDE00\\uD83D\"", "\u{FFFD}\u{FFFD}"),
        ("\"\\uD83Dx\"", "\u{FFFD}x"), ("\"\\uD83D\\n\"", "\u{FFFD}\n"), ("\"\\uD83D\\u0041\"", "\u{FFFD}A"),
        ("\"\\uD83D\\uD83D\\uDE00\"", "\u{FFFD}😀"),
        // Long enough for every step of eight bytes.
        ("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\n\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"),
        ("\"aaaaaaaé\"", "aaaaaaaé"), ("\"aaaaaaé\\\"aaaaaaaaaa\"", "aaaaaaé\"aaaaaaaaaa"),
    ]

    @Test(arguments: accepted)
    func accepts(_ text: String, _ expected: JSON) throws {
        #expect(try JSON.parse(text) == expected)
        // A double that is whole is written, and so read back, as a whole number.
        #expect(try JSON.parse(expected.serialize()).description == expected.description)
    }

    @Test(arguments: [
        "", " ", "[", "]", "{", "}", "[1", "[1,", "[,]", "[1,]", "[,1]", "[1 2]", "[1,,2]", "[}", "{]", "{\"a\"}",
        "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{1:1}", "{null:1}", "{\"a\":1 \"b\":2}",
        "{\"a\":1,,\"b\":2}", "{\"a\"::1}", "nul", "nulll", "NULL", "True", "tru", "truE", "fals", "undefined", "NaN",
        "-NaN",
        "Infinity", "-Infinity", "+1", "01", "-01", "00", "-", "--1", "1.", ".1", "-.1", "1.e1", "1e", "1e+", "1e-",
        "1ee2", "0x1", "1_000", "1a", "1.2.3", "0e", "2.e3", "1 000", "1e400", "-1e400", "\"", "\"a", "\"\\\"",
        "\"\\", "\"\\x\"", "\"\\u\"", "\"\\u12\"", "\"\\u123g\"", "\"\\uD83D\\u\"", "\"\\U0041\"", "\"\\a\"", "\"\n\"",
        "\"\t\"",
        "\"\0\"", "\"\u{1f}\"", "\"aaaaaaa\u{1}aaaaaaaaa\"", "'a'", "a", "[a", "//c\n1", "/**/1", "1//", "[1]x", "1 2",
        "{}{}",
        "\u{FEFF}1", "\u{A0}1", "1\u{2028}", "[1\u{c}]", "<html>", "*", "[\"a\"", "[\"", "{\"a\":\"b", "\"\\u00A",
        "\"\\u00\u{e5}\"",
    ])
    func refuses(_ text: String) {
        #expect(throws: JSONError.self) { try JSON.parse(text) }
    }

    @Test(
        arguments: [
            [0x80], [0xbf], [0xc0, 0x80], [0xc1, 0xbf], [0xc2], [0xc2, 0x41], [0xe0, 0x80, 0x80], [0xe0, 0x9f, 0xbf],
            [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xf0, 0x80, 0x80, 0x80], [0xf0, 0x8f, 0xbf, 0xbf],
            [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xf0, 0x9f, 0x98], [0xff], [0xfe, 0xff],
        ] as [[UInt8]])
    func refusesWhatIsNoUTF8(_ bytes: [UInt8]) {
        for prefix in ["", "aaaaaaa", "aaaaaaaaé", "a\\n"] {
            for suffix in ["", "aaaaaaaaaaaaa", "\\n"] {
                let text = Array("\"\(prefix)".utf8) + bytes + Array("\(suffix)\"".utf8)
                #expect(throws: JSONError.self) { try JSON.parse(text) }
                let name = Array("{".utf8) + text + Array(":1}".utf8)
                #expect(throws: JSONError.self) { try JSON.parse(name) }
            }
        }
        #expect(throws: JSONError.self) { try JSON.parse(bytes) }
    }

    @Test(arguments: [
        ("[1,x]", JSONError.Reason.unexpectedByte(0x78), 3), ("[1", .unexpectedEnd, 2), ("[01]", .invalidNumber, 3),
        ("1 2", .trailingBytes, 2), ("\"a\nb\"", .controlCharacterInString, 2), ("\"\\q\"", .invalidEscape, 2),
        ("{\"a\":tru}", .unexpectedByte(0x7d), 8), ("\"aaaaaaaaaaaa\u{2}\"", .controlCharacterInString, 13),
    ])
    func saysWhere(_ text: String, _ reason: JSONError.Reason, _ offset: Int) {
        let error = #expect(throws: JSONError.self) { try JSON.parse(text) }
        #expect(error?.reason == reason)
        #expect(error?.offset == offset)
    }

    @Test func depthIsBounded() throws {
        func nested(_ depth: Int, _ open: String, _ close: String) -> String {
            String(repeating: open, count: depth) + String(repeating: close, count: depth)
        }
        _ = try JSON.parse(nested(128, "[", "]"))
        let error = #expect(throws: JSONError.self) { try JSON.parse(nested(129, "[", "]")) }
        #expect(error?.reason == .tooDeep(limit: 128))
        #expect(throws: JSONError.self) { try JSON.parse(nested(1_000_000, "[", "]")) }
        #expect(throws: JSONError.self) { try JSON.parse(String(repeating: "{\"a\":", count: 100_000)) }
        _ = try JSON.parse("[[1]]", limits: JSON.Limits(depth: 2))
        #expect(throws: JSONError.self) { try JSON.parse("[[[1]]]", limits: JSON.Limits(depth: 2)) }
    }

    @Test func hugeNumbers() throws {
        let digits = String(repeating: "9", count: 100_000)
        #expect(throws: JSONError.self) { try JSON.parse(digits) }
        #expect(throws: JSONError.self) { try JSON.parse("1e" + digits) }
        #expect(try JSON.parse("0." + digits).doubleValue == 1)
        #expect(try JSON.parse("1e-" + digits).doubleValue == 0)
    }

    @Test func membersKeepTheirOrderAndLastValue() throws {
        let object = try #require(JSON.parse(#"{"z":1,"a":2,"m":3,"z":4}"#).objectValue)
        #expect(object.map(\.key) == ["z", "a", "m"])
        #expect(object["z"] == 4)
    }

    @Test(arguments: [5, 31, 32, 33, 100, 5000])
    func repeatedNamesAmongMany(count: Int) throws {
        let members = (0..<count).map { "\"k\($0)\":\($0)" } + (0..<count).map { "\"k\($0)\":\($0 + 1)" }
        let object = try #require(JSON.parse("{" + members.joined(separator: ",") + "}").objectValue)
        #expect(object.count == count)
        #expect(object.map(\.key) == (0..<count).map { "k\($0)" })
        for index in 0..<count { #expect(object[index].value == JSON(index + 1)) }
    }

    /// A hostile object must not cost quadratic time: this would take minutes if it did.
    @Test func aHundredThousandMembers() throws {
        let text = "{" + (0..<100_000).map { "\"aaaa\($0)z\":1" }.joined(separator: ",") + "}"
        #expect(try JSON.parse(text).objectValue?.count == 100_000)
    }

    /// Names are compared by their bytes, though Swift takes these two for equal.
    @Test func namesThatOnlyLookAlikeAreTwo() throws {
        let object = try #require(JSON.parse("{\"\u{e9}\":1,\"e\u{301}\":2}").objectValue)
        #expect(object.count == 2)
    }

    @Test func anyPrefixOfATextIsRefusedOrWhole() throws {
        let text = Array(#"{"a":[1,2.5e3,"x\u00e9\n",true,null,{"b":"ü€😀"}],"c":"\ud83d\ude00"}"#.utf8)
        _ = try JSON.parse(text)
        for length in 0..<text.count {
            #expect(throws: JSONError.self) { try JSON.parse(Array(text[..<length])) }
        }
    }

    @Test func arbitraryBytesNeverTrap() {
        var random = Random(state: 42)
        let seeds = JSONParserTests.accepted.map { Array($0.0.utf8) }
        var parsed = 0
        for _ in 0..<20_000 {
            var bytes = (seeds.randomElement(using: &random) ?? []) + (seeds.randomElement(using: &random) ?? [])
            for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if let value = try? JSON.parse(bytes) {
                parsed += 1
                #expect((try? JSON.parse(value.serialize()))?.description == value.description)
            }
        }
        #expect(parsed > 0)
    }
}

struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
