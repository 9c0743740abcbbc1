import Foundation

/// What keeps a test from going on.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Looks every 5 ms whether something is so, and gives up after `limit`. Blocks its thread.
package func eventually(
    _ what: @autoclosure () -> String, within limit: Duration = .seconds(10), _ isSo: () throws -> Bool
) throws {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    while true {
        if try isSo() { return }
        guard clock.now < deadline else { throw TestFailure("not within \(limit): \(what())") }
        usleep(5000)
    }
}

/// As `eventually`, for a condition that must be awaited.
package func eventually(
    _ what: @autoclosure () -> String, within limit: Duration = .seconds(10), _ isSo: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    while true {
        if try await isSo() { return }
        guard clock.now < deadline else { throw TestFailure("not within \(limit): \(what())") }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// A number that somebody running the tests may change.
package func environmentNumber(_ name: String, default value: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? value
}

/// Repeatable choices: SplitMix64.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
