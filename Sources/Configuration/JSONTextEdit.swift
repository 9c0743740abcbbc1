import JSON

/// Changes single members of a JSON text and leaves every other byte as the person wrote it: order and
/// indentation. The text must be a JSON object that has been parsed before.
struct JSONTextEdit {
    private(set) var text: [UInt8]

    init(_ text: [UInt8]) { self.text = text }

    /// Gives a member a value; what is missing on the way to it is made, at the end of its object.
    mutating func set(_ path: [String], _ value: JSON) {
        var object = JSONOutline(text).root
        for (depth, name) in path.enumerated() {
            guard let member = object.members?.first(where: { $0.name == name }) else {
                return insert(nested(path[depth...], value), into: object)
            }
            if depth == path.count - 1 || member.value.members == nil {
                let value = path.dropFirst(depth + 1).reversed().reduce(value) { .object([$1: $0]) }
                return replace(member.value.range, with: value.serialize())
            }
            object = member.value
        }
    }

    /// Takes a member out, and the comma that is then too many. Nothing happens when there is none.
    mutating func remove(_ path: [String]) {
        var object = JSONOutline(text).root
        for (depth, name) in path.enumerated() {
            guard let members = object.members, let index = members.firstIndex(where: { $0.name == name }) else {
                return
            }
            guard depth == path.count - 1 else {
                object = members[index].value
                continue
            }
            let range =
                if index + 1 < members.count {
                    members[index].start..<members[index + 1].start
                } else if index > 0 {
                    members[index - 1].value.range.upperBound..<members[index].value.range.upperBound
                } else {
                    object.range.lowerBound + 1..<members[index].value.range.upperBound
                }
            return replace(range, with: [])
        }
    }

    /// The value at a path; nil when there is none.
    func value(_ path: [String]) -> JSON? {
        path.reduce(try? JSON.parse(text)) { $0?[$1] }
    }

    private func nested(_ path: ArraySlice<String>, _ value: JSON) -> (name: String, value: JSON) {
        (path.first ?? "", path.dropFirst().reversed().reduce(value) { .object([$1: $0]) })
    }

    private mutating func insert(_ member: (name: String, value: JSON), into object: JSONOutline.Value) {
        var bytes: [UInt8] = []
        if let last = object.members?.last {
            // In the style of the member before it: on a line of its own, or on the same.
            let space = whitespace(before: last.start)
            bytes = [UInt8(ascii: ",")] + space
            append(member, indent: indentation(of: space), to: &bytes)
            replace(last.value.range.upperBound..<last.value.range.upperBound, with: bytes)
        } else {
            let outer = [UInt8](repeating: 0x20, count: lineIndent(at: object.range.lowerBound))
            bytes = [0x0a] + outer + [0x20, 0x20]
            append(member, indent: outer.count + 2, to: &bytes)
            bytes += [0x0a] + outer
            replace(object.range.lowerBound + 1..<object.range.upperBound - 1, with: bytes)
        }
    }

    /// - Parameter indent: of the member; nil when all stands on one line.
    private func append(_ member: (name: String, value: JSON), indent: Int?, to bytes: inout [UInt8]) {
        bytes.appendJSONString(member.name)
        bytes += ": ".utf8
        if let indent {
            Configuration.write(member.value, indent: indent / 2, into: &bytes)
        } else {
            member.value.serialize(into: &bytes)
        }
    }

    private func whitespace(before index: Int) -> [UInt8] {
        var start = index
        while start > 0, JSONOutline.isSpace(text[start - 1]) { start -= 1 }
        return Array(text[start..<index])
    }

    private func indentation(of space: [UInt8]) -> Int? {
        space.lastIndex(of: 0x0a).map { space.count - $0 - 1 }
    }

    /// Of the line in which a byte stands.
    private func lineIndent(at index: Int) -> Int {
        let start = text[..<index].lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
        return text[start...].prefix { $0 == 0x20 }.count
    }

    private mutating func replace(_ range: Range<Int>, with bytes: [UInt8]) {
        text.replaceSubrange(range, with: bytes)
    }
}
