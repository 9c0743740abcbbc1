/// Reads one text by recursive descent. The members and elements of what is not complete yet stand on two stacks, so
/// that each object and array is allocated once, at its final size.
struct JSONParser: ~Copyable {
    private let bytes: UnsafeRawBufferPointer
    private let limits: JSON.Limits
    private var index = 0
    private var members = JSONStack<JSONObject.Member>()
    private var elements = JSONStack<JSON>()

    init(bytes: UnsafeRawBufferPointer, limits: JSON.Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func parseText() throws(JSONError) -> JSON {
        let value = try parseValue(depth: 0)
        skipWhitespace()
        guard index == bytes.count else { throw error(.trailingBytes) }
        return value
    }

    private func error(_ reason: JSONError.Reason) -> JSONError { JSONError(reason: reason, offset: index) }

    private func unexpected() -> JSONError {
        index < bytes.count ? error(.unexpectedByte(bytes[index])) : error(.unexpectedEnd)
    }

    @inline(__always)
    private mutating func skipWhitespace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x0a, 0x0d, 0x09: index += 1
            default: return
            }
        }
    }

    private mutating func parseValue(depth: Int) throws(JSONError) -> JSON {
        skipWhitespace()
        guard index < bytes.count else { throw error(.unexpectedEnd) }
        switch bytes[index] {
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "{"): return .object(try parseObject(depth: depth))
        case UInt8(ascii: "["): return .array(try parseArray(depth: depth))
        case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        case UInt8(ascii: "-"), 0x30...0x39: return try parseNumber()
        default: throw unexpected()
        }
    }

    private mutating func parseWord(_ word: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        for offset in 0..<word.utf8CodeUnitCount {
            guard index < bytes.count, bytes[index] == word.utf8Start[offset] else { throw unexpected() }
            index += 1
        }
        return value
    }

    // MARK: Objects and arrays

    private mutating func parseObject(depth: Int) throws(JSONError) -> JSONObject {
        guard depth < limits.depth else { throw error(.tooDeep(limit: limits.depth)) }
        index += 1
        skipWhitespace()
        if index < bytes.count, bytes[index] == UInt8(ascii: "}") {
            index += 1
            return JSONObject()
        }
        let base = members.count
        var names = NameFilter()
        while true {
            skipWhitespace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { throw unexpected() }
            let key = try parseString()
            skipWhitespace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: ":") else { throw unexpected() }
            index += 1
            let value = try parseValue(depth: depth + 1)
            if let place = names.place(of: key, among: members, from: base) {
                members[place].value = value
            } else {
                members.push((key, value))
            }
            skipWhitespace()
            guard index < bytes.count else { throw error(.unexpectedEnd) }
            switch bytes[index] {
            case UInt8(ascii: ","): index += 1
            case UInt8(ascii: "}"):
                index += 1
                return JSONObject(unchecked: members.pop(from: base))
            default: throw unexpected()
            }
        }
    }

    private mutating func parseArray(depth: Int) throws(JSONError) -> [JSON] {
        guard depth < limits.depth else { throw error(.tooDeep(limit: limits.depth)) }
        index += 1
        skipWhitespace()
        if index < bytes.count, bytes[index] == UInt8(ascii: "]") {
            index += 1
            return []
        }
        let base = elements.count
        while true {
            let value = try parseValue(depth: depth + 1)
            elements.push(value)
            skipWhitespace()
            guard index < bytes.count else { throw error(.unexpectedEnd) }
            switch bytes[index] {
            case UInt8(ascii: ","): index += 1
            case UInt8(ascii: "]"):
                index += 1
                return elements.pop(from: base)
            default: throw unexpected()
            }
        }
    }

    // MARK: Numbers

    private mutating func parseNumber() throws(JSONError) -> JSON {
        let start = index
        var isWhole = true
        let isNegative = bytes[index] == UInt8(ascii: "-")
        if isNegative { index += 1 }
        let digits = index
        var value: Int64 = 0
        while index < bytes.count, bytes[index] &- 0x30 < 10 {
            value = value &* 10 &+ Int64(bytes[index] &- 0x30)
            index += 1
        }
        guard index > digits, index == digits + 1 || bytes[digits] != 0x30 else { throw error(.invalidNumber) }
        // 18 digits fit 64 bits whatever they are.
        let isShort = index - digits <= 18
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            isWhole = false
            index += 1
            try skipDigits()
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            isWhole = false
            index += 1
            if index < bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") {
                index += 1
            }
            try skipDigits()
        }
        if isWhole, isShort { return .int(isNegative ? -value : value) }
        let text = string(start..<index)
        if isWhole, let value = Int64(text) { return .int(value) }
        guard let value = Double(text), value.isFinite else { throw error(.invalidNumber) }
        return .double(value)
    }

    private mutating func skipDigits() throws(JSONError) {
        let start = index
        while index < bytes.count, bytes[index] &- 0x30 < 10 { index += 1 }
        guard index > start else { throw error(.invalidNumber) }
    }

    // MARK: Strings

    private mutating func parseString() throws(JSONError) -> String {
        index += 1
        let start = index
        var isASCII = true
        try skipPlain(&isASCII)
        if bytes[index] == UInt8(ascii: "\\") { return try parseEscapedString(from: start, isASCII) }
        guard isASCII || isValidUTF8(start..<index) else { throw JSONError(reason: .invalidUTF8, offset: start) }
        let text = string(start..<index)
        index += 1
        return text
    }

    /// Goes to the next quote or backslash, eight bytes at a time.
    @inline(__always)
    private mutating func skipPlain(_ isASCII: inout Bool) throws(JSONError) {
        let high: UInt64 = 0x8080_8080_8080_8080
        let ones: UInt64 = 0x0101_0101_0101_0101
        while index + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let quotes = word ^ ones &* 0x22
            let escapes = word ^ ones &* 0x5c
            // A byte's top bit, for each byte that is zero (or below 0x20). Exact up to the lowest one found.
            let found =
                ((quotes &- ones) & ~quotes | (escapes &- ones) & ~escapes | (word &- ones &* 0x20) & ~word) & high
            if found != 0 {
                let count = found.trailingZeroBitCount / 8
                if word & high & (1 << (UInt64(count) * 8) - 1) != 0 { isASCII = false }
                index += count
                if bytes[index] < 0x20 { throw error(.controlCharacterInString) }
                return
            }
            if word & high != 0 { isASCII = false }
            index += 8
        }
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return }
            guard byte >= 0x20 else { throw error(.controlCharacterInString) }
            if byte >= 0x80 { isASCII = false }
            index += 1
        }
        throw error(.unexpectedEnd)
    }

    private func string(_ range: Range<Int>) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: bytes.bindMemory(to: UInt8.self)[range]), as: UTF8.self)
    }

    private mutating func parseEscapedString(from start: Int, _ isASCII: Bool) throws(JSONError) -> String {
        var isASCII = isASCII
        var text: [UInt8] = []
        text.reserveCapacity(max(64, 2 * (index - start)))
        var runStart = start
        while true {
            text.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[runStart..<index]))
            if bytes[index] == UInt8(ascii: "\"") { break }
            index += 1
            try parseEscape(into: &text)
            runStart = index
            try skipPlain(&isASCII)
        }
        // Escapes give valid UTF-8, and no escape can stand within a character.
        guard isASCII || isValidUTF8(start..<index) else { throw JSONError(reason: .invalidUTF8, offset: start) }
        index += 1
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func parseEscape(into text: inout [UInt8]) throws(JSONError) {
        guard index < bytes.count else { throw error(.unexpectedEnd) }
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            index += 1
            text.append(contentsOf: UTF8.encode(try parseUnicodeEscape()) ?? UTF8.encodedReplacementCharacter)
            return
        default: throw error(.invalidEscape)
        }
        index += 1
    }

    private mutating func parseUnicodeEscape() throws(JSONError) -> Unicode.Scalar {
        let replacement: Unicode.Scalar = "\u{FFFD}"
        let first = try parseHexQuad()
        guard (0xd800...0xdfff).contains(first) else { return Unicode.Scalar(first) ?? replacement }
        guard first < 0xdc00, index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        else { return replacement }
        let before = index
        index += 2
        let second = try parseHexQuad()
        guard (0xdc00...0xdfff).contains(second) else {
            // Not the other half: it is a character of its own, to be read again.
            index = before
            return replacement
        }
        return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)) ?? replacement
    }

    private mutating func parseHexQuad() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard index < bytes.count else { throw error(.unexpectedEnd) }
            let byte = bytes[index]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x41 + 10
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: throw error(.invalidEscape)
            }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        return value
    }

    /// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
    private func isValidUTF8(_ range: Range<Int>) -> Bool {
        var position = range.lowerBound
        let end = range.upperBound
        while position < end {
            if position + 8 <= end,
                bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            {
                position += 8
                continue
            }
            let lead = bytes[position]
            if lead < 0x80 {
                position += 1
                continue
            }
            let length: Int
            let second: ClosedRange<UInt8>
            switch lead {
            case 0xc2...0xdf: (length, second) = (2, 0x80...0xbf)
            case 0xe0: (length, second) = (3, 0xa0...0xbf)
            case 0xed: (length, second) = (3, 0x80...0x9f)
            case 0xe1...0xef: (length, second) = (3, 0x80...0xbf)
            case 0xf0: (length, second) = (4, 0x90...0xbf)
            case 0xf1...0xf3: (length, second) = (4, 0x80...0xbf)
            case 0xf4: (length, second) = (4, 0x80...0x8f)
            default: return false
            }
            guard position + length <= end, second.contains(bytes[position + 1]) else { return false }
            for offset in 2..<max(2, length) where bytes[position + offset] & 0xc0 != 0x80 { return false }
            position += length
        }
        return true
    }
}

