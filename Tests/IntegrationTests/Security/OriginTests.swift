import Foundation
import JSON
import TestSupport
import Testing

/// What a web page can have a browser do: forms, images, frames, preflights, names that resolve to this machine.
@Suite(.timeLimit(.minutes(10))) struct OriginTests {
    /// A form needs no preflight; whose page it was is told by Origin, which browsers send with every POST.
    @Test func formsOfOtherSitesChangeNothing() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        let before = try daemon.events(session)
        let types = [
            "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "application/json",
        ]
        for type in types {
            for mark in [
                [("Origin", "https://evil.example")], [("Origin", "null")], [("Sec-Fetch-Site", "cross-site")],
                [("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")],
                [("Origin", "https://evil.example"), ("Referer", "http://\(daemon.authority)/")],
                [("Origin", "http://\(daemon.authority)"), ("Origin", "https://evil.example")],
                [("Origin", "http://\(daemon.authority).evil.example")],
                [("Origin", "http://evil.example#\(daemon.authority)")],
                [("Origin", "http://\(daemon.authority)@evil.example")], [("Origin", "HTTP://\(daemon.authority)/")],
                [("Origin", "vscode-webview://")], [("Origin", "vscode-webview://a/../b")],
                [("Origin", "vscode-webview:a")],
                [("Origin", "vscode-file://vscode-app")], [("Origin", "chrome-extension://abc")],
            ] {
                for path in ["/sessions/\(session)/messages", "/sessions", "/core/shutdown", "/auth/ticket"] {
                    let answer = try daemon.http(
                        "POST", "/api/v1" + path, bytes: Array(#"{"content":"x","providerId":"echo"}"#.utf8),
                        headers: [("Content-Type", type)] + mark)
                    let comment = Comment(rawValue: "\(type) \(mark) \(path): \(answer.status)")
                    #expect(answer.status == 403, comment)
                    #expect(answer["Access-Control-Allow-Origin"] == nil, comment)
                }
            }
        }
        #expect(try daemon.events(session) == before)
        #expect(try daemon.call("GET", "/sessions")["sessions"]?.arrayValue?.count == 1)
    }

    /// Loads that carry no Origin: images, scripts, styles, frames. What they are is said by Fetch Metadata.
    @Test func loadsOfOtherSitesGetNothing() throws {
        let daemon = try TestDaemon.running()
        for (mode, destination) in [
            ("no-cors", "image"), ("no-cors", "script"), ("no-cors", "style"), ("navigate", "iframe"),
            ("navigate", "object"),
            ("navigate", "embed"), ("cors", "empty"), ("websocket", "websocket"), ("no-cors", "worker"),
        ] {
            let marks = [
                ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", destination),
                ("Referer", "https://evil.example/"),
            ]
            let answer = try daemon.http("GET", "/api/v1/sessions", headers: marks)
            #expect(answer.status == 403, Comment(rawValue: destination))
            #expect(answer.errorCode == "cross_site")
            #expect(throws: RawWebSocket.Refused.self) { try daemon.webSocket(headers: marks) }
        }
        // What is answered can't be taken for a script or a page.
        for path in ["/health", "/status", "/metrics", "/api/v1/sessions", "/nothing"] {
            let answer = try daemon.http("GET", path)
            #expect(answer["X-Content-Type-Options"] == "nosniff", Comment(rawValue: path))
            #expect(answer["Content-Type"]?.contains("html") != true)
        }
    }

    /// Preflights: whatever is asked for, another site's page is told nothing.
    @Test func preflightsNameNobodyElse() throws {
        let daemon = try TestDaemon.running()
        for method in ["GET", "POST", "DELETE", "PATCH", "TRACE", "*"] {
            for origin in ["https://evil.example", "null", "file://", "http://localhost:1"] {
                let answer = try daemon.http(
                    "OPTIONS", "/api/v1/sessions",
                    headers: [
                        ("Origin", origin), ("Access-Control-Request-Method", method),
                        ("Access-Control-Request-Headers", "authorization"),
                        ("Access-Control-Request-Private-Network", "true"),
                    ])
                #expect(answer.status == 403)
                #expect(!answer.headers.contains { $0.name.lowercased().hasPrefix("access-control-") })
            }
        }
        // To the daemon's own page nothing is allowed for everybody.
        let own = "http://\(daemon.authority)"
        let answer = try daemon.http(
            "OPTIONS", "/api/v1/sessions", headers: [("Origin", own), ("Access-Control-Request-Method", "POST")])
        #expect(answer["Access-Control-Allow-Origin"] == own)
        #expect(!answer.headers.contains { $0.value.contains("*") })
        #expect(answer["Access-Control-Allow-Credentials"] == nil)
    }

    /// All ports of a host share their cookies: one of another daemon must not open this one.
    @Test func cookiesOfAnotherPortOpenNothing() throws {
        let daemons = try (0..<2).map { _ in
            let daemon = try TestDaemon(configuration: ["security": ["loopback": "token"]])
            try daemon.startWithToken()
            return daemon
        }
        let cookies = try daemons.map { daemon -> String in
            let issued = try daemon.http(
                "POST", "/api/v1/auth/ticket", headers: [("Authorization", "Bearer \(daemon.token ?? "")")])
            let ticket = try #require(issued.json["ticket"])
            let answer = try daemon.http("POST", "/api/v1/auth/session", ["ticket": ticket])
            return String(try #require(answer["Set-Cookie"]).prefix { $0 != ";" })
        }
        #expect(cookies[0].prefix { $0 != "=" } != cookies[1].prefix { $0 != "=" })
        func status(_ daemon: Int, _ cookie: String, _ more: [(String, String)] = []) throws -> Int {
            try daemons[daemon].http("GET", "/api/v1/sessions", headers: [("Cookie", cookie)] + more).status
        }
        #expect(try status(0, cookies[0]) == 200)
        #expect(try status(0, cookies[1]) == 401)
        #expect(try status(0, cookies[1] + "; " + cookies[0]) == 200)
        // Under the other's name the secret is none, and a cookie helps no other site's page.
        let secret = String(cookies[1].drop(while: { $0 != "=" }))
        #expect(try status(0, String(cookies[0].prefix(while: { $0 != "=" })) + secret) == 401)
        #expect(try status(0, cookies[0], [("Origin", "https://evil.example")]) == 403)
        #expect(try status(0, cookies[0], [("Sec-Fetch-Site", "cross-site")]) == 403)
        #expect(try status(0, cookies[0] + "x") == 401)
        #expect(try status(0, String(cookies[0].dropLast())) == 401)
    }

    /// A name that resolves to 127.0.0.1 is still not the daemon's.
    @Test func otherNamesOfThisMachineAreNotTaken() throws {
        let daemon = try TestDaemon.running()
        let port = daemon.port
        for host in [
            "localhost.:\(port)", "127.0.0.1.:\(port)", "localhost.localdomain:\(port)", "127.1:\(port)",
            "2130706433:\(port)",
            "0x7f000001:\(port)", "0177.0.0.1:\(port)", "127.000.000.001:\(port)", "[::ffff:127.0.0.1]:\(port)",
            "[0:0:0:0:0:0:0:1]:\(port)", "[::1%25lo]:\(port)", "::1:\(port)", "0.0.0.0:\(port)",
            "user@127.0.0.1:\(port)",
            "127.0.0.1:\(port)@evil.example", "127.0.0.1:\(port),evil.example", "127.0.0.1:\(port)/",
            "http://127.0.0.1:\(port)",
            "127.0.0.1:0\(port)", "127.0.0.1:+\(port)", "127.0.0.1:\(port) ", "127.0.0.1 :\(port)", "127.0.0.1:",
            "127.0.0.1",
            "localtest.me:\(port)", "127.0.0.1.nip.io:\(port)", "\u{ff11}27.0.0.1:\(port)", "localhost%00:\(port)",
            "LOCALHOST.EVIL:\(port)", String(repeating: "a", count: 5000) + ":\(port)",
        ] {
            let answer = try daemon.http("GET", "/api/v1/sessions", headers: [("Host", host)])
            // Spaces at the end belong to the field, not to its value.
            let isOwn = host.hasSuffix("\(port) ")
            #expect(
                isOwn ? answer.status == 200 : [400, 421].contains(answer.status),
                "\(host.prefix(60)): \(answer.status)")
        }
    }

    /// A target may name a host as well: then both must be the daemon's (RFC 9112 section 3.2).
    @Test func targetsNameThisServerOrNobody() throws {
        let daemon = try TestDaemon.running()
        let own = daemon.authority
        let requests: [(line: String, host: String, statuses: [Int])] = [
            ("GET http://\(own)/health", own, [200]), ("GET http://evil.example/health", own, [421]),
            ("GET http://\(own)/health", "evil.example", [421]),
            ("GET http://evil.example/health", "evil.example", [421]),
            ("GET http://u:p@\(own)/health", own, [400, 421]),
            ("GET http://\(own)@evil.example/health", own, [400, 421]),
            ("GET https://\(own)/health", own, [200, 400, 421]), ("GET ftp://\(own)/health", own, [400, 421, 404]),
            ("GET //evil.example/health", own, [400, 404]), ("GET *", own, [400]),
            ("OPTIONS *", own, [200, 204, 400, 404, 405]),
            ("CONNECT \(own)", own, [400, 405, 501]), ("GET health", own, [400]), ("GET \\health", own, [400]),
            ("GET /health#fragment", own, [400]), ("GET /health?token=x", own, [200]),
            ("TRACE /health", own, [400, 405, 501]),
            ("GET http:///health", own, [400, 421]),
        ]
        for (line, host, statuses) in requests {
            let connection = try RawConnection(port: daemon.port)
            try connection.send("\(line) HTTP/1.1\r\nHost: \(host)\r\nCookie: a=secret\r\nConnection: close\r\n\r\n")
            let answer = try #require(try connection.response())
            #expect(statuses.contains(answer.status), "\(line) to \(host): \(answer.status)")
            // Nothing is said back that a TRACE would.
            #expect(!answer.text.contains("secret"))
        }
    }
}
