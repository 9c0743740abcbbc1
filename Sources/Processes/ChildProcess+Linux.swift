package import Base
import CLinux
package import EventLoop
import Glibc

/// A running program: its three pipes, its end, and the ladder that brings it about.
///
/// It leads a process group of its own and gets SIGTERM when the loop's thread dies. Whatever it leaves behind when it
/// ends (its group, and marked orphans adopted by this process, see `Subreaper`) is ended too. It stays alive without
/// being referenced until it has ended.
package final class ChildProcess {
    package let pid: Int32
    /// stdout; the bytes are lent for the time of the call.
    package var onOutput: (UnsafeRawBufferPointer) -> Void = { _ in }
    /// Once, before `onExit`.
    package var onOutputEnd: () -> Void = {}
    /// stderr, beside being kept in `errorTail`.
    package var onErrorOutput: (UnsafeRawBufferPointer) -> Void = { _ in }
    /// The child closed its stdin or does not read it (ENOBUFS). What was queued is dropped.
    package var onInputError: (SystemError) -> Void = { _ in }
    /// Exactly once, after stdout and stderr are drained; a descendant that keeps them open delays it by
    /// `ChildProcess.drainLimit` at most.
    package var onExit: (ExitStatus) -> Void = { _ in }
    /// nil while it runs.
    package private(set) var exitStatus: ExitStatus?

    /// How long after the end of the process its pipes are read on.
    package static let drainLimit: Duration = .milliseconds(500)
    /// Bytes of stderr that are kept.
    package static let errorTailLimit = 8 * 1024
    /// Environment variable, different for each child, by which its descendants are known even when they have changed
    /// session and lost their parents.
    package static let markerVariable = "CODEAI_HUB_PROCESS"

    let marker: String
    private let loop: EventLoop
    private var pidfd: Int32
    private let exitWatch = ExitWatch()
    private let input: PipeWriter
    private let output: PipeReader
    private let errorOutput: PipeReader
    private var tail: [UInt8] = []
    private var openPipes = 2
    private var hasFinished = false
    private var drainTimer: LoopTimer?
    private var ladder: TeardownLadder?
    private var ladderStep = 0
    private var ladderTimer: LoopTimer?

    /// Starts the program. Takes about a millisecond, in which the loop waits.
    package static func spawn(
        _ specification: ProcessSpecification, on loop: EventLoop
    ) throws(SpawnError) -> ChildProcess {
        let started = try SpawnedProcess.start(specification)
        return ChildProcess(started, on: loop)
    }

    private init(_ started: SpawnedProcess, on loop: EventLoop) {
        self.loop = loop
        pid = started.pid
        pidfd = started.pidfd
        marker = started.marker
        input = PipeWriter(fd: started.input, loop: loop)
        output = PipeReader(fd: started.output, loop: loop)
        errorOutput = PipeReader(fd: started.error, loop: loop)
        input.onError = { [unowned self] in onInputError($0) }
        output.onBytes = { [unowned self] in onOutput($0) }
        output.onEnd = { [unowned self] _ in pipeEnded(isOutput: true) }
        errorOutput.onBytes = { [unowned self] in keepTail($0) }
        errorOutput.onEnd = { [unowned self] _ in pipeEnded(isOutput: false) }
        exitWatch.child = self
        KnownChildren.insert(self)
        do throws(SystemError) {
            try loop.register(pidfd, .read, exitWatch)
        } catch {
            // Without memory for the registration: the periodic look finds the end.
            pollForExit()
        }
    }

    // MARK: Input

    package func write(_ bytes: [UInt8]) { input.write(bytes) }

    /// Lets the child see the end of its input, after what is queued.
    package func closeInput() { input.closeWhenDrained() }

    package var queuedInputBytes: Int { input.queuedBytes }

    /// Holds the child back by not reading its stdout.
    package func pauseOutput() { output.pause() }

    package func resumeOutput() { output.resume() }

    /// The last bytes of stderr as text.
    package var errorTail: String {
        // From the first whole character on: what went before was cut off.
        var start = 0
        if tail.count == ChildProcess.errorTailLimit {
            while start < min(4, tail.count), tail[start] & 0xc0 == 0x80 { start += 1 }
        }
        return String(decoding: tail[start...], as: UTF8.self)
    }

    private func keepTail(_ bytes: UnsafeRawBufferPointer) {
        onErrorOutput(bytes)
        tail.append(contentsOf: bytes.suffix(ChildProcess.errorTailLimit))
        if tail.count > ChildProcess.errorTailLimit { tail.removeFirst(tail.count - ChildProcess.errorTailLimit) }
    }

    // MARK: Ending it

    /// Sends a signal to the process itself. Without effect once it has ended.
    package func signal(_ number: Int32) {
        if pidfd >= 0 { _ = clinux_pidfd_signal(pidfd, number) }
    }

    /// Ends it step by step: `politely` and the end of its input, SIGTERM to its group, SIGKILL to its group and every
    /// descendant. A second call goes on from the step reached, with the times given then.
    package func terminate(_ ladder: TeardownLadder = .default, politely: (() -> Void)? = nil) {
        guard exitStatus == nil else { return }
        let isFirst = self.ladder == nil
        self.ladder = ladder
        ladderTimer?.cancel()
        if isFirst {
            politely?()
            closeInput()
            waitForNextStep(ladder.polite)
        } else {
            waitForNextStep(ladderStep == 0 ? ladder.polite : ladder.terminate)
        }
    }

    private func waitForNextStep(_ time: Duration) {
        guard exitStatus == nil else { return }
        if time <= .zero { return nextStep() }
        ladderTimer = loop.schedule(after: time) { [weak self] in self?.nextStep() }
    }

    private func nextStep() {
        guard exitStatus == nil, let ladder else { return }
        ladderStep += 1
        if ladderStep == 1, ladder.terminate > .zero {
            // The leader is not reaped yet, so the group's number is certainly still its own.
            kill(-pid, SIGTERM)
            // A stopped process would not see it.
            kill(-pid, SIGCONT)
            waitForNextStep(ladder.terminate)
        } else {
            killTree()
        }
    }

    private func killTree() {
        // The tree first: as soon as a parent dies its children are somebody else's.
        let descendants = ProcessTable.snapshot().descendants(of: pid)
        kill(-pid, SIGKILL)
        for process in descendants { process.signal(SIGKILL) }
    }

    /// Ends what the process has left behind.
    private func endLeftovers() {
        guard ProcessTable.mayHaveLeftovers(group: pid) else { return }
        let leftovers = ProcessTable.snapshot().leftovers(group: pid, marker: marker)
        guard !leftovers.isEmpty else { return }
        let wasKilled = ladderStep >= 2 || ladder?.terminate == .zero
        for process in leftovers { process.signal(wasKilled ? SIGKILL : SIGTERM) }
        let (pid, marker) = (pid, marker)
        // Those that ignore it, and those started meanwhile.
        loop.schedule(after: wasKilled ? .milliseconds(50) : ladder?.terminate ?? .seconds(1)) {
            for process in ProcessTable.snapshot().leftovers(group: pid, marker: marker) { process.signal(SIGKILL) }
        }
    }

    // MARK: The end

    /// Looks whether it has ended, and if so takes its exit status, which only the first one to ask gets.
    fileprivate func lookForExit() {
        guard pidfd >= 0 else { return }
        let answer = clinux_reap_pidfd(pidfd)
        guard answer.result != 0 else { return }
        loop.deregister(pidfd)
        close(pidfd)
        pidfd = -1
        KnownChildren.remove(self)
        ladderTimer?.cancel()
        // ECHILD: reaped by somebody else in this process; that it ended is all that is known.
        exitStatus =
            answer.result < 0
            ? .exited(-1) : answer.was_signaled != 0 ? .signaled(answer.status) : .exited(answer.status)
        exitWatch.child = nil
        input.close()
        endLeftovers()
        if openPipes == 0 {
            finish()
        } else {
            // Strongly: from here on nothing else keeps this object until `onExit`.
            drainTimer = loop.schedule(after: ChildProcess.drainLimit) { self.stopDraining() }
        }
    }

    private func pollForExit() {
        loop.schedule(after: .milliseconds(100)) { [weak self] in
            guard let self, exitStatus == nil else { return }
            lookForExit()
            pollForExit()
        }
    }

    private func pipeEnded(isOutput: Bool) {
        openPipes -= 1
        if isOutput { onOutputEnd() }
        if openPipes == 0, exitStatus != nil { finish() }
    }

    private func stopDraining() {
        // What the process itself wrote is in the pipe already: a pipe holds 64 KiB unless enlarged to 1 MiB.
        output.resume()
        output.drain(limit: 1 << 20)
        errorOutput.drain(limit: 1 << 20)
        guard !hasFinished else { return }
        let outputWasOpen = output.isOpen
        output.close()
        errorOutput.close()
        if outputWasOpen { onOutputEnd() }
        finish()
    }

    private func finish() {
        guard !hasFinished, let exitStatus else { return }
        hasFinished = true
        drainTimer?.cancel()
        let onExit = onExit
        // The callbacks hold those who hold this object.
        onOutput = { _ in }
        onErrorOutput = { _ in }
        onOutputEnd = {}
        onInputError = { _ in }
        self.onExit = { _ in }
        onExit(exitStatus)
    }
}

