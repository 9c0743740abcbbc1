import Base

extension JSON {
    /// The compact JSON text as UTF-8, on one line: line breaks within strings are escaped.
    package func serialize() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        serialize(into: &bytes)
        return bytes
    }

    /// Appends the compact JSON text.
    package func serialize(into bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append(word: "null")
        case .bool(true): bytes.append(word: "true")
        case .bool(false): bytes.append(word: "false")
        case .int(let value): bytes.appendDecimal(value)
        case .double(let value): JSON.serialize(value, into: &bytes)
        case .string(let value): bytes.appendJSONString(value)
        case .array(let values):
            bytes.append(UInt8(ascii: "["))
            var isFirst = true
            for value in values {
                if !isFirst { bytes.append(UInt8(ascii: ",")) }
                isFirst = false
                value.serialize(into: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let object): object.serialize(into: &bytes)
        }
    }

    private static func serialize(_ value: Double, into bytes: inout [UInt8]) {
        // JSON has no infinities and no NaN; `null` is what JavaScript writes for them.
        guard value.isFinite else { return bytes.append(word: "null") }
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 { return bytes.appendDecimal(whole) }
        bytes.append(contentsOf: value.description.utf8)
    }
}

extension JSONObject {
    package func serialize(into bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        var isFirst = true
        for (key, value) in self {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            bytes.appendJSONString(key)
            bytes.append(UInt8(ascii: ":"))
            value.serialize(into: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
    }
}

extension [UInt8] {
    fileprivate mutating func append(word: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    /// Appends a string with its quotes and the escapes that RFC 8259 section 7 asks for. What lines of JSON hold also
    /// comes to terminals and editors, so that these are escaped too: DEL and the C1 controls, with which some terminals
    /// begin escape sequences; U+2028 and U+2029, which some readers take for line ends; and the characters that turn
    /// the direction of text around (Unicode TR36 section 2.7).
    package mutating func appendJSONString(_ string: String) {
        append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { utf8 in
            var start = 0
            var index = 0
            while let special = [UInt8].nextSpecial(utf8, from: index) {
                let byte = utf8[special]
                index = special + 1
                if byte == 0xc2 {
                    guard special + 1 < utf8.count, utf8[special + 1] < 0xa0 else { continue }
                    append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<special]))
                    appendJSONEscape(utf8[special + 1])
                    index = special + 2
                } else if byte == 0xe2 {
                    guard special + 2 < utf8.count, [UInt8].isTreacherous(utf8[special + 1], utf8[special + 2]) else {
                        continue
                    }
                    append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<special]))
                    append(word: "\\u20")
                    let low = utf8[special + 1] << 6 | utf8[special + 2] & 0x3f
                    append(UInt8(ascii: "0") + low >> 4)
                    append(JSONDigits.hexadecimal.utf8Start[Int(low & 15)])
                    index = special + 3
                } else {
                    append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<special]))
                    appendJSONEscape(byte)
                }
                start = index
            }
            append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start...]))
        }
        append(UInt8(ascii: "\""))
    }

    /// Of U+2000 to U+207F, by their second and third byte: U+200E and F, U+2028 to E, U+2066 to 9.
    private static func isTreacherous(_ second: UInt8, _ third: UInt8) -> Bool {
        switch (second, third) {
        case (0x80, 0x8e...0x8f), (0x80, 0xa8...0xae), (0x81, 0xa6...0xa9): true
        default: false
        }
    }

    /// The next byte that may not stand as it is: control characters, quote, backslash, DEL, and those with which C1
    /// controls (0xC2) and U+2028 (0xE2) begin. Eight bytes at a time.
    @inline(__always)
    private static func nextSpecial(_ utf8: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        let raw = UnsafeRawBufferPointer(utf8)
        let high: UInt64 = 0x8080_8080_8080_8080
        let ones: UInt64 = 0x0101_0101_0101_0101
        var index = start
        while index + 8 <= raw.count {
            let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let quotes = word ^ ones &* 0x22
            let escapes = word ^ ones &* 0x5c
            let deletes = word ^ ones &* 0x7f
            let separators = word ^ ones &* 0xe2
            let c1 = word ^ ones &* 0xc2
            let controls = (word &- ones &* 0x20) & ~word
            let found =
                ((quotes &- ones) & ~quotes | (escapes &- ones) & ~escapes | (deletes &- ones) & ~deletes
                    | (separators &- ones) & ~separators | (c1 &- ones) & ~c1 | controls) & high
            // Exact up to the lowest one found.
            if found != 0 { return index + found.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < raw.count {
            let byte = raw[index]
            if byte < 0x20 || byte == 0x22 || byte == 0x5c || byte == 0x7f || byte == 0xe2 || byte == 0xc2 {
                return index
            }
            index += 1
        }
        return nil
    }

    private mutating func appendJSONEscape(_ byte: UInt8) {
        append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(byte)
        case 0x0a: append(UInt8(ascii: "n"))
        case 0x0d: append(UInt8(ascii: "r"))
        case 0x09: append(UInt8(ascii: "t"))
        case 0x08: append(UInt8(ascii: "b"))
        case 0x0c: append(UInt8(ascii: "f"))
        default:
            append(contentsOf: "u00".utf8)
            append(JSONDigits.hexadecimal.utf8Start[Int(byte >> 4)])
            append(JSONDigits.hexadecimal.utf8Start[Int(byte & 15)])
        }
    }
}

private enum JSONDigits {
    static let hexadecimal: StaticString = "0123456789abcdef"
}
