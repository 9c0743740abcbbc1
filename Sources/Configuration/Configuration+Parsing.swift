import JSON

extension Configuration {
    /// The largest file that is read.
    static let fileLimit = 1 << 20

    /// Reads and checks the text of a configuration file. Members whose name begins with `//` are comments.
    ///
    /// - Parameters:
    ///   - source: the file's name, for the problems.
    ///   - chain: how a file of an older version is read.
    /// - Throws: everything that is wrong with it, not only the first.
    package static func parse(
        _ text: [UInt8], source: String, chain: MigrationChain = .current
    ) throws(ConfigurationError) -> Configuration {
        let text = try migrated(text, source: source, chain: chain) ?? text
        let root = try object(text, source: source)
        var reader = FileReader(source: source, positions: JSONPositions(text))
        reader.read(root)
        guard reader.problems.isEmpty else {
            throw ConfigurationError(reader.problems.sorted { ($0.line ?? 0) < ($1.line ?? 0) })
        }
        return reader.configuration
    }

    /// The text of an older version's file in today's form; nil when it is that already.
    /// - Throws: for what is no JSON object, and for the version of a newer daemon.
    static func migrated(
        _ text: [UInt8], source: String, chain: MigrationChain
    ) throws(ConfigurationError) -> [UInt8]? {
        // A file that says nothing is of today.
        guard let version = try object(text, source: source)["schemaVersion"] else { return nil }
        func refusal(_ reason: String) -> ConfigurationError {
            let line = JSONPositions(text).lines[["schemaVersion"]]
            return ConfigurationError([.init(source: source, line: line, key: "schemaVersion", reason: reason)])
        }
        guard let number = version.intValue, number >= 1 else {
            throw refusal("must be a whole number from 1, not \(version)")
        }
        // Another version's keys would all be reported as unknown, which helps nobody.
        guard number <= chain.version else {
            throw refusal(
                "is \(number), but this version reads \(chain.version) at most: update the daemon, or restore the file's backup"
            )
        }
        return chain.migrate(text, from: number)
    }

    private static func object(_ text: [UInt8], source: String) throws(ConfigurationError) -> JSONObject {
        do throws(JSONError) {
            if let root = try JSON.parse(text, limits: JSON.Limits(depth: 16)).objectValue { return root }
        } catch {
            let line = JSONPositions.line(of: error.offset, in: text)
            throw ConfigurationError([
                .init(source: source, line: line, key: "", reason: "this is not JSON: \(error)")
            ])
        }
        throw ConfigurationError([.init(source: source, line: 1, key: "", reason: "must be a JSON object")])
    }

    /// Whether a provider's identifier can be one.
    static func isProviderId(_ id: String) -> Bool {
        (1...64).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "-"): true
                default: false
                }
            }
    }
}

private struct FileReader {
    let source: String
    let positions: JSONPositions
    var configuration = Configuration()
    var problems: [ConfigurationError.Problem] = []

    init(source: String, positions: JSONPositions) {
        self.source = source
        self.positions = positions
        for (path, line) in positions.repeated where !FileReader.isComment(path.last ?? "") {
            problems.append(
                .init(source: source, line: line, key: path.joined(separator: "."), reason: "stands here a second time")
            )
        }
    }

    mutating func read(_ root: JSONObject) {
        for (section, value) in root where !FileReader.isComment(section) {
            if section == "schemaVersion" { continue }
            // Names the JSON Schema, for editors.
            if section == "$schema" {
                if value.stringValue == nil { add([section], "must be a string, not \(SettingForm.name(of: value))") }
                continue
            }
            guard SettingTable.sections.contains(where: { $0.name == section }) else {
                unknown([section], among: SettingTable.sections.map(\.name) + ["schemaVersion"])
                continue
            }
            guard let members = value.objectValue else {
                add([section], "must be an object, not \(SettingForm.name(of: value))")
                continue
            }
            if section == "providers" {
                readProviders(members)
            } else {
                var changed = configuration
                read(members, at: [section], SettingTable.settings, prefix: section + ".", into: &changed)
                configuration = changed
            }
        }
    }

    private mutating func readProviders(_ members: JSONObject) {
        for (id, value) in members where !FileReader.isComment(id) {
            guard Configuration.isProviderId(id) else {
                add(["providers", id], "is no identifier: 1 to 64 letters of A-Z a-z 0-9 _ -")
                continue
            }
            guard let members = value.objectValue else {
                add(["providers", id], "must be an object, not \(SettingForm.name(of: value))")
                continue
            }
            var provider = Configuration.Provider()
            read(members, at: ["providers", id], SettingTable.providerSettings, prefix: "", into: &provider)
            configuration.providers[id] = provider
        }
    }

    private mutating func read<Root>(
        _ members: JSONObject, at path: [String], _ settings: [Setting<Root>], prefix: String, into root: inout Root
    ) {
        for (name, value) in members where !FileReader.isComment(name) {
            guard let setting = settings.first(where: { $0.key == prefix + name }) else {
                let known = settings.filter { $0.key.hasPrefix(prefix) }.map { String($0.key.dropFirst(prefix.count)) }
                unknown(path + [name], among: known)
                continue
            }
            if let problem = setting.form.problem(with: value) {
                add(path + [name], problem)
            } else {
                setting.set(&root, value)
            }
        }
    }

    private static func isComment(_ name: String) -> Bool { name.hasPrefix("//") }

    private mutating func add(_ path: [String], _ reason: String) {
        problems.append(
            .init(source: source, line: positions.lines[path], key: path.joined(separator: "."), reason: reason))
    }

    private mutating func unknown(_ path: [String], among known: [String]) {
        let name = path.last ?? ""
        let near = known.map { ($0, FileReader.distance(name.lowercased(), $0.lowercased())) }.min { $0.1 < $1.1 }
        if let near, near.1 <= max(2, name.utf8.count / 3), near.1 + 1 < name.utf8.count {
            add(path, "is unknown; did you mean \(near.0)?")
        } else {
            add(path, "is unknown; config.sample.json has all keys")
        }
    }

    /// How many letters must change to make one of the other (Levenshtein).
    private static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a.utf8.prefix(64))
        let b = Array(b.utf8.prefix(64))
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let change = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(change, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }
}
