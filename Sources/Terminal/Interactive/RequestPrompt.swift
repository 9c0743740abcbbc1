import JSON

/// A permission or question that waits for an answer, as a prompt with keys. Pure.
struct RequestPrompt: Equatable {
    enum Answer: Equatable {
        /// - Parameter message: what the agent is told with it.
        case permission(optionId: String, message: String? = nil)
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
    /// What exactly would be done, whole.
    let details: [StyledText]
    private var questions: [Question]
    private var index = 0
    private var chosen: Set<Int> = []
    private var answers = JSONObject()
    /// Sent, and not confirmed yet.
    var isAnswered = false
    /// The option whose message is being written.
    private var explaining: Option?

    /// Nil when there is no `requestId` or nothing to choose from.
    init?(_ data: JSONObject, isPermission: Bool) {
        guard let id = data["requestId"]?.stringValue else { return nil }
        requestId = id
        self.isPermission = isPermission
        if isPermission {
            title = RequestText.title(data)
            details =
                RequestText.changes(data)
                ?? RequestText.details(data, limit: 4000, width: 4000).map {
                    StyledText($0, .dim)
                }
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

    /// Whether the input line is for what the agent is told with a refusal.
    var takesMessage: Bool { explaining != nil }

    /// A key pressed while the input line is empty; nil when it means nothing here, or there is more to ask.
    mutating func handle(_ key: Key) -> (isTaken: Bool, answer: Answer?) {
        guard !isAnswered else { return (false, nil) }
        if explaining != nil {
            guard key == .escape else { return (false, nil) }
            explaining = nil
            return (true, nil)
        }
        let question = questions[index]
        switch key {
        case .character(let character):
            if let number = character.wholeNumberValue, number >= 1, number <= question.options.count {
                return choose(number - 1)
            }
            guard isPermission else { return (false, nil) }
            if character == "m" || character == "M", let option = refusal {
                explaining = option
                return (true, nil)
            }
            guard let kind = RequestPrompt.kind(of: character),
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
        if let explaining { return (true, .permission(optionId: explaining.id, message: text)) }
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

    /// The option that rejects this once, else any that rejects.
    private var refusal: Option? {
        let options = questions[index].options
        return options.first { $0.kind == "reject_once" } ?? options.first { $0.kind == "reject_always" }
    }

    private static func kind(of key: Character) -> String? {
        switch key {
        case "y", "Y": "allow_once"
        case "a", "A": "allow_always"
        case "n", "N": "reject_once"
        case "d", "D": "reject_always"
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
        let number = questions.count > 1 ? "\(index + 1)/\(questions.count) " : ""
        let head = isPermission ? "Allow \(title)?" : "\(number)\(question.text.isEmpty ? title : question.text)"
        let heads = StyledText(head, [.bold, .yellow]).wrapped(to: columns)
        var rows = Array(heads.prefix(3))
        if heads.count > 3 { rows.append(StyledText("  …", .dim)) }
        if isAnswered {
            rows.append(StyledText("  answered, waiting for the daemon...", .dim))
            return rows
        }
        if let explaining {
            let text = "  \(explaining.label): what shall the agent do instead? Enter sends it, Esc goes back"
            rows.append(StyledText(DisplayWidth.truncate(text, to: columns), .dim))
            return rows
        }
        rows += shownDetails(columns: columns, room: max(0, limit - 2 - question.options.count))
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

    /// Whole lines as far as they fit; that there is more is always said.
    private func shownDetails(columns: Int, room: Int) -> [StyledText] {
        var rows: [StyledText] = []
        for (index, detail) in details.enumerated() {
            rows += (StyledText("  ", .hanging) + detail).wrapped(to: columns)
            guard rows.count > room || rows.count == room && index < details.count - 1 else { continue }
            rows.removeLast(rows.count - max(0, room - 1))
            return rows + [StyledText("  … there is more: Ctrl-O shows it all", .yellow)]
        }
        return rows
    }

    private func letter(_ option: Option, _ question: Question) -> String {
        guard isPermission, question.options.first(where: { $0.kind == option.kind }) == option else { return "" }
        switch option.kind {
        case "allow_once": return "/y"
        case "allow_always": return "/a"
        case "reject_once": return "/n"
        case "reject_always": return "/d"
        default: return ""
        }
    }

    private func hint(_ question: Question) -> String {
        if isPermission {
            return "  press a key on the empty input line" + (refusal == nil ? "" : "; m rejects with a message")
        }
        var hint = question.isMultiple ? "  numbers choose, Enter confirms" : "  a number answers"
        if question.options.isEmpty { return "  write the answer; /decline refuses" }
        if question.takesText { hint += ", or write an answer of your own" }
        return hint + "; /decline refuses"
    }
}
