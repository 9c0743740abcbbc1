import Base
import EventLog
import Glibc

/// How much of a session's log is in the index, and what the file looked like then.
struct SessionMark: Equatable {
    /// Bytes of the log that were read: the next line begins there.
    var size: Int
    var inode: UInt64
    var modifiedNanoseconds: Int64
    /// A checksum of the last bytes before `size`: tells a log that has grown from one that was rewritten.
    var tail: UInt64
}

/// The index's file: SQLite with one FTS5 table.
///
/// A document's row number begins with its time, so that the newest matches are simply the last ones: a search reads
/// as many as it shows, however many there are, and its cursor is a row number.
final class SearchStore {
    /// Of the schema and of what documents are made of. A file of another version is thrown away.
    static let version: Int64 = 1
    /// `CHsi` in the file's header.
    private static let applicationId: Int64 = 0x4348_7369

    let path: String
    private let database: Database
    private let limit: StatementLimit
    private let findSession: Statement
    private let putSession: Statement
    private let dropSession: Statement
    private let nameSession: Statement
    private let isRowTaken: Statement
    private let putDocument: Statement
    private let dropDocument: Statement
    private let documentsOfSession: Statement
    private let find: Statement
    private let setState: Statement

    /// Opens the index, or makes an empty one.
    /// - Throws: `damaged` when what is there is none, isn't as it was left, or is broken after an end that wasn't orderly.
    init(path: String, limit: StatementLimit) throws(SearchError) {
        self.path = path
        self.limit = limit
        try SearchStore.prepareFile(path)
        let wasSealed = try SearchStore.breakSeal(of: path)
        database = try Database(path: path, limit: limit)
        // One connection, so no shared memory beside the file. What is deleted is overwritten.
        for pragma in [
            "auto_vacuum=INCREMENTAL", "locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL",
            "secure_delete=ON", "temp_store=MEMORY",
            "cache_size=-4096", "journal_size_limit=1048576", "trusted_schema=OFF", "cell_size_check=ON",
        ] {
            try database.execute("PRAGMA \(pragma)")
        }
        if try database.number("SELECT count(*) FROM sqlite_schema") == 0 { try SearchStore.create(in: database) }
        guard try database.number("PRAGMA application_id") == SearchStore.applicationId,
            try database.number("PRAGMA user_version") == SearchStore.version
        else { throw .damaged("the file is of another version, or no index") }
        if !wasSealed {
            let verdict = try database.text("PRAGMA quick_check(1)")
            guard verdict == "ok" else { throw .damaged(verdict) }
        }
        findSession = try database.prepare("SELECT number, size, inode, mtime, tail FROM sessions WHERE id = ?1")
        putSession = try database.prepare(
            """
            INSERT INTO sessions(id, size, inode, mtime, tail) VALUES(?1, ?2, ?3, ?4, ?5)
            ON CONFLICT(id) DO UPDATE SET size = ?2, inode = ?3, mtime = ?4, tail = ?5
            """)
        dropSession = try database.prepare("DELETE FROM sessions WHERE number = ?1")
        nameSession = try database.prepare("SELECT id FROM sessions WHERE number = ?1")
        isRowTaken = try database.prepare("SELECT 1 FROM docs_content WHERE id = ?1")
        putDocument = try database.prepare(
            "INSERT INTO docs(rowid, session, text, seq, kind, ts) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")
        dropDocument = try database.prepare("DELETE FROM docs WHERE rowid = ?1")
        documentsOfSession = try database.prepare("SELECT rowid FROM docs WHERE docs MATCH ?1 LIMIT ?2")
        find = try database.prepare(
            """
            SELECT rowid, session, seq, kind, ts, snippet(docs, 1, char(2), char(3), '…', 24)
            FROM docs WHERE docs MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3
            """)
        setState = try database.prepare("INSERT OR REPLACE INTO state(key, value) VALUES(?1, ?2)")
    }

    private static func create(in database: Database) throws(SearchError) {
        try database.transaction { () throws(SearchError) in
            try database.execute(
                """
                PRAGMA application_id = \(applicationId);
                PRAGMA user_version = \(version);
                CREATE TABLE sessions(
                    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, inode INTEGER NOT NULL,
                    mtime INTEGER NOT NULL, tail INTEGER NOT NULL);
                CREATE TABLE state(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
                INSERT INTO state VALUES('scrub', 0);
                CREATE VIRTUAL TABLE docs USING fts5(
                    session, text, seq UNINDEXED, kind UNINDEXED, ts UNINDEXED, columnsize = 0,
                    tokenize = 'unicode61 remove_diacritics 2');
                """)
        }
    }

