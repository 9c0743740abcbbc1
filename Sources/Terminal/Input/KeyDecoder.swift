/// Makes keys of the bytes that a terminal in raw mode sends. Pure and incremental.
struct KeyDecoder {
    private var held: [UInt8] = []
    private var paste: [UInt8]?
    /// Bytes of one paste that are kept; what is beyond is dropped.
    static let pasteLimit = 1 << 20
    private static let pasteEnd = Array("\u{1b}[201~".utf8)

    /// Whether an escape sequence, or the escape key alone, has begun.
    var isWaiting: Bool { !held.isEmpty && paste == nil }

    mutating func feed(_ bytes: some Sequence<UInt8>) -> [Key] {
        held.append(contentsOf: bytes)
        var keys: [Key] = []
        while let key = take() { keys.append(key) }
        return keys
    }

    /// Nothing followed for a moment: an escape was the escape key.
    mutating func flush() -> [Key] {
        guard isWaiting else { return [] }
        let wasEscape = held == [0x1b]
        held = []
        return wasEscape ? [.escape] : [.unknown]
    }

    private mutating func take() -> Key? {
        if paste != nil { return takePaste() }
        guard let first = held.first else { return nil }
        switch first {
        case 0x1b: return takeEscape()
        case 0x0d: return drop(1, .enter)
        case 0x0a: return drop(1, .newline)
        case 0x09: return drop(1, .tab)
        case 0x7f, 0x08: return drop(1, .backspace)
        case 0x00: return drop(1, .unknown)
        case 0x01...0x1a: return drop(1, .control(Character(Unicode.Scalar(first + 0x60))))
        case 0x1f: return drop(1, .control("_"))
        case 0x1c...0x1e: return drop(1, .unknown)
        case 0x20..<0x7f: return drop(1, .character(Character(Unicode.Scalar(first))))
        default: return takeUTF8(first)
        }
    }

    private mutating func drop(_ count: Int, _ key: Key) -> Key {
        held.removeFirst(count)
        return key
    }

    private mutating func takeUTF8(_ first: UInt8) -> Key? {
        let length: Int
        switch first {
        case 0xc2...0xdf: length = 2
        case 0xe0...0xef: length = 3
        case 0xf0...0xf4: length = 4
        default: return drop(1, .unknown)
        }
        guard held.count >= length else {
            // What can't go on as UTF-8 must not hold the keys after it.
            if held.dropFirst().contains(where: { $0 & 0xc0 != 0x80 }) { return drop(1, .unknown) }
            return nil
        }
        guard let text = String(validating: held[..<length], as: UTF8.self), let character = text.first else {
            return drop(1, .unknown)
        }
        return drop(length, .character(character))
    }

    private mutating func takeEscape() -> Key? {
        guard held.count >= 2 else { return nil }
        switch held[1] {
        case UInt8(ascii: "["): return takeControlSequence()
        case UInt8(ascii: "O"):
            guard held.count >= 3 else { return nil }
            let last = held[2]
            return drop(3, KeyDecoder.key(final: last, parameters: []))
        case 0x0d, 0x0a: return drop(2, .newline)
        case 0x7f: return drop(2, .control("w"))
        case UInt8(ascii: "b"): return drop(2, .wordLeft)
        case UInt8(ascii: "f"): return drop(2, .wordRight)
        case 0x20..<0x7f: return drop(2, .alt(Character(Unicode.Scalar(held[1]))))
        default: return drop(1, .escape)
        }
    }

    /// `ESC [ parameters final` (ECMA-48 section 5.4).
    private mutating func takeControlSequence() -> Key? {
        guard let end = held.dropFirst(2).firstIndex(where: { $0 >= 0x40 && $0 <= 0x7e }) else {
            if held.count > 64 { held = [] }
            return nil
        }
        let parameters = String(decoding: held[2..<end], as: UTF8.self).split(separator: ";").map { Int($0) ?? 0 }
        let final = held[end]
        held.removeFirst(end + 1)
        if final == UInt8(ascii: "~"), parameters.first == 200 {
            paste = []
            return takePaste()
        }
        return KeyDecoder.key(final: final, parameters: parameters)
    }

    private static func key(final: UInt8, parameters: [Int]) -> Key {
        // The modifier of xterm: 5 is Control, 3 is Alt.
        let isWord = parameters.count > 1 && (parameters[1] == 5 || parameters[1] == 3)
        switch final {
        case UInt8(ascii: "A"): return .up
        case UInt8(ascii: "B"): return .down
        case UInt8(ascii: "C"): return isWord ? .wordRight : .right
        case UInt8(ascii: "D"): return isWord ? .wordLeft : .left
        case UInt8(ascii: "H"): return .home
        case UInt8(ascii: "F"): return .end
        case UInt8(ascii: "M"): return .enter
        case UInt8(ascii: "Z"): return .backTab
        // Keys with modifiers, as kitty and others (CSI u) name them: Enter with any of them begins a line.
        case UInt8(ascii: "u"):
            guard parameters.first == 13 else { return .unknown }
            return parameters.count > 1 && parameters[1] > 1 ? .newline : .enter
        case UInt8(ascii: "~"):
            switch parameters.first {
            case 1, 7: return .home
            case 4, 8: return .end
            case 3: return .delete
            // As xterm names them.
            case 27 where parameters.count > 2 && parameters[2] == 13: return .newline
            default: return .unknown
            }
        default: return .unknown
        }
    }

    private mutating func takePaste() -> Key? {
        var text = paste ?? []
        // The end may be cut in two by a read: what could be its beginning stays.
        var index = 0
        while index < held.count {
            let rest = held[index...]
            if held[index] == 0x1b {
                if rest.starts(with: KeyDecoder.pasteEnd) {
                    held.removeFirst(index + KeyDecoder.pasteEnd.count)
                    paste = nil
                    return .paste(KeyDecoder.normalised(text))
                }
                if rest.count < KeyDecoder.pasteEnd.count, KeyDecoder.pasteEnd.starts(with: rest) { break }
            }
            if text.count < KeyDecoder.pasteLimit { text.append(held[index]) }
            index += 1
        }
        held.removeFirst(index)
        paste = text
        return nil
    }

    /// Terminals send CR for the line ends of a paste.
    private static func normalised(_ bytes: [UInt8]) -> String {
        var text = String.UnicodeScalarView()
        var last: Unicode.Scalar?
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            defer { last = scalar }
            if scalar == "\n", last == "\r" { continue }
            text.append(scalar == "\r" ? "\n" : scalar)
        }
        return Sanitizer.clean(String(text))
    }
}
