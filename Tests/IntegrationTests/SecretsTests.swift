import Foundation
import JSON
import TestSupport
import Testing

/// Secrets are planted wherever the daemon meets them, then everything that it wrote, answered and sent is searched.
@Suite(.timeLimit(.minutes(10))) struct SecretsTests {
    private static let configured = "planted-configured-key-8f3a"
    private static let plain = "planted-plain-value-77c1"
    private static let inherited = "planted-inherited-token-19be"
    private static let shaped = "sk-ant-api03-Planted0123456789abcdef"
    private static let header = "planted0header0credential"
    private static let userinfo = "planted-user:planted-password"
    private static let query = "planted-query-value-55d0"
    private static let wrongToken = "planted-wrong-bearer-0a0a"
    private static let all = [
        configured, plain, inherited, shaped, header, userinfo, query, wrongToken, "planted-password",
    ]

    /// Prints all it knows on stderr, then is the echo agent; `--version` prints it and fails.
    private static let program = """
        #!/bin/sh
        {
            env
            echo 'request failed: GET https://\(userinfo)@example.com/v1?key=\(query)'
            echo 'Authorization: Bearer \(header)'
            echo 'the key \(shaped) was refused'
        } >&2
        [ "$1" = --version ] && exit 9
        [ "$1" = fail ] && exit 7
        exec "$1" echo-agent
        """

    private func daemon() throws -> TestDaemon {
        let environment: JSON = [
            "LEAKY_API_KEY": JSON(SecretsTests.configured), "LEAKY_NOTE": JSON(SecretsTests.plain),
        ]
        let daemon = try TestDaemon(
            configuration: [
                "providers": ["leaky": ["environment": environment], "broken": ["environment": environment]]
            ], environment: ["SOME_SERVICE_TOKEN": SecretsTests.inherited])
        let program = daemon.folder.path + "/leaky.sh"
        try writeProgram(program, SecretsTests.program)
        for (name, argument) in [("leaky", "${self}"), ("broken", "fail")] {
            try daemon.folder.write(
                "hub/providers/\(name)/module.json",
                """
                {"adapter":"acp","name":"\(name)","command":["\(program)"],"arguments":["\(argument)"],
                 "version":{"arguments":["--version"]},
                 "install":[{"id":"script","command":["sh","-c","echo '\(SecretsTests.configured) https://\(SecretsTests.userinfo)@x.example/'; printf '\(SecretsTests.shaped)'; exit 3"]}]}
                """)
        }
        try daemon.start()
        return daemon
    }

    @Test func areNowhereButWhereTheyBelong() throws {
        let daemon = try daemon()
        let client = try daemon.client("listener")
        var answers: [String] = []
        func ask(_ method: String, _ path: String, _ body: JSON? = nil, headers: [(String, String)] = []) throws {
            let response = try daemon.http(method, path, body, headers: headers)
            answers.append(response.text)
        }

        // A crash in a turn, a failed start, a failed installation.
        let leaky = try daemon.newSession("leaky")
        let crash = try daemon.turn("[[crash:3]]", in: leaky)
        let quoted = crash.of("error").last?["data"]?["details"]?["stderr"]?.stringValue
        #expect(quoted?.contains("LEAKY_API_KEY=[secret]") == true, "\(crash)")
        #expect(quoted?.contains("https://[secret]@example.com/v1?[secret]") == true)
        let broken = try daemon.newSession("broken")
        let failed = try daemon.turn("hello", in: broken)
        #expect(failed.of("error").last?["data"]?["code"] == "provider_start_failed", "\(failed)")
        try daemon.call("POST", "/providers/leaky/install", ["recipe": "script"])
        try eventually("the installation fails") {
            try daemon.call("GET", "/providers/leaky")["operation"]?["phase"] == "failed"
        }
        #expect(daemon.folder.read("hub/providers/leaky/install.log")?.contains("[secret]") == true)

        // Credentials of clients.
        try ask("GET", "/api/v1/status?access_token=\(SecretsTests.query)")
        try ask(
            "GET", "/api/v1/nothing?key=\(SecretsTests.query)",
            headers: [("Authorization", "Bearer \(SecretsTests.wrongToken)")])
        try ask(
            "GET", "/health",
            headers: [("Host", "evil.example"), ("Authorization", "Bearer \(SecretsTests.wrongToken)")])
        let ticket = try #require(try daemon.call("POST", "/auth/ticket")["ticket"]?.stringValue)
        let exchange = try daemon.http("POST", "/api/v1/auth/session", ["ticket": JSON(ticket)])
        let cookie = try #require(exchange["Set-Cookie"]?.split(separator: ";").first.map(String.init))
        let session = try #require(cookie.split(separator: "=").last.map(String.init))
        try ask("GET", "/health", headers: [("Cookie", cookie)])
        try ask("POST", "/api/v1/auth/session", ["ticket": JSON(ticket)])
        for path in ["health", "status", "metrics", "settings", "providers", "sessions", "sessions/\(leaky)/events"] {
            try ask("GET", "/api/v1/" + path)
        }

        // A crash of the daemon itself, and what the next one says about it.
        let token = try #require(daemon.token)
        var frames: [JSON] = []
        while try client.connection.hasInput(within: .milliseconds(300)) { frames.append(try client.frame()) }
        #expect(frames.contains { $0["type"] == "provider:progress" })
        try daemon.restart()
        try ask("GET", "/api/v1/status")
        let diagnostics = try daemon.http("GET", "/api/v1/diagnostics", within: .seconds(60))
        answers.append(try unpacked(diagnostics.body, in: daemon.folder.path))
        #expect(answers.last?.contains("codeai_build_info") == true)
        try daemon.stop()

        let secrets = SecretsTests.all + [token, ticket, session]
        for secret in secrets {
            for answer in answers { #expect(!answer.contains(secret), "an answer has \(secret)") }
            for frame in frames { #expect(!frame.description.contains(secret), "a frame has \(secret): \(frame)") }
        }
        let files = try search(daemon, for: secrets)
        #expect(files.names.contains { $0.hasPrefix("logs/crash-") }, "\(files.names)")
        #expect(files.names.contains("logs/audit.log") && files.names.contains("logs/core.log"))
        #expect(files.found.isEmpty, "\(files.found)")
        #expect(!secrets.contains { daemon.log.contains($0) }, "stderr has one")
    }

    /// What a person or an agent says is theirs to keep: it isn't changed.
    @Test func aMessageIsKeptAsItWasSaid() throws {
        let daemon = try daemon()
        let session = try daemon.newSession()
        let said = try daemon.turn("my key is \(SecretsTests.shaped)", in: session)
        #expect(agentText(said).contains(SecretsTests.shaped))
        try daemon.stop()
        let files = try search(daemon, for: [SecretsTests.shaped])
        // The index has the title, which is the beginning of the first message.
        #expect(
            Set(files.found.map(\.file)) == ["sessions/\(session).jsonl", "sessions/index.jsonl"], "\(files.found)")
    }

    /// All that is in an archive, one file after the other.
    private func unpacked(_ archive: [UInt8], in folder: String) throws -> String {
        try Data(archive).write(to: URL(fileURLWithPath: folder + "/diagnostics.tar.bz2"))
        return try run("tar", ["-xjOf", folder + "/diagnostics.tar.bz2"]).output
    }

    /// Looks through everything below the home.
    private func search(
        _ daemon: TestDaemon, for secrets: [String]
    ) throws -> (names: [String], found: [(file: String, secret: String)]) {
        // By design: the token itself, the configuration, the manifest that the test wrote, and what the echo agent keeps.
        let itself = ["core/token", "core/config.json", "providers/leaky/module.json", "providers/broken/module.json"]
        var names: [String] = []
        var found: [(file: String, secret: String)] = []
        let all = FileManager.default.enumerator(atPath: daemon.home)
        while let name = all?.nextObject() as? String {
            let path = daemon.home + "/" + name
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
                continue
            }
            names.append(name)
            guard !itself.contains(name), !name.hasPrefix("providers/echo/"),
                let data = FileManager.default.contents(atPath: path)
            else { continue }
            for secret in secrets where data.range(of: Data(secret.utf8)) != nil { found.append((name, secret)) }
        }
        return (names, found)
    }
}
