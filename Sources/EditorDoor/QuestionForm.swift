import JSON

/// An agent's questions as an editor can ask them: as a form (`elicitation/create`), or, when it is one question with
/// a few answers, as options like a permission's. Pure.
struct QuestionForm {
    private struct Question {
        var id: String
        var text: String
        var header: String?
        var options: [(label: String, description: String?)]
        var isMultiple: Bool
        var takesOther: Bool
    }

    private let questions: [Question]
    /// What the questions are about, in Markdown; the plan that is to be approved.
    let body: String?

    /// Behind a question's id: the field for an answer that isn't among its options.
    private static let other = "-other"
    private static let decline = "decline"

    /// - Parameter data: of the log's `question_requested`. Nil when there is nothing to ask in it.
    init?(_ data: JSONObject) {
        questions = (data["questions"]?.arrayValue ?? []).compactMap { question in
            guard let id = question["id"]?.stringValue, let text = question["text"]?.stringValue else { return nil }
            let options = (question["options"]?.arrayValue ?? []).compactMap { option in
                option["label"]?.stringValue.map { ($0, option["description"]?.stringValue) }
            }
            return Question(
                id: id, text: text, header: question["header"]?.stringValue, options: options,
                isMultiple: question["multiple"]?.boolValue ?? false,
                takesOther: question["other"]?.boolValue ?? options.isEmpty)
        }
        body = data["body"]?.stringValue
        if questions.isEmpty { return nil }
    }

    var message: String {
        questions.count == 1 ? questions[0].text : "The agent has \(questions.count) questions"
    }

    // MARK: A form

    var schema: JSON {
        var properties: JSONObject = [:]
        var required: [String] = []
        for question in questions {
            properties[question.id] = property(question)
            let hasOther = question.takesOther && !question.options.isEmpty
            if hasOther {
                properties[question.id + QuestionForm.other] = [
                    "type": "string", "title": JSON("\(question.header ?? question.text): something else"),
                ]
            } else {
                required.append(question.id)
            }
        }
        return ["type": "object", "properties": .object(properties), "required": JSON(required)]
    }

    private func property(_ question: Question) -> JSON {
        let options = JSON.array(
            question.options.map { option in
                var object: JSONObject = ["const": JSON(option.label), "title": JSON(option.label)]
                object["description"] = option.description.map { JSON($0) }
                return .object(object)
            })
        var property: JSONObject = [
            "type": question.isMultiple && !question.options.isEmpty ? "array" : "string", "title": JSON(question.text),
        ]
        if question.isMultiple, !question.options.isEmpty {
            property["items"] = ["anyOf": options]
        } else if !question.options.isEmpty {
            property["oneOf"] = options
        }
        return .object(property)
    }

    /// The answers as the daemon takes them, of the form's content.
    func answers(_ content: JSONObject) -> JSONObject {
        var answers: JSONObject = [:]
        for question in questions {
            if let other = content[question.id + QuestionForm.other]?.stringValue, !other.isEmpty {
                answers[question.id] = JSON(other)
            } else if let answer = content[question.id], !answer.isNull {
                answers[question.id] = answer
            }
        }
        return answers
    }

    // MARK: Options

    /// For an editor without forms; nil when it can't be asked that way.
    var options: [JSON]? {
        guard questions.count == 1, !questions[0].options.isEmpty, !questions[0].isMultiple else { return nil }
        let offered = questions[0].options.enumerated().map { index, option -> JSON in
            ["optionId": JSON("answer-\(index)"), "name": JSON(option.label), "kind": "allow_once"]
        }
        return offered + [["optionId": JSON(QuestionForm.decline), "name": "Don't answer", "kind": "reject_once"]]
    }

    /// Nil: the person doesn't want to answer.
    func answers(chosen optionId: String) -> JSONObject? {
        guard let index = Int(optionId.dropFirst("answer-".count)), optionId.hasPrefix("answer-"),
            questions[0].options.indices.contains(index)
        else { return nil }
        return [questions[0].id: JSON(questions[0].options[index].label)]
    }
}
