import ACPMessages
import Base
package import EventLoop
import HubProtocol
package import JSON
import Processes
package import Providers

/// A conversation with an agent that speaks the Agent Client Protocol, version 1: the adapter.
///
/// Files and terminals are served within the session's workspace. A process that is of no more use after a login failed
/// is replaced by another one at the next prompt.
package final class ACPSession: ProviderSession {
    package weak var delegate: (any ProviderSessionDelegate)?
    package internal(set) var capabilities = ProviderCapabilities()
    package var processId: Int32? { transport.processId }

    /// From the process to its end.
    enum Phase: Equatable {
        case idle
        /// `initialize` is on its way.
        case initializing
        /// `session/new`, `session/load` or `session/resume` is on its way.
        case opening
        /// The session is there, but its history may still be arriving.
        case settling
        case ready
        /// The process was of no more use and is ended, or ending; the next prompt starts another one.
        case resting
        case ended
    }

    /// What an answer will be about.
    enum Purpose: Equatable {
        case initialize
        case newSession
        case openSession(String, replays: Bool)
        case forkSession
        /// The session to be forked, for agents that fork only what they have open.
        case openForkSource
        case authenticate
        case prompt
        case mode(String)
        case model(String)
        case effort(String)
    }

    enum Turn: Equatable {
        /// Sent by us, `request` is the prompt's.
        case sent(request: Int, isCancelling: Bool)
        /// Begun by the agent.
        case unsent
    }

    enum Waiting {
        case permission(id: JSON, toolCallId: String?, options: [PermissionOption])
        case question(id: JSON, form: ElicitationForm)

        var id: JSON {
            switch self {
            case .permission(let id, _, _), .question(let id, _): id
            }
        }
    }

    let transport: any ACPTransport
    let scheduler: any ACPScheduler
    let configuration: ACPConfiguration
    let workspace: Workspace
    /// Nil where none are served.
    let terminals: AgentTerminals?
    var wanted: ProviderStart
    var decoder: ACPDecoder
    var phase = Phase.idle
    var nativeSessionId: String?
    var settings = AgentSettings()
    /// The answer to `initialize`.
    var agent: JSON = [:]
    var promptCapabilities = PromptCapabilities()
    /// Some turn has come to an end: there is something to resume.
    var hasHistory = false
    var hasAuthenticated = false
    /// The session that was opened only to be forked: what is told of it is in the log.
    var forkSource: String?
    private var hasTriedOlderArguments = false
    /// While `resting`: the process has ended.
    private var isProcessGone = false
    var turn: Turn?
    /// Prompts that wait for the session.
    var queue: [(prompt: Prompt, turnId: String)] = []
    /// It heeded no cancellation, and the process is being ended.
    package var isEnding = false
    /// Asked by the agent, not answered yet; in the order in which they came.
    var waiting: [(requestId: String, request: Waiting)] = []
    var outstanding: [Int: Purpose] = [:]
    /// Updates that came before the answer to `session/new`: the delegate hears of the session first.
    var early: [JSON] = []
    /// The agent's history came before the answer to `session/load`, as it should.
    var hasSeenReplay = false
    /// Until the first turn has ended a history may still turn up.
    var mayReplay = false
    var isSwallowing = false
    var isStopping = false
    var startFailure: Failure?
    private var splitter: LineSplitter
    private var nextRequest = 0
    private var timers: [TimerName: () -> Void] = [:]
    private var events: [NormalizedEvent] = []
    private var chunk: (itemId: String, kind: ChunkKind, text: String)?
    private var depth = 0

    enum TimerName { case start, cancel, quiet, replay, replayLimit }

    /// The most questions of one agent that may wait at once.
    static let maximumWaiting = 64
    /// The most updates that are kept until the session is there.
    static let maximumEarly = 256

    /// - Parameter epoch: differs for each start within a session; identifiers are made with it.
    package init(
        _ start: ProviderStart, configuration: ACPConfiguration, transport: any ACPTransport,
        scheduler: any ACPScheduler, spawner: (any TerminalSpawner)? = nil, epoch: String
    ) {
        wanted = start
        workspace = Workspace(start.workspace, maximumFileBytes: configuration.maximumFileBytes)
        terminals =
            configuration.servesTerminals
            ? spawner.map { AgentTerminals(spawner: $0, maximum: configuration.maximumTerminals) } : nil
        self.configuration = configuration
        self.transport = transport
        self.scheduler = scheduler
        splitter = LineSplitter(limit: configuration.maximumLineBytes)
        decoder = ACPDecoder(
            epoch: epoch, tokensAreCumulative: configuration.tokensAreCumulative,
            resumes: start.resumeNativeSessionId != nil, knownCostUsd: start.knownCostUsd)
        capabilities.permissions = true
        capabilities.questions = true
        capabilities.resume = true
        hearTerminals()
    }

    /// A session with a process on the loop.
    package convenience init(_ start: ProviderStart, configuration: ACPConfiguration, loop: EventLoop) {
        let process = ACPProcess(
            ProcessSpecification(
                executable: configuration.executable, arguments: configuration.arguments,
                environment: configuration.environment, workingDirectory: start.workspace),
            name: configuration.name, ladder: configuration.ladder, loop: loop)
        self.init(
            start, configuration: configuration, transport: process, scheduler: process, spawner: process,
            epoch: "a" + String(Timestamp.now.milliseconds, radix: 36))
    }

    // MARK: The contract

    package func start() {
        guard phase == .idle else { return }
        if let problem = configuration.problem {
            phase = .ended
            delegate?.providerSession(self, ended: .failedToStart(startFailed(problem)))
            return
        }
        launch(configuration.arguments)
    }

    /// Starts the process.
    func launch(_ arguments: [String]) {
        phase = .initializing
        splitter = LineSplitter(limit: configuration.maximumLineBytes)
        outstanding = [:]
        early = []
        hasAuthenticated = false
        forkSource = nil
        isProcessGone = false
        do {
            try transport.start(
                arguments: arguments, onOutput: { [weak self] in self?.received($0) },
                onExit: { [weak self] in self?.exited($0) })
        } catch {
            phase = .ended
            cancelTimers()
            delegate?.providerSession(self, ended: .failedToStart(error))
            return
        }
        arm(.start, configuration.startTimeout) { session in
            let limit = session.configuration.startTimeout.components.seconds
            session.failStart(session.startFailed("it did not open a session within \(limit) s"))
        }
        initialize()
    }

    package func send(_ prompt: Prompt, turnId: String) {
        batch {
            guard prompt.size <= configuration.maximumPromptBytes else {
                let limit = configuration.maximumPromptBytes >> 20
                let message = "the message is longer than \(limit) MiB"
                emit(.error(.invalidRequest(provider: configuration.name, message: message)))
                return emit(.turnCompleted(TurnOutcome(status: .failed, stopReason: "error")))
            }
            queue.append((prompt, turnId))
            if phase == .resting, isProcessGone { return relaunch() }
            pump()
        }
    }

    package func interrupt() {
        batch { interruptTurn() }
    }

    package func answerPermission(_ requestId: String, _ decision: PermissionDecision, message: String?) {
        guard let index = waiting.firstIndex(where: { $0.requestId == requestId }),
            case .permission(let id, let toolCallId, let options) = waiting[index].request
        else { return }
        waiting.remove(at: index)
        guard case .option(let optionId) = decision, let option = options.first(where: { $0.optionId == optionId })
        else { return transport.write(ACPMessage.answer(id, ACPSession.cancelledOutcome)) }
        if let toolCallId, option.kind == .rejectOnce || option.kind == .rejectAlways {
            decoder.tools.reject(toolCallId)
        }
        transport.write(
            ACPMessage.answer(id, ["outcome": ["outcome": "selected", "optionId": JSON(optionId)]]))
    }

    package func answerQuestion(_ requestId: String, answers: JSONObject?) {
        guard let index = waiting.firstIndex(where: { $0.requestId == requestId }),
            case .question(let id, let form) = waiting[index].request
        else { return }
        waiting.remove(at: index)
        guard let answers else { return transport.write(ACPMessage.answer(id, ["action": "decline"])) }
        transport.write(
            ACPMessage.answer(id, ["action": "accept", "content": .object(form.content(answers))]))
    }

    /// Before the session is there it is kept for then.
    private func set(_ purpose: Purpose, keep: (inout ProviderStart) -> Void) {
        batch {
            guard phase == .ready || phase == .settling else { return keep(&wanted) }
            change(purpose)
        }
    }

    package func setModel(_ model: String) { set(.model(model)) { $0.model = model } }

    package func setMode(_ mode: String) { set(.mode(mode)) { $0.mode = mode } }

    package func setEffort(_ effort: String) { set(.effort(effort)) { $0.effort = effort } }

    package func stop() {
        guard phase != .ended, !isStopping else { return }
        isStopping = true
        cancelTimers()
        batch { releaseTerminals() }
        guard phase != .idle, !isProcessGone else {
            phase = .ended
            delegate?.providerSession(self, ended: .stopped)
            return
        }
        transport.terminate()
    }

    // MARK: Replacing the process

    /// Ends a process that is of no more use, though the conversation goes on: after a refused login some agents
    /// (mistral-vibe) fail every later prompt the same way.
    func rest() {
        guard phase == .ready, !isStopping else { return }
        phase = .resting
        // What is chosen from here on is chosen for the next one.
        wanted.mode = settings.mode.current ?? wanted.mode
        wanted.model = settings.model.current ?? wanted.model
        wanted.effort = settings.effort.current ?? wanted.effort
        releaseTerminals()
        transport.terminate()
    }

    private func relaunch() {
        wanted.resumeNativeSessionId = hasHistory ? nativeSessionId : nil
        wanted.forksNativeSession = false
        launch(hasTriedOlderArguments ? configuration.olderArguments ?? [] : configuration.arguments)
    }

    // MARK: Output

    private func received(_ bytes: UnsafeRawBufferPointer) {
        batch {
            splitter.feed(bytes) { handle($0) }
        }
    }

    private func handle(_ line: LineSplitter.Line) {
        switch line {
        case .whole(let bytes):
            for message in ACPMessage.read(bytes) { handle(message) }
        case .tooLong(let start, let length):
            handle(ACPMessage.unparsed(start, length: length))
        }
    }

    private func exited(_ status: ExitStatus) {
        guard phase != .ended else { return }
        batch {
            splitter.finish { handle($0) }
            releaseTerminals()
            decodeInPlace { $0.abandon(into: &$1) }
        }
        isProcessGone = true
        if phase == .resting, !isStopping {
            if !queue.isEmpty { batch { relaunch() } }
            return
        }
        if phase == .initializing, startFailure == nil, !isStopping, let older = configuration.olderArguments,
            !hasTriedOlderArguments
        {
            hasTriedOlderArguments = true
            return launch(older)
        }
        let wasReady = phase == .ready || phase == .settling
        phase = .ended
        cancelTimers()
        let reason: ProviderEnd
        if let startFailure {
            reason = .failedToStart(startFailure)
        } else if isStopping {
            // Stopped means that nothing of it runs any more.
            guard terminals?.isRunning != true else { return }
            reason = .stopped
        } else if wasReady {
            reason = .exited(status, errorTail: transport.errorTail)
        } else {
            reason = .failedToStart(startFailed("it ended before it was ready (\(status))"))
        }
        delegate?.providerSession(self, ended: reason)
    }

    /// The last command of the agent has ended.
    func terminalsEnded() {
        guard isStopping, phase == .ended || phase == .resting, isProcessGone else { return }
        phase = .ended
        delegate?.providerSession(self, ended: .stopped)
    }

    func startFailed(_ reason: String) -> Failure {
        .providerStartFailed(provider: configuration.name, reason: reason, errorTail: transport.errorTail)
    }

    // MARK: Events

    /// Runs `body` and hands on in one call what came of it, however much that was.
    func batch(_ body: () -> Void) {
        depth += 1
        body()
        depth -= 1
        guard depth == 0 else { return }
        // What the delegate calls in turn makes batches of its own, which come after this one.
        while true {
            flushChunk()
            guard !events.isEmpty else { return }
            let batch = events
            events.removeAll(keepingCapacity: true)
            depth += 1
            delegate?.providerSession(self, emitted: batch)
            depth -= 1
        }
    }

    /// Pieces of one item that arrived together are one chunk: the clients' work is by frames.
    func emit(_ event: NormalizedEvent) {
        guard case .chunk(let itemId, let kind, let text) = event else {
            flushChunk()
            events.append(event)
            return
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

    @discardableResult
    func decodeInPlace<Result>(_ body: (inout ACPDecoder, inout [NormalizedEvent]) -> Result) -> Result {
        var made: [NormalizedEvent] = []
        let result = body(&decoder, &made)
        for event in made { emit(event) }
        return result
    }

    // MARK: Requests and timers

    func request(_ method: String, _ params: JSONObject, _ purpose: Purpose) -> Int {
        nextRequest += 1
        outstanding[nextRequest] = purpose
        transport.write(ACPMessage.request(nextRequest, method, params))
        return nextRequest
    }

    func arm(_ name: TimerName, _ delay: Duration, _ body: @escaping (ACPSession) -> Void) {
        disarm(name)
        timers[name] = scheduler.schedule(after: delay) { [weak self] in
            guard let self else { return }
            timers[name] = nil
            batch { body(self) }
        }
    }

    func isArmed(_ name: TimerName) -> Bool { timers[name] != nil }

    func disarm(_ name: TimerName) { timers.removeValue(forKey: name)?() }

    private func cancelTimers() {
        for cancel in timers.values { cancel() }
        timers = [:]
    }

    static let cancelledOutcome: JSONObject = ["outcome": ["outcome": "cancelled"]]
}
