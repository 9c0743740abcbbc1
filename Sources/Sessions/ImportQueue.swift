package import Base
import EventLog
import EventLoop
package import HubProtocol
import JSON
import Providers

/// Imports under way, on the loop's side: what takes long is the worker's, the last step, which makes a session of a
/// built log, happens here in one go.
package final class ImportQueue {
    package typealias Done = (Result<ImportResult, Failure>) -> Void

    private unowned let service: SessionService
    private let loop: EventLoop
    private var worker: ImportWorker?
    private var running: [String: Running] = [:]
    private var isCancelled = false
    private var nextNumber = 1

    /// Imports that may wait for one another; more of them is a client's mistake.
    private static let limit = 32
    /// Milliseconds between two reports of progress.
    private static let reportInterval: Int64 = 250

    private struct Running {
        var progress: ImportProgress
        /// Everybody who asked for it.
        var waiting: [Done]
    }

    init(service: SessionService) {
        self.service = service
        loop = service.loop
    }

    /// Nothing more is begun; what is under way leaves nothing behind.
    func cancel() {
        isCancelled = true
        worker?.cancel()
        let waiting = running.values.flatMap(\.waiting)
        running = [:]
        for done in waiting { done(.failure(.importCancelled)) }
    }

    private func startedWorker() throws(Failure) -> ImportWorker {
        if let worker { return worker }
        do throws(SystemError) {
            let made = try ImportWorker()
            worker = made
            return made
        } catch {
            throw Failure(code: "internal_error", message: "No thread for the import: \(error).")
        }
    }

    private func requireRoom() throws(Failure) {
        try service.requireStaying()
        guard !isCancelled else { throw .importCancelled }
        guard running.count < ImportQueue.limit else {
            throw Failure(
                code: "busy", message: "\(ImportQueue.limit) imports wait already.", recoverable: true,
                actions: [.retryLater])
        }
    }

    /// Nothing is being imported.
    var isIdle: Bool { running.isEmpty }

    // MARK: Listing

    /// Sessions that programs of providers keep, the newest first.
    /// - Parameter providerId: nil for all.
    /// - Throws: `provider_not_found` when that provider's sessions can't be read.
    package func list(
        providerId: String?, limit: Int, _ done: @escaping (Result<[ImportableSession], Failure>) -> Void
    ) throws(Failure) {
        try requireRoom()
        let ids = providerId.map { [$0] } ?? service.archives?.archiveProviderIds ?? []
        var archives: [(String, any SessionArchive)] = []
        for id in ids { archives.append((id, try archive(of: id))) }
        let found = archives
        let worker = try startedWorker()
        let back = LoopBound((queue: self, done: done), loop: loop)
        worker.submit { [loop] _ in
            var sessions: [ImportableSession] = []
            for (id, archive) in found {
                sessions += archive.list(limit: limit).map { ImportableSession(providerId: id, session: $0) }
            }
            let newest = sessions.sorted { $0.session.updatedAt > $1.session.updatedAt }.prefix(limit)
            loop.submit { back.value.queue.answer(Array(newest), back.value.done) }
        }
    }

    private func answer(
        _ sessions: [ImportableSession], _ done: (Result<[ImportableSession], Failure>) -> Void
    ) {
        var known: [String: String] = [:]
        for state in service.allStates {
            for (provider, memory) in state.memories {
                if let native = memory.ownSessionId { known[provider + "/" + native] = state.sessionId }
            }
        }
        done(
            .success(
                sessions.map { session in
                    var session = session
                    session.sessionId = known[session.providerId + "/" + session.session.nativeSessionId]
                    return session
                }))
    }

    private func archive(of providerId: String) throws(Failure) -> any SessionArchive {
        guard let archive = service.archives?.archive(of: providerId) else {
            throw Failure(
                code: "provider_not_found",
                message:
                    "No sessions of \(providerId.prefix(64)) can be imported; there is none, or it keeps none here."
            )
        }
        return archive
    }

    // MARK: Importing

    /// Makes a session of one that a provider's program keeps, or answers with the one that goes on with it already.
    package func importNative(
        providerId: String, nativeSessionId: String, by client: ClientIdentity, _ done: @escaping Done
    ) throws(Failure) {
        if let known = service.allStates.first(where: { $0.memories[providerId]?.ownSessionId == nativeSessionId }) {
            return done(.success(ImportResult(session: try service.session(known.sessionId), isNew: false)))
        }
        let key = providerId + "/" + nativeSessionId
        if running[key] != nil {
            running[key]?.waiting.append(done)
            return
        }
        try requireRoom()
        let source = ImportWorker.Native(
            archive: try archive(of: providerId), providerId: providerId, nativeSessionId: nativeSessionId,
            sessionId: randomUUID())
        let limit = service.settings.maxImportBytes
        try build(key: key, providerId: providerId, nativeSessionId: nativeSessionId, by: client, done) {
            worker, drafts, report throws(Failure) in
            (try worker.build(source, in: drafts, limit: limit, by: client, progress: report), nil)
        }
    }

    /// Makes a session of an uploaded log.
    package func importLog(_ upload: TemporaryFile, by client: ClientIdentity, _ done: @escaping Done) throws(Failure) {
        try build(key: "upload/\(nextNumber)", by: client, done) { worker, drafts, report throws(Failure) in
            try worker.build(upload, in: drafts, by: client, progress: report)
        }
    }

    typealias Built = (log: BuiltLog<SessionState>, importedFrom: String?)

    /// Has the worker build a log, and makes a session of it.
    func build(
        key: String, providerId: String? = nil, nativeSessionId: String? = nil,
        audited action: String = "session_imported",
        by client: ClientIdentity, _ done: @escaping Done,
        _ body: @escaping @Sendable (ImportWorker, LogDrafts, (Int, Int) -> Void) throws(Failure) -> Built
    ) throws(Failure) {
        try requireRoom()
        let worker = try startedWorker()
        begin(key, providerId: providerId, nativeSessionId: nativeSessionId, done)
        let drafts = service.store.drafts
        let back = LoopBound((queue: self, client: client), loop: loop)
        worker.submit { [loop] worker in
            let report = ImportQueue.reporter(key, back, loop)
            let result: Result<Built, Failure>
            do throws(Failure) { result = .success(try body(worker, drafts, report)) } catch {
                result = .failure(error)
            }
            loop.submit { back.value.queue.finish(key, result, audited: action, by: client) }
        }
    }

    private func begin(_ key: String, providerId: String?, nativeSessionId: String?, _ done: @escaping Done) {
        let progress = ImportProgress(
            importId: "import-\(nextNumber)", providerId: providerId, nativeSessionId: nativeSessionId,
            status: .running, bytes: 0, totalBytes: 0)
        nextNumber += 1
        running[key] = Running(progress: progress, waiting: [done])
    }

    /// What the worker calls after each piece; few of those calls reach the loop.
    private static func reporter(
        _ key: String, _ back: LoopBound<(queue: ImportQueue, client: ClientIdentity)>, _ loop: EventLoop
    ) -> (Int, Int) -> Void {
        var last = Timestamp.now.milliseconds
        return { bytes, total in
            let now = Timestamp.now.milliseconds
            guard now - last >= reportInterval || now < last else { return }
            last = now
            loop.submit { back.value.queue.report(key, bytes, total) }
        }
    }

    private func report(_ key: String, _ bytes: Int, _ total: Int) {
        guard var progress = running[key]?.progress else { return }
        progress.bytes = bytes
        progress.totalBytes = total
        running[key]?.progress = progress
        service.observer?.importProgressed(progress)
    }

    private func finish(
        _ key: String, _ result: Result<Built, Failure>, audited action: String, by client: ClientIdentity
    ) {
        guard let ended = running.removeValue(forKey: key) else {
            // Cancelled meanwhile.
            if case .success(let built) = result { service.store.discard(built.log) }
            return
        }
        var progress = ended.progress
        let outcome: Result<ImportResult, Failure>
        do throws(Failure) {
            let built = try result.get()
            let session = try service.adopt(built.log, audited: action, by: client)
            progress.status = .completed
            progress.sessionId = session.id
            progress.bytes = progress.totalBytes
            outcome = .success(ImportResult(session: session, isNew: true, importedFrom: built.importedFrom))
        } catch {
            progress.status = .failed
            progress.error = error
            outcome = .failure(error)
        }
        service.observer?.importProgressed(progress)
        for done in ended.waiting { done(outcome) }
    }
}

extension SessionService {
    /// Makes a session of a log that was built elsewhere.
    func adopt(
        _ built: BuiltLog<SessionState>, audited action: String, by client: ClientIdentity
    ) throws(Failure) -> Session {
        let session: Session
        do throws(LogError) {
            try store.adopt(built)
            noteStored(built.state)
            // Deleted here before, it is back: what it cost must not count twice.
            spending.archive.giveBack(built.header.sessionId)
            spending.forgetSum()
            session = try load(built.header.sessionId)
        } catch {
            throw Session.logUnavailable(error)
        }
        var details: JSONObject = ["providerId": JSON(session.state.providerId)]
        details["nativeSessionId"] = session.state.memories[session.state.providerId]?.ownSessionId.map { JSON($0) }
        audit(action, by: client, session: session, details: details)
        observer?.sessionCreated(session)
        return session
    }
}
