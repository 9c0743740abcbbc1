import Client
import Glibc

/// The program `codeai-hub`.
package enum TerminalProgram {
    /// - Parameter arguments: without the program's name.
    /// - Returns: the exit code.
    package static func run(_ arguments: [String]) async -> Int32 {
        // A reader of our output that went away is no reason to die without restoring anything.
        signal(SIGPIPE, SIG_IGN)
        let invocation: Invocation
        do throws(CommandFailure) {
            invocation = try ArgumentParser.parse(arguments, table: CommandTable.all)
        } catch {
            let isJSON = arguments.contains("--json")
            let command = Command(name: "", help: "") { _ async throws(CommandFailure) in .ok }
            Output(Invocation(command: command, arguments: [], options: isJSON ? ["json": ""] : [:])).report(error)
            return error.exit.rawValue
        }
        let output = Output(invocation)
        if invocation.has("help") {
            output.print(HelpText.text(invocation.command))
            return ExitCode.ok.rawValue
        }
        // Before any thread exists.
        if invocation.command.handlesSignals { TerminalDevice.blockSignals() }
        do throws(CommandFailure) {
            return try await invocation.command.run(invocation).rawValue
        } catch {
            output.report(error)
            return error.exit.rawValue
        }
    }
}
