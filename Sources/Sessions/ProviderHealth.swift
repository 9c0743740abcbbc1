/// How much rest providers get whose processes fail.
package struct RestRules: Equatable, Sendable {
    /// After the first failure; doubled with each in a row.
    package var firstWait = Duration.seconds(1)
    package var longestWait = Duration.seconds(60)
    /// In a row, over all sessions, after which a provider is not started any more for `circuitTime`.
    package var circuitFailures = 5
    package var circuitTime = Duration.seconds(300)

    package init() {}

    /// What must pass after so many failures in a row until the next start: 1 s, 2 s, 4 s ... 60 s by default.
    package func wait(afterFailures failures: Int) -> Duration {
        guard failures > 0 else { return .zero }
        var wait = firstWait
        for _ in 1..<failures where wait < longestWait { wait *= 2 }
        return min(wait, longestWait)
    }
}

/// How the processes of one provider have fared over all sessions, and whether another may be started: a circuit
/// breaker. Pure; times are of one monotonic clock.
///
/// Only starts are refused: a process that runs goes on, and a turn that ends there in order closes the circuit.
package struct ProviderHealth: Equatable, Sendable {
    package enum State: String, CaseIterable, Sendable {
        case ok
        /// It failed lately; the session in which it did waits before it starts it again.
        case backoff
        /// It isn't started by anybody.
        case open
        /// One session may try.
        case halfOpen = "half_open"
    }

    /// In a row, without a turn between that showed that it works.
    package private(set) var failures = 0
    /// When the wait or the circuit ends.
    package private(set) var until: Duration?
    private var isOpen = false
    /// The session that tries.
    private var trial: String?
    /// It doesn't keep the others waiting for longer than this: a turn may take hours.
    private var trialEnd: Duration?
    private var lastFailure: Duration?

    package init() {}

    package func state(at now: Duration) -> State {
        guard isOpen else { return failures > 0 ? .backoff : .ok }
        return now < until ?? .zero ? .open : .halfOpen
    }

    /// Whether this session may start a process.
    package func admits(_ sessionId: String, at now: Duration) -> Bool {
        switch state(at: now) {
        case .ok, .backoff: true
        case .open: false
        case .halfOpen: trial == nil || trial == sessionId || now >= trialEnd ?? .zero
        }
    }

    /// A session starts a process: while the circuit is half open it is the one that tries.
    package mutating func starts(in sessionId: String, at now: Duration, _ rules: RestRules) {
        guard state(at: now) == .halfOpen else { return }
        trial = sessionId
        trialEnd = now + rules.circuitTime
    }

    /// A process crashed or could not be started.
    package mutating func failed(at now: Duration, _ rules: RestRules) {
        trial = nil
        // Several sessions that lose one process in the same moment are one failure.
        guard lastFailure != now else { return }
        lastFailure = now
        failures += 1
        isOpen = failures >= rules.circuitFailures
        until = now + (isOpen ? rules.circuitTime : rules.wait(afterFailures: failures))
    }

    /// A provider ended a turn itself, however it ended: its process works.
    package mutating func worked() { self = ProviderHealth() }

    /// The session that tried will not tell how it went: another may try.
    package mutating func trialEnded(in sessionId: String) {
        if trial == sessionId { trial = nil }
    }
}
