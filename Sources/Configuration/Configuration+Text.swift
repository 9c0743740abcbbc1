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
    static var firstFile: [UInt8] {
        var root: JSONObject = [
            "//":
                "Settings of the CodeAI Hub daemon. config.sample.json explains every key; changes are taken up at once where it says so."
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
            an unknown one or a wrong type is reported with path and line, at the start and by `--check-config`. A change
            of the file is taken up while the daemon runs where the table says so, else at the next start; a broken file
            changes nothing.

            Precedence: flag, environment, file, default. Members whose name begins with `//` are comments.
            `config.sample.json` is the same table as a file. This page is made from the table in
            `Sources/Configuration/SettingTable.swift`, and a test compares them.

            *Live*: taken up without a restart. *Client*: clients see it; the others are only in the file.

            """
        for (section, summary) in SettingTable.sections {
            text +=
                "\n## `\(section)`\n\n\(summary)\n\n| key | type | default | range | environment | live | client | what |\n|---|---|---|---|---|---|---|---|\n"
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

    private static func pretty(_ object: JSONObject) -> [UInt8] {
        var bytes: [UInt8] = []
        write(.object(object), indent: 0, into: &bytes)
        bytes.append(0x0a)
        return bytes
    }

    private static func write(_ value: JSON, indent: Int, into bytes: inout [UInt8]) {
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
        if !isLive { text += " Takes effect at the next start." }
        return text.replacing("`", with: "")
    }

    fileprivate func row(key: String, default value: JSON?) -> String {
        let cells = [
            "`\(key)`", form.typeName, value.map { "`\($0)`" } ?? "", form.rangeText ?? "",
            variable.map { "`\($0.name)`" } ?? "", isLive ? "yes" : "", isPrivileged ? "" : "yes", summary,
        ]
        return "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |\n"
    }
}

extension String {
    /// The standard library's own comes with Foundation or the regex library only.
    fileprivate func replacing(_ mark: Character, with text: String) -> String {
        reduce(into: "") { result, character in
            if character == mark { result += text } else { result.append(character) }
        }
    }
}
