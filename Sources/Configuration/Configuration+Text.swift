import Base
package import JSON

extension Configuration {
    /// The whole configuration as it stands in the file.
    package var json: JSONObject {
        file { _ in nil }
    }

    /// What clients may see: no addresses, commands, arguments or environments.
    package var clientSettings: JSONObject {
        var root: JSONObject = [:]
        for (section, _) in SettingTable.sections {
            var members: JSONObject = [:]
            for setting in SettingTable.settings where setting.key.hasPrefix(section + ".") && !setting.isPrivileged {
                members[String(setting.key.dropFirst(section.count + 1))] = setting.get(self)
            }
            if section == "providers" {
                for (id, provider) in providers.sorted(by: { $0.key < $1.key }) {
                    var object: JSONObject = [:]
                    for setting in SettingTable.providerSettings where !setting.isPrivileged {
                        object[setting.key] = setting.get(provider)
                    }
                    members[id] = .object(object)
                }
            }
            if !members.isEmpty { root[section] = .object(members) }
        }
        return root
    }

    /// What is written at the first start.
    package static var firstFile: [UInt8] {
        var root: JSONObject = [
            "//":
                "Settings of the CodeAI Hub daemon. config.sample.json explains every key; codeai-hub config lists, changes and checks them."
        ]
        for (key, value) in Configuration().json { root[key] = value }
        return pretty(root)
    }

    /// `config.sample.json`: every key with its default, each explained by a member `//key` before it.
    package static var sample: [UInt8] {
        var configuration = Configuration()
        var provider = Provider()
        provider.isEnabled = true
        provider.command = "claude"
        provider.arguments = []
        provider.model = "sonnet"
        provider.mode = "default"
        provider.effort = "high"
        configuration.providers["claudeCodeCli"] = provider
        var root: JSONObject = [
            "//":
                "Every setting with its default, as JSON with comments in members whose name begins with //. The daemon reads ~/.codeai-hub/core/config.json; flags come before the environment, that before the file, that before the defaults.",
            "//schemaVersion": "The version of this file's format.",
        ]
        for (key, value) in configuration.file(comment: { $0 }) { root[key] = value }
        return pretty(root)
    }

    private func file(comment: (String) -> String?) -> JSONObject {
        var root: JSONObject = ["schemaVersion": JSON(Configuration.schemaVersion)]
        for (section, summary) in SettingTable.sections {
            var members: JSONObject = [:]
            if let text = comment(summary) { root["//" + section] = JSON(text) }
            for setting in SettingTable.settings where setting.key.hasPrefix(section + ".") {
                let name = String(setting.key.dropFirst(section.count + 1))
                if let text = comment(setting.explanation) { members["//" + name] = JSON(text) }
                members[name] = setting.get(self)
            }
            if section == "providers" {
                for (id, provider) in providers.sorted(by: { $0.key < $1.key }) {
                    var object: JSONObject = [:]
                    for setting in SettingTable.providerSettings {
                        if let text = comment(setting.explanation) { object["//" + setting.key] = JSON(text) }
                        object[setting.key] = setting.get(provider)
                    }
                    members[id] = .object(object)
                }
            }
            root[section] = .object(members)
        }
        return root
    }

    /// `doc/configuration.md`.
    package static var documentation: String {
        var text = """
            # Configuration

            `~/.codeai-hub/core/config.json`, written with the defaults at the first start, mode 0600. Every key is checked:
            an unknown one or a wrong type is reported with path and line, at the start and by `codeai-hub config check`.

            Precedence: flag, environment, file, default. Members whose name begins with `//` are comments.
            `config.sample.json` is the same table as a file. This page is made from the table in
            `Sources/Configuration/SettingTable.swift`, and a test compares them.

            **Changes.** A file that has changed is read again within 2 s, at once after SIGHUP, and checked whole first: one with
            a mistake changes nothing, and `codeai-hub status`, `GET /status` and the log say what is wrong and where.
            *Effect* says when a change is felt: `now`, with `newConnections` (those that stand keep what they began with), or
            at the next `restart`; `GET /settings` lists as `needsRestart` what waits for that. What a flag or a variable of the
            environment sets is `overridden`, whatever the file says.

            *Client*: clients see it and may change it (`PATCH /settings`, `codeai-hub config set`); the others, which decide
            about rights and programs, are only in the file. A change by a client is written into the file, where nothing but
            that value changes. `config.json` may name its JSON Schema in `$schema` (`assets/schema/config.schema.json`).

            **Versions.** A file of an older `schemaVersion` is brought to today's form; the old one is kept in `backups`. That
            of a newer one is refused.

            """
        for (section, summary) in SettingTable.sections {
            text +=
                "\n## `\(section)`\n\n\(summary)\n\n| key | type | default | range | environment | effect | client | what |\n|---|---|---|---|---|---|---|---|\n"
            let defaults = Configuration()
            for setting in SettingTable.settings where setting.key.hasPrefix(section + ".") {
                text += setting.row(key: setting.key, default: setting.get(defaults))
            }
            if section == "providers" {
                for setting in SettingTable.providerSettings {
                    text += setting.row(key: "providers.<id>." + setting.key, default: setting.get(Provider()))
                }
            }
        }
        return text
    }

    static func pretty(_ object: JSONObject) -> [UInt8] {
        var bytes: [UInt8] = []
        write(.object(object), indent: 0, into: &bytes)
        bytes.append(0x0a)
        return bytes
    }

    /// - Parameter indent: of the line it stands on, in steps of two.
    static func write(_ value: JSON, indent: Int, into bytes: inout [UInt8]) {
        func newLine(_ depth: Int) {
            bytes.append(0x0a)
            bytes += [UInt8](repeating: 0x20, count: 2 * depth)
        }
        guard case .object(let object) = value, !object.isEmpty else { return value.serialize(into: &bytes) }
        bytes.append(UInt8(ascii: "{"))
        for (index, (key, value)) in object.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            newLine(indent + 1)
            bytes.appendJSONString(key)
            bytes += ": ".utf8
            write(value, indent: indent + 1, into: &bytes)
        }
        newLine(indent)
        bytes.append(UInt8(ascii: "}"))
    }
}

extension Setting {
    /// The summary with the range and when a change takes effect.
    fileprivate var explanation: String {
        var text = summary
        if let range = form.rangeText {
            text += " " + range.prefix(1).uppercased() + range.dropFirst().filter { $0 != "`" } + "."
        }
        if let variable { text += " Environment: \(variable.name)." }
        switch effect {
        case .now: break
        case .newConnections: text += " Takes effect with new connections."
        case .restart: text += " Takes effect at the next start."
        }
        return text.replacing(text: "`", with: "")
    }

    fileprivate func row(key: String, default value: JSON?) -> String {
        let cells = [
            "`\(key)`", form.typeName, value.map { "`\($0)`" } ?? "", form.rangeText ?? "",
            variable.map { "`\($0.name)`" } ?? "", "`\(effect.rawValue)`", isPrivileged ? "" : "yes", summary,
        ]
        return "| " + cells.map { $0.replacing(text: "|", with: "\\|") }.joined(separator: " | ") + " |\n"
    }
}
