package import Base
package import EventLog
import EventLoop
package import HubProtocol
package import JSON
import Providers

/// One conversation: its log, the turn that runs, what waits, and the providers behind it.
///
/// Loop-confined. Everything that happens is appended to the log first; clients hear of it, and providers are told,
/// when it is in the file.
package final class Session {
    package let log: SessionLog<SessionState>
    let loop: EventLoop
    var settings: SessionSettings { service.settings }
    unowned let service: SessionService
    /// By provider identifier, of those that have been needed since the session was loaded.
    var seats: [String: ProviderSeat] = [:]
    var openItems = OpenItems()
    /// The newest messages; nil until somebody asked.
    private var messages: [EventRecord]?
    /// Of their contents.
    private var messageBytes = 0
    private var isChangeAnnounced = false
    var lastActivity: Duration
    var isDeleted = false
    private var waitingAnswers: [WaitingAnswer] = []
    /// The log was so full that events had to be refused.
    private var hasLostEvents = false
    /// One interrupt is enough for a turn.
    var isInterrupting = false
    /// Somebody let the queue go on although money has run out: for one turn.
    var passesBudgetOnce = false

    init(log: SessionLog<SessionState>, service: SessionService) {
        self.log = log
        self.service = service
        loop = service.loop
        lastActivity = service.loop.now
        log.onCommitted = { [weak self] events in self?.committed(events) }
        log.onFailure = { [weak self] error in self?.logFailed(error) }
        log.onRecovered = { [weak self] in self?.logRecovered() }
    }

    package var id: String { state.sessionId }
    package var state: SessionState { log.state }
    /// The wall clock.
    package var now: Timestamp { service.clock() }
    /// The state as clients may know it: its cursor is that of the last event published, not of one still on its way to
    /// the file.
    package var shown: SessionState {
        var shown = state
        shown.lastSeq = log.committedSeq
        return shown
    }

    /// Nothing runs, waits or is asked, and no process is held.
    package var isQuiet: Bool {
        state.runningTurn == nil && state.pending.isEmpty && (state.queue.isEmpty || state.isHeld)
    }

    // MARK: Writing

    @discardableResult
    func append(_ draft: EventDraft) -> EventRecord {
        lastActivity = loop.now
        // Only these can cost something.
        let before = draft.kind == .turnCompleted || draft.kind == .status ? log.state.ledger.total : nil
        let parked = state.parked
        let request = service.requestAnswered(by: draft, in: self)
        let failure = state.runningTurn?.failure
        let record = log.append(draft, at: service.clock())
        if record.seq == 0 { hasLostEvents = true }
        if state.parked != parked { service.parkingChanged(state) }
        if draft.kind == .turnStarted || draft.kind == .turnCompleted { service.turnChanged(self) }
        if let before { service.used(self, since: before, providerId: draft.providerId ?? state.providerId) }
        if let request { service.auditDecision(on: request, record.data, in: self) }
        service.note(record, in: self, failure: failure)
        return record
    }

    /// Runs when what was appended is in the file, so that an answer which a crash could make untrue is not given. While
    /// the log can't be written, only what doesn't depend on it (an interrupt) gets here, and is answered at once.
    ///
    /// - Parameter refused: runs instead when the session is deleted before that, and when the log turns out not to be
    ///   writable and stays so for `answerLimit`: nobody can say then whether it will be kept.
    package func whenAnswerable(_ body: @escaping () -> Void, orElse refused: @escaping (Failure) -> Void) {
        if log.failure != nil { return body() }
        let answer = WaitingAnswer(body, refused)
        log.afterCommit {
            answer.give()
        } orElse: { [self] in
            answer.refuse(deletedMeanwhile)
        }
        guard !answer.isGiven else { return }
        waitingAnswers.removeAll(where: \.isGiven)
        waitingAnswers.append(answer)
    }

    /// How long the answer to what was accepted just before the log failed is held back.
    package static let answerLimit: Duration = .seconds(2)

    private func refuseWaitingAnswers() {
        let answers = waitingAnswers
        waitingAnswers = []
        for answer in answers {
            answer.refuse(
                Failure(
                    code: "outcome_pending",
                    message: "The session's log can't be written at the moment. What was asked is held in memory: it "
                        + "takes effect as soon as the log can be written, and is lost if the daemon ends before that. "
                        + "Asking again is safe only with the same clientMessageId.",
                    recoverable: true, retryAfter: 1))
        }
    }

    /// Runs what must not wait for a log that can't be written: a person who says stop is obeyed in any case.
    func whenKeptOrLogFails(_ body: @escaping () -> Void) {
        if log.failure != nil { body() } else { log.afterCommit(body) }
    }

    @discardableResult
    func appendStatus(
        _ type: String, _ data: JSONObject = [:], source: EventSource = .core, of providerId: String? = nil,
        by: ClientIdentity? = nil
    ) -> EventRecord {
        var object = (["type": JSON(type)] as JSONObject).merging(data)
        object["by"] = by?.json
        return append(
            EventDraft(
                .status, source: source, turnId: state.runningTurn?.turnId, providerId: providerId ?? state.providerId,
                data: object))
    }

    /// Tells clients, once what is appended so far is in the file, that the record looks different now.
    func announceChange() {
        guard !isChangeAnnounced else { return }
        isChangeAnnounced = true
        log.afterCommit { [weak self] in
            guard let self else { return }
            isChangeAnnounced = false
            if !isDeleted { service.observer?.sessionChanged(self) }
        }
    }

    private func committed(_ events: [CommittedEvent]) {
        if messages != nil {
            for event in events where event.record.kind == .message { remember(event.record) }
        }
        service.onLogGrowth(id)
        service.observer?.session(self, committed: events)
    }

    private func logFailed(_ error: LogError) {
        service.observer?.session(self, failed: Session.logUnavailable(error))
        loop.schedule(after: Session.answerLimit) { [weak self] in
            guard let self, log.failure != nil else { return }
            refuseWaitingAnswers()
        }
    }

    package static func logUnavailable(_ error: LogError) -> Failure {
        Failure(
            code: "log_unavailable",
            message: "The session's log can't be written: \(error). Nothing is lost; writing is tried again.",
            recoverable: true, retryAfter: 1, actions: [.retryLater])
    }

    package static func unreadable(_ error: LogError) -> Failure {
        Failure(
            code: "log_unavailable", message: "The session's log can't be read: \(error).", recoverable: true,
            retryAfter: 1, actions: [.retryLater])
    }

    /// The log can be written again. If it had to refuse events meanwhile, nobody knows how the turn stands: it is ended.
    private func logRecovered() {
        guard hasLostEvents else { return }
        hasLostEvents = false
        stopProviders()
        closeTurn(
            error: Failure(
                code: "log_unavailable",
                message: "The log could not be written for too long; what the agent did meanwhile is not in it.",
                recoverable: true, actions: [.retry]))
        announceChange()
    }

    /// What is told to those whose change was dropped with the session.
    package var deletedMeanwhile: Failure {
        Failure(code: "session_not_found", message: "The session \(id) was deleted before this was kept.")
    }

    /// Nothing may be promised while the log can't keep it.
    func requireWritableLog() throws(Failure) {
        if let error = log.failure { throw Session.logUnavailable(error) }
    }

    // MARK: Reading

    /// The newest messages, oldest first, as `session:message` payloads.
    package func newestMessages() -> [JSON] {
        if messages == nil, let records = try? log.read(limit: settings.snapshotMessages, where: [.message]) {
            messages = []
            for record in records { remember(record) }
        }
        return (messages ?? []).map { JSON.object($0.messagePayload(sessionId: id)) }
    }

    /// They are read again when somebody asks: how many are kept has changed.
    func forgetNewestMessages() {
        messages = nil
        messageBytes = 0
    }

    private func remember(_ record: EventRecord) {
        messages?.append(record)
        messageBytes += Session.size(of: record)
        while let first = messages?.first,
            (messages?.count ?? 0) > settings.snapshotMessages || messageBytes > settings.snapshotBytes
        {
            messageBytes -= Session.size(of: first)
            messages?.removeFirst()
        }
    }

    private static func size(of record: EventRecord) -> Int { record.data["content"]?.stringValue?.utf8.count ?? 0 }

    /// The text that is streaming now: each item as one piece, from its beginning.
    package var streaming: [StreamChunk] {
        openItems.items.map { item in
            StreamChunk(
                sessionId: id, turnId: item.turnId, itemId: item.itemId, kind: item.kind, text: item.text, offset: 0)
        }
    }
}

/// An answer that waits for the log, and is given once.
private final class WaitingAnswer {
    private var body: (() -> Void)?
    private var refused: ((Failure) -> Void)?

    init(_ body: @escaping () -> Void, _ refused: @escaping (Failure) -> Void) {
        self.body = body
        self.refused = refused
    }

    var isGiven: Bool { body == nil }

    func give() {
        let body = body
        (self.body, refused) = (nil, nil)
        body?()
    }

    func refuse(_ failure: Failure) {
        let refused = refused
        (body, self.refused) = (nil, nil)
        refused?(failure)
    }
}
