import Base
import Client
import Glibc
import JSON

/// The interactive client: one session on the person's terminal.
///
/// All that happens (keys, frames, signals, answers) comes through one queue and is dealt with in one task, so that
/// nothing here needs a lock.
struct Attachment {
    private enum Happening: Sendable {
        case terminal(TerminalDevice.Input)
        case hub(HubEvent)
        /// Nothing followed an escape byte.
        case escapeWaited
        case tick
        case hintIsOver(Int)
        case sendFailed(id: String, CommandFailure)
        case answerFailed(requestId: String, CommandFailure)
        case failed(CommandFailure)
        case text(StyledText)
    }

    private let connection: Connection
    private let output: Output
    private let stream: HubStream
    private let feed: AsyncStream<Happening>.Continuation
    private let backlog = Lock(0)
    private let device: TerminalDevice
    private var view: SessionView
    private var screen: Screen
    private var editor = LineEditor()
    private var keys = KeyDecoder()
    private var hint: String?
    private var hintNumber = 0
    private var lastInterrupt = -10.0
    private var isTicking = false
    private var exit: ExitCode?
    private var farewell = ""

    /// - Parameter prompt: sent at once.
    static func run(
        _ connection: Connection, session: JSON, prompt: String?, output: Output
    ) async throws(CommandFailure) -> ExitCode {
        let (happenings, feed) = AsyncStream.makeStream(of: Happening.self)
        var attachment = try await Attachment(connection, session: session, output: output, feed: feed)
        defer { attachment.device.close() }
        return await attachment.loop(happenings, prompt: prompt)
    }

    private init(
        _ connection: Connection, session: JSON, output: Output, feed: AsyncStream<Happening>.Continuation
    ) async throws(CommandFailure) {
        self.connection = connection
        self.output = output
        self.feed = feed
        view = SessionView(session: session)
        let id = view.sessionId
        // History by HTTP up to a cursor, then the stream from that cursor: nothing is lost or doubled between them.
        let history = try await connection.call(
            "GET", "/sessions/\(id)/events?before=\((session["lastSeq"]?.intValue ?? 0) &+ 1)&limit=100")
        let events = (history["events"]?.arrayValue ?? []).compactMap { LogEvent(record: $0, sessionId: id) }
        var options = StreamOptions()
        options.name = "terminal"
        options.subscription = .sessions([id])
        options.resume = [id: events.last?.seq ?? 0]
        let chosen = options
        stream = try await hub { () throws(HubError) in try await connection.client.openStream(chosen) }
        do throws(SystemError) {
            device = try TerminalDevice { feed.yield(.terminal($0)) }
        } catch {
            throw CommandFailure(.usage, "no_terminal", "cannot use the terminal: \(error)")
        }
        let size = TerminalDevice.size
        screen = Screen(width: size.width, height: size.height, colours: output.colours)
        editor.completions = SlashCommand.all.map { "/" + $0.name }
        var text = view.renderer.notice("Session \(id)" + (view.title.isEmpty ? "" : " · \(view.title)"))
        if let first = events.first, first.seq > 1 {
            text.append(view.renderer.notice("· \(first.seq - 1) earlier events: codeai-hub log \(id.prefix(8))"))
        }
        for event in events { text.append(view.take(event, now: Attachment.now)) }
        show(text)
    }

    private static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    // MARK: The loop

    private mutating func loop(_ happenings: AsyncStream<Happening>, prompt: String?) async -> ExitCode {
        let (stream, feed, backlog) = (stream, feed, backlog)
        let forwarder = Task {
            for await event in stream.events {
                feed.yield(.hub(event))
                // The queue to here has no bound of its own: a terminal that takes nothing holds the stream back.
                while backlog.withLock({
                    $0 += 1
                    return $0
                }) > 2000, !Task.isCancelled {
                    backlog.withLock { $0 -= 1 }
                    try? await Task.sleep(for: .milliseconds(20))
                }
            }
        }
        if let prompt { send(prompt) }
        for await happening in happenings {
            take(happening)
            if let exit {
                forwarder.cancel()
                stream.close()
                TerminalDevice.write(screen.finish())
                if !farewell.isEmpty { output.print(StyledText(farewell + "\n", .dim)) }
                return exit
            }
        }
        return .ok
    }

