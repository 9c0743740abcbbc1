package import Base
import CLinux
import Glibc

/// Signals as events on the loop, through a signalfd.
///
/// The signals are blocked in the calling thread: make it before any other thread starts, or have those threads block
/// them too (`EventLoop.startThread` does).
package final class SignalSource: FileDescriptorHandler {
    private var fd: Int32
    private let loop: EventLoop
    private let onSignal: (Int32) -> Void

    package init(
        _ signals: [Int32], loop: EventLoop, onSignal: @escaping (Int32) -> Void
    ) throws(SystemError) {
        self.loop = loop
        self.onSignal = onSignal
        var set = sigset_t()
        sigemptyset(&set)
        for number in signals { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        fd = signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
        guard fd >= 0 else { throw SystemError.current("signalfd") }
        try loop.register(fd, .read, self)
    }

    package func ready(_ events: Readiness) {
        var info = signalfd_siginfo()
        while fd >= 0, Glibc.read(fd, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size
        {
            onSignal(Int32(bitPattern: info.ssi_signo))
        }
    }

    /// Ends the reports. The signals stay blocked: a late one must not kill the process.
    package func close() {
        guard fd >= 0 else { return }
        loop.deregister(fd)
        Glibc.close(fd)
        fd = -1
    }
}
