import CVersion

/// How a stream behaves. The defaults suit a program for people.
public struct StreamOptions: Sendable {
    /// Whose events come.
    public enum Subscription: Equatable, Sendable {
        case all
        /// Events of these sessions only; records of all sessions come nevertheless.
        case sessions([String])
    }

    /// Shown to others as who answered a permission.
    public var name = "codeai-hub"
    /// Of the program, for the daemon's log.
    public var version = clientVersion
    public var subscription = Subscription.all
    /// Where to begin: the last seq already known, by session. Others begin live.
    public var resume: [String: Int] = [:]
    /// Whether text is sent while it grows.
    public var chunks = true
    /// False: the raw mode. One connection, no cursors, every frame as it comes; ends when the connection ends.
    public var reconnects = true
    /// False: sends no `client:hello` (raw mode only), as the simplest clients do.
    public var saysHello = true
    /// Offers `permessage-deflate`.
    public var compression = false
    /// Bytes of frames held for a reader that is behind; then reading pauses.
    public var bufferLimit = 8 << 20
    /// Bytes of requests held while there is no connection.
    public var pendingLimit = 16 << 20
    /// The largest frame taken, in bytes.
    public var frameLimit = 64 << 20
    /// For TCP and the handshake.
    public var connectTimeout = Duration.seconds(5)
    /// With neither a frame nor a pong for so long the daemon counts as dead. A ping is sent after a third of it.
    public var silenceLimit = Duration.seconds(45)

    /// All sessions, live, with growing text.
    public init() {}
}

/// The version of the client library and of `codeai-hub`.
public let clientVersion = String(cString: codeai_version())
