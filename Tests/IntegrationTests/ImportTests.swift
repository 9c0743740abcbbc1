import Base
import Foundation
import JSON
import TestSupport
import Testing

/// Sessions from outside and back, through the real daemon.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ImportTests {
    private static let ndjson = [("Content-Type", "application/x-ndjson")]

    private func upload(_ daemon: TestDaemon, _ bytes: [UInt8]) throws -> RawResponse {
        try daemon.http(
            "POST", "/api/v1/sessions/import", bytes: bytes, headers: ImportTests.ndjson, within: .seconds(120))
    }

    private func export(_ daemon: TestDaemon, _ session: String, _ query: String = "") throws -> RawResponse {
        try daemon.http("GET", "/api/v1/sessions/\(session)/export\(query)", within: .seconds(120))
    }

    // MARK: Claude Code alone, then here

    @Test func aSessionMadeByClaudeAloneGoesOnHere() throws {
        let program = try #require(RealClaude.program, Comment(rawValue: RealClaude.missing))
        let api = FakeMessagesAPI()
        defer { api.stop() }
        let daemon = try TestDaemon()
        let workspace = daemon.folder.path + "/work"
        for name in ["/tmp", "/work"] {
            try FileManager.default.createDirectory(
                atPath: daemon.folder.path + name, withIntermediateDirectories: true)
        }
        let environment = RealClaude.environment(home: daemon.folder.path, api: api)
        daemon.environment.merge(environment) { $1 }
        daemon.environment["PATH"] = (program as NSString).deletingLastPathComponent + ":/usr/bin:/bin"
        let native = UUID().uuidString.lowercased()
        let made = try run(
            program,
            [
                "-p", "--session-id", native, "--allowedTools", "Bash", "--",
                "Remember the word heron. [[tool:Bash {\"command\":\"echo outside\",\"description\":\"say\"}]] [[text:I will]]",
            ], environment: environment, in: workspace)
        #expect(made.code == 0 && made.output.contains("I will"), Comment(rawValue: made.text))

        try daemon.start()
        let client = try daemon.client("import")
        let listed = try daemon.call("GET", "/sessions/importable?provider=claude")["sessions"]?.arrayValue ?? []
        let entry = try #require(listed.first { $0["nativeSessionId"]?.stringValue == native })
        #expect(entry["providerId"] == "claudeCodeCli" && entry["sessionId"]?.isNull == true)
        #expect(entry["workspace"]?.stringValue?.hasSuffix("/work") == true)
        #expect(entry["firstPrompt"]?.stringValue?.hasPrefix("Remember the word heron.") == true)

        let source: JSON = ["source": ["provider": "claude", "nativeSessionId": JSON(native)]]
        let first = try daemon.http("POST", "/api/v1/sessions/import", source)
        #expect(first.status == 201)
        let session = try #require(first.json["id"]?.stringValue)
        #expect(first["Location"] == "/api/v1/sessions/\(session)")
        #expect(try client.frame(type: "session:created")["payload"]?["id"]?.stringValue == session)
        #expect(first.json["status"] == "idle")
        let records = try daemon.events(session)
        #expect(records.map { $0["seq"]?.intValue } == (1...records.count).map { $0 })
        #expect(records.first("tool_result")?["data"]?["content"]?.stringValue == "outside")
        #expect(agentText(records) == "I will")
        // Once is enough, for those who ask again too.
        let second = try daemon.http("POST", "/api/v1/sessions/import", source)
        #expect(second.status == 200 && second.json["id"]?.stringValue == session)
        let again = try daemon.call("GET", "/sessions/importable")["sessions"]?.arrayValue ?? []
        #expect(again.first { $0["nativeSessionId"]?.stringValue == native }?["sessionId"]?.stringValue == session)

        let answer = try daemon.turn("Which word? [[text:heron]]", in: session, within: .seconds(60))
        #expect(agentText(answer) == "heron")
        // The model was given what was said outside, and Claude Code went on in its own session.
        let request = try #require(api.scripted.last { $0.script?.contains("Which word?") == true })
        let messages = request.body["messages"]?.description ?? ""
        #expect(messages.contains("Remember the word heron.") && messages.contains("outside"))
        let opened = answer.filter { $0["data"]?["type"] == "native_session" }
        #expect(opened.allSatisfy { $0["data"]?["nativeSessionId"]?.stringValue == native } && !opened.isEmpty)
        #expect(!answer.contains { $0["data"]?["type"] == "context_carried" })
    }

    // MARK: Codex alone, then here

    @Test func aThreadMadeByCodexAloneGoesOnHere() throws {
        let program = try #require(RealCodex.program, Comment(rawValue: RealCodex.missing))
        let api = FakeResponsesAPI()
        defer { api.stop() }
        let daemon = try TestDaemon(
            configuration: [
                "providers": [
                    "codexCli": ["command": JSON(program), "environment": ["FAKE_OPENAI_KEY": "sk-fake"]]
                ]
            ])
        let home = daemon.folder.path
        try RealCodex.prepare(home: home, api: api)
        let environment = RealCodex.environment(home: home)
        daemon.environment.merge(environment) { own, _ in own }
        let made = try run(
            program,
            [
                "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
                "Remember the word heron. [[command:echo outside]] [[text:I will]]",
            ], environment: environment, in: home + "/work")
        #expect(made.code == 0 && made.output.contains("I will"), Comment(rawValue: made.text))

        try daemon.start()
        let listed = try daemon.call("GET", "/sessions/importable?provider=codex")["sessions"]?.arrayValue ?? []
        let entry = try #require(listed.first)
        #expect(entry["firstPrompt"]?.stringValue?.hasPrefix("Remember the word heron.") == true)
        let native = try #require(entry["nativeSessionId"]?.stringValue)
        let source: JSON = ["source": ["provider": "codex", "nativeSessionId": JSON(native)]]
        let imported = try daemon.http("POST", "/api/v1/sessions/import", source)
        #expect(imported.status == 201, Comment(rawValue: imported.text))
        let session = try #require(imported.json["id"]?.stringValue)
        let records = try daemon.events(session)
        #expect(agentText(records) == "I will")
        // Nothing of it, where a loaded machine lets the command take longer than Codex waits for it.
        let output = records.first("tool_result")?["data"]?["content"]?.stringValue
        #expect(output == "outside\n" || output == "", Comment(rawValue: output ?? "no result"))
        #expect(try daemon.http("POST", "/api/v1/sessions/import", source).status == 200)

        let answer = try daemon.turn("Which word? [[text:heron]]", in: session, within: .seconds(60))
        #expect(agentText(answer) == "heron", "\(answer)")
        let request = try #require(api.scripted.last { $0.script?.contains("Which word?") == true })
        let input = request.body["input"]?.description ?? ""
        #expect(input.contains("Remember the word heron.") && input.contains("outside"))
        #expect(!answer.contains { $0["data"]?["type"] == "context_carried" })
    }

    // MARK: Logs

    @Test func aLogGoesOutAndComesIn() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("hello", in: session)
        try daemon.turn("again", in: session)
        try daemon.settle(session)
        let out = try export(daemon, session)
        #expect(out.status == 200 && out["Content-Type"] == "application/x-ndjson")
        #expect(out.text == daemon.folder.read("hub/sessions/\(session).jsonl"))
        let text = try export(daemon, session, "?format=markdown")
        #expect(text.text.contains("## You") && text.text.contains("again"))
        #expect(try export(daemon, session, "?format=pdf").status == 400)
        #expect(try export(daemon, "nobody").status == 404)

        let copy = try upload(daemon, Array(out.text.utf8))
        #expect(copy.status == 201 && copy.json["importedFrom"]?.stringValue == session)
        #expect(copy.json["id"]?.stringValue != session)
        try daemon.call("DELETE", "/sessions/\(session)")
        let back = try upload(daemon, Array(out.text.utf8))
        #expect(back.status == 201 && back.json["id"]?.stringValue == session)
        #expect(back.json["importedFrom"] == nil)
        #expect(agentText(try daemon.turn("once more", in: session)) != "")

        let bad = try upload(daemon, Array(out.text.utf8.prefix(out.text.utf8.count - 9)))
        #expect(bad.status == 400 && bad.json["error"]?["code"] == "invalid_log")
        #expect((bad.json["error"]?["details"]?["line"]?.intValue ?? 0) > 3)
        #expect(try upload(daemon, []).status == 400)
        #expect(try daemon.http("POST", "/api/v1/sessions/import", ["source": 7]).status == 400)
        #expect(
            try daemon.http(
                "POST", "/api/v1/sessions/import",
                ["source": ["provider": "claude", "nativeSessionId": "../../../etc/passwd"]]
            ).status == 404)
        #expect(
            try daemon.http(
                "POST", "/api/v1/sessions/import", ["source": ["provider": "echo", "nativeSessionId": "x"]]
            ).status == 404)
    }

    /// A log of many events, of about so many bytes.
    private func log(_ id: String, bytes: Int) -> [UInt8] {
        var text =
            #"{"kind":"header","schema":1,"sessionId":"\#(id)","providerId":"echo","createdAt":"2026-01-01T00:00:00.000Z","workspace":"/tmp"}"#
            + "\n"
        let words = String(repeating: "word ", count: 400)
        var seq = 1
        while text.utf8.count < bytes {
            text +=
                #"{"seq":\#(seq),"ts":"2026-01-01T00:00:00.000Z","id":"e\#(seq)","kind":"message","source":"agent","data":{"role":"assistant","content":"\#(words)"}}"#
                + "\n"
            seq += 1
        }
        return Array(text.utf8)
    }

    /// The status with which a body of so many bytes is let in or refused, before any of it is sent.
    private func asked(_ daemon: TestDaemon, _ type: String, bytes: Int) throws -> Int? {
        let connection = try RawConnection(port: daemon.port)
        try connection.send(
            "POST /api/v1/sessions/import HTTP/1.1\r\nHost: \(daemon.authority)\r\nContent-Type: \(type)\r\n"
                + "Content-Length: \(bytes)\r\nExpect: 100-continue\r\n\r\n")
        return try connection.response(hasBody: false)?.status
    }

    @Test func aLogLargerThanABodyMayBeIsStreamed() throws {
        let daemon = try TestDaemon.running(configuration: ["sessions": ["maxImportBytes": 20_000_000]])
        let large = log("large", bytes: 12 << 20)
        let client = try daemon.client("progress")
        let answer = try upload(daemon, large)
        #expect(answer.status == 201 && answer.json["id"] == "large")
        let completed = try client.frame { $0.type == "session:import" && $0["payload"]?["status"] == "completed" }
        #expect(completed["payload"]?["sessionId"] == "large")
        #expect(try Array(export(daemon, "large").text.utf8).starts(with: large))
        #expect(try asked(daemon, "application/x-ndjson", bytes: 21 << 20) == 413)
        #expect(try asked(daemon, "application/x-ndjson", bytes: 19_000_000) == 100)
        // Only logs may be so large.
        #expect(try asked(daemon, "application/json", bytes: 9 << 20) == 413)
        // The terminal client asks first, too.
        try daemon.folder.write("larger.jsonl", String(decoding: log("larger", bytes: 21 << 20), as: UTF8.self))
        let refused = try daemon.tool(["import", "larger.jsonl"])
        #expect(refused.code == 1 && refused.text.contains("larger than"), Comment(rawValue: refused.text))
        try daemon.folder.write("large.jsonl", String(decoding: log("second", bytes: 12 << 20), as: UTF8.self))
        let taken = try daemon.tool(["import", "large.jsonl"])
        #expect(taken.code == 0 && taken.output.hasPrefix("second"), Comment(rawValue: taken.text))
        #expect(try daemon.http("GET", "/health").status == 200)
    }

    // MARK: Faults

    private func claudeFile(bytes: Int) -> String {
        let prompt =
            #"{"type":"user","message":{"role":"user","content":"go on"},"uuid":"u","timestamp":"2026-01-01T00:00:00Z","cwd":"/tmp"}"#
        let answer =
            #"{"type":"assistant","message":{"id":"m","role":"assistant","model":"x","stop_reason":"end_turn","content":[{"type":"text","text":"\#(String(repeating: "word ", count: 1000))"}]},"timestamp":"2026-01-01T00:00:05Z"}"#
        let pair = prompt + "\n" + answer + "\n"
        return String(repeating: pair, count: max(1, bytes / pair.utf8.count))
    }

    @Test func anImportCutShortLeavesNothingOrAll() throws {
        let daemon = try TestDaemon()
        let native = "12345678-0000-4000-8000-000000000000"
        try daemon.folder.write(".claude/projects/-tmp/\(native).jsonl", claudeFile(bytes: 24 << 20))
        var turns = 0
        for round in 0..<6 {
            try daemon.start()
            let connection = try RawConnection(port: daemon.port)
            let body = #"{"source":{"provider":"claude","nativeSessionId":"\#(native)"}}"#
            try connection.send(
                "POST /api/v1/sessions/import HTTP/1.1\r\nHost: \(daemon.authority)\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            // At another place each time: while it reads, while it writes, when it is done.
            usleep(UInt32(round * 150_000))
            try daemon.kill()
            let folder = daemon.home + "/sessions"
            try daemon.start()
            let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0 != "index.jsonl" }
            #expect(files.allSatisfy { $0.hasSuffix(".jsonl") }, "\(files)")
            let sessions = try daemon.call("GET", "/sessions")["sessions"]?.arrayValue ?? []
            #expect(sessions.count == files.count && sessions.count <= 1)
            if let id = sessions.first?["id"]?.stringValue {
                let lines = try daemon.sessionLog(id)
                let completed = lines.filter { $0["kind"] == "turn_completed" }.count
                if turns == 0 { turns = completed }
                #expect(completed == turns && lines.last?["data"]?["type"] == "imported")
                #expect(lines.dropFirst().map { $0["seq"]?.intValue } == (1..<lines.count).map { $0 })
                try daemon.call("DELETE", "/sessions/\(id)")
            }
            try daemon.kill()
        }
        // What was cut off can be done again.
        try daemon.start()
        let source: JSON = ["source": ["provider": "claude", "nativeSessionId": JSON(native)]]
        let answer = try daemon.http("POST", "/api/v1/sessions/import", source, within: .seconds(120))
        #expect(answer.status == 201)
        let sizes = try daemon.sessionLog(try #require(answer.json["id"]?.stringValue))
        #expect(sizes.filter { $0["kind"] == "turn_completed" }.count == (24 << 20) / claudeFile(bytes: 1).utf8.count)
    }

    @Test func othersGoOnWhileALargeSessionIsImported() throws {
        let daemon = try TestDaemon.running()
        let native = "12345678-0000-4000-8000-000000000000"
        try daemon.folder.write(".claude/projects/-tmp/\(native).jsonl", claudeFile(bytes: 48 << 20))
        let body = #"{"source":{"provider":"claude","nativeSessionId":"\#(native)"}}"#
        let importing = try RawConnection(port: daemon.port)
        try importing.send(
            "POST /api/v1/sessions/import HTTP/1.1\r\nHost: \(daemon.authority)\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        let session = try daemon.newSession()
        try daemon.turn("hello", in: session)
        #expect(try importing.response(within: .seconds(120))?.status == 201)
    }

    // MARK: The terminal client

    @Test func theTerminalClientExportsAndImports() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("hello", in: session)
        try daemon.settle(session)
        let native = "12345678-0000-4000-8000-000000000000"
        try daemon.folder.write(".claude/projects/-tmp/\(native).jsonl", claudeFile(bytes: 1))
        func hub(_ arguments: String...) throws -> ProgramRun { try daemon.tool(arguments) }
        #expect(try hub("export", session, "-o", "out.jsonl").code == 0)
        #expect(daemon.folder.read("out.jsonl") == daemon.folder.read("hub/sessions/\(session).jsonl"))
        #expect(try hub("export", String(session.prefix(8)), "--format", "markdown").output.contains("## You"))
        #expect(try hub("export", session, "--format", "x").code == 2)
        #expect(try hub("delete", session, "--yes").code == 0)
        let back = try hub("import", "out.jsonl", "--json")
        #expect(try JSON.parse(back.output)["id"]?.stringValue == session)
        let list = try hub("import", "--list", "--json")
        let found = try JSON.parse(list.output)["sessions"]?[0]
        #expect(found?["nativeSessionId"]?.stringValue == native)
        let made = try hub("import", "--from", "claude", "12345", "--json")
        #expect(made.code == 0)
        #expect(try JSON.parse(made.output)["id"]?.stringValue != nil)
        #expect(try hub("import", "--from", "claude", "99").code == 1)
        #expect(try hub("import", "none.jsonl").code == 1)
        try daemon.folder.write("bad.jsonl", "{}\n")
        let bad = try hub("import", "bad.jsonl")
        #expect(bad.code == 1 && bad.text.contains("Line 1"))
    }
}
