import Client
import JSON

/// Commands about sessions that end at once.
enum SessionCommands {
    @Sendable static func list(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        var limit = 20
        if let text = invocation.options["limit"] {
            guard let value = Int(text), (1...100_000).contains(value) else {
                throw .usage("--limit takes a number from 1 to 100000")
            }
            limit = value
        }
        var query = "&archived=\(invocation.has("archived"))"
        if let status = invocation.options["status"] { query += "&status=\(QueryText.encode(status))" }
        if let text = invocation.options["query"] { query += "&q=\(QueryText.encode(text))" }
        let connection = try await Connection.open(invocation, starts: true)
        var after: String?
        if let text = invocation.options["after"] { after = try await connection.sessionId(text) }
        let (sessions, next) = try await connection.page(limit: limit, query: query, after: after)
        let output = Output(invocation)
        if invocation.isJSON {
            var answer: JSONObject = ["sessions": .array(sessions)]
            answer["next"] = next.map { JSON($0) }
            output.print(json: .object(answer))
        } else if sessions.isEmpty, invocation.has("archived") {
            output.print("No session is archived.\n")
        } else if sessions.isEmpty {
            output.print("No sessions. A first one: codeai-hub new\n")
        } else {
            printTable(sessions, output)
        }
        return .ok
    }

    static func printTable(_ sessions: [JSON], _ output: Output) {
        let prefix = shortLength(sessions.compactMap { $0["id"]?.stringValue })
        let rows = sessions.map { session in
            [
                String((session["id"]?.stringValue ?? "").prefix(prefix)), status(of: session),
                RequestText.plain(session["providerId"]), Clock.age(of: session["updatedAt"]?.stringValue ?? ""),
                (session["costUsd"]?.doubleValue).flatMap { $0 > 0 ? TurnSummary.money($0) : nil } ?? "",
                RequestText.plain(session["title"]),
            ]
        }
        output.print(table: ["ID", "STATUS", "PROVIDER", "AGE", "COST", "TITLE"], rows)
    }

    /// With what a session waits for.
    static func status(of session: JSON) -> String {
        var text = RequestText.plain(session["status"])
        if let until = session["parked"]?["until"]?.stringValue { text += " until \(Clock.short(until))" }
        let waiting = session["queue"]?.arrayValue?.count ?? 0
        if waiting > 0 { text += ", \(waiting) queued" }
        if let place = session["placeInLine"]?.intValue { text += ", place \(place) in line" }
        if session["backoff"]?["until"]?.stringValue != nil { text += ", provider rests" }
        if session["paused"]?.boolValue == true { text += ", paused" }
        return Sanitizer.cleanLine(text)
    }

    /// How many characters tell these IDs apart; at least 8.
    static func shortLength(_ ids: [String]) -> Int {
        var length = 8
        while length < 36, Set(ids.map { $0.prefix(length) }).count < Set(ids).count { length += 1 }
        return length
    }

    @Sendable static func interrupt(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: false)
        let id = try await connection.sessionId(invocation.argument(0))
        let answer = try await connection.call("POST", "/sessions/\(id)/interrupt")
        let output = Output(invocation)
        if invocation.isJSON {
            output.print(json: answer)
        } else {
            output.print(answer["interrupting"]?.boolValue == true ? "Interrupting.\n" : "Nothing runs.\n")
        }
        return .ok
    }

    @Sendable static func rename(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: true)
        let id = try await connection.sessionId(invocation.argument(0))
        let title = invocation.arguments.dropFirst().joined(separator: " ")
        let answer = try await connection.call("PATCH", "/sessions/\(id)", ["title": JSON(title)])
        let output = Output(invocation)
        if invocation.isJSON { output.print(json: answer) } else { output.print("Renamed.\n") }
        return .ok
    }

    @Sendable static func set(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        var body: JSONObject = [:]
        for name in ["model", "mode", "effort", "title"] {
            if let value = invocation.options[name] { body[name] = JSON(value) }
        }
        if let tags = invocation.options["tags"] {
            body["tags"] = .array(tags.split { $0 == "," || $0 == " " }.map { JSON(String($0)) })
        }
        if let budget = invocation.options["budget"] {
            if budget == "default" {
                body["budgetUsd"] = .null
            } else {
                guard let dollars = Double(budget), dollars.isFinite, dollars >= 0 else {
                    throw .usage("--budget takes an amount in dollars, or default")
                }
                body["budgetUsd"] = JSON(dollars)
            }
        }
        let connection = try await Connection.open(invocation, starts: true)
        let id = try await connection.sessionId(invocation.argument(0))
        let output = Output(invocation)
        if body.isEmpty {
            output.print(json: try await connection.call("GET", "/sessions/\(id)"))
            return .ok
        }
        let answer = try await connection.call("PATCH", "/sessions/\(id)", .object(body))
        if invocation.isJSON { output.print(json: answer) } else { output.print("Changed.\n") }
        return .ok
    }

    @Sendable static func delete(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: true)
        let session = try await connection.session(invocation.argument(0))
        let id = try await connection.sessionId(session["id"]?.stringValue)
        let output = Output(invocation)
        if !invocation.has("yes"), TerminalDevice.isInteractive, !invocation.isJSON {
            output.print(StyledText("Delete \(id) \"\(RequestText.plain(session["title"]))\" and its log? [y/N] "))
            guard let answer = readLine(), answer.lowercased().hasPrefix("y") else {
                output.print("Nothing was deleted.\n")
                return .ok
            }
        }
        try await connection.call("DELETE", "/sessions/\(id)")
        if invocation.isJSON {
            output.print(json: ["deleted": JSON(id)])
        } else {
            output.print(StyledText("Deleted. It comes back with: codeai-hub undelete \(id)\n"))
        }
        return .ok
    }

    @Sendable static func archive(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        try await archive(invocation, true, "Archived: codeai-hub sessions --archived lists it.\n")
    }

    @Sendable static func unarchive(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        try await archive(invocation, false, "It is among the others again.\n")
    }

    private static func archive(
        _ invocation: Invocation, _ isArchived: Bool, _ sentence: StyledText
    ) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: true)
        let id = try await connection.sessionId(invocation.argument(0))
        let answer = try await connection.call("PATCH", "/sessions/\(id)", ["archived": JSON(isArchived)])
        let output = Output(invocation)
        if invocation.isJSON { output.print(json: answer) } else { output.print(sentence) }
        return .ok
    }

    @Sendable static func log(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        var after = 0
        if let text = invocation.options["after"] {
            guard let value = Int(text), value >= 0 else { throw .usage("--after takes an event's number") }
            after = value
        }
        let connection = try await Connection.open(invocation, starts: true)
        let id = try await connection.sessionId(invocation.argument(0))
        var printer = LogPrinter(output: Output(invocation), sessionId: id)
        while true {
            let page = try await connection.call("GET", "/sessions/\(id)/events?after=\(after)&limit=1000")
            let events = page["events"]?.arrayValue ?? []
            for event in events {
                printer.print(record: event)
                after = max(after, event["seq"]?.intValue ?? after)
            }
            guard page["hasMore"]?.boolValue == true, !events.isEmpty else { break }
        }
        guard invocation.has("follow") else { return .ok }
        return try await printer.follow(connection, after: after)
    }
}

