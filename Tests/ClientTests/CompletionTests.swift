import Foundation
import Testing

@testable import Terminal

struct CompletionRequestTests {
    private func words(_ line: [String]) -> [String]? {
        guard case .words(let found) = CompletionRequest.of(line, table: CommandTable.all) else { return nil }
        return found.map(\.word)
    }

    @Test("commands, options, and what is hidden")
    func lists() throws {
        let commands = try #require(words([""]))
        #expect(commands.contains("attach") && commands.contains("completions") && !commands.contains("__complete"))
        let options = try #require(words(["send", "x", "--wait", "--"]))
        #expect(options.contains("--steer") && options.contains("--json") && !options.contains("--wait"))
        #expect(words(["--"])?.contains("--home") == true)
        #expect(words(["providers", ""])?.contains("install") == true)
        #expect(words(["sessions", "--status", ""])?.contains("waiting") == true)
        #expect(words(["sessions", "--status=w"])?.contains("--status=waiting") == true)
        #expect(words(["--home", "/x", "help", ""])?.contains("attach") == true)
    }

    @Test(
        "what only the daemon or the shell knows",
        arguments: [
            (["attach", ""], CompletionRequest.sessions(before: "")), (["send", "--wait", "a"], .sessions(before: "")),
            (["search", "--session=a"], .sessions(before: "--session=")),
            (["new", "-p", ""], .providers(before: "")), (["switch", "abc", ""], .providers(before: "")),
            (["providers", "install", "c"], .providers(before: "")), (["config", "get", "l"], .settings(before: "")),
            (["import", ""], .files), (["export", "x", "-o", ""], .files), (["new", "-w", ""], .directories),
            (["--home", ""], .directories), (["attach", "x", ""], .nothing), (["nonsense", ""], .nothing),
            (["send", "x", "--", "-"], .nothing),
        ])
    func kinds(line: [String], expected: CompletionRequest) {
        #expect(CompletionRequest.of(line, table: CommandTable.all) == expected)
    }

    @Test("the home among the words is the one that is asked")
    func home() {
        #expect(CompletionRequest.home(in: ["attach", "--home", "/x", ""]) == "/x")
        #expect(CompletionRequest.home(in: ["--home=/y", "attach"]) == "/y")
        #expect(CompletionRequest.home(in: ["attach"]) == nil)
    }
}

struct CompleterTests {
    private var completer: Completer {
        var completer = Completer()
        completer.models = ["small", "large"]
        completer.providers = [("echo", "Echo"), ("codexCli", "Codex")]
        completer.sessions = [("01ABCDEFGHJK", "fix the parser")]
        completer.files = { $0 == "src/" ? ["main.swift", "map/"] : $0.isEmpty ? ["src/", "README.md", ".git/"] : [] }
        return completer
    }

    private func words(_ text: String) -> [String] {
        completer.completion(for: text)?.candidates.map(\.word) ?? []
    }

    @Test("commands, arguments, mentions")
    func candidates() {
        #expect(words("/re") == ["/rename", "/retry", "/resume"])
        #expect(words("/model s") == ["small"])
        #expect(words("/model small").isEmpty)
        #expect(words("/attach parser") == ["01ABCDEFGHJK"])
        #expect(words("/export RE") == ["README.md"])
        #expect(words("@c") == ["@codexCli"])
        #expect(words("see @s") == ["@src/"])
        #expect(words("see @src/m") == ["@src/main.swift", "@src/map/"])
        #expect(words("see @.") == ["@.git/"])
        #expect(words("mail a@b").isEmpty)
        #expect(words("plain").isEmpty)
        #expect(words("/etc/passwd is a file").isEmpty)
    }

