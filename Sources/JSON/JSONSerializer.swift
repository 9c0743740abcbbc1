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
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(true): bytes.append(contentsOf: "true".utf8)
        case .bool(false): bytes.append(contentsOf: "false".utf8)
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
        guard value.isFinite else { return bytes.append(contentsOf: "null".utf8) }
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
    /// Appends a string with its quotes and the escapes that RFC 8259 section 7 asks for. U+2028 and U+2029 are
    /// escaped too, since some readers of JSON lines take them for line ends.
    package mutating func appendJSONString(_ string: String) {
        append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { utf8 in
            var start = 0
            var index = 0
            while index < utf8.count {
                let byte = utf8[index]
                if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte != 0x7f, byte != 0xe2 {
                    index += 1
                    continue
                }
                if byte == 0xe2 {
                    let isSeparator =
                        index + 2 < utf8.count && utf8[index + 1] == 0x80 && utf8[index + 2] & 0xfe == 0xa8
                    if isSeparator {
                        append(contentsOf: utf8[start..<index])
                        append(contentsOf: (utf8[index + 2] == 0xa8 ? "\\u2028" : "\\u2029").utf8)
                        start = index + 3
                    }
                    index += 3
                    continue
                }
                append(contentsOf: utf8[start..<index])
                appendJSONEscape(byte)
                index += 1
                start = index
            }
            append(contentsOf: utf8[start..<utf8.count])
        }
        append(UInt8(ascii: "\""))
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
            let digits: StaticString = "0123456789abcdef"
            append(digits.utf8Start[Int(byte >> 4)])
            append(digits.utf8Start[Int(byte & 15)])
        }
    }
}
