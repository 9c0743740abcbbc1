import ACPMessages
import Client
import EventLoop
import JSON

/// A session of the daemon's as the editor has it open: what happens in it goes to the editor, in the order of its log.
/// Loop-confined.
///
/// It has a stream of its own, which goes on by cursor whatever happens to the connection or to the daemon.
final class DoorSession {
    enum Opening {
        /// - Parameter leftOut: MCP servers that the editor wants the agent to have.
        case new(leftOut: [String])
        /// Its log is told.
        case load
        /// The editor knows what was said: its log is read only for what can be chosen and what waits for an answer.
        case resume
    }

    let id: String
    unowned let door: Door
    var narrator: Narrator
    var choices: SessionChoices
    var title: String?
    var prompts: [DoorPrompt] = []
    /// Permissions and questions that nobody has answered yet, oldest first.
    var pending: [PendingRequest] = []
    private let stream: HubStream
    /// Answered when all of the log has come.
    private var loading: EditorRequest?
    /// What comes is not the editor's to hear.
    private var isSilent = false
    /// Texts that were growing when the log was asked for, as far as they had come.
    private var growing: [JSON] = []
    private var liveOutput: LoopTimer?
    private var isClosed = false

    /// How long a tool's output is gathered before it is shown.
    private static let outputPause = Duration.milliseconds(150)

    init(record: JSON, providers: [JSON], door: Door, stream: HubStream) {
        id = record["id"]?.stringValue ?? ""
        self.door = door
        self.stream = stream
        narrator = Narrator(
            workspace: record["workspace"]?.stringValue ?? "/",
            takesTerminalOutput: door.capabilities.takesTerminalOutput)
        choices = SessionChoices(record: record, providers: providers)
        title = record["title"]?.stringValue
    }

    /// Whether all of the log has come, so that what comes now happens now.
    var isLive: Bool { loading == nil }

    /// Whether a prompt of the editor's is being worked on.
    var isBusy: Bool { !prompts.isEmpty }

    func begin(_ opening: Opening, _ request: EditorRequest) {
        switch opening {
        case .new(let leftOut):
            request.succeed((["sessionId": JSON(id)] as JSONObject).merging(choices.state))
            if !leftOut.isEmpty {
                note(
                    "MCP servers of the editor (\(leftOut.joined(separator: ", "))) are not passed on: "
                        + "configure them in \(choices.providerName).")
            }
        case .load: loading = request
        case .resume:
            loading = request
            isSilent = true
        }
        door.link.follow(stream) { [weak self] event, goOn in
            guard let self, !self.isClosed else { return goOn() }
            self.take(event)
            self.door.editor.whenRoom(goOn)
        }
    }

