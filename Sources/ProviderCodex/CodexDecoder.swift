package import JSON
package import Providers

/// What `codex app-server` says about one thread as normalised events: a pure state machine, one message in, events
/// and effects out.
///
/// Written against Codex 0.163.0 and tolerant of others: what it doesn't know becomes `custom`, named after its method
/// or, for an item of a thread, `item/started:<type>` and `item/completed:<type>`.
///
/// What carries nothing a person or a client could use is dropped, and this is all of it:
///
/// | dropped | because |
/// |---|---|
/// | `ignoredMethods` | marks for the program's own windows: read marks, remote control, lists of skills and apps |
/// | `thread/started`, `thread/status/changed` of the thread itself | the answer to `thread/start` and the turns say it |
/// | `item/started` and `item/completed` of a `userMessage` that we sent | in the log already |
/// | `item/fileChange/outputDelta`, `item/fileChange/patchUpdated` | the completed item has the whole |
/// | all `turn/diff/updated` of a turn but the last | each has all of the one before |
/// | `thread/compacted` | the `contextCompaction` item says it |
/// | `hook/started` | `hook/completed` says it all |
/// | what comes of an item that an interrupt closed | its result is in the log already |
/// | a reasoning item without any text | the model's reasoning was withheld |
package struct CodexDecoder: Sendable {
    /// What a message came to.
    package struct Output: Equatable, Sendable {
        package var events: [NormalizedEvent] = []
        package var effects: [Effect] = []
    }

    /// What the session has to do or know beside the events.
    package enum Effect: Equatable, Sendable {
        /// A request is pending; the matching event went out in the same output.
        case requested(CodexRequest)
        /// Nobody can answer it any more.
        case resolved(requestId: String)
        /// To be answered at once, without a person.
        case answer(id: JSON, result: JSON)
        /// Codex asks for something this adapter doesn't do: to be answered with an error.
        case unsupported(id: JSON, method: String)
        /// A thread that works for this one: what it says belongs here.
        case adopted(threadId: String)
        /// The turn has its identifier: it can be interrupted and added to.
        case turnRuns
        /// - Parameter mayLinger: commands of an interrupted turn may still be running.
        case turnEnded(mayLinger: Bool)
    }

    /// Whose turn runs.
    package enum Turn: Equatable, Sendable {
        case none
        /// Ours; without an identifier until Codex has told it.
        case sent(id: String?)
        /// Nobody sent it: a goal or a hook woke Codex.
        case unsolicited(id: String)

        package var id: String? {
            switch self {
            case .none: nil
            case .sent(let id): id
            case .unsolicited(let id): id
            }
        }
    }

    /// Something that has begun and not ended.
    struct OpenItem: Sendable {
        var type: String
        var item: JSON
        var threadId: String
        var order: Int
        /// What was streamed: text, a reasoning's summary, a tool's output.
        var text = ""
        /// A reasoning's own words, beside its summary.
        var rawText = ""
        var hasCall = false
    }

    package let threadId: String
    package internal(set) var turn = Turn.none
    package internal(set) var model: String?
    package internal(set) var mode: String?
    package internal(set) var effort: String?

    let epoch: String
    var output = Output()
    var open: [String: OpenItem] = [:]
    var nextOrder = 0
    /// What was closed at a turn's end, before Codex did; true for a command that goes on in the background.
    var closed: [String: Bool] = [:]
    /// By the thread that works for this one: the call that started it, empty while that is unknown.
    var agents: [String: String] = [:]
    var waiting: [CodexRequest] = []
    /// Messages of ours that Codex has not shown as an item yet.
    var awaitedMessages = 0
    var turnDiff: String?
    var saidFailure: JSON?
    var hasCompacted = false
    var usage = UsageMeter()
    var limits = RateLimits()

    /// More open items, requests or agents than any real thread has; what is beyond is closed or forgotten.
    static let tableLimit = 4096
    /// Bytes kept of a running tool's output, in case Codex doesn't tell it in the end.
    static let toolOutputLimit = 1 << 20

    /// Notifications that mean nothing to a session; Codex is asked not to send them.
    package static let ignoredMethods = [
        "remoteControl/status/changed", "thread/readState/changed", "skills/changed", "app/list/updated",
    ]

    /// - Parameters:
    ///   - epoch: differs for each server; identifiers of requests are made with it.
    ///   - settings: the answer to `thread/start`, `thread/resume` or `thread/fork`.
    package init(threadId: String, epoch: String, settings: JSON = [:]) {
        self.threadId = threadId
        self.epoch = epoch
        model = settings["model"]?.stringValue
        effort = settings["reasoningEffort"]?.stringValue
        mode = CodexMode.of(settings)?.name
    }

    // MARK: What the session tells

    /// A turn of ours is asked for now.
    package mutating func beginTurn() {
        turn = .sent(id: nil)
        awaitedMessages = 1
        saidFailure = nil
    }

    /// Codex has answered that request.
    package mutating func turnAccepted(id: String) {
        if turn == .sent(id: nil) { turn = .sent(id: id) }
    }

    /// Codex refused the turn.
    package mutating func endTurn() { turn = .none }

    /// A message is being added to the turn that runs.
    package mutating func steered() { awaitedMessages += 1 }

    /// It was refused.
    package mutating func steerRefused() { awaitedMessages = max(0, awaitedMessages - 1) }

    /// A request was answered: its withdrawal is nobody's business any more.
    package mutating func answered(_ requestId: String) { waiting.removeAll { $0.requestId == requestId } }

    /// The output has ended: what was streamed and not closed is handed on as partial.
    package mutating func end() -> [NormalizedEvent] {
        output = Output()
        closeStreams { _ in true }
        defer { output = Output() }
        return output.events
    }

    // MARK: What Codex says

    package mutating func decode(_ message: CodexMessage) -> Output {
        output = Output()
        switch message {
        case .notification(let method, let params): notification(method, params)
        case .request(let id, let method, let params): request(id, method, params)
        case .result, .failure: break
        case .unparsed(let text, let length):
            emit(.custom(type: "unparsed_output", data: ["text": JSON(text), "bytes": JSON(length)]))
        case .oversized(let start, let length):
            emit(.custom(type: "oversized_output", data: ["start": JSON(start), "bytes": JSON(length)]))
        }
        defer { output = Output() }
        return output
    }

    private mutating func notification(_ method: String, _ params: JSON) {
        if method != "thread/started", isForeign(params), let id = params["threadId"]?.stringValue, agents[id] == nil {
            return custom(method, params)
        }
        switch method {
        // First what nearly all of the output consists of: the cases are compared one after the other.
        case "item/agentMessage/delta", "item/plan/delta", "item/reasoning/summaryTextDelta",
            "item/reasoning/textDelta", "item/commandExecution/outputDelta", "item/reasoning/summaryPartAdded",
            "item/mcpToolCall/progress":
            delta(method, params)
        case "turn/started": turnStarted(params)
        case "turn/completed": turnCompleted(params)
        case "item/started": itemStarted(params)
        case "item/completed": itemCompleted(params)
        case "turn/plan/updated": plan(params)
        case "turn/diff/updated":
            if params["threadId"]?.stringValue == threadId { turnDiff = params["diff"]?.stringValue }
        case "error": failed(params)
        case "thread/tokenUsage/updated": tokenUsage(params)
        case "account/rateLimits/updated": rateLimits(params)
        case "serverRequest/resolved": requestResolved(params)
        case "thread/started", "thread/closed", "thread/status/changed", "thread/settings/updated",
            "model/rerouted":
            threadNotification(method, params)
        case "thread/compacted":
            if !hasCompacted { status("compacted", params) }
        case "item/fileChange/outputDelta", "item/fileChange/patchUpdated", "hook/started": break
        case _ where CodexDecoder.ignoredMethods.contains(method): break
        default:
            guard let type = CodexDecoder.statuses[method] else { return custom(method, params) }
            status(type, params)
        }
    }

    /// Notifications that are told as they come, by the `status` type that they become.
    package static let statuses = [
        "warning": "warning", "guardianWarning": "warning", "configWarning": "config_warning",
        "deprecationNotice": "deprecation", "thread/name/updated": "thread_name", "thread/goal/updated": "goal",
        "thread/goal/cleared": "goal_cleared", "thread/reverted": "thread_reverted",
        "hook/completed": "hook", "mcpServer/startupStatus/updated": "mcp_server",
        "mcpServer/oauthLogin/completed": "mcp_login", "account/updated": "account_changed",
        "account/login/completed": "login", "model/verification": "model_verification",
        "model/safetyBuffering/updated": "safety_buffering",
        "modelProvider/authRecoveryStarted": "login_renewal", "modelProvider/authRecoveryCompleted": "login_renewed",
        "item/autoApprovalReview/started": "approval_review", "item/autoApprovalReview/completed": "approval_reviewed",
        "autoApprovalReview/strictReviewRequired": "strict_review",
        "item/commandExecution/terminalInteraction": "terminal_input",
        "thread/environment/connected": "environment_connected",
        "thread/environment/disconnected": "environment_disconnected",
    ]

    /// What is handled by code of its own above.
    package static let handledMethods = [
        "turn/started", "turn/completed", "item/started", "item/completed", "item/agentMessage/delta",
        "item/plan/delta", "item/reasoning/summaryTextDelta", "item/reasoning/textDelta",
        "item/reasoning/summaryPartAdded", "item/commandExecution/outputDelta", "item/mcpToolCall/progress",
        "turn/plan/updated", "turn/diff/updated", "error", "thread/tokenUsage/updated", "account/rateLimits/updated",
        "serverRequest/resolved", "thread/started", "thread/closed", "thread/status/changed",
        "thread/settings/updated", "model/rerouted", "thread/compacted", "item/fileChange/outputDelta",
        "item/fileChange/patchUpdated", "hook/started",
    ]

    // MARK: What all parts use

    mutating func emit(_ event: NormalizedEvent) { output.events.append(event) }

    mutating func custom(_ type: String, _ json: JSON) { emit(.custom(type: type, data: json)) }

    /// The members of a notification that say something, as a status.
    mutating func status(_ type: String, _ params: JSON) {
        var data = JSONObject()
        for (key, value) in params.objectValue ?? [:]
        where key != "turnId" && !value.isNull && !(key == "threadId" && value.stringValue == threadId) {
            data[key] = value
        }
        emit(.status(type: type, data: data))
    }

    /// The call within which a thread works for this one; nil for the thread itself.
    func parent(of params: JSON) -> String? { params["threadId"]?.stringValue.flatMap { call(of: $0) } }

    func call(of threadId: String) -> String? { agents[threadId].flatMap { $0.isEmpty ? nil : $0 } }

    func isForeign(_ params: JSON) -> Bool {
        guard let id = params["threadId"]?.stringValue else { return false }
        return id != threadId
    }
}
