/// Any JSON value, with the order of an object's members kept.
///
/// Agents' messages are open-ended: what an adapter does not know must pass through unharmed, which a fixed set of
/// `Codable` types cannot do.
package enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)
}

extension JSON {
    package var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    package var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The value as a whole number; a fraction that happens to be whole (`3.0`) counts.
    package var intValue: Int? {
        switch self {
        case .int(let value): Int(exactly: value)
        case .double(let value): Int(exactly: value)
        default: nil
        }
    }

    package var doubleValue: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    package var arrayValue: [JSON]? {
        if case .array(let value) = self { value } else { nil }
    }

    package var objectValue: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    package var isNull: Bool { self == .null }

    package subscript(key: String) -> JSON? {
        if case .object(let object) = self { object[key] } else { nil }
    }

    /// The element at `index`; nil when this is no array or has no such element.
    package subscript(index: Int) -> JSON? {
        if case .array(let array) = self, array.indices.contains(index) { array[index] } else { nil }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
    ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .int(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) { self = .object(JSONObject(members: elements)) }
    package init(nilLiteral: ()) { self = .null }

    package init(_ value: String) { self = .string(value) }
    package init(_ value: Int) { self = .int(Int64(value)) }
    package init(_ value: Double) { self = .double(value) }
    package init(_ value: Bool) { self = .bool(value) }
    package init(_ values: [String]) { self = .array(values.map(JSON.string)) }
}

extension JSON: CustomStringConvertible {
    /// The compact JSON text.
    package var description: String { String(decoding: serialize(), as: UTF8.self) }
}

/// A JSON object: members in the order in which they were written, each name once.
package struct JSONObject: Sendable, Equatable {
    package typealias Member = (key: String, value: JSON)
    private var members: [Member] = []

    package init() {}

    /// Members whose names are known to differ.
    init(unchecked members: [Member]) {
        self.members = members
    }

    /// A repeated name keeps its first place and takes the last value, as JavaScript does.
    package init(members: [(String, JSON)]) {
        for (key, value) in members { self[key] = value }
    }

    package var count: Int { members.count }
    package var isEmpty: Bool { members.isEmpty }

    /// Linear: objects on the wire have few members, and scanning a short array beats hashing.
    package subscript(key: String) -> JSON? {
        get {
            guard let index = index(of: key) else { return nil }
            return members[index].value
        }
        set {
            switch (index(of: key), newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): appendUnchecked(key, value)
            case (nil, nil): break
            }
        }
    }

    /// Adds a member whose name is known to be new.
    package mutating func appendUnchecked(_ key: String, _ value: JSON) {
        members.append((key, value))
    }

    private func index(of key: String) -> Int? {
        for index in members.indices where members[index].key == key { return index }
        return nil
    }

    package func merging(_ other: JSONObject) -> JSONObject {
        var result = self
        for (key, value) in other { result[key] = value }
        return result
    }

    /// Equal when they have the same members, in whatever order (RFC 8259 section 4).
    package static func == (a: JSONObject, b: JSONObject) -> Bool {
        guard a.count == b.count else { return false }
        for (key, value) in a where b[key] != value { return false }
        return true
    }
}

extension JSONObject: RandomAccessCollection {
    package var startIndex: Int { 0 }
    package var endIndex: Int { members.count }
    package subscript(position: Int) -> Member { members[position] }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, JSON)...) { self.init(members: elements) }
}
