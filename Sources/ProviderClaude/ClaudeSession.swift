import Base
package import EventLoop
import Glibc
import HubProtocol
package import JSON
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
        capabilities.models = true
        capabilities.modes = true
        return capabilities
    }()

    private enum Phase {
        case idle
        /// The process runs and hasn't answered `initialize`.
        case starting
        case ready
        case stopping
        case ended
    }

    /// What one of our control requests is about.
    private enum Question {
        case initialize
        case interrupt
        /// Whether our message, still waiting behind another turn, was taken back.
        case withdrawal(uuid: String)
        case model(String)
        case mode(String)
        case plan(ClaudeRequest, QuestionRequest)
    }

    private let launch: ProviderLaunch
    private var conversation: ProviderStart
    private let loop: EventLoop
    private let limits: Limits

    private var phase = Phase.idle
    private var child: ChildProcess?
    private var splitter: LineSplitter
    private var decoder: ClaudeDecoder
    /// The identifier that a new conversation was started with.
    private var newSessionId: String?
    /// A message that waits for the process to be ready, or was sent to one that didn't know the conversation.
    private var message: (prompt: Prompt, uuid: String, isWritten: Bool)?
    private var conversationHasStarted = false
    /// Set when the process ends only to be replaced by one with a new conversation.
    private var replacement: Replacement?
    private var requests: [String: ClaudeRequest] = [:]
    private var questions: [String: Question] = [:]
    private var nextQuestion = 0
    private var startTimer: LoopTimer?
    private var interruptTimer: LoopTimer?

    private enum Replacement {
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
        let model = decoder.availableModels
        decoder = ClaudeDecoder(knownCostUsd: resume == nil ? 0 : conversation.knownCostUsd)
        decoder.availableModels = model
        conversationHasStarted = false
        newSessionId =
            resume == nil ? (replacement == nil ? Self.usableUUID(conversation.sessionId) : randomUUID()) : nil
        replacement = nil
        requests = [:]
        questions = [:]
        let arguments = ClaudeInput.arguments(
            newSession: newSessionId, resume: resume, model: conversation.model, mode: conversation.mode,
            extra: launch.arguments)
        do throws(SpawnError) {
            let child = try ChildProcess.spawn(
                ProcessSpecification(
                    executable: launch.executable, arguments: arguments, environment: launch.environment,
                    workingDirectory: conversation.workspace), on: loop)
            self.child = child
            processId = child.pid
            child.onOutput = { [weak self] in self?.received($0) }
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

    private func startTimedOut() {
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

    private func ready() {
        guard phase == .starting else { return }
        phase = .ready
        startTimer?.cancel()
        sendHeldMessage()
    }

    // MARK: Turns

    package func send(_ prompt: Prompt, turnId: String) {
        switch phase {
        case .idle, .starting, .ready: break
        case .stopping, .ended: return
        }
        message = (prompt, randomUUID(), false)
        if phase == .ready { sendHeldMessage() }
    }

    private func sendHeldMessage() {
        guard let message, !message.isWritten, let child else { return }
        let line = ClaudeInput.line(ClaudeInput.user(message.prompt.plainText, uuid: message.uuid))
        guard line.count <= limits.inputBytes - child.queuedInputBytes else {
            self.message = nil
            return emit([
                .error(
                    .invalidRequest(
                        provider: launch.name,
                        message: "the message of \(line.count) bytes is too large, or Claude doesn't read its input")),
                .turnCompleted(TurnOutcome(status: .failed, stopReason: "input_too_large")),
            ])
        }
        self.message?.isWritten = true
        decoder.beginTurn(uuid: message.uuid)
        child.write(line)
    }

    package func interrupt() {
        if let message, !message.isWritten {
            self.message = nil
            return emit([.turnCompleted(TurnOutcome(status: .interrupted, stopReason: "not_sent"))])
        }
        guard phase == .ready || message != nil, decoder.turn != .none, interruptTimer == nil else { return }
        decoder.isInterrupting = true
        // Claude takes back by itself what it has asked for and not got an answer to.
        ask(.interrupt, "interrupt")
        interruptTimer = loop.schedule(after: limits.interruptTime) { [weak self] in self?.interruptTimedOut() }
    }

    private func interruptTimedOut() {
        guard decoder.turn != .none, phase != .ended else { return }
        emit([.status(type: "interrupt_escalated", data: ["reason": "no answer to the interrupt"])])
        child?.terminate(limits.teardown)
    }

    private func turnEnded() {
        message = nil
        interruptTimer?.cancel()
        interruptTimer = nil
    }

    // MARK: Answers

    package func answerPermission(_ requestId: String, _ decision: PermissionDecision, message: String?) {
        guard let request = requests.removeValue(forKey: requestId) else { return }
        write(ClaudeInput.reply(to: requestId, request.reply(decision, message: message)))
    }

    package func answerQuestion(_ requestId: String, answers: JSONObject?) {
        guard let request = requests.removeValue(forKey: requestId) else { return }
        write(ClaudeInput.reply(to: requestId, request.reply(answers: answers)))
    }

    package func setModel(_ model: String) {
        conversation.model = model
        if phase == .starting || phase == .ready { ask(.model(model), "set_model", ["model": JSON(model)]) }
    }

    package func setMode(_ mode: String) {
        conversation.mode = mode
        if phase == .starting || phase == .ready { ask(.mode(mode), "set_permission_mode", ["mode": JSON(mode)]) }
    }

    private func ask(_ question: Question, _ subtype: String, _ members: JSONObject = [:]) {
        nextQuestion += 1
        let id = "hub-\(nextQuestion)"
        questions[id] = question
        write(ClaudeInput.control(subtype, id: id, members))
    }

    private func write(_ json: JSON) { child?.write(ClaudeInput.line(json)) }

    // MARK: What Claude says

    private func received(_ bytes: UnsafeRawBufferPointer) {
        var lines: [LineSplitter.Line] = []
        splitter.feed(bytes) { lines.append($0) }
        for line in lines { take(line) }
    }

    /// Line by line, since what the delegate does about one line may change what the next one means.
    private func take(_ line: LineSplitter.Line) {
        let output = decoder.decode(line)
        for effect in output.effects { prepare(effect) }
        emit(output.events)
        for effect in output.effects { perform(effect) }
    }

    /// What has to be in place before the delegate hears the events: it may answer at once.
    private func prepare(_ effect: ClaudeDecoder.Effect) {
        switch effect {
        case .requested(let request): requests[request.requestId] = request
        case .withdrawn(let requestId): requests[requestId] = nil
        case .conversationStarted: conversationHasStarted = true
        case .turnEnded: turnEnded()
        default: break
        }
    }

    private func perform(_ effect: ClaudeDecoder.Effect) {
        switch effect {
        case .controlResponse(let id, let response, let error):
            if let question = questions.removeValue(forKey: id) { answered(question, response, error) }
        case .planNeeded(let request, let question):
            ask(.plan(request, question), "get_plan")
        case .withdrawn(let requestId):
            for (id, question) in questions {
                if case .plan(let request, _) = question, request.requestId == requestId { questions[id] = nil }
            }
        case .unsupportedRequest(let requestId, let subtype):
            write(ClaudeInput.refusal(of: requestId, "\(subtype) is not supported by this client"))
        case .resumeFailed(let reason):
            replaceConversation(reason)
        case .requested, .conversationStarted, .messageState, .turnEnded: break
        }
    }

    private func answered(_ question: Question, _ response: JSON, _ error: String?) {
        switch question {
        case .initialize:
            if let error {
                return finishStart(.providerStartFailed(provider: launch.name, reason: error))
            }
            decoder.availableModels = (response["models"]?.arrayValue ?? []).compactMap { $0["value"]?.stringValue }
            ready()
        case .interrupt:
            // Our message was still waiting behind another turn: it goes on as soon as that one has ended.
            guard let message, response["still_queued"]?.arrayValue?.contains(.string(message.uuid)) == true else {
                return
            }
            ask(.withdrawal(uuid: message.uuid), "cancel_async_message", ["message_uuid": JSON(message.uuid)])
        case .withdrawal(let uuid):
            guard decoder.turn == .sent(uuid: uuid) else { return }
            // It began meanwhile: then it can be interrupted like any other.
            guard response["cancelled"]?.boolValue == true else { return ask(.interrupt, "interrupt") }
            decoder.endTurn()
            turnEnded()
            emit([.turnCompleted(TurnOutcome(status: .interrupted, stopReason: "withdrawn"))])
        case .model(let model):
            if let error { return refused("The model \(model) was not set: \(error)") }
            decoder.noteModel(response["model"]?.stringValue ?? model)
            emit(decoder.takeEvents())
        case .mode(let mode):
            if let error { return refused("The mode \(mode) was not set: \(error)") }
            decoder.noteMode(response["mode"]?.stringValue ?? mode)
            emit(decoder.takeEvents())
        case .plan(let request, var question):
            requests[request.requestId] = request
            let members = [response["plan"], response["content"], response["text"]]
            question.body = members.compactMap { $0?.stringValue }.first
            emit([.questionRequested(question)])
        }
    }

    private func refused(_ reason: String) {
        emit([.error(.invalidRequest(provider: launch.name, message: reason))])
    }

    // MARK: Replacing a conversation

    private func replaceConversation(_ reason: String) {
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

    private func finishStart(_ failure: Failure) {
        phase = .stopping
        startFailure = failure
        child?.terminate(limits.teardown)
    }

    private var startFailure: Failure?

    private func exited(_ status: ExitStatus) {
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
            if errorTail.contains("No conversation found") {
                replacement = .newConversation
                emit([.error(.resumeFailed(provider: launch.name, message: errorTail.trimmedLine))])
            } else if let newSessionId, errorTail.contains("is already in use") {
                replacement = .resume(newSessionId)
            }
        }
        if let replacement {
            message?.isWritten = false
            switch replacement {
            case .newConversation: spawn(resume: nil)
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

    private func finish(_ end: ProviderEnd) {
        guard phase != .ended else { return }
        phase = .ended
        requests = [:]
        questions = [:]
        delegate?.providerSession(self, ended: end)
    }

    private func emit(_ events: [NormalizedEvent]) {
        guard !events.isEmpty, phase != .ended else { return }
        delegate?.providerSession(self, emitted: events)
    }
}

extension String {
    fileprivate var trimmedLine: String { String(prefix { !$0.isNewline }) }
}
