package import EventLoop
package import HubProtocol
package import Processes
import Providers

/// The agent's process as a session sees it; tests put a scripted one in its place.
package protocol ACPTransport: AnyObject {
    /// While it runs.
    var processId: Int32? { get }
    /// The last of what it said on stderr.
    var errorTail: String { get }
    /// Starts it, again when it has ended. `onExit` comes once for each start, after all of the output.
    /// - Parameter arguments: without the program's own name.
    func start(
        arguments: [String], onOutput: @escaping (UnsafeRawBufferPointer) -> Void,
        onExit: @escaping (ExitStatus) -> Void
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
package final class ACPProcess: ACPTransport, ACPScheduler, TerminalSpawner {
    private var specification: ProcessSpecification
    private let name: String
    private let ladder: TeardownLadder
    private let loop: EventLoop
    private var child: ChildProcess?

    /// - Parameter name: the agent's, for messages.
    package init(_ specification: ProcessSpecification, name: String, ladder: TeardownLadder, loop: EventLoop) {
        self.specification = specification
        self.name = name
        self.ladder = ladder
        self.loop = loop
    }

    package var processId: Int32? { child.flatMap { $0.exitStatus == nil ? $0.pid : nil } }

    package var errorTail: String { child?.errorTail ?? "" }

    package func start(
        arguments: [String], onOutput: @escaping (UnsafeRawBufferPointer) -> Void,
        onExit: @escaping (ExitStatus) -> Void
    ) throws(Failure) {
        specification.arguments = arguments
        do throws(SpawnError) {
            let child = try ChildProcess.spawn(specification, on: loop)
            child.onOutput = onOutput
            child.onExit = onExit
            // One that has nothing more to say has ended, or should.
            child.onOutputEnd = { [weak self] in self?.terminate() }
            // An agent that no longer reads can be told nothing any more.
            child.onInputError = { [weak self] _ in self?.terminate() }
            self.child = child
        } catch {
            throw .providerStartFailed(provider: name, reason: error.description)
        }
    }

    package func write(_ bytes: [UInt8]) { child?.write(bytes) }

    package func terminate() { child?.terminate(ladder) }

    package func spawn(
        _ specification: ProcessSpecification, onOutput: @escaping (UnsafeRawBufferPointer, Bool) -> Void,
        onExit: @escaping (ExitStatus) -> Void
    ) throws(SpawnError) -> any TerminalProcess {
        let child = try ChildProcess.spawn(specification, on: loop)
        child.onOutput = { onOutput($0, false) }
        child.onErrorOutput = { onOutput($0, true) }
        child.onExit = onExit
        // There is no way to type into an agent's terminal.
        child.closeInput()
        return ChildTerminal(child)
    }

    package func schedule(after delay: Duration, _ body: @escaping () -> Void) -> () -> Void {
        let timer = loop.schedule(after: delay, body)
        return { timer.cancel() }
    }
}

private final class ChildTerminal: TerminalProcess {
    private let child: ChildProcess

    init(_ child: ChildProcess) { self.child = child }

    func terminate(_ ladder: TeardownLadder) { child.terminate(ladder) }
}
