import Foundation
import Glibc
import TestSupport

/// A web server on loopback that serves files as it should, but for the faults it is told: by code, or by the first part
/// of a path: `/~cut=100;times=1/name`. A thread for each connection; every answer closes its connection.
package final class FaultServer: @unchecked Sendable {
    package struct Request: Sendable, Equatable {
        package var method: String
        /// Without the faults.
        package var path: String
        /// Names in lower case.
        package var headers: [String: String]
        /// The first byte that was asked for; 0 for all.
        package var start: Int
        /// Of the body, as far as is known.
        package var sent = 0
        package var status = 0
    }

    package var port: UInt16 { server.port }
    private let server: LoopbackServer
    private let lock = NSLock()
    private var log: [Request] = []
    private var counts: [String: Int] = [:]
    private let content: @Sendable (String) -> [UInt8]?
    private let fault: @Sendable (Request, Int) -> Fault?

    /// - Parameters:
    ///   - content: the file at a path (with its `/`), nil for 404.
    ///   - fault: called with a request and how many of the same path came before it.
    package init(
        port: UInt16 = 0, content: @escaping @Sendable (String) -> [UInt8]?,
        fault: @escaping @Sendable (Request, Int) -> Fault? = { _, _ in nil }
    ) throws {
        self.content = content
        self.fault = fault
        server = try LoopbackServer(port: port)
        server.start { [self] connection in serve(connection) }
    }

    /// The address of a path, which begins with `/`.
    package func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

    /// What was asked for so far, in the order in which it was answered.
    package var requests: [Request] { lock.withLock { log } }

    package func stop() { server.stop() }

    private func serve(_ connection: Int32) {
        guard var request = readRequest(connection) else { return }
        var fault = Fault()
        if request.path.hasPrefix("/~") {
            let parts = request.path.dropFirst(2).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let told = Fault(text: parts[0]) else {
                _ = Answer(connection).send(Array("HTTP/1.1 400 No Such Fault\r\ncontent-length: 0\r\n\r\n".utf8))
                return
            }
            fault = told
        }
        let before = lock.withLock {
            counts[request.path, default: 0] += 1
            return counts[request.path]! - 1
        }
        if request.path.hasPrefix("/~") {
            request.path = String(request.path.dropFirst(2).drop { $0 != "/" })
        }
        request.path = request.path.removingPercentEncoding ?? request.path
        if let told = self.fault(request, before) { fault = told }
        if before >= fault.times { fault = Fault() }
        let index = lock.withLock {
            log.append(request)
            return log.count - 1
        }
        let answer = Answer(connection)
        answer.run(request, fault, content(request.path))
        lock.withLock {
            log[index].sent = answer.bodySent
            log[index].status = answer.status
        }
        answer.end(resets: fault.resets)
    }

    private func readRequest(_ connection: Int32) -> Request? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.firstRange(of: Array("\r\n\r\n".utf8)) == nil {
            let count = read(connection, &chunk, chunk.count)
            guard count > 0, bytes.count < 1 << 16 else { return nil }
            bytes.append(contentsOf: chunk[..<count])
        }
        let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ").map(String.init)
        guard words.count == 3 else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        var start = 0
        if let range = headers["range"], range.hasPrefix("bytes="), range.hasSuffix("-") {
            start = Int(range.dropFirst(6).dropLast()) ?? 0
        }
        let path = words[1].prefix { $0 != "?" }
        return Request(method: words[0], path: String(path), headers: headers, start: start)
    }
}
