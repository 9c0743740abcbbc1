import Foundation
import JSON
import TestSupport
import Testing

/// What clients may get wrong: each has its answer, costs nothing and changes nothing.
@Suite(.timeLimit(.minutes(10))) struct BadInputTests {
    struct Request: CustomTestStringConvertible, Sendable {
        var line: String
        var body: String?
        var status: Int
        var code: String
        var testDescription: String { "\(line) \(body?.prefix(60) ?? "")" }

        init(_ line: String, _ body: String?, _ status: Int, _ code: String) {
            (self.line, self.body, self.status, self.code) = (line, body, status, code)
        }

        init(_ line: String, _ status: Int, _ code: String) { self.init(line, nil, status, code) }
    }

    // SESSION stands for the id of a session that exists.
    static let requests = [
        Request("GET /nothing", 404, "not_found"),
        Request("GET /api/v1/nothing", 404, "not_found"),
        Request("GET /api/v2/sessions", 404, "not_found"),
        Request("PUT /api/v1/sessions", "{}", 405, "method_not_allowed"),
        Request("POST /health", "{}", 405, "method_not_allowed"),
        // No body is an empty object: a shutdown or an interrupt needs none.
        Request("POST /api/v1/sessions", "", 400, "missing_field"),
        Request("POST /api/v1/sessions", "{", 400, "invalid_json"),
        Request("POST /api/v1/sessions", "{\"providerId\":\"echo\"} x", 400, "invalid_json"),
        Request("POST /api/v1/sessions", "{\"providerId\":\"\\ud800\"}", 404, "provider_not_found"),
        Request("POST /api/v1/sessions", String(repeating: "[", count: 5000), 400, "invalid_json"),
        Request("POST /api/v1/sessions", "[]", 400, "invalid_request"),
        Request("POST /api/v1/sessions", "{}", 400, "missing_field"),
        Request("POST /api/v1/sessions", "{\"providerId\":7}", 400, "invalid_request"),
        Request("POST /api/v1/sessions", "{\"providerId\":\"none\"}", 404, "provider_not_found"),
        Request("POST /api/v1/sessions", "{\"providerId\":\"echo\",\"workspace\":7}", 400, "invalid_request"),
        Request(
            "POST /api/v1/sessions", "{\"providerId\":\"echo\",\"workspace\":\"relative\"}", 400, "invalid_request"),
        Request(
            "POST /api/v1/sessions", "{\"providerId\":\"echo\",\"workspace\":\"/not/there\"}", 404,
            "workspace_not_found"),
        Request("POST /api/v1/sessions", "{\"providerId\":\"echo\",\"tags\":\"one\"}", 400, "invalid_request"),
        Request("GET /api/v1/sessions/01ARZ3NDEKTSV4RRFFQ69G5FAV", 404, "session_not_found"),
        Request("GET /api/v1/sessions/..%2f..%2fcore%2ftoken", 400, "invalid_request"),
        Request("GET /api/v1/sessions/%00", 400, "invalid_request"),
        Request("DELETE /api/v1/sessions/01ARZ3NDEKTSV4RRFFQ69G5FAV", 404, "session_not_found"),
        Request("PATCH /api/v1/sessions/SESSION", "{\"title\":7}", 400, "invalid_request"),
        Request("GET /api/v1/sessions?limit=x", 400, "invalid_request"),
        Request("GET /api/v1/sessions?limit=-1", 400, "invalid_request"),
        Request("GET /api/v1/sessions?status=odd", 400, "invalid_request"),
        Request("GET /api/v1/sessions/SESSION/events?after=x", 400, "invalid_request"),
        Request("GET /api/v1/sessions/SESSION/events?after=-1", 400, "invalid_request"),
        Request("GET /api/v1/sessions/SESSION/events?after=99999999999999999999", 400, "invalid_request"),
        Request("GET /api/v1/sessions/SESSION/events?limit=0", 400, "invalid_request"),
        Request("POST /api/v1/sessions/SESSION/messages", "{}", 400, "missing_field"),
        Request("POST /api/v1/sessions/SESSION/messages", "{\"content\":null}", 400, "missing_field"),
        Request("POST /api/v1/sessions/SESSION/messages", "{\"content\":7}", 400, "invalid_request"),
        Request("POST /api/v1/sessions/SESSION/messages", "{\"content\":\"\"}", 400, "invalid_request"),
        Request(
            "POST /api/v1/sessions/SESSION/messages", "{\"content\":\"a\",\"mode\":\"odd\"}", 400, "invalid_request"),
        Request(
            "POST /api/v1/sessions/SESSION/messages", "{\"content\":\"a\",\"clientMessageId\":7}", 400,
            "invalid_request"),
        Request("POST /api/v1/sessions/SESSION/permissions/none", "{\"optionId\":\"a\"}", 404, "request_not_found"),
        Request("POST /api/v1/sessions/SESSION/permissions/none", "{}", 400, "missing_field"),
        Request("POST /api/v1/sessions/SESSION/questions/none", "{\"answers\":{}}", 404, "request_not_found"),
        Request("POST /api/v1/sessions/SESSION/questions/none", "{\"answers\":7}", 400, "invalid_request"),
        Request("GET /api/v1/providers/none", 404, "provider_not_found"),
        Request("POST /api/v1/providers/none/check", "{}", 404, "provider_not_found"),
        Request("PATCH /api/v1/providers/none", "{\"enabled\":true}", 404, "provider_not_found"),
        Request("PATCH /api/v1/providers/echo", "{}", 400, "missing_field"),
        Request("PATCH /api/v1/providers/echo", "{\"enabled\":\"yes\"}", 400, "invalid_request"),
        Request("POST /api/v1/providers/none/install", "{}", 404, "provider_not_found"),
        Request("POST /api/v1/providers/echo/install", "{}", 409, "no_install_recipe"),
        Request("POST /api/v1/providers/echo/install", "[]", 400, "invalid_request"),
        Request("DELETE /api/v1/providers/echo/install", 409, "not_installing"),
        Request("POST /api/v1/providers/echo/uninstall", "{}", 409, "not_installed"),
        Request("POST /api/v1/providers/echo/login", "{}", 409, "no_login"),
        Request("POST /api/v1/providers/..%2fecho/login", "{}", 400, "invalid_request"),
        Request("PUT /api/v1/providers/echo", "{}", 405, "method_not_allowed"),
        Request("POST /api/v1/core/shutdown", "{\"graceMs\":\"soon\"}", 400, "invalid_request"),
        Request("POST /api/v1/auth/session", "{\"ticket\":\"invented\"}", 401, "token_required"),
    ]

    @Test func everyRequestGetsItsError() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("[[text:a]]", in: session)
        let before = try (daemon.call("GET", "/sessions"), daemon.events(session))
        for request in Self.requests {
            let parts = request.line.replacingOccurrences(of: "SESSION", with: session).split(separator: " ")
            let response = try daemon.http(
                String(parts[0]), String(parts[1]), bytes: request.body.map { Array($0.utf8) })
            let comment = Comment(rawValue: "\(request.testDescription): \(response.status) \(response.text)")
            #expect(response.status == request.status, comment)
            #expect(response.errorCode == request.code, comment)
            #expect(response.json["error"]?["message"]?.stringValue?.isEmpty == false, comment)
            if response.status == 405 { #expect(response["Allow"] != nil, comment) }
        }
        #expect(try daemon.call("GET", "/sessions") == before.0)
        #expect(try daemon.events(session) == before.1)
    }

    @Test func tooLargeIsRefusedBeforeItIsSent() throws {
        let daemon = try TestDaemon.running()
        let connection = try RawConnection(port: daemon.port)
        try connection.send(
            "POST /api/v1/sessions HTTP/1.1\r\nHost: \(daemon.authority)\r\nContent-Length: 99999999999\r\n\r\n")
        let response = try #require(try connection.response())
        #expect(response.status == 413)
        #expect(response.errorCode == "payload_too_large")
        #expect(connection.isEnded())
    }

    /// What has been used to smuggle requests, or to keep a server busy: refused, and the connection ends.
    static let malformed: [(String, String)] = [
        ("two lengths", "POST /health HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        ("a list of lengths", "POST /health HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1, 2\r\n\r\nab"),
        ("a signed length", "POST /health HTTP/1.1\r\nHost: HOST\r\nContent-Length: +1\r\n\r\na"),
        (
            "length and chunks",
            "POST /health HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        ("an unknown coding", "POST /health HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        (
            "a bad chunk",
            "POST /health HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"
        ),
        ("a folded header", "GET /health HTTP/1.1\r\nHost: HOST\r\nA: b\r\n c\r\n\r\n"),
        ("a space before the colon", "GET /health HTTP/1.1\r\nHost : HOST\r\n\r\n"),
        ("no host", "GET /health HTTP/1.1\r\n\r\n"),
        ("two hosts", "GET /health HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n"),
        ("no version", "GET /health\r\n\r\n"),
        ("a nul in a header", "GET /health HTTP/1.1\r\nHost: HOST\r\nA: \u{0}\r\n\r\n"),
        ("garbage", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\r\n\r\n"),
    ]

    @Test func malformedRequestsEndTheConnection() throws {
        let daemon = try TestDaemon.running()
        for (name, text) in Self.malformed {
            let connection = try RawConnection(port: daemon.port)
            // A second request behind it must never be answered.
            let text = text.replacingOccurrences(of: "HOST", with: daemon.authority)
            try connection.send(text + "GET /smuggled HTTP/1.1\r\nHost: \(daemon.authority)\r\n\r\n")
            let response = try #require(try connection.response(), Comment(rawValue: name))
            #expect((400..<500).contains(response.status) && response.status != 404, Comment(rawValue: name))
            #expect(try connection.takeAll().isEmpty, Comment(rawValue: name))
        }
        #expect(try daemon.http("GET", "/health").status == 200)
    }

    @Test func hugeHeadersAreRefused() throws {
        let daemon = try TestDaemon.running()
        for header in [
            "A: " + String(repeating: "a", count: 1 << 20), String(repeating: "A: b\r\n", count: 2000) + "C: d",
        ] {
            let connection = try RawConnection(port: daemon.port)
            // The answer may come before all is sent.
            try? connection.send("GET /health HTTP/1.1\r\nHost: \(daemon.authority)\r\n\(header)\r\n\r\n")
            if let response = try connection.response() { #expect([400, 413, 431].contains(response.status)) }
        }
        #expect(try daemon.http("GET", "/health").status == 200)
    }

    // MARK: WebSocket

    static let frames: [(text: String, code: String)] = [
        ("", "invalid_json"), ("{", "invalid_json"), ("nonsense", "invalid_json"), ("[]", "invalid_request"),
        ("{}", "missing_field"), ("{\"type\":7,REQUEST}", "invalid_request"),
        ("{\"type\":\"odd\",REQUEST}", "unknown_type"),
        ("{\"type\":\"session:create\",REQUEST}", "missing_field"),
        ("{\"type\":\"session:create\",REQUEST,\"payload\":7}", "invalid_request"),
        ("{\"type\":\"session:create\",REQUEST,\"payload\":{\"providerId\":\"none\"}}", "provider_not_found"),
        ("{\"type\":\"session:message\",REQUEST,\"payload\":{\"content\":\"a\"}}", "missing_field"),
        ("{\"type\":\"session:message\",REQUEST,\"sessionId\":\"SESSION\"}", "missing_field"),
        ("{\"type\":\"session:message\",REQUEST,\"sessionId\":7,\"payload\":{\"content\":\"a\"}}", "invalid_request"),
        (
            "{\"type\":\"session:message\",REQUEST,\"sessionId\":\"none\",\"payload\":{\"content\":\"a\"}}",
            "session_not_found"
        ),
        ("{\"type\":\"session:interrupt\",REQUEST,\"sessionId\":\"none\"}", "session_not_found"),
        ("{\"type\":\"session:rename\",REQUEST,\"sessionId\":\"SESSION\"}", "missing_field"),
        ("{\"type\":\"session:delete\",REQUEST}", "missing_field"),
        ("{\"type\":\"permission:respond\",REQUEST,\"sessionId\":\"SESSION\"}", "missing_field"),
        (
            "{\"type\":\"permission:respond\",REQUEST,\"sessionId\":\"SESSION\",\"payload\":{\"requestId\":\"x\",\"optionId\":\"y\"}}",
            "request_not_found"
        ),
        (
            "{\"type\":\"session:history\",REQUEST,\"sessionId\":\"SESSION\",\"payload\":{\"limit\":\"x\"}}",
            "invalid_request"
        ),
        (
            "{\"type\":\"session:withdraw\",REQUEST,\"sessionId\":\"SESSION\",\"payload\":{\"turnId\":\"x\"}}",
            "turn_not_queued"
        ),
        ("{\"type\":\"client:hello\",REQUEST,\"payload\":{\"resume\":7}}", "invalid_request"),
        ("{\"type\":\"client:hello\",REQUEST,\"payload\":{\"resume\":{\"SESSION\":\"x\"}}}", "invalid_request"),
        ("{\"type\":\"client:hello\",REQUEST,\"payload\":{\"subscribe\":7}}", "invalid_request"),
    ]

    @Test func everyFrameGetsItsError() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        let before = try daemon.events(session)
        let client = try daemon.client("bad")
        for (text, code) in Self.frames {
            let hasRequest = text.contains("REQUEST")
            let frame = text.replacingOccurrences(of: "REQUEST", with: "\"requestId\":\"q\"")
                .replacingOccurrences(of: "SESSION", with: session)
            try client.send(text: frame)
            // With a requestId both an ack and an error may come, in either order; each names the code.
            let answer = try client.frame { ["ack", "error", "session:error"].contains($0.type) }
            let comment = Comment(rawValue: "\(frame.prefix(120)): \(answer)")
            if answer.type == "ack" {
                #expect(hasRequest, comment)
                #expect(answer["payload"]?["ok"] == false, comment)
                #expect(answer["payload"]?["error"]?["code"]?.stringValue == code, comment)
            } else {
                #expect(answer["payload"]?["code"]?.stringValue == code, comment)
                if hasRequest { #expect(try client.frame(type: "ack")["payload"]?["ok"] == false, comment) }
            }
            // A marker that comes back keeps one case's answers apart from the next one's.
            try client.send(opcode: 9, [1])
            while try client.receive() != .pong([1]) {}
        }
        #expect(try daemon.events(session) == before)
        #expect(try client.request("session:history", ["sessionId": JSON(session)])["ok"] == true)
    }

    /// Violations of RFC 6455, each with the close code of its section 7.4.1.
    static let violations: [(name: String, code: Int, send: @Sendable (RawWebSocket) throws -> Void)] = [
        ("not masked", 1002, { try $0.send(opcode: 1, Array("{}".utf8), isMasked: false) }),
        ("a reserved opcode", 1002, { try $0.send(opcode: 3, []) }),
        ("a control frame in parts", 1002, { try $0.send(opcode: 9, [], isFinal: false) }),
        ("a long control frame", 1002, { try $0.send(opcode: 9, Array(repeating: 0, count: 126)) }),
        ("a continuation of nothing", 1002, { try $0.send(opcode: 0, []) }),
        ("text that is no UTF-8", 1007, { try $0.send(opcode: 1, [0xc3, 0x28]) }),
        ("a bad close code", 1002, { try $0.send(opcode: 8, [0x03, 0xed]) }),
        ("a close of one byte", 1002, { try $0.send(opcode: 8, [0x03]) }),
        ("a huge message", 1009, { try $0.connection.send([0x81, 0xff, 0, 0, 0, 0x10, 0, 0, 0, 0, 1, 2, 3, 4]) }),
    ]

    @Test func violationsCloseWithTheRightCode() throws {
        let daemon = try TestDaemon.running()
        for (name, code, send) in Self.violations {
            let client = try daemon.client("bad")
            try send(client)
            var last = RawWebSocket.Message.text([])
            while case .text = last { last = try client.receive() }
            guard case .close(let got, _) = last else {
                Issue.record("\(name): \(last)")
                continue
            }
            #expect(got == code, Comment(rawValue: name))
            #expect(client.connection.isEnded(), Comment(rawValue: name))
        }
        #expect(try daemon.call("GET", "/health")["clients"]?.intValue == 0)
    }

    static let handshakes: [(name: String, lines: [String])] = [
        (
            "another version",
            [
                "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 8",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ]
        ),
        ("no key", ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]),
        (
            "a short key",
            ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: abc"]
        ),
        ("no upgrade", ["Connection: keep-alive"]),
    ]

    @Test func badHandshakesAreRefused() throws {
        let daemon = try TestDaemon.running()
        for (name, lines) in Self.handshakes {
            let connection = try RawConnection(port: daemon.port)
            try connection.send(
                (["GET /api/v1/stream HTTP/1.1", "Host: \(daemon.authority)"] + lines).joined(separator: "\r\n")
                    + "\r\n\r\n")
            let response = try #require(try connection.response())
            #expect((400..<500).contains(response.status), Comment(rawValue: "\(name): \(response)"))
            if name == "another version" { #expect(response["Sec-WebSocket-Version"] == "13") }
        }
    }
}
