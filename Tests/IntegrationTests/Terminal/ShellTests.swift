import Foundation
import JSON
import TestSupport
import Testing

/// Completions in the real shells, and pages that the real formatters take.
@Suite(.timeLimit(.minutes(5))) struct ShellTests {
    /// A folder with the program in it, to stand in PATH.
    private func environment(_ daemon: TestDaemon) -> [String: String] {
        daemon.environment.merging(["PATH": TestDaemon.programs + ":/usr/bin:/bin"]) { $1 }
    }

    private func shell(_ daemon: TestDaemon, _ program: String, _ arguments: [String]) throws -> String {
        let result = try run(program, arguments, environment: environment(daemon), in: daemon.folder.path)
        #expect(result.code == 0 && result.errors.isEmpty, "\(program): \(result.text)")
        return result.output
    }

    @Test func bash() throws {
        let daemon = try TestDaemon()
        try daemon.start()
        let session = try daemon.newSession("echo", ["title": "A title"])
        func completed(_ words: [String], type: Int = 9) throws -> [String] {
            let script = """
                source <(codeai-hub completions bash)
                COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=\(type)
                _codeai_hub codeai-hub
                printf '%s\\n' "${COMPREPLY[@]}"
                """
            return try shell(daemon, "bash", ["--norc", "-c", script, "bash"] + words)
                .split(separator: "\n").map(String.init)
        }
        #expect(try completed(["codeai-hub", "att"]) == ["attach"])
        #expect(try completed(["codeai-hub", "attach", ""]) == [String(session.prefix(8))])
        #expect(try completed(["codeai-hub", "attach", String(session.prefix(20))]) == [session])
        #expect(try completed(["codeai-hub", "sessions", "--status", "=", "wai"]) == ["waiting"])
        #expect(try completed(["codeai-hub", "sessions", "--li"]) == ["--limit"])
        #expect(try completed(["codeai-hub", "switch", "x", "ec"]) == ["echo"])
        #expect(try completed(["codeai-hub", "config", "get", "limits.maxCl"]) == ["limits.maxClients"])
        try daemon.folder.write("some file.jsonl", "")
        #expect(try completed(["codeai-hub", "import", "some"]) == ["some file.jsonl"])
        #expect(try completed(["codeai-hub", "re"], type: 63).contains { $0.hasPrefix("rename  (Give a session") })
        // Another home, as its option says; no daemon runs there, and none is started.
        #expect(try completed(["codeai-hub", "--home", daemon.folder.path + "/none", "attach", ""]) == [])
        #expect(!FileManager.default.fileExists(atPath: daemon.folder.path + "/none"))
        // By the Tab key.
        let terminal = try Tmux(
            "bash --norc --noprofile", environment: environment(daemon).merging(["PS1": "b> "]) { $1 },
            in: daemon.folder.path)
        try terminal.waits(for: "b>")
        try terminal.enter("source <(codeai-hub completions bash)")
        try terminal.type("codeai-hub exp")
        try terminal.press("Tab")
        try terminal.type(String(session.prefix(3)))
        try terminal.press("Tab")
        try terminal.waits(for: "codeai-hub export \(session.prefix(8))")
    }

    @Test func zsh() throws {
        let daemon = try TestDaemon()
        try daemon.start()
        let session = try daemon.newSession("echo", ["title": "A title"])
        let terminal = try Tmux(
            "zsh -f", environment: environment(daemon).merging(["PS1": "z> "]) { $1 }, in: daemon.folder.path)
        try terminal.waits(for: "z>")
        try terminal.enter("autoload -U compinit; compinit -u -d \(daemon.folder.path)/dump; echo loaded")
        try terminal.waits(for: "\nloaded")
        try terminal.enter("source <(codeai-hub completions zsh)")
        try terminal.type("codeai-hub exp")
        try terminal.press("Tab")
        try terminal.waits(for: "codeai-hub export")
        try terminal.type(" \(session.prefix(3))")
        try terminal.press("Tab")
        try terminal.waits(for: "codeai-hub export \(session.prefix(8))")
        try terminal.press("C-u")
        try terminal.type("codeai-hub re")
        try terminal.press("Tab")
        try terminal.waits(for: "Give a session another title")
        // As a file in $fpath it works, too.
        let script = try daemon.tool(["completions", "zsh"]).output
        try daemon.folder.write("functions/_codeai-hub", script)
        #expect(try shell(daemon, "zsh", ["-n", daemon.folder.path + "/functions/_codeai-hub"]).isEmpty)
        let loaded = try shell(
            daemon, "zsh",
            [
                "-fc",
                "fpath=(\(daemon.folder.path)/functions $fpath); autoload -U compinit; compinit -u -D; "
                    + "print ${_comps[codeai-hub]}",
            ])
        #expect(loaded == "_codeai-hub\n")
    }

    @Test func fish() throws {
        let daemon = try TestDaemon()
        try daemon.start()
        let session = try daemon.newSession("echo", ["title": "A title"])
        func completed(_ line: String) throws -> [String] {
            try shell(
                daemon, "fish",
                ["--no-config", "-c", "codeai-hub completions fish | source; complete -C '\(line)'"]
            ).split(separator: "\n").map(String.init)
        }
        #expect(
            try completed("codeai-hub atta") == [
                "attach\tShow a session live and write to it; the last one when no ID is given"
            ])
        #expect(try completed("codeai-hub log ") == ["\(session.prefix(8))\tA title"])
        #expect(try completed("codeai-hub usage --by mo").map { $0.prefix(5) } == ["model"])
        try daemon.folder.write("other.jsonl", "")
        #expect(try completed("codeai-hub import other").contains { $0.hasPrefix("other.jsonl") })
    }

    @Test func manual() throws {
        let daemon = try TestDaemon()
        let pages = daemon.folder.path + "/man"
        try FileManager.default.createDirectory(atPath: pages, withIntermediateDirectories: true)
        let written = try daemon.tool(["man", "--output", pages, "--json"])
        let files = (try JSON.parse(written.output)["files"]?.arrayValue ?? []).compactMap(\.stringValue)
        #expect(
            files.map { ($0 as NSString).lastPathComponent } == [
                "codeai-hub.1", "codeai-hub-core.1", "codeai-hub-config.5",
            ])
        for file in files {
            #expect(try shell(daemon, "mandoc", ["-T", "lint", "-W", "warning", file]).isEmpty)
            #expect(try shell(daemon, "groff", ["-man", "-ww", "-z", "-K", "utf-8", file]).isEmpty)
        }
        let read = try run("mandoc", ["-T", "utf8", files[0]], environment: environment(daemon)).output
        #expect(read.replacing(/.\x{8}/, with: "").contains("--no-color"))
        // What the daemon itself says is on its page.
        let help = try run(TestDaemon.executable, ["--help"], environment: daemon.environment).text
        let page = try String(contentsOfFile: files[1], encoding: .utf8).replacing("\\-", with: "-")
        let words = help.matches(of: /--[a-z-]+|CORE_[A-Z_]+|CODEAI_HUB_[A-Z_]+|provider-[a-z]+|echo-agent/)
        #expect(words.count > 10)
        for word in words { #expect(page.contains(word.output), "\(word.output)") }
        for match in help[(help.range(of: "Exit codes:")?.lowerBound ?? help.startIndex)...].matches(
            of: /\b([0-9]) [a-z]/)
        {
            #expect(page.contains(".B \"\(match.output.1)\""))
        }
    }

    @Test func scripting() throws {
        let daemon = try TestDaemon()
        try daemon.start()
        let session = try daemon.newSession()
        let piped = try shell(
            daemon, "sh", ["-c", "echo piped text | codeai-hub send \(session.prefix(8)) - --wait --quiet"])
        #expect(piped.contains("You said: piped text"))
        let changed = try daemon.tool(["set", session, "--tags", "a,b", "--model", "large", "--title", "new", "--json"])
        let record = try JSON.parse(changed.output)
        #expect(record["tags"] == ["a", "b"] && record["model"] == "large" && record["title"] == "new")
        #expect(try JSON.parse(try daemon.tool(["set", session]).output)["id"]?.stringValue == session)
        #expect(try daemon.tool(["set", session, "--budget", "much"]).code == 2)
        // What is told to a program has no looks and no Markdown taken out.
        let raw = try shell(daemon, "sh", ["-c", "codeai-hub send \(session) --wait --quiet '**bold**'"])
        #expect(raw.contains("You said: **bold**"))
        #expect(!raw.contains("\u{1b}"))
    }
}
