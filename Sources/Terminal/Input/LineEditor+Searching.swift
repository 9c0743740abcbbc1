/// Control-R: looking for an earlier line as one types.
struct HistorySearch: Equatable {
    var query = ""
    /// The line that was found.
    var match: Int?
    /// What was written before.
    var before: [Character]
}

extension LineEditor {
    mutating func beginSearch() -> Outcome {
        completion = nil
        search = HistorySearch(before: text)
        return .changed
    }

    /// Nil when the search has ended and the key is to be taken as usual.
    mutating func handleSearch(_ key: Key) -> Outcome? {
        guard var search else { return nil }
        switch key {
        case .character(let character):
            search.query.append(character)
            find(&search, from: search.match ?? history.count - 1, step: -1)
        case .backspace, .control("h"):
            guard !search.query.isEmpty else { return endSearch(keeping: false) }
            search.query.removeLast()
            find(&search, from: history.count - 1, step: -1)
        case .control("r"): find(&search, from: (search.match ?? history.count) - 1, step: -1)
        case .control("s"): find(&search, from: (search.match ?? history.count) + 1, step: 1)
        case .control("g"), .control("c"), .escape: return endSearch(keeping: false)
        // Enter takes the line over: it can be changed before it is sent.
        case .enter, .tab: return endSearch(keeping: true)
        default:
            _ = endSearch(keeping: true)
            return nil
        }
        self.search = search
        return .changed
    }

    private mutating func find(_ search: inout HistorySearch, from start: Int, step: Int) {
        guard !search.query.isEmpty, let found = history.find(search.query, from: start, step: step) else { return }
        search.match = found
        text = Array(history[found])
        cursor = text.count
    }

    private mutating func endSearch(keeping: Bool) -> Outcome {
        if !keeping, let search { text = search.before }
        cursor = text.count
        search = nil
        history.leave()
        return .changed
    }
}
