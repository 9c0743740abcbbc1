/// Whether a line is one JSON object (RFC 8259) in UTF-8, found out without building it.
///
/// A log was read whole when it was opened; what happened to the file since would go to clients as it is. One bit that
/// isn't as it was can end a string, and with it the whole answer or frame that the line stands in.
struct LineScan {
    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    /// As deep as the parser goes.
    private static let deepest = 512

    static func isObject(_ line: UnsafeRawBufferPointer) -> Bool {
        guard line.first == UInt8(ascii: "{") else { return false }
        var scan = LineScan(bytes: line)
        return scan.value(0) && scan.index == line.count
    }

    private init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    private var next: UInt8 { index < bytes.count ? bytes[index] : 0 }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while next == 0x20 || next == 0x09 || next == 0x0d { index += 1 }
    }

    private mutating func value(_ depth: Int) -> Bool {
        guard depth < LineScan.deepest else { return false }
        switch next {
        case UInt8(ascii: "{"): return members(depth)
        case UInt8(ascii: "["): return elements(depth)
        case UInt8(ascii: "\""): return string()
        case UInt8(ascii: "t"): return word("true")
        case UInt8(ascii: "f"): return word("false")
        case UInt8(ascii: "n"): return word("null")
        default: return number()
        }
    }

    private mutating func members(_ depth: Int) -> Bool {
        index += 1
        skipSpace()
        if take(UInt8(ascii: "}")) { return true }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\""), string() else { return false }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { return false }
            skipSpace()
            guard value(depth + 1) else { return false }
            skipSpace()
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "}"))
    }

    private mutating func elements(_ depth: Int) -> Bool {
        index += 1
        skipSpace()
        if take(UInt8(ascii: "]")) { return true }
        repeat {
            skipSpace()
            guard value(depth + 1) else { return false }
            skipSpace()
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "]"))
    }

    private mutating func word(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard index + count <= bytes.count else { return false }
        for offset in 0..<count where bytes[index + offset] != word.utf8Start[offset] { return false }
        index += count
        return true
    }

    private mutating func digits() -> Bool {
        let start = index
        while (0x30...0x39).contains(next) { index += 1 }
        return index > start
    }

    private mutating func number() -> Bool {
        _ = take(UInt8(ascii: "-"))
        // No zero before other digits.
        if !take(UInt8(ascii: "0")), !digits() { return false }
        if take(UInt8(ascii: ".")), !digits() { return false }
        if next | 0x20 == UInt8(ascii: "e") {
            index += 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            return digits()
        }
        return true
    }

    private mutating func string() -> Bool {
        index += 1
        while index < bytes.count {
            skipPlain()
            let byte = next
            if byte == UInt8(ascii: "\"") {
                index += 1
                return true
            }
            if byte == UInt8(ascii: "\\") {
                guard escape() else { return false }
            } else if byte >= 0x80 {
                guard character() else { return false }
            } else if byte < 0x20 {
                return false
            } else {
                index += 1
            }
        }
        return false
    }

    /// Passes over ASCII that stands for itself, eight bytes at a time.
    private mutating func skipPlain() {
        let high: UInt64 = 0x8080_8080_8080_8080
        let ones: UInt64 = 0x0101_0101_0101_0101
        while index + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            let quotes = word ^ ones &* 0x22
            let escapes = word ^ ones &* 0x5c
            let special =
                (quotes &- ones) & ~quotes | (escapes &- ones) & ~escapes | (word &- ones &* 0x20) & ~word | word
            if special & high != 0 { return }
            index += 8
        }
    }

    private mutating func escape() -> Bool {
        index += 1
        switch next {
        case UInt8(ascii: "u"):
            index += 1
            for _ in 0..<4 {
                switch next {
                case 0x30...0x39, 0x41...0x46, 0x61...0x66: index += 1
                default: return false
                }
            }
            return true
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            index += 1
            return true
        default: return false
        }
    }

    /// One character of more than one byte (Unicode table 3-7).
    private mutating func character() -> Bool {
        let first = next
        let count: Int
        var range: ClosedRange<UInt8> = 0x80...0xbf
        switch first {
        case 0xc2...0xdf: count = 1
        case 0xe0:
            count = 2
            range = 0xa0...0xbf
        case 0xed:
            count = 2
            range = 0x80...0x9f
        case 0xe1...0xef: count = 2
        case 0xf0:
            count = 3
            range = 0x90...0xbf
        case 0xf4:
            count = 3
            range = 0x80...0x8f
        case 0xf1...0xf3: count = 3
        default: return false
        }
        index += 1
        for _ in 0..<count {
            guard range.contains(next) else { return false }
            range = 0x80...0xbf
            index += 1
        }
        return true
    }
}
