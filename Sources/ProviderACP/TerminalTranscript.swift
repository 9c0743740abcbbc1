/// What a terminal's command has said, the last of it.
struct TerminalTranscript: Sendable {
    /// The most bytes that are kept.
    let limit: Int
    /// What was shown live already; there is an end to that, and none to what is said.
    var streamedBytes = 0
    var exitCode: Int?
    /// The agent will not ask for it any more.
    var isReleased = false
    /// Part of a tool call, and so of its result.
    var isEmbedded = false
    private(set) var isTruncated = false
    private var bytes: [UInt8] = []

    init(limit: Int) { self.limit = max(0, limit) }

    mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
        // Cut rarely: what is dropped has been moved once at most.
        if bytes.count > 2 * limit + 4096 { cut() }
    }

    private mutating func cut() {
        guard bytes.count > limit else { return }
        isTruncated = true
        var start = bytes.count - limit
        // From the first whole character on.
        while start < bytes.count, bytes[start] & 0xc0 == 0x80 { start += 1 }
        bytes.removeFirst(start)
    }

    /// The end of it, at most `limit` bytes.
    mutating func text() -> String {
        cut()
        return String(decoding: bytes, as: UTF8.self)
    }

    var isEmpty: Bool { bytes.isEmpty }
}

/// Makes text of bytes that come in pieces which may end within a character.
struct UTF8Pieces: Sendable {
    private var held: [UInt8] = []

    /// All of it up to the last whole character. What is no UTF-8 becomes U+FFFD.
    mutating func feed(_ bytes: UnsafeRawBufferPointer) -> String {
        held.append(contentsOf: bytes)
        let end = held.count - UTF8Pieces.unfinished(held)
        defer { held.removeFirst(end) }
        return String(decoding: held[..<end], as: UTF8.self)
    }

    /// What was left unfinished.
    mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    /// How many bytes at the end begin a character without ending it.
    private static func unfinished(_ bytes: [UInt8]) -> Int {
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.count - back]
            if byte & 0xc0 == 0x80 { continue }
            let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
            return length > back ? back : 0
        }
        return 0
    }
}
