/// What a shell may offer for the word under the cursor, by the command table. Pure.
///
/// The shells' scripts know nothing: they ask `codeai-hub __complete`, so that what they offer is always what the
/// installed program takes.
enum CompletionRequest: Equatable {
    struct Candidate: Equatable {
        var word: String
        var help: String = ""
    }

    case words([Candidate])
    /// What only a daemon knows; `before` stands in front of each, as in `--provider=`.
    case sessions(before: String)
    case providers(before: String)
    case settings(before: String)
    case files, directories
    case nothing

    /// - Parameter words: those after the program's name up to the cursor; the last one may be incomplete or empty.
    static func of(_ words: [String], table: [Command]) -> CompletionRequest {
        guard let current = words.last else { return commands(table) }
        let before = Array(words.dropLast())
        guard let place = commandIndex(before) else {
            if let value = optionValue(before.last, current, Command.commonOptions) { return value }
            return current.hasPrefix("-") ? options(Command.commonOptions, given: before) : commands(table)
        }
        guard let command = table.first(where: { $0.name == before[place] }) else { return .nothing }
        let all = command.options + Command.commonOptions
        let rest = Array(before[(place + 1)...])
        let hasEnded = rest.contains("--")
        if !hasEnded {
            if let value = optionValue(rest.last, current, all) { return value }
            if current.hasPrefix("-") { return options(all, given: rest) }
        }
        return argument(command, index: positionals(rest, all), given: rest)
    }

    /// The folder that `--home` names among the words.
    static func home(in words: [String]) -> String? {
        for (index, word) in words.enumerated() {
            if word.hasPrefix("--home=") { return String(word.dropFirst(7)) }
            if word == "--home", index + 1 < words.count { return words[index + 1] }
        }
        return nil
    }

    private static func commandIndex(_ words: [String]) -> Int? {
        var index = 0
        while index < words.count, words[index].hasPrefix("-") {
            index += Command.commonOptions.contains { "--\($0.name)" == words[index] && $0.value != nil } ? 2 : 1
        }
        return index < words.count ? index : nil
    }

    private static func commands(_ table: [Command]) -> CompletionRequest {
        .words(table.filter { !$0.isHidden }.map { Candidate(word: $0.name, help: $0.help) })
    }

    private static func find(_ word: String, _ options: [Command.Option]) -> Command.Option? {
        options.first { "--\($0.name)" == word || $0.letter.map { "-\($0)" } == word }
    }

    /// Flags that stand there already are not offered again.
    private static func options(_ options: [Command.Option], given: [String]) -> CompletionRequest {
        let left = options.filter { option in !given.contains { find($0, [option]) != nil } }
        return .words(left.map { Candidate(word: "--\($0.name)", help: $0.help) })
    }

    /// The value of an option, which stands before the word or in it.
    private static func optionValue(
        _ last: String?, _ current: String, _ options: [Command.Option]
    ) -> CompletionRequest? {
        if current.hasPrefix("--"), let equals = current.firstIndex(of: "=") {
            guard let option = find(String(current[..<equals]), options), option.value != nil else { return .nothing }
            return values(option.completes, before: String(current[...equals]))
        }
        guard let last, let option = find(last, options), option.value != nil else { return nil }
        return values(option.completes, before: "")
    }

    /// How many arguments stand there.
    private static func positionals(_ words: [String], _ options: [Command.Option]) -> Int {
        var count = 0
        var isValue = false
        var hasEnded = false
        for word in words {
            if isValue {
                isValue = false
            } else if hasEnded || !word.hasPrefix("-") || word == "-" {
                count += 1
            } else if word == "--" {
                hasEnded = true
            } else {
                isValue = find(word, options)?.value != nil
            }
        }
        return count
    }

    private static func argument(_ command: Command, index: Int, given: [String]) -> CompletionRequest {
        let arguments = command.arguments
        guard index < arguments.count || arguments.last?.isRepeated == true else { return .nothing }
        return values(arguments[min(index, arguments.count - 1)].completes, before: "")
    }

    private static func values(_ kind: Command.Values, before: String) -> CompletionRequest {
        switch kind {
        case .none: .nothing
        case .words(let words): .words(words.map { Candidate(word: before + $0) })
        case .commands: commands(CommandTable.all)
        case .sessions: .sessions(before: before)
        case .providers: .providers(before: before)
        case .settings: .settings(before: before)
        case .files: .files
        case .directories: .directories
        }
    }
}
