import Base
import JSON

/// Which providers clients have enabled and disabled, kept in `core/state.json`: a switch that is flipped often has no
/// place in the person's configuration file.
///
/// A toggle holds as long as what it overrode is unchanged: when the person writes another `enabled` into the
/// configuration, or a manifest gets another, that later decision wins and the toggle is forgotten.
struct ProviderToggles {
    private struct Toggle {
        var isEnabled: Bool
        /// What configuration and manifest said when it was made.
        var overrode: Bool
    }

    private let path: String
    private var toggles: [String: Toggle] = [:]

    /// - Parameter path: of the file. One that can't be read counts as empty: nothing else depends on it.
    init(path: String) {
        self.path = path
        guard let bytes = try? readFile(path), let json = try? JSON.parse(bytes) else { return }
        for (id, value) in json["providers"]?.objectValue ?? [:] {
            guard let isEnabled = value["enabled"]?.boolValue, let overrode = value["overrode"]?.boolValue else {
                continue
            }
            toggles[id] = Toggle(isEnabled: isEnabled, overrode: overrode)
        }
    }

    /// - Parameter said: what configuration and manifest say.
    func isEnabled(_ id: String, otherwise said: Bool) -> Bool {
        guard let toggle = toggles[id], toggle.overrode == said else { return said }
        return toggle.isEnabled
    }

    mutating func set(_ id: String, _ isEnabled: Bool, over said: Bool) throws(SystemError) {
        toggles[id] = isEnabled == said ? nil : Toggle(isEnabled: isEnabled, overrode: said)
        var providers: JSONObject = [:]
        for (id, toggle) in toggles.sorted(by: { $0.key < $1.key }) {
            providers[id] = ["enabled": JSON(toggle.isEnabled), "overrode": JSON(toggle.overrode)]
        }
        if let slash = path.lastIndex(of: "/") { try makeDirectories(String(path[..<slash])) }
        let state: JSON = ["schemaVersion": 1, "providers": .object(providers)]
        try writeFile(path, state.serialize() + [0x0a])
    }
}
