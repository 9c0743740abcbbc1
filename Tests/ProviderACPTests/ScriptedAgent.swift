import HubProtocol
import JSON
import Processes
import ProviderACP
import Providers

/// Stands in for the agent's process: the test says its lines. Its clock moves when the test moves it.
final class ScriptedAgent: ACPTransport, ACPScheduler {
    private(set) var sent: [JSON] = []
    private(set) var isTerminated = false
    var startError: Failure?
    var processId: Int32? { isTerminated ? nil : 42 }
    var errorTail = "tail"
    private var onOutput: (UnsafeRawBufferPointer) -> Void = { _ in }
    private var onExit: (ExitStatus) -> Void = { _ in }
    private var timers: [(due: Duration, id: Int, body: () -> Void)] = []
    private var now = Duration.zero
    private var count = 0

    private(set) var starts: [[String]] = []

    func start(
        arguments: [String], onOutput: @escaping (UnsafeRawBufferPointer) -> Void,
        onExit: @escaping (ExitStatus) -> Void
    ) throws(Failure) {
        if let startError { throw startError }
        starts.append(arguments)
        isTerminated = false
        self.onOutput = onOutput
        self.onExit = onExit
    }

    func write(_ bytes: [UInt8]) {
        for line in bytes.split(separator: 0x0a) { if let json = try? JSON.parse(Array(line)) { sent.append(json) } }
    }

    func terminate() { isTerminated = true }

    func exit(_ status: ExitStatus) { onExit(status) }

    // MARK: What it says

    func say(_ bytes: [UInt8]) { bytes.withUnsafeBytes { onOutput($0) } }

    func say(_ json: JSON...) { say(json.flatMap { $0.serialize() + [0x0a] }) }

    func update(_ update: JSON, session: JSON = "s1") {
        say(["jsonrpc": "2.0", "method": "session/update", "params": ["sessionId": session, "update": update]])
    }

    func message(_ text: String) {
        update(["sessionUpdate": "agent_message_chunk", "content": ["type": "text", "text": JSON(text)]])
    }

    func ask(_ id: JSON, _ method: String, _ params: JSON) {
        say(["jsonrpc": "2.0", "id": id, "method": JSON(method), "params": params])
    }

    func answer(_ method: String, _ result: JSON) {
        guard let id = last(method)?["id"] else { return }
        say(["jsonrpc": "2.0", "id": id, "result": result])
    }

    func refuse(_ method: String, code: Int, _ message: String, data: JSON = .null) {
        guard let id = last(method)?["id"] else { return }
        say(["jsonrpc": "2.0", "id": id, "error": ["code": JSON(code), "message": JSON(message), "data": data]])
    }

    // MARK: What it heard

    func last(_ method: String) -> JSON? { sent.last { $0["method"] == JSON(method) } }

    func answer(to id: JSON) -> JSON? { sent.last { $0["method"] == nil && $0["id"] == id } }

    // MARK: Time

    func schedule(after delay: Duration, _ body: @escaping () -> Void) -> () -> Void {
        count += 1
        let id = count
        timers.append((now + delay, id, body))
        return { [weak self] in self?.timers.removeAll { $0.id == id } }
    }

    func advance(_ time: Duration) {
        let end = now + time
        while let next = timers.filter({ $0.due <= end }).min(by: { ($0.due, $0.id) < ($1.due, $1.id) }) {
            timers.removeAll { $0.id == next.id }
            now = next.due
            next.body()
        }
        now = end
    }
}

/// A session with a scripted agent, and what came of it.
final class Conversation: ProviderSessionDelegate {
    let agent = ScriptedAgent()
    let session: ACPSession
    private(set) var events: [NormalizedEvent] = []
    private(set) var ends: [ProviderEnd] = []
    private(set) var batches = 0

    let commands = ScriptedCommands()

    convenience init(configuration adjust: (inout ACPConfiguration) -> Void) { self.init({ _ in }, adjust) }

    init(
        _ change: (inout ProviderStart) -> Void = { _ in }, _ adjust: (inout ACPConfiguration) -> Void = { _ in }
    ) {
        var start = ProviderStart(sessionId: "ours", workspace: "/work")
        change(&start)
        var configuration = ACPConfiguration(executable: "agent")
        adjust(&configuration)
        session = ACPSession(
            start, configuration: configuration, transport: agent, scheduler: agent, spawner: commands, epoch: "e")
        session.delegate = self
    }

    func providerSession(_ session: any ProviderSession, emitted events: [NormalizedEvent]) {
        batches += 1
        self.events += events
    }

    func providerSession(_ session: any ProviderSession, ended reason: ProviderEnd) { ends.append(reason) }

    /// What has come since it was last asked for.
    func lines() -> [String] {
        defer { events = [] }
        return events.map(render)
    }

    /// Up to a session that is ready.
    func open(capabilities: JSON = [:], result: JSON = ["sessionId": "s1"]) {
        session.start()
        agent.answer("initialize", ["protocolVersion": 1, "agentCapabilities": capabilities])
        agent.answer("session/new", result)
    }
}

/// Stands in for the commands of an agent's terminals.
final class ScriptedCommands: TerminalSpawner {
    final class Command: TerminalProcess {
        let specification: ProcessSpecification
        private(set) var terminations = 0
        let say: (String) -> Void
        let sayBytes: ([UInt8], _ isError: Bool) -> Void
        let exit: (ExitStatus) -> Void

        init(
            _ specification: ProcessSpecification, onOutput: @escaping (UnsafeRawBufferPointer, Bool) -> Void,
            onExit: @escaping (ExitStatus) -> Void
        ) {
            self.specification = specification
            sayBytes = { bytes, isError in bytes.withUnsafeBytes { onOutput($0, isError) } }
            say = { text in Array(text.utf8).withUnsafeBytes { onOutput($0, false) } }
            exit = onExit
        }

        func terminate(_ ladder: TeardownLadder) { terminations += 1 }
    }

    private(set) var all: [Command] = []

    func spawn(
        _ specification: ProcessSpecification, onOutput: @escaping (UnsafeRawBufferPointer, Bool) -> Void,
        onExit: @escaping (ExitStatus) -> Void
    ) throws(SpawnError) -> any TerminalProcess {
        let command = Command(specification, onOutput: onOutput, onExit: onExit)
        all.append(command)
        return command
    }
}
