import Providers

/// The text that is streaming and not yet in the log: what a client that connects now must be shown, and what is
/// kept as a partial message when the provider never finishes it.
struct OpenItems {
    struct Item {
        let itemId: String
        let kind: ChunkKind
        let providerId: String
        let turnId: String?
        var text: String
        /// UTF-8 bytes streamed so far; more than `text` holds once the bound is reached.
        var length: Int
    }

    /// What is kept of one item; more than any model answers at once.
    private static let maxBytes = 4 << 20

    private(set) var items: [Item] = []

    /// Takes the next piece and says at which offset it stands.
    mutating func append(
        _ itemId: String, _ kind: ChunkKind, of providerId: String, turnId: String?, text: String
    ) -> Int {
        let length = text.utf8.count
        guard let index = items.lastIndex(where: { $0.itemId == itemId && $0.kind == kind }) else {
            items.append(
                Item(itemId: itemId, kind: kind, providerId: providerId, turnId: turnId, text: text, length: length))
            return 0
        }
        let offset = items[index].length
        items[index].length += length
        // Once a piece didn't fit no later one is taken, so that what is kept has no hole.
        let isWhole = items[index].text.utf8.count == offset
        if isWhole, offset + length <= OpenItems.maxBytes { items[index].text += text }
        return offset
    }

    func contains(_ itemId: String, _ kind: ChunkKind) -> Bool {
        items.contains { $0.itemId == itemId && $0.kind == kind }
    }

    /// The durable event of an item has come: its pieces are done with.
    mutating func close(_ itemId: String, _ kind: ChunkKind) {
        items.removeAll { $0.itemId == itemId && $0.kind == kind }
    }

    mutating func takeAll(where isMeant: (_ providerId: String?) -> Bool) -> [Item] {
        defer { items.removeAll { isMeant($0.providerId) } }
        return items.filter { isMeant($0.providerId) }
    }
}
