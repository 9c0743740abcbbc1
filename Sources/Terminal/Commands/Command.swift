/// A command of the program: what drives parsing, help and the documentation.
struct Command: Sendable {
    /// What a shell offers for a word.
    enum Values: Sendable, Equatable {
        case none, commands, sessions, providers, settings, files, directories
        case words([String])
    }

    struct Argument: Sendable {
        var name: String
        var isOptional = false
        /// Takes all that is left; only the last can.
        var isRepeated = false
        var completes = Values.none
    }

    struct Option: Sendable {
        /// Without the dashes.
        var name: String
        var letter: Character?
        /// What stands for the value in the help; nil for a flag.
        var value: String?
        var help: String
        var completes: Values

        /// - Parameter completes: nil: files and folders where the value says so.
        init(
            _ name: String, _ letter: Character? = nil, value: String? = nil, help: String, completes: Values? = nil
        ) {
            self.name = name
            self.letter = letter
            self.value = value
            self.help = help
            self.completes = completes ?? (value == "DIR" ? .directories : value == "FILE" ? .files : .none)
        }

        var usage: String {
            (letter.map { "-\($0), " } ?? "") + "--\(name)" + (value.map { " \($0)" } ?? "")
        }
    }

    var name: String
    var arguments: [Argument] = []
    var options: [Option] = []
    /// One sentence, without its full stop.
    var help: String
    /// What else is worth knowing, as sentences.
    var details = ""
    /// The handler deals with signals itself; they are blocked before the first thread starts.
    var handlesSignals = false
    /// For other programs: in no list.
    var isHidden = false
    var run: @Sendable (Invocation) async throws(CommandFailure) -> ExitCode

    var synopsis: String {
        var words = [name]
        for argument in arguments {
            let name = argument.name + (argument.isRepeated ? "..." : "")
            words.append(argument.isOptional ? "[\(name)]" : name)
        }
        return words.joined(separator: " ")
    }

    /// Taken by every command.
    static let commonOptions = [
        Option("json", help: "Print JSON: one document, or one line for each event of a stream"),
        Option("home", value: "DIR", help: "The daemon's folder; default: $CODEAI_HUB_HOME or ~/.codeai-hub"),
        Option("no-color", help: "Print without colours, as with NO_COLOR or without a terminal"),
        Option("help", "h", help: "Print the command's help"),
    ]
}

/// A command line that has been understood.
struct Invocation: Sendable {
    var command: Command
    var arguments: [String]
    /// Values of options, by name; flags have an empty one.
    var options: [String: String]

    func has(_ option: String) -> Bool { options[option] != nil }
    var isJSON: Bool { has("json") }
    /// The argument at a place, if it was given.
    func argument(_ index: Int) -> String? { arguments.indices.contains(index) ? arguments[index] : nil }
}