/// Prints a session's events as they are or as text, and goes on with the live ones.
struct LogPrinter {
    let output: Output
    let sessionId: String
    private var renderer = TranscriptRenderer()

    init(output: Output, sessionId: String) {
        self.output = output
        self.sessionId = sessionId
        renderer.options.rendersMarkdown = output.colours > .off
    }

    mutating func print(record: JSON) {
        if output.isJSON { return output.print(json: record) }
        guard let event = LogEvent(record: record, sessionId: sessionId) else { return }
        output.print(renderer.event(event))
    }

    /// Until the program is ended, or the daemon says goodbye.
    mutating func follow(_ connection: Connection, after: Int) async throws(CommandFailure) -> ExitCode {
        var options = StreamOptions()
        options.subscription = .sessions([sessionId])
        options.resume = [sessionId: after]
        options.chunks = !output.isJSON
        let id = sessionId
        let chosen = options
        let stream = try await hub { () throws(HubError) in try await connection.client.openStream(chosen) }
        for await event in stream.events {
            switch event {
            case .frame(let frame): if try !take(frame, id) { return .ok }
            case .reconnecting(let reason, let attempt, _):
                if attempt == 1 { output.note("\(reason); reconnecting...") }
            case .connected: break
            case .missing(_, let after, let before):
                output.note("events \(after + 1) to \(before - 1) can't be read")
            case .ended(let error): if let error { throw CommandFailure(error) }
            }
        }
        return .ok
    }

    private mutating func take(_ frame: HubFrame, _ id: String) throws(CommandFailure) -> Bool {
        switch frame.type {
        case "core:state":
            for item in frame.payload?["open"]?.arrayValue ?? [] where item["sessionId"]?.stringValue == id {
                if !output.isJSON { output.print(renderer.chunk(item)) }
            }
        case "stream:chunk" where frame.sessionId == id:
            if !output.isJSON, let payload = frame.payload { output.print(renderer.chunk(payload)) }
        case "core:shutdown":
            output.note("the daemon was stopped")
            return false
        case "session:deleted" where (frame.payload?["id"]?.stringValue ?? frame.sessionId) == id:
            output.note("the session was deleted")
            return false
        default:
            guard frame.sessionId == id, let event = LogEvent(frame) else { return true }
            if output.isJSON {
                output.print(json: frame.type == "session:event" ? frame.payload ?? .null : event.record)
            } else {
                output.print(renderer.event(event))
            }
        }
        return true
    }
}

extension LogEvent {
    /// The event in the log's shape, as far as its frame tells.
    var record: JSON {
        var data = data
        var record: JSONObject = ["seq": JSON(seq), "ts": JSON(timestamp)]
        if let id = data["id"] { record["id"] = id }
        record["kind"] = JSON(kind)
        if let turnId { record["turnId"] = JSON(turnId) }
        if let itemId { record["itemId"] = JSON(itemId) }
        record["source"] = JSON(source)
        for key in ["providerId", "nativeId"] {
            if let value = data[key] { record[key] = value }
        }
        for key in ["id", "sessionId", "seq", "timestamp", "turnId", "itemId", "providerId", "nativeId"] {
            data[key] = nil
        }
        record["data"] = .object(data)
        return .object(record)
    }
}
