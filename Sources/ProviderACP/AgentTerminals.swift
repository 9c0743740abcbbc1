import ACPMessages
import Base
import Glibc
import HubProtocol
import JSON
package import Processes

/// Starts the commands of an agent's terminals; tests put scripted ones in their place.
package protocol TerminalSpawner: AnyObject {
    /// - Parameters:
    ///   - onOutput: stdout and stderr, the second flag saying that it is stderr.
    ///   - onExit: once, after all of the output.
    func spawn(
        _ specification: ProcessSpecification, onOutput: @escaping (UnsafeRawBufferPointer, _ isError: Bool) -> Void,
        onExit: @escaping (ExitStatus) -> Void
    ) throws(SpawnError) -> any TerminalProcess
}

/// A terminal's command, in a process group of its own.
package protocol TerminalProcess: AnyObject {
    /// Ends it with all that it has started: SIGTERM, then SIGKILL. A second call goes on from there.
    func terminate(_ ladder: TeardownLadder)
}

/// The terminals of one agent: commands that the daemon runs for it within the workspace. What they say is kept by the
/// decoder, since it becomes part of tool calls. Loop-confined.
final class AgentTerminals {
    struct Terminal {
        var process: (any TerminalProcess)?
        var exit: ExitStatus?
        /// Requests of the agent that are answered at the end.
        var waiting: [JSON] = []
        var isReleased = false
        var isEnding = false
        /// Begun in the turn that runs.
        var isOfThisTurn = true
        var output = UTF8Pieces()
        var errorOutput = UTF8Pieces()
    }

    /// SIGTERM at once, since a command has no polite end, and 2 s to follow it.
    static let ladder = TeardownLadder(polite: .zero, terminate: .seconds(2))
    /// The most requests that wait for the end of one terminal.
    static let maximumWaiting = 64

    /// Text that a terminal's command has said.
    var onText: (_ id: String, _ text: String) -> Void = { _, _ in }
    /// The command's end, after its text; `waiting` are the requests to answer now.
    var onExit: (_ id: String, _ status: ExitStatus, _ waiting: [JSON]) -> Void = { _, _, _ in }
    /// Nothing runs any more.
    var onAllEnded: () -> Void = {}

    private let spawner: any TerminalSpawner
    private let maximum: Int
    private var terminals: [String: Terminal] = [:]
    private var count = 0

    /// - Parameter maximum: how many there may be at once, not released or still running.
    init(spawner: any TerminalSpawner, maximum: Int) {
        self.spawner = spawner
        self.maximum = maximum
    }

    /// Only those that the agent may still ask for.
    subscript(id: String) -> Terminal? { terminals[id].flatMap { $0.isReleased ? nil : $0 } }

    /// Their identifiers, the oldest first.
    var unreleased: [String] {
        terminals.filter { !$0.value.isReleased }.keys.sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
    }

    var isRunning: Bool { terminals.values.contains { $0.exit == nil } }

    /// - Parameter folder: an open descriptor of the folder to run in, the caller's to close.
    func create(_ command: ProcessSpecification, folder: Int32) throws(ACPError) -> String {
        guard terminals.count < maximum else {
            throw .internalError("There are \(maximum) terminals already: release some")
        }
        count += 1
        // Never used twice, so that a stale identifier can't reach another command.
        let id = "terminal-\(count)"
        var command = command
        // By descriptor: the folder that was checked is the folder that is entered, whatever is renamed meanwhile.
        command.workingDirectory = "/proc/self/fd/\(folder)"
        terminals[id] = Terminal()
        do throws(SpawnError) {
            let process = try spawner.spawn(
                command, onOutput: { [weak self] in self?.heard(id, $0, isError: $1) },
                onExit: { [weak self] in self?.ended(id, $0) })
            if terminals[id]?.exit == nil { terminals[id]?.process = process }
        } catch {
            terminals[id] = nil
            throw error.code == .executableNotFound || error.code == .notExecutable
                ? ACPError(code: ACPError.notFound, message: error.message)
                : .internalError(error.code == .workingDirectory ? "the folder cannot be entered" : error.message)
        }
        return id
    }

