import HubProtocol
import JSON

/// The members of a client's request, taken out with a clear error for each that is missing or of a wrong type.
struct Fields {
    private let object: JSONObject
    /// Looked into when the first has no such member: session fields may stand beside `type`.
    private let outer: JSONObject

    init(_ object: JSONObject, outer: JSONObject = [:]) {
        self.object = object
        self.outer = outer
    }

    /// The body of an HTTP request; an empty one counts as `{}`.
    init(body: [UInt8]) throws(Failure) {
        guard !body.isEmpty else {
            self.init([:])
            return
        }
        let json: JSON
        do throws(JSONError) {
            json = try JSON.parse(body)
        } catch {
            throw Failure(code: "invalid_json", message: "The body is not JSON: \(error).")
        }
        guard let object = json.objectValue else {
            throw Failure(code: "invalid_request", message: "The body must be a JSON object.")
        }
        self.init(object)
    }

    /// The whole object, null members included.
    var all: JSONObject { object }

    subscript(key: String) -> JSON? {
        guard let value = object[key] ?? outer[key], !value.isNull else { return nil }
        return value
    }

    func string(_ key: String) throws(Failure) -> String? {
        try optional(key, "a string") { $0.stringValue }
    }

    /// - Parameter known: what the member says, where it is known from elsewhere.
    func requiredString(_ key: String, unless known: String? = nil) throws(Failure) -> String {
        if let known { return known }
        return try required(key, string(key))
    }

    func bool(_ key: String) throws(Failure) -> Bool? { try optional(key, "true or false") { $0.boolValue } }

    /// A whole number within bounds.
    func int(_ key: String, in range: ClosedRange<Int>) throws(Failure) -> Int? {
        try optional(key, "a whole number from \(range.lowerBound) to \(range.upperBound)") { value in
            value.intValue.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A whole number written as text, as queries have it.
    func number(_ key: String, in range: ClosedRange<Int>) throws(Failure) -> Int? {
        try optional(key, "a whole number from \(range.lowerBound) to \(range.upperBound)") { value in
            value.stringValue.flatMap { Int($0) }.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A number within bounds.
    func double(_ key: String, in range: ClosedRange<Double>) throws(Failure) -> Double? {
        try optional(key, "a number from \(range.lowerBound) to \(range.upperBound)") { value in
            value.doubleValue.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// Whether the member is there, be it null.
    func has(_ key: String) -> Bool { (object[key] ?? outer[key]) != nil }

    func strings(_ key: String) throws(Failure) -> [String]? {
        try optional(key, "an array of strings") { value in
            guard let array = value.arrayValue else { return nil }
            let strings = array.compactMap(\.stringValue)
            return strings.count == array.count ? strings : nil
        }
    }

    func array(_ key: String) throws(Failure) -> [JSON]? { try optional(key, "an array") { $0.arrayValue } }

    func object(_ key: String) throws(Failure) -> JSONObject? { try optional(key, "an object") { $0.objectValue } }

    func required<Value>(_ key: String, _ value: Value?) throws(Failure) -> Value {
        guard let value else {
            throw Failure(code: "missing_field", message: "\(key) is missing.", details: ["field": JSON(key)])
        }
        return value
    }

    private func optional<Value>(_ key: String, _ what: String, _ read: (JSON) -> Value?) throws(Failure) -> Value? {
        guard let value = self[key] else { return nil }
        guard let result = read(value) else {
            throw Failure(code: "invalid_request", message: "\(key) must be \(what).", details: ["field": JSON(key)])
        }
        return result
    }
}
