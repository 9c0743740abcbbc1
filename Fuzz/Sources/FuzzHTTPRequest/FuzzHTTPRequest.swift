import HTTP1

/// The first octet says how the rest is cut; the events must be the same as in one piece. What was accepted must
/// survive everything that is done with a request next.
@c(LLVMFuzzerTestOneInput)
public func fuzzHTTPRequest(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let piece = Int(start[0] & 63) + 1
    let bytes = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    // Small, so that a fuzzer's inputs can reach them.
    let limits = HTTPLimits(
        startLineBytes: 256, headerBytes: 512, headerCount: 10, bodyBytes: 1024, chunkLineBytes: 64,
        chunkExtensionBytes: 128, trailerBytes: 128)
    let whole = events(bytes, piece: bytes.count, limits: limits)
    precondition(whole == events(bytes, piece: piece, limits: limits), "cutting the input changed the events")
    responses(bytes, limits: limits)
    return 0
}

private func events(_ bytes: [UInt8], piece: Int, limits: HTTPLimits) -> [String] {
    var parser = HTTPRequestParser(limits: limits)
    var events: [String] = []
    var body = 0
    var index = 0
    while index < bytes.count {
        let part = bytes[index..<min(index + piece, bytes.count)]
        index += part.count
        let isOver = part.withUnsafeBytes { buffer in
            var input = buffer
            do throws(HTTPParseError) {
                while let event = try parser.next(&input) {
                    switch event {
                    case .head(let head):
                        body = 0
                        events.append(describe(head))
                    case .body(let data):
                        body += data.count
                        precondition(!data.isEmpty && body <= limits.bodyBytes)
                    case .end:
                        events.append("end after \(body)")
                    }
                }
                precondition(input.isEmpty)
                return false
            } catch {
                precondition([400, 413, 414, 417, 431, 501, 505].contains(error.status))
                events.append("\(error.status) \(error.code)")
                return true
            }
        }
        if isOver { break }
    }
    return events
}

private func describe(_ head: HTTPRequestHead) -> String {
    precondition(head.headers.count <= 10)
    if let segments = try? PathSegments(head.path).segments {
        precondition(!segments.contains("..") && !segments.contains { $0.utf8.contains(0x2F) })
    }
    _ = try? QueryItems(head.query)
    var answer: [UInt8] = []
    for (name, value) in head.headers.pairs {
        precondition(!name.utf8.contains { $0 < 0x21 } && !value.utf8.contains { $0 == 0x0D || $0 == 0x0A || $0 == 0 })
    }
    _ = try? HTTPResponseEncoder.writeHead(
        status: 200, headers: head.headers, body: .stream, answering: head, date: [], into: &answer)
    return "\(head.method) \(head.target) \(head.host) \(head.headers.pairs) \(head.body) \(head.keepsAlive)"
}

private func responses(_ bytes: [UInt8], limits: HTTPLimits) {
    var parser = HTTPResponseParser(limits: limits)
    bytes.withUnsafeBytes { buffer in
        var input = buffer
        do throws(HTTPParseError) {
            while try parser.next(&input) != nil {}
            _ = try parser.finish()
        } catch {
            precondition(error.status == 502)
        }
    }
}