    /// Has a request answered at the end of a terminal that runs.
    func wait(_ request: JSON, for id: String) throws(ACPError) {
        guard let terminal = terminals[id], terminal.waiting.count < AgentTerminals.maximumWaiting else {
            throw .internalError("Too many requests wait for \(id)")
        }
        terminals[id]?.waiting.append(request)
    }

    /// - Returns: whether such a request waited, and no longer does.
    func stopWaiting(_ request: JSON) -> Bool {
        for id in terminals.keys {
            guard let index = terminals[id]?.waiting.firstIndex(of: request) else { continue }
            terminals[id]?.waiting.remove(at: index)
            return true
        }
        return false
    }

    /// Ends the command; the terminal can still be asked.
    func kill(_ id: String) {
        // Once: asking again would begin the waiting anew.
        guard let process = terminals[id]?.process, terminals[id]?.isEnding == false else { return }
        terminals[id]?.isEnding = true
        process.terminate(AgentTerminals.ladder)
    }

    /// Ends the command and forgets the terminal as soon as that is done.
    func release(_ id: String) {
        terminals[id]?.isReleased = true
        if terminals[id]?.exit != nil { terminals[id] = nil } else { kill(id) }
    }

    /// The turn has ended; what runs on is no longer this turn's.
    /// - Parameter isInterrupted: whether what was begun in it has to end with it.
    func endTurn(isInterrupted: Bool) {
        for (id, terminal) in terminals where terminal.isOfThisTurn {
            terminals[id]?.isOfThisTurn = false
            if isInterrupted, terminal.exit == nil { kill(id) }
        }
    }

    /// The agent is gone, or is to go: nothing of its runs on.
    func releaseAll() {
        for id in terminals.keys {
            terminals[id]?.waiting = []
            release(id)
        }
    }

    private func heard(_ id: String, _ bytes: UnsafeRawBufferPointer, isError: Bool) {
        // Each of the two is whole characters; where one is written within the other's character can't be known.
        let text = isError ? terminals[id]?.errorOutput.feed(bytes) : terminals[id]?.output.feed(bytes)
        if let text, !text.isEmpty { onText(id, text) }
    }

    private func ended(_ id: String, _ status: ExitStatus) {
        guard var terminal = terminals[id], terminal.exit == nil else { return }
        let rest = terminal.output.finish() + terminal.errorOutput.finish()
        let waiting = terminal.waiting
        terminal.waiting = []
        terminal.exit = status
        terminal.process = nil
        terminals[id] = terminal.isReleased ? nil : terminal
        if !rest.isEmpty { onText(id, rest) }
        onExit(id, status, waiting)
        if !isRunning { onAllEnded() }
    }
}

extension ExitStatus {
    /// `exitCode` and `signal` as ACP has them: one of them is null.
    var acp: JSONObject {
        switch self {
        case .exited(let code): ["exitCode": code >= 0 ? JSON(Int(code)) : .null, "signal": .null]
        case .signaled(let number): ["exitCode": .null, "signal": JSON(ExitStatus.name(ofSignal: number))]
        }
    }

    private static func name(ofSignal number: Int32) -> String {
        switch number {
        case SIGHUP: "SIGHUP"
        case SIGINT: "SIGINT"
        case SIGQUIT: "SIGQUIT"
        case SIGILL: "SIGILL"
        case SIGABRT: "SIGABRT"
        case SIGFPE: "SIGFPE"
        case SIGKILL: "SIGKILL"
        case SIGSEGV: "SIGSEGV"
        case SIGPIPE: "SIGPIPE"
        case SIGALRM: "SIGALRM"
        case SIGTERM: "SIGTERM"
        default: "SIG\(number)"
        }
    }
}
