import HubProtocol
import JSON
import Processes
import Providers
import Sessions

/// A provider in the test's hands: it records what it is told and says what the test wants.
final class FakeProvider: ProviderSession {
    enum Call: Equatable {
        case start(resume: String?)
        case send(String, turnId: String)
        case interrupt
        case permission(String, PermissionDecision)
        case question(String, JSONObject?)
        case model(String)
        case mode(String)
        case effort(String)
        case steer(String)
        case stop
    }

    weak var delegate: (any ProviderSessionDelegate)?
    var capabilities = ProviderCapabilities()
    var processId: Int32? { nil }
    let launch: ProviderStart
    let providerId: String
    var calls: [Call] = []
    /// Whether `stop` ends it at once.
    var stopsAtOnce = true

    var isEnding = false
    /// Whether it takes what is added to a turn.
    var takesSteering = true
    /// The last prompt it was sent.
    private(set) var prompt: Prompt?

    init(_ providerId: String, _ launch: ProviderStart) {
        self.providerId = providerId
        self.launch = launch
    }

    func start() { calls.append(.start(resume: launch.resumeNativeSessionId)) }
    func send(_ prompt: Prompt, turnId: String) {
        self.prompt = prompt
        calls.append(.send(prompt.text, turnId: turnId))
    }
    func steer(_ prompt: Prompt) -> Bool {
        if takesSteering { calls.append(.steer(prompt.text)) }
        return takesSteering
    }
    func setEffort(_ effort: String) { calls.append(.effort(effort)) }
    func interrupt() { calls.append(.interrupt) }
    func answerPermission(_ requestId: String, _ decision: PermissionDecision, message: String?) {
        calls.append(.permission(requestId, decision))
    }
    func answerQuestion(_ requestId: String, answers: JSONObject?) { calls.append(.question(requestId, answers)) }
    func setModel(_ model: String) { calls.append(.model(model)) }
    func setMode(_ mode: String) { calls.append(.mode(mode)) }
    func stop() {
        calls.append(.stop)
        if stopsAtOnce { delegate?.providerSession(self, ended: .stopped) }
    }

    func say(_ events: NormalizedEvent...) { delegate?.providerSession(self, emitted: events) }
    func end(_ reason: ProviderEnd) { delegate?.providerSession(self, ended: reason) }
}

final class FakeProviders: ProviderSource {
    var made: [FakeProvider] = []
    var failure: Failure?
    var startFailure: Failure?

    var limits = ProviderLimits()
    func limits(of providerId: String) -> ProviderLimits { limits }
    var canFork = false
    func canFork(_ providerId: String) -> Bool { canFork }
    func note(_ quota: Quota, of providerId: String) {}
    func problem(with providerId: String) -> Failure? { failure ?? problems[providerId] }
    /// Of single providers.
    var problems: [String: Failure] = [:]

    func makeSession(_ providerId: String, _ start: ProviderStart) throws(Failure) -> any ProviderSession {
        if let failure = startFailure ?? problems[providerId] { throw failure }
        let provider = FakeProvider(providerId, start)
        made.append(provider)
        return provider
    }
}
