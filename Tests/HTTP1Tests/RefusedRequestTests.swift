import HTTP1
import Testing

/// Every way to be read in two ways, and every limit: refused, with the right status.
@Suite struct RefusedRequestTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let status: Int
        let code: HTTPParseError.Code
        let text: String
        init(_ status: Int, _ code: HTTPParseError.Code, _ text: String) {
            (self.status, self.code, self.text) = (status, code, text)
        }
        var testDescription: String { "\(status) \(code): \(text.prefix(80).debugDescription)" }
    }

    static func fields(_ lines: String, _ rest: String = "") -> String {
        "POST / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n\(rest)"
    }

    static func chunks(_ text: String) -> String { fields("Transfer-Encoding: chunked", text) }

    static let framing: [Case] = [
        Case(400, .badFraming, fields("Content-Length: 1\r\nContent-Length: 2", "ab")),
        Case(400, .badFraming, fields("Content-Length: 1\r\nContent-Length: 1", "a")),
        Case(400, .badFraming, fields("Content-Length: 1, 1", "a")),
        Case(400, .badFraming, fields("Content-Length: +1", "a")),
        Case(400, .badFraming, fields("Content-Length: -1", "a")),
        Case(400, .badFraming, fields("Content-Length: 0x1", "a")),
        Case(400, .badFraming, fields("Content-Length: 1 1", "a")),
        Case(400, .badFraming, fields("Content-Length:", "a")),
        Case(400, .badFraming, fields("Content-Length: 1_0", "a")),
        Case(400, .badFraming, fields("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
        Case(400, .badFraming, fields("Transfer-Encoding: chunked\r\nContent-Length: 0", "0\r\n\r\n")),
        Case(400, .badFraming, fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
        Case(400, .badFraming, fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n")),
        Case(400, .badFraming, fields("Transfer-Encoding: chunked, chunked", "0\r\n\r\n")),
        Case(400, .badFraming, fields("Transfer-Encoding: chunked, identity", "0\r\n\r\n")),
        Case(400, .badFraming, fields("Transfer-Encoding: identity", "0\r\n\r\n")),
        Case(400, .badFraming, fields("Transfer-Encoding: xchunked", "0\r\n\r\n")),
        Case(400, .badFraming, fields("Transfer-Encoding: \u{0B}chunked").replacing("\u{0B}", with: "\"")),
        Case(400, .badFraming, fields("Transfer-Encoding:", "0\r\n\r\n")),
        Case(400, .badFraming, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Case(501, .unsupportedTransferCoding, fields("Transfer-Encoding: gzip, chunked", "0\r\n\r\n")),
        Case(501, .unsupportedTransferCoding, fields("Transfer-Encoding: gzip", "0\r\n\r\n")),
        Case(417, .expectationFailed, fields("Expect: miracles")),
        Case(413, .bodyTooLarge, fields("Content-Length: 8388609")),
        Case(413, .bodyTooLarge, fields("Content-Length: 9223372036854775808")),
        Case(413, .bodyTooLarge, fields("Content-Length: 99999999999999999999999999999999999")),
    ]

    static let chunked: [Case] = [
        Case(400, .badChunk, chunks("\r\n")),
        Case(400, .badChunk, chunks("g\r\n")),
        Case(400, .badChunk, chunks("0x5\r\nhello\r\n")),
        Case(400, .badChunk, chunks("-5\r\nhello\r\n")),
        Case(400, .badChunk, chunks("+5\r\nhello\r\n")),
        Case(400, .badChunk, chunks(" 5\r\nhello\r\n")),
        Case(400, .badChunk, chunks("5 \r\nhello\r\n")),
        Case(400, .badChunk, chunks("5\nhello\r\n")),
        Case(400, .badChunk, chunks("5\r\nhelloX\r\n")),
        Case(400, .badChunk, chunks("5\r\nhello\n")),
        Case(400, .badChunk, chunks("5\r\nhello0\r\n\r\n")),
        Case(400, .badChunk, chunks("5;a\rb\r\nhello\r\n")),
        Case(400, .badChunk, chunks("5;a\nb\r\nhello\r\n")),
        Case(400, .badChunk, chunks("5;a\u{0}\r\nhello\r\n")),
        Case(400, .badChunk, chunks("5;" + String(repeating: "x", count: 300) + "\r\nhello\r\n")),
        Case(
            400, .badChunk,
            chunks(String(repeating: "1;" + String(repeating: "x", count: 200) + "\r\na\r\n", count: 30))),
        Case(413, .bodyTooLarge, chunks("800001\r\n")),
        Case(413, .bodyTooLarge, chunks("7fffffffffffffff\r\n")),
        Case(413, .bodyTooLarge, chunks("ffffffffffffffff\r\n")),
        Case(413, .bodyTooLarge, chunks("10000000000000000\r\n")),
        Case(413, .bodyTooLarge, chunks("00000000000000001\r\n")),
        Case(400, .badHeader, chunks("0\r\nBad Trailer: x\r\n\r\n")),
        Case(400, .badHeader, chunks("0\r\n folded\r\n\r\n")),
        Case(431, .headersTooLarge, chunks("0\r\nA: " + String(repeating: "x", count: 5000) + "\r\n\r\n")),
        Case(431, .headersTooLarge, chunks("0\r\n" + String(repeating: "A: b\r\n", count: 101) + "\r\n")),
    ]

    static let lines: [Case] = [
        Case(400, .badHeader, fields("X : a")),
        Case(400, .badHeader, fields("X\t: a")),
        Case(400, .badHeader, fields(" X: a")),
        Case(400, .badHeader, fields("X: a\r\n folded")),
        Case(400, .badHeader, fields("X: a\r\n\tfolded")),
        Case(400, .badHeader, fields(": a")),
        Case(400, .badHeader, fields("NoColon")),
        Case(400, .badHeader, fields("X(: a")),
        Case(400, .badHeader, fields("Xé: a")),
        Case(400, .badHeader, fields("X: a\u{0}b")),
        Case(400, .badHeader, fields("X: a\u{7F}b")),
        Case(400, .badHeader, fields("X: a\u{1B}b")),
        Case(400, .badHeader, fields("X: a\rb")),
        Case(400, .badHeader, fields("X: a\nY: b")),
        Case(400, .badHeader, "GET / HTTP/1.1\r\nHost: a\r\n\n"),
        Case(400, .badHeader, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
        Case(400, .badHost, "GET / HTTP/1.1\r\nX: a\r\n\r\n"),
        Case(400, .badHost, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        Case(400, .badHost, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
        Case(400, .badHost, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        Case(400, .badHost, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
        Case(400, .badHost, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        Case(400, .badHost, "GET http://a/ HTTP/1.1\r\n\r\n"),
        Case(431, .headersTooLarge, fields("X: " + String(repeating: "x", count: 33_000))),
        Case(
            431, .headersTooLarge,
            fields((0..<40).map { "X\($0): \(String(repeating: "x", count: 1000))" }.joined(separator: "\r\n"))),
        Case(431, .headersTooLarge, fields((0..<100).map { "X\($0): y" }.joined(separator: "\r\n"))),
    ]

    static let requestLines: [Case] = [
        Case(400, .badRequestLine, "GET\r\n\r\n"),
        Case(400, .badRequestLine, "GET /\r\n\r\n"),
        Case(400, .badRequestLine, "GET  / HTTP/1.1\r\n\r\n"),
        Case(400, .badRequestLine, "GET / HTTP/1.1 \r\n\r\n"),
        Case(400, .badRequestLine, "GET / a HTTP/1.1\r\n\r\n"),
        Case(400, .badRequestLine, "GET / http/1.1\r\n\r\n"),
        Case(400, .badRequestLine, "GET / HTTP/11\r\n\r\n"),
        Case(400, .badRequestLine, "GET / HTTP/1.\r\n\r\n"),
        Case(400, .badRequestLine, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
        Case(400, .badRequestLine, "GET / HTTP/1.1\rHost: a\r\n\r\n"),
        Case(400, .badRequestLine, "GET\t/ HTTP/1.1\r\n\r\n"),
        Case(400, .badRequestLine, "G(T / HTTP/1.1\r\n\r\n"),
        Case(400, .badRequestLine, " GET / HTTP/1.1\r\n\r\n"),
        Case(400, .badRequestLine, "GET /\u{0} HTTP/1.1\r\n\r\n"),
        Case(400, .badTarget, "GET /é HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(400, .badTarget, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(400, .badTarget, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(400, .badTarget, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(400, .badTarget, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(400, .badTarget, "GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(400, .badTarget, "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(400, .badTarget, "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(414, .targetTooLong, "GET /" + String(repeating: "x", count: 8192) + " HTTP/1.1\r\n\r\n"),
        Case(501, .unsupportedMethod, "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(501, .unsupportedMethod, String(repeating: "A", count: 40) + " / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(505, .unsupportedVersion, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
        Case(505, .unsupportedVersion, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
        Case(505, .unsupportedVersion, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
        Case(505, .http2OnPlainPort, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Case(400, .tlsOnPlainPort, "\u{16}\u{03}\u{01}\u{02}\u{00}\u{01}"),
        Case(400, .badRequestLine, "\u{05}\u{01}\u{00}"),
    ]

    @Test(arguments: framing + chunked + lines + requestLines)
    func isRefused(_ item: Case) {
        let bytes = Array(item.text.utf8)
        let whole = parseRequests([bytes])
        #expect(whole.last == .failure(item.status, item.code))
        #expect(!whole.contains(.end))
        #expect(parseRequests(octets(bytes)).last == .failure(item.status, item.code))
    }

    /// A limit must bite while the bytes come, not after they have been kept.
    @Test(arguments: [
        ("GET /", "x", 8 << 10, 414), ("GET / HTTP/1.1\r\nA: ", "y", 32 << 10, 431),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;", "z", 256, 400),
    ])
    func endlessLinesEndAtTheLimit(start: String, filler: String, limit: Int, status: Int) {
        var parser = HTTPRequestParser()
        var taken = 0
        var failure: HTTPParseError?
        let pieces = [Array(start.utf8)] + Array(repeating: Array(filler.utf8), count: 1 << 20)
        feed(pieces) { input in
            do throws(HTTPParseError) {
                while try parser.next(&input) != nil {}
                taken += 1
                return true
            } catch {
                failure = error
                return false
            }
        }
        #expect(failure?.status == status)
        #expect(taken <= limit + 1)
    }

    @Test func customLimits() {
        let limits = HTTPLimits(startLineBytes: 20, headerBytes: 20, headerCount: 1, bodyBytes: 3)
        #expect(parseRequests("GET /12345 HTTP/1.1\r\nHost: a\r\n\r\n", limits: limits).last == .end)
        #expect(parseRequests("GET /1234567 HTTP/1.1\r\n", limits: limits) == [.failure(414, .targetTooLong)])
        let two = "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n"
        #expect(parseRequests(two, limits: limits) == [.failure(431, .headersTooLarge)])
        let chunks = "GET / HTTP/1.0\r\nContent-Length: 4\r\n\r\nabcd"
        #expect(parseRequests(chunks, limits: limits) == [.failure(413, .bodyTooLarge)])
    }
}