/// Finds repeated names without comparing each with all others: objects are small and names nearly always differ, but
/// a hostile one with a million members must not cost quadratic time.
private struct NameFilter {
    private var seen: UInt64 = 0
    private var places: [String: Int]?

    /// Where the same name stands already. Names are compared by their bytes, as RFC 8259 section 8.3 says.
    @inline(__always)
    mutating func place(
        of key: String, among members: borrowing JSONStack<JSONObject.Member>, from base: Int
    ) -> Int? {
        if places == nil {
            let bit: UInt64 = 1 << UInt64(truncatingIfNeeded: NameFilter.mark(key) & 63)
            if seen & bit == 0 {
                seen |= bit
                return nil
            }
        }
        return search(key, among: members, from: base)
    }

    /// Cheap, and different for most names of one object.
    @inline(__always)
    private static func mark(_ key: String) -> Int {
        let utf8 = key.utf8
        guard let first = utf8.first, let last = utf8.last else { return 0 }
        return utf8.count &* 7 &+ Int(first) &* 5 &+ Int(last) &* 13
    }

    private mutating func search(
        _ key: String, among members: borrowing JSONStack<JSONObject.Member>, from base: Int
    ) -> Int? {
        if members.count - base < 32 {
            for place in base..<members.count where members[place].key.utf8.elementsEqual(key.utf8) { return place }
            return nil
        }
        if places == nil {
            var table: [String: Int] = [:]
            for place in base..<members.count { table[members[place].key] = place }
            places = table
        }
        if let place = places?[key], members[place].key.utf8.elementsEqual(key.utf8) { return place }
        places?[key] = members.count
        return nil
    }
}

/// A growing piece of memory whose top part becomes an array without being copied piece by piece.
struct JSONStack<Element>: ~Copyable {
    private var memory: UnsafeMutablePointer<Element>
    private var capacity: Int
    private(set) var count = 0

    init() {
        capacity = 0
        memory = .allocate(capacity: 0)
    }

    deinit {
        memory.deinitialize(count: count)
        memory.deallocate()
    }

    subscript(index: Int) -> Element {
        @inline(__always) get { memory[index] }
        @inline(__always) set { memory[index] = newValue }
    }

    @inline(__always)
    mutating func push(_ element: consuming Element) {
        if count == capacity { grow() }
        (memory + count).initialize(to: element)
        count += 1
    }

    private mutating func grow() {
        capacity = max(16, 2 * capacity)
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
        larger.moveInitialize(from: memory, count: count)
        memory.deallocate()
        memory = larger
    }

    /// Takes everything from `base` up off the stack.
    @inline(__always)
    mutating func pop(from base: Int) -> [Element] {
        let size = count - base
        count = base
        return [Element](unsafeUninitializedCapacity: size) { buffer, initialized in
            buffer.baseAddress?.moveInitialize(from: memory + base, count: size)
            initialized = size
        }
    }
}