    private mutating func take(_ happening: Happening) {
        switch happening {
        case .terminal(.bytes(let bytes)):
            for key in keys.feed(bytes) where exit == nil { take(key) }
            if keys.isWaiting { later(.milliseconds(50), .escapeWaited) }
            show("")
        case .terminal(.signal(let number)): takeSignal(number)
        case .terminal(.end): leave("")
        case .escapeWaited:
            for key in keys.flush() { take(key) }
            show("")
        case .hub(let event):
            backlog.withLock { $0 = max(0, $0 - 1) }
            show(take(event))
        case .tick:
            isTicking = false
            show("")
        case .hintIsOver(let number):
            if number == hintNumber { hint = nil }
            show("")
        case .sendFailed(let id, let failure):
            let text = view.sendFailed(id)
            // What could not be sent is not lost: it stands in the input line again.
            if let text, editor.isEmpty { editor.replace(with: text) }
            show(view.renderer.notice("✗ not sent: \(failure.message)", .red))
        case .answerFailed(let requestId, let failure):
            view.answerFailed(requestId)
            let isLate = failure.code == "already_resolved"
            show(view.renderer.notice(isLate ? "· somebody else was faster" : "✗ \(failure.message)", .yellow))
        case .failed(let failure): show(view.renderer.notice("✗ \(failure.message)", .red))
        case .text(let text): show(text)
        }
        startTicking()
    }

    private mutating func take(_ event: HubEvent) -> StyledText {
        switch event {
        case .connected:
            view.connectionProblem = nil
            return ""
        case .reconnecting(let reason, let attempt, _):
            if view.isShutDown {
                leave("The daemon was stopped. The session is kept: codeai-hub attach \(view.sessionId.prefix(8))")
                return ""
            }
            let help = attempt > 3 ? " (/start starts the daemon, Ctrl-D leaves)" : ""
            view.connectionProblem = "reconnecting...\(help) \(Sanitizer.cleanLine(reason))"
            return ""
        case .missing(_, let after, let before):
            return view.renderer.notice("! events \(after + 1) to \(before - 1) can't be read", .yellow)
        case .ended(let error):
            leave(error?.message ?? "")
            if error != nil { exit = .noDaemon }
            return ""
        case .frame(let frame):
            let text = view.take(frame, now: Attachment.now)
            if !view.isRunning, lastInterrupt > 0, hint == "interrupting..." { hint = nil }
            if view.isDeleted { leave("The session was deleted.") }
            return text
        }
    }

    private mutating func takeSignal(_ number: Int32) {
        switch number {
        case SIGWINCH:
            let size = TerminalDevice.size
            TerminalDevice.write(screen.resize(width: size.width, height: size.height))
            show("")
        case SIGCONT:
            device.enterRawMode()
            show("")
        case SIGINT: interrupt()
        default:
            // SIGTERM, SIGHUP: the terminal is given back, then the program ends as one that was signalled.
            leave("")
            exit = .interrupted
        }
    }

    /// Draws what is new above, and the live area.
    private mutating func show(_ text: StyledText) {
        let area = view.area(
            editor: editor, columns: screen.columns, height: screen.height, now: Attachment.now, hint: hint)
        TerminalDevice.write(screen.update(text, area))
    }

    private mutating func startTicking() {
        guard view.isRunning, view.requests.isEmpty, !isTicking else { return }
        isTicking = true
        later(.seconds(1), .tick)
    }

    private func later(_ delay: Duration, _ happening: Happening) {
        let feed = feed
        Task {
            try? await Task.sleep(for: delay)
            feed.yield(happening)
        }
    }

    private mutating func say(_ text: String) {
        hint = text
        hintNumber += 1
        later(.seconds(2), .hintIsOver(hintNumber))
    }

    private mutating func leave(_ words: String) {
        farewell = words
        exit = exit ?? .ok
    }

    // MARK: Keys

