import Client
import Glibc
import JSON

/// A session on a terminal that obeys no sequences (`TERM=dumb`, as in Emacs' shell): lines out, lines in.
///
/// What is written is sent when nothing is asked, and answers what is asked: an option's number, its letter, its label.
struct PlainAttachment {
    private enum Happening: Sendable {
        case line(String?)
        case hub(HubEvent)
        case signal(Int32)
        case failed(CommandFailure)
    }

    static func run(
        _ connection: Connection, session: JSON, prompt: String?, output: Output
    ) async throws(CommandFailure) -> ExitCode {
        let opened = try await Attachment.open(session, connection)
        let (happenings, feed) = AsyncStream.makeStream(of: Happening.self)
        let forwarder = Task { for await event in opened.stream.events { feed.yield(.hub(event)) } }
        let signals = try? SignalWatch { feed.yield(.signal($0)) }
        defer {
            forwarder.cancel()
            opened.stream.close()
            signals?.close()
        }
        var view = SessionView(session: opened.session)
        view.renderer.options.rendersMarkdown = false
        view.renderer.options.showsRequests = true
        output.print(StyledText("Session \(view.sessionId)\n"))
        for event in opened.events { output.print(view.take(event, now: Attachment.now)) }
        // Blocks a thread of its own; it ends with the program.
        Task.detached {
            while let line = readLine() { feed.yield(.line(line)) }
            feed.yield(.line(nil))
        }
        let stream = opened.stream
        func send(_ type: String, _ fields: JSONObject) {
            var fields = fields
            fields["sessionId"] = JSON(view.sessionId)
            let frame = fields
            Task {
                do throws(HubError) { try await stream.send(type, frame) } catch {
                    feed.yield(.failed(CommandFailure(error)))
                }
            }
        }
        if let prompt { send("session:message", ["content": JSON(prompt)]) }
        for await happening in happenings {
            switch happening {
            case .hub(.frame(let frame)):
                output.print(view.take(frame, now: Attachment.now))
                if view.isShutDown || view.isDeleted { return .ok }
            case .hub(.reconnecting(let reason, let attempt, _)):
                if attempt == 1 { output.note("\(reason); reconnecting...") }
            case .hub(.ended(let error)):
                if let error { throw CommandFailure(error) }
                return .ok
            case .hub: break
            case .failed(let failure): output.note(failure.message)
            case .signal(let number):
                guard number == SIGINT, view.isRunning else { return .interrupted }
                send("session:interrupt", [:])
            case .line(nil): return .ok
            case .line(let line?):
                guard line.contains(where: { !$0.isWhitespace }) else { continue }
                let result = view.answer(text: line)
                switch result.answer {
                case .permission(let option, let message)?:
                    var fields: JSONObject = ["requestId": JSON(result.requestId), "optionId": JSON(option)]
                    if let message { fields["message"] = JSON(message) }
                    send("permission:respond", fields)
                case .question(let answers)?:
                    send("question:respond", ["requestId": JSON(result.requestId), "answers": .object(answers)])
                case .declined?, nil:
                    if !result.isTaken { send("session:message", ["content": JSON(line)]) }
                }
            }
        }
        return .ok
    }
}
