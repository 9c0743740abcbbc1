import Base

/// What can stand where the person writes: commands, their arguments, providers to address, files. Pure.
struct Completer {
    var models: [String] = []
    var modes: [String] = []
    var providers: [(id: String, name: String)] = []
    var sessions: [(id: String, title: String)] = []
    var queued: [String] = []
    /// The names in a folder below the workspace, folders with a slash at their end.
    var files: (_ folder: String) -> [String] = { _ in [] }

    static let efforts = ["low", "medium", "high"]

    /// - Parameter text: what stands before the cursor.
    func completion(for text: String) -> Completion? {
        if text.hasPrefix("/"), !text.contains("\n") {
            guard let space = text.firstIndex(of: " ") else { return commands(text) }
            return argument(of: String(text[text.index(after: text.startIndex)..<space]), text)
        }
        guard let at = text.lastIndex(of: "@"), at == text.startIndex || text[text.index(before: at)].isWhitespace,
            !text[at...].contains(where: \.isWhitespace)
        else { return nil }
        return mention(text, at)
    }

    private func commands(_ text: String) -> Completion {
        let found = SlashCommand.all.filter { "/\($0.name)".hasPrefix(text.lowercased()) }
        return Completion(
            start: 0,
            candidates: found.map { command in
                Completion.Candidate(
                    word: "/\(command.name)",
                    help: (command.argument.isEmpty ? "" : "\(command.argument)  ") + command.help)
            })
    }

    private func argument(of name: String, _ text: String) -> Completion? {
        guard let command = SlashCommand.all.first(where: { $0.name == name }) else { return nil }
        let rest = text.drop { $0 != " " }.drop { $0 == " " }
        let start = text.count - rest.count
        let offered: [(String, String)] =
            switch command.completes {
            case .none: []
            case .models: models.map { ($0, "") }
            case .modes: modes.map { ($0, "") }
            case .efforts: Completer.efforts.map { ($0, "") }
            case .providers: providers.map { ($0.id, $0.name) }
            case .sessions: sessions.map { (String($0.id.prefix(12)), $0.title) }
            case .queued: queued.enumerated().map { ("\($0 + 1)", $1) }
            case .file: []
            }
        let wanted = rest.lowercased()
        let found = offered.filter { word, help in
            word.lowercased().hasPrefix(wanted)
                || !wanted.isEmpty && command.completes == .sessions
                    && help.lowercased().contains(text: wanted)
        }
        if command.completes == .file { return paths(String(rest), start: start, mark: "") }
        guard !found.isEmpty, found.map(\.0) != [String(rest)] else { return nil }
        return Completion(start: start, candidates: found.map { .init(word: $0, help: $1, isWhole: false) })
    }

    /// At the beginning of a message, a provider; anywhere, a file.
    private func mention(_ text: String, _ at: String.Index) -> Completion? {
        let start = text.distance(from: text.startIndex, to: at)
        let word = String(text[text.index(after: at)...])
        var candidates: [Completion.Candidate] = []
        if at == text.startIndex {
            candidates = providers.filter { $0.id.lowercased().hasPrefix(word.lowercased()) }
                .map { .init(word: "@\($0.id)", help: $0.name) }
        }
        candidates += paths(word, start: start, mark: "@")?.candidates ?? []
        return candidates.isEmpty ? nil : Completion(start: start, candidates: candidates)
    }

    private func paths(_ word: String, start: Int, mark: String) -> Completion? {
        let slash = word.lastIndex(of: "/")
        let folder = slash.map { String(word[...$0]) } ?? ""
        let name = slash.map { String(word[word.index(after: $0)...]) } ?? word
        let found = files(folder).filter { $0.hasPrefix(name) && ($0.first != "." || name.first == ".") }.sorted()
        guard !found.isEmpty else { return nil }
        return Completion(
            start: start,
            candidates: found.prefix(200).map {
                .init(word: mark + folder + $0, help: "", isWhole: !$0.hasSuffix("/"))
            })
    }
}

extension Completion {
    /// A few candidates below the input line, around the chosen one.
    func rows(columns: Int, limit: Int) -> [StyledText] {
        guard limit > 0 else { return [] }
        let first = max(0, min((chosen ?? 0) - limit / 2, candidates.count - limit))
        let shown = candidates[first..<min(candidates.count, first + limit)]
        let width = min(shown.map { DisplayWidth.of($0.word) }.max() ?? 0, max(8, columns / 2))
        var rows = shown.enumerated().map { offset, candidate in
            var row = StyledText(first + offset == chosen ? "› " : "  ", .cyan)
            let word = DisplayWidth.truncate(Sanitizer.cleanLine(candidate.word), to: width)
            row.append(DisplayWidth.pad(word, to: width), first + offset == chosen ? [.bold, .cyan] : .cyan)
            let room = columns - width - 4
            if room > 4, !candidate.help.isEmpty {
                row.append("  " + DisplayWidth.truncate(Sanitizer.cleanLine(candidate.help), to: room), .dim)
            }
            return row
        }
        let hidden = candidates.count - shown.count
        if hidden > 0 { rows.append(StyledText("  … \(hidden) more", .dim)) }
        return rows
    }
}
