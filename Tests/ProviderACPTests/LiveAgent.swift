import EventLoop
import Foundation
import HubProtocol
import JSON
import Processes
import ProviderACP
import Providers
import TestSupport

/// A session with a real agent process, by default the echo agent, on a loop that the test turns.
final class LiveAgent: ProviderSessionDelegate {
    /// Held, so that it is there for as long as the agent.
    private let home: TemporaryFolder
    let loop: EventLoop
    let session: ACPSession
    private(set) var events: [NormalizedEvent] = []
    private(set) var end: ProviderEnd?
    private(set) var nativeSessionId: String?
    private var turns = 0
    /// Answers each request at once; nil leaves it waiting.
    var onPermission: (PermissionRequest) -> PermissionDecision? = { _ in nil }
    var onQuestion: (QuestionRequest) -> JSONObject?? = { _ in nil }

    init(
        home: TemporaryFolder, executable: String = TestDaemon.executable, arguments: [String] = ["echo-agent"],
        environment: [String: String] = [:], resuming nativeSessionId: String? = nil,
        start adjust: (inout ProviderStart) -> Void = { _ in }, _ change: (inout ACPConfiguration) -> Void = { _ in }
    ) throws {
        self.home = home
        loop = try EventLoop()
        var configuration = ACPConfiguration(
            executable: executable, arguments: arguments,
            environment: [
                "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home.path, "CODEAI_HUB_ECHO_HOME": home.path + "/echo",
            ].merging(environment) { $1 })
        configuration.ladder = TeardownLadder(polite: .milliseconds(200), terminate: .milliseconds(300))
        change(&configuration)
        var start = ProviderStart(sessionId: "s", workspace: home.path, resumeNativeSessionId: nativeSessionId)
        adjust(&start)
        session = ACPSession(start, configuration: configuration, loop: loop)
        session.delegate = self
        session.start()
    }

    func providerSession(_ session: any ProviderSession, emitted events: [NormalizedEvent]) {
        self.events += events
        Recording.logged(events.compactMap { $0.draft(providerId: "geminiCli", turnId: "t1") })
        for event in events {
            switch event {
            case .sessionReady(let ready): nativeSessionId = ready.nativeSessionId
            case .permissionRequested(let request):
                if let decision = onPermission(request) {
                    session.answerPermission(request.requestId, decision, message: nil)
                }
            case .questionRequested(let request):
                if let answers = onQuestion(request) { session.answerQuestion(request.requestId, answers: answers) }
            default: break
            }
        }
    }

    func providerSession(_ session: any ProviderSession, ended reason: ProviderEnd) { end = reason }

    /// Turns the loop until something is so.
    func run(_ what: String, within limit: Duration = .seconds(20), until isSo: () -> Bool) throws {
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        while !isSo() {
            guard clock.now < deadline else {
                throw TestFailure("not within \(limit): \(what); end: \(String(describing: end)); \(lines)")
            }
            loop.turn(waitingAtMost: .milliseconds(20))
        }
    }

    /// Sends a prompt and waits for the turn's end, or the process's.
    /// - Returns: what came of it.
    @discardableResult
    func prompt(_ text: String) throws -> [String] {
        let start = events.count
        begin(text)
        try run("the turn's end of \(text)") { isOver(since: start) || end != nil }
        return events[start...].map(render).filter { !$0.hasPrefix("ready") }
    }

    func begin(_ text: String) {
        turns += 1
        session.send(Prompt(text), turnId: "t\(turns)")
    }

    func isOver(since start: Int) -> Bool {
        events[start...].contains { if case .turnCompleted = $0 { true } else { false } }
    }

    var lines: [String] { events.map(render) }

    /// Only what is kept, without the pieces.
    static func durable(_ lines: [String]) -> [String] { lines.filter { !$0.hasPrefix("chunk ") } }

    func ready() throws { try run("ready") { nativeSessionId != nil || end != nil } }

    func stop() throws {
        guard end == nil else { return }
        session.stop()
        try run("the process's end") { end != nil }
    }
}

/// A manifest of `assets/providers`.
func bundledManifest(_ id: String) -> JSON {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../assets/providers/\(id).json")
    guard let data = try? Data(contentsOf: root), let json = try? JSON.parse(Array(data)) else { return .null }
    return json
}
