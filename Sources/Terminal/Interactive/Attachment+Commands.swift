import Client
import JSON

/// Commands of the input line.
extension Attachment {
    mutating func run(_ command: SlashCommand.Call) {
        let path = "/sessions/\(view.sessionId)"
        let rest = command.rest
        switch command.name {
        case "quit": leave("Left the session: codeai-hub attach \(view.sessionId.prefix(8))")
        case "help": show(SlashCommand.help)
        case "interrupt":
            lastInterrupt = -10
            interrupt()
        case "rename": call("PATCH", path, ["title": JSON(rest)], if: !rest.isEmpty)
        case "model": rest.isEmpty ? list("models", view.model) : call("PATCH", path, ["model": JSON(rest)])
        case "mode": rest.isEmpty ? list("modes", view.mode) : call("PATCH", path, ["mode": JSON(rest)])
        case "effort": call("PATCH", path, ["effort": JSON(rest)], if: !rest.isEmpty)
        case "tags": setTags(rest, path)
        case "provider", "switch":
            if rest.isEmpty { return listProviders() }
            call("POST", path + "/provider", ["providerId": JSON(rest), "retry": JSON(command.name == "switch")])
        case "resume": call("POST", path + "/resume", [:])
        case "pause": call("POST", path + "/pause", [:])
        case "retry": call("POST", path + "/retry", [:])
        case "later":
            let seconds = Int(rest)
            call(
                "POST", path + "/retry", seconds.map { ["after": JSON($0)] } ?? ["later": true],
                if: rest.isEmpty || seconds != nil)
        case "steer":
            if rest.isEmpty { say("a word is missing: /help") } else { send(rest, mode: "steer") }
        case "queue": showQueue()
        case "withdraw": withdraw(rest, path)
        case "decline":
            let result = view.decline()
            if let answer = result.answer { respond(result.requestId, answer) } else { say("no question waits") }
        case "unfold": unfold()
        case "fork": fork(rest, path)
        case "export": export(rest)
        case "cost": show(CostText.text(view))
        case "sessions": listSessions()
        case "attach": attach(rest)
        case "new": newSession(rest)
        case "start": startDaemon()
        default: say("there is no /\(command.name); /help lists what there is")
        }
    }

    private mutating func call(_ method: String, _ path: String, _ body: JSONObject, if isComplete: Bool = true) {
        guard isComplete else { return say("a word is missing: /help") }
        inBackground { (connection, _) throws(CommandFailure) in
            try await connection.call(method, path, .object(body))
        }
    }

    /// Does what takes time without holding the keys up; what goes wrong is shown.
    private func inBackground(
        _ work:
            @escaping @Sendable (Connection, AsyncStream<Happening>.Continuation) async throws(CommandFailure) -> Void
    ) {
        let (connection, feed) = (connection, feed)
        Task {
            do throws(CommandFailure) { try await work(connection, feed) } catch { feed.yield(.failed(error)) }
        }
    }

    // MARK: Lists

    private mutating func list(_ key: String, _ current: String) {
        let names = view.choices(key)
        guard !names.isEmpty else {
            return say("\(view.provider) names no \(key)\(current.isEmpty ? "" : "; now: \(current)")")
        }
        show(Attachment.list(names.map { ($0, $0 == current ? "now" : "") }))
    }

    private mutating func listProviders() {
        let rows = view.providers.map { record -> (String, String) in
            let id = RequestText.plain(record["id"])
            var words = [RequestText.plain(record["name"])]
            if record["installed"]?.boolValue == false { words.append("not installed") }
            if record["authenticated"]?.boolValue == false { words.append("not logged in") }
            if record["enabled"]?.boolValue == false { words.append("disabled") }
            if id == view.provider { words.append("now") }
            return (id, words.joined(separator: ", "))
        }
        show(Attachment.list(rows))
    }

    private mutating func showQueue() {
        guard !view.queue.isEmpty else { return say("nothing waits") }
        let rows = view.queue.enumerated().map { ("\($0 + 1)", $1.content) }
        show(Attachment.list(rows))
    }

    private static func list(_ rows: [(name: String, help: String)]) -> StyledText {
        let width = rows.map { DisplayWidth.of($0.name) }.max() ?? 0
        var text = StyledText("\n")
        for (name, help) in rows {
            text.append("  " + DisplayWidth.pad(Sanitizer.cleanLine(name), to: width + 2), [.bold, .hanging])
            text.append(Sanitizer.cleanLine(help) + "\n", .dim)
        }
        return text
    }

    private func listSessions() {
        let own = view.sessionId
        inBackground { (connection, feed) throws(CommandFailure) in
            let sessions = try await connection.sessions(limit: 20)
            var text = StyledText("\n")
            for session in sessions {
                let id = session["id"]?.stringValue ?? ""
                let words = ["status", "providerId", "title"].map { RequestText.plain(session[$0]) }
                let mark = id == own ? "* " : "  "
                text.append(
                    Sanitizer.cleanLine("\(mark)\(id.prefix(8))  \(words.joined(separator: "  "))") + "\n", .dim)
            }
            text.append("  /attach ID goes over to one\n", .dim)
            feed.yield(.text(text))
        }
    }

