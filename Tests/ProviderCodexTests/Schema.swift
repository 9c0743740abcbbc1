import JSON

/// As much of JSON Schema as Codex's generated schemas use; stricter in one thing: a member that the schema doesn't name
/// is a mistake, since it would be one of ours.
struct Schema {
    let root: JSON

    /// What is wrong with a value; empty when nothing is.
    func problems(_ value: JSON, against schema: JSON? = nil, at path: String = "$") -> [String] {
        let schema = schema ?? root
        if schema == true { return [] }
        var problems: [String] = []
        if let name = schema["$ref"]?.stringValue {
            guard let target = definition(name) else { return ["\(path): no definition \(name)"] }
            problems += self.problems(value, against: target, at: path)
        }
        if let types = schema["type"] {
            let names = types.arrayValue?.compactMap(\.stringValue) ?? [types.stringValue ?? ""]
            if !names.contains(where: { Schema.matches(value, $0) }) {
                problems.append("\(path): \(value) is no \(names.joined(separator: " or "))")
            }
        }
        if let values = schema["enum"]?.arrayValue, !values.contains(value) {
            problems.append("\(path): \(value) is none of \(values)")
        }
        if let constant = schema["const"], constant != value { problems.append("\(path): \(value) is not \(constant)") }
        for part in schema["allOf"]?.arrayValue ?? [] { problems += self.problems(value, against: part, at: path) }
        for key in ["anyOf", "oneOf"] {
            guard let choices = schema[key]?.arrayValue else { continue }
            // The members beside the choice belong to each of its alternatives.
            let beside = Set(schema["properties"]?.objectValue?.map(\.key) ?? [])
            let found = choices.map { self.problems(value, against: $0, at: path, knowing: beside) }
            if !found.contains([]) {
                problems.append("\(path): fits no \(key): \(found.min { $0.count < $1.count } ?? [])")
            }
        }
        problems += members(value, schema, path, [])
        if let items = schema["items"], let values = value.arrayValue {
            for (index, item) in values.enumerated() {
                problems += self.problems(item, against: items, at: "\(path)[\(index)]")
            }
        }
        return problems
    }

    private func problems(_ value: JSON, against schema: JSON, at path: String, knowing: Set<String>) -> [String] {
        guard schema["properties"] != nil, schema["$ref"] == nil, !knowing.isEmpty else {
            return problems(value, against: schema, at: path)
        }
        return members(value, schema, path, knowing)
    }

    private func members(_ value: JSON, _ schema: JSON, _ path: String, _ knowing: Set<String>) -> [String] {
        guard case .object(let object) = value else { return [] }
        var problems: [String] = []
        for name in schema["required"]?.arrayValue ?? [] where object[name.stringValue ?? ""] == nil {
            problems.append("\(path): lacks \(name)")
        }
        guard let properties = schema["properties"]?.objectValue else {
            if let additional = schema["additionalProperties"], additional.objectValue != nil {
                for (key, member) in object {
                    problems += self.problems(member, against: additional, at: "\(path).\(key)")
                }
            }
            return problems
        }
        let alternatives = (schema["anyOf"] ?? schema["oneOf"])?.arrayValue ?? []
        for (key, member) in object {
            if let property = properties[key] {
                problems += self.problems(member, against: property, at: "\(path).\(key)")
            } else if !knowing.contains(key), !alternatives.contains(where: { $0["properties"]?[key] != nil }) {
                problems.append("\(path): has no member \(key)")
            }
        }
        return problems
    }

    func definition(_ reference: String) -> JSON? {
        var place = root
        for name in reference.split(separator: "/").dropFirst() {
            guard let next = place[String(name)] else { return nil }
            place = next
        }
        return place
    }

    private static func matches(_ value: JSON, _ type: String) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("string", .string), ("array", .array), ("object", .object): true
        case ("integer", let value): value.intValue != nil
        case ("number", let value): value.doubleValue != nil
        default: false
        }
    }
}
