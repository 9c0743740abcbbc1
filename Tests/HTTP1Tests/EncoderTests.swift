import HTTP1
import Testing

@Suite struct EncoderTests {
    static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    static let date = HTTPDate.bytes(secondsSinceEpoch: 784_111_777)

    func encode(
        _ status: Int, _ headers: HTTPHeaders = [:], _ body: HTTPResponseEncoder.Body = .length(2),
        request: String = get
    ) throws -> (text: String, head: HTTPResponseEncoder.Head) {
        var output: [UInt8] = []
        let head = try HTTPResponseEncoder.writeHead(
            status: status, headers: headers, body: body, answering: try requestHead(request), date: Self.date,
            into: &output)
        return (String(decoding: output, as: UTF8.self), head)
    }

    @Test func aPlainResponse() throws {
        let (text, head) = try encode(200, ["Content-Type": "text/plain"])
        #expect(
            text == "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-type: text/plain\r\n"
                + "content-length: 2\r\n\r\n")
        #expect(head == .init(framing: .plain, keepsAlive: true))
    }

    @Test func framing() throws {
        let stream = try encode(200, [:], .stream)
        #expect(stream.text.contains("transfer-encoding: chunked\r\n"))
        #expect(stream.head.framing == .chunked)
        let old = try encode(200, [:], .stream, request: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(!old.text.contains("transfer-encoding"))
        #expect(old.text.contains("connection: close\r\n"))
        #expect(old.head == .init(framing: .plain, keepsAlive: false))
        let kept = try encode(200, request: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(kept.text.contains("connection: keep-alive\r\n"))
        let head = try encode(200, request: "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(head.text.contains("content-length: 2\r\n"))
        #expect(head.head.framing == .none)
        for status in [101, 204, 304] {
            let empty = try encode(status)
            #expect(!empty.text.contains("content-length"))
            #expect(empty.head.framing == .none)
        }
        let closing = try encode(200, request: "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(closing.text.contains("connection: close\r\n"))
        #expect(!closing.head.keepsAlive)
    }

    @Test func aRequestThatCouldNotBeParsedIsAnsweredAndClosed() throws {
        var output: [UInt8] = []
        let head = try HTTPResponseEncoder.writeHead(
            status: 400, headers: [:], body: .none, answering: nil, date: [], into: &output)
        #expect(!head.keepsAlive)
        let expected = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        #expect(String(decoding: output, as: UTF8.self) == expected)
    }

    @Test(arguments: [
        ("X", "a\r\nSet-Cookie: b", HTTPEncodeError.Code.invalidHeader), ("X", "a\nb", .invalidHeader),
        ("X", "a\u{0}", .invalidHeader), ("X\r\nY", "a", .invalidHeader), ("X:", "a", .invalidHeader),
        ("", "a", .invalidHeader), ("X Y", "a", .invalidHeader), ("Content-Length", "5", .reservedHeader),
        ("Transfer-Encoding", "chunked", .reservedHeader), ("Connection", "close", .reservedHeader),
        ("Date", "today", .reservedHeader),
    ])
    func headersThatBreakTheHeadAreRefused(name: String, value: String, code: HTTPEncodeError.Code) throws {
        var output: [UInt8] = [1]
        let request = try requestHead(Self.get)
        let error = #expect(throws: HTTPEncodeError.self) {
            try HTTPResponseEncoder.writeHead(
                status: 200, headers: HTTPHeaders([(name, value)]), body: .none, answering: request, date: [],
                into: &output)
        }
        #expect(error?.code == code)
        #expect(output == [1])
    }

    @Test func chunks() {
        var output: [UInt8] = []
        HTTPResponseEncoder.writeChunk(Array(repeating: 0x61, count: 26), into: &output)
        HTTPResponseEncoder.writeChunk([], into: &output)
        HTTPResponseEncoder.writeLastChunk(into: &output)
        let expected = "1a\r\n" + String(repeating: "a", count: 26) + "\r\n0\r\n\r\n"
        #expect(String(decoding: output, as: UTF8.self) == expected)
    }

    @Test func requests() throws {
        var output: [UInt8] = []
        try HTTPRequestEncoder.writeHead(
            method: .post, target: "/a?b", host: "h:1", headers: ["X": "y"], bodyCount: 3, into: &output)
        let expected = "POST /a?b HTTP/1.1\r\nhost: h:1\r\nx: y\r\ncontent-length: 3\r\n\r\n"
        #expect(String(decoding: output, as: UTF8.self) == expected)
        for target in ["", "a", "/a b", "/a\r\nX: y", "/é"] {
            #expect(throws: HTTPEncodeError.self) {
                try HTTPRequestEncoder.writeHead(method: .get, target: target, host: "h", into: &output)
            }
        }
        #expect(throws: HTTPEncodeError.self) {
            try HTTPRequestEncoder.writeHead(method: .get, target: "/", host: "h\r\nX: y", into: &output)
        }
        #expect(String(decoding: output, as: UTF8.self) == expected)
    }

    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_795_259_999, "Sat, 21 Nov 2026 11:19:59 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (Int64.max, "Fri, 31 Dec 9999 23:59:59 GMT"), (Int64.min, "Sat, 01 Jan 0000 00:00:00 GMT"),
    ])
    func dates(seconds: Int64, text: String) {
        #expect(String(decoding: HTTPDate.bytes(secondsSinceEpoch: seconds), as: UTF8.self) == text)
    }

    @Test func theDateIsKeptForItsSecond() {
        var cache = HTTPDateCache()
        #expect(cache.bytes(secondsSinceEpoch: 5) == HTTPDate.bytes(secondsSinceEpoch: 5))
        #expect(cache.bytes(secondsSinceEpoch: 5) == HTTPDate.bytes(secondsSinceEpoch: 5))
        #expect(cache.bytes(secondsSinceEpoch: 6) == HTTPDate.bytes(secondsSinceEpoch: 6))
    }
}
