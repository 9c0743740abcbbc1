import Client

/// What `codeai-hub` ends with. The same table is in doc/cli.md.
enum ExitCode: Int32, CaseIterable {
    case ok = 0
    case refused = 1
    case usage = 2
    case noDaemon = 3
    case turnFailed = 4
    case waiting = 5
    case interrupted = 130

    var meaning: String {
        switch self {
        case .ok: "done"
        case .refused: "refused, by the daemon or by a check; doctor found a problem"
        case .usage: "the command line is wrong"
        case .noDaemon: "no daemon runs, or it can't be reached or started"
        case .turnFailed: "the turn failed or was interrupted"
        case .waiting: "the turn waits for a permission or an answer, and nobody is there to give it"
        case .interrupted: "ended by Control-C"
        }
    }
}

/// Why a command ended early.
struct CommandFailure: Error, Equatable {
    var exit: ExitCode
    /// A stable code for `--json`.
    var code: String
    var message: String

    init(_ exit: ExitCode, _ code: String, _ message: String) {
        self.exit = exit
        self.code = code
        self.message = message
    }

    static func usage(_ message: String) -> CommandFailure { CommandFailure(.usage, "usage", message) }

    init(_ error: HubError) {
        message = error.message
        code = error.answer ?? error.code.rawValue
        switch error.code {
        case .noDaemon, .connectionLost, .timeout, .launchFailed, .unsafeHome, .closed: exit = .noDaemon
        case .rejected, .invalidAnswer, .tooLarge: exit = .refused
        }
        if error.code == .noDaemon { message += "; start it with: codeai-hub start" }
    }
}

/// Runs what talks to the daemon, and turns its errors into the command's.
@discardableResult
func hub<Value>(_ body: () async throws(HubError) -> Value) async throws(CommandFailure) -> Value {
    do throws(HubError) { return try await body() } catch { throw CommandFailure(error) }
}
