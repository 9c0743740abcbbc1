import JSON

extension Configuration {
    /// Applies the environment, then the flags: each overrides what was before.
    ///
    /// - Parameter flags: texts by key, for example `server.port`: `"9000"`. Their origin is named `--port`.
    /// - Returns: the keys that were set, each with where it comes from, such as `environment CORE_PORT`.
    @discardableResult
    package mutating func apply(
        environment: [String: String], flags: [String: String] = [:]
    ) throws(ConfigurationError) -> [String: String] {
        var problems: [ConfigurationError.Problem] = []
        var sources: [String: String] = [:]
        for setting in SettingTable.settings {
            // An empty variable is one that a launcher left unset.
            if let variable = setting.variable, let text = environment[variable.name], !text.isEmpty {
                sources[setting.key] = "environment \(variable.name)"
                apply(setting, text, source: "environment \(variable.name)", divisor: variable.divisor, &problems)
            }
            if let text = flags[setting.key] {
                let name = "--" + (setting.key.split(separator: ".").last ?? "")
                sources[setting.key] = name
                apply(setting, text, source: name, divisor: 1, &problems)
            }
        }
        if !problems.isEmpty { throw ConfigurationError(problems) }
        return sources
    }

    private mutating func apply(
        _ setting: Setting<Configuration>, _ text: String, source: String, divisor: Double,
        _ problems: inout [ConfigurationError.Problem]
    ) {
        var value = setting.form.value(of: text)
        if divisor != 1, let number = value?.doubleValue { value = JSON(number / divisor) }
        // What could not be read as such is reported as the string it is.
        if let problem = setting.form.problem(with: value ?? JSON(text)) {
            problems.append(.init(source: source, line: nil, key: "", reason: "\"\(text)\" \(problem)"))
        } else if let value {
            setting.set(&self, value)
        }
    }
}

extension Configuration {
    /// What became of a newer configuration.
    package struct Changes: Equatable, Sendable {
        /// Keys that have another value from now on.
        package var adopted: [String] = []
        /// Keys whose value waits for the next start.
        package var waiting: [String] = []

        package init(adopted: [String] = [], waiting: [String] = []) {
            self.adopted = adopted
            self.waiting = waiting
        }
    }

    /// Takes over what a newer configuration can change without a restart.
    /// - Returns: every key that differs.
    package mutating func adoptLive(from newer: Configuration) -> Changes {
        var changes = Changes()
        for setting in SettingTable.settings {
            guard let value = setting.get(newer), value != setting.get(self) else { continue }
            if setting.isLive {
                setting.set(&self, value)
                changes.adopted.append(setting.key)
            } else {
                changes.waiting.append(setting.key)
            }
        }
        for id in Set(providers.keys).union(newer.providers.keys).sorted() where providers[id] != newer.providers[id] {
            let (before, after) = (providers[id] ?? Provider(), newer.providers[id] ?? Provider())
            providers[id] = newer.providers[id]
            for setting in SettingTable.providerSettings where setting.get(before) != setting.get(after) {
                changes.adopted.append("providers.\(id).\(setting.key)")
            }
        }
        return changes
    }
}
