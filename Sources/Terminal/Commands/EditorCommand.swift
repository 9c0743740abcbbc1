import Client
import EditorDoor
import Glibc
import HubProtocol

/// The door for editors that speak the Agent Client Protocol.
enum EditorCommand {
    @Sendable static func serve(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        guard isatty(STDIN_FILENO) == 0 else {
            throw .usage("acp is started by an editor, which talks to it on standard input: see doc/editors.md")
        }
        var options = EditorDoor.Options(home: try Connection.home(invocation))
        options.providerId = invocation.options["provider"].map(ProviderID.resolve)
        options.model = invocation.options["model"]
        options.mode = invocation.options["mode"]
        let chosen = options
        try await hub { () throws(HubError) in try await EditorDoor.serve(chosen) }
        return .ok
    }
}
