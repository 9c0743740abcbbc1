import Foundation
import JSON
import TestSupport
import Testing

/// The web client over HTTP: who gets it, with what, and what it keeps others from. About 2 s.
@Suite(.timeLimit(.minutes(10))) struct WebClientTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("assets/web")

    @Test func itIsServedUnderAStrictPolicy() throws {
        let daemon = try TestDaemon.running()
        let index = try Data(contentsOf: Self.folder.appendingPathComponent("index.html"))
        for host in ["127.0.0.1", "localhost"].map({ "\($0):\(daemon.port)" }) {
            let page = try daemon.http("GET", "/", headers: [("Host", host), ("Accept", "text/html")])
            #expect(page.status == 200)
            #expect(page.body == Array(index))
            #expect(page["Content-Type"] == "text/html; charset=utf-8")
            #expect(page["X-Content-Type-Options"] == "nosniff")
            #expect(page["Referrer-Policy"] == "no-referrer")
            #expect(page["Cross-Origin-Opener-Policy"] == "same-origin")
            #expect(page["Cross-Origin-Resource-Policy"] == "same-origin")
            #expect(page["Cache-Control"] == "no-cache")
            let policy = try #require(page["Content-Security-Policy"])
            let directives = policy.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
            #expect(directives.contains("default-src 'none'"))
            #expect(directives.contains("script-src 'self'"))
            #expect(directives.contains("connect-src 'self' ws://\(host)"))
            #expect(directives.contains("frame-ancestors 'self' vscode-webview: vscode-file:"))
            #expect(directives.contains("require-trusted-types-for 'script'"))
            #expect(!policy.contains("unsafe") && !policy.contains("*"))
        }
        // Those who show a page in a frame may add a query.
        #expect(try daemon.http("GET", "/?id=1").body == Array(index))
    }

    @Test func clientsKeepItAndAskWhetherItIsTheSame() throws {
        let daemon = try TestDaemon.running()
        let page = try daemon.http("GET", "/")
        let tag = try #require(page["ETag"])
        let again = try daemon.http("GET", "/", headers: [("If-None-Match", tag)])
        #expect(again.status == 304)
        #expect(again.body.isEmpty)
        #expect(again["ETag"] == tag)
        let head = try daemon.http("HEAD", "/")
        #expect(head.status == 200)
        #expect(head["Content-Length"] == "\(page.body.count)")
        let packed = try daemon.http("GET", "/", headers: [("Accept-Encoding", "gzip, br")])
        #expect(packed["Content-Encoding"] == "gzip")
        #expect(packed.body.starts(with: [0x1f, 0x8b]))
        #expect(packed["ETag"] != tag)
    }

    @Test func thereIsNothingElse() throws {
        let daemon = try TestDaemon.running()
        for method in ["POST", "PUT", "DELETE"] {
            let answer = try daemon.http(method, "/", "x")
            #expect(answer.status == 405 && answer["Allow"] == "GET, HEAD, OPTIONS", "\(method)")
        }
        #expect(try daemon.http("OPTIONS", "/").status == 204)
        for path in [
            "/web", "/web/", "/web/index.html", "/index.html", "/web/../index.html", "/web/%2e%2e/core/token",
            "/web/..%2f..%2fcore/token", "/web//etc/passwd", "/favicon.ico",
        ] {
            let answer = try daemon.http("GET", path)
            #expect([400, 404].contains(answer.status), "\(path): \(answer.status)")
            #expect(answer["Content-Type"] == "application/json")
        }
    }

    /// Other sites' pages may send a person here, and a webview may show it; they may not use its files themselves.
    @Test func pagesOfOtherSitesMayOnlyShowIt() throws {
        let daemon = try TestDaemon.running()
        func status(_ path: String, _ site: String, _ mode: String, _ destination: String) throws -> Int {
            try daemon.http(
                "GET", path,
                headers: [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", destination)]
            ).status
        }
        #expect(try status("/", "cross-site", "navigate", "document") == 200)
        #expect(try status("/", "cross-site", "navigate", "iframe") == 200)
        for path in ["/", "/web/core/main.js"] {
            for destination in ["script", "style", "image", "object", "embed", "worker", "empty"] {
                #expect(try status(path, "cross-site", "no-cors", destination) == 403)
            }
            #expect(try status(path, "same-site", "no-cors", "script") == 403)
        }
        #expect(try status("/", "cross-site", "navigate", "object") == 403)
        for path in ["/health", "/api/v1/sessions", "/web/core/main.js"] {
            #expect(try status(path, "cross-site", "navigate", "iframe") == 403, "\(path)")
        }
        #expect(try daemon.http("GET", "/", headers: [("Origin", "https://evil.example")]).status == 403)
        #expect(try daemon.http("GET", "/", headers: [("Host", "evil.example:\(daemon.port)")]).status == 421)
    }

    /// Whoever comes without the token gets the page, and a ticket lets the page in.
    @Test func tokenModeAsksForNoTokenBeforeThePageIsThere() throws {
        let daemon = try TestDaemon(configuration: ["security": ["loopback": "token"]])
        try daemon.startWithToken()
        #expect(try daemon.http("GET", "/").status == 200)
        #expect(try daemon.http("GET", "/api/v1/sessions").status == 401)
        #expect(try daemon.http("GET", "/web/nothing.js").status == 401)
        let ticket = try daemon.http(
            "POST", "/api/v1/auth/ticket", headers: [("Authorization", "Bearer \(daemon.token ?? "")")])
        let own = ("Origin", "http://\(daemon.authority)")
        let session = try daemon.http(
            "POST", "/api/v1/auth/session", ["ticket": try #require(ticket.json["ticket"])], headers: [own])
        let cookie = String(try #require(session["Set-Cookie"]).prefix { $0 != ";" })
        #expect(try daemon.http("GET", "/api/v1/sessions", headers: [("Cookie", cookie), own]).status == 200)
    }
}
