import HubProtocol
import JSON
import Server
import Sessions

/// One client on a stream of server-sent events: one session, replayed from a cursor and then live.
final class EventStreamClient: SubscriberObserver {
    private let hub: StreamHub
    private let identity: ClientIdentity
    private var feed: ClientFeed?
    private var stream: ResponseStream?

    init(hub: StreamHub, identity: ClientIdentity) {
        self.hub = hub
        self.identity = identity
    }

    /// The stream holds its observer, and so this client, for as long as it is open.
    func begin(_ stream: ResponseStream, sessionId: String, after: Int, wantsChunks: Bool) {
        self.stream = stream
        let feed = ClientFeed(sink: EventStreamSink(stream), hub: hub, holds: true, isOfOneSession: true)
        self.feed = feed
        hub.add(feed)
        hub.onClient(identity, true)
        feed.configure(selection: .only([sessionId]), wantsChunks: wantsChunks, cursors: [(sessionId, after)])
    }

    func subscriberDidDrain(_ subscriber: Subscriber) { feed?.pump() }

    func subscriberIsSlow(_ subscriber: Subscriber, queued: Int, limit: Int) {
        feed?.sink.send(hub.slowFrame(queued: queued, limit: limit), isEphemeral: false)
    }

    func subscriberEvictionNotice(_ subscriber: Subscriber) -> [UInt8]? {
        Array("event: client:evicted\ndata: ".utf8) + hub.evictedFrame().text + Array("\n\n".utf8)
    }

    func subscriberDidClose(_ subscriber: Subscriber) {
        if let feed {
            hub.remove(feed)
            hub.onClient(identity, false)
        }
        feed = nil
        stream = nil
    }
}

final class EventStreamSink: FrameSink {
    private let stream: ResponseStream

    init(_ stream: ResponseStream) { self.stream = stream }

    func send(_ frame: OutgoingFrame, isEphemeral: Bool) { stream.enqueue(frame.eventStream, ephemeral: isEphemeral) }
    func finish() { stream.finish() }
    func notifyWhenDrained(below bytes: Int) { stream.notifyWhenDrained(below: bytes) }
    var queuedBytes: Int { stream.queuedBytes }
}
