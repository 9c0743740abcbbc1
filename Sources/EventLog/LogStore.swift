import Base
package import EventLoop
package import HubProtocol
import JSON

/// A session as the start of the daemon finds it, without its log being opened.
package struct ScannedSession<State> {
    package let header: LogHeader
    package let state: State
    package let lastSeq: Int
    /// Bytes of its log.
    package let size: Int
}

/// The logs of all sessions: one file each in one directory, append, then publish.
///
/// Belongs to the loop and is synchronous. Order, which is by design:
/// - within a log, events are published in the order of their numbers, each once, after their line is where
///   `durability` says;
/// - in process mode all logs made dirty in a loop's turn are written and published at its end, in the order in which
///   they became dirty, before any socket is written;
/// - in power mode each log is published when its own sync has returned, in a later turn; among logs there is no order.
package final class LogStore<State: LogFold> {
    package let directory: String
    package let backups: String
    package let durability: Durability
    /// What was found wrong and mended since the start, the first 1000.
    package private(set) var recoveries: [RecoveryReport] = []
    /// Each of those as it is found, for the daemon's log.
    package var onRecovery: (RecoveryReport) -> Void = { _ in }
    /// How many deleted sessions are kept in the backups.
    package var backupsToKeep: Int

    let fileSystem: any LogFileSystem
    private let loop: EventLoop
    private let committer: LogCommitter
    private var logs: [String: SessionLog<State>] = [:]
    private var entries: [String: IndexEntry] = [:] {
        didSet { isIndexBehind = true }
    }
    /// Of sessions that were deleted in this life: what they were is known, should they come back.
    private var deletedEntries: [String: IndexEntry] = [:]
    private static var deletedEntriesKept: Int { 64 }
    /// Something has changed since the index was written.
    private var isIndexBehind = false
    private var indexTimer: LoopTimer?
    private var watchTimer: LoopTimer?

    /// Makes the directories (mode 0700) when they are missing; their parents must be there.
    ///
    /// - Parameters:
    ///   - backupsToKeep: deleted sessions kept in `backups`; 0 for none.
    ///   - heldLimit: most bytes that a log which can't be written holds in memory.
    ///   - writerLoop: what writes in power mode; nil for a thread of its own.
    package init(
        directory: String, backups: String, loop: EventLoop, durability: Durability,
        fileSystem: any LogFileSystem = DiskFileSystem.shared, backupsToKeep: Int = 10, heldLimit: Int = 64 << 20,
        retryInterval: Duration = .seconds(1), writerLoop: EventLoop? = nil
    ) throws(LogError) {
        self.directory = directory
        self.backups = backups
        self.durability = durability
        self.fileSystem = fileSystem
        self.loop = loop
        self.backupsToKeep = backupsToKeep
        try prepareTrustedDirectory(directory, fileSystem)
        committer = try LogCommitter(
            loop: loop, durability: durability, fileSystem: fileSystem, directory: directory, heldLimit: heldLimit,
            retryInterval: retryInterval, writerLoop: writerLoop)
        committer.onMended = { [weak self] in self?.add($0) }
    }

    package var metrics: LogMetrics { committer.metrics }

    func path(_ sessionId: String) -> String { directory + "/" + sessionId + LogFormat.suffix }
    private var indexPath: String { directory + "/" + LogFormat.indexName }

    // MARK: Start

    /// Every readable session, in no order. Reads whole logs only where the index doesn't know them.
    package func scan() -> [ScannedSession<State>] {
        let files: [DirectoryEntry]
        do throws(SystemError) {
            files = try fileSystem.entries(of: directory)
        } catch {
            add(.unreadable, "", error.description)
            return []
        }
        var known = readIndex()
        var sessions: [ScannedSession<State>] = []
        sessions.reserveCapacity(files.count)
        entries.reserveCapacity(files.count)
        for file in files {
            // An import that the end of an earlier daemon cut short.
            if file.name.hasSuffix(LogFormat.suffix + LogDrafts.suffix) {
                try? fileSystem.remove(directory + "/" + file.name)
            }
            guard let id = LogFormat.sessionId(fileName: file.name) else { continue }
            if let problem = untrusted(file.status) {
                add(.untrustedFile, id, "\(path(id)) \(problem)")
                continue
            }
            if file.status.permissions & 0o077 != 0 { try? fileSystem.setPermissions(path(id), 0o600) }
            let found = known.removeValue(forKey: id)
            entries[id] = found?.entry
            if let found, found.entry.matches(file.status),
                let state = State(checkpoint: found.checkpoint, header: found.entry.header)
            {
                sessions.append(
                    ScannedSession(
                        header: found.entry.header, state: state, lastSeq: found.entry.lastSeq,
                        size: found.entry.size))
            } else if let session = rescan(id) {
                sessions.append(session)
            }
        }
        return sessions
    }

    private func readIndex() -> [String: (entry: IndexEntry, checkpoint: JSON)] {
        do throws(SystemError) {
            guard let bytes = try fileSystem.contents(of: indexPath, limit: LogIndex.sizeLimit) else { return [:] }
            let contents = LogIndex.parse(bytes)
            if contents.damagedLines > 0 {
                add(.index, "", "\(contents.damagedLines) damaged lines in \(indexPath): those logs are read again")
            }
            return contents.entries
        } catch {
            add(.index, "", "\(indexPath) can't be read (\(error)): all logs are read again")
            return [:]
        }
    }

    private func rescan(_ id: String) -> ScannedSession<State>? {
        do throws(LogError) {
            let (fd, _, log) = try recover(id)
            fileSystem.close(fd)
            return ScannedSession(header: log.header, state: log.state, lastSeq: log.lastSeq, size: log.end)
        } catch {
            entries[id] = nil
            add(error.code == .untrustedFile ? .untrustedFile : .unreadable, id, error.message)
            return nil
        }
    }

    /// Opens a log's file and brings its state to the file's end, by the index when that fits.
    private func recover(_ id: String) throws(LogError) -> (fd: Int32, FileStatus, RecoveredLog<State>) {
        let fd: Int32
        var status: FileStatus
        do throws(SystemError) {
            fd = try fileSystem.open(path(id), .readWrite)
        } catch {
            if error.isNotFound { throw LogError(.notFound, "there is no session \(id)", cause: error) }
            if error.isSymbolicLink {
                throw LogError(.untrustedFile, "\(path(id)) is a symbolic link", cause: error)
            }
            throw LogError(error)
        }
        var isDone = false
        defer { if !isDone { fileSystem.close(fd) } }
        do throws(SystemError) {
            status = try fileSystem.status(fd)
        } catch {
            throw LogError(error)
        }
        if let problem = untrusted(status) { throw LogError(.untrustedFile, "\(path(id)) \(problem)") }
        var recovery = LogRecovery(fileSystem: fileSystem, sessionId: id, path: path(id), fd: fd)
        defer { for report in recovery.reports { add(report) } }
        let log = try recovery.run(State.self, from: entries[id], status: status)
        do throws(SystemError) {
            // What another life of the daemon wrote and did not sync would be replayed as if it were safe.
            if durability == .power { try fileSystem.synchronize(fd) }
            status = try fileSystem.status(fd)
        } catch {
            throw LogError(error)
        }
        if !log.isResumed || entries[id]?.matches(status) != true {
            entries[id] = IndexEntry(
                header: log.header, start: log.start, size: log.end, status: status, lastSeq: log.lastSeq,
                tail: try recovery.tail(before: log.end), damage: log.damage.ranges, checkpoint: log.state.checkpoint)
        }
        isDone = true
        return (fd, status, log)
    }

    private func untrusted(_ status: FileStatus) -> String? {
        if status.kind != .regular { return "is no regular file" }
        if status.owner != fileSystem.user { return "belongs to user \(status.owner)" }
        return nil
    }

    private func add(_ finding: RecoveryReport.Finding, _ sessionId: String, _ detail: String) {
        add(
            RecoveryReport(
                sessionId: sessionId, finding: finding, offset: 0, bytes: 0, detail: detail, keptIn: nil, foundAt: .now)
        )
    }

    private func add(_ report: RecoveryReport) {
        committer.metrics.recoveries += 1
        if recoveries.count < 1000 { recoveries.append(report) }
        onRecovery(report)
    }

    // MARK: Sessions

    /// Makes the log of a new session: its header is in the file when this returns.
    package func create(_ header: LogHeader) throws(LogError) -> SessionLog<State> {
        let id = header.sessionId
        guard LogFormat.isValid(sessionId: id) else {
            throw LogError(.invalidIdentifier, "a session's identifier is 1 to 64 letters of A-Z a-z 0-9 _ -")
        }
        var line: [UInt8] = []
        header.serialize(into: &line)
        line.append(0x0a)
        let fd: Int32
        do throws(SystemError) {
            fd = try fileSystem.open(path(id), .create)
        } catch {
            if error.isAlreadyThere { throw LogError(.alreadyExists, "there is a session \(id)", cause: error) }
            throw LogError(error)
        }
        do throws(SystemError) {
            try fileSystem.writeAll(fd, line, at: 0)
        } catch {
            fileSystem.close(fd)
            try? fileSystem.remove(path(id))
            throw LogError(error)
        }
        entries[id] = nil
        let log = makeLog(
            RecoveredLog(
                header: header, start: line.count, end: line.count, lastSeq: 0, damage: DamageMap(),
                state: State(header: header)), fd: fd)
        if durability == .power { log.appender.unsyncedHeader = line }
        return log
    }

    /// Opens a session's log, mending what needs it. The log that is open already, if it is.
    package func open(_ sessionId: String) throws(LogError) -> SessionLog<State> {
        if let log = logs[sessionId] {
            log.isClosing = false
            return log
        }
        guard LogFormat.isValid(sessionId: sessionId) else {
            throw LogError(.notFound, "there is no such session")
        }
        let (fd, _, recovered) = try recover(sessionId)
        return makeLog(recovered, fd: fd)
    }

    private func makeLog(_ recovered: RecoveredLog<State>, fd: Int32) -> SessionLog<State> {
        let id = recovered.header.sessionId
        let file = LogFile(
            sessionId: id, path: path(id), fileSystem: fileSystem, fd: fd, start: recovered.start, end: recovered.end,
            lastSeq: recovered.lastSeq, damage: recovered.damage)
        let appender = LogAppender(file: file, committer: committer)
        committer.add(appender)
        let log = SessionLog(header: recovered.header, state: recovered.state, appender: appender)
        logs[id] = log
        return log
    }

    /// Takes a log out of memory, after what is pending was committed and published.
    package func close(_ log: SessionLog<State>) {
        guard logs[log.sessionId] === log, !log.isClosing else { return }
        log.isClosing = true
        log.afterCommit { [weak self, weak log] in
            guard let self, let log, log.isClosing else { return }
            finishClosing(log)
        }
    }

    private func finishClosing(_ log: SessionLog<State>) {
        refreshEntry(of: log)
        log.appender.close()
        logs[log.sessionId] = nil
    }

    /// Moves a session's files to the backups, or removes them when none are kept. What is pending is dropped.
    package func delete(_ sessionId: String) throws(LogError) {
        guard LogFormat.isValid(sessionId: sessionId) else { throw LogError(.notFound, "there is no such session") }
        if let log = logs[sessionId] { refreshEntry(of: log) }
        do throws(SystemError) {
            let name = sessionId + LogFormat.suffix
            // The log last, so that a deletion cut short can be repeated.
            let files = try fileSystem.entries(of: directory).map(\.name)
                .filter { $0 == name || $0.hasPrefix(name + ".") }
                .sorted { $0.utf8.count > $1.utf8.count }
            // One that is open and whose file somebody else removed can still be deleted.
            guard files.contains(name) || logs[sessionId] != nil else {
                throw SystemError(errno: 2, operation: "delete \(name)")
            }
            if backupsToKeep > 0 {
                try LogBackups(directory: backups, fileSystem: fileSystem)
                    .take(files, from: directory, sessionId: sessionId, keep: backupsToKeep)
            } else {
                for file in files { try fileSystem.remove(directory + "/" + file) }
            }
            if durability == .power { try fileSystem.synchronize(directory: directory) }
        } catch {
            if error.isNotFound { throw LogError(.notFound, "there is no session \(sessionId)", cause: error) }
            throw LogError(error)
        }
        logs.removeValue(forKey: sessionId)?.appender.close()
        if deletedEntries.count >= LogStore.deletedEntriesKept { deletedEntries = [:] }
        deletedEntries[sessionId] = entries.removeValue(forKey: sessionId)
    }

    /// Brings a deleted session's files back from the backups, as they were. It is opened like any other then.
    /// - Throws: `notFound` when they are not kept (any more), `alreadyExists` when there is a session of that name.
    package func undelete(_ sessionId: String) throws(LogError) {
        guard LogFormat.isValid(sessionId: sessionId) else { throw LogError(.notFound, "there is no such session") }
        guard !isKnown(sessionId), (try? fileSystem.status(path: path(sessionId))) == nil else {
            throw LogError(.alreadyExists, "there is a session \(sessionId)")
        }
        let isBack: Bool
        do throws(SystemError) {
            isBack = try LogBackups(directory: backups, fileSystem: fileSystem).giveBack(sessionId, to: directory)
            if isBack, durability == .power { try fileSystem.synchronize(directory: directory) }
        } catch {
            throw LogError(error)
        }
        guard isBack else { throw LogError(.notFound, "no deleted session \(sessionId) is kept") }
        entries[sessionId] = deletedEntries.removeValue(forKey: sessionId)
    }

    /// The logs in memory.
    package var openLogs: [SessionLog<State>] { Array(logs.values) }

    /// Bytes of a log that are committed, whether it is open or not; nil when there is none.
    package func committedSize(of sessionId: String) -> Int? { logs[sessionId]?.size ?? entries[sessionId]?.size }

    func isKnown(_ sessionId: String) -> Bool { logs[sessionId] != nil || entries[sessionId] != nil }

    func note(_ entry: IndexEntry) { entries[entry.header.sessionId] = entry }

    // MARK: Index

    /// Replaces the index, atomically. A log with something pending keeps its older entry: the rest is folded at the
    /// next start.
    /// - Returns: whether it was written. Nothing depends on it but the time that the next start takes.
    @discardableResult
    package func writeIndex() -> Bool {
        for log in logs.values { refreshEntry(of: log) }
        let bytes = LogIndex.serialize(entries.values)
        let temporary = indexPath + ".tmp"
        do throws(SystemError) {
            try? fileSystem.remove(temporary)
            let fd = try fileSystem.open(temporary, .create)
            defer { fileSystem.close(fd) }
            try fileSystem.writeAll(fd, bytes, at: 0)
            try fileSystem.rename(temporary, to: indexPath)
            isIndexBehind = false
            return true
        } catch {
            try? fileSystem.remove(temporary)
            return false
        }
    }

    /// Has the index written again and again, so that a start after a crash has little to fold.
    package func writeIndex(every interval: Duration) {
        indexTimer?.cancel()
        indexTimer = loop.schedule(after: interval) { [weak self] in
            guard let self else { return }
            for log in logs.values { refreshEntry(of: log) }
            // With thousands of sessions it has megabytes.
            if isIndexBehind { writeIndex() }
            writeIndex(every: interval)
        }
    }

    /// Has the open logs' files looked at again and again: one that something else removed is written again as long as
    /// its bytes can still be had.
    package func watchFiles(every interval: Duration) {
        watchTimer?.cancel()
        watchTimer = loop.schedule(after: interval) { [weak self] in
            guard let self else { return }
            mendFiles()
            watchFiles(every: interval)
        }
    }

    /// Looks at the file of every open log now. What can't be mended is tried again the next time.
    package func mendFiles() {
        for log in logs.values { _ = try? log.appender.mend(looksAtName: true) }
    }

    private func refreshEntry(of log: SessionLog<State>) {
        let file = log.appender.file
        let id = log.sessionId
        guard log.appender.isClean, log.appender.failure == nil, entries[id]?.size != file.end,
            let status = try? fileSystem.status(file.fd), status.size == file.end,
            let tail = try? fileSystem.readAll(file.fd, max(0, file.end - LogIndex.tailLength)..<file.end)
        else { return }
        entries[id] = IndexEntry(
            header: log.header, start: file.start, size: file.end, status: status, lastSeq: file.lastSeq,
            tail: tail.withUnsafeBytes { checksum($0) }, damage: file.damage.ranges, checkpoint: log.state.checkpoint)
    }

    // MARK: The end

    /// Commits and publishes everything pending, waiting no longer than `limit` for the disk; writes the index; closes
    /// all logs. Not from within `onCommitted` or `afterCommit`.
    /// - Returns: whether everything is committed.
    @discardableResult
    package func stop(limit: Duration = .seconds(5)) -> Bool {
        indexTimer?.cancel()
        watchTimer?.cancel()
        let isDrained = committer.drain(limit: limit)
        mendFiles()
        writeIndex()
        for log in logs.values { log.appender.close() }
        logs = [:]
        committer.stopWriter()
        return isDrained
    }
}

/// Makes a directory that only its owner enters, or checks the one that is there.
func prepareTrustedDirectory(_ path: String, _ fileSystem: any LogFileSystem) throws(LogError) {
    do throws(SystemError) {
        do throws(SystemError) {
            try fileSystem.makeDirectory(path)
            return
        } catch {
            guard error.isAlreadyThere else { throw error }
        }
        let status = try fileSystem.status(path: path)
        guard status.kind == .directory else { throw SystemError(errno: 20, operation: "use \(path)") }
        guard status.owner == fileSystem.user else {
            throw SystemError(errno: 1, operation: "\(path) belongs to user \(status.owner)")
        }
        if status.permissions & 0o077 != 0 { try fileSystem.setPermissions(path, 0o700) }
    } catch {
        throw LogError(.untrustedFile, "the directory \(path) can't be used: \(error)", cause: error)
    }
}
