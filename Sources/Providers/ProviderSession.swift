package import HubProtocol
package import JSON
package import Processes

/// What a provider can do; shown to clients, and asked before something is offered to it.
package struct ProviderCapabilities: Equatable, Sendable {
    package var streaming = true
    package var resume = false
    package var permissions = false
    package var questions = false
    package var fork = false
    package var cost = false
    package var quota = false
    package var images = false
    package var models = false
    package var modes = false
    /// A message can be added to a turn that runs.
    package var steer = false
    /// How hard the model thinks can be chosen.
    package var effort = false
    /// Files can be part of a prompt.
    package var resources = false

    package init() {}

    package var json: JSONObject {
        [
            "streaming": JSON(streaming), "resume": JSON(resume), "permissions": JSON(permissions),
            "questions": JSON(questions), "fork": JSON(fork), "cost": JSON(cost), "quota": JSON(quota),
            "images": JSON(images), "models": JSON(models), "modes": JSON(modes), "steer": JSON(steer),
            "effort": JSON(effort), "resources": JSON(resources),
        ]
    }
}

/// What a conversation with a provider is started with.
package struct ProviderStart: Sendable {
    /// Our session's identifier; a UUID, since Claude Code takes it as its own.
    package var sessionId: String
    /// The folder the agent works in, absolute.
    package var workspace: String
    package var model: String?
    package var mode: String?
    /// How hard the model is to think, in the provider's own words.
    package var effort: String?
    /// The provider's own session to go on with; nil for a new one.
    package var resumeNativeSessionId: String?
    /// Whether that session stays as it is, and a new one begins with what was said in it.
    package var forksNativeSession: Bool
    /// Totals known from the log, for providers that only report cumulative figures.
    package var knownCostUsd: Double?

    package init(
        sessionId: String, workspace: String, model: String? = nil, mode: String? = nil, effort: String? = nil,
        resumeNativeSessionId: String? = nil, forksNativeSession: Bool = false, knownCostUsd: Double? = nil
    ) {
        self.sessionId = sessionId
        self.workspace = workspace
        self.model = model
        self.mode = mode
        self.effort = effort
        self.resumeNativeSessionId = resumeNativeSessionId
        self.forksNativeSession = forksNativeSession
        self.knownCostUsd = knownCostUsd
    }
}

package enum PermissionDecision: Equatable, Sendable {
    /// One of the options that the request offered.
    case option(String)
    /// Nobody chose: the turn is being interrupted or the request became moot.
    case cancelled
}

/// Hears what happens in a provider's session. All calls come on the loop, in the order in which things happened.
package protocol ProviderSessionDelegate: AnyObject {
    func providerSession(_ session: any ProviderSession, emitted events: [NormalizedEvent])
    /// The process is gone; nothing comes after this. A turn that was running has not been closed by the adapter:
    /// the session layer closes it and whatever else was open.
    func providerSession(_ session: any ProviderSession, ended reason: ProviderEnd)
    /// The provider's own session could not be resumed, and a new one takes its place: what it has to be told before
    /// the prompt at hand. Asked for after the error `resume_failed` was emitted, before the new session is reported.
    func contextForNewConversation(of session: any ProviderSession) -> String?
}

extension ProviderSessionDelegate {
    package func contextForNewConversation(of session: any ProviderSession) -> String? { nil }
}

/// Why a provider's session came to its end.
package enum ProviderEnd: Equatable, Sendable {
    /// `stop()` was asked for, and done.
    case stopped
    /// It could not be started at all.
    case failedToStart(Failure)
    /// The process ended by itself.
    case exited(ExitStatus, errorTail: String)
}

/// One conversation with a provider: the adapter contract. Loop-confined; every call returns at once, and what comes
/// of it comes through the delegate.
///
/// The session layer calls `send` only between turns, answers each request at most once, and doesn't call anything
/// after `stop` or after the delegate heard the end. An adapter closes each turn it was sent with exactly one
/// `turnCompleted`, unless its process ends first; and it never lets one line of its provider's output, however odd,
/// end the session: what it can't read becomes `custom` with type `unparsed_output`.
package protocol ProviderSession: AnyObject {
    var delegate: (any ProviderSessionDelegate)? { get set }
    var capabilities: ProviderCapabilities { get }
    /// The process, while it runs.
    var processId: Int32? { get }
    /// The adapter is ending the process by itself, for example since it heeds no interrupt: what it is told now would
    /// be lost with it. The delegate hears the end.
    var isEnding: Bool { get }

    /// Starts the process and the provider's own session, new or resumed.
    func start()
    /// Begins a turn. May be called before `sessionReady`; the adapter holds it until then.
    func send(_ prompt: Prompt, turnId: String)
    /// Adds to the turn that runs.
    /// - Returns: false when the provider can't take it now; it is then sent as a turn of its own.
    func steer(_ prompt: Prompt) -> Bool
    /// Asks for the running turn to end; while idle it does nothing. The turn still ends by `turnCompleted`.
    func interrupt()
    /// - Parameter message: what the person said when rejecting, for providers that can pass it on.
    func answerPermission(_ requestId: String, _ decision: PermissionDecision, message: String?)
    /// - Parameter answers: by question id; an array where several options may be chosen. Nil: declined.
    func answerQuestion(_ requestId: String, answers: JSONObject?)
    func setModel(_ model: String)
    func setMode(_ mode: String)
    func setEffort(_ effort: String)
    /// Ends the process by the ladder: polite, SIGTERM, SIGKILL. The delegate hears `.stopped`.
    func stop()
}

extension ProviderSession {
    package var isEnding: Bool { false }
    package func steer(_ prompt: Prompt) -> Bool { false }
    package func setEffort(_ effort: String) {}
}