    @Test("Tab adds what is common, then goes through the candidates")
    func tab() {
        var editor = LineEditor()
        func offered() -> Completion? { editor.completable.flatMap { completer.completion(for: $0) } }
        for key in "/re".map(Key.character) { _ = editor.handle(key) }
        #expect(editor.handle(.tab) == .complete)
        _ = editor.complete(offered())
        #expect(editor.string == "/rename")
        _ = editor.complete(offered())
        #expect(editor.string == "/retry")
        _ = editor.handle(.backTab)
        #expect(editor.string == "/rename")
        _ = editor.handle(.character(" "))
        #expect(editor.completion == nil)
        editor.replace(with: "/wi")
        _ = editor.complete(offered())
        #expect(editor.string == "/withdraw ")
    }

    @Test("a menu keeps the chosen one in sight", arguments: 0..<20)
    func menu(chosen: Int) {
        let all = (0..<20).map { Completion.Candidate(word: "word\($0)", help: "help") }
        let rows = Completion(start: 0, candidates: all, chosen: chosen).rows(columns: 40, limit: 5)
        #expect(rows.count == 6)
        #expect(rows.contains { $0.plain.contains("› word\(chosen) ") })
        #expect(rows.allSatisfy { DisplayWidth.of($0.plain) <= 40 })
    }
}

struct ManualPageTests {
    @Test("every command and option is on the page, and nothing is taken for a macro")
    func pages() {
        #expect(ManualPage.all.map(\.name) == ManualPage.names)
        let page = ManualPage.all[0].text
        for command in CommandTable.visible {
            #expect(page.contains("\n.B \"\(Roff.escaped(command.synopsis))\"\n"), "\(command.name)")
            for option in command.options { #expect(page.contains(Roff.escaped("--\(option.name)"))) }
        }
        #expect(!page.contains("__complete") && !page.contains("complete \\-"))
        for page in ManualPage.all {
            for line in page.text.split(separator: "\n") where line.first == "." {
                let macro = line.prefix { $0 != " " }
                #expect(
                    [".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".RS", ".RE", ".nf", ".fi"].contains(macro), "\(line)")
            }
        }
    }

    @Test("text stays text")
    func escaped() {
        #expect(Roff.escaped(".x 'y' a-b \\ ~") == "\\&.x \\(aqy\\(aq a\\-b \\e \\(ti")
    }
}

struct HistoryFileTests {
    private let folder = NSTemporaryDirectory() + "history-\(UUID().uuidString)"

    private func file(limit: Int = 3) throws -> HistoryFile {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return HistoryFile(home: folder, limit: limit)
    }

    @Test("lines come back, the newest, for nobody else's eyes")
    func lines() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = try file()
        #expect(file.load().isEmpty)
        file.add(["one", "two\nlines", "\u{1b}[31m"])
        file.add(["four", String(repeating: "x", count: HistoryFile.lineLimit + 1)])
        #expect(file.load() == ["two\nlines", "\u{1b}[31m", "four"])
        let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        // Beyond twice the limit it is written anew.
        file.add(["5", "6", "7"])
        #expect(file.load() == ["5", "6", "7"])
        #expect(try String(contentsOfFile: file.path, encoding: .utf8) == "\"5\"\n\"6\"\n\"7\"\n")
        let damaged = try #require(FileHandle(forWritingAtPath: file.path))
        damaged.seekToEndOfFile()
        damaged.write(Data("{no json\n\"8\"\n".utf8))
        #expect(file.load() == ["7", "8"])
    }

    @Test("what others could have put there is left alone")
    func foreign() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = try file()
        file.add(["one"])
        chmod(file.path, 0o622)
        #expect(file.load().isEmpty)
        try FileManager.default.removeItem(atPath: file.path)
        try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: "/etc/passwd")
        #expect(file.load().isEmpty)
        #expect(HistoryFile.limit { _ in "0" } == 0)
        #expect(HistoryFile.limit { _ in "no" } == 1000)
        let none = HistoryFile(home: folder + "/none", limit: 0)
        none.add(["x"])
        #expect(!FileManager.default.fileExists(atPath: none.path))
    }
}
