import Base
import Client
import Glibc
import JSON

/// Sends a message and prints the turn that it begins, without anybody at a keyboard.
struct TurnFollower {
    let connection: Connection
    let output: Output
    let session: JSON
    let isQuiet: Bool

    private enum Happening: Sendable {
        case hub(HubEvent)
        case signal(Int32)
        case looked(othersAreThere: Bool)
    }

    init(connection: Connection, output: Output, session: JSON, _ invocation: Invocation) {
        self.connection = connection
        self.output = output
        self.session = session
        isQuiet = invocation.has("quiet")
    }

    func run(_ prompt: String) async throws(CommandFailure) -> ExitCode {
        let id = session["id"]?.stringValue ?? ""
        var options = StreamOptions()
        options.subscription = .sessions([id])
        options.resume = [id: session["lastSeq"]?.intValue ?? 0]
        let chosen = options
        let stream = try await hub { () throws(HubError) in try await connection.client.openStream(chosen) }
        let (happenings, feed) = AsyncStream.makeStream(of: Happening.self)
        let signals = try? SignalWatch { feed.yield(.signal($0)) }
        let answer = try await hub { () throws(HubError) in
            try await stream.send(
                "session:message",
                ["sessionId": JSON(id), "content": JSON(prompt), "clientMessageId": JSON(Identifier.random())],
                timeout: .seconds(60))
        }
        let forwarder = Task {
            for await event in stream.events { feed.yield(.hub(event)) }
        }
        defer {
            forwarder.cancel()
            stream.close()
            signals?.close()
        }
        var turn = Turn(id: answer["turnId"]?.stringValue ?? "", sessionId: id, output: output, isQuiet: isQuiet)
        var wasInterrupted = false
        for await happening in happenings {
            switch happening {
            case .hub(.ended(let error)):
                throw CommandFailure(error ?? HubError(.connectionLost, "the connection to the daemon has ended"))
            case .hub(let event):
                if let code = turn.take(event) { return wasInterrupted ? .interrupted : code }
                if turn.needsAnswer, !turn.isLooking {
                    turn.isLooking = true
                    look(feed)
                }
            case .looked(let othersAreThere):
                turn.isLooking = false
                guard turn.needsAnswer else { continue }
                if !othersAreThere { return turn.giveUp() }
                turn.isLooking = true
                Task {
                    try? await Task.sleep(for: .seconds(2))
                    look(feed)
                }
            case .signal(let number):
                guard number == SIGINT, !wasInterrupted else { return .interrupted }
                wasInterrupted = true
                output.note("interrupting the turn; again to leave")
                Task { try? await stream.send("session:interrupt", ["sessionId": JSON(id)]) }
            }
        }
        return .interrupted
    }

    /// Whether anybody but us is connected, who could answer.
    private func look(_ feed: AsyncStream<Happening>.Continuation) {
        let client = connection.client
        Task {
            let health = try? await client.call("GET", "/health")
            feed.yield(.looked(othersAreThere: (health?["clients"]?.intValue ?? 0) > 1))
        }
    }
}

/// What has come of the turn that is being followed.
private struct Turn {
    let id: String
    let sessionId: String
    let output: Output
    let isQuiet: Bool
    var isLooking = false
    private var renderer = TranscriptRenderer()
    private var pending: Set<String> = []

    init(id: String, sessionId: String, output: Output, isQuiet: Bool) {
        self.id = id
        self.sessionId = sessionId
        self.output = output
        self.isQuiet = isQuiet
        renderer.options.showsThinking = !isQuiet
        renderer.options.rendersMarkdown = output.colours > .off
    }

    var needsAnswer: Bool { !pending.isEmpty }

    /// The exit code when the turn has ended.
    mutating func take(_ event: HubEvent) -> ExitCode? {
        switch event {
        case .frame(let frame): return take(frame)
        case .reconnecting(let reason, let attempt, _):
            if attempt == 1 { output.note("\(reason); reconnecting...") }
        case .missing, .connected, .ended: break
        }
        return nil
    }

    private mutating func take(_ frame: HubFrame) -> ExitCode? {
        if frame.type == "core:state" {
            for item in frame.payload?["open"]?.arrayValue ?? [] { chunk(item, frame: nil) }
            return nil
        }
        guard frame.sessionId == sessionId else { return nil }
        if frame.type == "stream:chunk" {
            if let payload = frame.payload { chunk(payload, frame: frame) }
            return nil
        }
        guard let event = LogEvent(frame), event.turnId == id else { return nil }
        if output.isJSON {
            output.print(json: frame.json)
        } else if isShown(event) {
            output.print(renderer.event(event))
        }
        let request = event.data["requestId"]?.stringValue ?? ""
        switch event.kind {
        case "permission_requested", "question_requested": pending.insert(request)
        case "permission_resolved", "question_resolved": pending.remove(request)
        case "turn_completed": return event.data["status"]?.stringValue == "completed" ? .ok : .turnFailed
        default: break
        }
        return nil
    }

    private mutating func chunk(_ payload: JSON, frame: HubFrame?) {
        guard payload["turnId"]?.stringValue == id else { return }
        if output.isJSON {
            if let frame { output.print(json: frame.json) }
        } else if !isQuiet || payload["kind"]?.stringValue == "message" {
            output.print(renderer.chunk(payload))
        }
    }

    private func isShown(_ event: LogEvent) -> Bool {
        // Who sent the message knows it.
        if event.kind == "message" { return event.data["role"]?.stringValue != "user" }
        return !isQuiet || event.kind == "error"
    }

    func giveUp() -> ExitCode {
        if !output.isJSON {
            let short = sessionId.prefix(8)
            output.note(
                "the turn waits for an answer: codeai-hub approve \(short), deny \(short), answer \(short) "
                    + "or attach \(short)")
        }
        return .waiting
    }
}