    private mutating func take(_ key: Key) {
        if editor.isEmpty {
            let result = view.answer(key, now: Attachment.now)
            if let answer = result.answer { respond(result.requestId, answer) }
            if result.isTaken { return }
        }
        switch editor.handle(key) {
        case .changed, .ignored: break
        case .submit(let line): submit(line)
        case .interrupt: interrupt()
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
    }

    private mutating func interrupt() {
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
        if line.hasPrefix("/"), let command = SlashCommand.parse(line) { return run(command) }
        let result = view.answer(text: line)
        if let answer = result.answer { respond(result.requestId, answer) }
        if !result.isTaken { send(line) }
    }

    private mutating func send(_ text: String, mode: String = "queue") {
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

    private func respond(_ requestId: String, _ answer: RequestPrompt.Answer) {
        let (stream, session, feed, connection) = (stream, view.sessionId, feed, connection)
        Task {
            do throws(CommandFailure) {
                var fields: JSONObject = ["sessionId": JSON(session), "requestId": JSON(requestId)]
                switch answer {
                case .permission(let option):
                    fields["optionId"] = JSON(option)
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

    // MARK: Commands of the input line

    private mutating func run(_ command: SlashCommand.Call) {
        let path = "/sessions/\(view.sessionId)"
        switch command.name {
        case "quit": leave("Left the session: codeai-hub attach \(view.sessionId.prefix(8))")
        case "help": show(SlashCommand.help)
        case "interrupt":
            lastInterrupt = -10
            interrupt()
        case "rename": call("PATCH", path, ["title": JSON(command.rest)], if: !command.rest.isEmpty)
        case "model": call("PATCH", path, ["model": JSON(command.rest)], if: !command.rest.isEmpty)
        case "mode": call("PATCH", path, ["mode": JSON(command.rest)], if: !command.rest.isEmpty)
        case "resume": call("POST", path + "/resume", [:], if: true)
        case "pause": call("POST", path + "/pause", [:], if: true)
        case "retry": call("POST", path + "/retry", [:], if: true)
        case "later":
            let seconds = Int(command.rest)
            call(
                "POST", path + "/retry", seconds.map { ["after": JSON($0)] } ?? ["later": true],
                if: command.rest.isEmpty || seconds != nil)
        case "switch":
            call(
                "POST", path + "/provider", ["providerId": JSON(command.rest), "retry": true], if: !command.rest.isEmpty
            )
        case "steer":
            if command.rest.isEmpty { say("a word is missing: /help") } else { send(command.rest, mode: "steer") }
        case "withdraw":
            if let turn = view.lastQueued {
                call("DELETE", path + "/messages/\(QueryText.encode(turn))", [:], if: true)
            } else {
                say("nothing waits")
            }
        case "decline":
            let result = view.decline()
            if let answer = result.answer { respond(result.requestId, answer) } else { say("no question waits") }
        case "sessions": listSessions()
        case "start": startDaemon()
        default: say("there is no /\(command.name); /help lists what there is")
        }
    }

    private mutating func call(_ method: String, _ path: String, _ body: JSONObject, if isComplete: Bool) {
        guard isComplete else { return say("a word is missing: /help") }
        let (connection, feed) = (connection, feed)
        Task {
            do throws(CommandFailure) { try await connection.call(method, path, .object(body)) } catch {
                feed.yield(.failed(error))
            }
        }
    }

    private func listSessions() {
        let (connection, feed, own) = (connection, feed, view.sessionId)
        Task {
            do throws(CommandFailure) {
                let sessions = try await connection.sessions(limit: 20)
                var text = StyledText("\n")
                for session in sessions {
                    let id = session["id"]?.stringValue ?? ""
                    let words = ["status", "providerId", "title"].map { RequestText.plain(session[$0]) }
                    let mark = id == own ? "* " : "  "
                    text.append(
                        Sanitizer.cleanLine("\(mark)\(id.prefix(8))  \(words.joined(separator: "  "))") + "\n", .dim)
                }
                feed.yield(.text(text))
            } catch { feed.yield(.failed(error)) }
        }
    }

    private mutating func startDaemon() {
        say("starting the daemon...")
        let (home, feed) = (connection.home, feed)
        Task {
            do throws(HubError) { _ = try await DaemonLauncher(home: home).ensureRunning() } catch {
                feed.yield(.failed(CommandFailure(error)))
            }
        }
    }
}
