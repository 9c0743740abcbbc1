/// What went wrong between a client and the daemon: a stable code, and a sentence that says what to do.
public struct HubError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of failure it is; stays as it is.
    public enum Code: String, Sendable {
        /// Nothing answers where the daemon should be.
        case noDaemon = "no_daemon"
        /// The connection ended before the answer came; whether the request was carried out is unknown.
        case connectionLost = "connection_lost"
        /// No answer within the time the caller gave.
        case timeout
        /// The home folder or a file in it could have been written by somebody else.
        case unsafeHome = "unsafe_home"
        /// What answered does not speak the protocol.
        case invalidAnswer = "invalid_answer"
        /// The daemon answered with an error; see `answer`.
        case rejected
        /// The daemon could not be started.
        case launchFailed = "launch_failed"
        /// The stream or client was closed by its owner.
        case closed
        /// An answer or a queue is larger than the client's limit.
        case tooLarge = "too_large"
    }

    /// What a program decides by.
    public let code: Code
    /// A sentence for people.
    public let message: String
    /// The daemon's own error code, for example `session_not_found`, when it answered with one.
    public let answer: String?
    /// The HTTP status of that answer.
    public let status: Int?

    /// For code that offers this library's errors as its own.
    public init(_ code: Code, _ message: String, answer: String? = nil, status: Int? = nil) {
        self.code = code
        self.message = message
        self.answer = answer
        self.status = status
    }

    /// The message.
    public var description: String { message }
}
