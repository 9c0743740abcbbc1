import Base
import JSON

extension PriceTable {
    /// What is wrong with a table, and where in it.
    package struct Invalid: Error, Equatable, Sendable, CustomStringConvertible {
        /// For example `models[3].input`; empty for the whole.
        package var place: String
        package var reason: String

        package var description: String { place.isEmpty ? reason : "\(place): \(reason)" }
    }

    /// The prices that are inside the binary.
    package static let bundled: PriceTable = {
        do throws(Invalid) {
            return try PriceTable(bytes: PackageResources.prices_json)
        } catch {
            // Tests read the same bytes: this can't be shipped.
            preconditionFailure("assets/prices.json: \(error)")
        }
    }()

    /// Reads a table as `assets/prices.json` has it. Unknown members are refused: a slip of the pen would else pass
    /// for a price.
    package init(bytes: [UInt8]) throws(Invalid) {
        let json: JSON
        do throws(JSONError) {
            json = try JSON.parse(bytes)
        } catch {
            throw Invalid(place: "", reason: "is not JSON: \(error)")
        }
        guard let object = json.objectValue else { throw Invalid(place: "", reason: "must be an object") }
        try PriceTable.requireKnown(object, ["schema", "asOf", "source", "models"], in: "")
        guard object["schema"]?.intValue == 1 else { throw Invalid(place: "schema", reason: "must be 1") }
        guard let asOf = (object["asOf"]?.stringValue).flatMap({ Day($0) }) else {
            throw Invalid(place: "asOf", reason: "must be a day, YYYY-MM-DD")
        }
        guard let models = object["models"]?.arrayValue else {
            throw Invalid(place: "models", reason: "must be an array")
        }
        self.asOf = asOf
        source = object["source"]?.stringValue ?? ""
        entries = []
        for (index, model) in models.enumerated() { entries.append(try Entry(model, at: "models[\(index)]")) }
    }

    fileprivate static func requireKnown(
        _ object: JSONObject, _ known: [String], in place: String
    ) throws(Invalid) {
        for (key, _) in object where !known.contains(key) {
            let path = place.isEmpty ? key : "\(place).\(key)"
            throw Invalid(place: path, reason: "is unknown; there are \(known.joined(separator: ", "))")
        }
    }
}

extension PriceTable.Entry {
    /// The highest price that is taken for one, in USD per million tokens.
    private static let limit = 10_000.0

    fileprivate init(_ json: JSON, at place: String) throws(PriceTable.Invalid) {
        guard let object = json.objectValue else { throw .init(place: place, reason: "must be an object") }
        try PriceTable.requireKnown(object, ["match", "input", "cachedInput", "output"], in: place)
        let names = object["match"]?.arrayValue?.compactMap(\.stringValue) ?? []
        guard !names.isEmpty, names.count == object["match"]?.arrayValue?.count,
            names.allSatisfy({ !$0.isEmpty && !$0.dropLast().contains("*") })
        else {
            throw .init(
                place: "\(place).match", reason: "must be an array of models' names; a * can only be the last character"
            )
        }
        func price(_ key: String) throws(PriceTable.Invalid) -> Double? {
            guard let value = object[key] else { return nil }
            guard let number = value.doubleValue, (0...Self.limit).contains(number) else {
                throw .init(place: "\(place).\(key)", reason: "must be a number from 0 to \(Int(Self.limit))")
            }
            return number
        }
        guard let input = try price("input") else { throw .init(place: "\(place).input", reason: "is missing") }
        guard let output = try price("output") else { throw .init(place: "\(place).output", reason: "is missing") }
        patterns = names.map { $0.lowercased() }
        self.price = PriceTable.Price(input: input, cachedInput: try price("cachedInput") ?? input, output: output)
    }
}
