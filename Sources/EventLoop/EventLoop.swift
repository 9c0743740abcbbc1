package import Base
import Synchronization

/// One thread's loop over file descriptors, timers and work from other threads.
///
/// Everything but `submit`, `stop`, `join` and `isCurrent` belongs to the loop's own thread: the thread that made it
/// until `run()` is called, afterwards the one that runs it. A turn is: wait, dispatch a bounded number of events, fire
/// the due timers, run what was submitted, then the end-of-turn phases until nothing is left in them.
package final class EventLoop: @unchecked Sendable {
    /// Work due at the end of a turn: all of `commit` (log writes) comes before any of `flush` (socket writes).
    package enum TurnPhase { case commit, flush }

    /// The monotonic clock at the start of this turn.
    package var now: Duration { .nanoseconds(nowNanoseconds) }
    /// `now` in nanoseconds, for arithmetic on hot paths.
    package private(set) var nowNanoseconds: Int64 = monotonicNanoseconds()
    /// Told after each turn how many nanoseconds it took, the waiting left out.
    package var onTurn: ((Int64) -> Void)?

    let poller: Poller
    private var registrations = RegistrationTable()
    private var timers = TimerHeap()
    private var commits: [() -> Void] = []
    private var flushes: [() -> Void] = []
    private let inbox = Lock(Inbox())
    private let owner = Atomic<UInt>(0)
    private let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: readBufferSize, alignment: 64)
    private var readBufferIsLent = false
    /// The thread made by `startThread`, until somebody has joined it.
    let thread = Lock<ThreadHandle?>(nil)

    /// Bytes of the buffer lent by `withReadBuffer`.
    package static let readBufferSize = 64 * 1024

    private struct Inbox {
        var jobs: [@Sendable () -> Void] = []
        var isSleeping = false
        var isStopping = false
    }

    /// Throws when the kernel refuses another epoll or event descriptor.
    package init() throws(SystemError) {
        poller = try Poller()
        owner.store(currentThreadIdentity(), ordering: .relaxed)
        ignoreWriteSignals()
    }

    deinit {
        thread.withLock { $0?.detach() }
        readBuffer.deallocate()
    }

    // MARK: Running

    /// Runs turns on the calling thread until `stop()`.
    package func run() {
        takeOwnership()
        while !inbox.withLock({ $0.isStopping }) { turn(waitingAtMost: nil) }
    }

    /// Runs one turn that waits for something to do no longer than given; nil waits for as long as it takes.
    package func turn(waitingAtMost limit: Duration?) {
        var wait: Int64 = limit.map { max(0, $0.saturatingNanoseconds) } ?? .max
        if !commits.isEmpty || !flushes.isEmpty { wait = 0 }
        if let deadline = timers.earliest { wait = min(wait, max(0, deadline - monotonicNanoseconds())) }
        if wait > 0 {
            // Only a loop that sleeps is woken by a write to the event descriptor, which costs a system call.
            let mustNotSleep = inbox.withLock { inbox in
                inbox.isSleeping = inbox.jobs.isEmpty && !inbox.isStopping
                return !inbox.isSleeping
            }
            if mustNotSleep { wait = 0 }
        }
        let count = poller.wait(nanoseconds: wait)
        nowNanoseconds = monotonicNanoseconds()
        for index in 0..<count {
            let event = poller.event(at: index)
            // An event of a descriptor closed earlier in this batch finds no handler, or one of another generation.
            registrations.handler(for: event.token)?.ready(event.readiness)
        }
        fireTimers()
        runSubmitted()
        runPhases()
        if let onTurn { onTurn(monotonicNanoseconds() - nowNanoseconds) }
    }

    /// Ends `run()` after the current turn, from any thread. A loop stopped before it runs does not run.
    package func stop() {
        let mustWake = inbox.withLock { inbox in
            inbox.isStopping = true
            defer { inbox.isSleeping = false }
            return inbox.isSleeping
        }
        if mustWake { poller.wake() }
    }

    /// Whether the calling thread is the loop's own.
    package var isCurrent: Bool { owner.load(ordering: .relaxed) == currentThreadIdentity() }

    func takeOwnership() { owner.store(currentThreadIdentity(), ordering: .relaxed) }

    func giveUpOwnership() { owner.store(0, ordering: .relaxed) }

    // MARK: Work

    /// Has `job` run on the loop in a later part of this turn or in the next one, in the order of submission.
    /// From any thread.
    package func submit(_ job: @escaping @Sendable () -> Void) {
        let mustWake = inbox.withLock { inbox in
            inbox.jobs.append(job)
            defer { inbox.isSleeping = false }
            return inbox.isSleeping
        }
        if mustWake { poller.wake() }
    }

    /// Runs `body` once, not earlier than `delay` from now, unless the timer is cancelled before. Resolution: 1 ms.
    @discardableResult
    package func schedule(after delay: Duration, _ body: @escaping () -> Void) -> LoopTimer {
        assert(isCurrent)
        // From the clock, not from `now`: in a long turn a timer must not fire early.
        let (deadline, overflow) = monotonicNanoseconds().addingReportingOverflow(max(0, delay.saturatingNanoseconds))
        return timers.insert(deadline: overflow ? .max : deadline, loop: self, body)
    }

    func cancel(_ timer: LoopTimer) {
        assert(isCurrent)
        timers.remove(timer)
    }

    /// Runs `body` once at the end of this turn. What a phase adds is run in the same turn.
    package func atEndOfTurn(_ phase: TurnPhase, _ body: @escaping () -> Void) {
        assert(isCurrent)
        switch phase {
        case .commit: commits.append(body)
        case .flush: flushes.append(body)
        }
    }

    private func fireTimers() {
        // Timers set by a timer for "now" wait for the next turn: a timer cannot hold the loop.
        let horizon = nowNanoseconds
        var budget = timers.count
        while budget > 0, let body = timers.popDue(horizon) {
            budget -= 1
            body()
        }
    }

    private func runSubmitted() {
        let jobs = inbox.withLock { inbox in
            inbox.isSleeping = false
            if inbox.jobs.isEmpty { return [@Sendable () -> Void]() }
            var taken: [@Sendable () -> Void] = []
            swap(&taken, &inbox.jobs)
            return taken
        }
        for job in jobs { job() }
    }

    private func runPhases() {
        while true {
            var batch: [() -> Void] = []
            if !commits.isEmpty {
                swap(&batch, &commits)
            } else if !flushes.isEmpty {
                swap(&batch, &flushes)
            } else {
                return
            }
            for body in batch { body() }
        }
    }

    // MARK: File descriptors

    /// Reports readiness of a descriptor to `handler` (held strongly) until `deregister`. Level-triggered: what is not
    /// read or written is reported again in the next turn. Hang-up and error are reported whatever the interest.
    ///
    /// - Throws: EEXIST when it is registered already, EPERM for a regular file, which is always ready.
    package func register(
        _ fd: Int32, _ interest: Interest, _ handler: any FileDescriptorHandler
    ) throws(SystemError) {
        assert(isCurrent)
        guard fd >= 0 else { throw SystemError(errno: badFileDescriptor, operation: "register descriptor \(fd)") }
        let token = try registrations.insert(fd, interest, handler)
        do throws(SystemError) {
            try poller.add(fd, interest, token: token)
        } catch {
            registrations.remove(fd)
            throw error
        }
    }

    /// Changes what is reported; costs nothing when nothing changes. Does nothing for a descriptor not registered.
    package func modify(_ fd: Int32, _ interest: Interest) {
        assert(isCurrent)
        guard let token = registrations.change(fd, interest) else { return }
        poller.modify(fd, interest, token: token)
    }

    /// Has another handler take over a registered descriptor, with its interest as it is. No system call.
    package func replaceHandler(_ fd: Int32, _ handler: any FileDescriptorHandler) {
        assert(isCurrent)
        registrations.replace(fd, handler)
    }

    /// Ends the reports, including those already collected in this turn. Call it before the descriptor is closed.
    package func deregister(_ fd: Int32) {
        assert(isCurrent)
        if registrations.remove(fd) { poller.remove(fd) }
    }

    /// Lends the loop's scratch buffer for one read. A nested call gets a buffer of its own.
    package func withReadBuffer<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
        assert(isCurrent)
        if readBufferIsLent {
            let spare = UnsafeMutableRawBufferPointer.allocate(byteCount: EventLoop.readBufferSize, alignment: 64)
            defer { spare.deallocate() }
            return try body(spare)
        }
        readBufferIsLent = true
        defer { readBufferIsLent = false }
        return try body(readBuffer)
    }
}

extension Duration {
    /// Nanoseconds, held at the ends of the range of `Int64`.
    package var saturatingNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, overflow2) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow2 ? (seconds < 0 ? .min : .max) : sum
    }
}
