import Foundation
import JSON
import TestSupport
import Testing

/// What makes two readers see different requests in the same bytes, what unpacks to more than it looks, and what isn't
/// HTTP/1.1 at all.
@Suite(.timeLimit(.minutes(10))) struct SmugglingTests {
    /// HEAD ends the line of the request and names the host; behind each stands a request that must not be answered.
    static let ambiguous: [(name: String, text: String)] = [
        ("CL.TE", "POST /health HEAD\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"),
        (
            "TE.CL",
            "POST /health HEAD\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\nSMUGGLED\r\n0\r\n\r\n"
        ),
        ("TE.TE", "POST /health HEAD\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        ("two codings", "POST /health HEAD\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("chunked twice", "POST /health HEAD\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        ("chunked not last", "POST /health HEAD\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        ("a coding with a tab", "POST /health HEAD\r\nTransfer-Encoding:\tchunked\u{b}\r\n\r\n0\r\n\r\n"),
        ("a coding in quotes", "POST /health HEAD\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
        ("a folded coding", "POST /health HEAD\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        ("a name with a space", "POST /health HEAD\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        ("a name with an underscore's neighbour", "POST /health HEAD\r\nTransfer\u{7f}Encoding: chunked\r\n\r\n"),
        ("a bare line feed", "POST /health HEAD\r\nContent-Length: 0\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("a bare return", "GET /health HEAD\r\nA: b\rTransfer-Encoding: chunked\r\n\r\n"),
        ("two equal lengths", "POST /health HEAD\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
        ("a hexadecimal length", "POST /health HEAD\r\nContent-Length: 0x2\r\n\r\n{}"),
        ("an empty length", "POST /health HEAD\r\nContent-Length:\r\n\r\n{}"),
        ("a negative length", "POST /health HEAD\r\nContent-Length: -1\r\n\r\n"),
        ("a length with a space in it", "POST /health HEAD\r\nContent-Length: 1 2\r\n\r\n{}"),
        ("a length beyond 64 bits", "POST /health HEAD\r\nContent-Length: 18446744073709551618\r\n\r\n{}"),
        ("a chunk size with a sign", "POST /health HEAD\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n"),
        (
            "a chunk size beyond 64 bits",
            "POST /health HEAD\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n"
        ),
        ("a chunk longer than it says", "POST /health HEAD\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n"),
        ("a chunk ended by a line feed", "POST /health HEAD\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n"),
        ("an empty chunk size", "POST /health HEAD\r\nTransfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n"),
        ("a coding in HTTP/1.0", "POST /health HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("a version of its own", "GET /health HTTP/1.2x\r\nHost: HOST\r\n\r\n"),
        ("a version of one digit", "GET /health HTTP/1\r\nHost: HOST\r\n\r\n"),
        ("a space more", "GET  /health HEAD\r\n\r\n"),
        ("a tab for a space", "GET\t/health HEAD\r\n\r\n"),
        ("a nul in the target", "GET /hea\u{0}lth HEAD\r\n\r\n"),
        ("connect", "CONNECT evil.example:443 HEAD\r\n\r\n"),
        ("a lower-case method", "get /health HEAD\r\n\r\n"),
    ]

    @Test func nothingIsSmuggled() throws {
        let daemon = try TestDaemon.running()
        for (name, text) in Self.ambiguous {
            let connection = try RawConnection(port: daemon.port)
            let head = "HTTP/1.1\r\nHost: \(daemon.authority)"
            let bytes = text.replacingOccurrences(of: "HEAD", with: head)
                .replacingOccurrences(of: "HOST", with: daemon.authority)
            try? connection.send(bytes + "GET /status HTTP/1.1\r\nHost: \(daemon.authority)\r\n\r\n")
            let all = String(decoding: (try? connection.takeAll()) ?? [], as: UTF8.self)
            let answers = all.components(separatedBy: "HTTP/1.1 ").dropFirst().compactMap { Int($0.prefix(3)) }
            let comment = Comment(rawValue: "\(name): \(answers)")
            // One refusal and the end; what came behind is nobody's request.
            #expect(answers.count <= 1, comment)
            #expect(answers.allSatisfy { (400..<600).contains($0) && $0 != 500 }, comment)
            #expect(!all.contains("providerProblems"), comment)
        }
    }

    /// Requests behind one another in one packet, with bodies: each has its answer, in order, and nothing is left over.
    @Test func pipelinedRequestsKeepApart() throws {
        let daemon = try TestDaemon.running()
        let connection = try RawConnection(port: daemon.port)
        let host = "Host: \(daemon.authority)\r\n"
        let inner = "GET /status HTTP/1.1\r\n\(host)\r\n"
        try connection.send(
            "POST /api/v1/sessions HTTP/1.1\r\n\(host)Content-Length: \(inner.utf8.count)\r\n\r\n\(inner)"
                + "POST /api/v1/sessions HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n"
                + "\(String(inner.utf8.count, radix: 16));a=b\r\n\(inner)\r\n0\r\nTrailer: GET /status\r\n\r\n"
                + "GET /health HTTP/1.1\r\n\(host)Content-Length: \(inner.utf8.count)\r\n\r\n\(inner)"
                + "GET /health HTTP/1.1\r\n\(host)Connection: close\r\n\r\n")
        var statuses: [Int] = []
        while let response = try connection.response() {
            statuses.append(response.status)
            #expect(!response.text.contains("providerProblems"))
        }
        #expect(statuses.map { $0 == 415 ? 400 : $0 } == [400, 400, 200, 200])
    }

    /// What is compressed is either not taken or bounded when it is unpacked.
    @Test func bombsDoNotGoOff() throws {
        let daemon = try TestDaemon.running()
        let before = ProcessTable.residentBytes(of: daemon.pid)
        // 100 KB of gzip that are 100 MB of zeros: bodies have no coding here.
        let bomb = try run(
            "/bin/sh", ["-c", "head -c 100000000 /dev/zero | gzip -9"]
        ).bytes
        #expect(bomb.count < 200_000)
        for coding in ["gzip", "deflate", "br", "identity, gzip"] {
            let answer = try daemon.http(
                "POST", "/api/v1/sessions", bytes: bomb, headers: [("Content-Encoding", coding)])
            #expect([400, 415].contains(answer.status), Comment(rawValue: coding))
        }
        // A message of 1 KB that inflates to 64 MiB, on a stream that agreed to deflate.
        let raw = try run(
            "/bin/sh",
            [
                "-c",
                #"python3 -c 'import sys,zlib; c=zlib.compressobj(9,zlib.DEFLATED,-15); d=c.compress(b" "*(64<<20))+c.flush(zlib.Z_SYNC_FLUSH); sys.stdout.buffer.write(d[:-4])'"#,
            ]
        ).bytes
        #expect(raw.count > 1000 && raw.count < 200_000)
        let socket = try daemon.webSocket(headers: [("Sec-WebSocket-Extensions", "permessage-deflate")])
        try socket.send(opcode: 0x41, raw)
        var code: Int?
        while code == nil {
            let head = try #require(try socket.connection.take(2))
            var length = Int(head[1] & 0x7f)
            if length >= 126 {
                length = (try socket.connection.take(length == 126 ? 2 : 8) ?? []).reduce(0) { $0 << 8 | Int($1) }
            }
            let payload = try socket.connection.take(length) ?? []
            if head[0] & 0xf == 8 { code = Int(payload[0]) << 8 | Int(payload[1]) }
        }
        #expect(code == 1009)
        // JSON that nests, and that repeats.
        for body in [String(repeating: "[", count: 500_000), "{\"a\":" + String(repeating: "{\"a\":", count: 100_000)] {
            #expect(try daemon.http("POST", "/api/v1/sessions", bytes: Array(body.utf8)).status == 400)
        }
        let grown = ProcessTable.residentBytes(of: daemon.pid) - before
        #expect(grown < 64 << 20, Comment(rawValue: "the daemon grew by \(grown >> 20) MiB"))
    }

    /// TLS and others on the plain port: ended, without an answer that could be taken for one of theirs.
    @Test func otherProtocolsAreTurnedAway() throws {
        let daemon = try TestDaemon.running()
        let hello: [UInt8] =
            [0x16, 3, 1, 0, 0x2f, 1, 0, 0, 0x2b, 3, 3] + Array(repeating: 7, count: 32) + [0, 0, 4, 0x13, 1, 0, 0xff]
        let others: [(String, [UInt8])] = [
            ("TLS", hello), ("SSH", Array("SSH-2.0-OpenSSH_9.2\r\n".utf8)), ("SOCKS", [5, 1, 0]),
            ("SMTP", Array("EHLO evil.example\r\n".utf8)), ("Redis", Array("*1\r\n$4\r\nPING\r\n".utf8)),
            ("zeros", Array(repeating: 0, count: 4096)),
            ("HTTP/2", Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]),
            ("HTTP/0.9", Array("GET /health\r\n".utf8)),
        ]
        for (name, bytes) in others {
            let connection = try RawConnection(port: daemon.port)
            try connection.send(bytes)
            connection.finishSending()
            let answer = String(decoding: (try? connection.takeAll()) ?? [], as: UTF8.self)
            let isFine = answer.isEmpty || answer.hasPrefix("HTTP/1.1 4") || answer.hasPrefix("HTTP/1.1 5")
            #expect(isFine, Comment(rawValue: "\(name): \(answer.prefix(80))"))
        }
        #expect(try daemon.http("GET", "/health").status == 200)
    }

    /// An upgrade is one to this WebSocket or none.
    @Test func upgradesToOtherThings() throws {
        let daemon = try TestDaemon.running()
        let good = [
            "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
        let wrong: [(name: String, line: String, fields: [String])] = [
            (
                "h2c", "GET /health",
                ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"]
            ),
            (
                "h2c on the stream", "GET /api/v1/stream",
                ["Upgrade: h2c", "Connection: Upgrade", "HTTP2-Settings: AAMAAABk"]
            ),
            ("with a body", "GET /api/v1/stream", good + ["Content-Length: 5"]),
            ("by POST", "POST /api/v1/stream", good), ("by HEAD", "HEAD /api/v1/stream", good),
            ("elsewhere", "GET /api/v1/sessions", good),
            ("version 12", "GET /api/v1/stream", good.map { $0.replacingOccurrences(of: "13", with: "12") }),
            ("two keys", "GET /api/v1/stream", good + ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]),
            ("TLS by upgrade", "GET /health", ["Upgrade: TLS/1.2", "Connection: Upgrade"]),
        ]
        for (name, line, fields) in wrong {
            let connection = try RawConnection(port: daemon.port)
            try connection.send(
                ([line + " HTTP/1.1", "Host: \(daemon.authority)"] + fields).joined(separator: "\r\n") + "\r\n\r\nhello"
            )
            let response = try connection.response(hasBody: !line.hasPrefix("HEAD"))
            #expect(response?.status != 101, Comment(rawValue: "\(name): \(response?.status ?? 0)"))
            connection.close()
        }
        #expect(try daemon.http("GET", "/health").json["clients"] == 0)
    }
}
