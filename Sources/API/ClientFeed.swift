import Base
import EventLog
import HubProtocol
import JSON
import Sessions

/// What a feed writes into: a WebSocket or an event stream.
protocol FrameSink: AnyObject {
    /// - Parameter isEphemeral: it may be left out when the client is slow.
    func send(_ frame: OutgoingFrame, isEphemeral: Bool)
    func send(_ batch: OutgoingBatch)
    /// What waits to be written, in bytes.
    var queuedBytes: Int { get }
    /// There is nothing more to come.
    func finish()
    /// Asks to be told, once, when no more than this is waiting.
    func notifyWhenDrained(below bytes: Int)
}

extension FrameSink {
    func send(_ batch: OutgoingBatch) {
        for frame in batch.frames { send(frame, isEphemeral: false) }
    }
}

/// One client's view of the sessions: which it wants, and where it is in those that are being replayed to it.
///
/// The seam between replay and live: while a session is being replayed, its live events are not sent, since the replay
/// will read them from the log; the step that finds the replay at the log's committed end makes the session live.
/// Both happen on the loop, so no event can fall between.
final class ClientFeed {
    enum Selection: Equatable {
        case all
        case only(Set<String>)

        func contains(_ sessionId: String) -> Bool {
            switch self {
            case .all: true
            case .only(let ids): ids.contains(sessionId)
            }
        }
    }

    /// What may be queued by a replay before it waits for the client, in bytes.
    private static let replayWindow = 256 << 10

    let sink: any FrameSink
    /// Whose it is; nil for one that only listens.
    let clientId: String?
    private let hub: StreamHub
    private(set) var selection = Selection.all
    private(set) var wantsChunks = true
    /// Sessions being replayed, each with the seq that was sent last.
    private var replays: [(sessionId: String, after: Int)] = []
    /// Where each replayed session met live.
    private var met: JSONObject = [:]
    private var announcesSync = false
    /// The log being replayed was found cut short just now.
    private var isMending = false
    /// Frames that wait until it is known whether the client brings cursors.
    private var held: [(sessionId: String, frame: OutgoingFrame, isEphemeral: Bool)]?
    private static let maxHeld = 1024
    /// The client has said that it will say hello: nothing but the state goes to it before.
    private let awaitsHello: Bool
    /// More came before the hello than is held.
    private var hasOverflowed = false
    private let openedAt = Timestamp.now
    /// Nothing to filter and nothing to replay: the way of nearly every delivery.
    private var isDirect = false

    /// Shows one session and nothing of the others, not even that they exist.
    let isOfOneSession: Bool

    /// - Parameters:
    ///   - holds: until `configure` or `release`.
    ///   - awaitsHello: however long that takes.
    init(
        sink: any FrameSink, hub: StreamHub, clientId: String? = nil, holds: Bool, awaitsHello: Bool = false,
        isOfOneSession: Bool = false
    ) {
        self.clientId = clientId
        self.isOfOneSession = isOfOneSession
        self.awaitsHello = awaitsHello
        self.sink = sink
        self.hub = hub
        held = holds ? [] : nil
        updateDirect()
    }

    private func updateDirect() {
        isDirect = held == nil && replays.isEmpty && selection == .all && wantsChunks
    }

    /// Whether the client is shown a session's record; nil: something about the daemon.
    func wantsRecord(of sessionId: String?) -> Bool {
        guard isOfOneSession, let sessionId else { return true }
        return selection.contains(sessionId)
    }

    /// Offers a session's frame; it is sent, held or passed over as the client's state wants it.
    @inline(__always)
    func offer(_ frame: OutgoingFrame, of sessionId: String, isEphemeral: Bool) {
        if isDirect { return sink.send(frame, isEphemeral: isEphemeral) }
        offerFiltered(frame, of: sessionId, isEphemeral: isEphemeral)
    }

    /// Offers frames of a session that none of their kind may be left out of.
    func offer(_ batch: OutgoingBatch, of sessionId: String) {
        if isDirect { return sink.send(batch) }
        for frame in batch.frames { offer(frame, of: sessionId, isEphemeral: false) }
    }

    private func offerFiltered(_ frame: OutgoingFrame, of sessionId: String, isEphemeral: Bool) {
        guard selection.contains(sessionId), wantsChunks || !isEphemeral else { return }
        if held != nil {
            held?.append((sessionId, frame, isEphemeral))
            guard let count = held?.count, count > ClientFeed.maxHeld else { return }
            // Deltas are covered by what is logged later; only a flood of events ends the wait.
            held?.removeAll(where: \.isEphemeral)
            if held?.count ?? 0 > ClientFeed.maxHeld / 2 {
                guard awaitsHello else { return release() }
                hasOverflowed = true
                held = []
            }
            return
        }
        // Pieces of text, too, wait for the replay: they would refer to an item that the client hasn't heard of.
        guard !replays.contains(where: { $0.sessionId == sessionId }) else { return }
        sink.send(frame, isEphemeral: isEphemeral)
    }

