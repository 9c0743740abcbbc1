import Client
import JSON

/// Help made from the command table.
enum HelpText {
    @Sendable static func run(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let output = Output(invocation)
        guard let name = invocation.argument(0) else {
            output.print(overview(CommandTable.visible))
            return .ok
        }
        guard let command = CommandTable.all.first(where: { $0.name == name }) else {
            throw .usage("there is no command \(name): see codeai-hub help")
        }
        output.print(text(command))
        return .ok
    }

    @Sendable static func version(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let output = Output(invocation)
        if invocation.isJSON {
            output.print(json: ["version": JSON(clientVersion)])
        } else {
            output.print(StyledText("codeai-hub \(clientVersion)\n"))
        }
        return .ok
    }

    static func overview(_ table: [Command]) -> StyledText {
        var text = StyledText("codeai-hub: AI coding sessions that live in one daemon\n\n")
        text.append("Usage: codeai-hub COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands:\n")
        let width = table.map(\.synopsis.count).max() ?? 0
        for command in table {
            text.append("  ")
            text.append(DisplayWidth.pad(command.synopsis, to: width), .bold)
            text.append("  \(command.help)\n")
        }
        text.append("\nOptions of all commands:\n")
        text.append(options(Command.commonOptions))
        text.append("\nIDs may be shortened as long as they are unique. Without a command: this help.\n")
        text.append("A first conversation: codeai-hub new\n")
        return text
    }

    static func text(_ command: Command) -> StyledText {
        var text = StyledText("codeai-hub \(command.synopsis) [OPTIONS]\n\n", .bold)
        text.append("\(command.help).\(command.details.isEmpty ? "" : " " + command.details)\n\nOptions:\n")
        text.append(options(command.options + Command.commonOptions))
        return text
    }

    private static func options(_ options: [Command.Option]) -> StyledText {
        let width = options.map(\.usage.count).max() ?? 0
        var text = StyledText()
        for option in options { text.append("  \(DisplayWidth.pad(option.usage, to: width))  \(option.help)\n") }
        return text
    }

    /// The reference part of doc/cli.md.
    static func markdown(_ table: [Command]) -> String {
        var text = ""
        for command in table {
            text += "### `codeai-hub \(command.synopsis)`\n\n"
            text += "\(command.help).\(command.details.isEmpty ? "" : " " + command.details)\n\n"
            guard !command.options.isEmpty else { continue }
            text += "| option | |\n|---|---|\n"
            for option in command.options { text += "| `\(option.usage)` | \(option.help) |\n" }
            text += "\n"
        }
        text += "### Options of all commands\n\n| option | |\n|---|---|\n"
        for option in Command.commonOptions { text += "| `\(option.usage)` | \(option.help) |\n" }
        text += "\n### Exit codes\n\n| code | meaning |\n|---|---|\n"
        for code in ExitCode.allCases { text += "| \(code.rawValue) | \(code.meaning) |\n" }
        return text
    }
}
