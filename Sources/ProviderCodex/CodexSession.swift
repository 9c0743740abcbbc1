package import EventLoop
import HubProtocol
package import JSON
import Processes
package import Providers

/// One conversation with Codex: a thread of a `codex app-server` that it shares with the other sessions of its
/// workspace.
///
/// A thread that can't be resumed is replaced by a new one, with an error that says so.
package final class CodexSession: ProviderSession {
    package weak var delegate: (any ProviderSessionDelegate)?
    package let capabilities: ProviderCapabilities = {
        var capabilities = ProviderCapabilities()
        capabilities.resume = true
        capabilities.permissions = true
        capabilities.questions = true
        capabilities.fork = true
        capabilities.quota = true
        capabilities.images = true
        capabilities.models = true
        capabilities.modes = true
        capabilities.steer = true
        capabilities.effort = true
        return capabilities
    }()

    enum Phase {
        case idle
        /// The server is starting.
        case waiting
        /// `thread/start`, `thread/resume` or `thread/fork` is on its way.
        case opening
        case ready
        /// Asked to stop, while others go on: the thread is being closed.
        case leaving
        case ended
    }

    let launch: ProviderLaunch
    let loop: EventLoop
    let servers: CodexServers
    var wanted: ProviderStart
    var phase = Phase.idle
    var server: CodexServer?
    package var isEnding: Bool { server?.isEnding ?? false }
    /// As soon as the thread is there.
    var decoder: CodexDecoder?
    /// From the next turn on.
    var overrides = CodexInput.Overrides()
    var collaboration = "default"
    /// A message that waits for the thread, or for the end of a turn that nobody sent.
    var heldPrompt: Prompt?
    /// Messages added to the turn that Codex has not answered for yet.
    var openAdditions = 0
    /// Messages added to the turn that came too late for it: it goes on with them.
    var lateAdditions: [Prompt] = []
    /// The end of the turn, or of a part of it, while something added isn't settled.
    var heldOutcome: TurnOutcome?
    /// Counts turns, so that a late answer isn't taken for the next one's.
    var turnNumber = 0
    var isInterrupting = false
    var hasAskedInterrupt = false
    var interruptTimer: LoopTimer?
    var openTimer: LoopTimer?
    var leaveTimer: LoopTimer?
    var requests: [String: CodexRequest] = [:]
    /// What was said to all before the thread was there.
    private var held: [CodexMessage] = []
    private var events: [NormalizedEvent] = []
    private var chunk: (itemId: String, kind: ChunkKind, text: String)?
    private var isFlushing = false

    private static let heldLimit = 256

    package init(launch: ProviderLaunch, start: ProviderStart, servers: CodexServers, loop: EventLoop) {
        self.launch = launch
        wanted = start
        self.servers = servers
        self.loop = loop
    }

    /// The server's: sessions of one workspace have the same.
    package var processId: Int32? { phase == .ended ? nil : server?.processId }

    var isOpening: Bool { phase == .waiting || phase == .opening }
    var isLeaving: Bool { phase == .leaving || phase == .ended }
    /// A turn runs, as far as is known here.
    var isWorking: Bool { decoder.map { $0.turn != .none } ?? false }

    // MARK: The contract

    package func start() {
        guard phase == .idle else { return }
        phase = .waiting
        let server = servers.server(launch, workspace: wanted.workspace, on: loop)
        self.server = server
        server.join(self)
    }

    package func answerPermission(_ requestId: String, _ decision: PermissionDecision, message: String?) {
        guard let request = requests.removeValue(forKey: requestId) else { return }
        decoder?.answered(requestId)
        server?.answer(request.id, request.reply(decision))
        // A decision takes no words along; the turn that goes on does.
        if decision == .option("decline"), let message, !message.isEmpty { _ = steer(Prompt(message)) }
    }

    package func answerQuestion(_ requestId: String, answers: JSONObject?) {
        guard let request = requests.removeValue(forKey: requestId) else { return }
        decoder?.answered(requestId)
        server?.answer(request.id, request.reply(answers: answers))
    }

    package func setModel(_ model: String) {
        wanted.model = model
        if phase == .ready { overrides.model = model }
    }

    package func setEffort(_ effort: String) {
        wanted.effort = effort
        if phase == .ready { overrides.effort = effort }
    }

    package func setMode(_ mode: String) {
        guard let known = CodexMode.named(mode) else {
            emit(.error(unknownMode(mode)))
            return flush()
        }
        wanted.mode = mode
        if phase == .ready { overrides.mode = known }
    }

    func unknownMode(_ mode: String) -> Failure {
        .invalidRequest(
            provider: launch.name, message: "there is no mode \(mode), only \(CodexMode.names.joined(separator: ", "))")
    }

    package func stop() {
        switch phase {
        case .idle:
            phase = .leaving
            loop.schedule(after: .zero) { [weak self] in self?.finish(.stopped) }
        case .waiting, .opening, .ready:
            let server = server
            let isReady = phase == .ready
            phase = .leaving
            openTimer?.cancel()
            interruptTimer?.cancel()
            guard let server, !server.isLast(self) else { return server?.terminate() ?? finish(.stopped) }
            if isReady { closeThread() } else { left() }
        case .leaving, .ended: break
        }
    }

    // MARK: What the server says

    /// Something about this thread, or about all.
    func take(_ message: CodexMessage) {
        guard decoder != nil else {
            if held.count < CodexSession.heldLimit { held.append(message) }
            return
        }
        // A prompt that waits for the end of a turn that nobody sent has its own end to come.
        var isOvertaken = false
        if case .unsolicited? = decoder?.turn { isOvertaken = heldPrompt != nil }
        guard let output = decoder?.decode(message) else { return }
        for effect in output.effects { prepare(effect) }
        for event in output.events {
            if case .turnCompleted(let outcome) = event {
                if isOvertaken { emit(CodexSession.background(outcome)) } else { turnCompleted(outcome) }
            } else {
                emit(event)
            }
        }
        for effect in output.effects { perform(effect) }
    }

    private static func background(_ outcome: TurnOutcome) -> NormalizedEvent {
        var data: JSONObject = ["status": JSON(outcome.status.rawValue)]
        data["usage"] = outcome.usage.map { .object($0.json) }
        return .status(type: "background_turn_completed", data: data)
    }

    func takeHeld() {
        let messages = held
        held = []
        for message in messages { take(message) }
    }

    /// What has to be in place before the delegate hears the events: it may answer at once.
    private func prepare(_ effect: CodexDecoder.Effect) {
        switch effect {
        case .requested(let request): requests[request.requestId] = request
        case .resolved(let requestId): requests[requestId] = nil
        default: break
        }
    }

    private func perform(_ effect: CodexDecoder.Effect) {
        switch effect {
        case .requested, .resolved: break
        case .answer(let id, let result): server?.answer(id, result)
        case .unsupported(let id, let method): server?.refuse(id, method)
        case .adopted(let threadId): server?.route(threadId, to: self)
        case .turnRuns: if isInterrupting { askInterrupt() }
        case .turnEnded(let mayLinger):
            if mayLinger { endCommands() }
            if heldOutcome == nil { turnEnded() } else { settleAdditions() }
        }
    }

    func serverEnded(_ status: ExitStatus, errorTail: String, startFailure: Failure?) {
        guard phase != .ended else { return }
        let wasReady = phase == .ready
        let isStopping = phase == .leaving
        if let decoder {
            var ending = decoder
            for event in ending.end() { emit(event) }
        }
        flush()
        if isStopping { return finish(.stopped) }
        if wasReady { return finish(.exited(status, errorTail: errorTail)) }
        finish(
            .failedToStart(
                startFailure
                    ?? .providerStartFailed(
                        provider: launch.name, reason: "it ended with \(status) before it was ready",
                        errorTail: errorTail)))
    }

    /// The session leaves its server, which goes on for others or ends.
    func left() {
        leaveTimer?.cancel()
        let server = server
        finish(.stopped)
        server?.leave(self)
    }

    func finish(_ end: ProviderEnd) {
        guard phase != .ended else { return }
        flush()
        phase = .ended
        server = nil
        requests = [:]
        heldPrompt = nil
        for timer in [interruptTimer, openTimer, leaveTimer] { timer?.cancel() }
        delegate?.providerSession(self, ended: end)
    }

    // MARK: Events

    /// Pieces of one item that arrived together are one chunk: the clients' work is by frames.
    func emit(_ event: NormalizedEvent) {
        guard case .chunk(let itemId, let kind, let text) = event else {
            flushChunk()
            return events.append(event)
        }
        if chunk?.itemId == itemId, chunk?.kind == kind {
            chunk?.text += text
        } else {
            flushChunk()
            chunk = (itemId, kind, text)
        }
    }

    private func flushChunk() {
        guard let chunk else { return }
        self.chunk = nil
        events.append(.chunk(itemId: chunk.itemId, kind: chunk.kind, text: chunk.text))
    }

    /// Hands on in one call what has come; what the delegate makes happen meanwhile comes after it.
    func flush() {
        guard !isFlushing, phase != .ended else { return }
        isFlushing = true
        defer { isFlushing = false }
        while true {
            flushChunk()
            guard !events.isEmpty else { return }
            let batch = events
            events = []
            delegate?.providerSession(self, emitted: batch)
        }
    }
}
