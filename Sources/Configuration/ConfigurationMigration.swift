package import JSON

/// How a configuration file of an older version becomes one of the next. What a person wrote stays as it is but for
/// the keys concerned.
package struct ConfigurationMigration: Sendable {
    package enum Step: Sendable {
        /// The value moves to another key; where that one is there already, it wins.
        case rename(String, to: String)
        case remove(String)
        case convert(String, @Sendable (JSON) -> JSON)
    }

    /// Keys as everywhere, `limits.maxClients`; `*` stands for each provider in `providers.*.model`.
    package let steps: [Step]

    package init(_ steps: [Step]) { self.steps = steps }

    func carryOut(on edit: inout JSONTextEdit) {
        for step in steps {
            switch step {
            case .rename(let key, let new):
                for (path, match) in Self.places(of: key, in: edit) {
                    guard let value = edit.value(path) else { continue }
                    let target = Self.path(new, match)
                    edit.remove(path)
                    if edit.value(target) == nil { edit.set(target, value) }
                }
            case .remove(let key): for (path, _) in Self.places(of: key, in: edit) { edit.remove(path) }
            case .convert(let key, let convert):
                for (path, _) in Self.places(of: key, in: edit) {
                    if let value = edit.value(path) { edit.set(path, convert(value)) }
                }
            }
        }
    }

    private static func path(_ key: String, _ match: String?) -> [String] {
        key.split(separator: ".").map { $0 == "*" ? match ?? "*" : String($0) }
    }

    /// Where a key stands, with what its `*` is there.
    private static func places(of key: String, in edit: JSONTextEdit) -> [(path: [String], match: String?)] {
        let parts = key.split(separator: ".").map(String.init)
        guard let star = parts.firstIndex(of: "*") else { return [(parts, nil)] }
        let names = edit.value(Array(parts[..<star]))?.objectValue?.map(\.key) ?? []
        return names.map { (path(key, $0), $0) }
    }
}

/// The way from the first version of the file to the one that is read now: step n makes version n + 1 of version n.
package struct MigrationChain: Sendable {
    package let migrations: [ConfigurationMigration]

    package init(_ migrations: [ConfigurationMigration]) { self.migrations = migrations }

    /// Nothing has been renamed yet.
    package static let current = MigrationChain([])

    /// The version at its end.
    package var version: Int { 1 + migrations.count }

    /// The text in the newest form; nil when it is in that already.
    /// - Parameter text: a JSON object whose `schemaVersion` is `version` or older.
    func migrate(_ text: [UInt8], from old: Int) -> [UInt8]? {
        guard old < version else { return nil }
        var edit = JSONTextEdit(text)
        for migration in migrations[(old - 1)...] { migration.carryOut(on: &edit) }
        edit.set(["schemaVersion"], JSON(version))
        return edit.text
    }
}
