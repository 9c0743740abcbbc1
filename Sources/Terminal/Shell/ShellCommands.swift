import Base
import Client
import Configuration
import Glibc
import JSON

/// What makes the program known to shells and to `man`.
enum ShellCommands {
    @Sendable static func completions(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let shell = invocation.argument(0) ?? ""
        guard let script = CompletionScript(rawValue: shell)?.text else {
            throw .usage("completions takes bash, zsh or fish")
        }
        try say(script, Output(invocation), ["shell": JSON(shell), "script": JSON(script)])
        return .ok
    }

    @Sendable static func manual(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let output = Output(invocation)
        if let folder = invocation.options["output"] {
            var files: [JSON] = []
            for page in ManualPage.all {
                let path = "\(folder)/man\(page.section)/\(page.name).\(page.section)"
                do throws(SystemError) {
                    mkdir("\(folder)/man\(page.section)", 0o755)
                    try writeFile(path, Array(page.text.utf8), mode: 0o644)
                } catch {
                    throw CommandFailure(.refused, "input_output", "\(error)")
                }
                files.append(JSON(path))
                if !output.isJSON { output.print(StyledText(path + "\n")) }
            }
            if output.isJSON { output.print(json: ["files": .array(files)]) }
            return .ok
        }
        let name = invocation.argument(0) ?? "codeai-hub"
        guard let page = ManualPage.all.first(where: { $0.name == name || "\($0.name).\($0.section)" == name }) else {
            throw .usage("there is no page \(name): \(ManualPage.names.joined(separator: ", "))")
        }
        try say(page.text, output, ["name": JSON(page.name), "section": JSON(page.section), "text": JSON(page.text)])
        return .ok
    }

    private static func say(_ text: String, _ output: Output, _ json: JSON) throws(CommandFailure) {
        if output.isJSON { output.print(json: json) } else { output.print(StyledText(text)) }
    }

    // MARK: For the scripts

    /// Candidates, each on a line with what is said about it after a tab; `:files` and `:directories` leave it to the
    /// shell. Asks a daemon that runs, never starts one, and says nothing when anything goes wrong: somebody is typing.
    @Sendable static func complete(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let words = invocation.arguments
        let current = words.last ?? ""
        var candidates: [CompletionRequest.Candidate] = []
        switch CompletionRequest.of(words, table: CommandTable.all) {
        case .words(let known): candidates = known
        case .sessions(let before):
            candidates = await sessions(words).map { .init(word: before + $0.word, help: $0.help) }
        case .providers(let before):
            candidates = await providers(words).map { .init(word: before + $0.word, help: $0.help) }
        case .settings(let before):
            let ids = await providers(words).map(\.word)
            candidates = SettingTable.keys(providers: ids).map { .init(word: before + $0.key, help: $0.summary) }
        case .files: return tell(":files")
        case .directories: return tell(":directories")
        case .nothing: break
        }
        for candidate in candidates where candidate.word.hasPrefix(current) {
            _ = tell("\(Sanitizer.cleanLine(candidate.word))\t\(Sanitizer.cleanLine(candidate.help))")
        }
        return .ok
    }

    private static func tell(_ line: String) -> ExitCode {
        TerminalDevice.write(line + "\n")
        return .ok
    }

    private static func ask(_ path: String, _ words: [String]) async -> JSON? {
        do {
            let home = try CompletionRequest.home(in: words).map { HubHome(path: $0) } ?? HubHome.standard()
            guard home.path.hasPrefix("/") else { return nil }
            return try await HubClient(home: home).call("GET", path, timeout: .seconds(1))
        } catch {
            return nil
        }
    }

    private static func sessions(_ words: [String]) async -> [CompletionRequest.Candidate] {
        let sessions = await ask("/sessions?limit=100", words)?["sessions"]?.arrayValue ?? []
        let length = SessionCommands.shortLength(sessions.compactMap { $0["id"]?.stringValue })
        return sessions.compactMap { session in
            guard let id = session["id"]?.stringValue else { return nil }
            let current = words.last ?? ""
            // Who has typed more than the short form gets the whole.
            let word = current.utf8.count > length ? id : String(id.prefix(length))
            let title = RequestText.plain(session["title"])
            return .init(word: word, help: title.isEmpty ? RequestText.plain(session["status"]) : title)
        }
    }

    private static func providers(_ words: [String]) async -> [CompletionRequest.Candidate] {
        let providers = await ask("/providers", words)?["providers"]?.arrayValue ?? []
        return providers.compactMap { provider in
            provider["id"]?.stringValue.map { .init(word: $0, help: RequestText.plain(provider["name"])) }
        }
    }
}
