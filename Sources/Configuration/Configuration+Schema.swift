import JSON

extension Configuration {
    /// `assets/schema/config.schema.json`: a JSON Schema (2020-12) of the file, for editors.
    package static var schema: [UInt8] {
        var sections: JSONObject = [
            "$schema": ["type": "string"],
            "schemaVersion": [
                "description": "The version of this file's format.", "type": "integer", "minimum": 1,
                "maximum": JSON(schemaVersion),
            ],
        ]
        let keys = SettingTable.keys(providers: ["<id>"])
        for (section, summary) in SettingTable.sections {
            var members: JSONObject = [:]
            for key in keys where key.path.first == section {
                members[key.path.last ?? ""] = .object(key.schema)
            }
            var object = strictObject(members)
            object["description"] = JSON(summary)
            if section == "providers" {
                object = [
                    "description": JSON(summary), "type": "object",
                    "patternProperties": [
                        "^//": [:], "^[A-Za-z0-9_-]{1,64}$": .object(strictObject(members)),
                    ],
                    "additionalProperties": false,
                ]
            }
            sections[section] = .object(object)
        }
        var root: JSONObject = [
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Configuration of the CodeAI Hub daemon",
            "description": "core/config.json. Members whose name begins with // are comments.",
        ]
        for (name, value) in strictObject(sections) { root[name] = value }
        return pretty(root)
    }

    private static func strictObject(_ members: JSONObject) -> JSONObject {
        [
            "type": "object", "properties": .object(members), "patternProperties": ["^//": [:]],
            "additionalProperties": false,
        ]
    }
}

extension SettingKey {
    fileprivate var schema: JSONObject {
        var schema: JSONObject = ["description": JSON(summary)]
        for (name, value) in form.schema { schema[name] = value }
        schema["default"] = defaultValue
        return schema
    }
}

extension SettingForm {
    /// What a value may be, in the words of JSON Schema.
    var schema: JSONObject {
        switch self {
        case .integer(let range):
            ["type": "integer", "minimum": JSON(range.lowerBound), "maximum": JSON(range.upperBound)]
        case .number(let range):
            ["type": "number", "minimum": JSON(range.lowerBound), "maximum": JSON(range.upperBound)]
        case .boolean: ["type": "boolean"]
        case .choice(let choices): ["type": "string", "enum": JSON(choices)]
        case .text(let rule): rule.schema
        case .texts(let rule): ["type": "array", "items": .object(rule.schema)]
        case .textMap: ["type": "object", "additionalProperties": ["type": "string"]]
        }
    }
}

extension SettingForm.TextRule {
    fileprivate var schema: JSONObject {
        switch self {
        case .any: ["type": "string"]
        case .nonEmpty: ["type": "string", "minLength": 1]
        case .folder: ["type": "string", "pattern": "^(/|$)"]
        case .path: ["type": "string", "pattern": "^/"]
        case .origin: ["type": "string", "pattern": "^(null|file://|[^/ *]+://[^/ *]+)$"]
        case .host: ["type": "string", "pattern": "^[A-Za-z0-9._:\\[\\]-]+$"]
        }
    }
}
