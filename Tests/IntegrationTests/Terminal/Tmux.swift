import Foundation
import TestSupport

/// A terminal with a program in it, by tmux: keys go in, what is on the screen comes out.
final class Tmux {
    private let socket = "hub-test-\(UUID().uuidString.prefix(8))"
    private let environment: [String: String]

    /// - Parameter command: for a shell.
    init(
        _ command: String, environment: [String: String], width: Int = 100, height: Int = 40,
        terminal: String = "tmux-256color", in folder: String
    ) throws {
        var environment = environment
        environment["SHELL"] = "/bin/sh"
        environment["TMUX_TMPDIR"] = folder
        self.environment = environment
        // The server takes its options before the first window is made. What ended stays to be looked at.
        try tmux(
            "-f", "/dev/null", "start-server", ";", "set", "-g", "default-terminal", terminal, ";",
            "set", "-g", "remain-on-exit", "on", ";", "set", "-sg", "escape-time", "10", ";",
            "new-session", "-d", "-x", "\(width)", "-y", "\(height)", "-c", folder, command)
    }

    deinit { close() }

    /// Ends the terminal and what runs in it.
    func close() { _ = try? run("tmux", ["-L", socket, "kill-server"], environment: environment) }

    @discardableResult
    private func tmux(_ arguments: String...) throws -> String {
        let result = try run("tmux", ["-L", socket] + arguments, environment: environment)
        guard result.code == 0 else { throw TestFailure("tmux \(arguments): \(result.text)") }
        return result.output
    }

    func type(_ text: String) throws { try tmux("send-keys", "-l", "--", text) }

    /// Keys by tmux's names: `Enter`, `C-c`, `M-b`, `Up`.
    func press(_ keys: String...) throws {
        for key in keys { try tmux("send-keys", key) }
    }

    func enter(_ text: String) throws {
        try type(text)
        try press("Enter")
    }

    /// As a terminal pastes, between marks.
    func paste(_ text: String, in folder: TemporaryFolder) throws {
        try folder.write("paste", text)
        try tmux("load-buffer", folder.path + "/paste")
        try tmux("paste-buffer", "-p")
    }

    func resize(width: Int, height: Int) throws { try tmux("resize-window", "-x", "\(width)", "-y", "\(height)") }

    /// What is on the screen.
    var screen: String { (try? tmux("capture-pane", "-p")) ?? "" }
    /// The same, with what has scrolled away.
    var history: String { (try? tmux("capture-pane", "-p", "-S", "-")) ?? "" }
    /// The screen with the sequences that give it its looks.
    var looks: String { (try? tmux("capture-pane", "-p", "-e")) ?? "" }
    var hasEnded: Bool { (try? tmux("list-panes", "-F", "#{pane_dead}"))?.hasPrefix("1") ?? true }

    func waits(for text: String, within limit: Duration = .seconds(20)) throws {
        try eventually("\"\(text)\" on\n\(history)", within: limit) { screen.contains(text) }
    }

    func waits(untilGone text: String) throws {
        try eventually("\"\(text)\" gone from\n\(screen)", within: .seconds(20)) { !screen.contains(text) }
    }
}

extension TestDaemon {
    static var terminalProgram: String { programs + "/codeai-hub" }

    /// The interactive client on a terminal.
    func terminal(
        _ arguments: String, environment more: [String: String] = [:], width: Int = 100, height: Int = 40,
        terminal: String = "tmux-256color"
    ) throws -> Tmux {
        try Tmux(
            "'\(TestDaemon.terminalProgram)' \(arguments)", environment: environment.merging(more) { $1 }, width: width,
            height: height, terminal: terminal, in: folder.path)
    }
}
