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

    /// Gives the signals their usual effect back, on the calling thread.
    static func unblock() {
        var set = sigset_t()
        sigemptyset(&set)
        for number in TerminalDevice.signals { sigaddset(&set, number) }
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }
}
