package import JSON

/// What a client wants to be set: a merge patch of the settings (RFC 7396), checked against the table.
package struct SettingsPatch: Sendable {
    package private(set) var changes: [ConfigurationFile.Change] = []

    package struct Problem: Equatable, Sendable {
        package var key: String
        package var reason: String
        /// Only the file may set it.
        package var isPrivileged = false

        package init(key: String, reason: String, isPrivileged: Bool = false) {
            self.key = key
            self.reason = reason
            self.isPrivileged = isPrivileged
        }
    }

    /// Everything that is wrong with a patch: nothing of it counts.
    package struct Refusal: Error, Sendable {
        package var problems: [Problem]

        package init(problems: [Problem]) { self.problems = problems }
    }

    /// - Parameters:
    ///   - patch: `{"limits": {"maxClients": 5}}`; null for the default.
    ///   - allowsPrivileged: for the person who owns the file.
    package init(_ patch: JSONObject, allowsPrivileged: Bool = false) throws(Refusal) {
        var problems: [Problem] = []
        for (section, value) in patch {
            guard SettingTable.sections.contains(where: { $0.name == section }) else {
                problems.append(Problem(key: section, reason: "is unknown"))
                continue
            }
            guard let members = value.objectValue else {
                problems.append(Problem(key: section, reason: "must be an object, not \(SettingForm.name(of: value))"))
                continue
            }
            for (name, value) in members {
                let key = "\(section).\(name)"
                guard section == "providers" else {
                    add(key, value, allowsPrivileged, &problems)
                    continue
                }
                guard let settings = value.objectValue else {
                    problems.append(Problem(key: key, reason: "must be an object, not \(SettingForm.name(of: value))"))
                    continue
                }
                for (name, value) in settings { add("\(key).\(name)", value, allowsPrivileged, &problems) }
            }
        }
        guard problems.isEmpty else { throw Refusal(problems: problems) }
    }

    /// One setting; nil for its default.
    package init(_ key: String, _ value: JSON?, allowsPrivileged: Bool = false) throws(Refusal) {
        var problems: [Problem] = []
        add(key, value ?? .null, allowsPrivileged, &problems)
        guard problems.isEmpty else { throw Refusal(problems: problems) }
    }

    private mutating func add(_ key: String, _ value: JSON, _ allowsPrivileged: Bool, _ problems: inout [Problem]) {
        guard let setting = SettingTable.find(key) else {
            problems.append(Problem(key: key, reason: "is unknown"))
            return
        }
        if setting.isPrivileged, !allowsPrivileged {
            problems.append(Problem(key: key, reason: "is set in the configuration file only", isPrivileged: true))
        } else if !value.isNull, let problem = setting.form.problem(with: value) {
            problems.append(Problem(key: key, reason: problem))
        } else {
            changes.append(.init(key: key, value: value.isNull ? JSON?.none : value))
        }
    }
}
