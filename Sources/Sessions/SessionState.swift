package import Base
import EventLog
package import HubProtocol
package import JSON

/// What a session is at this moment: nothing but the fold of its log.
///
/// The live session applies each event to it as it appends, a restart applies the same events again, and the list
/// shows it: there is no second truth to drift from the first.
package struct SessionState: LogFold, Equatable, Sendable {
    package struct QueuedMessage: Equatable, Sendable {
        package var turnId: String
        /// Its event, which has the attachments.
        package var seq: Int
        package var content: String
        package var clientMessageId: String?
        /// The provider that it addresses by name; nil: whichever is the session's when its turn begins.
        package var providerId: String?
        package var hasAttachments = false
        /// The turn in which it failed before. Its text is then cut: the whole is in its event.
        package var retryOf: String?
        /// Providers with which it failed, since a person last said that it be tried.
        package var triedProviders: [String] = []
        /// Since then it was tried again by itself at a time for which it was parked: once is enough.
        package var hasResumed = false

        /// Its beginning. The record goes to everybody at every change, so a queue of long messages must not make it
        /// large; the whole text is in the message's own event.
        var preview: String { String(content.unicodeScalars.prefix(SessionState.previewLength)) }
    }

    /// Characters (scalars) of a queued message in the session's record.
    static let previewLength = 256

    package struct RunningTurn: Equatable, Sendable {
        package var turnId: String
        package var startedAt: Timestamp
        package var providerId: String
        /// What it answers, with the beginning of its text only; nil for a turn that nobody sent.
        package var message: QueuedMessage?
        /// The last error in it.
        package var failure: FailureMark?
    }

    /// What a provider is set to in this session; nil: the provider's own default.
    package struct Choice: Equatable, Sendable {
        package var model: String?
        package var mode: String?
        package var effort: String?

        package init(model: String? = nil, mode: String? = nil, effort: String? = nil) {
            self.model = model
            self.mode = mode
            self.effort = effort
        }
    }

    /// A permission or question that nobody has answered yet.
    package struct PendingRequest: Equatable, Sendable {
        package var requestId: String
        package var isQuestion: Bool
        package var turnId: String?
        package var itemId: String?
        package var providerId: String?
        package var nativeId: String?
        package var data: JSONObject
    }

    /// A tool call without its result.
    package struct OpenTool: Equatable, Sendable {
        package var itemId: String
        package var turnId: String?
        package var providerId: String?
        package var nativeId: String?
    }

    package struct Accepted: Equatable, Sendable {
        package var turnId: String
        package var seq: Int
    }

    package let sessionId: String
    package let createdAt: Timestamp
    package let workspace: String
    package internal(set) var providerId: String
    package internal(set) var providerIds: [String]
    package internal(set) var title: String?
    package internal(set) var isTitleGiven = false
    package internal(set) var tags: [String] = []
    package internal(set) var choices: [String: Choice] = [:]
    package internal(set) var updatedAt: Timestamp
    package internal(set) var lastSeq = 0
    /// Tokens and money of all turns.
    package internal(set) var ledger = UsageLedger()
    package internal(set) var budget = SessionBudget()
    package internal(set) var contextUsed: Int?
    package internal(set) var contextWindow: Int?
    /// What each provider has of this conversation.
    package internal(set) var memories: [String: ProviderMemory] = [:]
    package internal(set) var queue: [QueuedMessage] = []
    package internal(set) var runningTurn: RunningTurn?
    package internal(set) var pending: [PendingRequest] = []
    package internal(set) var openTools: [OpenTool] = []
    package internal(set) var lastTurnStatus: String?
    package internal(set) var isHeld = false
    /// Somebody paused the session: no turn begins until it is resumed.
    package internal(set) var isPaused = false
    /// Somebody put the session away, until it is taken out again or written to.
    package internal(set) var isArchived = false
    /// What can be tried again.
    package internal(set) var unfinished: UnfinishedTurn?
    /// It waits for a time.
    package internal(set) var parked: ParkedTurn?
    package internal(set) var turnCount = 0
    /// The first result of each message a client has named, for as long as the session lives.
    package internal(set) var accepted: [String: Accepted] = [:]
    /// The newest requests that are resolved, so that a late answer is told apart from an invented one.
    package internal(set) var resolvedRequests: [String] = []

    static let resolvedRequestsKept = 64

    package init(header: LogHeader) {
        sessionId = header.sessionId
        createdAt = header.createdAt
        workspace = header.workspace
        providerId = header.providerId
        providerIds = [header.providerId]
        updatedAt = header.createdAt
    }

    /// The turn of the next message, or of the next that nobody sent.
    var nextTurnId: String { "t\(turnCount + 1)" }

    /// What the session's provider is set to.
    package var choice: Choice { choices[providerId] ?? Choice() }
    package var model: String? { choice.model }
    package var mode: String? { choice.mode }
    package var effort: String? { choice.effort }

    package enum Status: String, Sendable, CaseIterable {
        case idle, running, waiting, failed, parked
    }

    package var status: Status {
        if !pending.isEmpty { return .waiting }
        if runningTurn != nil { return .running }
        if parked != nil { return .parked }
        return lastTurnStatus == "failed" ? .failed : .idle
    }

    package mutating func apply(_ record: EventRecord) {
        lastSeq = record.seq
        updatedAt = max(updatedAt, record.timestamp)
        ledger.apply(record, providerId: providerId)
        budget.apply(record)
        switch record.kind {
        case .message: applyMessage(record)
        case .turnStarted: applyTurnStarted(record)
        case .turnCompleted: applyTurnCompleted(record)
        case .toolCall:
            guard let itemId = record.itemId else { break }
            openTools.removeAll { $0.itemId == itemId }
            openTools.append(
                OpenTool(
                    itemId: itemId, turnId: record.turnId, providerId: record.draft.providerId,
                    nativeId: record.draft.nativeId))
        case .toolResult: openTools.removeAll { $0.itemId == record.itemId }
        case .permissionRequested, .questionRequested: applyRequest(record)
        case .permissionResolved, .questionResolved:
            guard let requestId = record.data["requestId"]?.stringValue else { break }
            pending.removeAll { $0.requestId == requestId }
            resolvedRequests.append(requestId)
            if resolvedRequests.count > SessionState.resolvedRequestsKept { resolvedRequests.removeFirst() }
        case .usage:
            contextUsed = record.data["contextUsed"]?.intValue ?? contextUsed
            contextWindow = record.data["contextWindow"]?.intValue ?? contextWindow
        case .status: applyStatus(record)
        case .error:
            // Its own session is gone: what it is told from now on, it is told as to a stranger.
            if record.data["code"] == "resume_failed" { memories[record.draft.providerId ?? providerId]?.forget() }
            if let turnId = record.turnId, turnId == runningTurn?.turnId, let mark = FailureMark(record) {
                runningTurn?.failure = mark
            }
        case .thinking, .diff, .plan, .quota, .custom: break
        }
    }

    private mutating func applyMessage(_ record: EventRecord) {
        guard record.draft.source == .user, let turnId = record.turnId else { return }
        let content = record.data["content"]?.stringValue ?? ""
        let clientMessageId = record.data["clientMessageId"]?.stringValue
        if let clientMessageId { accepted[clientMessageId] = Accepted(turnId: turnId, seq: record.seq) }
        // What was added to a running turn waits for nothing.
        guard record.data["steer"]?.boolValue != true else { return }
        parked = nil
        isArchived = false
        queue.append(
            QueuedMessage(
                turnId: turnId, seq: record.seq, content: content, clientMessageId: clientMessageId,
                providerId: record.data["to"]?.stringValue, hasAttachments: record.data["attachments"] != nil))
        turnCount += 1
        if title == nil { title = SessionState.title(from: content) }
    }

    private mutating func applyTurnStarted(_ record: EventRecord) {
        guard let turnId = record.turnId else { return }
        // A turn that nobody sent has no message before it, and takes a number of its own.
        let message = queue.first { $0.turnId == turnId }?.shortened
        if message == nil {
            turnCount += 1
        } else {
            // What could be tried again before is past, and so is a time for it.
            unfinished = nil
            parked = nil
        }
        queue.removeAll { $0.turnId == turnId }
        runningTurn = RunningTurn(
            turnId: turnId, startedAt: record.timestamp, providerId: record.draft.providerId ?? providerId,
            message: message)
    }

    private mutating func applyTurnCompleted(_ record: EventRecord) {
        lastTurnStatus = record.data["status"]?.stringValue
        if let runningTurn { noteEnd(of: runningTurn, status: lastTurnStatus) }
        runningTurn = nil
        let providerId = record.draft.providerId ?? providerId
        memories[providerId, default: ProviderMemory()].turnEnded(
            record.turnId, at: record.seq, hasFailed: lastTurnStatus == "failed",
            costUsd: UsageLedger.reportedUsd(record))
        if let usage = record.data["usage"] {
            contextUsed = usage["contextUsed"]?.intValue ?? contextUsed
            contextWindow = usage["contextWindow"]?.intValue ?? contextWindow
        }
    }

    private mutating func applyRequest(_ record: EventRecord) {
        guard let requestId = record.data["requestId"]?.stringValue else { return }
        pending.append(
            PendingRequest(
                requestId: requestId, isQuestion: record.kind == .questionRequested, turnId: record.turnId,
                itemId: record.itemId, providerId: record.draft.providerId, nativeId: record.draft.nativeId,
                data: record.data))
    }

    private mutating func applyStatus(_ record: EventRecord) {
        let data = record.data
        let providerId = record.draft.providerId ?? providerId
        switch data["type"]?.stringValue {
        case "created":
            if let given = data["title"]?.stringValue {
                title = given
                isTitleGiven = true
            }
            choose(data, of: providerId)
            tags = data["tags"]?.arrayValue?.compactMap(\.stringValue) ?? tags
            for member in data["providerIds"]?.arrayValue?.compactMap(\.stringValue) ?? [] { join(member) }
        case "renamed":
            title = data["title"]?.stringValue ?? title
            isTitleGiven = true
        case "title":
            if !isTitleGiven { title = data["title"]?.stringValue.flatMap { SessionState.title(from: $0) } ?? title }
        case "tagged": tags = data["tags"]?.arrayValue?.compactMap(\.stringValue) ?? tags
        case "model", "model_changed", "mode", "mode_changed", "effort", "effort_changed":
            choose(data, of: providerId)
        case "native_session":
            choose(data, of: providerId)
            if let nativeId = data["nativeSessionId"]?.stringValue {
                memories[providerId, default: ProviderMemory()].opened(nativeId, at: record.seq)
            }
        case "context_carried":
            guard let through = data["through"]?.intValue else { break }
            memories[providerId, default: ProviderMemory()].tell(through: through, in: record.turnId)
        case "provider_switched":
            self.providerId = data["to"]?.stringValue ?? providerId
            parked = nil
            join(self.providerId)
            choose(data, of: self.providerId)
        case "providers":
            for member in data["providerIds"]?.arrayValue?.compactMap(\.stringValue) ?? [] { join(member) }
        case "steer_queued":
            guard let turnId = data["turnId"]?.stringValue, let seq = data["messageSeq"]?.intValue else { break }
            parked = nil
            queue.append(
                QueuedMessage(
                    turnId: turnId, seq: seq, content: data["content"]?.stringValue ?? "",
                    clientMessageId: data["clientMessageId"]?.stringValue, providerId: providerId,
                    hasAttachments: data["attachments"]?.boolValue ?? false))
            turnCount += 1
        case "background_turn_completed":
            memories[providerId]?.spent(UsageLedger.reportedUsd(record))
        case "retry": applyRetry(data)
        case "parked": parked = ParkedTurn(data)
        case "unparked": parked = nil
        case "queue_ordered": applyOrder(data["order"]?.arrayValue?.compactMap(\.stringValue) ?? [])
        case "paused": isPaused = true
        case "resumed": isPaused = false
        case "archived": isArchived = true
        case "unarchived": isArchived = false
        case "imported": applyImported(data)
        case "queue_held": isHeld = true
        case "queue_released": isHeld = false
        case "withdrawn":
            guard let turnId = data["turnId"]?.stringValue else { break }
            queue.removeAll { $0.turnId == turnId }
        case "forked": applyForked(data)
        default: break
        }
    }

    private mutating func join(_ providerId: String) {
        if !providerIds.contains(providerId) { providerIds.append(providerId) }
    }

    /// Takes over what the event says about model, mode and effort.
    private mutating func choose(_ data: JSONObject, of providerId: String) {
        var choice = choices[providerId] ?? Choice()
        choice.model = data["model"]?.stringValue ?? choice.model
        choice.mode = data["mode"]?.stringValue ?? choice.mode
        choice.effort = data["effort"]?.stringValue ?? choice.effort
        if choice != Choice() { choices[providerId] = choice }
    }

    /// What was written elsewhere must not decide what an agent may do here; and a copy must not go on in the native
    /// sessions of its original.
    private mutating func applyImported(_ data: JSONObject) {
        for id in choices.keys { choices[id]?.mode = nil }
        // Nor begin a turn by itself; what is queued is held when the session is loaded.
        parked = nil
        isArchived = false
        guard data["copy"]?.boolValue == true else { return }
        for id in memories.keys { memories[id]?.becomeFork() }
    }

    /// A first message makes the title until somebody gives one: its first line, cut at 80 characters, without those
    /// that control terminals. What the provider calls the session is treated alike.
    static func title(from content: String) -> String? {
        var title = String.UnicodeScalarView()
        // A title isn't looked for in megabytes of white space.
        for scalar in content.unicodeScalars.prefix(4096) {
            let isLineEnd = scalar == "\n" || scalar == "\r" || scalar == "\u{2028}" || scalar == "\u{2029}"
            if isLineEnd, !title.isEmpty { break }
            if title.isEmpty, scalar.properties.isWhitespace || isLineEnd { continue }
            if !scalar.isControl { title.append(scalar) }
            if title.count == 80 { break }
        }
        return title.isEmpty ? nil : String(title)
    }
}

extension Unicode.Scalar {
    /// C0, DEL and C1: what a terminal may take for a command.
    var isControl: Bool { properties.generalCategory == .control }
}
