package enum HTTPMethod: Sendable, Hashable, CustomStringConvertible {
    case get, head, post, put, patch, delete, options
    /// Any other token; CONNECT never gets this far.
    case other(String)

    package var description: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .patch: "PATCH"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .other(let name): name
        }
    }
}

package enum HTTPVersion: Sendable, Equatable {
    case http10, http11
}

/// Where a body ends (RFC 9112 section 6.3).
package enum HTTPBodyLength: Sendable, Equatable {
    case none
    /// Bytes, at least 1.
    case fixed(Int)
    case chunked
    /// Responses only: until the peer closes.
    case untilClose
}

/// What of a request decides how its answer is written.
package struct HTTPRequestTraits: Sendable, Equatable {
    package let version: HTTPVersion
    package let isGet: Bool
    package let isHead: Bool
    /// Whether a body follows.
    package let hasBody: Bool
    package let keepsAlive: Bool
}

/// The head of a request that has passed every check of RFC 9112.
package struct HTTPRequestHead: Sendable {
    package internal(set) var method: HTTPMethod = .get
    package internal(set) var version: HTTPVersion = .http11
    package internal(set) var headers = HTTPHeaders()
    package internal(set) var body: HTTPBodyLength = .none
    /// Whether the client waits for `100 Continue` before it sends the body.
    package internal(set) var expectsContinue = false
    /// Whether the connection may be used for another request (RFC 9112 section 9.3).
    package internal(set) var keepsAlive = true
    /// Whether there is an Upgrade field that the Connection field names as well.
    package internal(set) var wantsUpgrade = false
    /// `OPTIONS *`.
    package internal(set) var isAsterisk = false

    // Places in the front of the headers' block, where the target is kept.
    var targetEnd: UInt32 = 0
    var authorityStart: UInt32 = 0
    var authorityEnd: UInt32 = 0
    var pathStart: UInt32 = 0
    var pathEnd: UInt32 = 0

    package var traits: HTTPRequestTraits {
        HTTPRequestTraits(
            version: version, isGet: method == .get, isHead: method == .head, hasBody: body != .none,
            keepsAlive: keepsAlive)
    }

    /// The target as it was sent.
    package var target: String { text(0, targetEnd) }

    /// The path as it was sent, percent-encoding included; `/` when an absolute target has none, `*` for `OPTIONS *`.
    package var path: String { pathStart == pathEnd ? "/" : text(pathStart, pathEnd) }

    /// Whether the target is a whole URI with an authority of its own (RFC 9112 section 3.2.2).
    package var hasAuthority: Bool { authorityStart < authorityEnd }

    /// What follows the first `?`, without it; nil when there is none.
    package var query: String? { pathEnd < targetEnd ? text(pathEnd + 1, targetEnd) : nil }

    /// The authority of an absolute target, else the Host field (RFC 9112 section 3.2.2); empty when there is neither.
    package var host: String {
        authorityStart < authorityEnd ? text(authorityStart, authorityEnd) : headers["host"] ?? ""
    }

    /// Whether the path as sent is exactly this one. Makes no string: for the routes that must be fast.
    package func isPath(_ path: StaticString) -> Bool {
        headers.block.withUnsafeBytes { block in
            let own = block.slice(Int(pathStart), Int(pathEnd))
            guard own.count == path.utf8CodeUnitCount else { return false }
            for index in 0..<own.count where own[index] != path.utf8Start[index] { return false }
            return true
        }
    }

    /// The same for a path that is only known at run time.
    package func isPath(_ path: [UInt8]) -> Bool {
        headers.block.withUnsafeBytes { block in block.slice(Int(pathStart), Int(pathEnd)).elementsEqual(path) }
    }

    private func text(_ start: UInt32, _ end: UInt32) -> String {
        String(decoding: headers.block[Int(start)..<Int(end)], as: UTF8.self)
    }
}
