import Client
import Glibc
import JSON

/// Keys, and what is sent when Enter is pressed.
extension Attachment {
    /// How long a letter waits for another one before it answers a prompt: who writes "and then" must not have
    /// allowed anything with its first letter.
    private static let answerDelay = Duration.milliseconds(300)

    mutating func take(_ key: Key) {
        if let held = heldKey {
            heldKey = nil
            _ = editor.handle(held)
        } else if editor.isEmpty, editor.search == nil {
            if case .character = key, view.takes(key, now: Attachment.now) {
                heldKey = key
                heldNumber += 1
                return later(Attachment.answerDelay, .answerWaited(heldNumber))
            }
            if answer(key) { return }
        }
        switch editor.handle(key) {
        case .changed: offerCommands(after: key)
        case .ignored: break
        case .submit(let line): submit(line)
        case .interrupt: interrupt()
        case .escape: escape()
        case .complete:
            _ = editor.complete(editor.completable.flatMap { completer.completion(for: $0) })
        case .unfold: unfold()
        case .endOfInput:
            leave(
                view.isRunning
                    ? "The session goes on: codeai-hub attach \(view.sessionId.prefix(8))"
                    : "Left the session: codeai-hub attach \(view.sessionId.prefix(8))")
        case .suspend:
            TerminalDevice.write(screen.finish())
            device.suspend()
        case .redraw: TerminalDevice.write("\u{1b}[2J\u{1b}[H" + screen.finish())
        }
        let sent = editor.history.takeNew()
        if !sent.isEmpty { historyFile.add(sent) }
    }

    mutating func releaseHeldKey() {
        guard let key = heldKey else { return }
        heldKey = nil
        // The prompt may have gone meanwhile: then it was the beginning of a text after all.
        if !answer(key) { _ = editor.handle(key) }
    }

    private mutating func answer(_ key: Key) -> Bool {
        let result = view.answer(key, now: Attachment.now)
        if let answer = result.answer { respond(result.requestId, answer) }
        return result.isTaken
    }

    /// While a command is being written, what there is stands below the line.
    private mutating func offerCommands(after key: Key) {
        // Who has closed the list wants no other one before the next key.
        guard key != .escape, editor.completion?.chosen == nil else { return }
        editor.completion = nil
        guard let text = editor.completable, text.hasPrefix("/"), let offered = completer.completion(for: text),
            offered.candidates.map(\.word) != [text]
        else { return }
        // For a command that is complete, its help is enough.
        editor.completion = offered
    }

    private var completer: Completer {
        var completer = Completer()
        completer.models = view.choices("models")
        completer.modes = view.choices("modes")
        completer.providers = view.providers.compactMap { record in
            record["id"]?.stringValue.map { ($0, record["name"]?.stringValue ?? "") }
        }
        completer.sessions = view.sessions
        completer.queued = view.queue.map(\.content)
        let workspace = view.workspace
        completer.files = { Attachment.names(in: $0.hasPrefix("/") ? $0 : workspace + "/" + $0) }
        return completer
    }

    /// What is in a folder, folders with a slash at their end; at most a few thousand names.
    private static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while names.count < 5000, let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            names.append(entry.pointee.d_type == UInt8(DT_DIR) ? name + "/" : name)
        }
        return names
    }

    private mutating func escape() {
        if view.isRunning { return interrupt() }
        if !editor.isEmpty { say("Ctrl-C clears the line") }
    }

    mutating func unfold() {
        if let request = view.wholeRequest() { return show(request) }
        let text = view.renderer.unfold()
        if text.isEmpty { say("nothing is folded") } else { show(text) }
    }

    mutating func interrupt() {
        let now = Attachment.now
        if view.isRunning, now - lastInterrupt > 1 {
            lastInterrupt = now
            say("interrupting...")
            let (stream, id, feed) = (stream, view.sessionId, feed)
            Task {
                do throws(HubError) {
                    try await stream.send("session:interrupt", ["sessionId": JSON(id)], timeout: .seconds(10))
                } catch { feed.yield(.failed(CommandFailure(error))) }
            }
            return
        }
        if now - lastInterrupt <= 1 {
            return leave("Left the session: codeai-hub attach \(view.sessionId.prefix(8))")
        }
        lastInterrupt = now
        say("Ctrl-C again leaves; the session is kept")
    }

    private mutating func submit(_ line: String) {
        guard line.contains(where: { !$0.isWhitespace }) else { return }
        let result = view.requests.first?.takesMessage == true || !line.hasPrefix("/") ? view.answer(text: line) : nil
        if let result, result.isTaken {
            if let answer = result.answer { respond(result.requestId, answer) }
            return
        }
        if line.hasPrefix("/"), let command = SlashCommand.parse(line) { return run(command) }
        send(line)
    }

    // MARK: Sending

    mutating func send(_ text: String, mode: String = "queue") {
        let id = Identifier.random()
        view.willSend(id, text)
        let (stream, session, feed) = (stream, view.sessionId, feed)
        Task {
            do throws(HubError) {
                try await stream.send(
                    "session:message",
                    [
                        "sessionId": JSON(session), "content": JSON(text), "clientMessageId": JSON(id),
                        "mode": JSON(mode),
                    ],
                    timeout: .seconds(600))
            } catch { feed.yield(.sendFailed(id: id, CommandFailure(error))) }
        }
    }

    func respond(_ requestId: String, _ answer: RequestPrompt.Answer) {
        let (stream, session, feed, connection) = (stream, view.sessionId, feed, connection)
        Task {
            do throws(CommandFailure) {
                var fields: JSONObject = ["sessionId": JSON(session), "requestId": JSON(requestId)]
                switch answer {
                case .permission(let option, let message):
                    fields["optionId"] = JSON(option)
                    if let message { fields["message"] = JSON(message) }
                    let frame = fields
                    try await hub { () throws(HubError) in try await stream.send("permission:respond", frame) }
                case .question(let answers):
                    fields["answers"] = .object(answers)
                    let frame = fields
                    try await hub { () throws(HubError) in try await stream.send("question:respond", frame) }
                case .declined:
                    let path = "/sessions/\(session)/questions/\(QueryText.encode(requestId))"
                    try await connection.call("POST", path, ["outcome": "declined"])
                }
            } catch { feed.yield(.answerFailed(requestId: requestId, error)) }
        }
    }
}
