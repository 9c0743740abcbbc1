import Base
import Client
import Glibc
import JSON

/// The interactive client: one session at a time on the person's terminal.
///
/// All that happens (keys, frames, signals, answers) comes through one queue and is dealt with in one task, so that
/// nothing here needs a lock.
struct Attachment {
    enum Happening: Sendable {
        case terminal(TerminalDevice.Input)
        /// From the stream with that number: what an earlier one still says is of no interest.
        case hub(Int, HubEvent)
        /// Nothing followed an escape byte.
        case escapeWaited
        case tick
        case hintIsOver(Int)
        case draftWaited(Int)
        /// Nothing followed a key that answers.
        case answerWaited(Int)
        case sendFailed(id: String, CommandFailure)
        case answerFailed(requestId: String, CommandFailure)
        case failed(CommandFailure)
        case text(StyledText)
        case said(String)
        /// A message was taken out of the queue: it stands in the input line again.
        case withdrawn(String)
        case goOver(OpenedSession)
    }

    /// A session whose history was read, and the stream that goes on from there.
    struct OpenedSession: Sendable {
        var session: JSON
        var events: [LogEvent]
        var stream: HubStream
    }

    let connection: Connection
    let output: Output
    let feed: AsyncStream<Happening>.Continuation
    let device: TerminalDevice
    let historyFile: HistoryFile
    /// Happenings of the stream that have not been dealt with.
    private let backlog = Lock(0)
    private var forwarder: Task<Void, Never>?
    private(set) var stream: HubStream
    private var streamNumber = 0
    var view: SessionView
    var screen: Screen
    var editor = LineEditor()
    var drafts = DraftKeeper(known: nil, isOffered: false)
    private var keys = KeyDecoder()
    /// Output that was not drawn yet: a fast stream is drawn some thirty times a second.
    private var undrawn = StyledText()
    private var lastDrawn = -1.0
    /// A key that answers a prompt when it was not the beginning of a text.
    var heldKey: Key?
    var heldNumber = 0
    var hint: String?
    private var hintNumber = 0
    var lastInterrupt = -10.0
    private var isTicking = false
    private(set) var exit: ExitCode?
    private var farewell = ""

    private static let drawEvery = 0.03
    private static let historyEvents = 100

    /// - Parameter prompt: sent at once.
    static func run(
        _ connection: Connection, session: JSON, prompt: String?, output: Output
    ) async throws(CommandFailure) -> ExitCode {
        let (happenings, feed) = AsyncStream.makeStream(of: Happening.self)
        let opened = try await open(session, connection)
        var attachment = try Attachment(connection, opened, output: output, feed: feed)
        defer { attachment.device.close() }
        return await attachment.loop(happenings, prompt: prompt)
    }

    private init(
        _ connection: Connection, _ opened: OpenedSession, output: Output, feed: AsyncStream<Happening>.Continuation
    ) throws(CommandFailure) {
        self.connection = connection
        self.output = output
        self.feed = feed
        historyFile = HistoryFile(
            home: connection.home.path, limit: HistoryFile.limit(environment: environmentVariable))
        editor.history = LineHistory(historyFile.load(), limit: historyFile.limit)
        do throws(SystemError) {
            device = try TerminalDevice { feed.yield(.terminal($0)) }
        } catch {
            opened.stream.close()
            throw CommandFailure(.usage, "no_terminal", "cannot use the terminal: \(error)")
        }
        let size = TerminalDevice.size
        screen = Screen(width: size.width, height: size.height, colours: output.colours)
        stream = opened.stream
        view = SessionView(session: opened.session, columns: size.width - 1)
        begin(opened)
    }

    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    // MARK: Sessions

    /// History by HTTP up to a cursor, then the stream from that cursor: nothing is lost or doubled between them.
    static func open(_ session: JSON, _ connection: Connection) async throws(CommandFailure) -> OpenedSession {
        let id = session["id"]?.stringValue ?? ""
        guard QueryText.isPlain(id) else {
            throw CommandFailure(.refused, "invalid_answer", "the daemon's session has no usable id")
        }
        let before = (session["lastSeq"]?.intValue ?? 0) &+ 1
        let history = try await connection.call(
            "GET", "/sessions/\(id)/events?before=\(before)&limit=\(historyEvents)")
        let events = (history["events"]?.arrayValue ?? []).compactMap { LogEvent(record: $0, sessionId: id) }
        var options = StreamOptions()
        options.name = "terminal"
        options.subscription = .sessions([id])
        options.resume = [id: events.last?.seq ?? 0]
        let chosen = options
        let stream = try await hub { () throws(HubError) in try await connection.client.openStream(chosen) }
        return OpenedSession(session: session, events: events, stream: stream)
    }

