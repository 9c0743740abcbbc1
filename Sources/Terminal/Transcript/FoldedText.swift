/// What the transcript shows the beginning of, to be seen whole when somebody asks.
struct FoldedText {
    private var entries: [(title: String, text: String)] = []

    private static let entryLimit = 20
    private static let byteLimit = 256 << 10

    mutating func add(_ title: String, _ text: String) {
        let kept =
            text.utf8.count <= FoldedText.byteLimit
            ? text : String(decoding: text.utf8.prefix(FoldedText.byteLimit), as: UTF8.self) + "\n… and more"
        entries.append((title, kept))
        if entries.count > FoldedText.entryLimit { entries.removeFirst() }
    }

    /// The newest that has not been asked for yet.
    mutating func takeNewest() -> (title: String, text: String)? { entries.popLast() }
}
