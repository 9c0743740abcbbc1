import Foundation
import JSON
import Testing

@testable import Terminal

struct ArgumentParserTests {
    private func parse(_ line: String) throws(CommandFailure) -> Invocation {
        try ArgumentParser.parse(line.split(separator: " ").map(String.init), table: CommandTable.all)
    }

    @Test(
        "what is understood",
        arguments: [
            ("new", "new", [String](), [String: String]()),
            ("new claude fix it", "new", ["claude", "fix", "it"], [:]),
            (
                "new --model opus -w /tmp fix --json", "new", ["fix"],
                ["model": "opus", "workspace": "/tmp", "json": ""]
            ),
            ("--json sessions", "sessions", [], ["json": ""]), ("--home /x status", "status", [], ["home": "/x"]),
            ("sessions -n 5", "sessions", [], ["limit": "5"]),
            ("sessions --limit=5", "sessions", [], ["limit": "5"]),
            ("send abc -- --not an option", "send", ["abc", "--not", "an", "option"], [:]),
            ("send abc -", "send", ["abc", "-"], [:]),
            ("approve", "approve", [], [:]), ("--version", "version", [], [:]), ("--help", "help", [], [:]),
            ("", "help", [], [:]), ("attach --help", "attach", [], ["help": ""]),
            ("send --help", "send", [], ["help": ""]),
        ])
    func understood(line: String, command: String, arguments: [String], options: [String: String]) throws {
        let invocation = try parse(line)
        #expect(invocation.command.name == command)
        #expect(invocation.arguments == arguments)
        #expect(invocation.options == options)
    }

    @Test(
        "what is not",
        arguments: [
            ("sned abc hi", "did you mean send"), ("send", "ID is missing"), ("send abc", "TEXT is missing"),
            ("attach a b", "too many arguments"), ("log abc --folow", "did you mean --follow"),
            ("sessions --limit", "needs a value"), ("log abc --follow=yes", "takes no value"), ("-x", "no command"),
        ])
    func refused(line: String, words: String) {
        #expect { try parse(line) } throws: { error in
            guard let failure = error as? CommandFailure else { return false }
            return failure.exit == .usage && failure.message.contains(words)
        }
    }
}

struct CommandTableTests {
    @Test("names, letters and options are unambiguous")
    func unique() {
        #expect(Set(CommandTable.all.map(\.name)).count == CommandTable.all.count)
        for command in CommandTable.all {
            let options = command.options + Command.commonOptions
            #expect(Set(options.map(\.name)).count == options.count, "\(command.name)")
            let letters = options.compactMap(\.letter)
            #expect(Set(letters).count == letters.count, "\(command.name)")
            #expect(command.arguments.dropLast().allSatisfy { !$0.isRepeated }, "\(command.name)")
            #expect(!command.help.hasSuffix("."), "\(command.name)")
        }
    }

    @Test("doc/cli.md has the reference as the program knows it")
    func document() throws {
        try compare("doc/cli.md", "reference", HelpText.markdown(CommandTable.visible))
    }

    @Test("doc/terminal.md has the keys and the commands of the input line")
    func interactive() throws {
        let keys = KeyTable.all.map { "| \($0.key) | \($0.meaning) |\n" }.joined()
        try compare("doc/terminal.md", "keys", keys)
        let commands = SlashCommand.all.map { command in
            "| `/\(command.name)\(command.argument.isEmpty ? "" : " " + command.argument)` | \(command.help) |\n"
        }
        try compare("doc/terminal.md", "commands", commands.joined())
    }

    /// What stands between `<!-- name -->` and `<!-- end of name -->`; written anew with `UPDATE_CLI_DOC`.
    private func compare(_ path: String, _ name: String, _ reference: String) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appending(path: path)
        let text = try String(contentsOf: file, encoding: .utf8)
        let start = try #require(text.range(of: "<!-- \(name) -->\n"))
        let end = try #require(text.range(of: "<!-- end of \(name) -->"))
        if ProcessInfo.processInfo.environment["UPDATE_CLI_DOC"] != nil {
            try (text[..<start.upperBound] + reference + text[end.lowerBound...])
                .write(to: file, atomically: true, encoding: .utf8)
            return
        }
        #expect(
            text[start.upperBound..<end.lowerBound] == reference,
            "write it anew: UPDATE_CLI_DOC=1 swift test --filter CommandTableTests")
    }
}

struct AnswerTests {
    private let request: JSON = [
        "questions": [
            [
                "id": "q1", "text": "Which?", "options": [["label": "Red"], ["label": "Blue"]], "multiple": false,
                "other": false,
            ],
            [
                "id": "q2", "text": "More?", "options": [["label": "A"], ["label": "B"]], "multiple": true,
                "other": true,
            ],
        ]
    ]

    @Test("numbers, labels and texts answer")
    func answers() throws {
        #expect(try RequestCommands.answers(["2", "1, b,c"], request) == ["q1": "Blue", "q2": ["A", "B", "c"]])
        #expect(try RequestCommands.answers(["red", "2"], request) == ["q1": "Red", "q2": ["B"]])
    }

    @Test("what was not offered is refused where no text is taken", arguments: [["green", "1"], ["3", "1"], ["1"]])
    func refused(words: [String]) {
        #expect(throws: CommandFailure.self) { try RequestCommands.answers(words, request) }
    }
}
