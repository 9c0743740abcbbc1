/// On which lines the members of a JSON text stand. The text must have been parsed before.
struct JSONPositions {
    /// By path; an array's elements are `[]`, all of them.
    private(set) var lines: [[String]: Int] = [:]
    /// Members that stand in one object twice, with the line of the second.
    private(set) var repeated: [(path: [String], line: Int)] = []

    private let bytes: [UInt8]
    private var index = 0
    private var line = 1

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        note(JSONOutline(bytes).root, at: [])
    }

    /// The line of a byte's offset, from 1.
    static func line(of offset: Int, in bytes: [UInt8]) -> Int {
        1 + bytes.prefix(max(0, offset)).count { $0 == 0x0a }
    }

    private mutating func note(_ value: JSONOutline.Value, at path: [String]) {
        for element in value.elements { note(element, at: path + ["[]"]) }
        for member in value.members ?? [] {
            advance(to: member.start)
            let place = path + [member.name]
            if lines.updateValue(line, forKey: place) != nil { repeated.append((place, line)) }
            note(member.value, at: place)
        }
    }

    /// Members come in the order of the text.
    private mutating func advance(to offset: Int) {
        while index < offset {
            if bytes[index] == 0x0a { line += 1 }
            index += 1
        }
    }
}
