import CSQLite

/// Why the index can't do what it was asked to.
enum SearchError: Error, Equatable {
    /// The file is no index, or one that can't be trusted: it is thrown away and made anew.
    case damaged(String)
    /// The disk or the system doesn't let us; later it may.
    case unavailable(String)
    /// The time was up, or the daemon ends.
    case interrupted

    /// By SQLite's result code; the extended ones have the primary one in their low byte.
    init(code: Int32, _ message: String) {
        switch code & 0xff {
        case SQLITE_INTERRUPT: self = .interrupted
        case SQLITE_FULL, SQLITE_IOERR, SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH, SQLITE_NOMEM,
            SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL, SQLITE_NOLFS:
            self = .unavailable(message)
        // All statements are ours: one that isn't understood has met another schema.
        default: self = .damaged(message)
        }
    }
}

extension SearchError: CustomStringConvertible {
    var description: String {
        switch self {
        case .damaged(let reason), .unavailable(let reason): reason
        case .interrupted: "interrupted"
        }
    }
}
