import Base
import EventLoop
import Glibc
import HubProtocol
import JSON
package import Processes
import Providers

/// One `codex app-server`: its process, its requests and answers, and to whom belongs what it says. The sessions of a
/// workspace share it; it ends when the last of them has left.
package final class CodexServer {
    package struct Limits: Sendable {
        /// The longest line taken from Codex. An image in base64 is within one line.
        package var lineBytes = 32 << 20
        /// What may wait for Codex to read it; a message that would exceed it is refused.
        package var inputBytes = 16 << 20
        /// From the start of the process to its session; a cold start on a slow disk takes some seconds.
        package var startTime = Duration.seconds(60)
        /// How long the list of models is waited for. Codex may ask its API for it.
        package var modelListTime = Duration.seconds(5)
        /// From an interrupt to the turn's end, and from a session's leave to its thread's; then the process is ended.
        package var interruptTime = Duration.seconds(10)
        /// The end of its input has Codex end its commands and itself within a second.
        package var teardown = TeardownLadder(polite: .seconds(2), terminate: .seconds(2))

        package init() {}
    }

    enum Phase {
        case idle
        /// Waits for others to have started, or starts.
        case starting
        case ready
        /// Being ended: takes no more sessions.
        case ending
        case ended
    }

    typealias Answer = (Result<JSON, CodexError>) -> Void

    private(set) var phase = Phase.idle
    let limits: Limits
    /// For identifiers that differ from those of every other server.
    let epoch: String
    /// What it tells about itself in its answer to `initialize`.
    private(set) var version: String?
    private(set) var account: JSON = .null
    private(set) var models: [CodexModel] = []

    private let launch: ProviderLaunch
    private let workspace: String
    private let loop: EventLoop
    private var child: ChildProcess?
    private var splitter: LineSplitter
    private var outstanding: [Int: Answer] = [:]
    private var nextRequest = 0
    private var tenants: [CodexSession] = []
    /// By thread.
    private var routes: [String: CodexSession] = [:]
    /// What was said about threads that nobody has, while a session is waiting to learn of its own.
    private var early: [CodexMessage] = []
    private var startTimer: LoopTimer?
    private var openQuestions = 0
    private var startFailure: Failure?
    private weak var servers: CodexServers?
    private var isStartEnded = false

    /// The most messages that are kept until their session knows its thread.
    private static let earlyLimit = 256
    private static let clientVersion = "1"

    init(launch: ProviderLaunch, workspace: String, limits: Limits, loop: EventLoop, servers: CodexServers) {
        self.launch = launch
        self.workspace = workspace
        self.limits = limits
        self.loop = loop
        self.servers = servers
        epoch = "c" + hexadecimal(randomBytes(4))
        splitter = LineSplitter(limit: limits.lineBytes)
    }

    var processId: Int32? { child.flatMap { $0.exitStatus == nil ? $0.pid : nil } }
    var takesTenants: Bool { phase == .idle || phase == .starting || phase == .ready }

    // MARK: Sessions

    /// A session joins; it hears `serverReady` or `serverEnded`, never from within this call.
    func join(_ session: CodexSession) {
        tenants.append(session)
        switch phase {
        case .idle:
            phase = .starting
            servers?.begin(self)
        case .ready: loop.schedule(after: .zero) { [weak session] in session?.serverReady() }
        default: break
        }
    }

    /// From now on what is said about this thread is this session's.
    func route(_ threadId: String, to session: CodexSession) {
        routes[threadId] = session
        replayEarly()
    }

    func isTaken(_ threadId: String) -> Bool { routes[threadId] != nil }

    /// Whether this session is the only one that still wants the server.
    func isLast(_ session: CodexSession) -> Bool {
        !tenants.contains { $0 !== session && !$0.isLeaving }
    }

    /// A session has left, its thread closed.
    func leave(_ session: CodexSession) {
        tenants.removeAll { $0 === session }
        routes = routes.filter { $0.value !== session }
        if tenants.allSatisfy(\.isLeaving) { terminate() }
        replayEarly()
    }

    var isEnding: Bool { phase == .ending }

    /// Ends the process by the ladder: all sessions hear of it.
    func terminate() {
        guard phase != .ended else { return }
        if phase != .ending {
            phase = .ending
            startTimer?.cancel()
            servers?.ending(self)
        }
        if let child { return child.terminate(limits.teardown) }
        // It never came to be a process.
        loop.schedule(after: .zero) { self.exited(.exited(0)) }
    }

    // MARK: Starting

    /// Its turn to start has come.
    func spawn() {
        guard phase == .starting else { return startEnded() }
        do throws(SpawnError) {
            let child = try ChildProcess.spawn(
                ProcessSpecification(
                    executable: launch.executable, arguments: ["app-server"] + launch.arguments,
                    environment: launch.environment, workingDirectory: workspace), on: loop)
            self.child = child
            child.onOutput = { [weak self] in self?.received($0) }
            // One that has nothing more to say has ended, or should.
            child.onOutputEnd = { [weak child, limits] in child?.terminate(limits.teardown) }
            // Strongly: its end is told to the sessions whoever else has let go of it.
            child.onExit = { self.exited($0) }
            // Who no longer reads can be told nothing any more.
            child.onInputError = { [weak self] _ in self?.terminate() }
        } catch {
            startFailure =
                error.code == .executableNotFound
                ? .providerNotInstalled(provider: launch.name, lookedFor: [launch.executable])
                : .providerStartFailed(provider: launch.name, reason: error.description)
            return terminate()
        }
        startTimer = loop.schedule(after: limits.startTime) { [weak self] in
            guard let self else { return }
            fail(.providerStartFailed(provider: launch.name, reason: "it did not answer within \(limits.startTime)"))
        }
        ask("initialize", CodexInput.initialize(version: CodexServer.clientVersion)) { [weak self] in
            self?.initialized($0)
        }
    }

    private func startEnded() {
        guard !isStartEnded else { return }
        isStartEnded = true
        servers?.startEnded(self)
    }

    private func initialized(_ answer: Result<JSON, CodexError>) {
        startEnded()
        guard phase == .starting else { return }
        switch answer {
        case .failure(let error):
            return fail(.providerStartFailed(provider: launch.name, reason: error.message))
        case .success(let result):
            // `codeai_hub/0.163.0 (Debian 12.0.0; x86_64)`
            version = result["userAgent"]?.stringValue?.split(separator: "/", maxSplits: 1).dropFirst().first
                .flatMap { ProviderVersion.find(in: String($0)) }
        }
        child?.write(CodexMessage.notification("initialized"))
        openQuestions = 2
        ask("account/read", [:]) { [weak self] answer in
            guard let self, case .success(let result) = answer else {
                self?.questionAnswered()
                return
            }
            account = result["account"] ?? .null
            if account.isNull, result["requiresOpenaiAuth"]?.boolValue == true, phase == .starting {
                // Without an account it would try for long, and a server that runs doesn't see a login.
                return fail(.authenticationFailed(provider: launch.name, message: "there is no login"))
            }
            questionAnswered()
        }
        ask("model/list", ["limit": 100]) { [weak self] answer in
            if case .success(let result) = answer {
                self?.models = (result["data"]?.arrayValue ?? []).compactMap(CodexModel.init)
            }
            self?.questionAnswered()
        }
        loop.schedule(after: limits.modelListTime) { [weak self] in self?.ready() }
    }

    private func questionAnswered() {
        openQuestions -= 1
        if openQuestions == 0 { ready() }
    }

    private func ready() {
        guard phase == .starting else { return }
        phase = .ready
        startTimer?.cancel()
        for session in tenants { session.serverReady() }
    }

    private func fail(_ failure: Failure) {
        guard phase == .starting else { return }
        startFailure = failure
        terminate()
    }

    // MARK: Asking and answering

    var queuedInputBytes: Int { child?.queuedInputBytes ?? 0 }

    /// - Parameter answer: never called when the process ends first.
    func ask(_ method: String, _ params: JSONObject, _ answer: @escaping Answer) {
        nextRequest += 1
        outstanding[nextRequest] = answer
        child?.write(CodexMessage.request(nextRequest, method, params))
    }

    func answer(_ id: JSON, _ result: JSON) { child?.write(CodexMessage.answer(id, result)) }

    func refuse(_ id: JSON, _ method: String) {
        child?.write(CodexMessage.refusal(id, "\(method) is not supported by this client"))
    }

    // MARK: What Codex says

    private func received(_ bytes: UnsafeRawBufferPointer) {
        splitter.feed(bytes) { take($0) }
        for session in tenants { session.flush() }
    }

    private func take(_ line: LineSplitter.Line) {
        switch line {
        case .whole(let bytes):
            if let message = CodexMessage.read(bytes) { dispatch(message) }
        case .tooLong(let start, let length):
            dispatch(.oversized(start: String(decoding: start, as: UTF8.self), length: length))
        }
    }

    private func dispatch(_ message: CodexMessage) {
        switch message {
        case .result(let id, let result): outstanding.removeValue(forKey: id)?(.success(result))
        case .failure(let id, let error): outstanding.removeValue(forKey: id)?(.failure(error))
        default: deliver(message)
        }
    }

    private func deliver(_ message: CodexMessage) {
        if let threadId = message.threadId {
            if let session = routes[threadId] { return session.take(message) }
            if case .notification("thread/started", let params) = message,
                let parent = params["thread"]?["parentThreadId"]?.stringValue, let session = routes[parent]
            {
                routes[threadId] = session
                return session.take(message)
            }
            if tenants.contains(where: \.isOpening), early.count < CodexServer.earlyLimit {
                return early.append(message)
            }
        }
        if case .request(let id, let method, _) = message {
            // A request is answered once: by the session that works, or by nobody.
            guard let session = audience.first else { return refuse(id, method) }
            return session.take(message)
        }
        for session in audience { session.take(message) }
    }

    /// Who hears what is about no thread in particular: those who work, else all who are there.
    private var audience: [CodexSession] {
        let working = tenants.filter(\.isWorking)
        return working.isEmpty ? tenants.filter { !$0.isLeaving } : working
    }

    private func replayEarly() {
        let held = early
        early = []
        for message in held { deliver(message) }
    }

    private func exited(_ status: ExitStatus) {
        guard phase != .ended else { return }
        splitter.finish { take($0) }
        let errorTail = child?.errorTail ?? ""
        if phase != .ending { servers?.ending(self) }
        phase = .ended
        startEnded()
        startTimer?.cancel()
        outstanding = [:]
        early = []
        let all = tenants
        tenants = []
        routes = [:]
        for session in all { session.serverEnded(status, errorTail: errorTail, startFailure: startFailure) }
    }
}

/// A model that can be chosen.
struct CodexModel: Equatable, Sendable {
    var name: String
    var efforts: [String]

    /// Nil for one that isn't to be shown.
    init?(_ json: JSON) {
        guard let name = json["model"]?.stringValue ?? json["id"]?.stringValue, json["hidden"]?.boolValue != true else {
            return nil
        }
        self.name = name
        efforts = (json["supportedReasoningEfforts"]?.arrayValue ?? []).compactMap {
            $0["reasoningEffort"]?.stringValue
        }
    }
}
