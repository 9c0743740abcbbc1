import Foundation

/// The real Claude Code, for tests that talk to it.
package enum RealClaude {
    /// From `CODEAI_HUB_TEST_CLAUDE`, or where `scripts/install-test-tools.sh` puts it. Nil: not installed.
    package static let program: String? = {
        let environment = ProcessInfo.processInfo.environment
        if let path = environment["CODEAI_HUB_TEST_CLAUDE"] { return isProgram(path) ? path : nil }
        let tools =
            environment["CODEAI_HUB_TEST_TOOLS"] ?? (environment["HOME"] ?? "/") + "/.cache/codeai-hub-test-tools"
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: tools)) ?? []
        return folders.filter { $0.hasPrefix("claude-") }.sorted().reversed()
            .map { "\(tools)/\($0)/claude_agent_sdk/_bundled/claude" }.first(where: isProgram)
    }()

    package static let missing = """
        the real Claude Code is not installed: run  eval "$(scripts/install-test-tools.sh)"  and test again
        """

    private static func isProgram(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }

    /// What a Claude under test runs in: nothing of the machine's own, a model API on loopback, no other traffic.
    package static func environment(home: String, api: FakeMessagesAPI) -> [String: String] {
        [
            "HOME": home, "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "LANG": "C.UTF-8",
            "TMPDIR": home + "/tmp", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1", "CLAUDE_CODE_MAX_RETRIES": "1", "CLAUDE_CODE_ENABLE_TODO_TOOLS": "1",
            "ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "sk-fake",
        ]
    }
}
