/// What of each session's log has been handed on: which frame is new, which came already, and where something is
/// missing. Pure.
struct CursorBook: Equatable, Sendable {
    enum Verdict: Equatable, Sendable {
        case deliver
        /// Was handed on before.
        case duplicate
        /// Something between `after` and this frame has not come.
        case gap(after: Int)
        /// Came ahead of a replay that will bring it again.
        case early
    }

    /// The last seq handed on, by session.
    private(set) var cursors: [String: Int]
    /// Sessions whose replay has been asked for and has not met the live frames yet.
    private var replaying: Set<String> = []
    /// Frames up to these are known not to be sent live: the record of a new session tells of them.
    private var known: [String: Int] = [:]
    /// A gap that stays after so many replays is in the log itself; it is reported and passed over.
    private var gaps: [String: (after: Int, count: Int)] = [:]
    static let replaysPerGap = 3

    init(_ cursors: [String: Int] = [:]) {
        self.cursors = cursors
    }

    static func == (a: CursorBook, b: CursorBook) -> Bool {
        a.cursors == b.cursors && a.replaying == b.replaying && a.known == b.known
    }

    /// A connection was made on which the cursors of `sessions` are sent.
    mutating func beginReplay(_ sessions: some Sequence<String>) {
        replaying = Set(sessions)
    }

    /// The snapshot at the beginning of a connection: what it says is the start for sessions not followed yet.
    mutating func snapshot(_ sessionId: String, lastSeq: Int) {
        if cursors[sessionId] == nil { cursors[sessionId] = lastSeq }
    }

    /// A new session: everything in it is still to come, except perhaps what its record already tells.
    mutating func created(_ sessionId: String, lastSeq: Int) {
        guard cursors[sessionId] == nil else { return }
        cursors[sessionId] = 0
        known[sessionId] = lastSeq
    }

    mutating func forget(_ sessionId: String) {
        cursors[sessionId] = nil
        known[sessionId] = nil
        gaps[sessionId] = nil
        replaying.remove(sessionId)
    }

    /// The log is another one than the cursor's, or a gap in it is accepted: goes on after `seq`.
    mutating func reset(_ sessionId: String, to seq: Int) {
        cursors[sessionId] = seq
        known[sessionId] = nil
        gaps[sessionId] = nil
        replaying.remove(sessionId)
    }

    /// Decides about a frame and, when it is to be handed on, moves the cursor.
    mutating func receive(_ sessionId: String, seq: Int) -> Verdict {
        guard let cursor = cursors[sessionId] else {
            cursors[sessionId] = seq
            return .deliver
        }
        if seq <= cursor { return .duplicate }
        let isNext = seq - 1 <= max(cursor, known[sessionId] ?? 0)
        guard isNext else { return replaying.contains(sessionId) ? .early : .gap(after: cursor) }
        cursors[sessionId] = seq
        gaps[sessionId] = nil
        return .deliver
    }

    /// The replay has met the live frames.
    /// - Returns: a session of which the daemon has sent more than has come, if there is one.
    mutating func replayComplete(_ sent: [String: Int]) -> String? {
        replaying = []
        return sent.first { session, seq in cursors[session].map { $0 < seq } ?? false }?.key
    }

    /// Whether another replay may close the gap; false when it has been tried often enough at the same place.
    mutating func mayRetry(_ sessionId: String) -> Bool {
        let after = cursors[sessionId] ?? 0
        let count = gaps[sessionId].map { $0.after == after ? $0.count + 1 : 1 } ?? 1
        gaps[sessionId] = (after, count)
        return count <= CursorBook.replaysPerGap
    }
}
