import Testing
import WebSocket

@Suite struct NegotiationTests {
    static let plain = PerMessageDeflate.Settings(serverNoContextTakeover: false, clientNoContextTakeover: false)

    @Test(arguments: [
        ("permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"),
        ("permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"),
        ("permessage-deflate;client_max_window_bits", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits=10", "permessage-deflate; client_max_window_bits=10"),
        ("permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9"),
        ("permessage-deflate ; server_max_window_bits = \"15\" ", "permessage-deflate; server_max_window_bits=15"),
        ("x-webkit-deflate-frame, permessage-deflate", "permessage-deflate"),
        (", permessage-deflate ,", "permessage-deflate"),
        // The first offer that can be accepted wins.
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", "permessage-deflate"),
        (
            "permessage-deflate; unknown, permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10"
        ),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; "
                + "client_max_window_bits=11",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; "
                + "client_max_window_bits=11"
        ),
    ])
    func accepted(offer: String, response: String) {
        #expect(PerMessageDeflate.negotiate(offers: [offer], settings: Self.plain)?.response == response)
    }

    @Test(arguments: [
        "", "deflate", "permessage-deflate; foo", "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; client_no_context_takeover=true", "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; server_max_window_bits=+9", "permessage-deflate; server_max_window_bits=x",
        "permessage-deflate; server_max_window_bits=", "permessage-deflate; server_max_window_bits=\"\"",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; client_max_window_bits=7", "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
        "permessage-deflate; client_max_window_bits=99999999999999999999", "permessage-deflate;",
        "permessage-deflate; =5", "permessage-deflate \u{1}", "permessage-deflate; a=\"b",
    ])
    func declined(offer: String) {
        #expect(PerMessageDeflate.negotiate(offers: [offer], settings: Self.plain) == nil)
    }

    @Test func theServersWishes() {
        let wishes = PerMessageDeflate.Settings(serverMaxWindowBits: 11, clientMaxWindowBits: 10)
        let silent = PerMessageDeflate.negotiate(offers: ["permessage-deflate"], settings: wishes)
        // A window for a client that didn't say it can is not asked.
        #expect(
            silent?.response
                == "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11"
        )
        #expect(silent?.clientMaxWindowBits == 15)
        let able = PerMessageDeflate.negotiate(offers: ["permessage-deflate; client_max_window_bits"], settings: wishes)
        #expect(able?.clientMaxWindowBits == 10)
        #expect(able?.response.hasSuffix("; client_max_window_bits=10") == true)
        let small = PerMessageDeflate.negotiate(
            offers: ["permessage-deflate; client_max_window_bits=8"], settings: wishes)
        #expect(small?.clientMaxWindowBits == 8)
    }

    @Test func whoCanReadASharedFrame() {
        let shared = Deflater.Settings(windowBits: 15)
        let full = PerMessageDeflate.negotiate(offers: ["permessage-deflate"])
        #expect(full?.canRead(shared) == true)
        let small = PerMessageDeflate.negotiate(offers: ["permessage-deflate; server_max_window_bits=10"])
        #expect(small?.canRead(shared) == false)
        #expect(small?.canRead(Deflater.Settings(windowBits: 10)) == true)
    }

    @Test func whatAServerMayAnswer() throws {
        let both = "permessage-deflate; server_no_context_takeover"
        let good = try PerMessageDeflate.check(response: [both + "; client_no_context_takeover"])
        #expect(good?.serverNoContextTakeover == true)
        #expect(good?.clientNoContextTakeover == true)
        #expect(try PerMessageDeflate.check(response: [both])?.clientNoContextTakeover == true)
        #expect(try PerMessageDeflate.check(response: []) == nil)
        for bad in [
            "permessage-deflate", "other", both + ", " + both, both + "; foo", both + "; client_max_window_bits=10",
            both + "; client_max_window_bits", "permessage-deflate;", both + "; server_max_window_bits=7",
        ] {
            #expect(throws: WebSocketHandshakeError.self, "\(bad)") { try PerMessageDeflate.check(response: [bad]) }
        }
    }
}

@Suite struct HandshakeTests {
    static let good = [
        "upgrade": ["websocket"], "connection": ["Upgrade"], "sec-websocket-key": ["dGhlIHNhbXBsZSBub25jZQ=="],
        "sec-websocket-version": ["13"],
    ]

    func accept(
        method: String = "GET", isHTTP11: Bool = true, hasBody: Bool = false,
        settings: WebSocketHandshake.Settings = .init(), _ changes: [String: [String]] = [:]
    ) throws(WebSocketHandshakeError) -> WebSocketHandshake.Acceptance {
        let headers = Self.good.merging(changes) { $1 }
        return try WebSocketHandshake.accept(
            method: method, isHTTP11: isHTTP11, hasBody: hasBody, settings: settings, values: { headers[$0] ?? [] })
    }

    @Test func theExampleOfTheRFC() throws {
        let acceptance = try accept()
        let headers = Dictionary(uniqueKeysWithValues: acceptance.headers)
        #expect(headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(headers["upgrade"] == "websocket")
        #expect(headers["connection"] == "Upgrade")
        #expect(acceptance.compression == nil)
        #expect(headers["sec-websocket-extensions"] == nil)
    }