    /// Makes the file with mode 0600, or checks the one that is there: it must be ours, regular and no link.
    private static func prepareFile(_ path: String) throws(SearchError) {
        let fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0o600)
        guard fd >= 0 else { throw .unavailable("\(SystemError.current("open \(path)"))") }
        defer { close(fd) }
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
            status.st_nlink == 1
        else { throw .unavailable("\(path) is no regular file of this user alone") }
        if status.st_mode & 0o077 != 0 { fchmod(fd, 0o600) }
    }

    /// Removes an index with all that belongs to it.
    static func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm", "-journal", sealSuffix] { unlink(path + suffix) }
    }

    func shrink() { database.shrink() }

    /// Gives pages that nothing is in any more back to the file system, some at a time: merging leaves as many as the
    /// index has.
    /// - Returns: whether few are left.
    func compact(pages: Int) throws(SearchError) -> Bool {
        guard try database.number("PRAGMA freelist_count") ?? 0 > pages else { return true }
        // Each step of the statement frees one page.
        let vacuum = try database.prepare("PRAGMA incremental_vacuum(\(pages))")
        while try vacuum.step() {}
        return false
    }

    // MARK: Sessions

    var sessionIds: [String] {
        get throws(SearchError) {
            let all = try database.prepare("SELECT id FROM sessions")
            var ids: [String] = []
            while try all.step() { ids.append(all.text(0)) }
            return ids
        }
    }

    func mark(of sessionId: String) throws(SearchError) -> SessionMark? {
        try findSession.bind([.text(sessionId)])
        defer { findSession.reset() }
        guard try findSession.step() else { return nil }
        return SessionMark(
            size: Int(findSession.number(1)), inode: UInt64(bitPattern: findSession.number(2)),
            modifiedNanoseconds: findSession.number(3), tail: UInt64(bitPattern: findSession.number(4)))
    }

    private func number(of sessionId: String) throws(SearchError) -> Int64? {
        try findSession.first([.text(sessionId)])
    }

    /// What was read of sessions' logs.
    struct Reading {
        var sessionId: String
        var documents: [SearchDocument]
        var mark: SessionMark
    }

    /// Adds what was read, all or nothing.
    func add(_ readings: [Reading]) throws(SearchError) {
        try database.transaction { () throws(SearchError) in
            var rows: [(row: Int64, session: Int64, document: SearchDocument)] = []
            var taken: Set<Int64> = []
            for reading in readings {
                let mark = reading.mark
                try putSession.run([
                    .text(reading.sessionId), .number(Int64(mark.size)), .number(Int64(bitPattern: mark.inode)),
                    .number(mark.modifiedNanoseconds), .number(Int64(bitPattern: mark.tail)),
                ])
                guard let session = try number(of: reading.sessionId) else { continue }
                var last: Int64?
                for document in reading.documents {
                    var row = SearchStore.firstRow(of: document.timestamp, session: session)
                    // Those of one second follow one another, as they do in the log.
                    if let last, last >> SearchStore.rowBits == row >> SearchStore.rowBits { row = last + 1 }
                    while try isTaken(row, &taken) { row += 1 }
                    rows.append((row, session, document))
                    last = row
                }
            }
            // In ascending order FTS5 gathers them in memory; each step back would have it write what it has so far.
            rows.sort { $0.row < $1.row }
            for (row, session, document) in rows {
                try putDocument.run([
                    .number(row), .text(SearchQuery.token(ofSession: session)), .text(document.text),
                    .number(Int64(document.seq)), .number(document.kind.rawValue),
                    .number(document.timestamp.milliseconds),
                ])
            }
        }
    }

    private func isTaken(_ row: Int64, _ taken: inout Set<Int64>) throws(SearchError) -> Bool {
        guard taken.insert(row).inserted else { return true }
        return try isRowTaken.first([.number(row)]) != nil
    }

    /// Bits of a row number that tell documents of one second apart.
    private static let rowBits: Int64 = 16

    /// Where documents of a session and a second are looked for a place: sessions begin far from one another.
    private static func firstRow(of time: Timestamp, session: Int64) -> Int64 {
        let seconds = max(0, min(time.milliseconds / 1000, 1 << 40))
        let place = (UInt64(bitPattern: session) &* 0x9e37_79b9_7f4a_7c15) >> UInt64(64 - rowBits)
        return seconds << rowBits | Int64(place)
    }

    /// Removes the documents of a session, some at a time.
    /// - Returns: whether the session is gone altogether.
    func remove(_ sessionId: String, atMost count: Int) throws(SearchError) -> Bool {
        try database.transaction { () throws(SearchError) in
            guard let session = try number(of: sessionId) else { return true }
            var rows: [Int64] = []
            try documentsOfSession.bind([
                .text("session : \"\(SearchQuery.token(ofSession: session))\""), .number(Int64(count)),
            ])
            while try documentsOfSession.step() { rows.append(documentsOfSession.number(0)) }
            for row in rows { try dropDocument.run([.number(row)]) }
            try setState.run([.text("scrub"), .number(1)])
            guard rows.count < count else { return false }
            try dropSession.run([.number(session)])
            return true
        }
    }

    /// Whether something was removed whose words are still in the file.
    var needsScrub: Bool {
        get throws(SearchError) { try database.number("SELECT value FROM state WHERE key = 'scrub'") == 1 }
    }

    /// FTS5 only marks what is deleted, and forgets it when its parts are merged. This merges, some pages at a time.
    /// - Returns: whether all is merged, and nothing of what was removed is left in the file.
    func scrub(pages: Int) throws(SearchError) -> Bool {
        let before = database.changes
        try database.execute("INSERT INTO docs(docs, rank) VALUES('merge', -\(pages))")
        // Said by FTS5's documentation: fewer than 2 changed rows mean that there was nothing to merge.
        guard database.changes - before < 2 else { return false }
        try setState.run([.text("scrub"), .number(0)])
        // The old pages, too, which the log of writes still has.
        try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return true
    }

    // MARK: Searching

    struct Match {
        var row: Int64
        var sessionId: String
        var seq: Int
        var kind: SearchDocument.Kind
        var timestamp: Timestamp
        var snippet: SearchSnippet
    }

    /// The newest matches before a row.
    /// - Parameters:
    ///   - deadline: on the monotonic clock; what was found until then is what there is.
    /// - Returns: the matches, newest first, and whether the time was enough.
    func search(
        _ query: SearchQuery, in sessionId: String?, before row: Int64, limit count: Int, deadline: Int64
    ) throws(SearchError) -> (matches: [Match], isComplete: Bool) {
        limit.deadline = deadline
        defer { limit.deadline = .max }
        var matches: [Match] = []
        do throws(SearchError) {
            var session: Int64?
            if let sessionId {
                session = try number(of: sessionId)
                if session == nil { return ([], true) }
            }
            try find.bind([.text(query.expression(session: session)), .number(row), .number(Int64(count))])
            defer { find.reset() }
            var names: [String: String] = [:]
            while try find.step() {
                guard let name = try name(ofToken: find.text(1), &names),
                    let kind = SearchDocument.Kind(rawValue: find.number(3))
                else { continue }
                matches.append(
                    Match(
                        row: find.number(0), sessionId: name, seq: Int(find.number(2)), kind: kind,
                        timestamp: Timestamp(milliseconds: find.number(4)), snippet: SearchSnippet(find.text(5))))
            }
            return (matches, true)
        } catch .interrupted where !limit.isCancelled {
            return (matches, false)
        }
    }

    private func name(ofToken token: String, _ known: inout [String: String]) throws(SearchError) -> String? {
        if let name = known[token] { return name }
        guard let number = Int64(token.dropFirst()) else { return nil }
        try nameSession.bind([.number(number)])
        defer { nameSession.reset() }
        guard try nameSession.step() else { return nil }
        let name = nameSession.text(0)
        known[token] = name
        return name
    }
}

/// A piece of a document around what was found, in parts.
package struct SearchSnippet: Equatable, Sendable {
    package struct Part: Equatable, Sendable {
        package var text: String
        /// Whether it is what was looked for.
        package var isMatch: Bool
    }

    package var parts: [Part] = []

    package init(parts: [Part]) { self.parts = parts }

    /// - Parameter marked: U+0002 before and U+0003 after what matches; documents have no control characters.
    init(_ marked: String) {
        for (index, piece) in marked.split(separator: "\u{2}", omittingEmptySubsequences: false).enumerated() {
            if index == 0 {
                add(piece, isMatch: false)
                continue
            }
            let halves = piece.split(separator: "\u{3}", maxSplits: 1, omittingEmptySubsequences: false)
            add(halves[0], isMatch: true)
            if halves.count > 1 { add(halves[1], isMatch: false) }
        }
    }

    private mutating func add(_ text: Substring, isMatch: Bool) {
        if !text.isEmpty { parts.append(Part(text: String(text), isMatch: isMatch)) }
    }
}
