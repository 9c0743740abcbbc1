/// An item that is not complete: what of it is shown, and what is known beyond that.
struct GrowingItem {
    enum Kind: String {
        case message, thinking
        case toolOutput = "tool_output"
    }

    let id: String
    let kind: Kind
    /// UTF-8 bytes that have come.
    var bytes = 0
    /// A message that is on the screen.
    var markdown: MarkdownStream?
    var isOnScreen = false
    /// Of a message that waits for the screen: all that has come. Of the others: the end, which is what is shown while
    /// they grow.
    private(set) var text = ""

    /// What is kept of a thought's or an output's end.
    private static let tail = 8 << 10

    init(id: String, kind: Kind) {
        self.id = id
        self.kind = kind
    }

    /// Takes a piece that lies at `offset`; nil when something before it is missing (it comes with the event that
    /// closes the item), else what of it is new.
    mutating func take(_ piece: String, at offset: Int) -> String? {
        guard offset >= 0, offset <= bytes, let fresh = GrowingItem.suffix(of: piece, from: bytes - offset),
            !fresh.isEmpty
        else { return nil }
        bytes += fresh.utf8.count
        return fresh
    }

    mutating func hold(_ fresh: String) {
        text += fresh
        guard kind != .message, text.utf8.count > GrowingItem.tail * 2 else { return }
        text = String(decoding: text.utf8.suffix(GrowingItem.tail), as: UTF8.self)
    }

    mutating func takeHeld() -> String {
        defer { text = "" }
        return text
    }

    /// The last lines, without empty ones.
    func lastLines(_ count: Int) -> [String] {
        text.split(whereSeparator: \.isNewline).suffix(count).map(String.init)
    }

    /// The part of `text` after `bytes` of UTF-8; nil when that is no character's boundary or beyond the end.
    static func suffix(of text: String, from bytes: Int) -> String? {
        guard bytes > 0 else { return text }
        guard let index = text.utf8.index(text.utf8.startIndex, offsetBy: bytes, limitedBy: text.utf8.endIndex)
        else { return nil }
        return index.samePosition(in: text.unicodeScalars).map { String(text[$0...]) }
    }
}