    // MARK: The session

    private mutating func setTags(_ rest: String, _ path: String) {
        guard !rest.isEmpty else {
            return say(view.tags.isEmpty ? "no tags" : "tags: \(view.tags.joined(separator: ", "))")
        }
        // A dash stands for none.
        let tags = rest == "-" ? [] : rest.split { $0 == " " || $0 == "," }.map { JSON(String($0)) }
        call("PATCH", path, ["tags": .array(tags)])
    }

    private mutating func withdraw(_ rest: String, _ path: String) {
        let index = rest.isEmpty ? view.queue.count - 1 : (Int(rest) ?? 0) - 1
        guard view.queue.indices.contains(index) else {
            return say(view.queue.isEmpty ? "nothing waits" : "there is no such message: /queue")
        }
        let turn = view.queue[index].turnId
        // The whole text, where this terminal has seen it; of a long one the record has only the beginning.
        let text = view.messages[turn] ?? view.queue[index].content
        inBackground { (connection, feed) throws(CommandFailure) in
            try await connection.call("DELETE", path + "/messages/\(QueryText.encode(turn))")
            feed.yield(.withdrawn(text))
        }
    }

    private mutating func export(_ file: String) {
        guard !file.isEmpty else { return say("a file's name is missing: /export FILE") }
        let id = view.sessionId
        let format = file.hasSuffix(".md") ? "markdown" : "jsonl"
        say("writing \(file)...")
        inBackground { (connection, feed) throws(CommandFailure) in
            let sink = try ExportSink(path: file)
            try await ArchiveCommands.download(
                "/api/v1/sessions/\(id)/export?format=\(format)", to: sink, connection)
            let bytes = try sink.finish()
            feed.yield(.said("\(bytes) bytes in \(file)"))
        }
    }

    // MARK: Other sessions

    private mutating func fork(_ rest: String, _ path: String) {
        let at = Int(rest)
        guard rest.isEmpty || at != nil else { return say("/fork takes an event's number") }
        goOver { (connection) throws(CommandFailure) in
            try await connection.call("POST", path + "/fork", at.map { ["atSeq": JSON($0)] } ?? [:])
        }
    }

    private mutating func attach(_ rest: String) {
        guard !rest.isEmpty else { return listSessions() }
        goOver { (connection) throws(CommandFailure) in try await connection.session(rest) }
    }

    private mutating func newSession(_ rest: String) {
        let provider = rest.isEmpty ? view.provider : rest
        let workspace = view.workspace
        goOver { (connection) throws(CommandFailure) in
            var body: JSONObject = ["providerId": JSON(provider)]
            if !workspace.isEmpty { body["workspace"] = JSON(workspace) }
            return try await connection.call("POST", "/sessions", .object(body))
        }
    }

    private mutating func goOver(_ find: @escaping @Sendable (Connection) async throws(CommandFailure) -> JSON) {
        say("one moment...")
        inBackground { (connection, feed) throws(CommandFailure) in
            let session = try await find(connection)
            feed.yield(.goOver(try await Attachment.open(session, connection)))
        }
    }

    private mutating func startDaemon() {
        say("starting the daemon...")
        inBackground { (connection, _) throws(CommandFailure) in
            try await hub { () throws(HubError) in
                _ = try await Connection.ensureRunning(connection.home)
            }
        }
    }
}

/// What a session has used.
enum CostText {
    static func text(_ view: SessionView) -> StyledText {
        var text = StyledText("\n")
        func row(_ name: String, _ sum: JSON) {
            let tokens = [("input", "in"), ("output", "out"), ("cached", "cached")].compactMap { key, word in
                (sum[key]?.intValue).flatMap { $0 > 0 ? "\(TurnSummary.count($0)) \(word)" : nil }
            }
            var words = tokens.isEmpty ? "nothing" : tokens.joined(separator: ", ") + " tokens"
            if let cost = sum["costUsd"]?.doubleValue, cost > 0, cost < 1e9 {
                words += " · " + (sum["costEstimated"] == true ? "~" : "") + TurnSummary.money(cost)
            }
            text.append("  " + DisplayWidth.pad(Sanitizer.cleanLine(name), to: 16), .bold)
            text.append(words + "\n", .dim)
        }
        let providers = view.usageByProvider?.objectValue ?? [:]
        for (name, sum) in providers { row(name, sum) }
        if providers.count != 1, let usage = view.usage {
            var sum = usage.objectValue ?? [:]
            if let cost = view.costUsd { sum["costUsd"] = JSON(cost) }
            sum["costEstimated"] = JSON(view.isCostEstimated)
            row("all", .object(sum))
        }
        if let share = view.contextShare, share >= 0, share < 10 {
            text.append("  " + DisplayWidth.pad("context", to: 16), .bold)
            text.append("\(Int(share * 100)) % used\n", .dim)
        }
        return text
    }
}
