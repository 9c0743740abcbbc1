import JSON

/// Where the members of a JSON text stand. The text must have been parsed before: this pass only finds places.
struct JSONOutline {
    struct Value {
        /// Its bytes, brackets and quotes included.
        var range: Range<Int>
        /// Of an object; nil for everything else.
        var members: [Member]?
        /// Of an array.
        var elements: [Value] = []
    }

    struct Member {
        var name: String
        /// Of its name's opening quote.
        var start: Int
        var value: Value
    }

    private(set) var root = Value(range: 0..<0)
    private let bytes: [UInt8]
    private var index = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        root = value()
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 }

    private mutating func skipSpace() { while index < bytes.count, JSONOutline.isSpace(bytes[index]) { index += 1 } }

    private mutating func value() -> Value {
        skipSpace()
        let start = index
        guard index < bytes.count else { return Value(range: start..<start) }
        var members: [Member]?
        var elements: [Value] = []
        switch bytes[index] {
        case UInt8(ascii: "{"): members = readMembers()
        case UInt8(ascii: "["): elements = readElements()
        case UInt8(ascii: "\""): _ = string()
        default: while index < bytes.count, !",]} \n\r\t".utf8.contains(bytes[index]) { index += 1 }
        }
        return Value(range: start..<min(index, bytes.count), members: members, elements: elements)
    }

    private mutating func readMembers() -> [Member] {
        var members: [Member] = []
        index += 1
        while true {
            skipSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { break }
            let start = index
            let name = string()
            skipSpace()
            index += 1
            members.append(Member(name: name, start: start, value: value()))
            guard isNext() else { return members }
        }
        index += 1
        return members
    }

    private mutating func readElements() -> [Value] {
        var elements: [Value] = []
        index += 1
        while true {
            skipSpace()
            guard index < bytes.count, bytes[index] != UInt8(ascii: "]") else { break }
            elements.append(value())
            guard isNext() else { return elements }
        }
        index += 1
        return elements
    }

    /// Passes over the comma after a value, or over the bracket that ends the list.
    private mutating func isNext() -> Bool {
        skipSpace()
        defer { index += 1 }
        return index < bytes.count && bytes[index] == UInt8(ascii: ",")
    }

    private mutating func string() -> String {
        let start = index
        index += 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        index += 1
        return (try? JSON.parse(Array(bytes[start..<min(index, bytes.count)])))?.stringValue ?? ""
    }
}
