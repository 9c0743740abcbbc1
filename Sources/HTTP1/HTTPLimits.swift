/// How much of a message is accepted. Every limit is checked before the bytes are kept.
package struct HTTPLimits: Sendable, Equatable {
    /// Bytes in the request or status line. Default 8 KiB, the least RFC 9112 section 3 recommends. Beyond it: 414.
    package var startLineBytes: Int
    /// Bytes in all header lines together, line ends included. Default 32 KiB: room for large cookies. Beyond it: 431.
    package var headerBytes: Int
    /// Header lines. Default 100. Beyond it: 431.
    package var headerCount: Int
    /// Bytes in the body, chunk framing not counted. Default 8 MiB. Beyond it: 413.
    package var bodyBytes: Int
    /// The one path whose bodies may be larger: they are streamed to whom they are for. Empty for none.
    package var uploadPath: [UInt8] = []
    /// Bytes in the body of a request to `uploadPath`.
    package var uploadBytes = 0
    /// Bytes in one chunk-size line with its extensions. Default 256: nobody uses extensions. Beyond it: 400.
    package var chunkLineBytes: Int
    /// Bytes in all chunk extensions of one body together. Default 4 KiB, so that padding can't cost more than the
    /// data. Beyond it: 400.
    package var chunkExtensionBytes: Int
    /// Bytes in the trailer section of a chunked body, which is checked and dropped. Default 4 KiB. Beyond it: 431.
    package var trailerBytes: Int

    package init(
        startLineBytes: Int = 8 << 10, headerBytes: Int = 32 << 10, headerCount: Int = 100, bodyBytes: Int = 8 << 20,
        chunkLineBytes: Int = 256, chunkExtensionBytes: Int = 4 << 10, trailerBytes: Int = 4 << 10
    ) {
        self.startLineBytes = startLineBytes
        self.headerBytes = headerBytes
        self.headerCount = headerCount
        self.bodyBytes = bodyBytes
        self.chunkLineBytes = chunkLineBytes
        self.chunkExtensionBytes = chunkExtensionBytes
        self.trailerBytes = trailerBytes
    }

    package static let `default` = HTTPLimits()
}
