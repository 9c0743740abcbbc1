import Base
package import HubProtocol
import JSON

/// The list of sessions, newest first. Thousands of them cost nothing until they are looked at, and then only as many as
/// are shown.
extension SessionService {
    /// What a list is narrowed to.
    package struct ListFilter {
        package var status: SessionState.Status?
        /// In the title, whatever its case.
        package var text: String?
        /// Nil: whether or not they are archived.
        package var isArchived: Bool?

        package init(status: SessionState.Status? = nil, text: String? = nil, isArchived: Bool? = nil) {
            self.status = status
            self.text = text
            self.isArchived = isArchived
        }
    }

    /// The states of all sessions, the newest first, as clients may know them.
    package var states: [SessionState] {
        var states: [SessionState] = []
        states.reserveCapacity(count)
        visit { listed in
            states.append(listed.shown)
            return true
        }
        return states
    }

    /// All of them, the newest first.
    package var sessionIds: [String] {
        var ids: [String] = []
        visit { listed in
            ids.append(listed.entry.place.sessionId)
            return true
        }
        return ids
    }

    /// A page of the list.
    /// - Parameters:
    ///   - after: the session that the page before ended with; nil for the first page.
    ///   - limit: 1 or more.
    /// - Returns: the page, and whether more follow.
    /// - Throws: `session_not_found` when `after` is none.
    package func list(
        after: String? = nil, limit: Int, _ filter: ListFilter = ListFilter()
    ) throws(Failure) -> (page: [SessionState], hasMore: Bool) {
        var place: ListPlace?
        if let after {
            guard let state = loaded[after]?.state ?? stored[after] else {
                throw Failure(
                    code: "session_not_found", message: "after is no session (any more): begin again without it.",
                    details: ["field": "after"])
            }
            place = ListPlace(state)
        }
        let title = filter.text.map(TitleSearch.init)
        var page: [SessionState] = []
        var hasMore = false
        // Of most statuses there are none, or nearly none.
        var left = filter.status.map { statusCounts[$0, default: 0] } ?? .max
        guard left > 0 else { return ([], false) }
        visit(below: place) { listed in
            if let status = filter.status {
                if listed.entry.status != status { return true }
                left -= 1
            }
            let isWanted = filter.isArchived.map { $0 == listed.entry.isArchived } ?? true
            if isWanted, title?.matches(listed.entry.title ?? "") ?? true {
                hasMore = page.count == limit
                if !hasMore { page.append(listed.shown) }
            }
            return !hasMore && left > 0
        }
        return (page, hasMore)
    }

    /// What a client that has just come is shown: the newest that are not archived, and whatever is not at rest, however
    /// old: what runs, waits, or is to be answered.
    /// - Parameter newest: how many of the newest.
    /// - Returns: the newest first; `isNew` for those that are among the newest.
    package func overview(newest: Int) -> [(state: SessionState, isNew: Bool)] {
        var shown: [(state: SessionState, isNew: Bool)] = []
        var place = 0
        // Beyond the newest, what is stored is at rest but for few, and those are counted.
        var restless = stored.restlessCount
        var live = loaded.count
        visit { listed in
            let isRestless = !listed.entry.isAtRest
            if listed.session != nil { live -= 1 } else if isRestless { restless -= 1 }
            let isNew = place < newest && !listed.entry.isArchived
            if isNew { place += 1 }
            if isNew || isRestless { shown.append((listed.shown, isNew)) }
            return place < newest || live > 0 || restless > 0
        }
        return shown
    }

    /// A session in the list, in memory or not.
    private struct Listed {
        let entry: StoredSessions.Entry
        let session: Session?

        /// As clients may know it.
        var shown: SessionState { session?.shown ?? entry.state }
    }

    /// Goes through the sessions, newest first, until it is told to stop.
    /// - Parameter below: only those that come after this place in the list.
    private func visit(below: ListPlace? = nil, _ body: (Listed) -> Bool) {
        var live = loaded.values.map { Listed(entry: StoredSessions.Entry($0.state), session: $0) }
        if let below { live.removeAll { $0.entry.place >= below } }
        live.sort { $0.entry.place < $1.entry.place }
        let stored = stored.ordered()
        var rest = below.map { stored.firstIndex(from: $0) } ?? stored.count
        while rest > 0 || !live.isEmpty {
            if let last = live.last, rest == 0 || stored[rest - 1].place < last.entry.place {
                live.removeLast()
                guard body(last) else { return }
            } else {
                rest -= 1
                guard body(Listed(entry: stored[rest], session: nil)) else { return }
            }
        }
    }
}

extension SessionState {
    /// Nothing runs or waits in the session: no turn, no answer, no message, no time.
    package var isAtRest: Bool { runningTurn == nil && pending.isEmpty && queue.isEmpty && parked == nil }
}

/// Looks for a text in titles, whatever the case.
struct TitleSearch {
    private let text: [UInt8]

    init(_ text: String) { self.text = Array(text.lowercased().utf8) }

    func matches(_ title: String) -> Bool {
        var title = title
        // Nearly all titles are ASCII, and need no other string to be made of them.
        let found = title.withUTF8 { bytes in bytes.allSatisfy { $0 < 0x80 } ? contains(bytes) : nil }
        if let found { return found }
        var lower = title.lowercased()
        return lower.withUTF8 { contains($0) }
    }

    private func contains(_ title: UnsafeBufferPointer<UInt8>) -> Bool {
        guard title.count >= text.count else { return false }
        for start in 0...(title.count - text.count) {
            var index = 0
            while index < text.count, TitleSearch.lower(title[start + index]) == text[index] { index += 1 }
            if index == text.count { return true }
        }
        return false
    }

    private static func lower(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}
