import Base

/// What a stream tells its reader.
public enum HubEvent: Equatable, Sendable {
    /// Connected, at first or again; the frames of this connection follow.
    case connected(instanceId: String?)
    case frame(HubFrame)
    /// The connection is gone; the stream tries again in `after`.
    case reconnecting(reason: String, attempt: Int, after: Duration)
    /// Events `after + 1 ... before - 1` of the session do not come, although they were asked for again.
    case missing(sessionId: String, after: Int, before: Int)
    /// Nothing comes any more. Nil: the owner closed it.
    case ended(HubError?)
}

/// The events of one stream, in order, for one reader.
///
/// What is not read is held up to a bound; then the client stops reading from its socket, and the daemon's rules for
/// slow clients apply. Nothing is dropped on this side.
public struct HubEvents: AsyncSequence, Sendable {
    let queue: EventQueue

    /// One reader's place. A second reader would take events from the first, and ends its wait.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let queue: EventQueue

        /// Nil after the end, or when the reader's task is cancelled.
        public func next() async -> HubEvent? { await queue.next() }

        /// As `next()`.
        public func next(isolation actor: isolated (any Actor)?) async -> HubEvent? { await queue.next() }
    }

    /// For the one reader.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(queue: queue) }
}

/// A bounded hand-over from the loop's thread to a task.
final class EventQueue: Sendable {
    private struct State {
        var items: [(event: HubEvent, bytes: Int)] = []
        var head = 0
        var bytes = 0
        var isFinished = false
        var isHeldBack = false
        var reader: CheckedContinuation<HubEvent?, Never>?
    }

    private let state = Lock(State())
    private let limit: Int
    /// Called, on the reader's thread, when the queue was full and has room again.
    private let onRoom: Lock<@Sendable () -> Void> = Lock({})

    init(limit: Int) {
        self.limit = limit
    }

    func setOnRoom(_ body: @escaping @Sendable () -> Void) { onRoom.withLock { $0 = body } }

    /// Returns false when the writer should wait for `onRoom`; the event is taken all the same.
    func push(_ event: HubEvent, bytes: Int) -> Bool {
        let (reader, goOn) = state.withLock { state -> (CheckedContinuation<HubEvent?, Never>?, Bool) in
            guard !state.isFinished else { return (nil, true) }
            if let reader = state.reader {
                state.reader = nil
                return (reader, true)
            }
            state.items.append((event, bytes))
            state.bytes += bytes
            if state.bytes >= limit { state.isHeldBack = true }
            return (nil, !state.isHeldBack)
        }
        reader?.resume(returning: event)
        return goOn
    }

    /// What waits for the reader.
    var heldBytes: Int { state.withLock { $0.bytes } }

    func finish() {
        let reader = state.withLock { state in
            state.isFinished = true
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: nil)
    }

    func next() async -> HubEvent? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (ready, hasRoom) = take(orWait: continuation)
                if let ready { continuation.resume(returning: ready) }
                if hasRoom { onRoom.withLock { $0 }() }
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(returning: nil)
        }
    }

    private func take(orWait continuation: CheckedContinuation<HubEvent?, Never>) -> (HubEvent??, hasRoom: Bool) {
        let isCancelled = Task.isCancelled
        return state.withLock { state in
            if state.head < state.items.count {
                let item = state.items[state.head]
                state.head += 1
                state.bytes -= item.bytes
                if state.head == state.items.count || state.head > 4096 {
                    state.items.removeFirst(state.head)
                    state.head = 0
                }
                guard state.isHeldBack, state.bytes < limit / 2 else { return (.some(item.event), false) }
                state.isHeldBack = false
                return (.some(item.event), true)
            }
            if state.isFinished || isCancelled { return (.some(nil), false) }
            // A second reader would take events from the first: it ends the first one's wait.
            state.reader?.resume(returning: nil)
            state.reader = continuation
            return (nil, false)
        }
    }
}
