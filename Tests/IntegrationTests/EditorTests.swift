import Foundation
import JSON
import TestSupport
import Testing

/// Editors at the door: the protocol's reference library, which checks every message against the schema, and Neovim,
/// each with `codeai-hub acp` as its agent. What they do and expect stands in `Tests/Editors`.
@Suite(.timeLimit(.minutes(5))) struct EditorTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").path

    private func environment(_ daemon: TestDaemon) -> [String: String] {
        daemon.environment.merging(["CODEAI_HUB_CORE": TestDaemon.executable]) { $1 }
    }

    /// A daemon that the door started.
    private func endDaemon(of home: TestDaemon) {
        guard let text = home.folder.read("hub/core/endpoint.json"),
            let pid = (try? JSON.parse(text))?["pid"]?.intValue.flatMap({ Int32(exactly: $0) })
        else { return }
        kill(pid, SIGTERM)
        try? eventually("the daemon ends", within: .seconds(15)) { kill(pid, 0) != 0 }
        kill(-pid, SIGKILL)
    }

    private func runLibrary(_ scenario: String, at daemon: TestDaemon) throws {
        let program = try RunningProgram(
            LibraryAgent().python,
            [Self.root + "/Tests/Editors/library.py", scenario, TestDaemon.programs + "/codeai-hub"],
            environment: environment(daemon), in: daemon.folder.path)
        try eventually("\(scenario) ends: \(program.soFar.text)", within: .seconds(150)) { !program.isRunning }
        #expect(program.soFar.code == 0, "\(program.soFar.text)")
    }

    @Test(arguments: [
        "conversation", "sessions", "permissions", "cancelling", "two_doors", "daemon_dies", "hostile",
    ])
    func referenceLibrary(scenario: String) throws {
        // Not started here: the door does that.
        let daemon = try TestDaemon()
        defer { endDaemon(of: daemon) }
        try runLibrary(scenario, at: daemon)
    }

    @Test func claudeCodeInAnEditor() throws {
        // The model's API lives as long as this.
        let agent = try ClaudeAgent()
        let daemon = try agent.makeDaemon()
        try daemon.start()
        try withExtendedLifetime(agent) { try runLibrary("claude", at: daemon) }
        daemon.close()
    }

    /// The example of doc/editors.md.
    @Test func neovim() throws {
        let daemon = try TestDaemon()
        defer { endDaemon(of: daemon) }
        let variables = [
            "HUB_DOOR": TestDaemon.programs + "/codeai-hub",
            "HUB_EXAMPLE": Self.root + "/doc/examples/neovim/codeai-hub.lua",
        ]
        let program = try RunningProgram(
            "nvim",
            ["--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", "luafile \(Self.root)/Tests/Editors/neovim.lua"],
            environment: environment(daemon).merging(variables) { $1 }, in: daemon.folder.path)
        try eventually("Neovim ends: \(program.soFar.text)", within: .seconds(150)) { !program.isRunning }
        #expect(program.soFar.code == 0, "\(program.soFar.text)")
    }

    @Test func aTerminalIsNoEditor() throws {
        let daemon = try TestDaemon()
        // `script` gives it a terminal.
        let program = TestDaemon.programs + "/codeai-hub"
        let end = try run(
            "script", ["-qec", "\(program) acp", "/dev/null"], environment: environment(daemon),
            in: daemon.folder.path)
        #expect(end.code == 2)
        #expect(end.text.contains("doc/editors.md"))
    }
}
