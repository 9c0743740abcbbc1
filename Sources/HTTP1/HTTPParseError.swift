/// Why a message was refused. The connection it came on can't be used any further.
package struct HTTPParseError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case badRequestLine = "bad_request_line"
        case badTarget = "bad_target"
        case badHeader = "bad_header"
        case badHost = "bad_host"
        case badFraming = "bad_framing"
        case badChunk = "bad_chunk"
        case badStatusLine = "bad_status_line"
        case tlsOnPlainPort = "tls_on_plain_port"
        case http2OnPlainPort = "http2_on_plain_port"
        case unsupportedVersion = "unsupported_version"
        case unsupportedMethod = "unsupported_method"
        case unsupportedTransferCoding = "unsupported_transfer_coding"
        case expectationFailed = "expectation_failed"
        case targetTooLong = "target_too_long"
        case headersTooLarge = "headers_too_large"
        case bodyTooLarge = "payload_too_large"
        case truncated = "truncated"
    }

    /// What a server answers with: 400, 413, 414, 417, 431, 501 or 505. From the response parser always 502.
    package let status: Int
    package let code: Code
    package let message: String

    package init(_ status: Int, _ code: Code, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    package var description: String { "\(status) \(code.rawValue): \(message)" }
}
