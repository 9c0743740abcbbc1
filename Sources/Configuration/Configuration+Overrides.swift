import JSON

extension Configuration {
    /// Applies the environment, then the flags: each overrides what was before.
    ///
    /// - Parameter flags: texts by key, for example `server.port`: `"9000"`. Their origin is named `--port`.
    package mutating func apply(
        environment: [String: String], flags: [String: String] = [:]
    ) throws(ConfigurationError) {
        var problems: [ConfigurationError.Problem] = []
        for setting in SettingTable.settings {
            // An empty variable is one that a launcher left unset.
            if let variable = setting.variable, let text = environment[variable.name], !text.isEmpty {
                apply(
                    setting, text, source: "environment \(variable.name)", divisor: variable.divisor, &problems)
            }
            if let text = flags[setting.key] {
                let name = setting.key.split(separator: ".").last.map(String.init) ?? setting.key
                apply(setting, text, source: "--\(name)", divisor: 1, &problems)
            }
        }
        if !problems.isEmpty { throw ConfigurationError(problems) }
    }

    private mutating func apply(
        _ setting: Setting<Configuration>, _ text: String, source: String, divisor: Double,
        _ problems: inout [ConfigurationError.Problem]
    ) {
        let value: JSON? =
            switch setting.form {
            case .integer: Int(text).map { JSON($0) }
            // Not `nil`: as JSON that would be null.
            case .number: Double(text).flatMap { $0.isFinite ? JSON($0 / divisor) : JSON?.none }
            case .boolean: Bool(text).map { JSON($0) }
            case .choice: JSON(text.lowercased())
            case .text: JSON(text)
            case .texts, .textMap: nil
            }
        // What could not be read as such is reported as the string it is.
        if let problem = setting.form.problem(with: value ?? JSON(text)) {
            problems.append(.init(source: source, line: nil, key: "", reason: "\"\(text)\" \(problem)"))
        } else if let value {
            setting.set(&self, value)
        }
    }
}

extension Configuration {
    package struct Change: Equatable, Sendable {
        package var key: String
        /// False when it waits for the next start.
        package var isLive: Bool

        package init(key: String, isLive: Bool) {
            self.key = key
            self.isLive = isLive
        }
    }

    /// Takes over what a newer configuration can change without a restart.
    /// - Returns: every key that differs.
    package mutating func adoptLive(from newer: Configuration) -> [Change] {
        var changes: [Change] = []
        for setting in SettingTable.settings {
            guard let value = setting.get(newer), value != setting.get(self) else { continue }
            changes.append(Change(key: setting.key, isLive: setting.isLive))
            if setting.isLive { setting.set(&self, value) }
        }
        for id in Set(providers.keys).union(newer.providers.keys).sorted() where providers[id] != newer.providers[id] {
            changes.append(Change(key: "providers.\(id)", isLive: true))
            providers[id] = newer.providers[id]
        }
        return changes
    }
}
