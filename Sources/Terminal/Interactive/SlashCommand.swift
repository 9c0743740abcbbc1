/// Commands of the interactive client's input line.
enum SlashCommand {
    struct Call: Equatable {
        var name: String
        var rest: String
    }

    static let all: [(name: String, argument: String, help: String)] = [
        ("help", "", "print this help"),
        ("quit", "", "leave; the session goes on (Ctrl-D)"),
        ("interrupt", "", "interrupt the running turn (Ctrl-C)"),
        ("rename", "TITLE", "give the session another title"),
        ("model", "MODEL", "switch the model"),
        ("mode", "MODE", "switch the permission mode"),
        ("decline", "", "refuse to answer the question"),
        ("steer", "TEXT", "add to the running turn, where the provider can"),
        ("retry", "", "try again what failed or was interrupted"),
        ("later", "SECONDS", "try it again later, by itself; without SECONDS when the error says"),
        ("switch", "PROVIDER", "go on with another provider; what failed is tried with it"),
        ("pause", "", "begin no turn until /resume"),
        ("resume", "", "end a pause, let a held queue go on, give up what was to be tried later"),
        ("withdraw", "", "take back the message that was queued last"),
        ("sessions", "", "list the sessions"),
        ("start", "", "start the daemon when it is gone"),
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
        let rest = words.count > 1 ? words[1].drop(while: \.isWhitespace) : ""
        return Call(name: name == "exit" ? "quit" : String(name), rest: String(rest))
    }

    static var help: StyledText {
        var text = StyledText("\n")
        for command in all {
            let usage = "/\(command.name)" + (command.argument.isEmpty ? "" : " \(command.argument)")
            text.append("  " + DisplayWidth.pad(usage, to: 18), .bold)
            text.append(command.help + "\n", .dim)
        }
        text.append("  Enter sends, Alt-Enter or Ctrl-J starts a new line, Up recalls, Tab completes a command\n", .dim)
        return text
    }
}
