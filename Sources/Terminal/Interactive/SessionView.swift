import Client
import JSON

/// What the interactive client knows of its session, from frames; and the rows below its output. Pure.
struct SessionView {
    let sessionId: String
    var renderer: TranscriptRenderer
    private(set) var title = ""
    private(set) var provider = ""
    private(set) var model = ""
    private(set) var status = "idle"
    private(set) var turnId: String?
    /// Monotonic seconds at which the running turn was first seen.
    private(set) var turnSince: Double?
    private(set) var queued = 0
    /// The turn of the message that waits at the end.
    private(set) var lastQueued: String?
    /// Among the sessions that wait for room.
    private(set) var placeInLine: Int?
    private(set) var isPaused = false
    /// When what failed is tried again.
    private(set) var parkedUntil: String?
    /// When the provider that crashed may be started again.
    private(set) var restsUntil: String?
    private(set) var contextShare: Double?
    private(set) var costUsd: Double?
    private(set) var requests: [RequestPrompt] = []
    /// When the first of them came to be shown.
    private var promptSince = 0.0
    /// Messages on their way, by clientMessageId.
    private(set) var sending: [(id: String, text: String)] = []
    var connectionProblem: String?
    private(set) var isDeleted = false
    private(set) var isShutDown = false

    /// Seconds for which a prompt takes no keys: what is typed in the moment in which it appears was meant for the
    /// input line, and must not allow anything.
    static let promptGrace = 0.4

    init(session: JSON) {
        sessionId = session["id"]?.stringValue ?? ""
        var options = TranscriptRenderer.Options()
        options.showsRequests = false
        options.offersCommands = true
        renderer = TranscriptRenderer(options: options)
        note(session, now: 0)
    }

    var isRunning: Bool { turnId != nil }

    private mutating func note(_ session: JSON, now: Double) {
        guard session["id"]?.stringValue == sessionId else { return }
        title = session["title"]?.stringValue ?? title
        provider = session["providerId"]?.stringValue ?? provider
        model = session["model"]?.stringValue ?? model
        status = session["status"]?.stringValue ?? status
        costUsd = session["costUsd"]?.doubleValue ?? costUsd
        if let queue = session["queue"]?.arrayValue {
            queued = queue.count
            lastQueued = queue.last?["turnId"]?.stringValue
            placeInLine = session["placeInLine"]?.intValue
            isPaused = session["paused"]?.boolValue ?? false
            parkedUntil = session["parked"]?["until"]?.stringValue
            restsUntil = session["backoff"]?["until"]?.stringValue
        }
        if let turn = session["turn"] { setTurn(turn["turnId"]?.stringValue, now: now) }
    }

    private mutating func setTurn(_ id: String?, now: Double) {
        if id != turnId { turnSince = id == nil ? nil : now }
        turnId = id
    }

    // MARK: Frames

    /// Takes an event of the history, or of the replay.
    mutating func take(_ event: LogEvent, now: Double) -> StyledText {
        switch event.kind {
        case "turn_started": setTurn(event.turnId, now: now)
        case "turn_completed": setTurn(nil, now: now)
        case "message":
            if let id = event.data["clientMessageId"]?.stringValue { sending.removeAll { $0.id == id } }
        case "permission_requested": add(event.data, isPermission: true, now: now)
        case "question_requested": add(event.data, isPermission: false, now: now)
        case "permission_resolved", "question_resolved":
            let id = event.data["requestId"]?.stringValue
            if requests.first?.requestId == id { promptSince = now }
            requests.removeAll { $0.requestId == id }
        case "usage":
            if let used = event.data["contextUsed"]?.doubleValue, let window = event.data["contextWindow"]?.doubleValue,
                window > 0
            {
                contextShare = used / window
            }
        default: break
        }
        return renderer.event(event)
    }

    mutating func take(_ frame: HubFrame, now: Double) -> StyledText {
        switch frame.type {
        case "core:state": return takeState(frame.payload ?? .null, now: now)
        case "session:update", "session:created":
            if let payload = frame.payload { note(payload, now: now) }
            return ""
        case "session:deleted":
            isDeleted = isDeleted || frame.payload?["id"]?.stringValue ?? frame.sessionId == sessionId
            return ""
        case "stream:chunk":
            guard frame.sessionId == sessionId, let payload = frame.payload else { return "" }
            return renderer.chunk(payload)
        case "sync:resync":
            guard frame.sessionId == sessionId else { return "" }
            return renderer.notice("· the log was replaced: attach again to read it anew", .yellow)
        case "client:slow": return ""
        case "core:notification":
            return renderer.notice("· " + Sanitizer.cleanLine(RequestText.plain(frame.payload?["message"])))
        case "core:shutdown":
            isShutDown = true
            return ""
        case "session:error", "error":
            guard frame.sessionId == nil || frame.sessionId == sessionId else { return "" }
            return renderer.notice("✗ " + Sanitizer.cleanLine(RequestText.plain(frame.payload?["message"])), .red)
        default:
            guard frame.sessionId == sessionId, let event = LogEvent(frame) else { return "" }
            return take(event, now: now)
        }
    }

