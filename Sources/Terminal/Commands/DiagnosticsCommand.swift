import Base
import Client
import JSON

/// A file for those who help.
enum DiagnosticsCommand {
    @Sendable static func run(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: true)
        let time = Timestamp.now.description.prefix(19).filter { $0 != ":" && $0 != "-" }
        let file = invocation.options["output"] ?? "codeai-hub-diagnostics-\(time)Z.tar.bz2"
        let sink = try ExportSink(path: file == "-" ? nil : file)
        try await ArchiveCommands.download("/api/v1/diagnostics", to: sink, connection)
        guard file != "-" else { return .ok }
        let bytes = try sink.finish()
        let output = Output(invocation)
        if invocation.isJSON {
            output.print(json: ["file": JSON(file), "bytes": JSON(bytes)])
        } else {
            output.print(StyledText("\(Sanitizer.cleanLine(file))\n"))
            output.note("\(bytes) bytes. Look through it before you send it to anybody: tar -tjf, tar -xjf.")
        }
        return .ok
    }
}
