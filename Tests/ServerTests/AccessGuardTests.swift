import Base
import EventLoop
import HTTP1
import TestSupport
import Testing

@testable import Server

/// Says what it is told about the owner of a socket.
private final class FixedOwner: SocketOwnerLookup {
    var uid: UInt32?
    var questions = 0

    init(_ uid: UInt32?) {
        self.uid = uid
    }

    func owner(local: SocketAddress, remote: SocketAddress) -> UInt32? {
        questions += 1
        return uid
    }
}

@Suite struct AccessGuardTests {
    private static let token = Array("0123456789abcdef0123456789abcdef".utf8)

    private static func access(_ mode: AccessGuard.LoopbackMode = .sameUser) -> AccessGuard.Configuration {
        var configuration = AccessGuard.Configuration()
        configuration.loopback = mode
        configuration.token = token
        configuration.allowedOrigins = ["https://app.example", "null"]
        configuration.extraHosts = ["hub.local:9000"]
        configuration.openPaths = ["/open"]
        return configuration
    }

    private static let answer: ServerUnderTest.Handle = { request, responder in
        responder.respond(status: 200, body: Array("\(request.ground)".utf8))
    }

    private func ask(
        _ server: ServerUnderTest, _ path: String = "/", method: String = "GET", host: String? = nil,
        _ headers: [(String, String)] = []
    ) throws -> RawResponse {
        let client = try server.connect()
        try client.send(server.get(path, method: method, host: host, headers))
        return try #require(try client.response(hasBody: method != "HEAD"))
    }

    private func ask(
        _ server: ServerUnderTest, method: String = "GET", _ headers: [(String, String)]
    ) throws -> RawResponse {
        try ask(server, "/", method: method, headers)
    }

