import Base
import EventLoop
package import JSON

/// The live connection to the daemon: frames in `events`, requests by `send`.
///
/// Unless opened in raw mode, it reconnects by itself and goes on by cursor: of each session every event comes
/// exactly once and in order, whatever happens to the connection or to the daemon. Sessions that were made while
/// there was no connection are in the `core:state` frame of the next one; their events before it are read by HTTP.
public final class HubStream: Sendable {
    /// For one reader.
    public let events: HubEvents

    private let loop: EventLoop
    private let core: LoopBound<StreamCore>

    init(
        loop: EventLoop, options: StreamOptions, locate: @escaping @Sendable () throws(HubError) -> HubEndpoint
    ) async throws(HubError) {
        let queue = EventQueue(limit: options.bufferLimit)
        events = HubEvents(queue: queue)
        self.loop = loop
        let result: (LoopBound<StreamCore>, Result<Void, HubError>) = await withCheckedContinuation { continuation in
            loop.submit {
                let core = StreamCore(loop: loop, options: options, queue: queue, locate: locate)
                let bound = LoopBound(core, loop: loop)
                queue.setOnRoom { loop.submit { bound.value.readerHasRoom() } }
                core.start { continuation.resume(returning: (bound, $0)) }
            }
        }
        core = result.0
        try result.1.get()
    }

    deinit { close() }

    /// Sends a frame and waits for its answer.
    ///
    /// While there is no connection the frame waits; when the connection is lost before the answer, what may be
    /// repeated without harm is sent again on the next one (a message always has a `clientMessageId`, a made-up one
    /// if need be), and the rest fails with `connectionLost`.
    ///
    /// - Returns: the `result` of the ack.
    /// - Throws: `rejected` with the daemon's code in `answer`, `timeout`, `connectionLost`, `closed`.
    @discardableResult
    package func send(
        _ type: String, _ payload: JSONObject = [:], timeout: Duration = .seconds(30)
    ) async throws(HubError) -> JSON {
        var payload = payload
        if type == "session:message", payload["clientMessageId"] == nil {
            payload["clientMessageId"] = JSON(hexadecimal(randomBytes(16)))
        }
        let repeatable: Set = ["session:message", "session:history", "session:rename", "session:withdraw"]
        let isIdempotent = repeatable.contains(type)
        let (core, loop, complete) = (core, loop, payload)
        let result: Result<JSON, HubError> = await withCheckedContinuation { continuation in
            loop.submit {
                core.value.request(type, complete, isIdempotent: isIdempotent, timeout: timeout) {
                    continuation.resume(returning: $0)
                }
            }
        }
        return try result.get()
    }

    /// As `send`, with the payload and the result as JSON texts: for code outside this package.
    ///
    /// - Parameters:
    ///   - type: of the frame, for example `session:message`.
    ///   - payloadText: a JSON object.
    ///   - timeout: for the answer, waiting for a connection included.
    /// - Returns: the `result` of the daemon's answer, `null` when it has none.
    /// - Throws: `rejected` with the daemon's code in `answer`, `timeout`, `connectionLost`, `closed`, and
    ///   `invalidAnswer` when the payload is no JSON object.
    @discardableResult
    public func send(
        _ type: String, payloadText: String, timeout: Duration = .seconds(30)
    ) async throws(HubError) -> String {
        guard let payload = try? JSON.parse(payloadText), let object = payload.objectValue else {
            throw HubError(.invalidAnswer, "the payload is no JSON object")
        }
        return try await send(type, object, timeout: timeout).description
    }

    /// Sends a text frame as it is, without waiting for anything. Lost when there is no connection.
    public func sendRaw(_ text: String) {
        let core = core
        loop.submit { core.value.sendRaw(Array(text.utf8)) }
    }

    /// Ends the stream; `events` ends, requests that wait fail with `closed`.
    public func close() {
        let core = core
        loop.submit { core.value.close() }
    }
}
