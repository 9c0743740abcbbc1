import Base

/// The lines that were sent before, the newest last, and a place among them. Pure; `HistoryFile` keeps them.
struct LineHistory: Equatable {
    private var lines: [String]
    private let limit: Int
    private var index: Int?
    private var draft: [Character] = []
    /// Lines that came since the last `takeNew`.
    private var added: [String] = []

    /// - Parameter limit: lines that are held.
    init(_ lines: [String] = [], limit: Int = 1000) {
        self.lines = Array(lines.suffix(limit))
        self.limit = limit
    }

    var count: Int { lines.count }
    subscript(index: Int) -> String { lines[index] }

    /// As in most shells, a line that begins with a space is not kept, nor is the same one twice in a row.
    mutating func add(_ line: String) {
        leave()
        guard limit > 0, lines.last != line, line.first != " ", line.contains(where: { !$0.isWhitespace }) else {
            return
        }
        lines.append(line)
        added.append(line)
        if lines.count > limit { lines.removeFirst() }
    }

    mutating func takeNew() -> [String] {
        defer { added = [] }
        return added
    }

    /// Nothing of it is being looked at any more.
    mutating func leave() { index = nil }

    /// - Parameter draft: what is being written, which comes back after the newest line.
    mutating func older(than draft: [Character]) -> [Character]? {
        guard let next = index.map({ $0 - 1 }) ?? (lines.isEmpty ? nil : lines.count - 1), next >= 0 else { return nil }
        if index == nil { self.draft = draft }
        index = next
        return Array(lines[next])
    }

    mutating func newer() -> [Character]? {
        guard let current = index else { return nil }
        guard current + 1 < lines.count else {
            index = nil
            return draft
        }
        index = current + 1
        return Array(lines[current + 1])
    }

    /// The next line in that direction that contains the text, whatever the case of its letters.
    func find(_ query: String, from start: Int, step: Int) -> Int? {
        let query = query.lowercased()
        var at = start
        while lines.indices.contains(at) {
            if lines[at].lowercased().contains(text: query) { return at }
            at += step
        }
        return nil
    }
}
