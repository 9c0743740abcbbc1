/// What the logs have done since the daemon started.
package struct LogMetrics: Sendable {
    /// Events and bytes committed.
    package var events = 0
    package var bytes = 0
    /// Writes, each of all that one log had to write.
    package var commits = 0
    /// `fdatasync` calls that succeeded (power mode).
    package var syncs = 0
    /// Writes and syncs that failed.
    package var failures = 0
    /// Events refused because a failed log already held as many as it may.
    package var refused = 0
    /// Everything that a `RecoveryReport` was made for, also those no longer kept.
    package var recoveries = 0
    /// From an event's append to its line being in the file (in power mode: on the disk).
    package var appendLatency = LatencyHistogram()
    /// From an event's append to its having been handed to all who listen.
    package var publishLatency = LatencyHistogram()
}

/// Counts of durations in fixed buckets, as Prometheus wants them.
package struct LatencyHistogram: Sendable {
    /// Upper bounds in seconds for what takes microseconds to seconds.
    package static let latencies: [Double] = [
        0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
    ]

    /// Upper bounds in seconds; one more bucket holds what is above.
    package let bounds: [Double]
    private let boundsInNanoseconds: [Int64]
    /// Not cumulative; `bounds.count + 1` of them.
    package private(set) var counts: [Int]
    package private(set) var sumNanoseconds: Int64 = 0

    package var count: Int { counts.reduce(0, +) }

    /// - Parameter bounds: rising, in seconds.
    package init(bounds: [Double] = latencies) {
        self.bounds = bounds
        boundsInNanoseconds = bounds.map { Int64($0 * 1e9) }
        counts = [Int](repeating: 0, count: bounds.count + 1)
    }

    package mutating func record(nanoseconds: Int64, times: Int = 1) {
        let duration = max(0, nanoseconds)
        let bucket = boundsInNanoseconds.firstIndex { duration <= $0 }
        counts[bucket ?? bounds.count] += times
        sumNanoseconds &+= duration &* Int64(times)
    }
}
