package import EventLoop
import Glibc

/// Ends what a crashed predecessor has left running.
package enum Leftovers {
    /// Environment variable that every provider process carries; its value names the daemon's home.
    package static let ownerVariable = "CODEAI_HUB_OWNER"

    /// Ends all processes of this user that carry the owner's marker: SIGTERM, and SIGKILL after `grace`.
    /// `completion` is called on the loop with the number found when they are gone, at once when there are none.
    package static func end(
        owner: String, grace: Duration = .seconds(2), on loop: EventLoop, completion: @escaping (Int) -> Void
    ) {
        let found = ProcessTable.snapshot().processes(marked: ownerVariable, owner)
        guard !found.isEmpty else { return completion(0) }
        for process in found { process.signal(SIGTERM) }
        wait(for: found, until: loop.nowNanoseconds + grace.saturatingNanoseconds, on: loop) {
            // What they hold (locks, ports) is free only when they are gone. A second is much for that.
            kill(owner, until: monotonicNanoseconds() + 1_000_000_000, on: loop) { completion(found.count) }
        }
    }

    /// Kills what carries the marker until nothing does: those started meanwhile belong to it as well, and each look may
    /// miss one that is being forked.
    private static func kill(
        _ owner: String, until deadline: Int64, on loop: EventLoop, _ completion: @escaping () -> Void
    ) {
        let rest = ProcessTable.snapshot().processes(marked: ownerVariable, owner)
        if rest.isEmpty || monotonicNanoseconds() >= deadline { return completion() }
        for process in rest { process.signal(SIGKILL) }
        wait(for: rest, until: deadline, on: loop) { kill(owner, until: deadline, on: loop, completion) }
    }

    private static func wait(
        for processes: [ProcessIdentity], until deadline: Int64, on loop: EventLoop, _ completion: @escaping () -> Void
    ) {
        let running = processes.filter(\.isRunning)
        if running.isEmpty || monotonicNanoseconds() >= deadline { return completion() }
        loop.schedule(after: .milliseconds(20)) { wait(for: running, until: deadline, on: loop, completion) }
    }
}
