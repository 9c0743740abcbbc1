/// How long to wait before the next try to connect: 0.1 s, 0.2 s, 0.4 s ... 5 s, each less up to a quarter at random,
/// so that the clients of a restarted daemon don't come all at once.
struct Backoff: Sendable {
    private(set) var attempts = 0

    static let first = Duration.milliseconds(100)
    static let longest = Duration.seconds(5)

    /// - Parameter random: in 0..<1.
    mutating func next(random: Double = .random(in: 0..<1)) -> Duration {
        let doubled = attempts < 10 ? Backoff.first * (1 << attempts) : Backoff.longest
        attempts += 1
        return min(doubled, Backoff.longest) * (1 - 0.25 * random)
    }

    mutating func reset() { attempts = 0 }
}
