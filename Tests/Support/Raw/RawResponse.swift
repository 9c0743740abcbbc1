package import JSON

/// An HTTP answer, read without any help of the code under test.
package struct RawResponse: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package var text: String { String(decoding: body, as: UTF8.self) }
    /// The body; `null` when it is no JSON.
    package var json: JSON { (try? JSON.parse(body)) ?? .null }
    /// The code of the protocol's error object.
    package var errorCode: String? { json["error"]?["code"]?.stringValue }

    package subscript(header: String) -> String? {
        headers.first { $0.name.lowercased() == header.lowercased() }?.value
    }
}

extension RawConnection {
    /// Reads one answer; nil when the connection ends instead.
    ///
    /// - Parameter hasBody: false for the answer to HEAD.
    package func response(hasBody: Bool = true, within limit: Duration = .seconds(10)) throws -> RawResponse? {
        guard let head = try take(through: "\r\n\r\n", within: limit) else { return nil }
        var lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n").filter { !$0.isEmpty }
        let statusLine = lines.removeFirst().split(separator: " ", maxSplits: 2)
        guard statusLine.count >= 2, statusLine[0] == "HTTP/1.1", let status = Int(statusLine[1]) else {
            throw TestFailure("no status line: \(statusLine)")
        }
        let headers = try lines.map { line in
            guard let colon = line.firstIndex(of: ":") else { throw TestFailure("no header: \(line)") }
            return (name: String(line[..<colon]), value: line[line.index(after: colon)...].trimmingSpaces)
        }
        var response = RawResponse(status: status, headers: headers, body: [])
        guard hasBody, status >= 200, status != 204, status != 304 else { return response }
        if response["Transfer-Encoding"]?.lowercased() == "chunked" {
            response.body = try chunks(within: limit)
        } else if let length = response["Content-Length"] {
            guard let count = Int(length), let body = try take(count, within: limit) else {
                throw TestFailure("the body is shorter than Content-Length: \(length)")
            }
            response.body = body
        } else {
            response.body = try takeAll(within: limit)
        }
        return response
    }

    private func chunks(within limit: Duration) throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            guard let line = try take(through: "\r\n", within: limit),
                let size = Int(String(decoding: line.dropLast(2), as: UTF8.self), radix: 16),
                let chunk = try take(size + 2, within: limit)
            else { throw TestFailure("a chunk is broken") }
            if size == 0 { return body }
            body += chunk.dropLast(2)
        }
    }
}

extension StringProtocol {
    fileprivate var trimmingSpaces: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = Substring(self)
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
