import EventLoop
import Foundation
import HubProtocol
import JSON
import Processes
import Providers
import TestSupport

/// A conversation with any provider on a loop, for a test that waits for what happens.
class Live: @unchecked Sendable {
    private let loop: EventLoop
    private let condition = NSCondition()
    private var events: [NormalizedEvent] = []
    private var end: ProviderEnd?
    private var read = 0
    private var session: LoopBound<any ProviderSession>?
    private var listener: LoopBound<Listener>?

    /// - Parameter make: called on the loop.
    init(on loop: EventLoop, _ make: @escaping @Sendable (EventLoop) -> any ProviderSession) {
        self.loop = loop
        loop.submit { [self] in
            let session = make(loop)
            let listener = Listener(
                heard: { [weak self] in self?.heard($0) }, ended: { [weak self] in self?.ended($0) })
            session.delegate = listener
            self.session = LoopBound(session, loop: loop)
            self.listener = LoopBound(listener, loop: loop)
            session.start()
        }
    }

    func call(_ body: @escaping @Sendable (any ProviderSession) -> Void) {
        loop.submit { [self] in
            if let session = session?.value { body(session) }
        }
    }

    func ask<Value: Sendable>(_ body: @escaping @Sendable (any ProviderSession) -> Value) throws -> Value {
        let box = NSCondition()
        nonisolated(unsafe) var answer: Value?
        call { session in
            let value = body(session)
            box.withLock {
                answer = value
                box.signal()
            }
        }
        let deadline = Date() + 10
        return try box.withLock {
            while answer == nil, box.wait(until: deadline) {}
            guard let answer else { throw TestFailure("the loop does not answer") }
            return answer
        }
    }

    func send(_ text: String) { call { $0.send(Prompt(text), turnId: "t") } }
    func interrupt() { call { $0.interrupt() } }
    func allow(_ request: PermissionRequest, _ option: String) {
        call { $0.answerPermission(request.requestId, .option(option), message: nil) }
    }

    /// Ends it; the process is gone when this returns, or the session has left it.
    @discardableResult
    func close() -> ProviderEnd? {
        call { $0.stop() }
        return try? waitForEnd()
    }

    // MARK: Waiting

    struct TimedOut: Error, CustomStringConvertible {
        var waitingFor: String
        var seen: [String]
        var description: String { "timed out waiting for \(waitingFor); seen:\n" + seen.joined(separator: "\n") }
    }

    /// The first event from here on of which `pick` makes something; the reading goes on behind it.
    func next<T>(_ what: String, within seconds: Double = 40, _ pick: (NormalizedEvent) -> T?) throws -> T {
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

    func toolCall() throws -> ToolCall {
        try next("tool_call") { if case .toolCall(let call) = $0 { call } else { nil } }
    }

    func toolResult() throws -> ToolResult {
        try next("tool_result") { if case .toolResult(let result) = $0 { result } else { nil } }
    }

    func status(_ type: String) throws -> JSONObject {
        try next("status \(type)") { if case .status(type, let data) = $0 { data } else { nil } }
    }

    private func heard(_ new: [NormalizedEvent]) {
        condition.withLock {
            events += new
            condition.broadcast()
        }
    }

    private func ended(_ reason: ProviderEnd) {
        condition.withLock {
            end = reason
            condition.broadcast()
        }
    }
}

private final class Listener: ProviderSessionDelegate {
    private let heard: ([NormalizedEvent]) -> Void
    private let ended: (ProviderEnd) -> Void

    init(heard: @escaping ([NormalizedEvent]) -> Void, ended: @escaping (ProviderEnd) -> Void) {
        self.heard = heard
        self.ended = ended
    }

    func providerSession(_ session: any ProviderSession, emitted events: [NormalizedEvent]) { heard(events) }
    func providerSession(_ session: any ProviderSession, ended reason: ProviderEnd) { ended(reason) }
}