    private mutating func takeState(_ state: JSON, now: Double) -> StyledText {
        for session in state["sessions"]?.arrayValue ?? [] { note(session, now: now) }
        // What is pending now counts: requests answered while we were away get no event of their own here first.
        let pending = (state["pending"]?.arrayValue ?? []).filter { $0["sessionId"]?.stringValue == sessionId }
        let ids = Set(pending.compactMap { $0["requestId"]?.stringValue })
        requests.removeAll { !ids.contains($0.requestId) }
        for request in pending {
            add(request.objectValue ?? [:], isPermission: request["type"]?.stringValue == "permission", now: now)
        }
        var text = StyledText()
        for item in state["open"]?.arrayValue ?? [] where item["sessionId"]?.stringValue == sessionId {
            text.append(renderer.chunk(item))
        }
        return text
    }

    private mutating func add(_ data: JSONObject, isPermission: Bool, now: Double) {
        guard let request = RequestPrompt(data, isPermission: isPermission),
            !requests.contains(where: { $0.requestId == request.requestId })
        else { return }
        if requests.isEmpty { promptSince = now }
        requests.append(request)
    }

    // MARK: This client's own doing

    mutating func willSend(_ id: String, _ text: String) { sending.append((id, text)) }

    /// The text, when it is not in the log and so is not sent.
    mutating func sendFailed(_ id: String) -> String? {
        guard let index = sending.firstIndex(where: { $0.id == id }) else { return nil }
        return sending.remove(at: index).text
    }

    /// Offers a key to the request that waits; see `RequestPrompt`.
    mutating func answer(
        _ key: Key, now: Double
    ) -> (isTaken: Bool, requestId: String, answer: RequestPrompt.Answer?) {
        guard !requests.isEmpty, now - promptSince >= SessionView.promptGrace else { return (false, "", nil) }
        let result = requests[0].handle(key)
        return finish(result)
    }

    mutating func answer(text: String) -> (isTaken: Bool, requestId: String, answer: RequestPrompt.Answer?) {
        guard !requests.isEmpty else { return (false, "", nil) }
        let result = requests[0].handle(text: text)
        return finish(result)
    }

    mutating func decline() -> (isTaken: Bool, requestId: String, answer: RequestPrompt.Answer?) {
        guard let first = requests.first, !first.isPermission, !first.isAnswered else { return (false, "", nil) }
        return finish((true, .declined))
    }

    private mutating func finish(
        _ result: (isTaken: Bool, answer: RequestPrompt.Answer?)
    ) -> (isTaken: Bool, requestId: String, answer: RequestPrompt.Answer?) {
        let id = requests[0].requestId
        if result.answer != nil {
            requests[0].isAnswered = true
            renderer.ownAnswers.insert(id)
        }
        return (result.isTaken, id, result.answer)
    }

    mutating func answerFailed(_ requestId: String) {
        renderer.ownAnswers.remove(requestId)
        guard let index = requests.firstIndex(where: { $0.requestId == requestId }) else { return }
        requests[index].isAnswered = false
    }

    // MARK: Looks

    /// What stands below the output: the request that waits, messages on their way, the state, and the input.
    func area(editor: LineEditor, columns: Int, height: Int, now: Double, hint: String?) -> LiveArea {
        var area = LiveArea(rows: [""])
        if let request = requests.first { area.rows += request.rows(columns: columns, limit: max(4, height - 6)) }
        for message in sending.suffix(3) {
            let text = DisplayWidth.truncate(Sanitizer.cleanLine(message.text), to: columns - 14)
            area.rows.append(StyledText("› \(text)  (sending)", .dim))
        }
        area.rows.append(statusRow(columns: columns, now: now, hint: hint))
        let input = editor.area(columns: columns, mark: "> ", maximumRows: max(1, min(8, height / 2)))
        area.cursorRow = area.rows.count + input.cursorRow
        area.cursorColumn = input.cursorColumn
        area.rows += input.rows
        return area
    }

    private func statusRow(columns: Int, now: Double, hint: String?) -> StyledText {
        if let hint { return StyledText(DisplayWidth.truncate(hint, to: columns), .yellow) }
        if let connectionProblem { return StyledText(DisplayWidth.truncate(connectionProblem, to: columns), .yellow) }
        var parts = [Sanitizer.cleanLine(provider)]
        if !model.isEmpty { parts.append(Sanitizer.cleanLine(model)) }
        if !title.isEmpty { parts.append(DisplayWidth.truncate(Sanitizer.cleanLine(title), to: 30)) }
        if !requests.isEmpty {
            parts.append("waiting for you")
        } else if let turnSince {
            let seconds = max(0, Int(now - turnSince))
            parts.append(
                "running" + (seconds > 0 ? " \(Clock.duration(seconds: Double(seconds)))" : ""))
        } else if let parkedUntil {
            parts.append("parked until \(Clock.short(parkedUntil))")
        } else if let restsUntil {
            parts.append("the provider is started again at \(Clock.short(restsUntil))")
        } else {
            parts.append("ready")
        }
        if queued > 0 { parts.append("\(queued) queued") }
        if let placeInLine { parts.append("place \(placeInLine) in line") }
        if isPaused { parts.append("paused: /resume") }
        if let contextShare, contextShare >= 0, contextShare < 10 {
            parts.append("context \(Int(contextShare * 100)) %")
        }
        if let costUsd, costUsd > 0, costUsd < 1e9 { parts.append(TurnSummary.money(costUsd)) }
        if isRunning, requests.isEmpty { parts.append("Ctrl-C interrupts") }
        return StyledText(DisplayWidth.truncate(parts.joined(separator: " · "), to: columns), .dim)
    }
}
