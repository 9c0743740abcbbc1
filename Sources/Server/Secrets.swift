import Base

/// Compares in a time that depends on the lengths only: how far a guess was right must not be measurable.
func equalInConstantTime(_ a: some Collection<UInt8>, _ b: [UInt8]) -> Bool {
    var difference: UInt8 = a.count == b.count ? 0 : 1
    var index = 0
    for byte in a {
        difference |= byte ^ (b.isEmpty ? 0xff : b[index % b.count])
        index += 1
    }
    return difference == 0
}

/// One-use tickets and the browser sessions they become, in memory only and bounded: a restart ends them all.
struct TicketStore {
    private struct Secret {
        let value: [UInt8]
        let expires: Int64
    }

    private var tickets: [Secret] = []
    private var sessions: [Secret] = []
    private let ticketLife: Int64
    private let sessionLife: Int64

    /// What is issued beyond it replaces the oldest.
    private static let maximumTickets = 32
    private static let maximumSessions = 64

    init(ticketLife: Duration, sessionLife: Duration) {
        self.ticketLife = nanoseconds(ticketLife)
        self.sessionLife = nanoseconds(sessionLife)
    }

    mutating func issueTicket(now: Int64) -> String {
        let secret = hexadecimal(randomBytes(32))
        tickets.removeAll { $0.expires <= now }
        if tickets.count >= TicketStore.maximumTickets { tickets.removeFirst() }
        tickets.append(Secret(value: Array(secret.utf8), expires: now &+ ticketLife))
        return secret
    }

    /// Uses a ticket up. Returns the session's secret, or nil when it was no ticket (any more).
    mutating func redeem(_ ticket: String, now: Int64) -> String? {
        let given = Array(ticket.utf8)
        var found: Int?
        for (index, secret) in tickets.enumerated() where equalInConstantTime(given, secret.value) { found = index }
        guard let found else { return nil }
        let secret = tickets.remove(at: found)
        guard secret.expires > now else { return nil }
        let session = hexadecimal(randomBytes(32))
        sessions.removeAll { $0.expires <= now }
        if sessions.count >= TicketStore.maximumSessions { sessions.removeFirst() }
        sessions.append(Secret(value: Array(session.utf8), expires: now &+ sessionLife))
        return session
    }

    func isSession(_ given: some Collection<UInt8>, now: Int64) -> Bool {
        var isKnown = false
        for secret in sessions where equalInConstantTime(given, secret.value) && secret.expires > now { isKnown = true }
        return isKnown
    }
}

/// Slows down guessing: each failure in a row doubles the delay of its answer, up to a limit, and few can wait at once.
struct FailureThrottle {
    private var failures = 0
    private var last: Int64 = 0
    private(set) var waiting = 0

    /// Failures without a delay: a client that was started before it knew the token.
    private static let free = 3
    private static let first: Int64 = 100_000_000
    private static let longest: Int64 = 2_000_000_000
    /// After so long without a failure all is forgotten.
    private static let memory: Int64 = 60_000_000_000
    static let maximumWaiting = 32

    /// How many nanoseconds to wait with the answer; nil when too many wait already, and it is to be 429 at once.
    mutating func failed(now: Int64) -> Int64? {
        if now &- last > FailureThrottle.memory { failures = 0 }
        last = now
        failures = min(failures + 1, 64)
        guard failures > FailureThrottle.free else { return 0 }
        guard waiting < FailureThrottle.maximumWaiting else { return nil }
        let doublings = min(failures - FailureThrottle.free - 1, 10)
        waiting += 1
        return min(FailureThrottle.first << Int64(doublings), FailureThrottle.longest)
    }

    mutating func answered() { waiting = max(0, waiting - 1) }
}
