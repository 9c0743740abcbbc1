import Installations
import JSON

/// Takes an object's members one by one, and says in the end which of them nobody took.
struct ManifestReader {
    private let object: JSONObject
    private let path: String
    private let prefix: String
    private var taken: Set<String> = []

    /// - Parameter key: where the object stands in the file; empty for the whole.
    init(_ json: JSON, path: String, key: String) throws(ManifestError) {
        guard let object = json.objectValue else {
            throw ManifestError(path: path, key: key, reason: "must be an object")
        }
        self.object = object
        self.path = path
        prefix = key.isEmpty ? "" : key + "."
    }

    func error(_ key: String, _ reason: String) -> ManifestError {
        ManifestError(path: path, key: prefix + key, reason: reason)
    }

    /// The reader of an object within this one; nil when there is none.
    mutating func part(_ key: String) throws(ManifestError) -> ManifestReader? {
        guard let value = value(key) else { return nil }
        return try ManifestReader(value, path: path, key: prefix + key)
    }

    /// The readers of the objects in an array.
    mutating func parts(_ key: String) throws(ManifestError) -> [ManifestReader] {
        var readers: [ManifestReader] = []
        for (index, json) in try array(key).enumerated() {
            readers.append(try ManifestReader(json, path: path, key: "\(prefix)\(key)[\(index)]"))
        }
        return readers
    }

    func required(_ key: String, _ value: String?) throws(ManifestError) -> String {
        guard let value, !value.isEmpty else { throw error(key, "is missing") }
        return value
    }

    private mutating func value(_ key: String) -> JSON? {
        taken.insert(key)
        guard let value = object[key], !value.isNull else { return nil }
        return value
    }

    mutating func string(_ key: String) throws(ManifestError) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.stringValue else { throw error(key, "must be a string") }
        guard !text.utf8.contains(0) else { throw error(key, "must not contain NUL") }
        return text
    }

    /// A semantic version.
    mutating func version(_ key: String) throws(ManifestError) -> Version? {
        guard let text = try string(key) else { return nil }
        guard let version = Version(text) else {
            throw error(key, "must be a version as semver.org has them, for example 1.2.0")
        }
        return version
    }

    mutating func bool(_ key: String) throws(ManifestError) -> Bool? {
        guard let value = value(key) else { return nil }
        guard let flag = value.boolValue else { throw error(key, "must be true or false") }
        return flag
    }

    /// A whole number above zero.
    mutating func count(_ key: String) throws(ManifestError) -> Int? {
        guard let value = value(key) else { return nil }
        guard let number = value.intValue, number > 0 else { throw error(key, "must be a whole number above 0") }
        return number
    }

    mutating func object(_ key: String) throws(ManifestError) -> JSONObject? {
        guard let value = value(key) else { return nil }
        guard let object = value.objectValue else { throw error(key, "must be an object") }
        return object
    }

    mutating func array(_ key: String) throws(ManifestError) -> [JSON] {
        guard let value = value(key) else { return [] }
        guard let array = value.arrayValue else { throw error(key, "must be an array") }
        return array
    }

    mutating func strings(_ key: String) throws(ManifestError) -> [String] {
        var strings: [String] = []
        for (index, value) in try array(key).enumerated() {
            guard let text = value.stringValue else { throw error("\(key)[\(index)]", "must be a string") }
            guard !text.utf8.contains(0) else { throw error("\(key)[\(index)]", "must not contain NUL") }
            strings.append(text)
        }
        return strings
    }

    /// Variables of an environment.
    mutating func dictionary(_ key: String) throws(ManifestError) -> [String: String] {
        var dictionary: [String: String] = [:]
        for (name, value) in try object(key) ?? [:] {
            guard let text = value.stringValue else { throw error("\(key).\(name)", "must be a string") }
            guard !name.isEmpty, !name.contains("="), !name.utf8.contains(0), !text.utf8.contains(0) else {
                throw error("\(key).\(name)", "is no valid variable")
            }
            dictionary[name] = text
        }
        return dictionary
    }

    mutating func counts(_ key: String) throws(ManifestError) -> [String: Int] {
        var counts: [String: Int] = [:]
        for (name, value) in try object(key) ?? [:] {
            guard let number = value.intValue, number > 0 else {
                throw error("\(key).\(name)", "must be a whole number above 0")
            }
            counts[name] = number
        }
        return counts
    }

    // MARK: Texts with placeholders

    mutating func template(_ key: String, _ known: Set<String>) throws(ManifestError) -> String? {
        guard let text = try string(key) else { return nil }
        if let problem = Placeholders.problem(in: text, known: known) { throw error(key, problem) }
        return text
    }

    mutating func templates(_ key: String, _ known: Set<String>) throws(ManifestError) -> [String] {
        let texts = try strings(key)
        for (index, text) in texts.enumerated() {
            if let problem = Placeholders.problem(in: text, known: known) { throw error("\(key)[\(index)]", problem) }
        }
        return texts
    }

    mutating func templateDictionary(_ key: String, _ known: Set<String>) throws(ManifestError) -> [String: String] {
        let texts = try dictionary(key)
        for (name, text) in texts {
            if let problem = Placeholders.problem(in: text, known: known) { throw error("\(key).\(name)", problem) }
        }
        return texts
    }

    func finish() throws(ManifestError) {
        for (key, _) in object where !taken.contains(key) { throw error(key, "is not known") }
    }
}
