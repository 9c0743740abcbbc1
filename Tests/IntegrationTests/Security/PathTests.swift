import Foundation
import JSON
import TestSupport
import Testing

/// Identifiers that are paths, or that no identifier is: in every variable part of every documented route, and in every
/// frame that names something.
@Suite(.timeLimit(.minutes(10))) struct PathTests {
    /// The routes as doc/protocol.md lists them; that it lists what there is, is checked elsewhere.
    static func documentedRoutes() throws -> [(method: String, path: String)] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../doc/protocol.md")
        let text = try String(contentsOf: root, encoding: .utf8)
        return text.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("| `"), let end = line.dropFirst(3).firstIndex(of: "`") else { return nil }
            let parts = line[line.index(line.startIndex, offsetBy: 3)..<end].split(separator: " ")
            guard parts.count == 2, ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(parts[0]),
                parts[1].hasPrefix("/")
            else { return nil }
            return (String(parts[0]), String(parts[1].prefix { $0 != "?" }))
        }
    }

    static let attacks: [String] = [
        "..", ".", "%2e%2e", "%2e%2e%2fcore%2ftoken", "..%2f..%2fcore%2ftoken", "..%5c..%5ccore%5ctoken",
        "..%252f..%252fcore%252ftoken", "%00", "a%00b", "index", "index.jsonl", "..jsonl", "%2fetc%2fpasswd",
        "%c0%ae%c0%ae%c0%afcore", "%ff%fe", "%ed%a0%80", "%e2%80%ae", "%ef%bc%8e%ef%bc%8e%ef%bc%8f", "con",
        "%0d%0aX:%20y",
        "%1b%5b2J", "~root", "$%7BHOME%7D", "%24(id)", "*", "%2a", "%3f", "%23", ";a=b", "a;..%2f", "%20", "-rf",
        String(repeating: "a", count: 4000), String(repeating: "%2e%2e%2f", count: 300), "%f0%9f%92%a9", "%",
        "%4", "%zz", "01ARZ3NDEKTSV4RRFFQ69G5FAV%2e%2e",
    ]

    @Test func noRouteLeadsElsewhere() throws {
        let daemon = try TestDaemon.running()
        let token = try #require(daemon.token)
        let session = try daemon.newSession()
        let before = try contents(of: daemon)
        let routes = try Self.documentedRoutes()
        let variable = routes.filter { $0.path.contains("{") }
        #expect(variable.count > 20)
        var count = 0
        for (method, path) in variable {
            let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            for place in parts.indices where parts[place].hasPrefix("{") {
                // One connection for all: nothing may be left over by any of them either.
                var connection = try RawConnection(port: daemon.port)
                for attack in Self.attacks {
                    var target = parts.map { $0.hasPrefix("{") ? session : $0 }
                    if path.hasPrefix("/providers") { target = parts.map { $0.hasPrefix("{") ? "echo" : $0 } }
                    target[place] = attack
                    let body = method == "GET" || method == "DELETE" ? "" : "{}"
                    try connection.send(
                        "\(method) /api/v1\(target.joined(separator: "/")) HTTP/1.1\r\nHost: \(daemon.authority)\r\n"
                            + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
                    let response = try #require(try connection.response())
                    let comment = Comment(rawValue: "\(method) \(path) with \(attack.prefix(60)): \(response.status)")
                    #expect((400..<500).contains(response.status), comment)
                    #expect(!response.text.contains(token), comment)
                    #expect(!response.text.contains("root:"), comment)
                    // What is said back is escaped, and not at length.
                    #expect(response.body.allSatisfy { $0 >= 0x20 }, comment)
                    #expect(response.body.count < 2000, comment)
                    #expect(response["X"] == nil, comment)
                    count += 1
                    if response["Connection"]?.lowercased() == "close" {
                        connection = try RawConnection(port: daemon.port)
                    }
                }
            }
        }
        print("path test: \(count) requests to \(variable.count) routes")
        #expect(count > 800)
        #expect(try Set(contents(of: daemon)).symmetricDifference(before) == [])
        #expect(try daemon.record(session)["id"]?.stringValue == session)
    }

    /// Paths below the root that are none of the API's.
    @Test func nothingButTheAPIIsServed() throws {
        let daemon = try TestDaemon.running()
        let token = try #require(daemon.token)
        for path in [
            "/core/token", "/../core/token", "/..%2fcore/token", "/static/../../core/token", "/api/v1/../../core/token",
            "//core/token", "/api/v1//sessions", "/api/v1/./sessions", "/%2e%2e/%2e%2e/etc/passwd",
            "/sessions/index.jsonl",
            "/api/v1/sessions/..", "/etc/passwd", "/.git/config", "/api/v1/openapi.json/../../core/token",
        ] {
            let response = try daemon.http("GET", path)
            let comment = Comment(rawValue: "\(path): \(response.status)")
            #expect((400..<500).contains(response.status), comment)
            #expect(!response.text.contains(token), comment)
        }
    }

    @Test func noFrameLeadsElsewhere() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        let before = try contents(of: daemon)
        let client = try daemon.client("attacker")
        let texts =
            Self.attacks.compactMap(\.removingPercentEncoding) + [
                "../../core/token", "\u{0}", "/etc/passwd", "\u{202e}",
            ]
        let types = [
            "session:message", "session:interrupt", "session:stop", "session:resume", "session:retry", "session:queue",
            "session:pause", "session:provider", "session:delete", "session:rename", "permission:respond",
            "question:respond", "provider:update", "session:history", "session:fork", "session:withdraw",
            "session:create", "session:draft", "client:hello",
        ]
        var count = 0
        for type in types {
            for text in texts {
                let id = JSON(text)
                let payload: JSON =
                    type == "client:hello"
                    ? ["name": "a", "version": "1", "protocol": 1, "subscribe": 7, "resume": [:]]
                    : [
                        "sessionId": type == "provider:update" || type == "session:create" ? .null : id,
                        "providerId": id,
                        "requestId": id, "turnId": id, "content": "x", "title": "t", "optionId": "o", "answers": [:],
                        "enabled": true, "order": [], "text": "x", "workspace": JSON("/tmp/" + text + "/not-there"),
                    ]
                let answer = try client.request(type, payload)
                let comment = Comment(rawValue: "\(type) with \(text.debugDescription.prefix(60)): \(answer)")
                #expect(answer["ok"] == false, comment)
                #expect(!answer.description.contains("root:"), comment)
                count += 1
            }
        }
        print("path test: \(count) frames")
        #expect(try Set(contents(of: daemon)).symmetricDifference(before) == [])
        #expect(try daemon.record(session)["id"]?.stringValue == session)
    }

    /// An import's identifiers, and the names it carries.
    @Test func noImportLeadsElsewhere() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("[[text:a]]", in: session)
        let log = try daemon.http("GET", "/api/v1/sessions/\(session)/export").text
        let before = try contents(of: daemon)
        for text in [
            "../../core/token", "/etc/cron.d/x", "index", "a/b", "..", "", "\\u0000",
            String(repeating: "a", count: 300),
        ] {
            let changed = log.replacingOccurrences(of: session, with: text)
            let answer = try daemon.http(
                "POST", "/api/v1/sessions/import", bytes: Array(changed.utf8),
                headers: [("Content-Type", "application/x-ndjson")])
            // Refused, or a copy with an identifier of the daemon's own.
            let id = answer.json["id"]?.stringValue
            let isFine = answer.status == 400 || id.map { UUID(uuidString: $0) != nil } == true
            #expect(isFine, Comment(rawValue: "\(text.prefix(40)): \(answer.status) \(id ?? "")"))
            if let id { try daemon.call("DELETE", "/sessions/\(id)") }
            let native = try daemon.http(
                "POST", "/api/v1/sessions/import",
                ["source": ["provider": "claudeCodeCli", "nativeSessionId": JSON(text)]])
            #expect((400..<500).contains(native.status), Comment(rawValue: text))
        }
        #expect(try Set(contents(of: daemon)).symmetricDifference(before) == [])
    }

    /// The files of the home and of the folder above it that matter, by name.
    private func contents(of daemon: TestDaemon) throws -> [String] {
        let all = try FileManager.default.subpathsOfDirectory(atPath: daemon.folder.path)
        // The search index is made beside, and SQLite keeps files of its own while it writes.
        return all.filter { name in
            !["/logs/", "backups", "daemon.log", "search.sqlite"].contains { name.contains($0) }
        }.sorted()
    }
}
