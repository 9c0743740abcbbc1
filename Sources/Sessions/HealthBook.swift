import Base
import EventLoop
import HubProtocol
package import JSON

/// The health of all providers. In memory only: a daemon that is started anew knows of no failures.
package final class HealthBook {
    /// What failed before keeps the wait it was given.
    var rules: RestRules
    private let loop: EventLoop
    private let clock: () -> Timestamp
    private var healths: [String: ProviderHealth] = [:]
    private var timers: [String: LoopTimer] = [:]
    /// Called when what clients see of a provider's health has changed.
    package var onChange: (_ providerId: String) -> Void = { _ in }

    init(_ rules: RestRules, loop: EventLoop, clock: @escaping () -> Timestamp) {
        self.rules = rules
        self.loop = loop
        self.clock = clock
    }

    package subscript(providerId: String) -> ProviderHealth { healths[providerId] ?? ProviderHealth() }

    /// `{state, failures, until?}`, a member of the provider's record.
    package func json(_ providerId: String) -> JSONObject {
        let health = self[providerId]
        var object: JSONObject = [
            "state": JSON(health.state(at: loop.now).rawValue), "failures": JSON(health.failures),
        ]
        object["until"] = health.until.map { JSON(time($0).description) }
        return object
    }

    package func state(of providerId: String) -> ProviderHealth.State { self[providerId].state(at: loop.now) }

    /// The wall clock's time of a time on the loop's clock.
    func time(_ time: Duration) -> Timestamp {
        Timestamp(milliseconds: clock().milliseconds + Int64(((time - loop.now) / .milliseconds(1)).rounded(.up)))
    }

    func admits(_ providerId: String, in sessionId: String) -> Bool { self[providerId].admits(sessionId, at: loop.now) }

    func starts(_ providerId: String, in sessionId: String) {
        change(providerId) { $0.starts(in: sessionId, at: loop.now, rules) }
    }

    func failed(_ providerId: String) {
        change(providerId) { $0.failed(at: loop.now, rules) }
        timers[providerId]?.cancel()
        guard let until = self[providerId].until, self[providerId].state(at: loop.now) == .open else { return }
        // That somebody may try again is news, too.
        timers[providerId] = loop.schedule(after: until - loop.now) { [weak self] in self?.onChange(providerId) }
    }

    func worked(_ providerId: String) {
        timers.removeValue(forKey: providerId)?.cancel()
        change(providerId) { $0.worked() }
    }

    func trialEnded(_ providerId: String, in sessionId: String) {
        change(providerId) { $0.trialEnded(in: sessionId) }
    }

    /// Of all providers.
    func trialsEnded(in sessionId: String) {
        for providerId in healths.keys { trialEnded(providerId, in: sessionId) }
    }

    private func change(_ providerId: String, _ body: (inout ProviderHealth) -> Void) {
        let before = self[providerId]
        var health = before
        body(&health)
        guard health != before else { return }
        healths[providerId] = health
        onChange(providerId)
    }
}

extension Failure {
    /// A provider that failed again and again is not started for a while.
    static func providerUnavailable(provider: String, failures: Int, retryAfter: Double) -> Failure {
        Failure(
            code: "provider_unavailable",
            message:
                "\(provider) failed \(failures) times in a row and is not started for a while. Switch the provider, or try again later.",
            recoverable: true, retryAfter: retryAfter, actions: [.switchProvider, .retryLater],
            details: ["failures": JSON(failures)])
    }
}