    /// Leaves the session; it goes on in the daemon.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        stream.close()
        liveOutput?.cancel()
        loading?.fail(.internalError("The session was closed before it was loaded"))
        loading = nil
        withdrawAll()
        failPrompts(.internalError("The session was closed"))
    }

    // MARK: Telling the editor

    func tell(_ update: JSONObject) {
        guard !isSilent else { return }
        door.editor.notify("session/update", ["sessionId": JSON(id), "update": .object(update)])
    }

    func tell(_ updates: [JSONObject]) {
        for update in updates { tell(update) }
    }

    /// Says something in the agent's place that the person should know.
    func note(_ text: String) { tell(Narrator.note(text)) }

    // MARK: Events

    private func take(_ event: HubEvent) {
        switch event {
        case .connected: door.link.noteConnection()
        case .frame(let frame): take(frame)
        case .reconnecting(_, let attempt, _):
            door.link.noteLoss(attempt: attempt)
            if door.link.wasStopped {
                failPrompts(.internalError("The daemon was stopped; the session goes on when it runs again"))
            }
        case .missing(_, let after, let before):
            note("Events \(after + 1) to \(before - 1) of the session can't be read.")
        case .ended(let error):
            guard let error else { return }
            loading?.fail(ACPError(error))
            loading = nil
            failPrompts(ACPError(error))
        }
    }

    private func take(_ frame: HubFrame) {
        switch frame.type {
        case "core:state": meet(frame.payload)
        case "session:update":
            if let record = frame.payload, record["id"]?.stringValue == id { changed(to: record) }
        case "session:deleted":
            guard frame.payload?["id"]?.stringValue == id else { return }
            door.sessions[id] = nil
            failPrompts(ACPError(code: ACPError.notFound, message: "The session was deleted"))
            close()
        case "stream:chunk":
            guard frame.sessionId == id, let payload = frame.payload else { return }
            tell(narrator.chunk(payload))
            showOutputSoon()
        case "sync:complete": finishLoading()
        case "sync:resync":
            guard frame.sessionId == id else { return }
            note("A part of the session's log can't be read: \(frame.payload?["reason"]?.stringValue ?? "").")
        case "core:shutdown": door.link.noteStopping()
        default:
            guard frame.sessionId == id, let event = LogEvent(frame) else { return }
            take(event, isSynthetic: frame.payload?["synthetic"]?.boolValue ?? false)
        }
    }

    /// The first frame of each connection.
    private func meet(_ state: JSON?) {
        growing = (state?["open"]?.arrayValue ?? []).filter { $0["sessionId"]?.stringValue == id }
        if isLive { completeTexts() }
        if let record = state?["sessions"]?.arrayValue?.first(where: { $0["id"]?.stringValue == id }) {
            changed(to: record)
        }
    }

    private func completeTexts() {
        for item in growing { tell(narrator.catchUp(item)) }
        growing = []
    }

    private func take(_ event: LogEvent, isSynthetic: Bool) {
        growing.removeAll {
            $0["itemId"]?.stringValue == event.itemId
                || event.kind == "turn_completed" && $0["turnId"]?.stringValue == event.turnId
        }
        switch event.kind {
        case "message":
            // The editor shows its own prompts itself.
            if isLive, noteOwnMessage(event) { return }
        case "error":
            if isLive, noteFailure(event) { return }
        case "permission_requested", "question_requested":
            note(request: event.data, itemId: event.itemId, isQuestion: event.kind == "question_requested")
        case "permission_resolved", "question_resolved": resolved(event.data)
        case "status": status(event)
        case "turn_started": began(event)
        default: break
        }
        tell(narrator.updates(for: event, isReplay: !isLive))
        if event.kind == "turn_completed" { completed(event, isSynthetic: isSynthetic) }
    }

    private func status(_ event: LogEvent) {
        switch event.data["type"]?.stringValue {
        case "native_session":
            if choices.take(nativeSession: event.data), isLive { tell(choices.optionsUpdate) }
            if let commands = Narrator.commands(named: event.data["slashCommands"]) { offer(commands) }
        case "commands":
            if let commands = Narrator.commands(event.data["commands"]) { offer(commands) }
        default: followMessage(event)
        }
    }

    private func offer(_ commands: JSONObject) {
        guard commands != narrator.commands else { return }
        narrator.commands = commands
        if isLive { tell(commands) }
    }

    private func finishLoading() {
        guard let request = loading else { return }
        loading = nil
        isSilent = false
        // A fork has an identifier of its own; the others the editor knows.
        let named: JSONObject = request.method == "session/fork" ? ["sessionId": JSON(id)] : [:]
        request.succeed(named.merging(choices.state))
        if let commands = narrator.commands { tell(commands) }
        if let usage = narrator.usageWithCost { tell(usage) }
        completeTexts()
        askEditor()
    }

    // MARK: Output of running tools

    private func showOutputSoon() {
        guard narrator.hasOutputToShow, liveOutput == nil else { return }
        liveOutput = door.loop.schedule(after: DoorSession.outputPause) { [weak self] in
            guard let self, !self.isClosed else { return }
            self.liveOutput = nil
            self.tell(self.narrator.takeOutput())
        }
    }
}
