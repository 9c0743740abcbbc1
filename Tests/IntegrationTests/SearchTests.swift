import Foundation
import JSON
import TestSupport
import Testing

/// What was said is found: at once, after a restart, after the index was lost; and not when it was deleted.
@Suite(.timeLimit(.minutes(10))) struct SearchTests {
    private func found(_ daemon: TestDaemon, _ query: String) throws -> [String] {
        let answer = try daemon.call("GET", "/search?limit=100&q=\(query)")
        return (answer["results"]?.arrayValue ?? []).compactMap { result in
            guard let id = result["sessionId"]?.stringValue, let seq = result.seq else { return nil }
            return "\(id)#\(seq)"
        }
    }

    private func eventually(_ daemon: TestDaemon, _ query: String, finds expected: [String]) throws {
        try TestSupport.eventually("\(query) finds \(expected)") {
            try found(daemon, query) == expected
        }
    }

    /// What must be found of a session, as `found` gives it.
    private func messages(_ daemon: TestDaemon, _ session: String, _ text: String) throws -> [String] {
        try daemon.events(session).of("message")
            .filter { $0["data"]?["content"]?.stringValue?.contains(text) == true }
            .compactMap(\.seq).reversed().map { "\(session)#\($0)" }
    }

    private func coreLog(_ daemon: TestDaemon) -> String { daemon.folder.read("hub/logs/core.log") ?? "" }

    @Test func foundLiveAndForAsLongAsItIsThere() throws {
        let daemon = try TestDaemon.running()
        let one = try daemon.newSession("echo", ["title": "The quarterly zebra"])
        let two = try daemon.newSession()
        try daemon.turn("[[text:the gnu answers]] where is it? (gnu answers)", in: one)
        try daemon.turn("[[text:something else]] zebra crossing", in: two)
        let gnus = try messages(daemon, one, "gnu")
        #expect(gnus.count > 1)
        try eventually(daemon, "gnu%20answers", finds: gnus)
        #expect(try found(daemon, "%22where%20is%22") == messages(daemon, one, "where is"))
        let crossings = try messages(daemon, two, "crossing")
        #expect(Set(try found(daemon, "zebra")) == Set(["\(one)#1"] + crossings))

        // The same by WebSocket, within a session, page by page.
        let client = try daemon.client("finder")
        let page = try client.request("search", ["q": "gnu", "sessionId": JSON(one), "limit": 1])["result"]
        let first = page?["results"]?[0]
        #expect("\(one)#\(first?.seq ?? 0)" == gnus[0])
        #expect(first?["title"] == "The quarterly zebra")
        #expect(first?["kind"] == "message")
        #expect(first?["role"] == "assistant")
        let parts = first?["snippet"]?.arrayValue ?? []
        #expect(parts.filter { $0["match"] == true }.map { $0["text"] } == ["gnu"])
        let next = try #require(page?["next"]?.stringValue)
        let rest = try client.request("search", ["q": "gnu", "sessionId": JSON(one), "after": JSON(next)])["result"]
        #expect(rest?["results"]?.arrayValue?.map { "\(one)#\($0.seq ?? 0)" } == Array(gnus.dropFirst()))

        // And in a terminal.
        let lines = try daemon.tool(["search", "gnu", "answers"])
        #expect(lines.code == 0)
        #expect(lines.text.contains("The quarterly zebra") && lines.text.contains("gnu answers"))
        let json = try JSON.parse(try daemon.tool(["search", "gnu", "-n", "1", "--session", one, "--json"]).text)
        #expect("\(one)#\(json["results"]?[0]?.seq ?? 0)" == gnus[0])
        #expect(json["next"]?.stringValue == next)
        #expect(try daemon.tool(["search", "unheard"]).text.contains("Nothing was found"))
        #expect(try daemon.tool(["search", "***"]).code == 0)
        #expect(try daemon.tool(["search", "a", "--limit", "0"]).code == 2)
        let page1 = try JSON.parse(try daemon.tool(["sessions", "-n", "1", "--json"]).text)
        let after = try #require(page1["next"]?.stringValue)
        let page2 = try JSON.parse(try daemon.tool(["sessions", "-n", "1", "--after", after, "--json"]).text)
        #expect([page1, page2].map { $0["sessions"]?[0]?["id"]?.stringValue } == [two, one])
        #expect(page2["next"] == nil)

        // A fork is a session of its own.
        let fork = try daemon.call("POST", "/sessions/\(two)/fork", [:])["id"]?.stringValue ?? ""
        let both = Set(crossings + (try messages(daemon, fork, "crossing")))
        #expect(both.count == 2 * crossings.count)
        try TestSupport.eventually("the copy is found") { Set(try found(daemon, "crossing")) == both }
        try daemon.call("PATCH", "/sessions/\(one)", ["title": "An okapi"])
        try TestSupport.eventually("the new title is found") { try found(daemon, "okapi").count == 1 }

        // After a crash it goes on where it was.
        try daemon.restart()
        #expect(Set(try found(daemon, "crossing")) == both)

        // Deleted: not found at once, and gone from the file a moment later.
        _ = try daemon.http("DELETE", "/api/v1/sessions/\(fork)")
        _ = try daemon.http("DELETE", "/api/v1/sessions/\(two)")
        #expect(try found(daemon, "crossing") == [])
        try TestSupport.eventually("nothing is left in the file") {
            ["", "-wal"].allSatisfy { suffix in
                let bytes = FileManager.default.contents(atPath: daemon.home + "/core/search.sqlite" + suffix) ?? Data()
                return bytes.range(of: Data("crossing".utf8)) == nil
            }
        }
        #expect(try daemon.stop().code == 0)
        #expect(!coreLog(daemon).contains("damaged"))
        let attributes = try FileManager.default.attributesOfItem(atPath: daemon.home + "/core/search.sqlite")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test func lostOrDamagedItIsMadeAnew() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("the one about the quokka", in: session)
        let seq = try #require(try daemon.events(session).first("message")?.seq)
        try TestSupport.eventually("it is found") { try found(daemon, "quokka").contains("\(session)#\(seq)") }
        let path = daemon.home + "/core/search.sqlite"

        try daemon.stop()
        for suffix in ["", "-wal", ".sum"] { unlink(path + suffix) }
        try daemon.start()
        try TestSupport.eventually("it is found again") { try found(daemon, "quokka").contains("\(session)#\(seq)") }

        try daemon.stop()
        var bytes = try #require(FileManager.default.contents(atPath: path))
        bytes[bytes.count / 2] ^= 1
        bytes.removeLast(100)
        try bytes.write(to: URL(fileURLWithPath: path))
        try daemon.start()
        try TestSupport.eventually("it is found again") {
            (try? found(daemon, "quokka").contains("\(session)#\(seq)")) == true
        }
        #expect(coreLog(daemon).contains("the search index is damaged and made anew"))
    }

    @Test func withoutItEverythingElseGoesOn() throws {
        let daemon = try TestDaemon()
        try FileManager.default.createDirectory(
            atPath: daemon.home + "/core/search.sqlite", withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        try daemon.start()
        let session = try daemon.newSession()
        try daemon.turn("hello", in: session)
        let answer = try daemon.http("GET", "/api/v1/search?q=hello")
        #expect(answer.status == 503)
        #expect(answer.json["error"]?["code"] == "search_unavailable")
        #expect(agentText(try daemon.turn("[[text:still here]]", in: session)).contains("still here"))
        for (query, status) in [
            ("", 400), ("q=a&limit=0", 400), ("q=a&other=1", 400), ("q=a&limit=101", 400), ("q=a&after=x", 400),
            ("q=a&after=-1", 400), ("q=a&sessionId=nobody", 404), ("q=\(String(repeating: "a", count: 1025))", 400),
        ] {
            #expect(try daemon.http("GET", "/api/v1/search?\(query)").status == status, "\(query)")
        }
        try daemon.stop()

        // Switched off, nothing of it is kept.
        let off = try TestDaemon(configuration: ["search": ["enabled": false]])
        try off.folder.write("hub/core/search.sqlite", "of an earlier life")
        try off.start()
        #expect(try off.http("GET", "/api/v1/search?q=hello").json["error"]?["code"] == "search_unavailable")
        #expect(!FileManager.default.fileExists(atPath: off.home + "/core/search.sqlite"))
    }
}
