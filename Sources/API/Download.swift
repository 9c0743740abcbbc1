import EventLog
import Server

/// Sends what is longer than one answer should be in memory: the next piece is made when the client has taken most of
/// those before.
final class Download: SubscriberObserver {
    /// The next piece; nil at the end.
    typealias Source = () throws(LogError) -> [UInt8]?

    private var source: Source?
    private var stream: ResponseStream?

    /// Bytes on their way to the client.
    private static let window = 512 << 10

    init(_ source: @escaping Source) {
        self.source = source
    }

    func begin(_ stream: ResponseStream) {
        self.stream = stream
        sendMore()
    }

    var endsByItself: Bool { true }

    func subscriberDidDrain(_ subscriber: Subscriber) { sendMore() }

    func subscriberDidClose(_ subscriber: Subscriber) {
        source = nil
        stream = nil
    }

    private func sendMore() {
        guard let source, let stream else { return }
        do throws(LogError) {
            guard let piece = try source() else {
                self.source = nil
                return stream.finish()
            }
            stream.write(piece)
            // One piece in a turn: others are served in between.
            stream.notifyWhenDrained(below: Download.window)
        } catch {
            // Without its last chunk the answer is seen to be incomplete.
            self.source = nil
            stream.cancel()
        }
    }
}
