import Client
import Glibc
import HubProtocol
import JSON

/// Commands that hold a conversation: on a terminal interactively, elsewhere until the turn ends.
enum ConversationCommands {
    @Sendable static func new(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: true)
        let output = Output(invocation)
        var words = invocation.arguments
        let providers = (try await connection.call("GET", "/providers"))["providers"]?.arrayValue ?? []
        let provider: String
        if let named = invocation.options["provider"] {
            provider = ProviderID.resolve(named)
        } else if let first = words.first, let known = find(first, providers) {
            provider = known
            words.removeFirst()
        } else {
            provider = try await hub { () throws(HubError) in try await connection.client.preferredProvider() }
        }
        var body: JSONObject = ["providerId": JSON(provider), "workspace": JSON(try workspace(invocation))]
        for name in ["model", "mode", "title"] {
            if let value = invocation.options[name] { body[name] = JSON(value) }
        }
        let prompt = try text(words)
        let session = try await connection.call("POST", "/sessions", .object(body))
        guard let id = session["id"]?.stringValue, QueryText.isPlain(id) else {
            throw CommandFailure(.refused, "invalid_answer", "the daemon's session has no usable id")
        }
        if TerminalDevice.isInteractive, !invocation.isJSON {
            return try await converse(connection, session: session, prompt: prompt, output: output)
        }
        guard let prompt else {
            if invocation.isJSON { output.print(json: session) } else { output.print(StyledText(id + "\n")) }
            return .ok
        }
        if !invocation.isJSON { output.note("session \(id)") }
        return try await TurnFollower(connection: connection, output: output, session: session, invocation).run(prompt)
    }

    @Sendable static func attach(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: true)
        let session = try await connection.session(invocation.argument(0))
        let output = Output(invocation)
        if TerminalDevice.isInteractive, !invocation.isJSON {
            return try await converse(connection, session: session, prompt: nil, output: output)
        }
        let id = try await connection.sessionId(session["id"]?.stringValue)
        // Nothing here gives signals a meaning of their own: they end the command as usual.
        let signals = SignalWatch.ending()
        defer { signals?.close() }
        var printer = LogPrinter(output: output, sessionId: id)
        let history = try await connection.call(
            "GET", "/sessions/\(id)/events?before=\((session["lastSeq"]?.intValue ?? 0) &+ 1)&limit=100")
        var last = 0
        for event in history["events"]?.arrayValue ?? [] {
            printer.print(record: event)
            last = max(last, event["seq"]?.intValue ?? 0)
        }
        return try await printer.follow(connection, after: last)
    }

    private static func converse(
        _ connection: Connection, session: JSON, prompt: String?, output: Output
    ) async throws(CommandFailure) -> ExitCode {
        guard output.colours > .off else {
            return try await PlainAttachment.run(connection, session: session, prompt: prompt, output: output)
        }
        return try await Attachment.run(connection, session: session, prompt: prompt, output: output)
    }

    @Sendable static func send(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: true)
        let session = try await connection.session(invocation.argument(0))
        let id = try await connection.sessionId(session["id"]?.stringValue)
        guard let prompt = try text(Array(invocation.arguments.dropFirst())) else { throw .usage("TEXT is missing") }
        let output = Output(invocation)
        if invocation.has("wait") {
            let follower = TurnFollower(connection: connection, output: output, session: session, invocation)
            return try await follower.run(prompt)
        }
        var body: JSONObject = ["content": JSON(prompt), "clientMessageId": JSON(Identifier.random())]
        if invocation.has("steer") { body["mode"] = "steer" }
        if invocation.has("reject") { body["mode"] = "reject" }
        let answer = try await connection.call("POST", "/sessions/\(id)/messages", .object(body))
        if invocation.isJSON {
            output.print(json: answer)
        } else {
            let place = answer["position"]?.intValue.map { ", place \($0) in the queue" } ?? ", queued"
            output.print(StyledText("Sent\(answer["queued"]?.boolValue == true ? place : "").\n"))
        }
        return .ok
    }

    /// The words as one text; nil when there are none. `-` stands for standard input.
    private static func text(_ words: [String]) throws(CommandFailure) -> String? {
        guard words != ["-"] else {
            var lines: [String] = []
            var bytes = 0
            while let line = readLine(strippingNewline: false) {
                lines.append(line)
                bytes += line.utf8.count
                guard bytes <= 8 << 20 else {
                    throw CommandFailure(.usage, "payload_too_large", "standard input is larger than 8 MiB")
                }
            }
            return lines.joined()
        }
        return words.isEmpty ? nil : words.joined(separator: " ")
    }

    private static func workspace(_ invocation: Invocation) throws(CommandFailure) -> String {
        let path = invocation.options["workspace"] ?? "."
        guard let resolved = realpath(path, nil) else {
            throw .usage("the workspace \(path) does not exist")
        }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    // MARK: Providers

    /// The provider that a word names, if it names one.
    private static func find(_ word: String, _ providers: [JSON]) -> String? {
        let id = ProviderID.resolve(word)
        return providers.compactMap { $0["id"]?.stringValue }.first { $0 == id }
    }
}