    /// Shows the session's last messages, and hears what follows.
    private mutating func begin(_ opened: OpenedSession) {
        stream = opened.stream
        streamNumber += 1
        view = SessionView(session: opened.session, columns: screen.columns)
        loadDraft(opened.session)
        let id = view.sessionId
        var text = view.renderer.notice("Session \(id)" + (view.title.isEmpty ? "" : " · \(view.title)"))
        if let first = opened.events.first, first.seq > 1 {
            text.append(view.renderer.notice("· \(first.seq - 1) earlier events: codeai-hub log \(id.prefix(8))"))
        }
        for event in opened.events { text.append(view.take(event, now: Attachment.now)) }
        show(text)
        let (stream, feed, backlog, number) = (stream, feed, backlog, streamNumber)
        backlog.withLock { $0 = 0 }
        forwarder = Task {
            for await event in stream.events {
                // Counted first: else it could be dealt with before, and never be counted off.
                backlog.withLock { $0 += 1 }
                feed.yield(.hub(number, event))
                // The queue to here has no bound of its own: a terminal that takes nothing holds the stream back.
                while backlog.withLock({ $0 }) > 2000, !Task.isCancelled {
                    try? await Task.sleep(for: .milliseconds(20))
                }
            }
        }
    }

    mutating func goOver(to opened: OpenedSession) {
        leaveDraft()
        forwarder?.cancel()
        stream.close()
        TerminalDevice.write(screen.finish() + "\n")
        hint = nil
        begin(opened)
    }

    // MARK: The loop

    private mutating func loop(_ happenings: AsyncStream<Happening>, prompt: String?) async -> ExitCode {
        if let prompt { send(prompt) }
        for await happening in happenings {
            take(happening)
            if let exit {
                forwarder?.cancel()
                stream.close()
                draw()
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
            noteDraft()
            show("")
        case .terminal(.signal(let number)): takeSignal(number)
        case .terminal(.end): leave("")
        case .escapeWaited:
            for key in keys.flush() { take(key) }
            show("")
        case .hub(let number, let event):
            guard number == streamNumber else { return }
            let waiting = backlog.withLock {
                $0 = max(0, $0 - 1)
                return $0
            }
            undrawn.append(take(event))
            // Another one follows, which draws both.
            if waiting == 0 || Attachment.now - lastDrawn > Attachment.drawEvery { draw() }
        case .tick:
            isTicking = false
            show("")
        case .hintIsOver(let number):
            if number == hintNumber { hint = nil }
            show("")
        case .draftWaited(let number): storeDraft(number)
        case .answerWaited(let number):
            if number == heldNumber { releaseHeldKey() }
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
        case .failed(let failure):
            hint = nil
            show(view.renderer.notice("✗ \(failure.message)", .red))
        case .text(let text): show(text)
        case .said(let words):
            say(words)
            show("")
        case .withdrawn(let text):
            if editor.isEmpty { editor.replace(with: text) }
            show("")
        case .goOver(let opened): goOver(to: opened)
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
        case .frame(let frame) where frame.type == "session:draft":
            takeDraft(frame)
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
            view.setColumns(screen.columns)
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
    mutating func show(_ text: StyledText) {
        undrawn.append(text)
        draw()
    }

    private mutating func draw() {
        let now = Attachment.now
        let area = view.area(editor: editor, columns: screen.columns, height: screen.height, now: now, hint: hint)
        TerminalDevice.write(screen.update(undrawn, area))
        undrawn = StyledText()
        lastDrawn = now
    }

    private mutating func startTicking() {
        guard view.isRunning, view.requests.isEmpty, !isTicking else { return }
        isTicking = true
        later(.seconds(1), .tick)
    }

    func later(_ delay: Duration, _ happening: Happening) {
        let feed = feed
        Task {
            try? await Task.sleep(for: delay)
            feed.yield(happening)
        }
    }

    mutating func say(_ text: String) {
        hint = text
        hintNumber += 1
        later(.seconds(3), .hintIsOver(hintNumber))
    }

    mutating func leave(_ words: String) {
        farewell = words
        exit = exit ?? .ok
    }
}
