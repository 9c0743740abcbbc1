import CSQLite

/// When statements have to end. Belongs to a connection's thread, but for `cancel`.
final class StatementLimit: @unchecked Sendable {
    fileprivate let pointer: UnsafeMutablePointer<csqlite_limit>

    init() {
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: csqlite_limit(deadline: .max, cancelled: 0))
    }

    deinit { pointer.deallocate() }

    /// Statements that run longer than this, on the monotonic clock in nanoseconds, end with `interrupted`.
    var deadline: Int64 {
        get { pointer.pointee.deadline }
        set { pointer.pointee.deadline = newValue }
    }

    /// Ends what runs and whatever is begun, from any thread.
    func cancel() { csqlite_cancel(pointer) }
    var isCancelled: Bool { csqlite_is_cancelled(pointer) != 0 }
}

/// One connection to an SQLite file. Belongs to one thread.
final class Database {
    private var handle: OpaquePointer?
    private let limit: StatementLimit

    /// Opens the file, or makes it.
    init(path: String, limit: StatementLimit) throws(SearchError) {
        self.limit = limit
        let code = sqlite3_open_v2(
            path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil
        )
        guard code == SQLITE_OK, let handle else { throw failure(code) }
        csqlite_set_limit(handle, limit.pointer)
    }

    /// Statements hold on to the connection until they are gone, too.
    deinit { sqlite3_close_v2(handle) }

    func execute(_ sql: String) throws(SearchError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code) }
    }

    func prepare(_ sql: String) throws(SearchError) -> Statement {
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw failure(code) }
        return Statement(statement, of: self)
    }

    /// The first column of the first row, as a number; nil when there is none.
    func number(_ sql: String) throws(SearchError) -> Int64? {
        let statement = try prepare(sql)
        return try statement.step() ? statement.number(0) : nil
    }

    /// The first column of the first row, as text.
    func text(_ sql: String) throws(SearchError) -> String {
        let statement = try prepare(sql)
        return try statement.step() ? statement.text(0) : ""
    }

    /// All of it happens, or nothing.
    func transaction<Result>(_ body: () throws(SearchError) -> Result) throws(SearchError) -> Result {
        try execute("BEGIN IMMEDIATE")
        do throws(SearchError) {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // A failure that has ended the transaction by itself leaves nothing to roll back.
            _ = sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
            throw error
        }
    }

    /// Rows inserted, changed and deleted since it was opened, those of the index's own tables too.
    var changes: Int64 { sqlite3_total_changes64(handle) }

    /// Gives back what memory it can.
    func shrink() { sqlite3_db_release_memory(handle) }

    func failure(_ code: Int32) -> SearchError {
        let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
        return SearchError(code: code, "\(message) (SQLite \(code))")
    }
}

/// A prepared statement.
final class Statement {
    private let handle: OpaquePointer
    private let database: Database

    fileprivate init(_ handle: OpaquePointer, of database: Database) {
        self.handle = handle
        self.database = database
    }

    deinit { sqlite3_finalize(handle) }

    /// The parameters, from the first on. The statement is at its beginning again.
    func bind(_ values: [Value]) throws(SearchError) {
        sqlite3_reset(handle)
        for (index, value) in values.enumerated() {
            let place = Int32(index + 1)
            let code =
                switch value {
                case .number(let number): sqlite3_bind_int64(handle, place, number)
                case .text(let text): bind(text, place)
                }
            guard code == SQLITE_OK else { throw database.failure(code) }
        }
    }

    enum Value {
        case number(Int64)
        case text(String)
    }

    private func bind(_ text: String, _ place: Int32) -> Int32 {
        var text = text
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                csqlite_bind_text(handle, place, $0.baseAddress, Int64($0.count))
            }
        }
    }

    /// Goes to the next row.
    /// - Returns: whether there is one. After the last the statement is at its beginning again.
    func step() throws(SearchError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(handle)
            return false
        case let code:
            let error = database.failure(code)
            sqlite3_reset(handle)
            throw error
        }
    }

    /// Ends it before its last row.
    func reset() { sqlite3_reset(handle) }

    /// Binds, and runs to the end.
    func run(_ values: [Value]) throws(SearchError) {
        try bind(values)
        while try step() {}
    }

    /// The first column of the first row, if there is one.
    func first(_ values: [Value]) throws(SearchError) -> Int64? {
        try bind(values)
        defer { reset() }
        return try step() ? number(0) : nil
    }

    func number(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func text(_ column: Int32) -> String {
        guard let text = sqlite3_column_text(handle, column) else { return "" }
        let count = Int(sqlite3_column_bytes(handle, column))
        return String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self)
    }
}
