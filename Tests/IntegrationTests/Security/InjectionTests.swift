import Foundation
import JSON
import TestSupport
import Testing

/// Text that somebody else wrote, with what forges lines of a log and gives orders to a terminal in it: planted wherever
/// text goes in, looked for wherever text comes out.
@Suite(.timeLimit(.minutes(10))) struct InjectionTests {
    /// Sets the clipboard, the title, asks the terminal to type, clears, turns text around, hides it, begins a new line that
    /// looks like one of ours.
    static let payload =
        "evil\u{1b}]52;c;RVZJTA==\u{7}\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}c\u{1b}P$qm\u{1b}\\\u{9b}31m\u{9d}0;x\u{9c}\u{202e}gpj\u{2066}x\u{2069}"
        + "\u{8}\u{8}\r\u{0}\u{85}\u{2028}\u{7f}\n{\"ts\":\"2026-01-01T00:00:00.000Z\",\"action\":\"forged\",\"level\":\"forged\"}\n"

    /// Raw characters that must not come out anywhere. `\r` is a terminal's line end, ESC may be the program's own.
    static func trouble(_ bytes: [UInt8], allowsEscapes: Bool = false) -> String? {
        let text = String(decoding: bytes, as: UTF8.self)
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0a, 0x0d, 0x09: continue
            case 0x1b where allowsEscapes: continue
            case 0..<0x20, 0x7f..<0xa0, 0x202a...0x202e, 0x2066...0x2069, 0x2028, 0x2029:
                return "U+\(String(scalar.value, radix: 16)) in \(text.debugDescription.prefix(3000))"
            default: continue
            }
        }
        for order in ["\u{1b}]52", "\u{1b}]0;owned", "\u{1b}P$q", "\u{1b}c"] where text.contains(order) {
            return "\(order.debugDescription) in it"
        }
        return nil
    }

    private func plant() throws -> (daemon: TestDaemon, session: String, waiting: String) {
        let daemon = try TestDaemon()
        let evil = JSON(Self.payload)
        let manifest: JSON = [
            "name": evil, "description": evil, "adapter": "acp", "command": ["no-such-program-\u{1b}[2J"],
            "models": [["id": "m\u{1b}[2J", "name": evil]], "login": ["hint": evil, "command": ["true"]],
        ]
        try daemon.folder.write("hub/providers/evil/module.json", manifest.description)
        try daemon.folder.write("hub/providers/broken/module.json", #"{"name":"x","\u001b]52;c;eA==\u0007\nforged":1}"#)
        try daemon.start()
        let client = try daemon.client(Self.payload)
        let agent = [("User-Agent", "curl\u{9b}2J\u{202e}\t{\"action\":\"forged\"}")]
        // A title is refused or cleaned by the daemon, or escaped by those who show it.
        _ = try daemon.http("POST", "/api/v1/sessions", ["providerId": "echo", "title": evil], headers: agent)
        let session = try daemon.newSession("echo", ["title": "t"])
        _ = try daemon.http("PATCH", "/api/v1/sessions/\(session)", ["title": evil, "tags": [evil]], headers: agent)
        _ = try client.request(
            "session:rename", ["sessionId": JSON(session), "title": JSON("x\u{1b}]52;c;eA==\u{7}\u{9b}2J\u{202e}")])
        try daemon.turn(Self.payload, in: session)
        let plain = Self.payload.replacingOccurrences(of: "\n", with: " ")
        for directive in [
            "text", "think", "tool:Bash ", "tool-fail:Bash ", "stderr", "plan:+a|", "subagent", "error:internal ",
        ] {
            let separator = directive.contains(":") ? "" : ":"
            try daemon.turn("[[\(directive)\(separator)\(plain)]]", in: session)
        }
        try daemon.turn("[[diff:/tmp/\(plain)|a|b]]", in: session)
        try daemon.turn("[[stderr:\(plain)]][[crash:3]]", in: session)
        let waiting = try daemon.newSession("echo", ["title": "waits"])
        try daemon.say("[[permission:once,reject \(plain)]]", in: waiting)
        try eventually("it waits") { try daemon.status(waiting) == "waiting" }
        let asking = try daemon.newSession("echo", ["title": "asks"])
        try daemon.say("[[question:\(plain)?|\(plain)|b]]", in: asking)
        // Whoever decides is written down.
        for request in try daemon.events(waiting).of("permission_requested") {
            let id = request["data"]?["requestId"]?.stringValue ?? ""
            _ = try daemon.http(
                "POST", "/api/v1/sessions/\(waiting)/permissions/\(id)", ["outcome": "cancelled", "message": evil],
                headers: agent)
        }
        _ = try daemon.http(
            "GET", "/api/v1/\(Self.payload.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")")
        try daemon.say("[[permission:once,reject \(plain)]]", in: waiting)
        client.close()
        return (daemon, session, asking)
    }

    @Test func nothingIsForgedAndNothingObeyed() throws {
        let (daemon, session, asking) = try plant()
        // Files: each line is JSON of the daemon's own making, with nothing raw in it.
        let folder = daemon.home + "/"
        var files = ["logs/core.log", "logs/audit.log", "core/endpoint.json"]
        files += try FileManager.default.contentsOfDirectory(atPath: folder + "sessions").map { "sessions/" + $0 }
        for name in files {
            let bytes = Array(FileManager.default.contents(atPath: folder + name) ?? Data())
            #expect(!bytes.isEmpty, Comment(rawValue: name))
            let trouble = Self.trouble(bytes)
            #expect(trouble == nil, "\(name): \(trouble ?? "")")
            for line in bytes.split(separator: 0x0a) {
                let json = try? JSON.parse(Array(line))
                #expect(json?.objectValue != nil, "\(name): \(String(decoding: line, as: UTF8.self).prefix(200))")
                #expect(json?["action"] != "forged" && json?["level"] != "forged", Comment(rawValue: name))
            }
        }
        let console = Self.trouble(Array((daemon.folder.read("daemon.log") ?? "").utf8))
        #expect(console == nil, "stderr: \(console ?? "")")
        // Answers, too: somebody will look at them with curl.
        for path in [
            "/status", "/metrics", "/api/v1/sessions", "/api/v1/sessions/\(session)", "/api/v1/providers",
            "/api/v1/sessions/\(session)/events?limit=1000", "/api/v1/usage?by=session",
            "/api/v1/sessions/\(session)/export",
        ] {
            let trouble = Self.trouble(try daemon.http("GET", path).body)
            #expect(trouble == nil, "\(path): \(trouble ?? "")")
        }
        try shows(daemon, session, asking)
    }

    /// Every command that shows something, on a terminal and into a pipe, for people and for programs.
    private func shows(_ daemon: TestDaemon, _ session: String, _ asking: String) throws {
        let program = TestDaemon.programs + "/codeai-hub"
        let commands = [
            "status", "sessions", "sessions -n 5", "providers", "providers show evil", "providers check evil",
            "usage --by session", "log \(session)", "export \(session)", "export \(session) --format markdown",
            "queue \(session)", "answer \(asking)", "approve", "import --list",
            "send \(session) --wait '[[text:x\u{1b}]52;c;eA==\u{7}\u{9b}2J]]'",
            "rename \(session) 'x\u{1b}[2J'", "new evil 'x'", "fork \(session) --title 'x\u{1b}]0;owned\u{7}'",
            "attach 'nothing\u{1b}]52;c;eA==\u{7}'", "providers show 'no\u{1b}[2Jne'", "nothing\u{1b}[2J",
        ]
        var environment = daemon.environment
        environment["NO_COLOR"] = "1"
        environment["TERM"] = "xterm"
        for command in commands {
            for json in ["", " --json"] {
                let line = "\(program) \(command)\(json) < /dev/null"
                let piped = try run("/bin/sh", ["-c", "timeout 20 \(line) 2>&1"], environment: environment)
                let inPipe = Self.trouble(piped.bytes)
                #expect(inPipe == nil, "\(command)\(json) | cat: \(inPipe ?? "")")
                let shown = try run(
                    "/usr/bin/script", ["-qec", "timeout 20 \(line)", "/dev/null"], environment: environment)
                // Bold, dim and the like are the program's own, also without colours; nobody planted those.
                let plain = shown.output.replacing(/\u{1b}\[[0-9](;[0-9])*m/, with: "")
                let trouble = Self.trouble(Array(plain.utf8))
                #expect(trouble == nil, "\(command)\(json) on a terminal: \(trouble ?? "")")
                #expect(piped.code != 124 && shown.code != 124, Comment(rawValue: command))
            }
        }
        // The interactive client draws, and only what is its own.
        let attached = try run(
            "/usr/bin/script", ["-qec", "timeout 3 \(program) attach \(session)", "/dev/null"], environment: environment
        )
        #expect(attached.bytes.count > 500)
        let trouble = Self.trouble(attached.bytes, allowsEscapes: true)
        #expect(trouble == nil, "attach: \(trouble ?? "")")
        #expect(!attached.output.contains("\u{1b}]"))
    }
}
