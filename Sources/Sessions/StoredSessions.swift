import Base
import HubProtocol

/// The sessions that are known and not in memory, which are nearly all of them, in the order of the list.
///
/// They don't change while they are here: the order is made once and kept by what comes and goes.
struct StoredSessions {
    /// A state that is shared instead of copied.
    final class Entry {
        let state: SessionState
        /// What lists look at, without touching the rest.
        let place: ListPlace
        let status: SessionState.Status
        let title: String?
        let isAtRest: Bool
        let isArchived: Bool

        init(_ state: SessionState) {
            self.state = state
            place = ListPlace(state)
            status = state.status
            title = state.title
            isAtRest = state.isAtRest
            isArchived = state.isArchived
        }
    }

    private var entries: [String: Entry] = [:]
    /// The oldest first, so that those that come and go are at the end; nil while nobody has asked.
    private var order: [Entry]?
    /// How many have each status.
    private(set) var counts: [SessionState.Status: Int] = [:]

    /// Those in which something waits, be it for a person.
    private(set) var restlessCount = 0

    var count: Int { entries.count }
    var all: some Sequence<Entry> { entries.values }

    subscript(sessionId: String) -> SessionState? {
        get { entries[sessionId]?.state }
        set {
            if let old = entries.removeValue(forKey: sessionId) {
                counts[old.status, default: 0] -= 1
                if !old.isAtRest { restlessCount -= 1 }
                if let place = order?.place(of: old) { order?.remove(at: place) }
            }
            guard let newValue else { return }
            let entry = Entry(newValue)
            entries[sessionId] = entry
            counts[entry.status, default: 0] += 1
            if !entry.isAtRest { restlessCount += 1 }
            if let place = order?.place(of: entry) { order?.insert(entry, at: place) }
        }
    }

    /// The oldest first.
    mutating func ordered() -> [Entry] {
        if let order { return order }
        let made = entries.values.sorted { $0.place < $1.place }
        order = made
        return made
    }
}

extension [StoredSessions.Entry] {
    /// Where an entry is, or would be.
    fileprivate func place(of entry: StoredSessions.Entry) -> Int { firstIndex(from: entry.place) }

    /// The first that is not below a place in the list.
    func firstIndex(from place: ListPlace) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle].place < place { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Where a session stands in the list: higher is newer.
struct ListPlace: Comparable {
    let updatedAt: Timestamp
    let sessionId: String

    init(_ state: SessionState) {
        updatedAt = state.updatedAt
        sessionId = state.sessionId
    }

    static func < (a: ListPlace, b: ListPlace) -> Bool {
        (a.updatedAt, a.sessionId) < (b.updatedAt, b.sessionId)
    }
}
