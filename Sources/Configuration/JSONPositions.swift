import JSON

/// On which lines the members of a JSON text stand. The text must have been parsed before: this pass only finds places.
struct JSONPositions {
    private(set) var lines: [[String]: Int] = [:]
    /// Members that stand in one object twice, with the line of the second.
    private(set) var repeated: [(path: [String], line: Int)] = []

    private let bytes: [UInt8]
    private var index = 0
    private var line = 1

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        value(at: [])
    }

    /// The line of a byte's offset, from 1.
    static func line(of offset: Int, in bytes: [UInt8]) -> Int {
        1 + bytes.prefix(max(0, offset)).count { $0 == 0x0a }
    }

    private mutating func skipWhitespace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x0a:
                line += 1
                index += 1
            case 0x20, 0x09, 0x0d: index += 1
            default: return
            }
        }
    }

    private mutating func value(at path: [String]) {
        skipWhitespace()
        guard index < bytes.count else { return }
        switch bytes[index] {
        case UInt8(ascii: "{"):
            index += 1
            members(of: path)
        case UInt8(ascii: "["):
            index += 1
            elements(of: path)
        case UInt8(ascii: "\""): _ = string()
        default:
            while index < bytes.count, !",]} \n\r\t".utf8.contains(bytes[index]) { index += 1 }
        }
    }

    private mutating func members(of path: [String]) {
        while true {
            skipWhitespace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else {
                index += 1
                return
            }
            let place = line
            let member = path + [string()]
            if lines.updateValue(place, forKey: member) != nil { repeated.append((member, place)) }
            skipWhitespace()
            index += 1
            value(at: member)
            skipWhitespace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: ",") else {
                index += 1
                return
            }
            index += 1
        }
    }

    private mutating func elements(of path: [String]) {
        while true {
            skipWhitespace()
            guard index < bytes.count, bytes[index] != UInt8(ascii: "]") else {
                index += 1
                return
            }
            value(at: path + ["[]"])
            skipWhitespace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: ",") else {
                index += 1
                return
            }
            index += 1
        }
    }

    private mutating func string() -> String {
        let start = index
        index += 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        index += 1
        let text = Array(bytes[start..<min(index, bytes.count)])
        return (try? JSON.parse(text))?.stringValue ?? ""
    }
}
