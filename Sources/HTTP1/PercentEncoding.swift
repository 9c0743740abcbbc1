/// Percent-encoding (RFC 3986 section 2.1).
package enum PercentEncoding {
    /// The decoded bytes, or nil when a `%` isn't followed by two hexadecimal digits.
    package static func decode(_ text: some Sequence<UInt8>, plusIsSpace: Bool = false) -> [UInt8]? {
        var decoded: [UInt8] = []
        var iterator = text.makeIterator()
        while let byte = iterator.next() {
            if byte == 0x25 {
                guard let high = iterator.next()?.hexValue, let low = iterator.next()?.hexValue else { return nil }
                decoded.append(high << 4 | low)
            } else {
                decoded.append(plusIsSpace && byte == 0x2B ? 0x20 : byte)
            }
        }
        return decoded
    }

    /// `text` for use as one path segment or query value: all but unreserved characters is encoded.
    package static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            let isLetter = (byte | 0x20) &- 0x61 < 26
            if byte.isDigit || isLetter || byte == 0x2D || byte == 0x2E || byte == 0x5F || byte == 0x7E {
                encoded.append(byte)
            } else {
                encoded.append(contentsOf: [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]])
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}

/// A path cut into decoded segments that are safe to use as names: no way up, no hidden separator.
package struct PathSegments: Sendable, Equatable {
    package struct Invalid: Error, Equatable, Sendable {
        /// What to tell the client, with status 400.
        package let message: String
    }

    package let segments: [String]
    /// Whether the path ended in a slash; the empty last segment isn't counted.
    package let hasTrailingSlash: Bool

    /// - Parameter path: as sent, starting with a slash.
    /// - Throws: for `.` and `..`, empty segments, an encoded slash, backslashes, control characters (NUL included),
    ///   broken percent-encoding, and text that is no UTF-8, encoded or not.
    package init(_ path: String) throws(Invalid) {
        guard path.utf8.first == 0x2F else { throw Invalid(message: "a path must start with a slash") }
        var segments: [String] = []
        var parts = path.utf8.dropFirst().split(separator: 0x2F, omittingEmptySubsequences: false)
        hasTrailingSlash = parts.last?.isEmpty ?? false
        if hasTrailingSlash { parts.removeLast() }
        for part in parts {
            guard !part.isEmpty else { throw Invalid(message: "the path has an empty segment") }
            guard let bytes = PercentEncoding.decode(part) else {
                throw Invalid(message: "the path has a % without two hexadecimal digits")
            }
            for byte in bytes where byte == 0x2F || byte == 0x5C || byte < 0x20 || byte == 0x7F {
                throw Invalid(message: "a segment of the path has a slash, a backslash or a control character")
            }
            guard let segment = String(validating: bytes, as: UTF8.self) else {
                throw Invalid(message: "the path is no UTF-8")
            }
            guard segment != ".", segment != ".." else {
                throw Invalid(message: "the path has a . or .. segment")
            }
            segments.append(segment)
        }
        self.segments = segments
    }
}

/// The fields of a query (`a=1&b=2`), decoded as forms are: `+` is a space.
package struct QueryItems: Sendable, Equatable {
    package struct Item: Sendable, Equatable {
        package let name: String
        package let value: String
    }

    package struct Invalid: Error, Equatable, Sendable {
        package let message: String
    }

    package let items: [Item]

    /// - Parameter query: without the `?`; nil and empty give no items.
    /// - Throws: for more than `limit` items, broken percent-encoding, and text that is no UTF-8.
    package init(_ query: String?, limit: Int = 100) throws(Invalid) {
        var items: [Item] = []
        for part in (query ?? "").utf8.split(separator: 0x26) {
            guard items.count < limit else { throw Invalid(message: "the query has more than \(limit) fields") }
            let equals = part.firstIndex(of: 0x3D) ?? part.endIndex
            let name = try Self.text(part[..<equals])
            let value = equals == part.endIndex ? "" : try Self.text(part[part.index(after: equals)...])
            items.append(Item(name: name, value: value))
        }
        self.items = items
    }

    /// The first value of a name.
    package subscript(_ name: String) -> String? { items.first { $0.name == name }?.value }

    private static func text(_ part: some Sequence<UInt8>) throws(Invalid) -> String {
        guard let bytes = PercentEncoding.decode(part, plusIsSpace: true),
            let text = String(validating: bytes, as: UTF8.self)
        else {
            throw Invalid(message: "the query is not percent-encoded UTF-8")
        }
        return text
    }
}
