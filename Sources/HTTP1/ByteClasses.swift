// Character classes of RFC 9110 section 5.6 and the scans over them.
//
// Sets of ASCII characters are two 64-bit masks instead of a table: no memory access and no lazily made global in the
// parser's inner loop.

extension UInt8 {
    /// `tchar`: what methods, header names and tokens are made of.
    @inline(__always) var isTokenCharacter: Bool {
        // 0-9 and !#$%&'*+-.
        let low: UInt64 = 0x03FF_6CFA_0000_0000
        // A-Z a-z and ^_`|~
        let high: UInt64 = 0x57FF_FFFF_C7FF_FFFE
        if self < 64 { return (low &>> UInt64(self)) & 1 != 0 }
        if self < 128 { return (high &>> UInt64(self & 63)) & 1 != 0 }
        return false
    }

    @inline(__always) var lowercasedASCII: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

    @inline(__always) var isDigit: Bool { self &- 0x30 < 10 }

    @inline(__always) var isSpaceOrTab: Bool { self == 0x20 || self == 0x09 }

    /// A control character that no line of a message may hold: all of them but the tab.
    @inline(__always) var isForbiddenControl: Bool { (self < 0x20 && self != 0x09) || self == 0x7F }

    @inline(__always) var hexValue: UInt8? {
        if isDigit { return self &- 0x30 }
        let letter = self | 0x20
        return letter &- 0x61 < 6 ? letter &- 0x57 : nil
    }
}

extension UnsafeRawBufferPointer {
    /// The index of the first control character other than a tab, from `start` on; `count` when there is none.
    /// Eight bytes at a time, since this passes over every byte of every head.
    @inline(__always)
    func firstControl(from start: Int = 0) -> Int {
        guard let base = baseAddress else { return 0 }
        var index = start
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        while index < count {
            while index &+ 8 <= count {
                let word = base.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                let below32 = (word &- ones &* 0x20) & ~word & tops
                let delete = word ^ (ones &* 0x7F)
                let isDelete = (delete &- ones) & ~delete & tops
                let hit = UInt64(littleEndian: below32 | isDelete)
                // A borrow can flag bytes above the first real hit, never below it: the lowest flag is right.
                if hit != 0 {
                    index &+= hit.trailingZeroBitCount &>> 3
                    break
                }
                index &+= 8
            }
            guard index < count else { break }
            if base.load(fromByteOffset: index, as: UInt8.self).isForbiddenControl { return index }
            index &+= 1
        }
        return count
    }

    /// The bytes from `start` up to `end`, without bounds checks in release builds.
    @inline(__always)
    func slice(_ start: Int, _ end: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: baseAddress.map { $0 + start }, count: end &- start)
    }

    @inline(__always)
    mutating func dropFirst(count dropped: Int) {
        self = slice(dropped, count)
    }

    /// Without spaces and tabs at both ends.
    @inline(__always)
    var trimmed: UnsafeRawBufferPointer {
        var start = 0
        var end = count
        while start < end, self[start].isSpaceOrTab { start &+= 1 }
        while end > start, self[end &- 1].isSpaceOrTab { end &-= 1 }
        return slice(start, end)
    }

    /// Whether the bytes are `lowercase` when upper and lower case are the same.
    @inline(__always)
    func equalsIgnoringCase(_ lowercase: StaticString) -> Bool {
        guard count == lowercase.utf8CodeUnitCount else { return false }
        let other = lowercase.utf8Start
        for index in 0..<count where self[index].lowercasedASCII != other[index] { return false }
        return true
    }

    /// The index of `byte`, or nil.
    @inline(__always)
    func first(_ byte: UInt8, from start: Int = 0) -> Int? {
        var index = start
        while index < count {
            if self[index] == byte { return index }
            index &+= 1
        }
        return nil
    }

    /// Calls `body` with each element of a comma-separated list, spaces around it removed, empty elements left out
    /// (RFC 9110 section 5.6.1); ends early when it returns false.
    func forEachListElement(_ body: (UnsafeRawBufferPointer) -> Bool) {
        var start = 0
        while start <= count {
            let end = first(0x2C, from: start) ?? count
            let element = slice(start, end).trimmed
            if !element.isEmpty, !body(element) { return }
            start = end + 1
        }
    }

    var asString: String { String(decoding: self, as: UTF8.self) }
}