    @Test func variantsThatAreFine() throws {
        _ = try accept(["upgrade": ["WebSocket"], "connection": ["keep-alive, UPGRADE"]])
        _ = try accept(["connection": ["keep-alive", "upgrade"]])
    }

    @Test func compressionAndSubprotocols() throws {
        let offer = ["sec-websocket-extensions": ["permessage-deflate"]]
        let acceptance = try accept(offer)
        #expect(acceptance.compression != nil)
        #expect(
            acceptance.headers.contains {
                $0.0 == "sec-websocket-extensions" && $0.1 == acceptance.compression?.response
            })
        #expect(try accept(settings: .init(compression: nil), offer).compression == nil)
        let protocols = ["sec-websocket-protocol": ["a, b", "c"]]
        #expect(try accept(protocols).subprotocol == nil)
        #expect(try accept(settings: .init(subprotocols: ["x", "c", "a"]), protocols).subprotocol == "c")
    }

    @Test func whatIsRefused() {
        func code(_ body: () throws(WebSocketHandshakeError) -> WebSocketHandshake.Acceptance) -> String {
            do throws(WebSocketHandshakeError) {
                _ = try body()
                return "accepted"
            } catch {
                return "\(error.status) \(error.code.rawValue)"
            }
        }
        #expect(code { () throws(WebSocketHandshakeError) in try accept(method: "POST") } == "405 bad_method")
        #expect(code { () throws(WebSocketHandshakeError) in try accept(isHTTP11: false) } == "400 bad_http_version")
        #expect(code { () throws(WebSocketHandshakeError) in try accept(hasBody: true) } == "400 has_body")
        let cases: [(String, [String], String)] = [
            ("upgrade", [], "426 not_an_upgrade"), ("upgrade", ["h2c"], "426 not_an_upgrade"),
            ("connection", ["keep-alive"], "426 not_an_upgrade"), ("connection", ["upgraded"], "426 not_an_upgrade"),
            ("sec-websocket-version", [], "426 bad_websocket_version"),
            ("sec-websocket-version", ["8"], "426 bad_websocket_version"),
            ("sec-websocket-version", ["13", "13"], "426 bad_websocket_version"),
            ("sec-websocket-key", [], "400 bad_websocket_key"), ("sec-websocket-key", [""], "400 bad_websocket_key"),
            ("sec-websocket-key", ["dGhlIHNhbXBsZSBub25jZQ"], "400 bad_websocket_key"),
            ("sec-websocket-key", ["dGhlIHNhbXBsZSBub25jZQ=="] + ["dGhlIHNhbXBsZSBub25jZQ=="], "400 bad_websocket_key"),
            ("sec-websocket-key", ["dGhlIHNhbXBsZSBub25jZTE="], "400 bad_websocket_key"),
            ("sec-websocket-key", ["dGhlIHNhbXBsZSB*b25jZQ=="], "400 bad_websocket_key"),
        ]
        for (name, values, expected) in cases {
            #expect(code { () throws(WebSocketHandshakeError) in try accept([name: values]) } == expected)
        }
    }

    @Test func theRefusalNamesTheVersion() {
        let error = #expect(throws: WebSocketHandshakeError.self) { try accept(["sec-websocket-version": ["7"]]) }
        #expect(error?.headers.contains { $0 == ("sec-websocket-version", "13") } == true)
    }

    @Test func clientAndServerAgree() throws {
        let key = WebSocketHandshake.clientKey(random: Array(0..<16))
        #expect(key == "AAECAwQFBgcICQoLDA0ODw==")
        let request = Dictionary(
            uniqueKeysWithValues: WebSocketHandshake.requestHeaders(key: key, offersCompression: true))
        let acceptance = try WebSocketHandshake.accept(
            method: "GET", isHTTP11: true, hasBody: false, values: { request[$0].map { [$0] } ?? [] })
        let answer = Dictionary(uniqueKeysWithValues: acceptance.headers)
        func check(_ changes: [String: String] = [:], status: Int = 101, offered: Bool = true)
            throws(WebSocketHandshakeError) -> PerMessageDeflate.Agreement?
        {
            let headers = answer.merging(changes) { $1 }
            return try WebSocketHandshake.check(
                status: status, key: key, offeredCompression: offered, values: { headers[$0].map { [$0] } ?? [] })
        }
        #expect(try check()?.serverNoContextTakeover == true)
        #expect(throws: WebSocketHandshakeError.self) { try check(status: 403) }
        #expect(throws: WebSocketHandshakeError.self) { try check(["sec-websocket-accept": "x"]) }
        #expect(throws: WebSocketHandshakeError.self) { try check(["upgrade": "h2c"]) }
        #expect(throws: WebSocketHandshakeError.self) { try check(["sec-websocket-protocol": "x"]) }
        #expect(throws: WebSocketHandshakeError.self) { try check(offered: false) }
    }
}
