/// What an installation wants of the daemon. Calls block their thread.
package protocol DaemonControl {
    /// Whether a daemon holds the home, also one that answers nothing.
    var isHeld: Bool { get }
    /// The daemon as it answers within 2 s; nil when it doesn't.
    func health() -> DaemonHealth?
    /// Has the daemon go on as the version that is installed now. Returns when it has agreed, or when no answer came and it may
    /// have: whoever watches it will see.
    ///
    /// - Throws: `restartFailed`, when it refuses: nothing has changed for its clients then.
    func restart() throws(ReleaseError)
    /// Ends the daemon, politely first, and waits until the home is free.
    func end()
    /// Starts the installed version and waits until it answers.
    ///
    /// - Throws: `restartFailed`.
    func start() throws(ReleaseError)
}

package struct DaemonHealth: Equatable, Sendable {
    package var version: String
    /// Another one after each start.
    package var instanceId: String
    /// Turns that run.
    package var turns: Int

    package init(version: String, instanceId: String, turns: Int) {
        self.version = version
        self.instanceId = instanceId
        self.turns = turns
    }
}
