package import HTTP1
package import WebSocket

/// The limits of a server. Each is a setting; the defaults are for one person's clients on one machine.
package struct ServerLimits: Sendable {
    /// Sizes of requests.
    package var http = HTTPLimits()
    /// Sizes of WebSocket messages. 1 MiB each: prompts are text, and what is pasted into them is not larger.
    package var webSocket = WebSocketLimits(frameBytes: 1 << 20, messageBytes: 1 << 20)
    /// Sockets open at once, whatever they do. One more is answered 503 and closed.
    package var connections = 1024
    /// From the connection, or the first byte of a further request, to the end of the header. Against slowloris.
    package var headerTime: Duration = .seconds(10)
    /// From the end of the header to the end of the body.
    package var bodyTime: Duration = .seconds(30)
    /// Between two requests on a connection.
    package var idleTime: Duration = .seconds(75)
    /// Without a byte taken by a peer for whom some are waiting.
    package var writeStallTime: Duration = .seconds(30)
    /// How long a closing connection may take: the peer's close frame, or its end of the stream.
    package var closeTime: Duration = .seconds(5)
    /// Between two pings on a WebSocket.
    package var pingInterval: Duration = .seconds(20)
    /// Pings without an answer after which the peer is given up.
    package var missedPongs = 2
    /// Bytes waiting for one subscriber, at which it is evicted. At 75 % it is warned and loses ephemeral frames; the
    /// warning is given again after it has been under 50 %. The largest of the queued frames doesn't count when it has
    /// more than 256 KiB: it alone shows no slowness.
    package var queuedBytes = 8 << 20
    /// Frames waiting for one subscriber, at which it is evicted.
    package var queuedFrames = 20_000
    /// Bytes of responses waiting for a client that goes on sending requests; at this many no more are read.
    package var pipelinedResponseBytes = 1 << 20
    /// Messages at least this long are compressed for those who agreed to it: less is not worth the time.
    package var compressionThreshold = 512

    package init() {}
}
