/// Reads a command line by the command table.
enum ArgumentParser {
    /// - Parameter words: without the program's name.
    static func parse(_ words: [String], table: [Command]) throws(CommandFailure) -> Invocation {
        var rest = words
        if rest.first == "--version" || rest.first == "-V" { rest[0] = "version" }
        guard let index = commandIndex(rest) else {
            // Options alone: only help can be meant.
            if rest.isEmpty || rest.contains("--help") || rest.contains("-h") {
                return try parse(["help"], table: table)
            }
            throw .usage("there is no command: see codeai-hub help")
        }
        let name = rest.remove(at: index)
        guard let command = table.first(where: { $0.name == name }) else {
            throw .usage(
                "there is no command \(name)\(suggestion(name, table.filter { !$0.isHidden }.map(\.name))): see codeai-hub help"
            )
        }
        var invocation = Invocation(command: command, arguments: [], options: [:])
        try take(rest, into: &invocation)
        if invocation.has("help") { return invocation }
        try check(invocation)
        return invocation
    }

    /// The first word that is neither an option nor the value of one.
    private static func commandIndex(_ words: [String]) -> Int? {
        var index = 0
        while index < words.count, words[index].hasPrefix("-") {
            let takesValue = Command.commonOptions.contains { "--" + $0.name == words[index] && $0.value != nil }
            index += takesValue ? 2 : 1
        }
        return index < words.count ? index : nil
    }

    private static func take(_ words: [String], into invocation: inout Invocation) throws(CommandFailure) {
        let options = invocation.command.options + Command.commonOptions
        var index = 0
        while index < words.count {
            let word = words[index]
            index += 1
            if word == "--" {
                invocation.arguments += words[index...]
                return
            }
            guard word.hasPrefix("-"), word != "-" else {
                invocation.arguments.append(word)
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let found = options.first {
                word.hasPrefix("--") ? "--" + $0.name == parts[0] : $0.letter.map { "-\($0)" } == word
            }
            guard let option = found else {
                throw .usage(
                    "\(invocation.command.name) has no option \(parts[0])"
                        + "\(suggestion(parts[0], options.map { "--" + $0.name })); "
                        + "write -- before text that begins with -")
            }
            if option.value == nil {
                guard parts.count == 1 else { throw .usage("--\(option.name) takes no value") }
                invocation.options[option.name] = ""
            } else if parts.count == 2 {
                invocation.options[option.name] = parts[1]
            } else {
                guard index < words.count else { throw .usage("--\(option.name) needs a value: \(option.usage)") }
                invocation.options[option.name] = words[index]
                index += 1
            }
        }
    }

    private static func check(_ invocation: Invocation) throws(CommandFailure) {
        let command = invocation.command
        let needed = command.arguments.filter { !$0.isOptional }.count
        if invocation.arguments.count < needed {
            let missing = command.arguments.filter { !$0.isOptional }[invocation.arguments.count].name
            throw .usage("\(missing) is missing: codeai-hub \(command.synopsis)")
        }
        if !command.arguments.contains(where: \.isRepeated), invocation.arguments.count > command.arguments.count {
            throw .usage(
                "too many arguments (\(invocation.arguments[command.arguments.count])): codeai-hub \(command.synopsis)")
        }
    }

    /// A name that differs little from what was written.
    private static func suggestion(_ word: String, _ names: [String]) -> String {
        let close = names.map { name in
            // Of two names equally near, the one that begins alike is meant.
            (name, distance(Array(word), Array(name)) * 2 + (name.prefix(3).first == word.prefix(3).first ? 0 : 1))
        }.min { $0.1 < $1.1 }
        guard let close, close.1 <= 5, word.count > 2 else { return "" }
        return " (did you mean \(close.0)?)"
    }

    /// Levenshtein's distance.
    private static func distance(_ a: [Character], _ b: [Character]) -> Int {
        guard a.count < 64, b.count < 64, !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
        var row = Array(0...b.count)
        for i in 1...a.count {
            var diagonal = row[0]
            row[0] = i
            for j in 1...b.count {
                let next = min(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1))
                diagonal = row[j]
                row[j] = next
            }
        }
        return row[b.count]
    }
}
