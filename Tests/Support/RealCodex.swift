import Foundation

/// The real Codex, for tests that talk to it.
package enum RealCodex {
    /// From `CODEAI_HUB_TEST_CODEX`, or where `scripts/install-test-tools.sh` puts it. Nil: not installed.
    package static let program: String? = {
        let environment = ProcessInfo.processInfo.environment
        if let path = environment["CODEAI_HUB_TEST_CODEX"] { return isProgram(path) ? path : nil }
        let tools =
            environment["CODEAI_HUB_TEST_TOOLS"] ?? (environment["HOME"] ?? "/") + "/.cache/codeai-hub-test-tools"
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: tools)) ?? []
        return folders.filter { $0.hasPrefix("codex-") }.sorted().reversed()
            .map { "\(tools)/\($0)/codex_cli_bin/bin/codex" }.first(where: isProgram)
    }()

    package static let missing = """
        the real Codex is not installed: run  eval "$(scripts/install-test-tools.sh)"  and test again
        """

    private static func isProgram(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }

    /// What a Codex under test runs in: nothing of the machine's own, a model API on loopback. Codex dislikes its home
    /// below the temporary folder, so that is another one.
    package static func environment(home: String) -> [String: String] {
        [
            "HOME": home, "CODEX_HOME": home + "/.codex", "TMPDIR": home + "/tmp", "LANG": "C.UTF-8",
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "OPENAI_FAKE_KEY": "sk-fake",
        ]
    }

    /// Writes the home: a configuration whose only model provider is the fake one.
    package static func prepare(home: String, api: FakeResponsesAPI, extra: String = "") throws {
        for folder in [home + "/.codex", home + "/tmp", home + "/work"] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        let configuration = """
            model = "gpt-5.5"
            model_provider = "fake"
            \(extra)
            [model_providers.fake]
            name = "fake"
            base_url = "\(api.url)/v1"
            wire_api = "responses"
            env_key = "OPENAI_FAKE_KEY"
            supports_websockets = false
            request_max_retries = 1
            stream_max_retries = 1
            """
        try configuration.write(toFile: home + "/.codex/config.toml", atomically: true, encoding: .utf8)
    }
}
