import Client
import JSON

/// Finding what was said.
enum SearchCommands {
    @Sendable static func search(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        var limit = 20
        if let text = invocation.options["limit"] {
            guard let value = Int(text), (1...1000).contains(value) else {
                throw .usage("--limit takes a number from 1 to 1000")
            }
            limit = value
        }
        let connection = try await Connection.open(invocation, starts: true)
        var query = "/search?q=\(QueryText.encode(invocation.arguments.joined(separator: " ")))"
        if let session = invocation.options["session"] {
            query += "&sessionId=\(try await connection.sessionId(session))"
        }
        let answer = try await pages(connection, query, limit: limit, after: invocation.options["after"])
        let output = Output(invocation)
        if invocation.isJSON { output.print(json: answer) } else { show(answer, output) }
        return .ok
    }

    /// The answer to one request, or to as many as the limit takes.
    private static func pages(
        _ connection: Connection, _ query: String, limit: Int, after: String?
    ) async throws(CommandFailure) -> JSON {
        var results: [JSON] = []
        var after = after
        var answer: JSONObject = [:]
        repeat {
            var path = query + "&limit=\(min(100, limit - results.count))"
            if let after { path += "&after=\(QueryText.encode(after))" }
            answer = try await connection.call("GET", path).objectValue ?? [:]
            results += answer["results"]?.arrayValue ?? []
            after = answer["next"]?.stringValue
            // What the time was too short for, the person may ask for again.
        } while results.count < limit && after != nil && answer["timedOut"] == nil
        answer["results"] = .array(results)
        return .object(answer)
    }

    private static func show(_ answer: JSON, _ output: Output) {
        let results = answer["results"]?.arrayValue ?? []
        if results.isEmpty { output.print("Nothing was found.\n") }
        let ids = results.compactMap { $0["sessionId"]?.stringValue }
        let length = SessionCommands.shortLength(ids)
        var last: String?
        for result in results {
            let id = RequestText.plain(result["sessionId"])
            if id != last {
                output.print(
                    StyledText("\(Sanitizer.cleanLine(String(id.prefix(length))))  ", .cyan)
                        + StyledText(Sanitizer.cleanLine(RequestText.plain(result["title"])) + "\n", .bold))
                last = id
            }
            output.print(line(result))
        }
        if let indexing = answer["indexing"] {
            let done = indexing["done"]?.intValue ?? 0
            output.note("\(done) of \(indexing["total"]?.intValue ?? done) sessions have been read so far")
        }
        if answer["timedOut"] == true {
            output.note("the time was up: there may be more")
        } else if let next = answer["next"]?.stringValue {
            output.note("more: --after \(next)")
        }
    }

    private static func line(_ result: JSON) -> StyledText {
        let who = result["role"]?.stringValue ?? result["kind"]?.stringValue ?? ""
        let age = Clock.age(of: result["ts"]?.stringValue ?? "")
        let head = "  #\(result["seq"]?.intValue ?? 0) \(who), \(age): "
        var line = StyledText(Sanitizer.cleanLine(head), .dim)
        for part in result["snippet"]?.arrayValue ?? [] {
            let text = Sanitizer.cleanLine(RequestText.plain(part["text"]))
            line.append(text, part["match"] == true ? [.bold, .yellow] : .plain)
        }
        line.append("\n")
        return line
    }
}
