import Base
import EventLog
import EventLoop
package import HubProtocol
import JSON
import Providers

/// A copy of a session up to one of its events, which goes on by itself.
struct SessionFork: Sendable {
    var originId: String
    /// Of the copy.
    var sessionId: String
    /// The last event that is copied.
    var through: Int
    /// Bytes of the origin's file that are committed.
    var bytes: Int
    var title: String?
    /// Providers whose own session is to be forked, too. The others are told what was said.
    var forkedByProviders: [String]
}

extension Session {
    /// What a fork after an event is made of.
    /// - Parameter seq: nil: the last event.
    /// - Throws: `invalid_request` when there is no such event, or the title is none.
    func fork(after seq: Int?, title: String?) throws(Failure) -> SessionFork {
        let through = seq ?? log.committedSeq
        guard (1...max(1, log.committedSeq)).contains(through) else {
            throw Failure(
                code: "invalid_request", message: "atSeq is a number from 1 to \(log.committedSeq).",
                details: ["field": "atSeq"])
        }
        if let title { _ = try Session.checkedTitle(title) }
        // A provider's own session can only be forked where it stands now.
        let upToDate = state.memories.filter { providerId, memory in
            memory.ownSessionId != nil && memory.lastTurnEnd <= through && memory.since <= through
                && state.runningTurn?.providerId != providerId && service.providers.canFork(providerId)
        }
        return SessionFork(
            originId: id, sessionId: randomUUID(), through: through, bytes: log.size, title: title,
            forkedByProviders: upToDate.keys.sorted())
    }
}

extension ImportQueue {
    /// Makes a copy of a session up to an event; what was running or waiting then is closed in it.
    package func fork(
        _ session: Session, atSeq seq: Int?, title: String?, by client: ClientIdentity, _ done: @escaping Done
    ) throws(Failure) {
        let fork = try session.fork(after: seq, title: title)
        try build(key: "fork/\(fork.sessionId)", audited: "session_forked", by: client, done) {
            worker, drafts, report throws(Failure) in
            (try worker.build(fork, in: drafts, by: client, progress: report), nil)
        }
    }
}

extension ImportWorker {
    func build(
        _ fork: SessionFork, in drafts: LogDrafts, by client: ClientIdentity,
        progress: (_ bytes: Int, _ total: Int) -> Void
    ) throws(Failure) -> BuiltLog<SessionState> {
        do throws(LogError) {
            var copy = ForkCopy(fork, drafts)
            var splitter = LineSplitter(limit: ImportWorker.lineLimit)
            var failure: LogError?
            func take(_ line: LineSplitter.Line) {
                guard failure == nil, !copy.isComplete else { return }
                do throws(LogError) { try copy.take(line) } catch { failure = error }
            }
            try drafts.readLog(fork.originId, bytes: fork.bytes) { piece, offset throws(LogError) in
                try goOn()
                splitter.feed(piece, take)
                progress(offset, fork.bytes)
                if let failure { throw failure }
                return !copy.isComplete
            }
            return try copy.finish(at: .now, by: client)
        } catch {
            throw Session.logUnavailable(error)
        }
    }
}

/// Writes the copy.
private struct ForkCopy {
    let fork: SessionFork
    let drafts: LogDrafts
    private var builder: LogBuilder<SessionState>?
    private(set) var isComplete = false

    init(_ fork: SessionFork, _ drafts: LogDrafts) {
        self.fork = fork
        self.drafts = drafts
    }

    /// What can't be read in the origin can't be copied; everything else is.
    mutating func take(_ line: LineSplitter.Line) throws(LogError) {
        guard case .whole(let bytes) = line, let json = try? JSON.parse(bytes) else { return }
        guard let builder else {
            guard var header = LogHeader(json) else { return }
            header.sessionId = fork.sessionId
            self.builder = try LogBuilder(header, in: drafts)
            return
        }
        guard let record = try? EventRecord(json) else { return }
        guard record.seq <= fork.through else {
            isComplete = true
            return
        }
        try builder.append(record.draft, at: record.timestamp)
        isComplete = record.seq == fork.through
    }

    mutating func finish(at now: Timestamp, by client: ClientIdentity) throws(LogError) -> BuiltLog<SessionState> {
        guard let builder else { throw LogError(.unreadable, "the log has no header") }
        let state = builder.state
        let time = max(now, state.updatedAt)
        for draft in state.closingForFork { try builder.append(draft, at: time) }
        try builder.append(
            EventDraft(
                .status, source: .user, providerId: state.providerId,
                data: [
                    "type": "forked", "from": ["sessionId": JSON(fork.originId), "seq": JSON(fork.through)],
                    "natively": JSON(fork.forkedByProviders), "by": client.json,
                ]), at: time)
        if let title = fork.title {
            try builder.append(
                EventDraft(
                    .status, source: .user, providerId: state.providerId,
                    data: ["type": "renamed", "title": JSON(title), "by": client.json]), at: time)
        }
        return try builder.finish()
    }
}

extension SessionState {
    /// What ends in the copy that goes on in the origin: requests, tools, the turn, and what waits.
    fileprivate var closingForFork: [EventDraft] {
        var drafts: [EventDraft] = []
        for request in pending {
            drafts.append(request.cancellation)
        }
        for tool in openTools {
            drafts.append(tool.closing(.cancelled))
        }
        if let turn = runningTurn {
            drafts.append(
                EventDraft(
                    .turnCompleted, source: .core, turnId: turn.turnId, providerId: turn.providerId, isSynthetic: true,
                    data: ["status": "interrupted", "stopReason": "forked"]))
        }
        for message in queue {
            drafts.append(
                EventDraft(
                    .status, source: .core, providerId: providerId,
                    data: ["type": "withdrawn", "turnId": JSON(message.turnId)]))
        }
        return drafts
    }

    /// This log is a copy from here on: what belongs to the origin's going on isn't this session's.
    mutating func applyForked(_ data: JSONObject) {
        parked = nil
        unfinished = nil
        accepted = [:]
        isHeld = false
        isPaused = false
        isArchived = false
        let natively = Set(data["natively"]?.arrayValue?.compactMap(\.stringValue) ?? [])
        for id in memories.keys {
            if natively.contains(id) { memories[id]?.becomeFork() } else { memories[id]?.forget() }
        }
    }
}
