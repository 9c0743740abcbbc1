import Base
import EventLoop
import Glibc

/// Hears Control-C and its like in commands that have something to do before they end.
final class SignalWatch: Sendable {
    private let loop: EventLoop

    init(_ onSignal: @escaping @Sendable (Int32) -> Void) throws(SystemError) {
        loop = try EventLoop.startThread(name: "signals")
        let loop = loop
        loop.submit {
            // The source lives as long as its registration.
            _ = try? SignalSource([SIGINT, SIGTERM, SIGHUP], loop: loop, onSignal: onSignal)
        }
    }

    func close() {
        loop.stop()
        loop.join()
    }

    /// Has the signals end the program at once, as they would had they not been blocked.
    static func ending() -> SignalWatch? {
        try? SignalWatch { _exit(128 + $0) }
    }
}
