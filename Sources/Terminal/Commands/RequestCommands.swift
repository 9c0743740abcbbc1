import Client
import JSON

/// Commands that answer what a session asks.
enum RequestCommands {
    @Sendable static func approve(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        try await decide(invocation) { request throws(CommandFailure) in
            let options = request["options"]?.arrayValue ?? []
            if let wanted = invocation.options["option"] {
                return ["optionId": JSON(try option(wanted, options))]
            }
            let kind = invocation.has("always") ? "allow_always" : "allow_once"
            guard let id = find(kind, options) else {
                throw CommandFailure(
                    .refused, "option_not_offered", "\(kind) is not offered; choose with --option: \(list(options))")
            }
            return ["optionId": JSON(id)]
        }
    }

    @Sendable static func deny(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        try await decide(invocation) { request throws(CommandFailure) in
            let options = request["options"]?.arrayValue ?? []
            var body: JSONObject = [:]
            if let id = find(invocation.has("always") ? "reject_always" : "reject_once", options) {
                body["optionId"] = JSON(id)
            } else if invocation.has("always") {
                throw CommandFailure(
                    .refused, "option_not_offered", "reject_always is not offered: \(list(options))")
            } else {
                body["outcome"] = "cancelled"
            }
            if let message = invocation.options["message"] { body["message"] = JSON(message) }
            return body
        }
    }

    private static func decide(
        _ invocation: Invocation, _ choose: (JSON) throws(CommandFailure) -> JSONObject
    ) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: false)
        let request = try await pending("permission", invocation, connection)
        let body = try choose(request.json)
        let answer = try await connection.call(
            "POST", "/sessions/\(request.sessionId)/permissions/\(request.id)", .object(body))
        let output = Output(invocation)
        if invocation.isJSON {
            output.print(json: answer)
        } else {
            let title = RequestText.title(request.json.objectValue ?? [:])
            let outcome = RequestText.plain(answer["optionId"] ?? answer["outcome"])
            output.print(StyledText("\(Sanitizer.cleanLine(title)): \(Sanitizer.cleanLine(outcome))\n"))
        }
        return .ok
    }

    @Sendable static func answer(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: false)
        let request = try await pending("question", invocation, connection)
        let output = Output(invocation)
        let words = Array(invocation.arguments.dropFirst())
        let path = "/sessions/\(request.sessionId)/questions/\(request.id)"
        var body: JSONObject = [:]
        if invocation.has("decline") {
            body["outcome"] = "declined"
        } else if words.isEmpty {
            if invocation.isJSON { output.print(json: request.json) } else { show(request.json, output) }
            return .ok
        } else {
            body["answers"] = .object(try answers(words, request.json))
        }
        let answer = try await connection.call("POST", path, .object(body))
        if invocation.isJSON { output.print(json: answer) } else { output.print("Answered.\n") }
        return .ok
    }

    private static func show(_ request: JSON, _ output: Output) {
        var record: JSONObject = ["seq": 0, "kind": "question_requested"]
        record["data"] = request
        guard let event = LogEvent(record: .object(record), sessionId: "") else { return }
        var renderer = TranscriptRenderer()
        output.print(renderer.event(event))
    }

    /// The words of the command line as answers, one for each question.
    static func answers(_ words: [String], _ request: JSON) throws(CommandFailure) -> JSONObject {
        let questions = request["questions"]?.arrayValue ?? []
        // One question: all words are one answer, so that a sentence needs no quotes.
        let texts = questions.count == 1 ? [words.joined(separator: " ")] : words
        guard texts.count == questions.count else {
            throw .usage("there are \(questions.count) questions, but \(texts.count) answers; quote each answer")
        }
        var answers = JSONObject()
        for (question, text) in zip(questions, texts) {
            guard let id = question["id"]?.stringValue else { continue }
            let options = question["options"]?.arrayValue ?? []
            let isMultiple = question["multiple"]?.boolValue ?? false
            let parts = isMultiple ? text.split(separator: ",").map { trimmed(String($0)) } : [text]
            var chosen: [String] = []
            for part in parts {
                if let label = label(part, options) {
                    chosen.append(label)
                } else if question["other"]?.boolValue == true || options.isEmpty {
                    chosen.append(part)
                } else {
                    let labels = options.map { RequestText.plain($0["label"]) }.joined(separator: ", ")
                    throw .usage("\(part) is no answer to \(RequestText.plain(question["text"])): \(labels)")
                }
            }
            answers[id] = isMultiple ? JSON(chosen) : JSON(chosen.first ?? "")
        }
        return answers
    }

    private static func label(_ text: String, _ options: [JSON]) -> String? {
        if let number = Int(text), number >= 1, options.indices.contains(number - 1) {
            return options[number - 1]["label"]?.stringValue
        }
        return options.compactMap { $0["label"]?.stringValue }.first { $0.lowercased() == text.lowercased() }
    }

    private static func trimmed(_ text: String) -> String {
        String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }

    // MARK: Options

    private static func find(_ kind: String, _ options: [JSON]) -> String? {
        options.first { $0["kind"]?.stringValue == kind }?["optionId"]?.stringValue
    }

    private static func option(_ wanted: String, _ options: [JSON]) throws(CommandFailure) -> String {
        if let exact = options.first(where: { $0["optionId"]?.stringValue == wanted })?["optionId"]?.stringValue {
            return exact
        }
        if let number = Int(wanted), number >= 1, options.indices.contains(number - 1),
            let id = options[number - 1]["optionId"]?.stringValue
        {
            return id
        }
        let named = options.first {
            $0["label"]?.stringValue?.lowercased() == wanted.lowercased() || $0["kind"]?.stringValue == wanted
        }
        guard let id = named?["optionId"]?.stringValue else {
            throw CommandFailure(.refused, "option_not_offered", "\(wanted) is not offered: \(list(options))")
        }
        return id
    }

    private static func list(_ options: [JSON]) -> String {
        options.map { "\(RequestText.plain($0["optionId"])) (\(RequestText.plain($0["label"])))" }
            .joined(separator: ", ")
    }

    // MARK: What is pending

    private struct Request {
        var sessionId: String
        var id: String
        var json: JSON
    }

    private static func pending(
        _ type: String, _ invocation: Invocation, _ connection: Connection
    ) async throws(CommandFailure) -> Request {
        let wanted = invocation.argument(0)
        let all = (try await connection.snapshot()["pending"]?.arrayValue ?? []).filter {
            $0["type"]?.stringValue == type
        }
        var matches = all
        if let wanted {
            let id = try await connection.sessionId(wanted)
            matches = all.filter { $0["sessionId"]?.stringValue == id }
        } else if Set(all.compactMap { $0["sessionId"]?.stringValue }).count > 1 {
            throw .usage("several sessions wait: say which; codeai-hub sessions --status waiting")
        }
        if let request = invocation.options["request"] {
            matches = matches.filter { $0["requestId"]?.stringValue == request }
        }
        guard let first = matches.first, let session = first["sessionId"]?.stringValue,
            let id = first["requestId"]?.stringValue
        else { throw CommandFailure(.refused, "request_not_found", "no \(type) waits for an answer") }
        return Request(sessionId: QueryText.encode(session), id: QueryText.encode(id), json: first)
    }
}