/// Keeps the child alive while it runs: the loop's table holds this, this holds the child.
private final class ExitWatch: FileDescriptorHandler {
    var child: ChildProcess?

    func ready(_ events: Readiness) { child?.lookForExit() }
}

/// The children whose exit status belongs to a `ChildProcess`: the reaper of orphans must not take it.
enum KnownChildren {
    // A lock, because each loop has children of its own.
    private static let children = Lock<[Int32: LoopBound<ChildProcess>]>([:])

    static func insert(_ child: ChildProcess) {
        let bound = child.bound
        let pid = child.pid
        children.withLock { $0[pid] = bound }
    }

    static func remove(_ child: ChildProcess) {
        let pid = child.pid
        children.withLock { $0[pid] = nil }
    }

    static func contains(_ pid: Int32) -> Bool { children.withLock { $0[pid] != nil } }

    static var pids: Set<Int32> { children.withLock { Set($0.keys) } }

    /// Has the owner take the exit status. Returns false when that can only happen later, on another loop.
    static func collect(_ pid: Int32) -> Bool {
        guard let child = children.withLock({ $0[pid] }) else { return true }
        guard child.loop.isCurrent else { return false }
        child.value.lookForExit()
        return true
    }
}

extension ChildProcess {
    fileprivate var bound: LoopBound<ChildProcess> { LoopBound(self, loop: loop) }
}
