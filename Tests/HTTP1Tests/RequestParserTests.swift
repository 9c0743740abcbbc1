import HTTP1
import Testing

@Suite struct RequestParserTests {
    @Test func aSmallRequest() throws {
        let head = try requestHead("GET /a/b?c=d&e HTTP/1.1\r\nHost: localhost:8080\r\nX-Thing:  two words \t\r\n\r\n")
        #expect(head.method == .get)
        #expect(head.version == .http11)
        #expect(head.target == "/a/b?c=d&e")
        #expect(head.path == "/a/b")
        #expect(head.query == "c=d&e")
        #expect(head.host == "localhost:8080")
        #expect(head.headers["x-THING"] == "two words")
        #expect(head.headers["missing"] == nil)
        #expect(head.body == .none)
        #expect(head.keepsAlive)
        #expect(head.isPath("/a/b"))
        #expect(!head.isPath("/a/c"))
        #expect(!head.isPath("/a"))
    }

    @Test func targetForms() throws {
        let absolute = try requestHead("GET http://other:81/x?y HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(absolute.host == "other:81")
        #expect(absolute.path == "/x")
        #expect(absolute.query == "y")
        let bare = try requestHead("GET HTTP://other?y=/z HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(bare.host == "other")
        #expect(bare.path == "/")
        #expect(bare.query == "y=/z")
        let asterisk = try requestHead("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(asterisk.isAsterisk)
        #expect(asterisk.path == "*")
        #expect(try requestHead("GET /? HTTP/1.1\r\nHost: a\r\n\r\n").query == "")
        #expect(try requestHead("GET / HTTP/1.1\r\nHost: a\r\n\r\n").query == nil)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
        ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false),
    ])
    func keepAlive(text: String, expected: Bool) throws {
        #expect(try requestHead(text).keepsAlive == expected)
    }

    @Test func upgradeNeedsBothFields() throws {
        let both = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n"
        #expect(try requestHead(both).wantsUpgrade)
        #expect(try !requestHead("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n").wantsUpgrade)
        #expect(try !requestHead("GET / HTTP/1.0\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n").wantsUpgrade)
    }

    @Test func expectContinue() throws {
        let text = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n"
        #expect(try requestHead(text).expectsContinue)
        // Nothing to wait for without a body, and HTTP/1.0 doesn't know it.
        #expect(try !requestHead("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").expectsContinue)
        let old = "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        #expect(try !requestHead(old).expectsContinue)
    }

    @Test func bodies() {
        let fixed = parseRequests("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        #expect(fixed.dropFirst() == [.body(Array("hello".utf8)), .end])
        let chunked = parseRequests(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
                + "5\r\nhello\r\n0A;ext=\"1\"\r\n, chunked!\r\n1 ;x\r\n.\r\n000\r\nTrailer: x\r\n\r\n")
        #expect(chunked.dropFirst() == [.body(Array("hello, chunked!.".utf8)), .end])
        #expect(parseRequests("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").last == .end)
    }

    @Test func pipelinedRequestsComeOneAtATime() throws {
        let text = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nrest"
        var parser = HTTPRequestParser()
        try Array(text.utf8).withUnsafeBytes { bytes in
            var input = bytes
            guard case .head(let first)? = try parser.next(&input) else { throw NoHead() }
            #expect(first.path == "/1")
            guard case .end? = try parser.next(&input) else { throw NoHead() }
            #expect(parser.phase == .idle)
            #expect(input.count == bytes.count - 28)
            guard case .head(let second)? = try parser.next(&input) else { throw NoHead() }
            #expect(second.path == "/2")
            guard case .end? = try parser.next(&input) else { throw NoHead() }
            // What follows is there for another protocol.
            #expect(Array(input) == Array("rest".utf8))
        }
    }

    @Test func phases() throws {
        var parser = HTTPRequestParser()
        #expect(parser.phase == .idle)
        func give(_ text: String) throws -> Bool {
            try Array(text.utf8).withUnsafeBytes { bytes in
                var input = bytes
                return try parser.next(&input) != nil
            }
        }
        #expect(try !give("PO"))
        #expect(parser.phase == .head)
        #expect(try !give("ST / HTTP/1.1\r\n"))
        #expect(parser.phase == .head)
        #expect(try give("Host: a\r\nContent-Length: 1\r\n\r\n"))
        #expect(parser.phase == .body)
        #expect(try give("x"))
        #expect(try give(""))
        #expect(parser.phase == .idle)
        #expect(throws: HTTPParseError.self) { try give("\u{1}") }
        #expect(parser.phase == .failed)
        #expect(throws: HTTPParseError.self) { try give("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
    }

    @Test func oneEmptyLineBeforeARequestIsSkipped() {
        #expect(parseRequests("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").count == 2)
        #expect(parseRequests("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") == [.failure(400, .badRequestLine)])
    }

    @Test func anySplitGivesTheSameEvents() {
        let streams = [
            "GET /health HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\nGET http://a/b HTTP/1.0\r\n\r\n",
            "POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello worldHEAD / HTTP/1.1\r\nHost: b\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n10\r\n0123456789abcdef\r\n"
                + "0\r\nA: b\r\nC: d\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nBad : x\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        ]
        var random = FixedRandom()
        for text in streams {
            let bytes = Array(text.utf8)
            let whole = parseRequests([bytes])
            #expect(parseRequests(octets(bytes)) == whole)
            for cut in 1..<bytes.count {
                #expect(parseRequests([Array(bytes[..<cut]), Array(bytes[cut...])]) == whole, "cut at \(cut): \(text)")
            }
            for _ in 0..<50 { #expect(parseRequests(random.split(bytes)) == whole) }
        }
    }
}
