extension JSON {
    package struct Limits: Sendable {
        /// How deep arrays and objects may nest. The parser recurses, so this also bounds its stack.
        package var depth: Int

        package init(depth: Int = 128) { self.depth = depth }
        package static let `default` = Limits()
    }

    /// Reads one JSON text (RFC 8259), strictly: UTF-8, no comments, nothing after the value.
    ///
    /// A whole number that fits 64 bits becomes `.int`, any other number `.double`. A lone surrogate escape becomes
    /// U+FFFD, since agents that cut text at 16-bit units do send such.
    package static func parse(_ bytes: UnsafeRawBufferPointer, limits: Limits = .default) throws(JSONError) -> JSON {
        var parser = JSONParser(bytes: bytes, limits: limits)
        return try parser.parseText()
    }

    package static func parse(_ bytes: [UInt8], limits: Limits = .default) throws(JSONError) -> JSON {
        try bytes.withUnsafeBufferPointer { buffer throws(JSONError) in
            try parse(UnsafeRawBufferPointer(buffer), limits: limits)
        }
    }

    package static func parse(_ text: String, limits: Limits = .default) throws(JSONError) -> JSON {
        try parse(Array(text.utf8), limits: limits)
    }
}
