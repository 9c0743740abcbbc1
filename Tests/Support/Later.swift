import Foundation

/// A value that a thread of its own works out.
package final class Later<Value: Sendable>: @unchecked Sendable {
    private let done = DispatchSemaphore(value: 0)
    private var result: Value?

    package init(_ body: @escaping @Sendable () -> Value) {
        let thread = Thread { [self] in
            result = body()
            done.signal()
        }
        // Dozens of them run at once.
        thread.stackSize = 1 << 20
        thread.start()
    }

    private init() {}

    /// Waits; nil after `limit` seconds.
    package func value(within limit: Double = 30) -> Value? {
        guard done.wait(timeout: .now() + limit) == .success else { return nil }
        done.signal()
        return result
    }
}

extension Later<Void> {
    /// The same for work that suspends; an error counts as never done.
    package static func async(_ body: @escaping @Sendable () async throws -> Void) -> Later<Void> {
        let later = Later<Void>()
        Task.detached {
            do {
                try await body()
                later.result = ()
                later.done.signal()
            } catch {
                print("a task failed: \(error)")
            }
        }
        return later
    }
}
