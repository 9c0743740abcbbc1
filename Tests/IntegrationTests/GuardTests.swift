import Foundation
import JSON
import TestSupport
import Testing

/// Who may talk to the daemon (doc/security.md).
@Suite(.timeLimit(.minutes(10))) struct GuardTests {
    @Test func onlyItsOwnNamesAreHosts() throws {
        let daemon = try TestDaemon.running()
        for host in ["127.0.0.1:\(daemon.port)", "localhost:\(daemon.port)", "LOCALHOST:\(daemon.port)"] {
            #expect(try daemon.http("GET", "/health", headers: [("Host", host)]).status == 200, Comment(rawValue: host))
        }
        let wrong = [
            "127.0.0.1", "localhost", "evil.example", "evil.example:\(daemon.port)", "127.0.0.1:1", "",
            "127.0.0.1.evil.example:\(daemon.port)", "localhost:\(daemon.port)@evil.example",
            "127.0.0.2:\(daemon.port)",
            "127.0.0.1:\(daemon.port).", "127.0.0.1:0\(daemon.port)",
        ]
        for host in wrong {
            let response = try daemon.http("GET", "/health", headers: [("Host", host)])
            #expect(response.status == 421 || response.status == 400, Comment(rawValue: "\(host): \(response.status)"))
            if response.status == 421 { #expect(response.errorCode == "wrong_host") }
        }
        #expect(throws: RawWebSocket.Refused.self) {
            try RawWebSocket(port: daemon.port, host: "evil.example:\(daemon.port)")
        }
    }

    @Test func originsAreListed() throws {
        let daemon = try TestDaemon.running(
            configuration: ["security": ["allowedOrigins": ["https://allowed.example"]]])
        let allowed = [
            "http://127.0.0.1:\(daemon.port)", "http://localhost:\(daemon.port)", "vscode-webview://1f2e3d",
            "https://allowed.example",
        ]
        for origin in allowed {
            let response = try daemon.http("GET", "/health", headers: [("Origin", origin)])
            #expect(response.status == 200, Comment(rawValue: origin))
            #expect(response["Access-Control-Allow-Origin"] == origin)
            #expect(response["Vary"]?.lowercased().contains("origin") == true)
            let preflight = try daemon.http(
                "OPTIONS", "/api/v1/sessions",
                headers: [
                    ("Origin", origin), ("Access-Control-Request-Method", "POST"),
                    ("Access-Control-Request-Headers", "content-type"),
                ])
            #expect((200..<300).contains(preflight.status), Comment(rawValue: origin))
            #expect(preflight["Access-Control-Allow-Origin"] == origin)
            #expect(preflight["Access-Control-Allow-Methods"]?.contains("POST") == true)
            let socket = try daemon.webSocket(headers: [("Origin", origin)])
            #expect(try socket.frame().type == "core:state")
        }
        let refused = [
            "https://evil.example", "http://127.0.0.1:1", "https://127.0.0.1:\(daemon.port)", "null", "file://",
            "https://allowed.example.evil.example", "http://allowed.example", "https://allowed.example:444",
            "vscode-webview", "",
        ]
        for origin in refused {
            let response = try daemon.http("GET", "/health", headers: [("Origin", origin)])
            #expect(response.status == 403, Comment(rawValue: "\(origin): \(response.status)"))
            #expect(response.errorCode == "origin_not_allowed")
            #expect(response["Access-Control-Allow-Origin"] == nil)
            let preflight = try daemon.http(
                "OPTIONS", "/api/v1/sessions", headers: [("Origin", origin), ("Access-Control-Request-Method", "POST")])
            #expect(preflight.status == 403, Comment(rawValue: origin))
            #expect(throws: RawWebSocket.Refused.self, Comment(rawValue: origin)) {
                try daemon.webSocket(headers: [("Origin", origin)])
            }
            let created = try daemon.http(
                "POST", "/api/v1/sessions", ["providerId": "echo"], headers: [("Origin", origin)])
            #expect(created.status == 403)
        }
        #expect(try daemon.call("GET", "/sessions")["sessions"]?.arrayValue?.isEmpty == true)
    }

    @Test func withTokensAllNeedOne() throws {
        let daemon = try TestDaemon(configuration: ["security": ["loopback": "token"]])
        defer { daemon.close() }
        try startWithToken(daemon)
        let token = try #require(daemon.token)
        #expect(token.utf8.count >= 43)
        let attributes = try FileManager.default.attributesOfItem(atPath: daemon.home + "/core/token")
        #expect((attributes[.posixPermissions] as? Int) == 0o600)

        let bearer = [("Authorization", "Bearer \(token)")]
        #expect(try daemon.http("GET", "/api/v1/sessions", headers: bearer).status == 200)
        #expect(
            try daemon.http("GET", "/api/v1/sessions", headers: [("authorization", "bearer \(token)")]).status == 200)
        #expect(try daemon.webSocket(headers: bearer).frame().type == "core:state")

        let wrong = [
            [], [("Authorization", "Bearer")], [("Authorization", "Bearer \(token)x")], [("Authorization", token)],
            [("Authorization", "Bearer \(String(token.dropLast()))")], [("Authorization", "Basic \(token)")],
            [("Cookie", "session=\(token)")],
        ]
        for headers in wrong {
            let response = try daemon.http("GET", "/api/v1/sessions", headers: headers)
            #expect(response.status == 401 || response.status == 429, Comment(rawValue: "\(headers)"))
            #expect(["token_required", "token_invalid", "too_many_failures"].contains(response.errorCode))
            #expect(throws: RawWebSocket.Refused.self) { try daemon.webSocket(headers: headers) }
        }
        // Nothing that decides about rights comes from a query.
        #expect(try daemon.http("GET", "/api/v1/sessions?token=\(token)&access_token=\(token)").status != 200)
    }

    private func startWithToken(_ daemon: TestDaemon) throws {
        // /health answers without a token to nobody either, so that the harness can't wait for a 200.
        let starting = Later { try? daemon.start(within: .seconds(5)) }
        try eventually("the daemon listens") { daemon.port != 0 && (try? daemon.http("GET", "/health")) != nil }
        _ = starting.value()
    }

    /// A browser has no token to send: its ticket is all it shows.
    @Test(arguments: ["same-user", "token"]) func aTicketBecomesACookieOnce(loopback: String) throws {
        let daemon = try TestDaemon(configuration: ["security": ["loopback": JSON(loopback)]])
        defer { daemon.close() }
        if loopback == "token" { try startWithToken(daemon) } else { try daemon.start() }
        let bearer = [("Authorization", "Bearer \(daemon.token ?? "")")]
        let issued = try daemon.http("POST", "/api/v1/auth/ticket", headers: bearer)
        #expect(issued.status == 201)
        #expect(issued.json["expiresIn"]?.intValue == 30)
        let ticket = try #require(issued.json["ticket"]?.stringValue)
        let exchanged = try daemon.http("POST", "/api/v1/auth/session", ["ticket": JSON(ticket)])
        #expect((200..<300).contains(exchanged.status))
        let cookie = try #require(exchanged["Set-Cookie"])
        #expect(cookie.contains("HttpOnly"))
        #expect(cookie.contains("SameSite=Strict"))
        let again = try daemon.http("POST", "/api/v1/auth/session", ["ticket": JSON(ticket)])
        #expect(again.status == 401)
        let pair = try #require(cookie.split(separator: ";").first)
        #expect(try daemon.http("GET", "/api/v1/sessions", headers: [("Cookie", String(pair))]).status == 200)
    }

    @Test(arguments: ["", "/core", "/providers"]) func aFolderThatOthersMayWriteToIsNotUsed(folder: String) throws {
        let daemon = try TestDaemon()
        try FileManager.default.createDirectory(
            atPath: daemon.home + folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        #expect(chmod(daemon.home + folder, 0o777) == 0)
        let exit = try daemon.runToEnd()
        #expect(exit.code == 5)
        #expect(exit.log.contains("chmod 700 \(daemon.home + folder)"))
    }

    /// As another user: run by `setpriv`, which needs to be root first.
    @Test(.enabled(if: geteuid() == 0, "only root can become another user")) func anotherUserNeedsTheToken() throws {
        let daemon = try TestDaemon.running()
        func asNobody(_ extra: [String]) throws -> String {
            let arguments = [
                "--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-s", "-m", "10", "-o", "/dev/null", "-w",
                "%{http_code}",
            ]
            let url = "http://\(daemon.authority)/api/v1/sessions"
            return try run("setpriv", arguments + extra + [url]).output
        }
        #expect(try asNobody([]) == "401")
        #expect(try asNobody(["-H", "Authorization: Bearer nonsense"]) == "401")
        #expect(try asNobody(["-H", "Authorization: Bearer \(daemon.token ?? "")"]) == "200")
    }

    @Test(arguments: ["0.0.0.0", "::", "192.0.2.1"]) func onlyLoopbackIsBound(host: String) throws {
        let daemon = try TestDaemon(environment: ["CORE_HOST": host])
        let exit = try daemon.runToEnd()
        #expect(exit.code > 0)
        #expect(exit.log.contains(host))
    }

    @Test func theHomeIsForTheOwnerOnly() throws {
        let daemon = try TestDaemon.running()
        _ = try daemon.newSession()
        for name in ["core", "sessions"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: daemon.home + "/" + name)
            #expect((attributes[.posixPermissions] as? Int ?? 0o777) & 0o077 == 0, Comment(rawValue: name))
        }
        for name in ["core/config.json", "core/token"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: daemon.home + "/" + name)
            #expect((attributes[.posixPermissions] as? Int) == 0o600, Comment(rawValue: name))
        }
        // The token is never told.
        let token = try #require(daemon.token)
        for path in ["/status", "/metrics", "/api/v1/settings", "/api/v1/providers"] {
            #expect(try !daemon.http("GET", path).text.contains(token))
        }
        #expect(!daemon.log.contains(token))
    }
}
