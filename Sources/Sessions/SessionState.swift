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
        package var content: String
        package var clientMessageId: String?

        /// Its beginning. The record goes to everybody at every change, so a queue of long messages must not make it
        /// large; the whole text is in the message's own event.
        var preview: String { String(content.unicodeScalars.prefix(SessionState.previewLength)) }
    }

    /// Characters (scalars) of a queued message in the session's record.
    static let previewLength = 256

    package struct RunningTurn: Equatable, Sendable {
        package var turnId: String
        package var startedAt: Timestamp
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
    package internal(set) var model: String?
    package internal(set) var mode: String?
    package internal(set) var updatedAt: Timestamp
    package internal(set) var lastSeq = 0
    /// Totals over all turns.
    package internal(set) var inputTokens = 0
    package internal(set) var outputTokens = 0
    package internal(set) var cachedTokens = 0
    package internal(set) var costUsd = 0.0
    package internal(set) var contextUsed: Int?
    package internal(set) var contextWindow: Int?
    package internal(set) var nativeSessionIds: [String: String] = [:]
    package internal(set) var queue: [QueuedMessage] = []
    package internal(set) var runningTurn: RunningTurn?
    package internal(set) var pending: [PendingRequest] = []
    package internal(set) var openTools: [OpenTool] = []
    package internal(set) var lastTurnStatus: String?
    package internal(set) var isHeld = false
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

    package enum Status: String, Sendable, CaseIterable {
        case idle, running, waiting, failed
    }

    package var status: Status {
        if !pending.isEmpty { return .waiting }
        if runningTurn != nil { return .running }
        return lastTurnStatus == "failed" ? .failed : .idle
    }

    package mutating func apply(_ record: EventRecord) {
        lastSeq = record.seq
        updatedAt = max(updatedAt, record.timestamp)
        switch record.kind {
        case .message: applyMessage(record)
        case .turnStarted: applyTurnStarted(record)
        case .turnCompleted: applyTurnCompleted(record)
        case .toolCall:
            guard let itemId = record.itemId else { break }
            openTools.removeAll { $0.itemId == itemId }
            openTools.append(OpenTool(itemId: itemId, turnId: record.turnId, nativeId: record.draft.nativeId))
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
        case .status: applyStatus(record.data)
        case .thinking, .diff, .plan, .quota, .error, .custom: break
        }
    }

    private mutating func applyMessage(_ record: EventRecord) {
        guard record.draft.source == .user, let turnId = record.turnId else { return }
        let content = record.data["content"]?.stringValue ?? ""
        let clientMessageId = record.data["clientMessageId"]?.stringValue
        queue.append(QueuedMessage(turnId: turnId, content: content, clientMessageId: clientMessageId))
        if let clientMessageId { accepted[clientMessageId] = Accepted(turnId: turnId, seq: record.seq) }
        turnCount += 1
        if title == nil { title = SessionState.title(from: content) }
    }

    private mutating func applyTurnStarted(_ record: EventRecord) {
        guard let turnId = record.turnId else { return }
        // A turn that nobody sent has no message before it, and takes a number of its own.
        if !queue.contains(where: { $0.turnId == turnId }) { turnCount += 1 }
        queue.removeAll { $0.turnId == turnId }
        runningTurn = RunningTurn(turnId: turnId, startedAt: record.timestamp)
    }

    private mutating func applyTurnCompleted(_ record: EventRecord) {
        runningTurn = nil
        lastTurnStatus = record.data["status"]?.stringValue
        if let usage = record.data["usage"] {
            inputTokens &+= usage["input"]?.intValue ?? 0
            outputTokens &+= usage["output"]?.intValue ?? 0
            cachedTokens &+= usage["cached"]?.intValue ?? 0
            contextUsed = usage["contextUsed"]?.intValue ?? contextUsed
            contextWindow = usage["contextWindow"]?.intValue ?? contextWindow
        }
        costUsd += record.data["costUsd"]?.doubleValue ?? 0
    }

    private mutating func applyRequest(_ record: EventRecord) {
        guard let requestId = record.data["requestId"]?.stringValue else { return }
        pending.append(
            PendingRequest(
                requestId: requestId, isQuestion: record.kind == .questionRequested, turnId: record.turnId,
                itemId: record.itemId, providerId: record.draft.providerId, nativeId: record.draft.nativeId,
                data: record.data))
    }

    private mutating func applyStatus(_ data: JSONObject) {
        switch data["type"]?.stringValue {
        case "created":
            if let given = data["title"]?.stringValue {
                title = given
                isTitleGiven = true
            }
            model = data["model"]?.stringValue ?? model
            mode = data["mode"]?.stringValue ?? mode
            tags = data["tags"]?.arrayValue?.compactMap(\.stringValue) ?? tags
        case "renamed":
            title = data["title"]?.stringValue ?? title
            isTitleGiven = true
        case "title":
            if !isTitleGiven { title = data["title"]?.stringValue.flatMap { SessionState.title(from: $0) } ?? title }
        case "tagged": tags = data["tags"]?.arrayValue?.compactMap(\.stringValue) ?? tags
        case "model", "model_changed": model = data["model"]?.stringValue ?? model
        case "mode", "mode_changed": mode = data["mode"]?.stringValue ?? mode
        case "native_session":
            nativeSessionIds[providerId] = data["nativeSessionId"]?.stringValue
            model = data["model"]?.stringValue ?? model
            mode = data["mode"]?.stringValue ?? mode
        case "queue_held": isHeld = true
        case "queue_released": isHeld = false
        case "withdrawn":
            guard let turnId = data["turnId"]?.stringValue else { break }
            queue.removeAll { $0.turnId == turnId }
        default: break
        }
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
