/// Commands of the interactive client's input line.
struct SlashCommand: Sendable {
    struct Call: Equatable {
        var name: String
        var rest: String
    }

    /// What Tab offers for a command's argument.
    enum Argument: Sendable {
        case none, models, modes, efforts, providers, sessions, queued, file
    }

    var name: String
    var argument = ""
    var completes = Argument.none
    var help: String

    static let all: [SlashCommand] = [
        SlashCommand(name: "help", help: "print this help"),
        SlashCommand(name: "model", argument: "MODEL", completes: .models, help: "switch the model; alone, list them"),
        SlashCommand(name: "mode", argument: "MODE", completes: .modes, help: "switch the permission mode"),
        SlashCommand(name: "effort", argument: "EFFORT", completes: .efforts, help: "how hard the model thinks"),
        SlashCommand(
            name: "provider", argument: "PROVIDER", completes: .providers,
            help: "go on with another provider; alone, list them"),
        SlashCommand(
            name: "switch", argument: "PROVIDER", completes: .providers,
            help: "the same, and what failed is tried with it"),
        SlashCommand(name: "rename", argument: "TITLE", help: "give the session another title"),
        SlashCommand(name: "tags", argument: "TAG...", help: "set the session's tags; alone, show them"),
        SlashCommand(name: "queue", help: "show what waits"),
        SlashCommand(
            name: "withdraw", argument: "NUMBER", completes: .queued,
            help: "take a queued message back, into the line; the last when no NUMBER is given"),
        SlashCommand(name: "steer", argument: "TEXT", help: "add to the running turn, where the provider can"),
        SlashCommand(name: "interrupt", help: "interrupt the running turn (Esc, Ctrl-C)"),
        SlashCommand(name: "retry", help: "try again what failed or was interrupted"),
        SlashCommand(
            name: "later", argument: "SECONDS", help: "try it again later, by itself; alone, when the error says"),
        SlashCommand(name: "pause", help: "begin no turn until /resume"),
        SlashCommand(
            name: "resume", help: "end a pause, let a held queue go on, give up what was to be tried later"),
        SlashCommand(name: "decline", help: "refuse to answer the question"),
        SlashCommand(name: "unfold", help: "show the last folded text whole (Ctrl-O)"),
        SlashCommand(
            name: "fork", argument: "SEQ", help: "go on in a copy, which ends with that event; alone, the newest"),
        SlashCommand(
            name: "export", argument: "FILE", completes: .file,
            help: "write the log to a file: Markdown when it ends in .md, else JSON lines"),
        SlashCommand(name: "cost", help: "show tokens and money of this session"),
        SlashCommand(name: "sessions", help: "list the sessions"),
        SlashCommand(
            name: "attach", argument: "ID", completes: .sessions, help: "go over to another session"),
        SlashCommand(
            name: "new", argument: "PROVIDER", completes: .providers, help: "go over to a new session"),
        SlashCommand(name: "start", help: "start the daemon when it is gone"),
        SlashCommand(name: "quit", help: "leave; the session goes on (Ctrl-D)"),
    ]

    /// The command that does what an error's action says; nil when there is none.
    static func carryingOut(_ action: String) -> String? {
        switch action {
        case "retry": "/retry"
        case "retry_later": "/later"
        case "switch_provider": "/switch PROVIDER"
        case "continue_once": "/resume"
        default: nil
        }
    }

    /// Nil for a text that only looks like a command, such as a path.
    static func parse(_ line: String) -> Call? {
        let words = line.dropFirst().split(separator: " ", maxSplits: 1)
        guard let name = words.first, name.allSatisfy({ $0.isLetter }) else { return nil }
        var rest = words.count > 1 ? words[1].drop(while: \.isWhitespace) : ""
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return Call(name: name == "exit" ? "quit" : String(name), rest: String(rest))
    }

    static var help: StyledText {
        var text = StyledText("\n")
        for command in all {
            let usage = "/\(command.name)" + (command.argument.isEmpty ? "" : " \(command.argument)")
            text.append("  " + DisplayWidth.pad(usage, to: 20), [.bold, .hanging])
            text.append(command.help + "\n", .dim)
        }
        text.append("\n")
        for (key, meaning) in KeyTable.all {
            text.append("  " + DisplayWidth.pad(key, to: 38) + " ", [.bold, .hanging])
            text.append(meaning + "\n", .dim)
        }
        return text
    }
}
