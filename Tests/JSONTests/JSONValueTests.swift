import Foundation
import JSON
import Testing

@Suite struct JSONSerializerTests {
    @Test(
        arguments: [
            (nil, "null"), (true, "true"), (false, "false"), (0, "0"), (.int(.min), "-9223372036854775808"),
            (.double(1.5), "1.5"), (.double(3), "3"), (.double(-0.0), "0"), (.double(1e300), "1e+300"),
            (.double(.infinity), "null"), (.double(.nan), "null"), (.double(.leastNonzeroMagnitude), "5e-324"),
            (.double(9_007_199_254_740_992), "9007199254740992.0"), ([], "[]"), ([:], "{}"),
            ([1, [2], "x"], "[1,[2],\"x\"]"),
            (["b": 1, "a": [:]], "{\"b\":1,\"a\":{}}"),
            ("\"\\\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}/", #""\"\\\b\f\n\r\t\u0001\u001f\u007f/""#),
            ("é€😀", "\"é€😀\""), ("a\u{2028}b\u{2029}c", #""a\u2028b\u2029c""#),
            // What gives orders to terminals, and what turns text around.
            ("a\u{80}\u{9b}\u{9f}\u{a0}", "\"a\\u0080\\u009b\\u009f\u{a0}\""),
            ("\u{200e}\u{200f}\u{202a}\u{202e}\u{202f}", "\"\\u200e\\u200f\\u202a\\u202e\u{202f}\""),
            ("\u{2065}\u{2066}\u{2069}\u{206a}", "\"\u{2065}\\u2066\\u2069\u{206a}\""),
            ("\u{2027}\u{202f}\u{2000}\u{e000}", "\"\u{2027}\u{202f}\u{2000}\u{e000}\""),
            ("\0", #""\u0000""#),
        ] as [(JSON, String)])
    func writes(_ value: JSON, _ text: String) {
        #expect(value.description == text)
    }

    /// A special character at each place within and around a step of eight bytes.
    @Test(arguments: [
        "\"", "\\", "\n", "\u{7f}", "\u{2028}", "\u{2027}", "\u{9b}", "\u{2069}", "é", "\u{1}", "â", "\u{fffd}",
    ])
    func specialCharactersAtEveryPlace(_ special: String) throws {
        for before in 0..<20 {
            for after in 0..<20 {
                let text = String(repeating: "a", count: before) + special + String(repeating: "b", count: after)
                let bytes = JSON(text).serialize()
                #expect(try JSON.parse(bytes) == JSON(text))
                #expect(!bytes.contains(0x0a))
                let other = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed) as? String
                #expect(other == text)
            }
        }
    }

    @Test func whatIsWrittenIsReadBack() throws {
        var random = Random(state: 7)
        for _ in 0..<3000 {
            let value = JSONSerializerTests.value(depth: 4, &random)
            let bytes = value.serialize()
            #expect(try JSON.parse(bytes) == value)
            // Another implementation agrees that it is JSON.
            #expect(throws: Never.self) {
                try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            }
        }
    }

    private static func value(depth: Int, _ random: inout Random) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &random) {
        case 0: return nil
        case 1: return .bool(.random(using: &random))
        case 2: return .int(.random(in: .min ... .max, using: &random))
        case 3:
            // A whole double is written as a whole number, and read back as one.
            let number = Double(bitPattern: random.next())
            return number.isFinite && Int64(exactly: number) == nil ? .double(number) : .double(0.25)
        case 4, 5: return .string(text(&random))
        case 6: return .array((0..<Int.random(in: 0..<5, using: &random)).map { _ in value(depth: depth - 1, &random) })
        default:
            var object: JSONObject = [:]
            for _ in 0..<Int.random(in: 0..<6, using: &random) {
                object[text(&random)] = value(depth: depth - 1, &random)
            }
            return .object(object)
        }
    }

    private static func text(_ random: inout Random) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0..<30, using: &random) {
            let range: ClosedRange<UInt32> =
                [0...0x7f, 0x20...0x7e, 0x80...0x7ff, 0x2020...0x2030, 0xe000...0xffff, 0x10000...0x10ffff]
                .randomElement(using: &random) ?? 0...0x7f
            if let scalar = Unicode.Scalar(UInt32.random(in: range, using: &random)) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

@Suite struct JSONValueTests {
    @Test func lookingInside() {
        let value: JSON = ["a": [1, ["b": "c"]], "n": nil, "d": 2.0, "f": 2.5, "t": true, "big": 1e300]
        #expect(value["a"]?[1]?["b"]?.stringValue == "c")
        #expect(value["a"]?[2] == nil)
        #expect(value["a"]?[-1] == nil)
        #expect(value["x"] == nil)
        #expect(value["a"]?["x"] == nil)
        #expect(value["n"] == .null)
        #expect(value["n"]?.isNull == true)
        #expect(value["d"]?.intValue == 2)
        #expect(value["f"]?.intValue == nil)
        #expect(value["big"]?.intValue == nil)
        #expect(value["f"]?.doubleValue == 2.5)
        #expect(value["a"]?[0]?.doubleValue == 1)
        #expect(value["t"]?.boolValue == true)
        #expect(value["t"]?.intValue == nil)
    }

    @Test func editingObjects() {
        var object: JSONObject = ["a": 1, "b": 2]
        object["c"] = 3
        object["a"] = 4
        #expect(object.map(\.key) == ["a", "b", "c"])
        object["b"] = nil
        object["missing"] = nil
        #expect(object.map(\.key) == ["a", "c"])
        object["d"] = .null
        #expect(object["d"] == .null)
        #expect(object.merging(["c": 5, "e": 6]) == ["a": 4, "c": 5, "d": nil, "e": 6])
    }

    @Test func objectsAreEqualInAnyOrder() {
        #expect(["a": 1, "b": 2] as JSONObject == ["b": 2, "a": 1])
        #expect(["a": 1] as JSONObject != ["a": 1, "b": 2])
        #expect(["a": 1] as JSONObject != ["a": 2])
        #expect([1, 2] as JSON != [2, 1])
    }
}
