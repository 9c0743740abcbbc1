package import JSON

/// What a provider is and how it is run: bundled, overridable by `providers/<id>/module.json` in the hub's home.
package struct ProviderManifest: Equatable, Sendable {
    package struct Version: Equatable, Sendable {
        /// What the program is called with to print its version.
        package var arguments: [String]
        /// An older one is not used.
        package var minimum: String?
        /// The one it was tested with.
        package var tested: String?
    }

    /// How to see, without asking anybody, whether the person is logged in. Any one of them is enough.
    package struct Authentication: Equatable, Sendable {
        package struct Setting: Equatable, Sendable {
            package var file: String
            package var key: String
        }

        /// Files that exist then.
        package var files: [String]
        /// Variables that are set then.
        package var environment: [String]
        /// JSON files that have a key then.
        package var settings: [Setting]
    }

    package struct Recipe: Equatable, Sendable {
        package var id: String
        package var label: String
        /// Programs that have to be in PATH.
        package var requires: [String]
        package var command: [String]
    }

    package struct Login: Equatable, Sendable {
        package var command: [String]
        package var hint: String
    }

    package var id: String
    package var name: String
    package var summary: String
    /// The adapter's kind: `claude-stream-json`, `codex-app-server` or `acp`.
    package var adapter: String
    /// Candidates, the first that exists is taken: a name looked up in PATH, or a path. Placeholders: `${self}` (the
    /// daemon's program), `${home}`, `${provider}` (the provider's folder), `${claudeConfig}`.
    package var command: [String]
    package var arguments: [String]
    package var environment: [String: String]
    /// Variables of the daemon's environment that it gets; `NAME_*` for a prefix.
    package var passEnvironment: [String]
    package var version: Version?
    package var capabilities: JSONObject
    package var models: [String]
    package var modes: [String]
    /// Nil: it needs no login.
    package var authentication: Authentication?
    package var install: [Recipe]
    package var login: Login?
    package var isEnabled: Bool
    /// For the adapter of this kind alone, which knows and checks the keys.
    package var options: JSONObject
}

/// What is wrong with a manifest, and where.
package struct ManifestError: Error, Equatable, CustomStringConvertible, Sendable {
    /// The file, or `bundled <id>`.
    package var path: String
    /// The offending member, for example `version.minimum`; empty when it is the whole.
    package var key: String
    package var reason: String

    package var description: String { key.isEmpty ? "\(path): \(reason)" : "\(path): \(key): \(reason)" }
}

extension ProviderManifest {
    /// Reads and checks a manifest. Members that it doesn't know are errors: a misspelt one would do nothing.
    package init(_ json: JSON, path: String) throws(ManifestError) {
        var reader = try ManifestReader(json, path: path, key: "")
        id = try reader.required("id", reader.string("id"))
        guard ProviderManifest.isValidIdentifier(id) else {
            throw ManifestError(path: path, key: "id", reason: "only letters, digits, '.', '_' and '-', at most 64")
        }
        name = try reader.string("name") ?? id
        summary = try reader.string("description") ?? ""
        adapter = try reader.required("adapter", reader.string("adapter"))
        command = try reader.strings("command")
        guard !command.isEmpty else { throw ManifestError(path: path, key: "command", reason: "names no program") }
        arguments = try reader.strings("arguments")
        environment = try reader.dictionary("environment")
        passEnvironment = try reader.strings("passEnvironment")
        guard !passEnvironment.contains("*") else {
            throw ManifestError(path: path, key: "passEnvironment", reason: "a prefix must not be empty")
        }
        capabilities = try reader.object("capabilities") ?? [:]
        for (key, value) in capabilities where value.boolValue == nil {
            throw ManifestError(path: path, key: "capabilities.\(key)", reason: "must be true or false")
        }
        models = try reader.strings("models")
        modes = try reader.strings("modes")
        isEnabled = try reader.bool("enabled") ?? true
        options = try reader.object("options") ?? [:]

        version = nil
        if let object = try reader.object("version") {
            var part = try ManifestReader(.object(object), path: path, key: "version")
            version = Version(
                arguments: try part.strings("arguments"), minimum: try part.string("minimum"),
                tested: try part.string("tested"))
            try part.finish()
        }
        authentication = nil
        if let object = try reader.object("authentication") {
            var part = try ManifestReader(.object(object), path: path, key: "authentication")
            var settings: [Authentication.Setting] = []
            for json in try part.array("settings") {
                var setting = try ManifestReader(json, path: path, key: "authentication.settings")
                settings.append(
                    Authentication.Setting(
                        file: try setting.required("file", setting.string("file")),
                        key: try setting.required("key", setting.string("key"))))
                try setting.finish()
            }
            authentication = Authentication(
                files: try part.strings("files"), environment: try part.strings("environment"), settings: settings)
            try part.finish()
        }
        install = []
        for json in try reader.array("install") {
            var part = try ManifestReader(json, path: path, key: "install")
            let id = try part.required("id", part.string("id"))
            install.append(
                Recipe(
                    id: id, label: try part.string("label") ?? id, requires: try part.strings("requires"),
                    command: try part.strings("command")))
            try part.finish()
        }
        login = nil
        if let object = try reader.object("login") {
            var part = try ManifestReader(.object(object), path: path, key: "login")
            login = Login(command: try part.strings("command"), hint: try part.string("hint") ?? "")
            try part.finish()
        }
        try reader.finish()
    }

    /// An identifier becomes the name of a folder, so it must not be able to be anything else.
    package static func isValidIdentifier(_ text: String) -> Bool {
        let allowed = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
        return allowed && (1...64).contains(text.utf8.count) && !text.hasPrefix(".")
    }
}

/// Takes an object's members one by one, and says in the end which of them nobody took.
private struct ManifestReader {
    private let object: JSONObject
    private let path: String
    private let prefix: String
    private var taken: Set<String> = []

    init(_ json: JSON, path: String, key: String) throws(ManifestError) {
        guard let object = json.objectValue else {
            throw ManifestError(path: path, key: key, reason: "must be an object")
        }
        self.object = object
        self.path = path
        prefix = key.isEmpty ? "" : key + "."
    }

    private func error(_ key: String, _ reason: String) -> ManifestError {
        ManifestError(path: path, key: prefix + key, reason: reason)
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
        return text
    }

    mutating func bool(_ key: String) throws(ManifestError) -> Bool? {
        guard let value = value(key) else { return nil }
        guard let flag = value.boolValue else { throw error(key, "must be true or false") }
        return flag
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
            strings.append(text)
        }
        return strings
    }

    mutating func dictionary(_ key: String) throws(ManifestError) -> [String: String] {
        var dictionary: [String: String] = [:]
        for (name, value) in try object(key) ?? [:] {
            guard let text = value.stringValue else { throw error("\(key).\(name)", "must be a string") }
            guard !name.isEmpty, !name.contains("="), !text.utf8.contains(0) else {
                throw error("\(key).\(name)", "is no valid variable")
            }
            dictionary[name] = text
        }
        return dictionary
    }

    func finish() throws(ManifestError) {
        for (key, _) in object where !taken.contains(key) { throw error(key, "is not known") }
    }
}
