package import EventLoop
package import HubProtocol
package import Processes

/// The agent's process as a session sees it; tests put a scripted one in its place.
package protocol ACPTransport: AnyObject {
    /// While it runs.
    var processId: Int32? { get }
    /// The last of what it said on stderr.
    var errorTail: String { get }
    /// Starts it. `onExit` comes once, after all of the output.
    func start(
        onOutput: @escaping (UnsafeRawBufferPointer) -> Void, onExit: @escaping (ExitStatus) -> Void
    ) throws(Failure)
    func write(_ bytes: [UInt8])
    /// Ends it by the ladder.
    func terminate()
}

/// Time as a session sees it.
package protocol ACPScheduler: AnyObject {
    /// - Returns: has it not happen.
    func schedule(after delay: Duration, _ body: @escaping () -> Void) -> () -> Void
}

/// A real process on the loop.
package final class ACPProcess: ACPTransport, ACPScheduler {
    private let specification: ProcessSpecification
    private let ladder: TeardownLadder
    private let loop: EventLoop
    private var child: ChildProcess?

    package init(_ specification: ProcessSpecification, ladder: TeardownLadder, loop: EventLoop) {
        self.specification = specification
        self.ladder = ladder
        self.loop = loop
    }

    package var processId: Int32? { child.flatMap { $0.exitStatus == nil ? $0.pid : nil } }

    package var errorTail: String { child?.errorTail ?? "" }

    package func start(
        onOutput: @escaping (UnsafeRawBufferPointer) -> Void, onExit: @escaping (ExitStatus) -> Void
    ) throws(Failure) {
        do throws(SpawnError) {
            let child = try ChildProcess.spawn(specification, on: loop)
            child.onOutput = onOutput
            child.onExit = onExit
            self.child = child
        } catch {
            throw Failure(
                code: "provider_start_failed", message: error.description, recoverable: true,
                actions: [.install, .switchProvider])
        }
    }

    package func write(_ bytes: [UInt8]) { child?.write(bytes) }

    package func terminate() { child?.terminate(ladder) }

    package func schedule(after delay: Duration, _ body: @escaping () -> Void) -> () -> Void {
        let timer = loop.schedule(after: delay, body)
        return { timer.cancel() }
    }
}
