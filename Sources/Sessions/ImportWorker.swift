import Base
import EventLog
import EventLoop
import HubProtocol
import Providers
import Synchronization

/// Does what takes long in an import, reading and writing, on a thread of its own, one after the other: the loop goes
/// on with its sessions meanwhile. Memory is bounded by one line.
final class ImportWorker: Sendable {
    /// Read at once; between two such pieces an import can be cancelled and tells how far it is.
    private static let pieceBytes = 256 << 10
    /// The longest line that is taken from elsewhere.
    static let lineLimit = 16 << 20

    private let thread: EventLoop
    private let isCancelled = Atomic(false)

    init() throws(SystemError) {
        thread = try EventLoop.startThread(name: "import")
    }

    /// Ends what is under way at its next piece; nothing begins any more.
    func cancel() {
        isCancelled.store(true, ordering: .relaxed)
        thread.stop()
    }

    func submit(_ job: @escaping @Sendable (ImportWorker) -> Void) {
        thread.submit { [self] in job(self) }
    }

    private func requireGoingOn() throws(Failure) {
        if isCancelled.load(ordering: .relaxed) { throw .importCancelled }
    }

    struct Native: Sendable {
        var archive: any SessionArchive
        var providerId: String
        var nativeSessionId: String
        var sessionId: String
    }

    /// Makes a log of a session that a provider's program keeps.
    func build(
        _ source: Native, in drafts: LogDrafts, limit: Int, by client: ClientIdentity,
        progress: (_ bytes: Int, _ total: Int) -> Void
    ) throws(Failure) -> BuiltLog<SessionState> {
        guard var opened = try source.archive.open(source.nativeSessionId) else {
            throw Failure(
                code: "native_session_not_found",
                message: "\(source.providerId) keeps no session \(source.nativeSessionId.prefix(64)).")
        }
        let session = opened.session
        if let problem = session.problem { throw Failure(code: "not_importable", message: problem) }
        guard session.bytes <= limit else { throw .importTooLarge(session.bytes, limit: limit) }
        do throws(LogError) {
            let header = LogHeader(
                sessionId: source.sessionId, providerId: source.providerId, createdAt: session.createdAt,
                workspace: session.workspace)
            var native = NativeImport(try LogBuilder(header, in: drafts))
            try native.begin(session)
            var failure: LogError?
            func take(_ time: Timestamp?, _ event: ArchivedEvent) {
                guard failure == nil else { return }
                do throws(LogError) { try native.take(time, event) } catch { failure = error }
            }
            var splitter = LineSplitter(limit: ImportWorker.lineLimit)
            var offset = 0
            // The program may be writing right now: what was there at the beginning is what is read.
            while offset < session.bytes, failure == nil {
                try goOn()
                let piece: [UInt8]
                do throws(SystemError) {
                    piece = try opened.file.read(
                        from: offset, count: min(ImportWorker.pieceBytes, session.bytes - offset))
                } catch {
                    throw LogError(.inputOutput, "\(error)", cause: error)
                }
                if piece.isEmpty { break }
                offset += piece.count
                splitter.feed(piece) { line in opened.reader.read(line, take) }
                progress(offset, session.bytes)
            }
            splitter.finish { line in opened.reader.read(line, take) }
            opened.reader.finish(take)
            if let failure { throw failure }
            try native.finish(
                session, model: opened.reader.model, skipped: opened.reader.skipped, at: .now, by: client)
            return try native.builder.finish()
        } catch {
            try requireGoingOn()
            throw Session.logUnavailable(error)
        }
    }

    func goOn() throws(LogError) {
        if isCancelled.load(ordering: .relaxed) { throw LogError(.closed, "cancelled") }
    }

    /// Makes a log of one that was uploaded.
    func build(
        _ upload: TemporaryFile, in drafts: LogDrafts, by client: ClientIdentity,
        progress: (_ bytes: Int, _ total: Int) -> Void
    ) throws(Failure) -> (log: BuiltLog<SessionState>, importedFrom: String?) {
        var reading = LogImport(drafts: drafts)
        var splitter = LineSplitter(limit: LogFormat.lineLimit)
        var failure: Failure?
        func take(_ line: LineSplitter.Line) {
            guard failure == nil else { return }
            do throws(Failure) { try reading.take(line) } catch { failure = error }
        }
        var offset = 0
        while offset < upload.size, failure == nil {
            try requireGoingOn()
            let piece: [UInt8]
            do throws(SystemError) {
                piece = try upload.read(from: offset, count: min(ImportWorker.pieceBytes, upload.size - offset))
            } catch {
                throw Session.logUnavailable(LogError(.inputOutput, "\(error)", cause: error))
            }
            if piece.isEmpty { break }
            offset += piece.count
            splitter.feed(piece, take)
            progress(offset, upload.size)
        }
        splitter.finish(take)
        if let failure { throw failure }
        return (try reading.finish(at: .now, by: client), reading.importedFrom)
    }
}