    /// The client has said nothing so far: it wants everything from the beginning of its connection.
    func release() {
        guard let frames = held else { return }
        held = nil
        updateDirect()
        for entry in frames { offer(entry.frame, of: entry.sessionId, isEphemeral: entry.isEphemeral) }
    }

    /// Whether a client that comes with these cursors now may have been sent live events after them already. They
    /// would come again by the replay, or before what they follow.
    func isTooLate(for cursors: [(sessionId: String, after: Int)]) -> Bool {
        guard held == nil else { return false }
        return cursors.contains { cursor in
            guard selection.contains(cursor.sessionId), let state = hub.service.state(of: cursor.sessionId) else {
                return false
            }
            return cursor.after < state.lastSeq && state.updatedAt >= openedAt
        }
    }

    /// Whether events of sessions without a cursor here have been left out: they would be missing.
    func hasMissed(without cursors: [(sessionId: String, after: Int)], selection: Selection?) -> Bool {
        guard hasOverflowed else { return false }
        let resumed = Set(cursors.map(\.sessionId))
        switch selection ?? self.selection {
        case .all: return !hub.service.states.allSatisfy { resumed.contains($0.sessionId) }
        case .only(let wanted): return !wanted.isSubset(of: resumed)
        }
    }

    /// What the client asked for.
    /// - Parameter cursors: by session, the seq up to which it has everything.
    func configure(selection: Selection?, wantsChunks: Bool?, cursors: [(sessionId: String, after: Int)]?) {
        if let selection { self.selection = selection }
        if let wantsChunks { self.wantsChunks = wantsChunks }
        for cursor in cursors ?? [] { begin(cursor) }
        let frames = held
        held = nil
        updateDirect()
        let resumed = Set((cursors ?? []).map(\.sessionId))
        // What was held of a session with a cursor comes by its replay.
        for entry in frames ?? [] where !resumed.contains(entry.sessionId) {
            offer(entry.frame, of: entry.sessionId, isEphemeral: entry.isEphemeral)
        }
        announcesSync = announcesSync || cursors != nil
        pump()
    }

    private func begin(_ cursor: (sessionId: String, after: Int)) {
        guard let state = hub.service.state(of: cursor.sessionId), cursor.after <= state.lastSeq else {
            let lastSeq = hub.service.state(of: cursor.sessionId)?.lastSeq
            let reason = lastSeq == nil ? "the session is gone" : "the cursor is ahead of the log"
            return sendResync(cursor.sessionId, reason, lastSeq: lastSeq ?? 0)
        }
        replays.removeAll { $0.sessionId == cursor.sessionId }
        // Of thousands that a client has whole, none need be opened to say so.
        if cursor.after == state.lastSeq, hub.service.loaded[cursor.sessionId] == nil {
            met[cursor.sessionId] = JSON(cursor.after)
            return
        }
        replays.append(cursor)
    }

    private func sendResync(_ sessionId: String, _ reason: String, lastSeq: Int) {
        hub.send(
            "sync:resync", to: sink, sessionId: sessionId,
            [
                "sessionId": JSON(sessionId), "reason": JSON(reason), "earliestSeq": 1, "lastSeq": JSON(lastSeq),
            ])
    }

    /// The first replay's session goes on live: the client has all there is of it.
    private func endReplay(_ session: Session) {
        let last = session.log.committedSeq
        let sent = replays.removeFirst().after
        met[session.id] = JSON(last)
        if sent < last {
            sendResync(session.id, "the events \(sent + 1) to \(last) can't be read any more", lastSeq: last)
        }
        guard wantsChunks else { return }
        // What streams now began before the client heard of it: without its beginning, no later piece would fit.
        for chunk in session.streaming { sink.send(hub.frame(of: chunk), isEphemeral: true) }
    }

    /// Goes on with the replays as far as the client keeps up. Called again when its queue has drained.
    func pump() {
        while let next = replays.first, sink.queuedBytes < ClientFeed.replayWindow {
            let session: Session
            do throws(Failure) {
                session = try hub.service.session(next.sessionId)
            } catch {
                replays.removeFirst()
                hub.send("session:error", to: sink, sessionId: next.sessionId, error.json)
                continue
            }
            let log = session.log
            do throws(LogError) {
                let slice = try log.read(after: next.after, maxBytes: 128 << 10)
                for line in slice.lines {
                    guard let frame = hub.frame(ofLine: slice.block[line.range], sessionId: next.sessionId) else {
                        continue
                    }
                    sink.send(frame, isEphemeral: false)
                }
                replays[0].after = slice.lastSeq ?? next.after
                if slice.isLast || replays[0].after >= log.committedSeq { endReplay(session) }
            } catch {
                // Once more: what is left can be read from now on.
                if error.code == .cutShort, !isMending {
                    isMending = true
                    continue
                }
                replays.removeFirst()
                hub.send("session:error", to: sink, sessionId: next.sessionId, Session.unreadable(error).json)
            }
            isMending = false
        }
        guard replays.isEmpty else { return sink.notifyWhenDrained(below: ClientFeed.replayWindow / 2) }
        updateDirect()
        guard announcesSync else { return }
        announcesSync = false
        hub.send("sync:complete", to: sink, ["cursors": .object(met)])
        met = [:]
    }
}
