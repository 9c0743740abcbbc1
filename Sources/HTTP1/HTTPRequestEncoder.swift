import Base

/// Writes requests, for the client library.
package enum HTTPRequestEncoder {
    /// Appends a head. Host comes first; Content-Length is written when there is a body or the method expects one.
    /// - Parameters:
    ///   - target: origin form, already percent-encoded: `/path?query`.
    ///   - host: host and port.
    ///   - bodyCount: bytes of the body that follows; nil for none.
    /// - Throws: for a target, host or header that could break the head; `output` is left as it was.
    package static func writeHead(
        method: HTTPMethod, target: String, host: String, headers: HTTPHeaders = [:], bodyCount: Int? = nil,
        into output: inout [UInt8]
    ) throws(HTTPEncodeError) {
        let targetIsValid = target.utf8.first == 0x2F && target.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x23 }
        guard targetIsValid else {
            throw HTTPEncodeError(code: .invalidTarget, message: "the target must start with / and be percent-encoded")
        }
        let hostIsValid = !host.isEmpty && host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2F && $0 != 0x40 }
        guard hostIsValid, method.description.utf8.allSatisfy(\.isTokenCharacter) else {
            throw HTTPEncodeError(code: .invalidTarget, message: "the host or the method has an invalid character")
        }
        // An upgrade needs its own Connection field, and a client may say "close".
        try headers.checkForEncoding(allowsConnection: true)
        output.append(contentsOf: method.description.utf8)
        output.append(0x20)
        output.append(contentsOf: target.utf8)
        output.append(text: " HTTP/1.1\r\nhost: ")
        output.append(contentsOf: host.utf8)
        output.append(text: "\r\n")
        headers.write(into: &output)
        let expectsBody =
            switch method {
            case .post, .put, .patch: true
            default: false
            }
        if bodyCount != nil || expectsBody {
            output.append(text: "content-length: ")
            output.appendDecimal(bodyCount ?? 0)
            output.append(text: "\r\n")
        }
        output.append(text: "\r\n")
    }
}
