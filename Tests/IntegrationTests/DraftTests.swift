import Foundation
import Glibc
import JSON
import TestSupport
import Testing

/// What follows a person from client to client, and what can be taken back: drafts, the archive, deleted sessions, and
/// the way into the browser. About 8 s.
@Suite(.timeLimit(.minutes(10))) struct DraftTests {
    @Test func aDraftFollowsThePerson() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        let writer = try daemon.client("writer")
        let reader = try daemon.client("reader")
        let answer = try writer.request("session:draft", ["sessionId": JSON(session), "text": "What if"])
        #expect(answer["ok"] == true && answer["result"]?["updatedAt"] != nil)
        let frame = try reader.frame(type: "session:draft")
        #expect(frame.session == session)
        #expect(frame["payload"]?["text"] == "What if")
        #expect(frame["payload"]?["by"]?["name"] == "writer")
        #expect(frame["seq"] == nil)

        // Over HTTP everybody hears of it; who wrote it last by a stream does not.
        try daemon.call("PUT", "/sessions/\(session)/draft", ["text": "What if not"])
        #expect(try reader.frame(type: "session:draft")["payload"]?["text"] == "What if not")
        #expect(try writer.frame(type: "session:draft")["payload"]?["text"] == "What if not")
        #expect(try daemon.record(session)["draft"]?["text"] == "What if not")

        let late = try daemon.webSocket()
        let state = try late.frame(type: "core:state")
        #expect(state["payload"]?["sessions"]?[0]?["draft"]?["text"] == "What if not")

        // Not in the log, not in what everybody is told at every change.
        try daemon.call("PATCH", "/sessions/\(session)", ["title": "Renamed"])
        #expect(try reader.frame(type: "session:update")["payload"]?["draft"] == nil)
        #expect(try !daemon.events(session).description.contains("What if"))

        let refused = try daemon.http(
            "PUT", "/api/v1/sessions/\(session)/draft", ["text": JSON(String(repeating: "x", count: 70_000))])
        #expect(refused.status == 413 && refused.errorCode == "payload_too_large")
        #expect(try daemon.http("PUT", "/api/v1/sessions/nobody/draft", ["text": "x"]).status == 404)
        #expect(try daemon.http("PUT", "/api/v1/sessions/\(session)/draft", ["text": 7]).status == 400)

        try daemon.call("PUT", "/sessions/\(session)/draft", ["text": ""])
        #expect(try reader.frame(type: "session:draft")["payload"]?["text"] == "")
        #expect(try daemon.record(session)["draft"]?.isNull == true)
    }

    /// Told to stop, all is written; killed, what is older than about a second.
    @Test func aDraftOutlivesTheDaemon() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.call("PUT", "/sessions/\(session)/draft", ["text": "kept"])
        try daemon.restartItself()
        #expect(try daemon.record(session)["draft"]?["text"] == "kept")
        try daemon.call("PUT", "/sessions/\(session)/draft", ["text": "still kept"])
        try daemon.stop()
        try daemon.start()
        #expect(try daemon.record(session)["draft"]?["text"] == "still kept")
        let file = daemon.home + "/core/drafts/\(session).json"
        try daemon.call("PUT", "/sessions/\(session)/draft", ["text": "kept, too"])
        try eventually("it is written") {
            (try? String(contentsOfFile: file, encoding: .utf8))?.contains("too") == true
        }
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        try daemon.kill()
        try daemon.start()
        #expect(try daemon.record(session)["draft"]?["text"] == "kept, too")
        _ = try daemon.http("DELETE", "/api/v1/sessions/\(session)")
        #expect(!FileManager.default.fileExists(atPath: file))
    }

    @Test func archivedAndDeletedSessionsComeBack() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession("echo", ["title": "Put away"])
        let other = try daemon.newSession("echo", ["title": "At hand"])
        func tool(_ arguments: String...) throws -> JSON {
            let run = try daemon.tool(arguments + ["--json"])
            guard run.code == 0 else { throw TestFailure("\(arguments): \(run)") }
            return try JSON.parse(run.text)
        }
        func listed(_ answer: JSON) -> [String] {
            (answer["sessions"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue }
        }
        let client = try daemon.client("list")
        #expect(try tool("archive", String(session.prefix(8)))["archived"] == true)
        #expect(try client.frame(type: "session:update")["payload"]?["archived"] == true)
        #expect(try listed(tool("sessions")) == [other])
        #expect(try listed(tool("sessions", "--archived")) == [session])
        #expect(try listed(daemon.call("GET", "/sessions")).count == 2)
        #expect(try listed(daemon.call("GET", "/sessions?archived=true&q=put")) == [session])
        #expect(try daemon.http("GET", "/api/v1/sessions?archived=yes").status == 400)
        let state = try daemon.webSocket().frame(type: "core:state")
        #expect(state["payload"]?["sessionsOmitted"] == 1)
        try daemon.restart()
        #expect(try daemon.record(session)["archived"] == true)
        try daemon.turn("[[text:hello]]", in: session)
        #expect(try daemon.record(session)["archived"] == false, "who writes to it has it at hand")
        _ = try tool("archive", session)
        #expect(try tool("unarchive", session)["archived"] == false)

        let events = try daemon.events(session)
        #expect(try tool("delete", session, "--yes")["deleted"]?.stringValue == session)
        #expect(try daemon.http("GET", "/api/v1/sessions/\(session)").status == 404)
        #expect(try daemon.http("POST", "/api/v1/sessions/nobody/undelete").status == 404)
        #expect(try tool("undelete", String(session.prefix(8)))["id"]?.stringValue == session)
        #expect(try daemon.events(session) == events, "nothing was added")
        // Whoever is second finds it there.
        #expect(try daemon.call("POST", "/sessions/\(session)/undelete")["title"] == "Put away")
        try daemon.turn("[[text:again]]", in: session)
        let audit = try String(contentsOfFile: daemon.home + "/logs/audit.log", encoding: .utf8)
        for action in ["session_archived", "session_unarchived", "session_undeleted"] {
            #expect(audit.contains("\"action\":\"\(action)\""), "\(action)")
        }
    }

    /// The browser is a script that notes what it is given.
    @Test(arguments: ["same-user", "token"]) func theBrowserIsOpened(loopback: String) throws {
        let daemon = try TestDaemon(configuration: ["security": ["loopback": JSON(loopback)]])
        if loopback == "token" { try daemon.startWithToken() } else { try daemon.start() }
        let bearer = [("Authorization", "Bearer \(daemon.token ?? "")")]
        let made = try daemon.http(
            "POST", "/api/v1/sessions", ["providerId": "echo", "workspace": JSON(daemon.folder.path)], headers: bearer)
        let session = try #require(made.json["id"]?.stringValue)
        let page = "http://\(daemon.authority)/"
        let noted = daemon.folder.path + "/noted"
        try writeProgram(daemon.folder.path + "/browser", "#!/bin/sh\nprintf '%s' \"$1\" >'\(noted)'\n")
        let run = try daemon.tool(["open", session], environment: ["BROWSER": daemon.folder.path + "/browser"])
        #expect(run.code == 0, "\(run)")
        #expect(run.text == page + "#/s/\(session)\n")
        let given = try String(contentsOfFile: noted, encoding: .utf8)
        let printed = try daemon.tool(["open", "--print"])
        if loopback == "same-user" {
            #expect(given == page + "#/s/\(session)")
            #expect(printed.text == page + "\n")
        } else {
            // Nothing secret among the arguments, which others can read.
            #expect(given == "file://\(daemon.home)/core/open.html")
            let file = try String(contentsOfFile: daemon.home + "/core/open.html", encoding: .utf8)
            #expect(file.contains("url=\(page)#ticket=") && file.contains("&to=/s/\(session)\""))
            let mode = try FileManager.default.attributesOfItem(atPath: daemon.home + "/core/open.html")
            #expect(mode[.posixPermissions] as? Int == 0o600)
            let start = page + "#ticket="
            #expect(printed.text.hasPrefix(start))
            let ticket = printed.text.dropFirst(start.count).dropLast()
            let answer = try daemon.http("POST", "/api/v1/auth/session", ["ticket": JSON(String(ticket))])
            #expect(answer.status == 200)
        }
        let none = try daemon.tool(["open"], environment: ["BROWSER": "/nonexistent", "PATH": "/nonexistent"])
        #expect(none.code == 1 && none.errors.contains("BROWSER"))
    }
}
