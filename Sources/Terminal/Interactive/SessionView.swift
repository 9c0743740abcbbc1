import Client
import JSON

/// What the interactive client knows of its session, from frames; and the rows below its output. Pure.
struct SessionView {
    let sessionId: String
    var renderer: TranscriptRenderer
    private(set) var title = ""
    private(set) var provider = ""
    private(set) var model = ""
    private(set) var mode = ""
    private(set) var effort = ""
    private(set) var tags: [String] = []
    private(set) var workspace = ""
    private(set) var status = "idle"
    private(set) var turnId: String?
    /// Monotonic seconds at which the running turn was first seen.
    private(set) var turnSince: Double?
    /// The messages that wait.
    private(set) var queue: [(turnId: String, content: String)] = []
    /// Texts of the person's messages of late, by turn: of what waits, the record has the beginning only.
    private(set) var messages: [String: String] = [:]
    /// Among the sessions that wait for room.
    private(set) var placeInLine: Int?
    private(set) var isPaused = false
    /// When what failed is tried again.
    private(set) var parkedUntil: String?
    /// When the provider that crashed may be started again.
    private(set) var restsUntil: String?
    private(set) var contextShare: Double?
    private(set) var costUsd: Double?
    private(set) var isCostEstimated = false
    /// The session's sums, as in its record.
    private(set) var usage: JSON?
    private(set) var usageByProvider: JSON?
    /// Records of the providers, as the daemon sent them.
    private(set) var providers: [JSON] = []
    private var offered: [String: [String]] = [:]
    /// Other sessions, the newest first.
    private(set) var sessions: [(id: String, title: String)] = []
    private static let listedSessions = 200
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

    /// - Parameter columns: of the terminal.
    init(session: JSON, columns: Int = 100) {
        sessionId = session["id"]?.stringValue ?? ""
        var options = TranscriptRenderer.Options()
        options.showsRequests = false
        options.isInteractive = true
        options.rendersMarkdown = true
        options.thinkingLines = 5
        options.messageLines = 20
        options.columns = columns
        options.lineWidth = max(20, columns - 8)
        renderer = TranscriptRenderer(options: options)
        note(session, now: 0)
    }

    var isRunning: Bool { turnId != nil }

    /// `models` or `modes` that can be chosen: as the agent said in this session, else as its provider's record has them.
    func choices(_ key: String) -> [String] {
        if let names = offered[key] { return names }
        let own = providers.first { $0["id"]?.stringValue == provider }
        return (own?[key]?.arrayValue ?? []).compactMap(\.stringValue)
    }

    private mutating func note(_ session: JSON, now: Double) {
        guard session["id"]?.stringValue == sessionId else { return }
        title = session["title"]?.stringValue ?? title
        provider = session["providerId"]?.stringValue ?? provider
        model = session["model"]?.stringValue ?? model
        mode = session["mode"]?.stringValue ?? mode
        effort = session["effort"]?.stringValue ?? effort
        workspace = session["workspace"]?.stringValue ?? workspace
        if let tags = session["tags"]?.arrayValue { self.tags = tags.compactMap(\.stringValue) }
        usage = session["usage"] ?? usage
        usageByProvider = session["usageByProvider"] ?? usageByProvider
        isCostEstimated = session["costEstimated"]?.boolValue ?? isCostEstimated
        status = session["status"]?.stringValue ?? status
        costUsd = session["costUsd"]?.doubleValue ?? costUsd
        if let queue = session["queue"]?.arrayValue {
            self.queue = queue.map { (RequestText.plain($0["turnId"]), RequestText.plain($0["content"])) }
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

    /// The terminal has another width.
    mutating func setColumns(_ columns: Int) {
        renderer.options.columns = columns
        renderer.options.lineWidth = max(20, columns - 8)
    }

    // MARK: Frames

    /// Takes an event of the history, or of the replay.
    mutating func take(_ event: LogEvent, now: Double) -> StyledText {
        switch event.kind {
        case "turn_started": setTurn(event.turnId, now: now)
        case "turn_completed": setTurn(nil, now: now)
        case "message":
            if let id = event.data["clientMessageId"]?.stringValue { sending.removeAll { $0.id == id } }
            if let turn = event.turnId, event.data["role"]?.stringValue == "user" {
                if messages.count >= 50 { messages = [:] }
                messages[turn] = RequestText.plain(event.data["content"])
            }
        case "status" where event.data["type"]?.stringValue == "native_session":
            // What the agent itself offers in this session.
            for key in ["models", "modes"] {
                let names = (event.data[key]?.arrayValue ?? []).compactMap(\.stringValue)
                if !names.isEmpty { offered[key] = names }
            }
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
            if let payload = frame.payload {
                note(payload, now: now)
                list(payload)
            }
            return ""
        case "provider:update":
            if let record = frame.payload, let index = providers.firstIndex(where: { $0["id"] == record["id"] }) {
                providers[index] = record
            }
            return ""
        case "session:deleted":
            if let id = frame.payload?["id"]?.stringValue { sessions.removeAll { $0.id == id } }
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
        sessions = []
        for session in (state["sessions"]?.arrayValue ?? []).reversed() {
            note(session, now: now)
            list(session)
        }
        providers = state["providers"]?.arrayValue ?? providers
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

    /// Keeps a session in the list of those that one can go over to.
    private mutating func list(_ session: JSON) {
        guard let id = session["id"]?.stringValue, id != sessionId else { return }
        let title = session["title"]?.stringValue ?? ""
        if let index = sessions.firstIndex(where: { $0.id == id }) {
            sessions[index].title = title
        } else {
            sessions.insert((id, title), at: 0)
            if sessions.count > SessionView.listedSessions { sessions.removeLast() }
        }
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

    /// Whether a key would answer, or choose something.
    func takes(_ key: Key, now: Double) -> Bool {
        guard var request = requests.first, now - promptSince >= SessionView.promptGrace else { return false }
        return request.handle(key).isTaken
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

    /// The request that waits, whole.
    mutating func wholeRequest() -> StyledText? {
        guard let request = requests.first, !request.details.isEmpty else { return nil }
        var text = StyledText("\n")
        for row in request.details { text.append(StyledText("  ", .hanging) + row + "\n") }
        return text
    }
}
