import Base
package import EventLoop
import Glibc
import HubProtocol
import JSON
package import Processes
package import Providers

/// One conversation with Claude Code: a long-lived process that speaks stream-json both ways.
///
/// A conversation that can't be resumed is replaced by a new one (with an error that says so), and the message that
/// was waiting is sent to that.
package final class ClaudeSession: ProviderSession {
    package struct Limits: Sendable {
        /// The longest line taken from Claude. Images come in base64 within a line: 5 MB of them and a lot of text fit.
        package var lineBytes = 32 << 20
        /// What may wait for Claude to read it; a message that would exceed it is refused.
        package var inputBytes = 16 << 20
        /// From the start to the answer to `initialize`. A cold start on a slow disk takes some seconds.
        package var startTime = Duration.seconds(60)
        /// From an interrupt to the turn's end; then the process is ended.
        package var interruptTime = Duration.seconds(10)
        /// SIGTERM comes at once, since the end of its input has Claude wait for the running tool; it needs up to 2 s
        /// to end its tools.
        package var teardown = TeardownLadder(polite: .zero, terminate: .seconds(5))

        package init() {}
    }

    package weak var delegate: (any ProviderSessionDelegate)?
    package private(set) var processId: Int32?
    package let capabilities: ProviderCapabilities = {
        var capabilities = ProviderCapabilities()
        capabilities.resume = true
        capabilities.permissions = true
        capabilities.questions = true
        capabilities.cost = true
        capabilities.quota = true
        capabilities.fork = true
        capabilities.images = true
        capabilities.resources = true
        capabilities.steer = true
        capabilities.effort = true
        capabilities.models = true
        capabilities.modes = true
        return capabilities
    }()

    enum Phase {
        case idle
        /// The process runs and hasn't answered `initialize`.
        case starting
        case ready
        case stopping
        case ended
    }

    /// What one of our control requests is about.
    enum Question {
        case initialize
        case interrupt
        /// Whether a message of ours, still in the queue, was taken back.
        case withdrawal(uuid: String)
        case model(String)
        case mode(String)
        case effort(String)
        /// What is really in force after `effort` was asked for.
        case appliedEffort(String)
        case plan(ClaudeRequest, QuestionRequest)
    }

    let launch: ProviderLaunch
    var conversation: ProviderStart
    let loop: EventLoop
    let limits: Limits

    var phase = Phase.idle
    var child: ChildProcess?
    var splitter: LineSplitter
    var decoder: ClaudeDecoder
    /// The identifier that a new conversation was started with.
    var newSessionId: String?
    /// A message that waits for the process to be ready, or was sent to one that didn't know the conversation.
    var message: (prompt: Prompt, uuid: String, isWritten: Bool)?
    var conversationHasStarted = false
    /// The conversation stands in for one that couldn't be resumed, and its first prompt has not gone out.
    var knowsNothing = false
    /// Set when the process ends only to be replaced by one with a new conversation.
    var replacement: Replacement?
    var requests: [String: ClaudeRequest] = [:]
    var questions: [String: Question] = [:]
    var nextQuestion = 0
    var startTimer: LoopTimer?
    var interruptTimer: LoopTimer?
    /// It heeded no interrupt, and the process is being ended.
    package var isEnding = false

    enum Replacement {
        case newConversation
        /// Our identifier is taken: the conversation exists, only nobody noted it.
        case resume(String)
    }

    package init(launch: ProviderLaunch, start: ProviderStart, loop: EventLoop, limits: Limits = Limits()) {
        self.launch = launch
        conversation = start
        self.loop = loop
        self.limits = limits
        splitter = LineSplitter(limit: limits.lineBytes)
        decoder = ClaudeDecoder(knownCostUsd: start.knownCostUsd)
    }

    // MARK: Starting

    package func start() {
        guard phase == .idle else { return }
        spawn(resume: conversation.resumeNativeSessionId)
    }

    private func spawn(resume: String?) {
        phase = .starting
        splitter = LineSplitter(limit: limits.lineBytes)
        let catalogue = decoder.catalogue
        decoder = ClaudeDecoder(knownCostUsd: resume == nil ? 0 : conversation.knownCostUsd)
        decoder.catalogue = catalogue
        decoder.effort = conversation.effort
        conversationHasStarted = false
        let isFork = resume != nil && replacement == nil && conversation.forksNativeSession
        newSessionId =
            resume == nil || isFork
            ? (replacement == nil ? Self.usableUUID(conversation.sessionId) : randomUUID()) : nil
        replacement = nil
        requests = [:]
        questions = [:]
        let arguments = ClaudeInput.arguments(
            newSession: newSessionId, resume: resume, model: conversation.model, mode: conversation.mode,
            effort: conversation.effort, extra: launch.arguments)
        do throws(SpawnError) {
            let child = try ChildProcess.spawn(
                ProcessSpecification(
                    executable: launch.executable, arguments: arguments, environment: launch.environment,
                    workingDirectory: conversation.workspace), on: loop)
            self.child = child
            processId = child.pid
            child.onOutput = { [weak self] in self?.received($0) }
            // One that has nothing more to say has ended, or should.
            child.onOutputEnd = { [weak child, limits] in child?.terminate(limits.teardown) }
            child.onExit = { [weak self] in self?.exited($0) }
        } catch {
            let failure =
                error.code == .executableNotFound
                ? Failure.providerNotInstalled(provider: launch.name, lookedFor: [launch.executable])
                : .providerStartFailed(provider: launch.name, reason: error.description)
            // Never from within `start()`: the caller is still setting up.
            loop.schedule(after: .zero) { [weak self] in self?.finish(.failedToStart(failure)) }
            return
        }
        ask(.initialize, "initialize", ["hooks": nil])
        startTimer = loop.schedule(after: limits.startTime) { [weak self] in self?.startTimedOut() }
    }

    func startTimedOut() {
        guard phase == .starting else { return }
        finishStart(
            .providerStartFailed(provider: launch.name, reason: "it did not answer within \(limits.startTime)"))
    }

    /// Claude takes our identifier when it is a UUID; any other has to be replaced.
    private static func usableUUID(_ text: String) -> String {
        let bytes = Array(text.utf8)
        let isUUID =
            bytes.count == 36
            && bytes.enumerated().allSatisfy { index, byte in
                switch index {
                case 8, 13, 18, 23: byte == UInt8(ascii: "-")
                default:
                    (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || (0x41...0x46).contains(byte)
                }
            }
        return isUUID ? text : randomUUID()
    }

    func ready() {
        guard phase == .starting else { return }
        phase = .ready
        startTimer?.cancel()
        sendHeldMessage()
    }

    // MARK: Replacing a conversation

    func replaceConversation(_ reason: String) {
        guard replacement == nil, phase == .starting || phase == .ready else { return }
        replacement = .newConversation
        emit([.error(.resumeFailed(provider: launch.name, message: reason))])
        child?.terminate(limits.teardown)
    }

    // MARK: The end

    package func stop() {
        switch phase {
        case .idle:
            phase = .stopping
            loop.schedule(after: .zero) { [weak self] in self?.finish(.stopped) }
        case .starting, .ready:
            phase = .stopping
            startTimer?.cancel()
            interruptTimer?.cancel()
            child?.terminate(limits.teardown)
        case .stopping, .ended: break
        }
    }

    func finishStart(_ failure: Failure) {
        phase = .stopping
        startFailure = failure
        child?.terminate(limits.teardown)
    }

    private var startFailure: Failure?

    func exited(_ status: ExitStatus) {
        var lines: [LineSplitter.Line] = []
        splitter.finish { lines.append($0) }
        for line in lines { take(line) }
        emit(decoder.end())
        let errorTail = child?.errorTail ?? ""
        child = nil
        processId = nil
        startTimer?.cancel()
        interruptTimer?.cancel()
        interruptTimer = nil
        if let startFailure { return finish(.failedToStart(startFailure)) }
        if phase == .stopping { return finish(.stopped) }
        if !conversationHasStarted, replacement == nil {
            if errorTail.contains(text: "No conversation found") {
                replacement = .newConversation
                emit([.error(.resumeFailed(provider: launch.name, message: errorTail.trimmedLine))])
            } else if let newSessionId, errorTail.contains(text: "is already in use") {
                replacement = .resume(newSessionId)
            }
        }
        if let replacement {
            message?.isWritten = false
            switch replacement {
            case .newConversation:
                knowsNothing = true
                spawn(resume: nil)
            case .resume(let id): spawn(resume: id)
            }
            return
        }
        if phase == .starting {
            return finish(
                .failedToStart(
                    .providerStartFailed(
                        provider: launch.name, reason: "it ended with \(status) before it was ready",
                        errorTail: errorTail)))
        }
        finish(.exited(status, errorTail: errorTail))
    }

    func finish(_ end: ProviderEnd) {
        guard phase != .ended else { return }
        phase = .ended
        requests = [:]
        questions = [:]
        delegate?.providerSession(self, ended: end)
    }

    func emit(_ events: [NormalizedEvent]) {
        guard !events.isEmpty, phase != .ended else { return }
        delegate?.providerSession(self, emitted: events)
    }
}

extension String {
    fileprivate var trimmedLine: String { String(prefix { !$0.isNewline }) }
}
