import JSON
package import Providers

/// A form that an MCP server has the person fill in (MCP's elicitation), as questions.
package struct CodexForm: Equatable, Sendable {
    private struct Field: Equatable, Sendable {
        var name: String
        /// `string`, `number`, `integer`, `boolean` or `array`.
        var type: String
        var isRequired: Bool
        /// What is answered, by what is shown.
        var values: [(label: String, value: String)]

        static func == (a: Field, b: Field) -> Bool {
            a.name == b.name && a.type == b.type && a.isRequired == b.isRequired
                && a.values.elementsEqual(b.values) { $0.label == $1.label && $0.value == $1.value }
        }
    }

    package private(set) var questions: [Question] = []
    private var fields: [Field] = []

    /// - Parameter schema: an object with fields of simple types. Nil when it has none.
    init?(message: String, schema: JSON?) {
        guard let properties = schema?["properties"]?.objectValue, !properties.isEmpty else { return nil }
        let required = Set((schema?["required"]?.arrayValue ?? []).compactMap(\.stringValue))
        for (name, field) in properties {
            let type = field["type"]?.stringValue ?? "string"
            let values = type == "boolean" ? [("Yes", "true"), ("No", "false")] : CodexForm.values(field)
            fields.append(
                Field(name: name, type: type, isRequired: required.contains(name), values: values))
            let title = field["title"]?.stringValue ?? name
            let words = field["description"]?.stringValue ?? title
            questions.append(
                Question(
                    id: name, header: title, text: questions.isEmpty ? "\(message)\n\(words)" : words,
                    options: values.map { QuestionOption(label: $0.0) }, allowsMultiple: type == "array",
                    allowsOther: values.isEmpty))
        }
    }

    /// A page that the person is to open.
    init(message: String, url: String) {
        questions = [
            Question(
                id: "done", text: "\(message)\n\(url)", options: [QuestionOption(label: "Done")], allowsOther: false)
        ]
    }

    private static func values(_ field: JSON) -> [(String, String)] {
        let field = field["type"]?.stringValue == "array" ? field["items"] ?? [:] : field
        if let named = (field["oneOf"] ?? field["anyOf"])?.arrayValue {
            return named.compactMap { option in
                option["const"]?.stringValue.map { (option["title"]?.stringValue ?? $0, $0) }
            }
        }
        let values = (field["enum"]?.arrayValue ?? []).compactMap(\.stringValue)
        let names = (field["enumNames"]?.arrayValue ?? []).compactMap(\.stringValue)
        return values.enumerated().map { ($0.offset < names.count ? names[$0.offset] : $0.element, $0.element) }
    }

    func reply(_ answers: JSONObject?) -> JSON {
        guard let answers else { return ["action": "decline", "content": nil] }
        guard !fields.isEmpty else { return ["action": "accept", "content": nil] }
        var content = JSONObject()
        for field in fields {
            guard let answer = answers[field.name] else { continue }
            let text = CodexForm.text(answer)
            if text.isEmpty, !field.isRequired, field.type != "array" { continue }
            func value(_ text: String) -> String { field.values.first { $0.label == text }?.value ?? text }
            switch field.type {
            case "boolean":
                content[field.name] = JSON(answer.boolValue ?? (value(text) == "true"))
            case "integer": content[field.name] = Int(text).map { JSON($0) } ?? JSON(text)
            case "number": content[field.name] = Double(text).map { JSON($0) } ?? JSON(text)
            case "array":
                content[field.name] = JSON((answer.arrayValue ?? [answer]).map { value(CodexForm.text($0)) })
            default: content[field.name] = JSON(value(text))
            }
        }
        return ["action": "accept", "content": .object(content)]
    }

    static func text(_ answer: JSON) -> String { answer.stringValue ?? (answer.isNull ? "" : answer.description) }
}
