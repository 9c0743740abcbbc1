package import Base
import Digests
package import EventLog
package import EventLoop
package import HubProtocol
package import JSON
import Providers
package import Redaction

/// All sessions: made, found, loaded when needed, put away when idle.
///
/// Loop-confined, like everything it owns.
package final class SessionService {
    package let loop: EventLoop
    package let store: LogStore<SessionState>
    package let providers: any ProviderSource
    /// Read anew wherever they count: a change holds from the next message, turn or look on.
    package var settings: SessionSettings { didSet { settingsChanged(from: oldValue) } }
    package let spending: Spending
    package weak var observer: (any SessionObserver)?
    package var auditor: (any Auditor)?
    /// What it knows as secret is kept out of what providers leave in logs when they fail.
    package var redactor = Redactor()
    /// What an operator wants to know; never what was said.
    package var onActivity: (SessionActivity.Event) -> Void = { _ in }
    package internal(set) var activity = SessionActivity()
    /// A session's log has grown by what was just committed, or is there since it was imported.
    package var onLogGrowth: (_ sessionId: String) -> Void = { _ in }
    /// A session was deleted.
    package var onLogRemoval: (_ sessionId: String) -> Void = { _ in }
    /// The wall clock; injected in tests.
    let clock: () -> Timestamp
    package let health: HealthBook
    /// What people are writing.
    package let drafts: DraftBook
    private let parking: ParkingLot

    /// The session's record, with what its log doesn't know.
    package func record(of state: SessionState) -> JSONObject {
        var record = state.record
        record["placeInLine"] = placeInLine(state.sessionId).map { JSON($0) } ?? .null
        record["backoff"] = loaded[state.sessionId]?.backoffRecord ?? .null
        return record
    }

    /// Those in memory.
    package private(set) var loaded: [String: Session] = [:]
    /// Those known from the last look at the disk and not in memory.
    var stored = StoredSessions()
    private var sweep: LoopTimer?
    /// Where the sessions are that providers' programs keep by themselves.
    package weak var archives: (any ArchiveSource)?
    package private(set) lazy var imports = ImportQueue(service: self)

    package init(
        loop: EventLoop, store: LogStore<SessionState>, providers: any ProviderSource, settings: SessionSettings,
        spending: Spending = Spending(), draftFolder: String? = nil, clock: @escaping () -> Timestamp = { .now }
    ) {
        self.loop = loop
        self.store = store
        self.providers = providers
        self.settings = settings
        self.spending = spending
        self.clock = clock
        health = HealthBook(settings.rest, loop: loop, clock: clock)
        drafts = DraftBook(folder: draftFolder, loop: loop, clock: clock)
        parking = ParkingLot(loop: loop, clock: clock)
        parking.onDue = { [weak self] in self?.resumeParked($0) }
        drafts.onChange = { [weak self] in self?.observer?.session($0, drafted: $1) }
    }

    /// What was queued goes on by itself when its session is loaded: true while a service begins that was handed over.
    private(set) var continuesQueues = false

    /// Reads what is on disk, and closes what a daemon that died left open.
    /// - Parameter continuing: the daemon before ended by `stopAll(keepingQueues: true)`, and this one goes on with what
    ///   it left. What waited behind a turn that was cut off is held all the same.
    package func start(continuing: Bool = false) {
        continuesQueues = continuing
        defer { continuesQueues = false }
        for session in store.scan() {
            stored[session.header.sessionId] = session.state
            parkingChanged(session.state)
        }
        spending.archive.load(today: today) { stored[$0] != nil }
        drafts.load(settings.drafts) { store.drafts.isTaken($0) }
        for sessionId in stored.all.filter({ $0.state.needsClosing }).map(\.state.sessionId) {
            // One that can't be read now is closed when it can.
            _ = try? load(sessionId)
        }
        scheduleSweep()
    }

    private func settingsChanged(from old: SessionSettings) {
        health.rules = settings.rest
        if old.snapshotMessages != settings.snapshotMessages || old.snapshotBytes != settings.snapshotBytes {
            for session in loaded.values { session.forgetNewestMessages() }
        }
        // The first look was put off by what held before.
        let isOtherwise =
            old.unloadAfter != settings.unloadAfter || old.stopProviderAfter != settings.stopProviderAfter
        if sweep != nil, isOtherwise {
            sweep?.cancel()
            scheduleSweep()
        }
        // There may be room for more now.
        startWaitingTurns()
    }

    // MARK: Holding providers back

    /// What waits for `providersMayStart`; nil once they may.
    private var heldStarts: [() -> Void]?

    /// From now on no provider is started until `providersMayStart`: what an earlier daemon left is being ended, and
    /// the same native session must not run twice.
    package func holdProviders() { heldStarts = heldStarts ?? [] }

    package func providersMayStart() {
        let starts = heldStarts ?? []
        heldStarts = nil
        for start in starts { start() }
    }

    func whenProvidersMayStart(_ body: @escaping () -> Void) {
        if heldStarts == nil { body() } else { heldStarts?.append(body) }
    }

    // MARK: Finding

    /// The states of all sessions in no order, for counting.
    package var allStates: [SessionState] { stored.all.map(\.state) + loaded.values.map(\.shown) }

    package var count: Int { stored.count + loaded.count }
    /// Nothing runs, waits or is asked anywhere, nor is anything to be tried again later.
    package var isQuiet: Bool { parking.isEmpty && imports.isIdle && loaded.values.allSatisfy(\.isQuiet) }
    /// Turns that run.
    package var activeCount: Int { running.count }
    /// The provider whose turn runs in a session, by session.
    private var running: [String: String] = [:]

    /// A session's turn began or ended.
    func turnChanged(_ session: Session) {
        // One that was deleted ends its turn here, too.
        guard loaded[session.id] === session else { return }
        running[session.id] = session.state.runningTurn?.providerId
    }

    package func state(of sessionId: String) -> SessionState? { loaded[sessionId]?.shown ?? stored[sessionId] }

    /// The session, loaded if it isn't.
    /// - Throws: `session_not_found`, `log_unavailable`.
    package func session(_ sessionId: String) throws(Failure) -> Session {
        if let session = loaded[sessionId] { return session }
        guard stored[sessionId] != nil else {
            throw Failure(code: "session_not_found", message: "There is no session \(sessionId.prefix(64)).")
        }
        do throws(LogError) { return try load(sessionId) } catch { throw Session.logUnavailable(error) }
    }

    /// Makes a session known whose log was adopted by the store.
    func noteStored(_ state: SessionState) {
        stored[state.sessionId] = state
        onLogGrowth(state.sessionId)
    }

    func load(_ sessionId: String) throws(LogError) -> Session {
        let log = try store.open(sessionId)
        let session = Session(log: log, service: self)
        stored[sessionId] = nil
        loaded[sessionId] = session
        turnChanged(session)
        if session.state.needsClosing { session.closeAfterRestart() }
        return session
    }

    // MARK: Making and deleting

    package struct Creation: Sendable {
        package var providerId: String
        package var workspace: String
        /// Others that take part beside `providerId`.
        package var providerIds: [String] = []
        package var choice = SessionState.Choice()
        package var title: String?
        package var tags: [String] = []
        package var settings: JSONObject = [:]

        package init(providerId: String, workspace: String) {
            self.providerId = providerId
            self.workspace = workspace
        }
    }

    /// Makes a session. Its provider starts with the first message.
    /// - Throws: `provider_not_found`, `provider_not_installed`, `invalid_request`, `log_unavailable`.
    package func create(_ creation: Creation, by client: ClientIdentity) throws(Failure) -> Session {
        try requireRunning()
        if let problem = providers.problem(with: creation.providerId) { throw problem }
        if !creation.providerIds.isEmpty { try Session.check(members: creation.providerIds, providers) }
        try requireDirectory(creation.workspace)
        var data: JSONObject = [:]
        if let title = creation.title { data["title"] = JSON(try Session.checkedTitle(title)) }
        try Session.check(creation.choice)
        let defaults = providers.defaults(of: creation.providerId)
        data["model"] = (creation.choice.model ?? defaults.model).map { JSON($0) }
        data["mode"] = (creation.choice.mode ?? defaults.mode).map { JSON($0) }
        data["effort"] = (creation.choice.effort ?? defaults.effort).map { JSON($0) }
        if !creation.providerIds.isEmpty { data["providerIds"] = JSON(creation.providerIds) }
        if !creation.tags.isEmpty { data["tags"] = JSON(try Session.checkedTags(creation.tags)) }
        if !creation.settings.isEmpty { data["settings"] = .object(creation.settings) }
        let header = LogHeader(
            sessionId: randomUUID(), providerId: creation.providerId, createdAt: clock(), workspace: creation.workspace)
        let session: Session
        do throws(LogError) {
            session = Session(log: try store.create(header), service: self)
        } catch {
            throw Session.logUnavailable(error)
        }
        loaded[session.id] = session
        session.appendStatus("created", data, by: client)
        session.log.afterCommit { [weak self, unowned session] in self?.observer?.sessionCreated(session) }
        audit("session_created", by: client, session: session, details: ["providerId": JSON(creation.providerId)])
        return session
    }

    private func requireDirectory(_ path: String) throws(Failure) {
        guard path.isAbsolutePath, path.utf8.count < 4096, !path.utf8.contains(0) else {
            throw Failure(
                code: "invalid_request", message: "The workspace must be an absolute path.",
                details: ["field": "workspace"])
        }
        guard isDirectory(path) else {
            throw Failure(
                code: "workspace_not_found", message: "The workspace must be a folder that is there.",
                details: ["field": "workspace"])
        }
    }

    /// Deletes a session: its provider is ended, its log moved to the backups.
    package func delete(_ sessionId: String, by client: ClientIdentity) throws(Failure) {
        let session = try session(sessionId)
        spending.archive.take(sessionId, session.state.ledger, at: clock())
        do throws(LogError) {
            try store.delete(sessionId)
        } catch {
            spending.archive.giveBack(sessionId)
            throw Session.logUnavailable(error)
        }
        session.isDeleted = true
        drafts.forget(sessionId)
        loaded[sessionId] = nil
        running[sessionId] = nil
        parking.set(sessionId, nil)
        health.trialsEnded(in: sessionId)
        if session.hasProvider {
            retiring[ObjectIdentifier(session)] = session
            session.stopProviders()
        }
        audit("session_deleted", by: client, session: session, details: [:])
        observer?.sessionDeleted(sessionId)
        onLogRemoval(sessionId)
        // Its turn, if it had one, has made room.
        startWaitingTurns()
    }

    // MARK: Idle sessions

    /// Sessions that are being taken out of memory while their provider's process still ends.
    var retiring: [ObjectIdentifier: Session] = [:]

    func providerEnded(_ session: Session) {
        if !session.hasProvider { retiring[ObjectIdentifier(session)] = nil }
    }

    private func scheduleSweep() {
        let soonest = settings.stopProviderAfter > 0 ? settings.stopProviderAfter : settings.unloadAfter
        sweep = loop.schedule(after: .seconds(max(1, min(60, min(soonest, settings.unloadAfter) / 4)))) { [weak self] in
            self?.unloadIdle()
            self?.scheduleSweep()
        }
    }

    private func unloadIdle() {
        let now = loop.now
        var hasUnloaded = false
        for session in loaded.values where session.isQuiet {
            let idle = now - session.lastActivity
            if settings.stopProviderAfter > 0, idle > .seconds(settings.stopProviderAfter), session.hasProvider {
                session.stopProviders()
                continue
            }
            guard idle > .seconds(settings.unloadAfter), session.log.committedSeq == session.log.lastSeq
            else { continue }
            if session.hasProvider {
                session.stopProviders()
                continue
            }
            stored[session.id] = session.state
            loaded[session.id] = nil
            store.close(session.log)
            hasUnloaded = true
        }
        if hasUnloaded { releaseFreeMemory() }
    }

    /// Ends every provider's process, politely: a running turn gets `grace` to end by itself, then it is interrupted.
    /// `done` is called when the last process is gone.
    ///
    /// - Parameter keepingQueues: a successor goes on at once with what waits. Until it does messages are accepted, and
    ///   wait too; only what waits behind a turn that had to be cut off is held.
    package func stopAll(grace: Duration, keepingQueues: Bool = false, _ done: @escaping () -> Void) {
        isShuttingDown = true
        hasSuccessor = keepingQueues
        imports.cancel()
        sweep?.cancel()
        if !keepingQueues { holdQueues() }
        waitForTurns(until: loop.now + grace) { [self] in
            for session in loaded.values {
                if session.state.runningTurn != nil, !session.state.queue.isEmpty { session.hold(Session.wasCutOff) }
                session.stopProviders()
            }
            waitForProviders(done)
        }
    }

    /// There is to be no successor after all: what waits is for a person to release, as after a crash.
    package func giveUpQueues() {
        hasSuccessor = false
        holdQueues()
    }

    private func holdQueues() {
        for session in loaded.values where !session.state.queue.isEmpty && !session.state.isHeld {
            session.hold("the daemon was stopped")
        }
    }

    private var isShuttingDown = false
    private var hasSuccessor = false

    /// Nothing new is accepted while the daemon ends, unless another one goes on with it.
    func requireRunning() throws(Failure) {
        guard !isShuttingDown || hasSuccessor else { throw SessionService.isEnding }
    }

    /// Also not when another one goes on: what is done in memory or on a thread doesn't outlive this one.
    func requireStaying() throws(Failure) {
        guard !isShuttingDown else { throw SessionService.isEnding }
    }

    private static let isEnding = Failure(
        code: "shutting_down", message: "The daemon is being stopped.", recoverable: true, actions: [.retryLater])

    /// Whether what failed may be tried again by itself.
    var mayRecover: Bool { !isShuttingDown }

    // MARK: Parked turns

    /// A session's turn was parked, or is no longer.
    func parkingChanged(_ state: SessionState) {
        guard let parked = state.parked, parked.isAutomatic else { return parking.set(state.sessionId, nil) }
        let jitter = Int64(Double.random(in: 0...max(0, settings.resumeJitter)) * 1000)
        parking.set(state.sessionId, Timestamp(milliseconds: parked.until.milliseconds + jitter))
    }

    /// Looks at the wall clock now.
    func lookAtParked() { parking.look() }

    private func resumeParked(_ sessionId: String) {
        guard !isShuttingDown else { return }
        do throws(Failure) {
            try session(sessionId).resumeParked()
        } catch {
            // It can't be read just now, or not any more.
            guard error.code != "session_not_found" else { return }
            parking.set(sessionId, Timestamp(milliseconds: clock().milliseconds + 60_000))
        }
    }

    // MARK: Waiting for the end

    private func waitForTurns(until deadline: Duration, _ done: @escaping () -> Void) {
        guard activeCount > 0, loop.now < deadline else { return done() }
        loop.schedule(after: .milliseconds(20)) { [self] in waitForTurns(until: deadline, done) }
    }

    private func waitForProviders(_ done: @escaping () -> Void) {
        guard loaded.values.contains(where: \.hasProvider) || !retiring.isEmpty else { return done() }
        loop.schedule(after: .milliseconds(20)) { [self] in waitForProviders(done) }
    }

    // MARK: Running turns

    /// Sessions whose next turn waits for one of another session to end, in order.
    private var waitingForRoom: [String] = []

    /// The session's place among those whose next turn waits for room, 1 for the first; nil when it doesn't.
    package func placeInLine(_ sessionId: String) -> Int? {
        waitingForRoom.firstIndex(of: sessionId).map { $0 + 1 }
    }

    /// Whether a turn may begin now; if not, the session is called when it may.
    func mayBegin(_ session: Session, with providerId: String) -> Bool {
        guard !isShuttingDown else { return false }
        if activeCount < settings.maxConcurrent, hasRoom(providerId) { return true }
        if !waitingForRoom.contains(session.id) { waitingForRoom.append(session.id) }
        return false
    }

    /// Whether the provider itself takes one more turn.
    private func hasRoom(_ providerId: String) -> Bool {
        guard let limit = providers.limits(of: providerId).maxConcurrent else { return true }
        return running.values.count { $0 == providerId } < limit
    }

    func turnFinished(_ session: Session, _ outcome: TurnOutcome) {
        startWaitingTurns()
    }

    private func startWaitingTurns() {
        // Those that waited come before the session that has just had its turn.
        let waiting = waitingForRoom
        waitingForRoom = []
        for sessionId in waiting {
            loaded[sessionId]?.startNextTurn()
            // It moved up.
            loaded[sessionId]?.announceChange()
        }
    }

    // MARK: Bookkeeping

    /// By status, of those that are not loaded.
    var storedCounts: [SessionState.Status: Int] { stored.counts }

    func audit(_ action: String, by client: ClientIdentity?, session: Session, details: JSONObject) {
        auditor?.record(action, by: client, sessionId: session.id, details: details)
    }

    /// What was decided about, without keeping it a second time.
    func digest(_ value: JSON) -> String { hexadecimal(sha256(value.serialize())) }
}

extension SessionState {
    /// A daemon that ended well leaves none of these behind.
    var needsClosing: Bool {
        runningTurn != nil || !pending.isEmpty || !openTools.isEmpty || (!queue.isEmpty && !isHeld)
    }
}
