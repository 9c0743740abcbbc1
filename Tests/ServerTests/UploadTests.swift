import Base
import EventLoop
import HTTP1
import TestSupport
import Testing

@testable import Server

/// Bodies that are taken part by part.
@Suite struct UploadTests {
    private final class Counter: HTTPBodyReceiver {
        var bytes = 0
        let limit: Int

        init(limit: Int) { self.limit = limit }

        func take(_ part: UnsafeRawBufferPointer) -> Bool {
            bytes += part.count
            return bytes <= limit
        }
    }

    private final class Handler: HTTPHandler {
        func receiver(of head: HTTPRequestHead) -> (any HTTPBodyReceiver)? {
            head.path == "/upload" && head.headers["x-stream"] != nil ? Counter(limit: 3 << 20) : nil
        }

        func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
            let streamed = (request.receiver as? Counter)?.bytes
            let text = streamed.map { "streamed \($0)" } ?? "collected"
            responder.respond(status: 200, body: Array("\(text), \(request.body.count)".utf8))
        }
    }

    private func server() throws -> ServerUnderTest {
        var limits = ServerLimits()
        limits.http.bodyBytes = 1000
        limits.http.uploadPath = Array("/upload".utf8)
        limits.http.uploadBytes = 4 << 20
        return try ServerUnderTest(limits: limits, handler: Handler())
    }

    private func post(_ server: ServerUnderTest, _ path: String, _ count: Int, streams: Bool, chunked: Bool = false)
        throws
        -> RawResponse?
    {
        let client = try server.connect()
        let body = String(repeating: "b", count: count)
        var headers = streams ? [("X-Stream", "1")] : []
        headers.append(chunked ? ("Transfer-Encoding", "chunked") : ("Content-Length", String(count)))
        let text = chunked ? "\(String(count, radix: 16))\r\n\(body)\r\n0\r\n\r\n" : body
        // A refusal may close the connection before all is sent.
        try? client.send(server.get(path, method: "POST", headers) + text)
        return try client.response()
    }

    @Test func aLargeBodyIsHandedOnInParts() throws {
        let server = try server()
        for chunked in [false, true] {
            #expect(
                try post(server, "/upload", 3 << 20, streams: true, chunked: chunked)?.text == "streamed 3145728, 0")
            #expect(try post(server, "/upload", 10, streams: true, chunked: chunked)?.text == "streamed 10, 0")
        }
    }

    @Test func othersKeepTheSmallLimit() throws {
        let server = try server()
        for chunked in [false, true] {
            #expect(try post(server, "/upload", 1000, streams: false, chunked: chunked)?.text == "collected, 1000")
            #expect(try post(server, "/upload", 1001, streams: false, chunked: chunked)?.status == 413)
            #expect(try post(server, "/other", 1001, streams: true, chunked: chunked)?.status == 413)
        }
    }

    @Test func theUploadHasALimitToo() throws {
        let server = try server()
        #expect(try post(server, "/upload", (4 << 20) + 1, streams: true)?.status == 413)
        #expect(try post(server, "/upload", (4 << 20) + 1, streams: true, chunked: true)?.status == 413)
        // What the receiver can't keep.
        #expect(try post(server, "/upload", (3 << 20) + 1, streams: true)?.status == 507)
    }
}
