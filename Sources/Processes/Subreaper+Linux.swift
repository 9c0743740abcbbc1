package import Base
import CLinux
package import EventLoop
import Glibc

/// Makes this process the parent of all descendants whose own parents have ended, so that none of them gets out of
/// sight, and takes away the adopted ones that have ended. Exit statuses of known children are left to them.
///
/// For the daemon's main loop only: it takes every unknown child of the whole process.
package final class Subreaper {
    private let loop: EventLoop
    private var signals: SignalSource?
    private var timer: LoopTimer?

    /// In case a thread that does not block SIGCHLD got it.
    private static let interval: Duration = .seconds(10)

    /// Stays in force as long as the process lives; the returned object does the reaping until it is closed.
    package static func enable(on loop: EventLoop) throws(SystemError) -> Subreaper {
        guard clinux_become_subreaper() == 0 else { throw SystemError.current("prctl PR_SET_CHILD_SUBREAPER") }
        let reaper = Subreaper(loop: loop)
        reaper.signals = try SignalSource([SIGCHLD], loop: loop) { [weak reaper] _ in reaper?.reap() }
        reaper.sweep()
        return reaper
    }

    private init(loop: EventLoop) {
        self.loop = loop
    }

    /// Takes every adopted process that has ended. Returns how many.
    @discardableResult
    package func reap() -> Int {
        var count = 0
        while true {
            let ended = clinux_peek_any()
            guard ended.result == 1 else { return count }
            if KnownChildren.contains(ended.pid) {
                // Its owner takes it now, because it stands before the others.
                guard KnownChildren.collect(ended.pid) else { return count }
            } else if clinux_reap_pid(ended.pid).result == 1 {
                count += 1
            }
        }
    }

    /// Kills what has been adopted and what belongs to it: the last step of a shutdown, when all children have ended.
    package func killAdopted() {
        for _ in 0..<3 {
            let adopted = ProcessTable.snapshot().adopted()
            if adopted.isEmpty { return }
            for process in adopted { process.signal(SIGKILL) }
        }
    }

    /// Kills every descendant, adopted or not: for an end that waits for nobody.
    package func killAll() {
        // Each look may miss what is being forked.
        for _ in 0..<3 {
            let descendants = ProcessTable.snapshot().descendants(of: getpid())
            if descendants.isEmpty { return }
            for process in descendants { process.signal(SIGKILL) }
        }
    }

    package func close() {
        signals?.close()
        signals = nil
        timer?.cancel()
    }

    private func sweep() {
        reap()
        timer = loop.schedule(after: Subreaper.interval) { [weak self] in self?.sweep() }
    }
}
