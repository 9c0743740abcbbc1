/// What somebody who sends to a subscriber (a WebSocket or a stream of events) wants to know of it.
package protocol SubscriberObserver: AnyObject {
    /// More than 75 % of the queue are used: ephemeral frames are left out from now on. Told again after it has been
    /// under 50 %.
    func subscriberIsSlow(_ subscriber: Subscriber, queued: Int, limit: Int)
    /// The queue is full and the subscriber is being evicted: the last thing it gets to see, as text; nil for nothing.
    func subscriberEvictionNotice(_ subscriber: Subscriber) -> [UInt8]?
    /// The queue has fallen to what `notifyWhenDrained(below:)` asked for.
    func subscriberDidDrain(_ subscriber: Subscriber)
    /// It is gone. The last call.
    func subscriberDidClose(_ subscriber: Subscriber)
    /// What is sent has an end of its own, as a file has: a server that ends waits for it, since to finish it earlier
    /// would pass a part off as the whole.
    var endsByItself: Bool { get }
}

extension SubscriberObserver {
    package func subscriberIsSlow(_ subscriber: Subscriber, queued: Int, limit: Int) {}
    package func subscriberEvictionNotice(_ subscriber: Subscriber) -> [UInt8]? { nil }
    package func subscriberDidDrain(_ subscriber: Subscriber) {}
    package func subscriberDidClose(_ subscriber: Subscriber) {}
    package var endsByItself: Bool { false }
}

/// A connection that live frames are sent to, with a bounded queue. A slow one is warned, loses ephemeral frames, and
/// is evicted: it harms only itself.
package class Subscriber: Connection {
    /// No more frames are taken: it is being closed.
    final private(set) var isFinishing = false
    final private(set) var isEvicted = false
    final private var isSlow = false
    final private var drainMark = -1
    /// The largest of the large frames in the queue, which doesn't count: a message of more than the limit would evict
    /// everybody, however quick.
    final private var allowance = 0
    private static let largeFrame = 256 << 10
    /// Ephemeral frames this subscriber has missed.
    package final private(set) var droppedFrames = 0

    /// What is told about it. Weak would cost each an allocation of its own.
    final var observer: (any SubscriberObserver)?

    /// Ends it after a notice: how depends on the protocol. At most `closeTime` later it is gone.
    func evict(notice: [UInt8]?) { abort() }

    package final var isSlowNow: Bool { isSlow }

    final func startFinishing() { isFinishing = true }

    /// Whether a frame may be queued now; applies the policy for slow subscribers.
    @inline(__always)
    final func admits(ephemeral: Bool) -> Bool {
        guard isOpen, !isFinishing else { return false }
        if output.bytes < server.slowBytes, output.frames < server.slowFrames { return true }
        return admitsWhenSlow(ephemeral: ephemeral)
    }

    private final func admitsWhenSlow(ephemeral: Bool) -> Bool {
        // Much may be produced within one turn: that is not the client's fault, so it gets its chance first.
        tryToSend()
        guard isOpen else { return false }
        let bytes = output.bytes - allowance
        if bytes < server.slowBytes, output.frames < server.slowFrames { return true }
        if bytes >= server.limits.queuedBytes || output.frames >= server.limits.queuedFrames {
            beginEviction()
            return false
        }
        if !isSlow {
            isSlow = true
            server.metrics.subscribersSlow += 1
            observer?.subscriberIsSlow(self, queued: output.bytes, limit: server.limits.queuedBytes)
            guard isOpen, !isFinishing else { return false }
        }
        guard ephemeral else { return true }
        droppedFrames += 1
        server.metrics.framesDropped += 1
        return false
    }

    private final func beginEviction() {
        guard !isEvicted else { return }
        isEvicted = true
        server.metrics.subscribersEvicted += 1
        let notice = observer?.subscriberEvictionNotice(self)
        evict(notice: notice)
    }

    /// Queues a frame. One that is short and far from the last one is copied when the queue already keeps much more
    /// memory alive than it sends.
    @inline(__always)
    final func enqueueReference(_ reference: FrameReference, frames: Int = 1) {
        if reference.count > Subscriber.largeFrame { allowance = max(allowance, reference.count) }
        if output.pinnedBytes > server.pinnedLimit {
            append(server.unshared(reference), frames: frames)
        } else {
            append(reference, frames: frames)
        }
    }

    /// Tells the observer, in a later turn, when no more than `bytes` are queued: for a producer that has much to send.
    package final func notifyWhenDrained(below bytes: Int) {
        drainMark = max(0, bytes)
        if output.bytes <= drainMark { tellDrained() }
    }

    final override func outputProgressed() {
        if isSlow, output.bytes < server.limits.queuedBytes / 2, output.frames < server.limits.queuedFrames / 2 {
            isSlow = false
        }
        if allowance > 0, output.bytes < Subscriber.largeFrame { allowance = 0 }
        if drainMark >= 0, output.bytes <= drainMark { tellDrained() }
    }

    private final func tellDrained() {
        drainMark = -1
        // In the next turn: a source without end and a fast reader must not hold the loop.
        server.inNextTurn { [self] in
            if isOpen, !isFinishing { observer?.subscriberDidDrain(self) }
        }
    }

    override func wasClosed() {
        isFinishing = true
        let observer = observer
        self.observer = nil
        observer?.subscriberDidClose(self)
    }
}
