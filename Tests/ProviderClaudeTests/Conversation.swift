import EventLoop
import Foundation
import HubProtocol
import JSON
import Processes
import ProviderClaude
import Providers
import TestSupport
import Testing

/// A conversation with the real Claude on a loop of its own, for a test that waits for what happens.
final class Conversation: @unchecked Sendable {
    let api: FakeMessagesAPI
    let home: String
    let workspace: String
    private let loop: EventLoop
    private let ownsSurroundings: Bool
    private let condition = NSCondition()
    private var events: [NormalizedEvent] = []
    private var end: ProviderEnd?
    private var read = 0
    private var session: LoopBound<ClaudeSession>?
    private var listener: LoopBound<Listener>?

    /// - Parameter other: whose home, workspace and API this one goes on with.
    init(
        after other: Conversation? = nil, resume: String? = nil, sessionId: String = UUID().uuidString.lowercased(),
        forks: Bool = false, model: String? = nil, mode: String? = nil, effort: String? = nil,
        environment: [String: String?] = [:], program: String? = nil,
        limits: ClaudeSession.Limits = ClaudeSession.Limits()
    ) throws {
        let program = try #require(program ?? RealClaude.program, "\(RealClaude.missing)")
        api = other?.api ?? FakeMessagesAPI()
        ownsSurroundings = other == nil
        home = other?.home ?? NSTemporaryDirectory() + "hub-claude-\(UUID().uuidString)"
        workspace = home + "/work"
        for folder in [home, workspace, home + "/tmp"] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        var variables = RealClaude.environment(home: home, api: api)
        for (name, value) in environment { variables[name] = value }
        loop = try EventLoop.startThread(name: "claude-test")
        let start = ProviderStart(
            sessionId: sessionId, workspace: workspace, model: model, mode: mode, effort: effort,
            resumeNativeSessionId: resume, forksNativeSession: forks)
        let launch = ProviderLaunch(
            providerId: "claudeCodeCli", name: "Claude Code", executable: program, environment: variables)
        let loop = loop
        run { conversation in
            let session = ClaudeSession(launch: launch, start: start, loop: loop, limits: limits)
            let listener = Listener(conversation)
            session.delegate = listener
            conversation.session = LoopBound(session, loop: loop)
            conversation.listener = LoopBound(listener, loop: loop)
            session.start()
        }
    }

    private func run(_ body: @escaping @Sendable (Conversation) -> Void) {
        loop.submit { body(self) }
    }

    func call(_ body: @escaping @Sendable (ClaudeSession) -> Void) {
        run { conversation in
            if let session = conversation.session?.value { body(session) }
        }
    }

    func send(_ text: String) { send(Prompt(text)) }
    func send(_ prompt: Prompt) { call { $0.send(prompt, turnId: "t") } }
    func steer(_ prompt: Prompt) -> Bool { ask { $0.steer(prompt) } ?? false }
    func interrupt() { call { $0.interrupt() } }

    /// Ends everything; the process is gone when this returns.
    func close() {
        call { $0.stop() }
        _ = try? waitForEnd()
        loop.stop()
        if ownsSurroundings {
            api.stop()
            try? FileManager.default.removeItem(atPath: home)
        }
    }

    /// Ends the process but keeps home and API for another conversation.
    func closeKeeping() {
        call { $0.stop() }
        _ = try? waitForEnd()
        loop.stop()
    }

    var processId: Int32? { ask { $0.processId } ?? nil }

    /// What the session says, on its loop. Nil: its loop doesn't answer.
    private func ask<T: Sendable>(_ question: @escaping @Sendable (ClaudeSession) -> T) -> T? {
        let box = NSCondition()
        nonisolated(unsafe) var result: T?
        call { session in
            let answer = question(session)
            box.withLock {
                result = answer
                box.signal()
            }
        }
        box.lock()
        defer { box.unlock() }
        let deadline = Date() + 5
        while result == nil, box.wait(until: deadline) {}
        return result
    }

    // MARK: Waiting

    struct TimedOut: Error, CustomStringConvertible {
        var waitingFor: String
        var seen: [String]
        var description: String { "timed out waiting for \(waitingFor); seen:\n" + seen.joined(separator: "\n") }
    }

    /// The first event from here on of which `pick` makes something; the reading goes on behind it.
    func next<T>(_ what: String, within seconds: Double = 30, _ pick: (NormalizedEvent) -> T?) throws -> T {
        let deadline = Date() + seconds
        condition.lock()
        defer { condition.unlock() }
        while true {
            while read < events.count {
                read += 1
                if let result = pick(events[read - 1]) { return result }
            }
            if end != nil || !condition.wait(until: deadline) {
                throw TimedOut(waitingFor: what, seen: events.map(describe) + ["end: \(String(describing: end))"])
            }
        }
    }

    func waitForEnd(within seconds: Double = 20) throws -> ProviderEnd {
        let deadline = Date() + seconds
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let end { return end }
            if !condition.wait(until: deadline) {
                throw TimedOut(waitingFor: "the end", seen: events.map(describe))
            }
        }
    }

    /// Everything so far.
    var all: [NormalizedEvent] { condition.withLock { events } }

    func turnEnd() throws -> TurnOutcome {
        try next("turn_completed") { if case .turnCompleted(let outcome) = $0 { outcome } else { nil } }
    }

    func chunk() throws {
        try next("chunk") { if case .chunk = $0 { () } else { nil } }
    }

    /// How many turns have ended so far.
    var turnEnds: Int { all.count { if case .turnCompleted = $0 { true } else { false } } }

    /// The texts of all messages so far.
    var texts: [String] { all.compactMap { if case .message(let message) = $0 { message.text } else { nil } } }

    func ready() throws -> SessionReady {
        try next("session_ready") { if case .sessionReady(let ready) = $0 { ready } else { nil } }
    }

    func message() throws -> String {
        try next("message") { if case .message(let message) = $0 { message.text } else { nil } }
    }

    func permission() throws -> PermissionRequest {
        try next("permission") { if case .permissionRequested(let request) = $0 { request } else { nil } }
    }

    func question() throws -> QuestionRequest {
        try next("question") { if case .questionRequested(let request) = $0 { request } else { nil } }
    }

    func failure() throws -> Failure {
        try next("error") { if case .error(let failure) = $0 { failure } else { nil } }
    }

    func toolResult() throws -> ToolResult {
        try next("tool_result") { if case .toolResult(let result) = $0 { result } else { nil } }
    }

    func status(_ type: String) throws -> JSONObject {
        try next("status \(type)") { if case .status(type, let data) = $0 { data } else { nil } }
    }

    fileprivate func heard(_ new: [NormalizedEvent]) {
        condition.withLock {
            events += new
            condition.broadcast()
        }
    }

    fileprivate func ended(_ reason: ProviderEnd) {
        condition.withLock {
            end = reason
            condition.broadcast()
        }
    }
}

private final class Listener: ProviderSessionDelegate {
    private weak var conversation: Conversation?

    init(_ conversation: Conversation) { self.conversation = conversation }

    func providerSession(_ session: any ProviderSession, emitted events: [NormalizedEvent]) {
        conversation?.heard(events)
    }

    func contextForNewConversation(of session: any ProviderSession) -> String? { "what was said before" }

    func providerSession(_ session: any ProviderSession, ended reason: ProviderEnd) { conversation?.ended(reason) }
}