    @Test(arguments: [
        ("127.0.0.1:PORT", 200), ("localhost:PORT", 200), ("LOCALHOST:PORT", 200), ("[::1]:PORT", 200),
        ("hub.local:9000", 200), ("127.0.0.1", 421), ("127.0.0.1:1", 421), ("evil.example:PORT", 421),
        ("127.0.0.1.evil.example:PORT", 421), ("localhost.:PORT", 421), ("127.0.0.2:PORT", 421), ("hub.local", 421),
        ("0.0.0.0:PORT", 421), ("", 421),
    ]) func hostMustBeExact(host: String, status: Int) throws {
        let server = try ServerUnderTest(access: Self.access(), handle: Self.answer)
        let response = try ask(server, host: host.replacing("PORT", with: "\(server.port)"))
        #expect(response.status == status)
        if status == 421 { #expect(response.errorCode == "wrong_host") }
    }

    @Test func absoluteTargetMustNameThisServerToo() throws {
        let server = try ServerUnderTest(access: Self.access(), handle: Self.answer)
        #expect(try ask(server, "http://evil.example/").status == 421)
        #expect(try ask(server, "http://127.0.0.1:\(server.port)/").status == 200)
        #expect(try ask(server, "http://127.0.0.1:\(server.port)/", host: "evil.example").status == 421)
    }

    @Test func oldClientsWithoutHostAreRefused() throws {
        let server = try ServerUnderTest(access: Self.access(), handle: Self.answer)
        let client = try server.connect()
        try client.send("GET / HTTP/1.0\r\n\r\n")
        #expect(try client.response()?.status == 421)
    }

    @Test(arguments: [
        ("http://127.0.0.1:PORT", true), ("http://localhost:PORT", true), ("http://[::1]:PORT", true),
        ("vscode-webview://1abc2-def", true), ("https://app.example", true), ("null", true),
        ("https://evil.example", false), ("http://127.0.0.1:1", false), ("https://127.0.0.1:PORT", false),
        ("vscode-webview://", false), ("vscode-webview:x", false), ("vscode-webview://a/b", false),
        ("https://app.example.evil", false), ("https://app.example/", false), ("HTTPS://APP.EXAMPLE", false),
        ("file://", false), ("", false), ("http://localhost.evil.example:PORT", false),
    ]) func originMustBeListed(origin: String, isAllowed: Bool) throws {
        let server = try ServerUnderTest(access: Self.access(), handle: Self.answer)
        let origin = origin.replacing("PORT", with: "\(server.port)")
        for method in ["GET", "POST", "HEAD"] {
            let response = try ask(server, method: method, [("Origin", origin), ("Content-Length", "0")])
            #expect(response.status == (isAllowed ? 200 : 403))
            #expect(response["Access-Control-Allow-Origin"] == (isAllowed ? origin : nil))
            #expect(response["Vary"] == (isAllowed ? "Origin" : nil))
            if !isAllowed, method != "HEAD" { #expect(response.errorCode == "origin_not_allowed") }
        }
        let preflight = try ask(
            server, method: "OPTIONS", [("Origin", origin), ("Access-Control-Request-Method", "PATCH")])
        #expect(preflight.status == (isAllowed ? 204 : 403))
        #expect(preflight["Access-Control-Allow-Origin"] == (isAllowed ? origin : nil))
        #expect(preflight["Access-Control-Allow-Methods"]?.contains("PATCH") == (isAllowed ? true : nil))
        let upgrade = try ask(
            server,
            [
                ("Origin", origin), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
                ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ])
        #expect(upgrade.status == (isAllowed ? 200 : 403))
    }

    @Test func twoOriginsAreRefused() throws {
        let server = try ServerUnderTest(access: Self.access(), handle: Self.answer)
        let response = try ask(server, [("Origin", "https://app.example"), ("Origin", "https://app.example")])
        #expect(response.status == 403)
    }

    @Test func fileIsAnOriginOnlyWhenListed() throws {
        var configuration = Self.access()
        configuration.allowedOrigins = ["file:"]
        let server = try ServerUnderTest(access: configuration, handle: Self.answer)
        #expect(try ask(server, [("Origin", "file://")]).status == 200)
        #expect(try ask(server, [("Origin", "null")]).status == 403)
    }

    @Test func crossSiteLoadsAreRefusedAndNavigationIsNot() throws {
        let server = try ServerUnderTest(access: Self.access(), handle: Self.answer)
        let image = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")]
        #expect(try ask(server, image).errorCode == "cross_site")
        let link = [
            ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"),
        ]
        #expect(try ask(server, link).status == 200)
        #expect(try ask(server, method: "POST", link + [("Content-Length", "0")]).status == 403)
        #expect(try ask(server, [("Sec-Fetch-Site", "same-origin")]).status == 200)
        #expect(try ask(server, [("Sec-Fetch-Site", "none")]).status == 200)
    }

    @Test func onlyNamedPathsMayBeLoadedIntoFrames() throws {
        var configuration = Self.access()
        configuration.framePaths = ["/page"]
        let server = try ServerUnderTest(access: configuration, handle: Self.answer)
        func status(_ path: String, _ mode: String, _ destination: String, method: String = "GET") throws -> Int {
            try ask(
                server, path, method: method,
                [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", destination)]
            ).status
        }
        #expect(try status("/page", "navigate", "iframe") == 200)
        #expect(try status("/page?query", "navigate", "iframe") == 200)
        for path in ["/", "/page/", "/page/x", "/%70age"] { #expect(try status(path, "navigate", "iframe") == 403) }
        #expect(try status("/page", "no-cors", "iframe") == 403)
        #expect(try status("/page", "navigate", "object") == 403)
        #expect(try status("/page", "no-cors", "script") == 403)
        #expect(try status("/page", "navigate", "iframe", method: "HEAD") == 403)
    }

    @Test func ownProcessNeedsNoToken() throws {
        let server = try ServerUnderTest(access: Self.access(), handle: Self.answer)
        #expect(try ask(server).text == "sameUser")
    }

    @Test(
        arguments: [
            (nil, "token_required"), ("Bearer 0123456789abcdef0123456789abcdef", nil),
            ("bearer 0123456789abcdef0123456789abcdef", nil), ("Bearer   0123456789abcdef0123456789abcdef", nil),
            ("Bearer 0123456789abcdef0123456789abcdee", "token_invalid"), ("Bearer", "token_invalid"),
            ("Bearer ", "token_invalid"), ("Bearer 0123456789abcdef0123456789abcdef0", "token_invalid"),
            ("Basic 0123456789abcdef0123456789abcdef", "token_invalid"),
            ("0123456789abcdef0123456789abcdef", "token_invalid"),
        ] as [(String?, String?)]) func tokenModeWantsTheToken(authorization: String?, code: String?) throws
    {
        let server = try ServerUnderTest(access: Self.access(.token), handle: Self.answer)
        let response = try ask(server, authorization.map { [("Authorization", $0)] } ?? [])
        #expect(response.status == (code == nil ? 200 : 401))
        if let code {
            #expect(response.errorCode == code)
            #expect(response["WWW-Authenticate"] == "Bearer")
        } else {
            #expect(response.text == "token")
        }
        // Not from the query, and not twice.
        #expect(try ask(server, "/?token=0123456789abcdef0123456789abcdef").status == 401)
        let right = ("Authorization", "Bearer 0123456789abcdef0123456789abcdef")
        #expect(try ask(server, [right, right]).status == 401)
    }

    @Test func withoutAConfiguredTokenNoneFits() throws {
        var configuration = Self.access(.token)
        configuration.token = nil
        let server = try ServerUnderTest(access: configuration, handle: Self.answer)
        #expect(try ask(server, [("Authorization", "Bearer ")]).status == 401)
        configuration.token = []
        let empty = try ServerUnderTest(access: configuration, handle: Self.answer)
        #expect(try ask(empty, [("Authorization", "Bearer ")]).status == 401)
    }

    @Test func openPathsAreExactAndStillGuarded() throws {
        let server = try ServerUnderTest(access: Self.access(.token), handle: Self.answer)
        #expect(try ask(server, "/open").text == "openPath")
        #expect(try ask(server, "/open/").status == 401)
        #expect(try ask(server, "/open%2f").status == 401)
        #expect(try ask(server, "/open", host: "evil.example").status == 421)
        #expect(try ask(server, "/open", [("Origin", "https://evil.example")]).status == 403)
    }

    @Test func refusedRequestKeepsTheConnectionUnlessABodyFollows() throws {
        let server = try ServerUnderTest(access: Self.access(.token), handle: Self.answer)
        let client = try server.connect()
        try client.send(server.get("/"))
        #expect(try client.response()?.status == 401)
        try client.send(server.get("/", [("Authorization", "Bearer 0123456789abcdef0123456789abcdef")]))
        #expect(try client.response()?.status == 200)
        try client.send(server.get("/", method: "POST", [("Content-Length", "1000000")]))
        #expect(try client.response()?.status == 401)
        #expect(client.isEnded())
    }

    @Test func guessingIsSlowedDownAndBounded() throws {
        let server = try ServerUnderTest(access: Self.access(.token), handle: Self.answer)
        var times: [Int64] = []
        let client = try server.connect()
        for _ in 0..<6 {
            let start = monotonicNanoseconds()
            try client.send(server.get("/", [("Authorization", "Bearer wrong")]))
            #expect(try client.response()?.status == 401)
            times.append(monotonicNanoseconds() - start)
        }
        #expect(times[0] < 90_000_000)
        #expect(times[3] >= 90_000_000)
        #expect(times[5] >= 390_000_000)
        // Whoever knows the token is not slowed down.
        let start = monotonicNanoseconds()
        #expect(
            try ask(server, [("Authorization", "Bearer 0123456789abcdef0123456789abcdef")]).status == 200)
        #expect(monotonicNanoseconds() - start < 90_000_000)
        // Only so many can wait.
        let many = try (0..<60).map { _ in
            let client = try server.connect()
            try client.send(server.get("/", [("Authorization", "Bearer wrong")]))
            return client
        }
        var statuses: [Int] = []
        for client in many.reversed() { statuses.append(try client.response()?.status ?? 0) }
        #expect(statuses.filter { $0 == 429 }.count == 60 - FailureThrottle.maximumWaiting)
        #expect(statuses.filter { $0 == 401 }.count == FailureThrottle.maximumWaiting)
    }

    @Test func throttledClientThatLeavesFreesItsPlace() throws {
        let server = try ServerUnderTest(access: Self.access(.token), handle: Self.answer)
        for _ in 0..<3 { _ = try ask(server, [("Authorization", "Bearer wrong")]) }
        for _ in 0..<100 {
            let client = try server.connect()
            try client.send(server.get("/", [("Authorization", "Bearer wrong")]))
            client.reset()
        }
        try eventually("all are gone") { server.connectionCount == 0 }
        #expect(try ask(server, [("Authorization", "Bearer wrong")]).status == 401)
    }

    @Test func ticketWorksOnceAndBecomesACookie() throws {
        let server = try ServerUnderTest(access: Self.access(.token), handle: Self.answer)
        let (ticket, cookie, second) = server.on { server in
            let ticket = server.accessGuard.issueTicket(now: 0)
            return (
                ticket, server.accessGuard.redeemTicket(ticket, now: 1),
                server.accessGuard.redeemTicket(ticket, now: 2)
            )
        }
        #expect(ticket.count == 64)
        #expect(second == nil)
        let value = try #require(cookie)
        #expect(value.contains("HttpOnly"))
        #expect(value.contains("SameSite=Strict"))
        let pair = String(value.prefix { $0 != ";" })
        let expired = server.on { $0.accessGuard.redeemTicket($0.accessGuard.issueTicket(now: 0), now: 31_000_000_000) }
        #expect(expired == nil)
        // The session began at the clock's zero; a fresh one is valid now.
        let fresh = server.on { server in
            let now = server.loop.nowNanoseconds
            return server.accessGuard.redeemTicket(server.accessGuard.issueTicket(now: now), now: now)
        }
        let freshPair = String(try #require(fresh).prefix { $0 != ";" })
        #expect(freshPair != pair)
        #expect(try ask(server, [("Cookie", "a=b; \(freshPair); c=d")]).text == "session")
        #expect(try ask(server, [("Cookie", freshPair + "0")]).status == 401)
        #expect(try ask(server, [("Cookie", "session=")]).status == 401)
        #expect(try ask(server, [("Cookie", freshPair), ("Origin", "https://evil.example")]).status == 403)
    }

    @Test func storeOfTicketsIsBounded() {
        var store = TicketStore(ticketLife: .seconds(30), sessionLife: .seconds(60))
        let first = store.issueTicket(now: 0)
        for _ in 0..<100 { _ = store.issueTicket(now: 0) }
        #expect(store.redeem(first, now: 1) == nil)
        let session = store.redeem(store.issueTicket(now: 0), now: 1)
        #expect(session.map { store.isSession(Array($0.utf8), now: 2) } == true)
        #expect(session.map { store.isSession(Array($0.utf8), now: 61_000_000_002) } == false)
    }

    // MARK: Whose process it is

    private func decision(_ owner: UInt32?, peer: String = "127.0.0.1") throws -> (String, Int) {
        let owners = FixedOwner(owner)
        let access = AccessGuard(Self.access(), owners: owners)
        access.add(listener: try #require(SocketAddress(numericHost: "127.0.0.1", port: 80)))
        let listener = try Socket.listen(on: try #require(SocketAddress(numericHost: "127.0.0.1", port: 0)))
        defer { Socket.close(listener) }
        // Any connected socket of this machine.
        let connected = try Socket.connect(to: try #require(Socket.localAddress(of: listener)))
        defer { Socket.close(connected) }
        let identity = PeerIdentity(fd: connected, peer: try #require(SocketAddress(numericHost: peer, port: 5)))
        var parser = HTTPRequestParser()
        let request = Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        let head = try request.withUnsafeBytes { bytes -> HTTPRequestHead in
            var input = bytes
            guard case .head(let head)? = try parser.next(&input) else { throw TestFailure("no head") }
            return head
        }
        var text = ""
        for _ in 0..<3 {
            switch access.check(head, peer: identity, now: 0) {
            case .allow(let grant): text = "\(grant.ground)"
            case .reject(let rejection): text = rejection.code
            case .preflight: text = "preflight"
            }
        }
        return (text, owners.questions)
    }

    @Test func onlyTheSameUserIsExemptAndIsLookedUpOnce() throws {
        #expect(try decision(geteuidValue) == ("sameUser", 1))
        #expect(try decision(geteuidValue &+ 1) == ("token_required", 1))
        #expect(try decision(nil) == ("token_required", 1))
        #expect(try decision(geteuidValue, peer: "10.0.0.1") == ("token_required", 0))
    }
}
