import JSON
import Redaction
import Testing

@Suite struct RedactorTests {
    /// What must be gone, in the text in which it stands.
    static let secrets: [(text: String, secret: String)] = [
        ("key sk-ant-api03-AbCdEf012345 was refused", "sk-ant-api03-AbCdEf012345"),
        ("sk-proj-abcdefghij0123456789", "sk-proj-abcdefghij0123456789"),
        ("remote: ghp_0123456789abcdefABCDEF0123456789abcd", "ghp_0123456789abcdefABCDEF0123456789abcd"),
        ("github_pat_11ABCDEFG0123456789_abcdef", "github_pat_11ABCDEFG0123456789_abcdef"),
        ("slack says xoxb-123456789012-abcdef", "xoxb-123456789012-abcdef"),
        ("(AKIAIOSFODNN7EXAMPLE)", "AKIAIOSFODNN7EXAMPLE"),
        ("?k=AIzaSyA0123456789abcdefghijklmnopqrstuv", "AIzaSyA0123456789abcdefghijklmnopqrstuv"),
        (
            "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl end",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
        ),
        ("Authorization: Bearer abcdef123456", "abcdef123456"),
        ("authorization:token something else", "something else"),
        ("-H 'authorization: bearer zyxwvuts98'", "zyxwvuts98"),
        ("got Bearer tok_live_123 back", "tok_live_123"),
        ("proxy says Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA=="),
        ("Cookie: codeai-hub-8080=deadbeef; a=b", "deadbeef"),
        ("codeai-hub-8080=deadbeef", "deadbeef"),
        ("OPENAI_API_KEY=hunter2", "hunter2"),
        ("export MY_SECRET='two words' done", "two words"),
        ("{\"password\": \"hunter2\"}", "hunter2"),
        ("{\\\"accessToken\\\":\\\"hunter2\\\"}", "hunter2"),
        ("x-api-key: hunter2", "hunter2"),
        ("cloning https://alice:hunter2@example.com/repo.git", "alice:hunter2"),
        ("GET https://example.com/path?sig=hunter2&x=y failed", "sig=hunter2&x=y"),
        ("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabcd\n-----END RSA PRIVATE KEY-----\nb", "MIIEow"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEow", "MIIEow"),
    ]

    @Test(arguments: secrets) func whatLooksLikeASecretGoes(text: String, secret: String) {
        let cleaned = Redactor().clean(text)
        #expect(!cleaned.contains(secret), "\(cleaned)")
        #expect(cleaned.contains(Redactor.mark), "\(cleaned)")
    }

    /// What an operator must still be able to read.
    @Test(arguments: [
        "the session's log was damaged", "input_tokens: 1200, output_tokens: 30",
        "{\"input_tokens\":5,\"key\":\"server.port\"}",
        "token: required", "risk-assessment-of-the-whole-thing-2026", "/usr/lib/node_modules/@anthropic/cli.js:12:3",
        "https://example.com/path/to#part", "sk-learn-is-a-library-for-all", "basic authentication is not supported",
        "error: cannot find module 'x'", "2026-11-21T10:00:00.123Z", "Progress 10 of 50", "-----", "eyJ", "sk-", "://",
        "?",
        "{\"token\": null}", "task_key", "password", "API_KEY=", "",
    ]) func ordinaryTextStays(text: String) {
        #expect(Redactor().clean(text) == text)
    }

    @Test func knownValuesGoWhereverTheyStand() {
        let redactor = Redactor()
        redactor.add("correct horse battery")
        redactor.add("correct")
        redactor.add("tiny")
        let text = "xcorrect horse batteryx and correctly; tiny"
        #expect(redactor.clean(text) == "x\(Redactor.mark)x and \(Redactor.mark)ly; tiny")
        // A shape that ends within a known value leaves nothing of it.
        #expect(!redactor.clean("MY_TOKEN=correct horse battery").contains("horse"))
    }

    @Test func linesOfASecretAreSecrets() {
        let redactor = Redactor()
        redactor.add("-----BEGIN X-----\nMIIEowIBAAKCAQEA1234\n-----END X-----")
        #expect(!redactor.clean("found MIIEowIBAAKCAQEA1234 there").contains("MIIE"))
    }

    @Test func environmentsGiveTheirValues() {
        let redactor = Redactor()
        redactor.add(environment: ["MY_API_KEY": "inherited-1", "EDITOR": "vim-is-mine"], isPrivate: false)
        redactor.add(
            environment: ["ENDPOINT": "planted-value-2", "BIN": "/opt/tools/bin", "MODE": "fast"], isPrivate: true)
        let text = "inherited-1 vim-is-mine planted-value-2 /opt/tools/bin fast"
        #expect(redactor.clean(text) == "\(Redactor.mark) vim-is-mine \(Redactor.mark) /opt/tools/bin fast")
    }

    @Test func objectsAreCleanedWhole() throws {
        let redactor = Redactor()
        redactor.add("planted-value")
        let json: JSON = [
            "a": ["x planted-value y", 1, nil], "api_key": "anything", "planted-value": true, "count_token": 5,
        ]
        let cleaned = redactor.clean(json)
        #expect(!cleaned.description.contains("planted-value"))
        #expect(!cleaned.description.contains("anything"))
        #expect(cleaned["count_token"] == 5)
        #expect(cleaned["a"]?[1] == 1)
    }

    /// The beginning of what is left on stderr may lie in the middle of a secret.
    @Test func aCutBeginningIsLeftOut() {
        let redactor = Redactor()
        redactor.add("0123456789abcdef0123456789abcdef")
        let cut = "6789abcdef0123456789abcdef\n" + String(repeating: "line\n", count: 1600)
        let cleaned = redactor.cleanError(["code": "x", "details": ["stderr": JSON(cut)]])
        #expect(cleaned["details"]?["stderr"]?.stringValue?.hasPrefix("line\n") == true)
        let endless = "6789abcdef0123456789abcdef" + String(repeating: "ä", count: 4096)
        let rest = redactor.cleanError(["details": ["stderr": JSON(endless)]])["details"]?["stderr"]?.stringValue
        #expect(rest?.allSatisfy { $0 == "ä" } == true)
        let whole = redactor.cleanError(["details": ["stderr": "short\n"]])
        #expect(whole["details"]?["stderr"] == "short\n")
    }

    @Test func anyBytesAreTaken() {
        let redactor = Redactor()
        redactor.add("secret-value")
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("=:\"'\\ ?/@-.e yJsk_token\n://Bearer cookie".utf8) + [0, 0x80, 0xff]
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...60, using: &generator)).map { _ in alphabet.randomElement()! }
            _ = redactor.clean(bytes)
        }
    }
}
