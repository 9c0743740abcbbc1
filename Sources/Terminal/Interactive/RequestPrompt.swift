import JSON

/// A permission or question that waits for an answer, as a prompt with keys. Pure.
struct RequestPrompt: Equatable {
    enum Answer: Equatable {
        case permission(optionId: String)
        case question(answers: JSONObject)
        case declined
    }

    struct Option: Equatable {
        var id: String
        var label: String
        var kind: String
        var description: String
    }

    private struct Question: Equatable {
        var id: String
        var text: String
        var options: [Option]
        var isMultiple: Bool
        var takesText: Bool
    }

    let requestId: String
    let isPermission: Bool
    private let title: String
    private let details: [String]
    private var questions: [Question]
    private var index = 0
    private var chosen: Set<Int> = []
    private var answers = JSONObject()
    /// Sent, and not confirmed yet.
    var isAnswered = false

    /// Nil when there is no `requestId` or nothing to choose from.
    init?(_ data: JSONObject, isPermission: Bool) {
        guard let id = data["requestId"]?.stringValue else { return nil }
        requestId = id
        self.isPermission = isPermission
        if isPermission {
            title = RequestText.title(data)
            details = RequestText.details(data, limit: 12, width: 400)
            let options = (data["options"]?.arrayValue ?? []).compactMap { RequestPrompt.option($0, id: "optionId") }
            questions = [Question(id: id, text: title, options: options, isMultiple: false, takesText: false)]
        } else {
            title = data["purpose"]?.stringValue == "plan_approval" ? "Approve the plan?" : "Question"
            details = []
            questions = (data["questions"]?.arrayValue ?? []).compactMap { question in
                guard let id = question["id"]?.stringValue else { return nil }
                return Question(
                    id: id, text: Sanitizer.cleanLine(RequestText.plain(question["text"])),
                    options: (question["options"]?.arrayValue ?? []).compactMap {
                        RequestPrompt.option($0, id: "label")
                    },
                    isMultiple: question["multiple"]?.boolValue ?? false,
                    takesText: question["other"]?.boolValue ?? false)
            }
        }
        guard !questions.isEmpty else { return nil }
    }

    private static func option(_ json: JSON, id: String) -> Option? {
        guard let value = json[id]?.stringValue else { return nil }
        return Option(
            id: value, label: Sanitizer.cleanLine(json["label"]?.stringValue ?? value),
            kind: json["kind"]?.stringValue ?? "",
            description: Sanitizer.cleanLine(json["description"]?.stringValue ?? ""))
    }

    // MARK: Answering

    /// A key pressed while the input line is empty; nil when it means nothing here, or there is more to ask.
    mutating func handle(_ key: Key) -> (isTaken: Bool, answer: Answer?) {
        guard !isAnswered else { return (false, nil) }
        let question = questions[index]
        switch key {
        case .character(let character):
            if let number = character.wholeNumberValue, number >= 1, number <= question.options.count {
                return choose(number - 1)
            }
            guard isPermission, let kind = RequestPrompt.kind(of: character),
                let found = question.options.firstIndex(where: { $0.kind == kind })
            else { return (false, nil) }
            return choose(found)
        case .enter where question.isMultiple:
            let labels = chosen.sorted().map { JSON(question.options[$0].id) }
            return answer(.array(labels))
        default: return (false, nil)
        }
    }

    /// A text that was written and ended with Enter; nil when the question takes none.
    mutating func handle(text: String) -> (isTaken: Bool, answer: Answer?) {
        guard !isAnswered else { return (false, nil) }
        // A key that was typed before the prompt came stands in the input line, and Enter makes it a text.
        if text.count == 1, let key = text.first {
            let result = handle(.character(key))
            if result.isTaken { return result }
        }
        guard !isPermission else { return (false, nil) }
        let question = questions[index]
        if let option = question.options.first(where: { $0.label.lowercased() == text.lowercased() }) {
            return answer(question.isMultiple ? .array([JSON(option.id)]) : JSON(option.id))
        }
        // Where no options are given, a text is the only answer there can be.
        guard question.takesText || question.options.isEmpty else { return (false, nil) }
        return answer(question.isMultiple ? .array([JSON(text)]) : JSON(text))
    }

    private static func kind(of key: Character) -> String? {
        switch key {
        case "y", "Y": "allow_once"
        case "a", "A": "allow_always"
        case "n", "N": "reject_once"
        default: nil
        }
    }

    private mutating func choose(_ option: Int) -> (Bool, Answer?) {
        let question = questions[index]
        if isPermission { return (true, .permission(optionId: question.options[option].id)) }
        guard question.isMultiple else { return answer(JSON(question.options[option].id)) }
        if chosen.remove(option) == nil { chosen.insert(option) }
        return (true, nil)
    }

    private mutating func answer(_ value: JSON) -> (Bool, Answer?) {
        answers[questions[index].id] = value
        chosen = []
        guard index == questions.count - 1 else {
            index += 1
            return (true, nil)
        }
        return (true, .question(answers: answers))
    }

    // MARK: Looks

    func rows(columns: Int, limit: Int) -> [StyledText] {
        let question = questions[index]
        var rows: [StyledText] = []
        let number = questions.count > 1 ? "\(index + 1)/\(questions.count) " : ""
        let head = isPermission ? "Allow \(title)?" : "\(number)\(question.text.isEmpty ? title : question.text)"
        rows.append(StyledText(DisplayWidth.truncate(head, to: columns), [.bold, .yellow]))
        if isAnswered {
            rows.append(StyledText("  answered, waiting for the daemon...", .dim))
            return rows
        }
        let room = max(0, limit - 2 - question.options.count)
        rows += details.prefix(room).map { StyledText("  " + DisplayWidth.truncate($0, to: columns - 2), .dim) }
        for (offset, option) in question.options.enumerated() {
            let mark = question.isMultiple ? (chosen.contains(offset) ? "[x] " : "[ ] ") : ""
            var row = StyledText("  \(offset + 1)\(letter(option, question)) ", [.bold, .cyan])
            row.append(mark + option.label)
            if !option.description.isEmpty { row.append("  " + option.description, .dim) }
            rows.append(row.wrapped(to: columns)[0])
        }
        rows.append(StyledText(DisplayWidth.truncate(hint(question), to: columns), .dim))
        return rows
    }

    private func letter(_ option: Option, _ question: Question) -> String {
        guard isPermission, question.options.first(where: { $0.kind == option.kind }) == option else { return "" }
        switch option.kind {
        case "allow_once": return "/y"
        case "allow_always": return "/a"
        case "reject_once": return "/n"
        default: return ""
        }
    }

    private func hint(_ question: Question) -> String {
        if isPermission { return "  press a key on the empty input line" }
        var hint = question.isMultiple ? "  numbers choose, Enter confirms" : "  a number answers"
        if question.options.isEmpty { return "  write the answer; /decline refuses" }
        if question.takesText { hint += ", or write an answer of your own" }
        return hint + "; /decline refuses"
    }
}
