package import EventLog

/// How the daemon itself fares, for its metrics: what no other part counts.
package struct CoreVitals: Sendable {
    /// How long the loop's turns took, the waiting left out.
    package var loopTurns = LatencyHistogram()
    /// Turns longer than `log.slowTurnMs`.
    package var slowTurns = 0
    /// Installations by provider and `completed`, `failed`, `cancelled`.
    package var installations: [Installation: Int] = [:]
    /// The daemon before this one, on this home, ended without saying so.
    package var followsCrash = false
    /// Lines that could not be written to the daemon's own log and to its audit log.
    package var lostLogLines = 0
    package var process = ProcessVitals()

    package struct Installation: Hashable, Comparable, Sendable {
        package var providerId: String
        package var outcome: String

        package init(providerId: String, outcome: String) {
            self.providerId = providerId
            self.outcome = outcome
        }

        package static func < (a: Installation, b: Installation) -> Bool {
            (a.providerId, a.outcome) < (b.providerId, b.outcome)
        }
    }

    /// What the kernel says about this process; nil where it says nothing.
    package struct ProcessVitals: Sendable {
        package var cpuSeconds: Double?
        package var openFiles: Int?
        package var maxFiles: Int?
        package var virtualBytes: Int?
        package var residentBytes: Int?
        /// Since 1970.
        package var startSeconds: Double?
        package var threads: Int?

        package init() {}
    }

    package init() {}
}
