package import JSON

/// A row of the table with its whole key, whatever it is a setting of.
package struct SettingKey: Sendable {
    /// `limits.maxClients`, `providers.echo.model`.
    package let key: String
    package let form: SettingForm
    package let summary: String
    package let effect: SettingEffect
    package let isPrivileged: Bool
    package let variable: String?
    /// Nil for a setting that has none: what is left out is then as the provider's manifest says.
    package let defaultValue: JSON?

    package var path: [String] { key.split(separator: ".").map(String.init) }

    init<Root>(_ setting: Setting<Root>, prefix: String, defaults: Root) {
        key = prefix + setting.key
        form = setting.form
        summary = setting.summary
        effect = setting.effect
        isPrivileged = setting.isPrivileged
        variable = setting.variable?.name
        defaultValue = setting.get(defaults)
    }

    /// For clients that build a form: `{key, default?, live, effect, privileged, environment?, summary}` and what the
    /// value may be, in the words of JSON Schema.
    package var json: JSONObject {
        var object: JSONObject = ["key": JSON(key)]
        for (name, value) in form.schema { object[name] = value }
        object["default"] = defaultValue
        object["live"] = JSON(effect != .restart)
        object["effect"] = JSON(effect.rawValue)
        object["privileged"] = JSON(isPrivileged)
        object["environment"] = variable.map { JSON($0) }
        object["summary"] = JSON(summary)
        return object
    }
}

extension SettingTable {
    /// Every setting, in the order of the file.
    /// - Parameter providers: identifiers for which the settings of a provider are there; `<id>` for documentation.
    package static func keys(providers: [String]) -> [SettingKey] {
        var keys: [SettingKey] = []
        for (section, _) in sections {
            if section == "providers" {
                for id in providers { keys += providerKeys(id) }
            } else {
                keys += settings.filter { $0.key.hasPrefix(section + ".") }
                    .map { SettingKey($0, prefix: "", defaults: Configuration()) }
            }
        }
        return keys
    }

    /// The setting that a key names; nil when there is none.
    package static func find(_ key: String) -> SettingKey? {
        let parts = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 3, parts[0] == "providers", Configuration.isProviderId(parts[1]) {
            return providerKeys(parts[1]).first { $0.key == key }
        }
        return settings.first { $0.key == key }.map { SettingKey($0, prefix: "", defaults: Configuration()) }
    }

    private static func providerKeys(_ id: String) -> [SettingKey] {
        providerSettings.map {
            SettingKey($0, prefix: "providers.\(id).", defaults: Configuration.Provider())
        }
    }
}

extension Configuration {
    /// The value of a setting; nil where an optional one is left out, and for what is no key.
    package func value(of key: String) -> JSON? {
        let parts = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 3, parts[0] == "providers" {
            guard let provider = providers[parts[1]] else { return nil }
            return SettingTable.providerSettings.first { $0.key == parts[2] }?.get(provider)
        }
        return SettingTable.settings.first { $0.key == key }?.get(self)
    }

    /// Every key with its value, those of the configured providers included.
    package var values: [(key: SettingKey, value: JSON?)] {
        SettingTable.keys(providers: providers.keys.sorted()).map { ($0, value(of: $0.key)) }
    }
}

extension SettingForm {
    /// The value that a text on a command line or in a variable means; nil when it can't be one of this form.
    ///
    /// Lists are JSON, or words between commas; objects are JSON.
    package func value(of text: String) -> JSON? {
        switch self {
        case .integer: Int(text).map { JSON($0) }
        // Not `nil`: as JSON that would be null.
        case .number: Double(text).flatMap { $0.isFinite ? JSON($0) : JSON?.none }
        case .boolean: Bool(text).map { JSON($0) }
        case .choice: JSON(text.lowercased())
        case .text: JSON(text)
        case .texts:
            if text.hasPrefix("[") {
                try? JSON.parse(text)
            } else {
                JSON(text.split(separator: ",").map { String($0) })
            }
        case .textMap: try? JSON.parse(text)
        }
    }
}
