import Foundation
import Glibc

/// The least of an HTTP/1.1 server on 127.0.0.1 that a fake model API needs: a thread for each connection, one request
/// after the other. `stop()` ends them all.
package final class LoopbackHTTP: Sendable {
    package struct Request: Sendable {
        package var method: String
        package var path: String
        /// Names in lower case.
        package var headers: [String: String]
        package var body: [UInt8]
    }

    /// The peer of one request.
    package struct Peer {
        let connection: Int32

        @discardableResult
        package func write(_ text: String) -> Bool { write(Array(text.utf8)) }

        package func write(_ bytes: [UInt8]) -> Bool { LoopbackServer.send(bytes, to: connection) }

        /// A whole answer. Returns true, for the connection goes on.
        package func answer(_ status: Int, _ headers: [String: String], _ body: [UInt8]) -> Bool {
            var head = "HTTP/1.1 \(status) Fake\r\ncontent-length: \(body.count)\r\n"
            for (name, value) in headers.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
            return write(Array((head + "\r\n").utf8) + body)
        }

        /// Until the peer goes.
        package func hang() {
            var byte: UInt8 = 0
            while read(connection, &byte, 1) > 0 {}
        }

        /// Whether the peer has gone, within a time.
        package func waits(_ seconds: Double) -> Bool {
            var descriptor = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
            return poll(&descriptor, 1, Int32(seconds * 1000)) == 0
        }
    }

    package var port: UInt16 { server.port }
    private let server: LoopbackServer

    /// - Parameter respond: called on the connection's thread; returns whether the connection goes on.
    package init(_ respond: @escaping @Sendable (Request, Peer) -> Bool) {
        server = try! LoopbackServer()
        server.start { connection in
            var buffer: [UInt8] = []
            while let request = LoopbackHTTP.readRequest(connection, &buffer),
                respond(request, Peer(connection: connection))
            {}
        }
    }

    package func stop() { server.stop() }

    private static func readRequest(_ connection: Int32, _ buffer: inout [UInt8]) -> Request? {
        let separator = Array("\r\n\r\n".utf8)
        var chunk = [UInt8](repeating: 0, count: 65_536)
        func more() -> Bool {
            let count = read(connection, &chunk, chunk.count)
            guard count > 0 else { return false }
            buffer.append(contentsOf: chunk[..<count])
            return true
        }
        var headEnd: Int?
        while headEnd == nil {
            headEnd = buffer.firstRange(of: separator)?.lowerBound
            if headEnd == nil, !more() { return nil }
        }
        let head = String(decoding: buffer[..<headEnd!], as: UTF8.self)
        buffer.removeFirst(headEnd! + 4)
        let lines = head.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        while buffer.count < length { if !more() { return nil } }
        let body = Array(buffer[..<length])
        buffer.removeFirst(length)
        let words = (lines.first ?? "").split(separator: " ").map(String.init)
        return Request(method: words.first ?? "", path: words.count > 1 ? words[1] : "/", headers: headers, body: body)
    }
}
