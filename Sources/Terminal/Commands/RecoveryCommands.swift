import Client
import HubProtocol
import JSON

/// Commands about what waits, and about what is to become of a turn that failed.
enum RecoveryCommands {
    @Sendable static func retry(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let body = try later(invocation)
        let connection = try await Connection.open(invocation, starts: true)
        let id = try await connection.sessionId(invocation.argument(0))
        let answer = try await connection.call("POST", "/sessions/\(id)/retry", .object(body))
        let output = Output(invocation)
        if invocation.isJSON {
            output.print(json: answer)
        } else if let until = answer["parked"]?["until"]?.stringValue {
            output.print(StyledText("It is tried again at \(Sanitizer.cleanLine(until)).\n"))
        } else {
            output.print(answer["queued"]?.boolValue == true ? "Queued, before all others.\n" : "Trying again.\n")
        }
        return .ok
    }

    private static func later(_ invocation: Invocation) throws(CommandFailure) -> JSONObject {
        var body: JSONObject = [:]
        if invocation.has("later") { body["later"] = true }
        if let text = invocation.options["after"] {
            guard let seconds = Int(text), (0...366 * 86_400).contains(seconds) else {
                throw .usage("--after takes seconds, at most a year")
            }
            body["after"] = JSON(seconds)
        }
        if let time = invocation.options["at"] { body["at"] = JSON(time) }
        return body
    }

    @Sendable static func switchProvider(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        var body: JSONObject = ["providerId": JSON(ProviderID.resolve(invocation.argument(1) ?? ""))]
        for name in ["model", "mode", "effort"] { body[name] = invocation.options[name].map { JSON($0) } }
        if invocation.has("retry") { body["retry"] = true }
        return try await change(invocation, "POST", "provider", .object(body)) { answer in
            "\(RequestText.plain(answer["providerId"])) answers from now on."
        }
    }

    @Sendable static func fork(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        var body: JSONObject = [:]
        body["title"] = invocation.options["title"].map { JSON($0) }
        if let text = invocation.options["at"] {
            guard let seq = Int(text), seq > 0 else { throw .usage("--at takes the number of an event") }
            body["atSeq"] = JSON(seq)
        }
        return try await change(invocation, "POST", "fork", .object(body)) { RequestText.plain($0["id"]) }
    }

    @Sendable static func pause(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        try await change(invocation, "POST", "pause", [:]) { _ in "Paused: what is sent waits." }
    }

    @Sendable static func resume(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        try await change(invocation, "POST", "resume", [:]) { _ in "Goes on." }
    }

    @Sendable static func queue(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: true)
        var session = try await connection.session(invocation.argument(0))
        let id = try await connection.sessionId(session["id"]?.stringValue)
        let turns = Array(invocation.arguments.dropFirst())
        if invocation.has("withdraw") {
            guard !turns.isEmpty else { throw .usage("--withdraw takes at least one TURN") }
            for turn in turns {
                try await connection.call("DELETE", "/sessions/\(id)/messages/\(QueryText.encode(turn))")
            }
            session = try await connection.call("GET", "/sessions/\(id)")
        } else if !turns.isEmpty {
            session = try await connection.call("PATCH", "/sessions/\(id)/queue", ["order": JSON(turns)])
        }
        let output = Output(invocation)
        let waiting = session["queue"]?.arrayValue ?? []
        if invocation.isJSON {
            output.print(json: ["queue": .array(waiting)])
        } else if waiting.isEmpty {
            output.print("Nothing waits.\n")
        } else {
            let rows = waiting.map { message in
                [
                    RequestText.plain(message["position"]), RequestText.plain(message["turnId"]),
                    RequestText.plain(message["retryOf"] == nil ? nil : "again"),
                    DisplayWidth.truncate(RequestText.plain(message["content"]), to: 80),
                ]
            }
            output.print(table: ["PLACE", "TURN", "", "MESSAGE"], rows)
        }
        return .ok
    }

    private static func change(
        _ invocation: Invocation, _ method: String, _ path: String, _ body: JSON, _ sentence: (JSON) -> String
    ) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: true)
        let id = try await connection.sessionId(invocation.argument(0))
        let answer = try await connection.call(method, "/sessions/\(id)/\(path)", body)
        let output = Output(invocation)
        if invocation.isJSON {
            output.print(json: answer)
        } else {
            output.print(StyledText(Sanitizer.cleanLine(sentence(answer)) + "\n"))
        }
        return .ok
    }
}
