import HTTP1
import Testing

@Suite struct ResponseParserTests {
    enum Event: Equatable {
        case head(Int, HTTPBodyLength, keepsAlive: Bool)
        case body(String)
        case end
        case failure(HTTPParseError.Code)
    }

    func parse(_ pieces: [[UInt8]], method: HTTPMethod = .get, closes: Bool = false) -> [Event] {
        var parser = HTTPResponseParser(limits: HTTPLimits(bodyBytes: 1000))
        parser.expect(method)
        var events: [Event] = []
        feed(pieces) { input in
            do throws(HTTPParseError) {
                while let event = try parser.next(&input) {
                    switch event {
                    case .head(let head):
                        events.append(.head(head.status, head.body, keepsAlive: head.keepsAlive))
                    case .body(let part):
                        let text = String(decoding: part, as: UTF8.self)
                        if case .body(let earlier)? = events.last {
                            events[events.count - 1] = .body(earlier + text)
                        } else {
                            events.append(.body(text))
                        }
                    case .end: events.append(.end)
                    }
                }
                return true
            } catch {
                events.append(.failure(error.code))
                return false
            }
        }
        if closes {
            do throws(HTTPParseError) {
                if try parser.finish() != nil { events.append(.end) }
            } catch {
                events.append(.failure(error.code))
            }
        }
        return events
    }

    func parse(_ text: String, method: HTTPMethod = .get, closes: Bool = false) -> [Event] {
        let whole = parse([Array(text.utf8)], method: method, closes: closes)
        #expect(parse(octets(Array(text.utf8)), method: method, closes: closes) == whole)
        return whole
    }

    @Test func bodies() {
        #expect(
            parse("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 204 No Content\r\n\r\n")
                == [
                    .head(200, .fixed(2), keepsAlive: true), .body("hi"), .end, .head(204, .none, keepsAlive: true),
                    .end,
                ])
        #expect(
            parse("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
                == [.head(200, .chunked, keepsAlive: true), .body("hi"), .end])
        #expect(
            parse("HTTP/1.0 200 OK\r\n\r\nhi", closes: true)
                == [.head(200, .untilClose, keepsAlive: false), .body("hi"), .end])
        #expect(
            parse("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", method: .head)
                == [.head(200, .none, keepsAlive: true), .end])
        #expect(
            parse("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
                == [.head(100, .none, keepsAlive: true), .head(201, .none, keepsAlive: true), .end])
    }

    @Test func afterAnUpgradeTheRestIsNotTouched() throws {
        var parser = HTTPResponseParser()
        try Array("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\u{01}".utf8).withUnsafeBytes {
            bytes in
            var input = bytes
            guard case .head(let head)? = try parser.next(&input) else { throw NoHead() }
            #expect(head.status == 101)
            #expect(try parser.next(&input) == nil)
            #expect(Array(input) == [1])
        }
    }

    @Test(arguments: [
        ("HTTP/2 200 OK\r\n\r\n", HTTPParseError.Code.badStatusLine), ("HTTP/1.1 20 OK\r\n\r\n", .badStatusLine),
        ("HTTP/1.1 999 OK\r\n\r\n", .badStatusLine), ("HTTP/1.1 2000 OK\r\n\r\n", .badStatusLine),
        ("garbage\r\n\r\n", .badStatusLine), ("HTTP/1.1 200 OK\nA: b\r\n\r\n", .badStatusLine),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", .badHeader),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .badFraming),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", .bodyTooLarge),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", .badChunk),
        ("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 1001), .bodyTooLarge),
        ("HTTP/1.1 200 OK\r\nA: " + String(repeating: "x", count: 40_000), .headersTooLarge),
    ])
    func isRefused(text: String, code: HTTPParseError.Code) {
        #expect(parse([Array(text.utf8)]).last == .failure(code))
    }

    @Test func aCutOffResponseIsAnError() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi"
        #expect(parse(head, closes: true).last == .failure(.truncated))
        #expect(parse("HTTP/1.1 2", closes: true).last == .failure(.truncated))
        #expect(parse("", closes: true) == [])
    }
}
